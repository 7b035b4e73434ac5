/* mdl_body.c - From a request's body to checked members.
 *
 * Media type, size, bytes, values; what a member must be is judged in
 * mdl_body_member.c.  The bytes and all that is decoded from them come from
 * malloc and are wiped with the request, since they may hold passwords.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_body.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <httpd.h>

#include <http_protocol.h>
#include <util_filter.h>

#include <apr_strings.h>

#include "dl_form.h"
#include "dl_json_values.h"
#include "mdl_body_member.h"
#include "mdl_brigade.h"
#include "mdl_framing.h"
#include "mdl_problem.h"
#include "mdl_request.h"

/* How much is asked of httpd at a time. */
#define READ_AT_ONCE 16384

/* Memory of one body. */
typedef struct bytes {
    char *data;  /* from malloc */
    size_t len;  /* bytes in use */
    size_t size; /* bytes allocated */
} bytes;

static void wipe(bytes *b)
{
    if (b->data != NULL) {
        explicit_bzero(b->data, b->size);
        free(b->data);
    }
    b->data = NULL;
    b->len = b->size = 0;
}

static apr_status_t wipe_bytes(void *context)
{
    wipe(context);
    return APR_SUCCESS;
}

static bytes *make_bytes(apr_pool_t *pool)
{
    bytes *b = apr_pcalloc(pool, sizeof *b);

    apr_pool_cleanup_register(pool, b, wipe_bytes, apr_pool_cleanup_null);
    return b;
}

/* Give B room for SIZE bytes; what it held is wiped where it was. */
static void grow(bytes *b, size_t size)
{
    bytes grown = {.data = malloc(size), .len = b->len, .size = size};

    if (grown.data == NULL) {
        abort();
    }
    if (b->len > 0) {
        memcpy(grown.data, b->data, b->len);
    }
    wipe(b);
    *b = grown;
}

/* --- Media type ------------------------------------------------------------
 */

/* What is refused before it was read still comes: mod_http2 resets a stream
 * whose body was not read, at times before the answer has gone out.
 * LimitRequestBody bounds what is read. */
static void drain(mdl_request *q)
{
    if (q->r->connection->master != NULL) {
        (void)ap_discard_request_body(q->r);
    }
}

/* Whether the parameters of a media type at TEXT name no other character set
 * than UTF-8. */
static bool is_utf8_charset(const char *text)
{
    static const char wanted[] = "utf-8";

    text += strspn(text, " \t;");
    while (*text != '\0') {
        if (strncasecmp(text, "charset=", 8) == 0) {
            text += 8;
            text += *text == '"' ? 1 : 0;
            if (strncasecmp(text, wanted, sizeof wanted - 1) != 0 ||
                strchr(" \t;\"", text[sizeof wanted - 1]) == NULL) {
                return false;
            }
        }
        text += strcspn(text, ";");
        text += strspn(text, " \t;");
    }
    return true;
}

/* The media type TYPE among the bits WANTED, or 0. */
static unsigned find_media(const char *type, unsigned wanted)
{
    static const struct {
        unsigned bit;
        const char *name;
    } media[] = {{MDL_MEDIA_JSON, "application/json"},
                 {MDL_MEDIA_FORM, "application/x-www-form-urlencoded"}};
    size_t i;

    for (i = 0; type != NULL && i < sizeof media / sizeof media[0]; i++) {
        size_t len = strlen(media[i].name);

        if ((wanted & media[i].bit) != 0 &&
            strncasecmp(type, media[i].name, len) == 0 &&
            strchr(" \t;", type[len]) != NULL && is_utf8_charset(type + len)) {
            return media[i].bit;
        }
    }
    return 0;
}

static int check_media(mdl_request *q)
{
    const mdl_body *row = q->route->body;
    const char *type = apr_table_get(q->r->headers_in, "Content-Type");
    const char *accepted = row->media == MDL_MEDIA_JSON
                               ? "application/json"
                               : "application/json, "
                                 "application/x-www-form-urlencoded";
    bool encoded = apr_table_get(q->r->headers_in, "Content-Encoding") != NULL;

    q->body.media = find_media(type, row->media);
    if (q->body.media != 0 && !encoded) {
        return OK;
    }
    drain(q);
    apr_table_setn(q->r->err_headers_out, "Accept-Post", accepted);
    if (encoded) {
        return mdl_problem(q, MDL_PROBLEM_UNSUPPORTED_MEDIA_TYPE, "%s",
                           "A body is taken without Content-Encoding.");
    }
    return mdl_problem(q, MDL_PROBLEM_UNSUPPORTED_MEDIA_TYPE,
                       "This resource takes %s in UTF-8.", accepted);
}

