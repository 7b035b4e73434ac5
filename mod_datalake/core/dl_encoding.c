/* dl_encoding.c - Text of older encodings as UTF-8.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_encoding.h"

#include <stdint.h>
#include <strings.h>

#include "dl_utf8.h"

/* What Windows-1252 has at 0x80 to 0x9F. */
static const uint16_t windows[32] = {
    0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
    0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x008D, 0x017D, 0x008F,
    0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
    0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178};

bool dl_encoding_find(dl_encoding *encoding, const char *name)
{
    static const char *const names[] = {"utf-8", "iso-8859-1", "windows-1252"};

    for (int i = 0; i < 3; i++) {
        if (strcasecmp(name, names[i]) == 0) {
            *encoding = (dl_encoding)i;
            return true;
        }
    }
    return false;
}

dl_status dl_encoding_decode(dl_buf *out, dl_encoding encoding,
                             const char *text, size_t len, dl_error *err)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t i = 0;

    if (encoding == DL_ENCODING_UTF8) {
        return dl_buf_append(out, text, len, err);
    }
    while (i < len) {
        size_t plain = i;
        uint32_t code;

        while (plain < len && p[plain] < 0x80) {
            plain++;
        }
        DL_TRY(dl_buf_append(out, text + i, plain - i, err));
        i = plain;
        if (i == len) {
            break;
        }
        code = p[i++];
        if (encoding == DL_ENCODING_WINDOWS_1252 && code < 0xA0) {
            code = windows[code - 0x80];
        }
        DL_TRY(dl_buf_reserve(out, 4, err));
        out->len += dl_utf8_encode(out->data + out->len, code);
    }
    return DL_OK;
}
