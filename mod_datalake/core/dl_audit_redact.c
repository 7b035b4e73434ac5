/* dl_audit_redact.c - Taking secrets out of bodies and queries.
 *
 * A JSON body is made canonical first (dl_json.h), so a name stands in it as
 * it is meant, whatever escapes it was written with; in a canonical line a
 * string before a colon is a name and nothing else.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_audit_redact.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "dl_audit.h"
#include "dl_audit_ascii.h"
#include "dl_json.h"

#define HIDDEN "***"

/* Longest name that is compared; a longer one is no name of ours. */
#define NAME_MAX_BYTES 64

/* Pairs of a query that are kept. */
#define PAIRS_MAX 64

/* The names of contract 2.4, without '_' and '-'. */
static const char *const secret_name[] = {
    "password",    "currentpassword", "token",        "access",       "refresh",
    "accesstoken", "refreshtoken",    "clientsecret", "authorization"};

/* Whether the LEN bytes at NAME are WANT when case, '_' and '-' are left
 * out. */
static bool is_named(const char *name, size_t len, const char *want)
{
    for (size_t i = 0; i < len; i++) {
        char c = name[i];

        if (c == '_' || c == '-') {
            continue;
        }
        while (*want == '_' || *want == '-') {
            want++;
        }
        c = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
        /* A NUL is no letter, also where WANT ends with one. */
        if (c == '\0' || c != *want) {
            return false;
        }
        want++;
    }
    return *want == '\0';
}

bool dl_audit_is_secret(const char *name, size_t len, const char *const *names)
{
    for (size_t i = 0; i < sizeof secret_name / sizeof secret_name[0]; i++) {
        if (is_named(name, len, secret_name[i])) {
            return true;
        }
    }
    for (; names != NULL && *names != NULL; names++) {
        if (is_named(name, len, *names)) {
            return true;
        }
    }
    return false;
}

/* --- JSON ----------------------------------------------------------------- */

/* The byte behind the string whose opening quote is at AT. */
static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++) {
        at += *at == '\\' ? 1 : 0;
    }
    return at < end ? at + 1 : end;
}

/* The byte behind the value at AT. */
static const char *skip_value(const char *at, const char *end)
{
    int depth = 0;

    while (at < end) {
        if (*at == '"') {
            at = skip_string(at, end);
        }
        else if (*at == '{' || *at == '[') {
            depth++;
            at++;
        }
        else if (depth == 0 && strchr(",}]", *at) != NULL) {
            break;
        }
        else {
            depth -= *at == '}' || *at == ']' ? 1 : 0;
            at++;
        }
        if (depth == 0 && (at[-1] == '"' || at[-1] == '}' || at[-1] == ']')) {
            break;
        }
    }
    return at;
}

/* Append the canonical line of LEN bytes at LINE without its secrets. */
static dl_status put_json(dl_buf *out, const char *line, size_t len,
                          const char *const *names, dl_error *err)
{
    const char *end = line + len;
    const char *from = line;
    const char *at = line;

    while (at < end) {
        const char *name = at;

        if (*at != '"') {
            at++;
            continue;
        }
        at = skip_string(at, end);
        if (at == end || *at != ':' ||
            !dl_audit_is_secret(name + 1, (size_t)(at - name) - 2, names)) {
            continue;
        }
        DL_TRY(dl_buf_append(out, from, (size_t)(at + 1 - from), err));
        DL_TRY(dl_buf_append(out, "\"" HIDDEN "\"", 5, err));
        from = at = skip_value(at + 1, end);
    }
    return dl_buf_append(out, from, (size_t)(end - from), err);
}

static dl_status redact_json(dl_buf *out, const dl_audit_body *body,
                             dl_error *err, apr_pool_t *pool)
{
    const dl_json_shape *shape;
    dl_json_slice none;
    dl_json_result result;
    dl_status status;
    char *scratch;

    if (body->len > DL_JSON_MAX_BYTES) {
        return dl_buf_append(out, HIDDEN, 3, err);
    }
    DL_TRY(dl_json_shape_create(&shape, NULL, 0, err, pool));
    scratch = malloc(body->len + DL_JSON_SLACK);
    if (scratch == NULL) {
        abort();
    }
    if (dl_json_scan(&result, &none, shape, scratch, body->text, body->len) !=
        DL_JSON_FINE) {
        status = dl_buf_append(out, HIDDEN, 3, err);
    }
    else {
        status = put_json(out, result.line, result.line_len, body->names, err);
    }
    free(scratch);
    return status;
}

