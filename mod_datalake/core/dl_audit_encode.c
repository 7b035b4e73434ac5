/* dl_audit_encode.c - Entries, headers and ends as lines.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "dl_audit.h"

#include <string.h>

#include <openssl/sha.h>
#include <sodium.h>

#include "dl_audit_ascii.h"
#include "dl_utf8.h"

/* Random bytes that a thread fetches at a time. */
#define RANDOM_STORE 2048

/* Bytes of a salt. */
#define SALT (DL_AUDIT_SALT / 2)

/* Names of the texts, in order. */
static const char *const text_name[DL_AUDIT_TEXTS] = {"user", "address",
                                                      "query_params", "body"};

/* The salts of one line, as they stand in it. */
typedef struct salts {
    char text[DL_AUDIT_TEXTS][DL_AUDIT_SALT]; /* hexadecimal digits */
} salts;

/* Append the literal TEXT to the buffer OUT. */
#define PUT(out, text, err)                                                    \
    dl_buf_append((out), (text), sizeof(text) - 1, (err))

static dl_status put(dl_buf *out, const char *text, dl_error *err)
{
    return dl_buf_append(out, text, strlen(text), err);
}

static dl_status put_string(dl_buf *out, const char *text, dl_error *err)
{
    return text == NULL ? PUT(out, "null", err)
                        : dl_audit_ascii_put(out, text, strlen(text), err);
}

static dl_status put_member(dl_buf *out, const char *name, const char *text,
                            dl_error *err)
{
    DL_TRY(put(out, name, err));
    return put_string(out, text, err);
}

static dl_status put_number(dl_buf *out, const char *name, int64_t value,
                            dl_error *err)
{
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    char text[24];
    char *end = text + sizeof text;
    char *at = end;

    do {
        *--at = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (value < 0) {
        *--at = '-';
    }
    DL_TRY(put(out, name, err));
    return dl_buf_append(out, at, (size_t)(end - at), err);
}

/* Fill the LEN bytes at OUT with random ones, of which a thread fetches many
 * at a time: a system call a line costs as much as encoding it. */
static void draw(unsigned char *out, size_t len)
{
    static _Thread_local unsigned char store[RANDOM_STORE];
    static _Thread_local size_t left;

    if (left < len) {
        randombytes_buf(store, sizeof store);
        left = sizeof store;
    }
    left -= len;
    memcpy(out, store + left, len);
    sodium_memzero(store + left, len);
}

static void make_salts(salts *made)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[DL_AUDIT_TEXTS * SALT];
    char *at = made->text[0];

    draw(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        *at++ = digits[bytes[i] >> 4];
        *at++ = digits[bytes[i] & 15];
    }
}

/* Add to SUM the text that dl_audit_ascii_put makes of LEN bytes at TEXT. */
static void hash_text(SHA256_CTX *sum, const char *text, size_t len)
{
    const unsigned char *at = (const unsigned char *)text;
    const unsigned char *end = at + len;
    const unsigned char *from = at;

    while (at < end) {
        size_t used = *at < 0x80 ? 1 : dl_utf8_check(at, (size_t)(end - at));

        if (used == 0) {
            SHA256_Update(sum, from, (size_t)(at - from));
            SHA256_Update(sum, "\xef\xbf\xbd", 3);
            from = ++at;
        }
        else {
            at += used;
        }
    }
    SHA256_Update(sum, from, (size_t)(at - from));
}

/* Append the hash of TEXT under SALT (its digits) as a member's value. */
static dl_status put_hash(dl_buf *out, const dl_audit_text *text,
                          const char *salt, dl_error *err)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    char hex[2 * DL_AUDIT_VALUE + 2];
    SHA256_CTX sum;

    if (text->text == NULL) {
        return PUT(out, "null", err);
    }
    SHA256_Init(&sum);
    SHA256_Update(&sum, salt, (size_t)(DL_AUDIT_SALT));
    hash_text(&sum, text->text, text->len);
    SHA256_Final(digest, &sum);
    hex[0] = hex[sizeof hex - 1] = '"';
    dl_audit_hex(hex + 1, digest);
    return dl_buf_append(out, hex, sizeof hex, err);
}

/* Append what can never be changed. */
static dl_status put_sealed(dl_buf *out, const dl_audit_entry *entry,
                            const salts *with, dl_error *err)
{
    char time[DL_TIME_TEXT];

    dl_time_format(time, entry->timestamp);
    DL_TRY(put_member(out, "{\"timestamp\":", time, err));
    if (entry->user_id > 0) {
        DL_TRY(put_number(out, ",\"user_id\":", entry->user_id, err));
    }
    else {
        DL_TRY(PUT(out, ",\"user_id\":null", err));
    }
    DL_TRY(put_member(out, ",\"method\":", entry->method, err));
    DL_TRY(put_member(out, ",\"endpoint\":", entry->endpoint, err));
    DL_TRY(put_member(out, ",\"resource\":", entry->resource, err));
    DL_TRY(put_member(out, ",\"action\":", entry->action, err));
    DL_TRY(put_number(out, ",\"status\":", entry->status, err));
    DL_TRY(put_number(out, ",\"bytes\":", entry->bytes, err));
    DL_TRY(put_number(out, ",\"duration_ms\":", entry->duration_ms, err));
    DL_TRY(put_member(out, ",\"request_id\":", entry->request_id, err));
    for (int i = 0; i < DL_AUDIT_TEXTS; i++) {
        DL_TRY(PUT(out, ",\"", err));
        DL_TRY(put(out, text_name[i], err));
        DL_TRY(PUT(out, "_sha256\":", err));
        DL_TRY(put_hash(out, &entry->text[i], with->text[i], err));
    }
    return DL_OK;
}

