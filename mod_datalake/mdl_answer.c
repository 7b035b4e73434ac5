/* mdl_answer.c - Sending whole answers: headers, validator, one brigade.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_answer.h"

#include <string.h>

#include <httpd.h>

#include <http_protocol.h>
#include <util_filter.h>

#include <apr_strings.h>
#include <openssl/evp.h>

#include "mdl_audit.h"
#include "mdl_brigade.h"
#include "mdl_format.h"
#include "mdl_header.h"
#include "mdl_idempotency.h"
#include "mdl_rows.h"

dl_buf *mdl_answer_buf(mdl_request *q, size_t max)
{
    return dl_buf_create(max, q->r->pool);
}

void mdl_answer_header(mdl_request *q, const char *name, const char *value)
{
    apr_table_setn(q->r->headers_out, name, value);
}

void mdl_answer_begin(mdl_request *q, const mdl_answer *answer)
{
    request_rec *r = q->r;
    apr_table_t *out = r->headers_out;

    r->status = answer->status == 0 ? HTTP_OK : answer->status;
    if (r->prev != NULL && ap_is_HTTP_ERROR(r->prev->status)) {
        r->status = r->prev->status; /* we are its ErrorDocument */
    }
    ap_set_content_type(r, answer->content_type != NULL
                               ? answer->content_type
                               : mdl_format_type(q->format));
    apr_table_setn(out, "X-Content-Type-Options", "nosniff");
    apr_table_setn(out, "Cache-Control",
                   answer->cache != NULL ? answer->cache : "private, no-cache");
    if (q->route->class != MDL_CLASS_PUBLIC) {
        apr_table_setn(out, "Vary", "Accept, Authorization");
    }
    mdl_audit_answer(q, r->status, (apr_off_t)answer->len);
}

/* Write what the connection C has gathered.
 *
 * httpd keeps a small answer until the worker has looked, in vain, for the
 * next request, and then hands the connection to the listener, which wakes
 * another worker: two sleeps a request.  Written now, the client reads while
 * the request is logged, and its next one is often there when we look. */
static void flush(conn_rec *c, apr_pool_t *pool)
{
    apr_bucket_brigade *bb = apr_brigade_create(pool, c->bucket_alloc);

    mdl_brigade_append(bb, apr_bucket_flush_create(c->bucket_alloc));
    (void)ap_pass_brigade(c->output_filters, bb);
}

/* Send BODY (NULL: none) and the end of the answer. */
static int pass(request_rec *r, apr_bucket *body)
{
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;
    apr_bucket_brigade *bb = apr_brigade_create(r->pool, alloc);

    if (body != NULL) {
        mdl_brigade_append(bb, body);
    }
    mdl_brigade_append(bb, apr_bucket_eos_create(alloc));
    /* A client that is gone is no error of ours. */
    (void)ap_pass_brigade(r->output_filters, bb);
    flush(r->connection, r->pool);
    return OK;
}

int mdl_answer_send(mdl_request *q, const mdl_answer *answer)
{
    request_rec *r = q->r;
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;
    apr_bucket *body = NULL;

    mdl_idempotency_keep(q, answer);
    if (q->quota != NULL && !r->header_only && q->format == MDL_FORMAT_JSON) {
        q->rows = mdl_rows_in_json(answer->data, answer->len);
    }
    mdl_answer_begin(q, answer);
    ap_set_content_length(r, (apr_off_t)answer->len);
    if (answer->len > 0 && !r->header_only) {
        body = answer->life == MDL_LIFE_REQUEST
                   ? apr_bucket_pool_create(answer->data, answer->len, r->pool,
                                            alloc)
                   : apr_bucket_heap_create(answer->data, answer->len, NULL,
                                            alloc);
    }
    return pass(r, body);
}

int mdl_answer_json(mdl_request *q, const char *data, size_t len)
{
    mdl_answer answer = {.data = data, .len = len};

    return mdl_answer_send(q, &answer);
}

int mdl_answer_buffer(mdl_request *q, const dl_buf *buf)
{
    return mdl_answer_json(q, buf->data, buf->len);
}

/* --- Validators ----------------------------------------------------------- */