/* --- Pairs ---------------------------------------------------------------- */

/* One pair of a form or a query. */
typedef struct pair {
    const char *name;  /* as sent */
    size_t name_len;   /* its bytes */
    const char *value; /* as sent; NULL: there is no '=' */
    size_t value_len;  /* its bytes */
} pair;

/* Set P to the pair at *AT and move *AT behind it; false: none is left. */
static bool next_pair(pair *p, const char **at, const char *end)
{
    const char *stop;
    const char *equals;

    while (*at < end && **at == '&') {
        (*at)++;
    }
    if (*at == end) {
        return false;
    }
    stop = memchr(*at, '&', (size_t)(end - *at));
    stop = stop == NULL ? end : stop;
    equals = memchr(*at, '=', (size_t)(stop - *at));
    p->name = *at;
    p->name_len = (size_t)((equals == NULL ? stop : equals) - *at);
    p->value = equals == NULL ? NULL : equals + 1;
    p->value_len = equals == NULL ? 0 : (size_t)(stop - equals - 1);
    *at = stop;
    return true;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Write the LEN bytes at TEXT, escapes decoded where they are some, to OUT,
 * which has room for LEN; return how many were written. */
static size_t decode(char *out, const char *text, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        int high = i + 2 < len ? digit_value(text[i + 1]) : -1;
        int low = i + 2 < len ? digit_value(text[i + 2]) : -1;

        if (text[i] == '%' && high >= 0 && low >= 0) {
            out[n++] = (char)(high << 4 | low);
            i += 2;
        }
        else {
            out[n++] = (char)(text[i] == '+' ? ' ' : text[i]);
        }
    }
    return n;
}

/* Whether the LEN bytes at NAME are one a form could have. */
static bool is_name(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)name[i]) &&
            (name[i] == '\0' || strchr("_-.[]", name[i]) == NULL)) {
            return false;
        }
    }
    return len > 0 && len <= NAME_MAX_BYTES;
}

static dl_status put_pair(dl_buf *out, const pair *p, const char *const *names,
                          dl_error *err)
{
    if (p->value == NULL || !is_name(p->name, p->name_len)) {
        return dl_buf_append(out, HIDDEN, 3, err);
    }
    DL_TRY(dl_buf_append(out, p->name, p->name_len, err));
    DL_TRY(dl_buf_append(out, "=", 1, err));
    return dl_audit_is_secret(p->name, p->name_len, names)
               ? dl_buf_append(out, HIDDEN, 3, err)
               : dl_buf_append(out, p->value, p->value_len, err);
}

static dl_status redact_form(dl_buf *out, const dl_audit_body *body,
                             dl_error *err)
{
    const char *at = body->text;
    const char *before = "";
    pair p;

    while (next_pair(&p, &at, body->text + body->len)) {
        DL_TRY(dl_buf_append(out, before, strlen(before), err));
        DL_TRY(put_pair(out, &p, body->names, err));
        before = "&";
    }
    return DL_OK;
}

/* --- Bodies --------------------------------------------------------------- */

/* Cut what OUT has behind BEGIN to the bound, at a character. */
static void cut(dl_buf *out, size_t begin)
{
    size_t end = begin + DL_AUDIT_BODY_MAX;

    if (out->len <= end) {
        return;
    }
    while (end > begin && ((unsigned char)out->data[end] & 0xc0) == 0x80) {
        end--;
    }
    out->len = end;
}

dl_status dl_audit_redact_body(dl_buf *out, const dl_audit_body *body,
                               dl_error *err, apr_pool_t *scratch_pool)
{
    size_t begin = out->len;
    dl_status status;

    switch (body->media) {
    case DL_AUDIT_JSON:
        status = redact_json(out, body, err, scratch_pool);
        break;
    case DL_AUDIT_FORM:
        status = redact_form(out, body, err);
        break;
    case DL_AUDIT_OTHER:
    default:
        status = dl_buf_append(out, HIDDEN, 3, err);
        break;
    }
    cut(out, begin);
    return status;
}