/* Append room for the chain's digits. */
static dl_status put_room(dl_buf *out, dl_error *err)
{
    char room[2 * DL_AUDIT_VALUE];

    memset(room, '0', sizeof room);
    DL_TRY(PUT(out, ",\"chain\":\"", err));
    DL_TRY(dl_buf_append(out, room, sizeof room, err));
    return PUT(out, "\"", err);
}

dl_status dl_audit_open_encode(dl_buf *out,
                               const dl_audit_text text[DL_AUDIT_TEXTS],
                               const char *const salt[DL_AUDIT_TEXTS],
                               dl_error *err)
{
    const char *before = "\"";

    DL_TRY(PUT(out, ",\"open\":{", err));
    for (int i = 0; i < DL_AUDIT_TEXTS; i++) {
        if (text[i].text == NULL) {
            continue;
        }
        DL_TRY(put(out, before, err));
        DL_TRY(put(out, text_name[i], err));
        DL_TRY(PUT(out, "\":{\"salt\":\"", err));
        DL_TRY(dl_buf_append(out, salt[i], DL_AUDIT_SALT, err));
        DL_TRY(PUT(out, "\",\"value\":", err));
        DL_TRY(dl_audit_ascii_put(out, text[i].text, text[i].len, err));
        DL_TRY(PUT(out, "}", err));
        before = ",\"";
    }
    return PUT(out, "}}\n", err);
}

static dl_status put_entry(dl_buf *out, size_t *sealed,
                           const dl_audit_entry *entry, dl_error *err)
{
    const char *salt[DL_AUDIT_TEXTS];
    size_t begin = out->len;
    salts with = {{{0}}};

    make_salts(&with);
    for (int i = 0; i < DL_AUDIT_TEXTS; i++) {
        salt[i] = with.text[i];
    }
    DL_TRY(put_sealed(out, entry, &with, err));
    *sealed = out->len - begin;
    DL_TRY(put_room(out, err));
    DL_TRY(dl_audit_open_encode(out, entry->text, salt, err));
    if (out->len - begin > DL_AUDIT_LINE_MAX) {
        return dl_fail(err, DL_LIMIT, 0,
                       "an audit line may have at most %d bytes",
                       DL_AUDIT_LINE_MAX);
    }
    return DL_OK;
}

dl_status dl_audit_encode(dl_buf *out, size_t *sealed,
                          const dl_audit_entry *entry, dl_error *err)
{
    size_t begin = out->len;
    dl_status status = put_entry(out, sealed, entry, err);

    if (status != DL_OK) {
        out->len = begin;
    }
    return status;
}

/* --- Headers, ends and cuts ------------------------------------------------ */

/* Append what stands behind the sealed part, which began at BEGIN. */
static dl_status put_rest(dl_buf *out, size_t *sealed, size_t begin,
                          dl_error *err)
{
    *sealed = out->len - begin;
    DL_TRY(put_room(out, err));
    return PUT(out, "}\n", err);
}

static dl_status put_time(dl_buf *out, dl_time at, dl_error *err)
{
    char time[DL_TIME_TEXT];

    dl_time_format(time, at);
    return put_member(out, ",\"at\":", time, err);
}

dl_status dl_audit_header_encode(dl_buf *out, size_t *sealed,
                                 const dl_audit_header *header, dl_error *err)
{
    size_t begin = out->len;
    char hex[2 * DL_AUDIT_VALUE + 1] = "";

    dl_audit_hex(hex, header->previous);
    DL_TRY(put_member(out, "{\"audit\":1,\"id\":", header->name, err));
    DL_TRY(put_number(out, ",\"file\":", header->file, err));
    DL_TRY(put_number(out, ",\"lines\":", header->lines, err));
    DL_TRY(put_member(out, ",\"previous\":", hex, err));
    DL_TRY(put_time(out, header->at, err));
    return put_rest(out, sealed, begin, err);
}

dl_status dl_audit_end_encode(dl_buf *out, size_t *sealed, const char *reason,
                              int64_t cut, dl_time at, dl_error *err)
{
    size_t begin = out->len;

    DL_TRY(put_member(out, "{\"end\":", reason, err));
    DL_TRY(put_number(out, ",\"cut\":", cut, err));
    DL_TRY(put_time(out, at, err));
    return put_rest(out, sealed, begin, err);
}

dl_status dl_audit_cut_encode(dl_buf *out, size_t *sealed,
                              const dl_audit_cut *cut, dl_error *err)
{
    size_t begin = out->len;
    char hex[2 * DL_AUDIT_VALUE + 1] = "";
    char newest[DL_TIME_TEXT];

    dl_audit_hex(hex, cut->value);
    dl_time_format(newest, cut->newest);
    DL_TRY(put_number(out, "{\"removed\":", cut->file, err));
    DL_TRY(put_member(out, ",\"id\":", cut->name, err));
    DL_TRY(put_number(out, ",\"lines\":", cut->lines, err));
    DL_TRY(put_member(out, ",\"value\":", hex, err));
    DL_TRY(put_member(out, ",\"newest\":", newest, err));
    DL_TRY(put_member(out, ",\"end\":", cut->end, err));
    DL_TRY(put_time(out, dl_time_now(), err));
    return put_rest(out, sealed, begin, err);
}