/* --- Bytes -----------------------------------------------------------------
 */

static int refuse_size(mdl_request *q)
{
    drain(q);
    return mdl_problem(q, MDL_PROBLEM_BODY_TOO_LARGE,
                       "This resource takes at most %" APR_SIZE_T_FMT " bytes.",
                       q->route->body->limit);
}

/* Say what STATUS, of a read that failed, means. */
static int refuse_read(mdl_request *q, apr_status_t status)
{
    int answer = ap_map_http_request_error(status, HTTP_BAD_REQUEST);

    if (answer == HTTP_REQUEST_ENTITY_TOO_LARGE) {
        return refuse_size(q);
    }
    if (answer == HTTP_REQUEST_TIME_OUT) {
        return mdl_problem(q, MDL_PROBLEM_REQUEST_TIMEOUT, "%s",
                           "The body did not arrive in time.");
    }
    if (answer == HTTP_BAD_REQUEST) {
        q->r->connection->keepalive = AP_CONN_CLOSE;
        return mdl_problem(q, MDL_PROBLEM_MALFORMED_REQUEST, "%s",
                           "The body is cut off or badly framed.");
    }
    return answer; /* AP_FILTER_ERROR: a filter has answered */
}

/* Append the LEN bytes at DATA to B, which may hold LIMIT. */
static apr_status_t append(bytes *b, const char *data, size_t len, size_t limit)
{
    if (len > limit - b->len) {
        return APR_ENOSPC;
    }
    if (len > b->size - b->len) {
        grow(b, 2 * b->size > b->len + len ? 2 * b->size : b->len + len);
    }
    memcpy(b->data + b->len, data, len);
    b->len += len;
    return APR_SUCCESS;
}

/* Append what BUCKET holds to B; set *END when the body ends with it. */
static apr_status_t take_bucket(bytes *b, bool *end, apr_bucket *bucket,
                                size_t limit)
{
    const char *data = NULL;
    apr_size_t len = 0;
    apr_status_t status;

    if (APR_BUCKET_IS_METADATA(bucket)) {
        *end = *end || APR_BUCKET_IS_EOS(bucket);
        return APR_SUCCESS;
    }
    status = apr_bucket_read(bucket, &data, &len, APR_BLOCK_READ);
    if (status != APR_SUCCESS || len == 0) {
        return status;
    }
    return append(b, data, len, limit);
}

/* Append what BB holds likewise; it is empty afterwards. */
static apr_status_t take_brigade(bytes *b, bool *end, apr_bucket_brigade *bb,
                                 size_t limit)
{
    apr_status_t status = APR_SUCCESS;
    apr_bucket *bucket = mdl_brigade_take(bb);

    while (bucket != NULL) {
        if (status == APR_SUCCESS && !*end) {
            status = take_bucket(b, end, bucket, limit);
        }
        apr_bucket_destroy(bucket);
        bucket = mdl_brigade_take(bb);
    }
    return status;
}

/* Read the body into B. */
static int read_bytes(bytes *b, mdl_request *q)
{
    request_rec *r = q->r;
    apr_bucket_brigade *bb =
        apr_brigade_create(r->pool, r->connection->bucket_alloc);
    bool end = false;
    apr_status_t status = APR_SUCCESS;

    while (!end && status == APR_SUCCESS) {
        status = ap_get_brigade(r->input_filters, bb, AP_MODE_READBYTES,
                                APR_BLOCK_READ, READ_AT_ONCE);
        if (status == APR_SUCCESS && mdl_brigade_is_empty(bb)) {
            status = APR_EGENERAL;
        }
        if (status == APR_SUCCESS) {
            status = take_brigade(b, &end, bb, q->route->body->limit);
        }
    }
    return status == APR_SUCCESS ? OK : refuse_read(q, status);
}

