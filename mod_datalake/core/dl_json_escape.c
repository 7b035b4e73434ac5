/* dl_json_escape.c - Inside strings: escapes and characters past ASCII.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_json_scan.h"

#include <stdbool.h>

#include "dl_utf8.h"

const unsigned char *dl_json_fail(dl_json_scanner *s, const unsigned char *p,
                                  dl_json_fault fault, const char *reason)
{
    s->fault = fault;
    s->reason = reason;
    s->at = p;
    return NULL;
}

const unsigned char *dl_json_fail_syntax(dl_json_scanner *s,
                                         const unsigned char *p,
                                         const char *reason)
{
    if (p == s->end) {
        return dl_json_fail(s, p, DL_JSON_SYNTAX, "the text ends too early");
    }
    if (dl_utf8_check(p, (size_t)(s->end - p)) == 0) {
        return dl_json_fail(s, p, DL_JSON_ENCODING, "a byte that is not UTF-8");
    }
    return dl_json_fail(s, p, DL_JSON_SYNTAX, reason);
}

/* Whether an escaped CODE stays escaped (the rule of dl_json.h). */
static bool stays_escaped(uint32_t code)
{
    static const struct {
        uint32_t first, last; /* a range, both ends in it */
    } hidden[] = {
        {0x0000, 0x001F}, {0x0022, 0x0022}, {0x005C, 0x005C}, {0x007F, 0x009F},
        {0x00AD, 0x00AD}, {0x200B, 0x200F}, {0x2028, 0x202E}, {0x2060, 0x206F},
        {0xFDD0, 0xFDEF}, {0xFEFF, 0xFEFF}, {0xFFF0, 0xFFFB},
    };

    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
        if (code >= hidden[i].first && code <= hidden[i].last) {
            return true;
        }
    }
    return (code & 0xFFFE) == 0xFFFE;
}

/* Set *CODE to the four hexadecimal digits at P. */
static bool get_hex(uint32_t *code, const unsigned char *p,
                    const unsigned char *end)
{
    uint32_t sum = 0;

    if (end - p < 4) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        unsigned lower = p[i] | 0x20u;

        if (p[i] >= '0' && p[i] <= '9') {
            sum = sum << 4 | (p[i] - (unsigned)'0');
        }
        else if (lower >= 'a' && lower <= 'f') {
            sum = sum << 4 | (lower - 'a' + 10);
        }
        else {
            return false;
        }
    }
    *code = sum;
    return true;
}

/* Set *CODE and *WIDTH to the character and the bytes of the \u escape at P
 * (or of the pair of them); WIDTH 0: no escape, 1: a lone surrogate. */
static void get_unicode(uint32_t *code, size_t *width, const unsigned char *p,
                        const unsigned char *end)
{
    uint32_t low;

    *width = 0;
    if (!get_hex(code, p + 2, end)) {
        return;
    }
    *width = 6;
    if (*code < 0xD800 || *code > 0xDFFF) {
        return;
    }
    *width = 1;
    if (*code < 0xDC00 && end - p >= 12 && p[6] == '\\' && p[7] == 'u' &&
        get_hex(&low, p + 8, end) && low >= 0xDC00 && low <= 0xDFFF) {
        *code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
        *width = 12;
    }
}

/* Read the \u escape at P. */
static const unsigned char *
scan_unicode(dl_json_scanner *s, const unsigned char *p, uint8_t *escaped)
{
    uint32_t code = 0;
    size_t width;

    get_unicode(&code, &width, p, s->end);
    if (width == 0) {
        return dl_json_fail(s, p, DL_JSON_SYNTAX,
                            "an escape without four hexadecimal digits");
    }
    if (width == 1) {
        return dl_json_fail(s, p, DL_JSON_ENCODING,
                            "an escaped lone surrogate");
    }
    if (stays_escaped(code)) {
        *escaped = 1;
    }
    else {
        dl_json_copy(s, p);
        s->copied += dl_utf8_encode(s->scratch + s->copied, code);
        s->pending = p + width;
    }
    return p + width;
}

/* Read the escape at P. */
static const unsigned char *
scan_escape(dl_json_scanner *s, const unsigned char *p, uint8_t *escaped)
{
    if (s->end - p < 2) {
        return dl_json_fail_syntax(s, s->end, "");
    }
    switch (p[1]) {
    case 'u':
        return scan_unicode(s, p, escaped);
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        *escaped = 1;
        return p + 2;
    default:
        return dl_json_fail(s, p, DL_JSON_SYNTAX, "an unknown escape");
    }
}

/* Read the characters past ASCII at P. */
static const unsigned char *scan_wide(dl_json_scanner *s,
                                      const unsigned char *p)
{
    while (p < s->end && *p >= 0x80) {
        size_t width = dl_utf8_check(p, (size_t)(s->end - p));

        if (width == 0) {
            return dl_json_fail(s, p, DL_JSON_ENCODING,
                                "a byte that is not UTF-8");
        }
        p += width;
    }
    return p;
}

const unsigned char *dl_json_scan_special(dl_json_scanner *s,
                                          const unsigned char *p,
                                          uint8_t *escaped)
{
    if (p == s->end) {
        return dl_json_fail_syntax(s, p, "");
    }
    if (*p == '\\') {
        return scan_escape(s, p, escaped);
    }
    if (*p >= 0x80) {
        return scan_wide(s, p);
    }
    return dl_json_fail_syntax(s, p, "a control character in a string");
}
