/* dl_utf8.c - UTF-8 of RFC 3629, section 4, row by row.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_utf8.h"

#include <string.h>

static int is_tail(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

static size_t check_three(const unsigned char *p, size_t left)
{
    if (left < 3 || !is_tail(p[1]) || !is_tail(p[2])) {
        return 0;
    }
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F)) {
        return 0;
    }
    return 3;
}

static size_t check_four(const unsigned char *p, size_t left)
{
    if (left < 4 || !is_tail(p[1]) || !is_tail(p[2]) || !is_tail(p[3])) {
        return 0;
    }
    if ((p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F)) {
        return 0;
    }
    return 4;
}

size_t dl_utf8_check(const unsigned char *text, size_t left)
{
    unsigned char lead = text[0];

    if (lead < 0x80) {
        return 1;
    }
    if (lead >= 0xC2 && lead < 0xE0) {
        return left >= 2 && is_tail(text[1]) ? 2 : 0;
    }
    if (lead >= 0xE0 && lead < 0xF0) {
        return check_three(text, left);
    }
    if (lead >= 0xF0 && lead < 0xF5) {
        return check_four(text, left);
    }
    return 0;
}

bool dl_utf8_check_text(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t i = 0;

    while (i < len) {
        uint64_t eight;
        size_t width;

        if (len - i >= sizeof eight) {
            memcpy(&eight, p + i, sizeof eight);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                i += sizeof eight;
                continue;
            }
        }
        width = dl_utf8_check(p + i, len - i);
        if (width == 0) {
            return false;
        }
        i += width;
    }
    return true;
}

uint32_t dl_utf8_decode(const unsigned char *text, size_t width)
{
    static const unsigned char first[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t code = text[0] & first[width];

    for (size_t i = 1; i < width; i++) {
        code = code << 6 | (text[i] & 0x3Fu);
    }
    return code;
}

size_t dl_utf8_encode(char out[4], uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}
