/* dl_audit_decode.c - Lines taken apart again.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "dl_audit.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <openssl/sha.h>

#include "dl_json.h"

#define CHAIN_NAME ",\"chain\":\""

/* --- Lines ---------------------------------------------------------------- */

/* The value of the hexadecimal digit C, or -1: lower case only. */
static int digit_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Read the 64 digits at TEXT into VALUE. */
static bool read_hex(unsigned char value[DL_AUDIT_VALUE], const char *text)
{
    for (size_t i = 0; i < DL_AUDIT_VALUE; i++) {
        int high = digit_value(text[2 * i]);
        int low = digit_value(text[2 * i + 1]);

        if (high < 0 || low < 0) {
            return false;
        }
        value[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

static bool begins(const char *text, size_t len, const char *with)
{
    size_t n = strlen(with);

    return len >= n && memcmp(text, with, n) == 0;
}

static bool is_ascii(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e) {
            return false;
        }
    }
    return true;
}

dl_status dl_audit_line_parse(dl_audit_line *line, const char *text, size_t len,
                              dl_error *err)
{
    size_t name = sizeof CHAIN_NAME - 1;
    const char *chain = memmem(text, len, CHAIN_NAME, name);
    const char *rest;
    size_t left;

    if (chain == NULL || text[0] != '{' || !is_ascii(text, len)) {
        return dl_fail(err, DL_CORRUPT, 0, "no line of an audit log");
    }
    line->text = text;
    line->len = len;
    line->sealed = (size_t)(chain - text);
    left = len - line->sealed - name;
    if (left < 2 * DL_AUDIT_VALUE + 2 || !read_hex(line->value, chain + name)) {
        return dl_fail(err, DL_CORRUPT, 0, "no chain value");
    }
    rest = chain + name + (size_t)(2 * DL_AUDIT_VALUE);
    left -= (size_t)(2 * DL_AUDIT_VALUE);
    line->kind = begins(text, len, "{\"audit\":")     ? DL_AUDIT_HEADER
                 : begins(text, len, "{\"end\":")     ? DL_AUDIT_END
                 : begins(text, len, "{\"removed\":") ? DL_AUDIT_CUT
                                                      : DL_AUDIT_ENTRY;
    if (!(line->kind == DL_AUDIT_ENTRY
              ? begins(rest, left, "\",\"open\":{") && text[len - 1] == '}'
              : left == 2 && begins(rest, left, "\"}"))) {
        return dl_fail(err, DL_CORRUPT, 0, "a wrong end of the line");
    }
    return DL_OK;
}

/* --- Entries -------------------------------------------------------------- */

/* Slots of an entry. */
enum {
    TIMESTAMP,
    USER_ID,
    METHOD,
    ENDPOINT,
    RESOURCE,
    ACTION,
    STATUS,
    BYTES,
    DURATION,
    REQUEST_ID,
    HASHES,
    SALTS = HASHES + DL_AUDIT_TEXTS,
    VALUES = SALTS + DL_AUDIT_TEXTS,
    SLOTS = VALUES + DL_AUDIT_TEXTS
};

static const char *const paths[SLOTS] = {"timestamp",
                                         "user_id",
                                         "method",
                                         "endpoint",
                                         "resource",
                                         "action",
                                         "status",
                                         "bytes",
                                         "duration_ms",
                                         "request_id",
                                         "user_sha256",
                                         "address_sha256",
                                         "query_params_sha256",
                                         "body_sha256",
                                         "open.user.salt",
                                         "open.address.salt",
                                         "open.query_params.salt",
                                         "open.body.salt",
                                         "open.user.value",
                                         "open.address.value",
                                         "open.query_params.value",
                                         "open.body.value"};

static apr_status_t free_memory(void *data)
{
    free(data);
    return APR_SUCCESS;
}

/* Scan LINE for SHAPE into SLOTS, which point into memory of POOL. */
static dl_status scan(dl_json_slice *slots, const dl_json_shape *shape,
                      const dl_audit_line *line, dl_error *err,
                      apr_pool_t *pool)
{
    dl_json_result result;
    char *scratch = malloc(line->len + DL_JSON_SLACK);

    if (scratch == NULL) {
        abort();
    }
    scratch[0] = '\0';
    apr_pool_cleanup_register(pool, scratch, free_memory,
                              apr_pool_cleanup_null);
    if (dl_json_scan(&result, slots, shape, scratch, line->text, line->len) !=
        DL_JSON_FINE) {
        return dl_fail(err, DL_CORRUPT, 0, "no JSON at byte %u: %s",
                       result.offset, result.reason);
    }
    return DL_OK;
}

/* Set TEXT to the characters of SLICE; *TEXT is absent when it is null or not
 * there.  False: it is something else. */
static bool get_text(dl_audit_text *text, const dl_json_slice *slice,
                     apr_pool_t *pool)
{
    char *made;

    *text = (dl_audit_text){.text = NULL};
    if (slice->kind == DL_JSON_ABSENT || slice->kind == DL_JSON_NULL) {
        return true;
    }
    if (slice->kind != DL_JSON_STRING) {
        return false;
    }
    made = apr_palloc(pool, (apr_size_t)slice->len + 1);
    text->len = dl_json_unescape(made, *slice);
    made[text->len] = '\0';
    text->text = made;
    return true;
}

static bool get_string(const char **string, const dl_json_slice *slice,
                       apr_pool_t *pool)
{
    dl_audit_text text;
    bool good = get_text(&text, slice, pool);

    *string = text.text;
    return good;
}

/* A whole number; null is 0. */
static bool get_number(int64_t *number, const dl_json_slice *slice)
{
    int64_t value = 0;

    *number = 0;
    if (slice->kind == DL_JSON_NULL) {
        return true;
    }
    if (slice->kind != DL_JSON_NUMBER || slice->len > 18) {
        return false;
    }
    for (uint32_t i = 0; i < slice->len; i++) {
        if (slice->text[i] < '0' || slice->text[i] > '9') {
            return false;
        }
        value = value * 10 + (slice->text[i] - '0');
    }
    *number = value;
    return true;
}

static bool get_time(dl_time *time, const dl_json_slice *slice)
{
    bool zone_missing;

    return slice->kind == DL_JSON_STRING &&
           dl_time_parse_rfc3339(time, &zone_missing, slice->text,
                                 slice->len) &&
           !zone_missing;
}

/* Whether TEXT under the salt SALT has the hash HASH. */
static bool matches(const dl_audit_text *text, const dl_json_slice *salt,
                    const dl_json_slice *hash)
{
    unsigned char want[DL_AUDIT_VALUE];
    unsigned char got[SHA256_DIGEST_LENGTH];
    SHA256_CTX sum;

    if (text->text == NULL) {
        return salt->kind == DL_JSON_ABSENT;
    }
    if (salt->kind != DL_JSON_STRING || hash->kind != DL_JSON_STRING ||
        hash->len != 2 * DL_AUDIT_VALUE || !read_hex(want, hash->text)) {
        return false;
    }
    SHA256_Init(&sum);
    SHA256_Update(&sum, salt->text, salt->len);
    SHA256_Update(&sum, text->text, text->len);
    SHA256_Final(got, &sum);
    return memcmp(got, want, sizeof got) == 0;
}

dl_status dl_audit_shape_create(const dl_json_shape **shape, dl_error *err,
                                apr_pool_t *result_pool)
{
    return dl_json_shape_create(shape, paths, SLOTS, err, result_pool);
}

/* Whether what stands behind the value of LINE is exactly TEXT under the salts
 * in SLOT: nothing else may hide there. */
static bool is_open_part(const dl_audit_line *line,
                         const dl_audit_text text[DL_AUDIT_TEXTS],
                         const dl_json_slice *slot, apr_pool_t *pool)
{
    size_t begin =
        line->sealed + sizeof CHAIN_NAME - 1 + (size_t)(2 * DL_AUDIT_VALUE) + 1;
    dl_buf *want = dl_buf_create(DL_AUDIT_LINE_MAX, pool);
    const char *salt[DL_AUDIT_TEXTS];

    for (int i = 0; i < DL_AUDIT_TEXTS; i++) {
        salt[i] = slot[SALTS + i].text;
        if (text[i].text != NULL && slot[SALTS + i].len != DL_AUDIT_SALT) {
            return false;
        }
    }
    return dl_audit_open_encode(want, text, salt, NULL) == DL_OK &&
           want->len - 1 == line->len - begin &&
           memcmp(want->data, line->text + begin, want->len - 1) == 0;
}

/* Fill ENTRY with what an erasure leaves alone. */
static bool get_sealed(dl_audit_entry *entry, const dl_json_slice *slot,
                       apr_pool_t *pool)
{
    int64_t status = 0;
    bool good = get_time(&entry->timestamp, &slot[TIMESTAMP]) &&
                get_number(&entry->user_id, &slot[USER_ID]) &&
                get_string(&entry->method, &slot[METHOD], pool) &&
                get_string(&entry->endpoint, &slot[ENDPOINT], pool) &&
                get_string(&entry->resource, &slot[RESOURCE], pool) &&
                get_string(&entry->action, &slot[ACTION], pool) &&
                get_number(&status, &slot[STATUS]) &&
                get_number(&entry->bytes, &slot[BYTES]) &&
                get_number(&entry->duration_ms, &slot[DURATION]) &&
                get_string(&entry->request_id, &slot[REQUEST_ID], pool);

    entry->status = (int)status;
    return good && entry->method != NULL && entry->endpoint != NULL &&
           entry->action != NULL && entry->request_id != NULL;
}

dl_status dl_audit_decode(dl_audit_entry *entry, bool *match,
                          const dl_json_shape *shape, const dl_audit_line *line,
                          dl_error *err, apr_pool_t *result_pool)
{
    dl_json_slice slot[SLOTS];
    bool good;

    DL_TRY(scan(slot, shape, line, err, result_pool));
    good = get_sealed(entry, slot, result_pool);
    *match = true;
    for (int i = 0; good && i < DL_AUDIT_TEXTS; i++) {
        good = get_text(&entry->text[i], &slot[VALUES + i], result_pool);
        *match = *match &&
                 matches(&entry->text[i], &slot[SALTS + i], &slot[HASHES + i]);
    }
    if (!good) {
        return dl_fail(err, DL_CORRUPT, 0,
                       "a member is missing or of the wrong type");
    }
    *match = *match && is_open_part(line, entry->text, slot, result_pool);
    return DL_OK;
}

/* --- Headers -------------------------------------------------------------- */

dl_status dl_audit_header_decode(dl_audit_header *header,
                                 const dl_audit_line *line, dl_error *err,
                                 apr_pool_t *scratch_pool)
{
    static const char *const wanted[] = {"audit", "id",       "file",
                                         "lines", "previous", "at"};
    const dl_json_shape *shape;
    dl_json_slice slot[6];
    int64_t version;

    DL_TRY(dl_json_shape_create(&shape, wanted, 6, err, scratch_pool));
    DL_TRY(scan(slot, shape, line, err, scratch_pool));
    if (!get_number(&version, &slot[0]) || version < 1) {
        return dl_fail(err, DL_CORRUPT, 0, "no version in the header");
    }
    if (version > 1) {
        return dl_fail(err, DL_UNSUPPORTED, 0,
                       "written by a newer program (format %lld)",
                       (long long)version);
    }
    if (slot[1].kind != DL_JSON_STRING || slot[1].len != DL_AUDIT_CHAIN - 1 ||
        !get_number(&header->file, &slot[2]) ||
        !get_number(&header->lines, &slot[3]) ||
        slot[4].kind != DL_JSON_STRING || slot[4].len != 2 * DL_AUDIT_VALUE ||
        !read_hex(header->previous, slot[4].text) ||
        !get_time(&header->at, &slot[5])) {
        return dl_fail(err, DL_CORRUPT, 0, "a damaged header");
    }
    memcpy(header->name, slot[1].text, DL_AUDIT_CHAIN - 1);
    header->name[DL_AUDIT_CHAIN - 1] = '\0';
    return DL_OK;
}

/* --- Cuts ----------------------------------------------------------------- */

/* Copy the string SLICE to the SIZE bytes at TO. */
static bool copy_string(char *to, size_t size, const dl_json_slice *slice)
{
    if (slice->kind != DL_JSON_STRING || slice->len >= size) {
        return false;
    }
    memcpy(to, slice->text, slice->len);
    to[slice->len] = '\0';
    return true;
}

dl_status dl_audit_cut_decode(dl_audit_cut *cut, const dl_audit_line *line,
                              dl_error *err, apr_pool_t *scratch_pool)
{
    static const char *const wanted[] = {"removed", "id",     "lines",
                                         "value",   "newest", "end"};
    const dl_json_shape *shape;
    dl_json_slice slot[6];

    *cut = (dl_audit_cut){.file = 0};
    DL_TRY(dl_json_shape_create(&shape, wanted, 6, err, scratch_pool));
    DL_TRY(scan(slot, shape, line, err, scratch_pool));
    if (!get_number(&cut->file, &slot[0]) || cut->file < 1 ||
        slot[1].len != DL_AUDIT_CHAIN - 1 ||
        !copy_string(cut->name, sizeof cut->name, &slot[1]) ||
        !get_number(&cut->lines, &slot[2]) || slot[3].kind != DL_JSON_STRING ||
        slot[3].len != 2 * DL_AUDIT_VALUE ||
        !read_hex(cut->value, slot[3].text) ||
        !get_time(&cut->newest, &slot[4]) ||
        !copy_string(cut->end, sizeof cut->end, &slot[5])) {
        return dl_fail(err, DL_CORRUPT, 0, "a damaged cut");
    }
    return DL_OK;
}