void mdl_answer_etag(char out[MDL_ETAG_TEXT], const void *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char hash[EVP_MAX_MD_SIZE] = {0};
    size_t i;

    (void)EVP_Digest(data, len, hash, NULL, EVP_sha256(), NULL);
    for (i = 0; i < (MDL_ETAG_TEXT - 1) / 2; i++) {
        out[2 * i] = digits[hash[i] >> 4];
        out[2 * i + 1] = digits[hash[i] & 15];
    }
    out[MDL_ETAG_TEXT - 1] = '\0';
}

/* The entity tag of ETAG in FORMAT. */
static const char *tag_for(const mdl_request *q, const char *etag,
                           unsigned format)
{
    return apr_pstrcat(q->r->pool, "\"", etag, "-", mdl_format_name(format),
                       "\"", NULL);
}

bool mdl_answer_unchanged(mdl_request *q, const char *etag)
{
    request_rec *r = q->r;
    const char *condition = apr_table_get(r->headers_in, "If-None-Match");
    const char *tag = tag_for(q, etag, q->format);

    apr_table_setn(r->headers_out, "ETag", tag);
    return condition != NULL && mdl_header_names_tag(condition, tag);
}

bool mdl_answer_may_change(const mdl_request *q, const char *etag)
{
    const char *condition = apr_table_get(q->r->headers_in, "If-Match");
    unsigned format;

    for (format = MDL_FORMAT_JSON;
         condition != NULL && format <= MDL_FORMAT_CSV; format *= 2) {
        if (mdl_header_names_tag_strongly(condition,
                                          tag_for(q, etag, format))) {
            return true;
        }
    }
    return condition == NULL;
}

int mdl_answer_not_modified(mdl_request *q)
{
    mdl_answer answer = {.status = HTTP_NOT_MODIFIED};

    mdl_answer_begin(q, &answer);
    return pass(q->r, NULL);
}

int mdl_answer_state(mdl_request *q, const dl_buf *buf)
{
    char etag[MDL_ETAG_TEXT];

    mdl_answer_etag(etag, buf->data, buf->len);
    return mdl_answer_unchanged(q, etag) ? mdl_answer_not_modified(q)
                                         : mdl_answer_buffer(q, buf);
}

/* --- Paging --------------------------------------------------------------- */

/* Whether the LEN bytes of PAIR are a parameter that says which page. */
static bool is_paging(const char *pair, size_t len)
{
    static const char *const names[] = {"cursor", "page", "offset"};
    size_t name = strcspn(pair, "=&");
    size_t i;

    name = name < len ? name : len;
    for (i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i]) == name && strncmp(pair, names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* The query of R without cursor and page, each parameter followed by '&'. */
static const char *other_parameters(request_rec *r)
{
    const char *at = r->args != NULL ? r->args : "";
    char *out = apr_palloc(r->pool, strlen(at) + 2);
    char *end = out;

    while (*at != '\0') {
        size_t len = strcspn(at, "&");

        if (len > 0 && !is_paging(at, len)) {
            memcpy(end, at, len);
            end += len;
            *end++ = '&';
        }
        at += len;
        at += *at == '&' ? 1 : 0;
    }
    *end = '\0';
    return out;
}

/* The path of R, which is still encoded, without bytes that a URL cannot
 * have. */
static const char *encoded_path(request_rec *r)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz"
                                  "0123456789-._~!$&'()*+,;=:@/%";
    char *out = apr_palloc(r->pool, 3 * strlen(r->uri) + 1);
    const char *at;
    size_t n = 0;

    for (at = r->uri; *at != '\0'; at++) {
        if (strchr(allowed, *at) != NULL) {
            out[n++] = *at;
        }
        else {
            n += (size_t)apr_snprintf(out + n, 4, "%%%02X",
                                      (unsigned)(unsigned char)*at);
        }
    }
    out[n] = '\0';
    return out;
}

const char *mdl_answer_url(mdl_request *q, const char *name, const char *value)
{
    request_rec *r = q->r;

    return apr_pstrcat(r->pool, encoded_path(r), "?", other_parameters(r), name,
                       "=", value, NULL);
}

const char *mdl_answer_link_next(mdl_request *q, const char *cursor)
{
    const char *url = mdl_answer_url(q, "cursor", cursor);

    apr_table_setn(q->r->headers_out, "Link",
                   apr_pstrcat(q->r->pool, "<", url, ">; rel=\"next\"", NULL));
    return url;
}
