/* mdl_stream.c - Answers of unknown length, in brigades of 64 KB.
 *
 * The writer's bytes are gathered in one heap block; a full block is passed
 * on and, since the filters may keep it, a new one is taken.  Memory is
 * therefore bounded by what the network filters hold back (httpd flushes
 * them at FlushMaxThreshold) plus one block.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_answer.h"

#include <string.h>

#include <httpd.h>

#include <http_protocol.h>
#include <util_filter.h>

#include "mdl_brigade.h"
#include "mdl_format.h"

/* Bytes of one brigade. */
#define BLOCK 65536

struct mdl_stream {
    mdl_request *q;
    apr_bucket_brigade *bb; /* passed on when the block is full */
    char *block;            /* from the connection's allocator, NULL: none */
    size_t used;            /* bytes in block */
};

mdl_stream *mdl_stream_open(mdl_request *q, const char *content_type)
{
    mdl_answer answer = {.content_type = content_type};
    mdl_stream *stream = apr_pcalloc(q->r->pool, sizeof *stream);

    stream->q = q;
    stream->bb = apr_brigade_create(q->r->pool, q->r->connection->bucket_alloc);
    mdl_answer_begin(q, &answer);
    return stream;
}

bool mdl_stream_wanted(const mdl_stream *stream)
{
    return !stream->q->r->header_only && !stream->q->r->connection->aborted;
}

/* Pass the block on, behind which LAST (NULL: nothing) follows. */
static dl_status pass_block(mdl_stream *stream, apr_bucket *last, dl_error *err)
{
    request_rec *r = stream->q->r;
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;
    apr_status_t rv;

    if (stream->block != NULL) {
        mdl_brigade_append(stream->bb,
                           apr_bucket_heap_create(stream->block, stream->used,
                                                  apr_bucket_free, alloc));
        stream->block = NULL;
        stream->used = 0;
    }
    if (last != NULL) {
        mdl_brigade_append(stream->bb, last);
    }
    rv = ap_pass_brigade(r->output_filters, stream->bb);
    apr_brigade_cleanup(stream->bb);
    if (rv != APR_SUCCESS || r->connection->aborted) {
        return dl_fail(err, DL_IO, 0, "the client is gone");
    }
    return DL_OK;
}

dl_status mdl_stream_write(mdl_stream *stream, const void *data, size_t len,
                           dl_error *err)
{
    request_rec *r = stream->q->r;
    const char *from = data;

    if (!mdl_stream_wanted(stream)) {
        return r->connection->aborted
                   ? dl_fail(err, DL_IO, 0, "the client is gone")
                   : DL_OK;
    }
    while (len > 0) {
        size_t part = BLOCK - stream->used < len ? BLOCK - stream->used : len;

        if (stream->block == NULL) {
            stream->block =
                apr_bucket_alloc(BLOCK, r->connection->bucket_alloc);
        }
        memcpy(stream->block + stream->used, from, part);
        stream->used += part;
        from += part;
        len -= part;
        if (stream->used == BLOCK) {
            DL_TRY(pass_block(stream, NULL, err));
        }
    }
    return DL_OK;
}

int mdl_stream_close(mdl_stream *stream, bool failed)
{
    request_rec *r = stream->q->r;
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;

    if (failed) {
        /* No EOS with a chunk of length 0: the connection is cut instead. */
        r->connection->keepalive = AP_CONN_CLOSE;
        (void)pass_block(
            stream,
            ap_bucket_error_create(HTTP_BAD_GATEWAY, NULL, r->pool, alloc),
            NULL);
    }
    (void)pass_block(stream, apr_bucket_eos_create(alloc), NULL);
    return OK;
}
