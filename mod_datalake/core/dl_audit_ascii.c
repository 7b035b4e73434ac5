/* dl_audit_ascii.c - Escaping whatever is not printable ASCII.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_audit_ascii.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "dl_utf8.h"

static bool is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

/* Return the first byte from AT to END that is not plain, or END.  Bytes are
 * looked at in words of 8: of each, bit 7 of DIFFERS gets set when it is below
 * 0x20, above 0x7e, a quote or a backslash (or stands above one of those). */
static const unsigned char *skip_plain(const unsigned char *at,
                                       const unsigned char *end)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);

    while (end - at >= (ptrdiff_t)sizeof ones) {
        uint64_t word;
        uint64_t differs;

        memcpy(&word, at, sizeof word);
        differs = (word - ones * 0x20) | (word + ones) |
                  ((word ^ ones * '"') - ones) | ((word ^ ones * '\\') - ones) |
                  word;
        if ((differs & ones * 0x80) != 0) {
            break;
        }
        at += sizeof word;
    }
    while (at < end && is_plain(*at)) {
        at++;
    }
    return at;
}

/* Append the 16 bits of UNIT as an escape. */
static dl_status put_unit(dl_buf *out, uint32_t unit, dl_error *err)
{
    static const char digits[] = "0123456789abcdef";
    char text[6] = {'\\', 'u'};

    for (int i = 0; i < 4; i++) {
        text[2 + i] = digits[(unit >> (12 - 4 * i)) & 15];
    }
    return dl_buf_append(out, text, sizeof text, err);
}

/* The character of the LEN checked bytes at TEXT. */
static uint32_t decode(const unsigned char *text, size_t len)
{
    uint32_t code = len == 1 ? text[0] : text[0] & (0x7fu >> len);

    for (size_t i = 1; i < len; i++) {
        code = code << 6 | (text[i] & 0x3fu);
    }
    return code;
}

/* Append the character at TEXT, which is not plain and of which LEFT bytes
 * are there; set *USED to its bytes. */
static dl_status put_special(dl_buf *out, size_t *used,
                             const unsigned char *text, size_t left,
                             dl_error *err)
{
    uint32_t code = 0xfffd;

    if (*text == '"' || *text == '\\') {
        char escape[2] = {'\\', (char)*text};

        *used = 1;
        return dl_buf_append(out, escape, sizeof escape, err);
    }
    *used = dl_utf8_check(text, left);
    if (*used == 0) {
        *used = 1;
    }
    else {
        code = decode(text, *used);
    }
    if (code > 0xffff) {
        DL_TRY(put_unit(out, 0xd800 + ((code - 0x10000) >> 10), err));
        code = 0xdc00 + ((code - 0x10000) & 0x3ff);
    }
    return put_unit(out, code, err);
}

dl_status dl_audit_ascii_put(dl_buf *out, const char *text, size_t len,
                             dl_error *err)
{
    const unsigned char *at = (const unsigned char *)text;
    const unsigned char *end = at + len;

    DL_TRY(dl_buf_append(out, "\"", 1, err));
    while (at < end) {
        const unsigned char *plain = at;
        size_t used;

        at = skip_plain(at, end);
        DL_TRY(dl_buf_append(out, plain, (size_t)(at - plain), err));
        if (at < end) {
            DL_TRY(put_special(out, &used, at, (size_t)(end - at), err));
            at += used;
        }
    }
    return dl_buf_append(out, "\"", 1, err);
}
