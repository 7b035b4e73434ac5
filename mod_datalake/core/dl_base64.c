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

/* The value of character C, or -1. */
static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool dl_base64_decode(void *out, size_t *out_len, const char *text, size_t len)
{
    unsigned char *bytes = out;
    uint32_t bits = 0;
    int have = 0;
    size_t used = 0;

    if (len % 4 == 1) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        int value = value_of(text[i]);

        if (value < 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t)value;
        have += 6;
        if (have >= 8) {
            have -= 8;
            bytes[used++] = (unsigned char)(bits >> have);
            bits &= (1U << have) - 1;
        }
    }
    *out_len = used;
    return bits == 0;
}
