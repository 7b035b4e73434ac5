/* mdl_stream.c - Answers that are sent bit by bit.
 *
 * Small writes are gathered in a block, large ones passed as they are.  Behind
 * each goes a FLUSH: the network filters write all of it before the call
 * returns, so nothing has to be copied for them and nothing piles up; while
 * the handler works on, the client reads what the socket holds.
 *
 * Bytes that also stand in a file are sent from there by sendfile where
 * EnableSendfile is On, as httpd sends its own files, and nothing lies between
 * us and the socket: no TLS, no HTTP/2 (whose buckets may live longer than the
 * file is open).  It spares the server a copy and costs the receiver more: on
 * one machine the verified memory is faster.  httpd never maps such a file: a
 * file that is cut by others would be a SIGBUS.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_answer.h"

#include <string.h>

#include <httpd.h>

#include <http_core.h>
#include <http_protocol.h>
#include <http_ssl.h>
#include <util_filter.h>

#include "mdl_brigade.h"
#include "mdl_format.h"

/* Bytes that are gathered. */
#define BLOCK 65536

struct mdl_stream {
    mdl_request *q;
    apr_bucket_brigade *bb; /* passed on, empty in between */
    char *block;            /* BLOCK bytes */
    size_t used;            /* of them */
    apr_off_t sent;         /* bytes given to the filters */
    apr_off_t length;       /* bytes announced, -1: none were */
    bool by_file;           /* the kernel may send from files */
    int fd;                 /* the descriptor of FILE */
    apr_file_t *file;       /* what was sent from last, NULL: nothing yet */
};

/* Whether the socket of R gets our bytes as they are. */
static bool goes_straight(request_rec *r)
{
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);

    return r->connection->master == NULL &&
           !ap_ssl_conn_is_ssl(r->connection) &&
           core->enable_sendfile == ENABLE_SENDFILE_ON;
}

mdl_stream *mdl_stream_open(mdl_request *q, const char *content_type)
{
    mdl_answer answer = {.content_type = content_type};
    mdl_stream *stream = apr_pcalloc(q->r->pool, sizeof *stream);

    stream->q = q;
    stream->bb = apr_brigade_create(q->r->pool, q->r->connection->bucket_alloc);
    stream->block = apr_palloc(q->r->pool, BLOCK);
    stream->length = -1;
    stream->by_file = goes_straight(q->r);
    mdl_answer_begin(q, &answer);
    return stream;
}

void mdl_stream_expect(mdl_stream *stream, apr_off_t len)
{
    ap_set_content_length(stream->q->r, len);
    stream->length = len;
}

bool mdl_stream_wanted(const mdl_stream *stream)
{
    return !stream->q->r->header_only && !stream->q->r->connection->aborted;
}

/* Put what is gathered into the brigade. */
static void add_block(mdl_stream *stream)
{
    if (stream->used > 0) {
        mdl_brigade_append(
            stream->bb, apr_bucket_transient_create(stream->block, stream->used,
                                                    stream->bb->bucket_alloc));
        stream->sent += (apr_off_t)stream->used;
        stream->used = 0;
    }
}

/* Pass the brigade on, which LAST ends. */
static dl_status pass_on(mdl_stream *stream, apr_bucket *last, dl_error *err)
{
    request_rec *r = stream->q->r;
    apr_status_t rv;

    mdl_brigade_append(stream->bb, last);
    rv = ap_pass_brigade(r->output_filters, stream->bb);
    apr_brigade_cleanup(stream->bb);
    if (rv != APR_SUCCESS || r->connection->aborted) {
        return dl_fail(err, DL_IO, 0, "the client is gone");
    }
    return DL_OK;
}

/* Pass the brigade on and wait until the socket has it. */
static dl_status flush(mdl_stream *stream, dl_error *err)
{
    return pass_on(stream, apr_bucket_flush_create(stream->bb->bucket_alloc),
                   err);
}

/* Set *STATUS to whether STREAM may be written to; return whether it is. */
static bool is_open(dl_status *status, const mdl_stream *stream, dl_error *err)
{
    bool open = mdl_stream_wanted(stream);

    *status = !open && stream->q->r->connection->aborted
                  ? dl_fail(err, DL_IO, 0, "the client is gone")
                  : DL_OK;
    return open;
}

dl_status mdl_stream_write(mdl_stream *stream, const void *data, size_t len,
                           dl_error *err)
{
    const char *from = data;
    dl_status status;

    if (!is_open(&status, stream, err)) {
        return status;
    }
    while (len > 0) {
        size_t part = BLOCK - stream->used < len ? BLOCK - stream->used : len;

        memcpy(stream->block + stream->used, from, part);
        stream->used += part;
        from += part;
        len -= part;
        if (stream->used == BLOCK) {
            add_block(stream);
            DL_TRY(flush(stream, err));
        }
    }
    return DL_OK;
}

dl_status mdl_stream_flush(mdl_stream *stream, dl_error *err)
{
    dl_status status;

    if (!is_open(&status, stream, err)) {
        return status;
    }
    add_block(stream);
    return flush(stream, err);
}

/* Return a bucket of PIECE in its file. */
static apr_bucket *in_file(mdl_stream *stream, const mdl_piece *piece)
{
    apr_pool_t *pool = stream->q->r->pool;
    apr_bucket *b;

    if (stream->file == NULL || stream->fd != piece->fd) {
        /* One an open part: its number is all that counts. */
        stream->fd = piece->fd;
        apr_os_file_put(&stream->file, &stream->fd,
                        APR_FOPEN_READ | APR_FOPEN_SENDFILE_ENABLED, pool);
    }
    b = apr_bucket_file_create(stream->file, piece->at, piece->len, pool,
                               stream->bb->bucket_alloc);
    (void)apr_bucket_file_enable_mmap(b, 0);
    return b;
}

dl_status mdl_stream_pass(mdl_stream *stream, const mdl_piece *piece,
                          dl_error *err)
{
    dl_status status;

    if (piece->len < BLOCK) {
        return mdl_stream_write(stream, piece->data, piece->len, err);
    }
    if (!is_open(&status, stream, err)) {
        return status;
    }
    add_block(stream);
    mdl_brigade_append(stream->bb, piece->fd >= 0 && stream->by_file
                                       ? in_file(stream, piece)
                                       : apr_bucket_transient_create(
                                             piece->data, piece->len,
                                             stream->bb->bucket_alloc));
    stream->sent += (apr_off_t)piece->len;
    return flush(stream, err);
}

bool mdl_stream_began(const mdl_stream *stream)
{
    return stream->sent > 0;
}

int mdl_stream_close(mdl_stream *stream, bool failed)
{
    request_rec *r = stream->q->r;
    apr_bucket_alloc_t *alloc = stream->bb->bucket_alloc;

    add_block(stream);
    if (failed || (stream->length >= 0 && stream->length != stream->sent &&
                   !r->header_only)) {
        /* No EOS with a chunk of length 0: the connection is cut instead. */
        r->connection->keepalive = AP_CONN_CLOSE;
        (void)pass_on(stream,
                      ap_bucket_error_create(HTTP_SERVICE_UNAVAILABLE, NULL,
                                             r->pool, alloc),
                      NULL);
    }
    (void)pass_on(stream, apr_bucket_eos_create(alloc), NULL);
    return OK;
}
