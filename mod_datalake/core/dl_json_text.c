/* dl_json_text.c - The characters a string in a checked line stands for.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_json.h"

#include <string.h>

#include "dl_utf8.h"

/* The value of the four hexadecimal digits at S, which are there. */
static uint32_t hex(const char *s)
{
    uint32_t sum = 0;

    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)s[i];

        sum = sum << 4 | (c <= '9' ? c - (uint32_t)'0' : (c & 0xFu) + 9);
    }
    return sum;
}

/* Write the character of the \u escape or pair at S to OUT; set *USED to the
 * bytes of the escape. */
static size_t unescape_unicode(char *out, size_t *used, const char *s)
{
    uint32_t code = hex(s + 2);

    *used = 6;
    if (code >= 0xD800 && code < 0xDC00) {
        code = 0x10000 + ((code - 0xD800) << 10) + (hex(s + 8) - 0xDC00);
        *used = 12;
    }
    return dl_utf8_encode(out, code);
}

static char unescape_letter(char c)
{
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return c;
    }
}

size_t dl_json_unescape(char *out, dl_json_slice slice)
{
    const char *s = slice.text;
    const char *end = s + slice.len;
    char *first = out;

    while (s < end) {
        const char *stop = memchr(s, '\\', (size_t)(end - s));
        size_t used = 2;

        stop = stop == NULL ? end : stop;
        memmove(out, s, (size_t)(stop - s));
        out += stop - s;
        s = stop;
        if (s == end) {
            break;
        }
        if (s[1] == 'u') {
            out += unescape_unicode(out, &used, s);
        }
        else {
            *out++ = unescape_letter(s[1]);
        }
        s += used;
    }
    return (size_t)(out - first);
}

size_t dl_json_count_chars(const char *text, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        n += ((unsigned char)text[i] & 0xC0) != 0x80 ? 1 : 0;
    }
    return n;
}

const char *dl_json_kind_name(dl_json_kind kind)
{
    static const char *const names[] = {"nothing",   "null",     "false",
                                        "true",      "a number", "a string",
                                        "an object", "an array"};

    return (unsigned)kind < sizeof names / sizeof names[0] ? names[kind]
                                                           : "unknown";
}

size_t dl_json_decode_unicode(char *out, const char *text, size_t len)
{
    const char *end = text + len;
    char *first = out;

    while (text < end) {
        size_t used = 1;

        if (*text != '\\') {
            *out++ = *text;
        }
        else if (text[1] == 'u') {
            out += unescape_unicode(out, &used, text);
        }
        else {
            used = 2;
            *out++ = text[0];
            *out++ = text[1];
        }
        text += used;
    }
    return (size_t)(out - first);
}
