/* dl_base64.c - Base64url both ways.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_base64.h"

#include <stdint.h>

static const char ALPHABET[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t dl_base64_encode(char *out, const void *data, size_t len)
{
    const unsigned char *in = data;
    size_t used = 0;

    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t group = (uint32_t)in[i] << 16;

        if (left > 1) {
            group |= (uint32_t)in[i + 1] << 8;
        }
        if (left > 2) {
            group |= in[i + 2];
        }
        for (size_t k = 0; k < (left > 2 ? 4 : left + 1); k++) {
            out[used++] = ALPHABET[group >> (18 - 6 * k) & 63];
        }
    }
    out[used] = '\0';
    return used;
}

/* The value of each byte as a character, or -1. */
/* clang-format off */
static const signed char VALUES[256] = {
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 62, -1, -1,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, -1, -1, -1, -1, -1, -1,
    -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, -1, -1, -1, -1, 63,
    -1, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
};
/* clang-format on */

static int value_of(char c)
{
    return VALUES[(unsigned char)c];
}

/* Decode the 1 to 3 characters left at TEXT, of which one is too few; return
 * the bytes written, or -1. */
static int decode_rest(unsigned char *out, const char *text, size_t left)
{
    int a = value_of(text[0]);
    int b = left > 1 ? value_of(text[1]) : -1;
    int c = left > 2 ? value_of(text[2]) : 0;

    /* Bits that stand for nothing have to be zero. */
    if ((a | b | c) < 0 || (left == 2 ? (b & 15) : (c & 3)) != 0) {
        return -1;
    }
    out[0] = (unsigned char)(a << 2 | b >> 4);
    if (left == 2) {
        return 1;
    }
    out[1] = (unsigned char)((b & 15) << 4 | c >> 2);
    return 2;
}

bool dl_base64_decode(void *out, size_t *out_len, const char *text, size_t len)
{
    unsigned char *bytes = out;
    size_t whole = len / 4 * 4;
    int rest = 0;

    for (size_t i = 0; i < whole; i += 4) {
        int a = value_of(text[i]);
        int b = value_of(text[i + 1]);
        int c = value_of(text[i + 2]);
        int d = value_of(text[i + 3]);

        if ((a | b | c | d) < 0) {
            return false;
        }
        *bytes++ = (unsigned char)(a << 2 | b >> 4);
        *bytes++ = (unsigned char)((b & 15) << 4 | c >> 2);
        *bytes++ = (unsigned char)((c & 3) << 6 | d);
    }
    if (whole < len) {
        rest = decode_rest(bytes, text + whole, len - whole);
    }
    *out_len = whole / 4 * 3 + (size_t)(rest < 0 ? 0 : rest);
    return rest >= 0;
}
