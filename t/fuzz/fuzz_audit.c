/* fuzz_audit.c - Audit lines: what goes in comes out, on one line of valid
 * JSON, without its secrets.
 *
 * The first byte chooses: '0' a line as it is read, '1' texts of an entry,
 * '2' a JSON body, '3' a form, '4' a query.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include <apr_strings.h>

#include "dl_audit.h"
#include "dl_audit_redact.h"
#include "dl_json_values.h"

#define SECRET "S3CR3T-C4N4RY"

const char *const fuzz_seeds[] = {
    "0{\"id\":1}",
    "1alice\n127.0.0.1\r\x1b[2J\xE2\x80\xA8\" OR 1=1",
    "2{\"username\":\"a\",\"password\":\"" SECRET "\"}",
    "2{\"a\":[{\"Access-Token\":{\"b\":\"" SECRET "\"}}]}",
    "3username=a&password=" SECRET "&token=" SECRET,
    "4date=2026-01-01&token=" SECRET "&x=1&x=2",
    "4token%00a=1&token%00=2",
    NULL};

const char *const fuzz_words[] = {
    "\n",           "\r",   "\"",        "\\", "\xFF",
    "\xE2\x80\xA8", "\x1b", "password=", "&",  "%26",
    "%74",          "{",    "}",         ",",  "\"token\":",
    "\\u0070",      "***",  "\\ud83d",   NULL};

/* Of an entry's members; made once, as a program does. */
static const struct dl_json_shape *shape;

static void make_shape(void)
{
    static apr_pool_t *pool;
    dl_error err = {0};

    fuzz_check(apr_pool_create(&pool, NULL) == APR_SUCCESS &&
                   dl_audit_shape_create(&shape, &err, pool) == DL_OK,
               "the shape of an entry is right");
}

/* The LEN bytes at LINE are one line of valid JSON. */
static void check_line(const char *line, size_t len, apr_pool_t *pool)
{
    dl_json_values all;

    fuzz_check(memchr(line, '\n', len) == NULL &&
                   memchr(line, '\r', len) == NULL &&
                   memchr(line, '\0', len) == NULL,
               "an entry is one line");
    /* Names that are no UTF-8 may look alike. */
    fuzz_check(dl_json_values_read(&all, line, len, pool) == DL_JSON_FINE ||
                   strcmp(all.reason, "a member name comes twice") == 0,
               "and valid JSON");
}

/* An entry whose texts are the LEN bytes at TEXT comes back. */
static void try_entry(const char *text, size_t len, apr_pool_t *pool)
{
    dl_audit_entry entry = {.timestamp = 1779096600000000,
                            .user_id = 7,
                            .method = "GET",
                            .endpoint = apr_pstrmemdup(pool, text, len),
                            .resource = "transaction_log",
                            .action = "read",
                            .request_id = "0123456789abcdef0123456789abcdef",
                            .status = 200};
    dl_audit_entry again = {.user_id = 0};
    dl_audit_line line;
    dl_error err = {0};
    dl_buf *buf = dl_buf_create(DL_AUDIT_LINE_MAX + 1, pool);
    size_t sealed;
    bool match = false;

    entry.text[DL_AUDIT_USER] = (dl_audit_text){text, len};
    entry.text[DL_AUDIT_ADDRESS] = (dl_audit_text){"::1", 3};
    entry.text[DL_AUDIT_BODY] = (dl_audit_text){text, len};
    if (dl_audit_encode(buf, &sealed, &entry, &err) != DL_OK) {
        return;
    }
    fuzz_check(buf->len > 0 && buf->data[buf->len - 1] == '\n',
               "a line has its end");
    check_line(buf->data, buf->len - 1, pool);
    fuzz_check(dl_audit_line_parse(&line, buf->data, buf->len - 1, &err) ==
                       DL_OK &&
                   line.kind == DL_AUDIT_ENTRY && line.sealed == sealed &&
                   dl_audit_decode(&again, &match, shape, &line, &err, pool) ==
                       DL_OK &&
                   match,
               "it is read again and matches its hashes");
    fuzz_check(again.user_id == 7 && again.status == 200 &&
                   again.text[DL_AUDIT_USER].text != NULL &&
                   again.text[DL_AUDIT_QUERY_PARAMS].text == NULL,
               "with what it said");
}

static void try_line(const char *text, size_t len, apr_pool_t *pool)
{
    dl_audit_line line;
    dl_audit_entry entry;
    dl_audit_header header;
    dl_audit_cut cut;
    dl_error err = {0};
    bool match;
    dl_status status = dl_audit_line_parse(&line, text, len, &err);

    if (status == DL_OK && line.kind == DL_AUDIT_ENTRY) {
        status = dl_audit_decode(&entry, &match, shape, &line, &err, pool);
    }
    else if (status == DL_OK && line.kind == DL_AUDIT_HEADER) {
        status = dl_audit_header_decode(&header, &line, &err, pool);
    }
    else if (status == DL_OK && line.kind == DL_AUDIT_CUT) {
        status = dl_audit_cut_decode(&cut, &line, &err, pool);
    }
    fuzz_check(status == DL_OK || err.text[0] != '\0', "a bad line has words");
}

/* A seed, undamaged, has the canary as the value of a secret name alone:
 * nothing of it may be left. */
static void check_secret(const unsigned char *data, size_t len,
                         const dl_buf *out)
{
    for (int i = 2; fuzz_seeds[i] != NULL; i++) {
        if (strlen(fuzz_seeds[i]) == len &&
            memcmp(fuzz_seeds[i], data, len) == 0) {
            fuzz_check(out->len < sizeof SECRET ||
                           memmem(out->data, out->len, SECRET,
                                  sizeof SECRET - 1) == NULL,
                       "a secret is not kept");
        }
    }
}

void fuzz_one(const unsigned char *data, size_t len, apr_pool_t *pool)
{
    static const dl_audit_media media[] = {DL_AUDIT_JSON, DL_AUDIT_FORM};
    const char *text = (const char *)data + 1;
    dl_error err = {0};
    dl_audit_body body;
    dl_buf *out;

    if (shape == NULL) {
        make_shape();
    }
    if (len-- < 1) {
        return;
    }
    out = dl_buf_create(1 << 20, pool);
    switch (data[0]) {
    case '0':
        try_line(text, len, pool);
        break;
    case '1':
        try_entry(text, len, pool);
        break;
    case '2':
    case '3':
        body = (dl_audit_body){
            .text = text, .len = len, .media = media[data[0] - '2']};
        fuzz_check(dl_audit_redact_body(out, &body, &err, pool) == DL_OK,
                   "there is room for a body");
        fuzz_check(out->len <= DL_AUDIT_BODY_MAX, "which is cut");
        check_secret(data, len + 1, out);
        break;
    case '4':
        fuzz_check(dl_audit_redact_query(out, text, len, &err) == DL_OK,
                   "there is room for a query");
        check_line(out->data, out->len, pool);
        check_secret(data, len + 1, out);
        break;
    default:
        break;
    }
}