static int read_body(mdl_request *q)
{
    const char *text = apr_table_get(q->r->headers_in, "Content-Length");
    apr_off_t announced = 0;
    bytes *b;
    int status;

    if (text != NULL && (!ap_parse_strict_length(&announced, text) ||
                         announced > (apr_off_t)q->route->body->limit)) {
        return refuse_size(q);
    }
    b = make_bytes(q->r->pool);
    grow(b, announced > 0 ? (size_t)announced : READ_AT_ONCE);
    status = read_bytes(b, q);
    q->body.text = b->data;
    q->body.len = b->len;
    return status;
}

/* --- JSON ------------------------------------------------------------------
 */

static int parse_json(mdl_request *q)
{
    dl_json_values values;
    uint32_t i;

    switch (
        dl_json_values_read(&values, q->body.text, q->body.len, q->r->pool)) {
    case DL_JSON_FINE:
        break;
    case DL_JSON_NOT_OBJECT:
        mdl_body_member_fault(q, NULL, "wrong-type",
                              "the body must be an object");
        return OK;
    case DL_JSON_SYNTAX:
    case DL_JSON_ENCODING:
    case DL_JSON_TOO_BIG:
        mdl_problem_member_int(q, "offset", values.offset);
        mdl_problem_member(q, "reason", values.reason);
        return mdl_problem(q, MDL_PROBLEM_MALFORMED_JSON,
                           "The body is not JSON at byte %u: %s.",
                           values.offset, values.reason);
    }
    for (i = 1; i < values.n; i = values.values[i].next) {
        mdl_body_member_take(q, &values.values[i]);
    }
    return OK;
}

/* --- Forms -----------------------------------------------------------------
 */

static int refuse_form(mdl_request *q, const char *field, const char *code,
                       const char *sentence)
{
    mdl_problem_parameter(q, field, code, "%s", sentence);
    return mdl_problem(q, MDL_PROBLEM_INVALID_PARAMETER,
                       "The form is wrong: %s.", sentence);
}

/* Take FIELD as if it were a string in a JSON body. */
static int take_field(mdl_request *q, const dl_form_field *field)
{
    dl_json_value value = {.name = field->name,
                           .name_len = (uint32_t)field->name_len,
                           .text = field->text,
                           .len = (uint32_t)field->len,
                           .kind = DL_JSON_STRING};

    if (mdl_body_member_sent(q, field->name, field->name_len)) {
        return refuse_form(q, field->name, "repeated",
                           "a field may be given once");
    }
    mdl_body_member_take(q, &value);
    return OK;
}

static int parse_form(mdl_request *q)
{
    bytes *decoded = make_bytes(q->r->pool);
    dl_form_field field;
    dl_form form;
    int status = OK;

    grow(decoded, q->body.len + 2);
    dl_form_begin(&form, q->body.text, q->body.len, decoded->data);
    while (status == OK) {
        switch (dl_form_next(&field, &form)) {
        case DL_FORM_FIELD:
            status = take_field(q, &field);
            break;
        case DL_FORM_END:
            return OK;
        case DL_FORM_ESCAPE:
            return refuse_form(q, "", "bad-escape",
                               "it holds a % that begins no escape");
        case DL_FORM_ENCODING:
            return refuse_form(q, "", "not-utf-8",
                               "it holds bytes that are not UTF-8");
        case DL_FORM_TOO_MANY:
            return refuse_form(q, "", "too-many", "it has too many fields");
        }
    }
    return status;
}

/* --- The whole -------------------------------------------------------------
 */

static size_t count_rows(const mdl_member *members)
{
    size_t n = 0;

    while (members[n].name != NULL) {
        n++;
    }
    return n;
}

int mdl_body_parse(mdl_request *q)
{
    const mdl_body *row = q->route->body;
    int status = OK;

    q->members =
        apr_pcalloc(q->r->pool, sizeof *q->members * count_rows(row->members));
    if (!row->optional || mdl_framing_has_body(q->r)) {
        status = check_media(q);
        if (status == OK) {
            status = read_body(q);
        }
        if (status == OK) {
            status =
                q->body.media == MDL_MEDIA_FORM ? parse_form(q) : parse_json(q);
        }
    }
    return status == OK ? mdl_body_member_finish(q) : status;
}

int mdl_body_refuse(mdl_request *q, const mdl_member *member, const char *code,
                    const char *detail)
{
    mdl_body_member_fault(q, member, code, detail);
    return mdl_problem_type_of(MDL_PROBLEM_VALIDATION)->status;
}
