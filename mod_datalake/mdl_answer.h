/* mdl_answer.h - Answers: one brigade with a known length, or a stream.
 *
 * Whole answers set Content-Length, so HEAD and keep-alive cost nothing
 * extra.  A handler never asks whether the method is HEAD: it answers as for
 * GET and the body is left out below; a stream may ask mdl_stream_wanted() to
 * spare itself the reading.
 *
 *   make the body -> mdl_answer_json(q, body, len)
 *   or with a validator:
 *       if (mdl_answer_unchanged(q, etag)) {
 *           return mdl_answer_not_modified(q);
 *       }
 *       ... make the body ...
 *       return mdl_answer_json(q, body, len);
 *
 * Every data answer carries Cache-Control: private, no-cache, nosniff, Vary:
 * Accept, Authorization as constant strings.
 *
 * Thread: the request's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_ANSWER_H
#define MDL_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "dl_buf.h"
#include "dl_error.h"
#include "mdl_request.h"

/* How long a body that is handed over lives. */
typedef enum mdl_life {
    MDL_LIFE_REQUEST, /* in r->pool, or longer than the request */
    MDL_LIFE_CALL     /* only during the call: it is copied */
} mdl_life;

/* A whole answer. */
typedef struct mdl_answer {
    int status;               /* 200, 201, 202...; 0 means 200 */
    const char *content_type; /* static; NULL: the one of q->format */
    const char *data;         /* the body, NULL when len is 0 */
    size_t len;               /* its bytes */
    mdl_life life;            /* how long data lives */
    const char *cache;        /* static value of Cache-Control; NULL: private,
                                 no-cache */
} mdl_answer;

/* Return an empty buffer for a body of up to MAX bytes, freed with the
 * request. */
dl_buf *mdl_answer_buf(mdl_request *q, size_t max);

/* Set status and headers of ANSWER, which is all that a stream and a whole
 * answer have in common.  For mdl_answer.c and mdl_stream.c. */
void mdl_answer_begin(mdl_request *q, const mdl_answer *answer);

/* Send ANSWER and write it out: the client reads while we go on.  Returns
 * OK. */
int mdl_answer_send(mdl_request *q, const mdl_answer *answer);

/* Send the LEN bytes of DATA, which live in r->pool or longer, as 200 in the
 * format of Q; returns OK. */
int mdl_answer_json(mdl_request *q, const char *data, size_t len);

/* Send what BUF (from mdl_answer_buf) holds likewise; returns OK. */
int mdl_answer_buffer(mdl_request *q, const dl_buf *buf);

/* Set the strong validator of the answer to ETAG (16 to 64 bytes of hex, '-'
 * or letters, without quotes; the format's name is added, because each
 * representation has its own), and return whether If-None-Match names it. */
bool mdl_answer_unchanged(mdl_request *q, const char *etag);

/* Return whether Q may change an object whose present validator is ETAG (as in
 * mdl_answer_unchanged): it has no If-Match, or that names ETAG in any
 * representation.  False is 412 precondition-failed.  To be asked where the
 * object is locked. */
bool mdl_answer_may_change(const mdl_request *q, const char *etag);

/* Bytes of the text of an etag, NUL included. */
#define MDL_ETAG_TEXT 33

/* Write to OUT the text of an etag made of the LEN bytes of DATA (a hash of
 * 128 bits in hex).  For mdl_answer_unchanged.  Thread: any. */
void mdl_answer_etag(char out[MDL_ETAG_TEXT], const void *data, size_t len);

/* Answer 304 without a body; returns OK. */
int mdl_answer_not_modified(mdl_request *q);

/* Send what BUF holds as mdl_answer_buffer, with an etag made of it, or 304;
 * returns OK. */
int mdl_answer_state(mdl_request *q, const dl_buf *buf);

/* Set the header NAME (static) to VALUE (in r->pool or static), also on a 304.
 * VALUE is made of enums, integers and validated tokens, never of user bytes
 * as they came. */
void mdl_answer_header(mdl_request *q, const char *name, const char *value);

/* Return the request's own path and query with its page or cursor replaced by
 * the parameter NAME of VALUE, in r->pool. */
const char *mdl_answer_url(mdl_request *q, const char *name, const char *value);

/* Set the Link header to the next page: the request's own path and query with
 * cursor replaced by CURSOR.  Returns the URL (path and query), in r->pool. */
const char *mdl_answer_link_next(mdl_request *q, const char *cursor);

/* A body that is sent bit by bit.  Each bit is with the network when the call
 * returns, so memory is one block of 64 KB and what the caller holds; a client
 * that is gone is noticed at the next bit, a client that takes nothing for
 * httpd's Timeout is cut off, and one that takes its time is waited for. */
typedef struct mdl_stream mdl_stream;

/* Some bytes of a body. */
typedef struct mdl_piece {
    const char *data; /* the bytes */
    size_t len;       /* how many */
    int fd;           /* a file that has the same bytes, -1: none */
    apr_off_t at;     /* where they begin in it */
} mdl_piece;

/* Begin to stream a 200 in the format of Q.  CONTENT_TYPE as in mdl_answer.
 * Lives in r->pool. */
mdl_stream *mdl_stream_open(mdl_request *q, const char *content_type);

/* Let the body of STREAM, of which nothing was sent yet, have LEN bytes: they
 * are announced, and a body of another length counts as broken. */
void mdl_stream_expect(mdl_stream *stream, apr_off_t len);

/* Return whether anybody will read the body: false for HEAD, where nothing
 * need be read or written. */
bool mdl_stream_wanted(const mdl_stream *stream);

/* Send LEN bytes of DATA, which may change afterwards; for HEAD they are
 * dropped.  DL_IO: the client is gone, the handler stops and returns
 * mdl_stream_close(). */
DL_MUSTCHECK dl_status mdl_stream_write(mdl_stream *stream, const void *data,
                                        size_t len, dl_error *err);

/* As mdl_stream_write for PIECE, a large one: nothing is copied, and where the
 * connection lets the kernel do it the bytes go out of the file. */
DL_MUSTCHECK dl_status mdl_stream_pass(mdl_stream *stream,
                                       const mdl_piece *piece, dl_error *err);

/* Send what was written to STREAM and wait until the network has it: for who
 * writes little and then waits.  Failures as mdl_stream_write. */
DL_MUSTCHECK dl_status mdl_stream_flush(mdl_stream *stream, dl_error *err);

/* Return whether a bit of the body is with the network.  While it is not, a
 * handler whose work broke answers a problem (mdl_http_fail) and forgets
 * STREAM. */
bool mdl_stream_began(const mdl_stream *stream);

/* Send what is left and end the body; returns OK.  FAILED true: something
 * broke in the middle; the connection is cut, so that no client takes the
 * part for the whole. */
int mdl_stream_close(mdl_stream *stream, bool failed);

#endif