/* --- Queries -------------------------------------------------------------- */

/* A query taken apart. */
typedef struct query {
    int n;                 /* pairs */
    bool all;              /* none was left out */
    pair pairs[PAIRS_MAX]; /* decoded */
} query;

/* Decode the next piece of LEN bytes at TEXT to *ROOM, moving it on. */
static const char *keep(char **room, size_t *len, const char *text)
{
    const char *kept = *room;

    *len = text == NULL ? 0 : decode(*room, text, *len);
    *room += *len;
    return kept;
}

/* Take the text from AT to END apart; ROOM has as many bytes. */
static void split(query *q, char *room, const char *at, const char *end)
{
    pair p;

    q->n = 0;
    q->all = true;
    while (next_pair(&p, &at, end)) {
        if (q->n == PAIRS_MAX) {
            q->all = false;
            return;
        }
        p.name = keep(&room, &p.name_len, p.name);
        p.value = keep(&room, &p.value_len, p.value);
        q->pairs[q->n++] = p;
    }
}

static bool same_name(const pair *a, const pair *b)
{
    return a->name_len == b->name_len &&
           memcmp(a->name, b->name, a->name_len) == 0;
}

/* Append the value of P as a JSON string. */
static dl_status put_value(dl_buf *out, const pair *p, dl_error *err)
{
    return dl_audit_is_secret(p->name, p->name_len, NULL)
               ? dl_audit_ascii_put(out, HIDDEN, 3, err)
               : dl_audit_ascii_put(out, p->value, p->value_len, err);
}

/* Append the values of all pairs of Q named as pair I, the first of them. */
static dl_status put_values(dl_buf *out, const query *q, int i, dl_error *err)
{
    int n = 0;

    for (int k = i; k < q->n; k++) {
        n += same_name(&q->pairs[k], &q->pairs[i]) ? 1 : 0;
    }
    if (n == 1) {
        return put_value(out, &q->pairs[i], err);
    }
    n = 0;
    DL_TRY(dl_buf_append(out, "[", 1, err));
    for (int k = i; k < q->n; k++) {
        if (same_name(&q->pairs[k], &q->pairs[i])) {
            DL_TRY(dl_buf_append(out, ",", n++ > 0 ? 1 : 0, err));
            DL_TRY(put_value(out, &q->pairs[k], err));
        }
    }
    return dl_buf_append(out, "]", 1, err);
}

static bool is_first(const query *q, int i)
{
    for (int k = 0; k < i; k++) {
        if (same_name(&q->pairs[k], &q->pairs[i])) {
            return false;
        }
    }
    return true;
}

/* Append Q, as far as there is room for it, as an object. */
static dl_status put_query(dl_buf *out, query *q, dl_error *err)
{
    size_t begin = out->len;
    const char *before = "{";

    for (int i = 0; i < q->n; i++) {
        size_t mark = out->len;

        if (!is_first(q, i)) {
            continue;
        }
        DL_TRY(dl_buf_append(out, before, 1, err));
        DL_TRY(dl_audit_ascii_put(out, q->pairs[i].name, q->pairs[i].name_len,
                                  err));
        DL_TRY(dl_buf_append(out, ":", 1, err));
        DL_TRY(put_values(out, q, i, err));
        if (out->len - begin > DL_AUDIT_QUERY_MAX - 16) {
            out->len = mark;
            q->all = false;
            continue;
        }
        before = ",";
    }
    if (!q->all) {
        DL_TRY(dl_buf_append(out, before, 1, err));
        DL_TRY(dl_buf_append(out, "\"...\":true", 10, err));
    }
    return q->all && *before == '{' ? dl_buf_append(out, "{}", 2, err)
                                    : dl_buf_append(out, "}", 1, err);
}

dl_status dl_audit_redact_query(dl_buf *out, const char *query_text, size_t len,
                                dl_error *err)
{
    query *q = malloc(sizeof *q);
    char *room = malloc(len + 1);
    dl_status status;

    if (q == NULL || room == NULL) {
        abort();
    }
    split(q, room, query_text, query_text + len);
    status = put_query(out, q, err);
    free(room);
    free(q);
    return status;
}
