/* dl_fold.c - Case folding by table, and finding a folded text.
 *
 * A hit begins with a byte that begins a character which folds to the
 * needle's first one; there are few such bytes, so the text is searched for
 * them 16 bytes at a time and compared by code point where one is found.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_fold.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "dl_fold_table.h"
#include "dl_utf8.h"

/* Bytes of a needle, which are at least as many as its code points. */
#define NEEDLE_MAX 1024

/* First bytes that are searched for 16 at a time. */
#define STARTS 4

struct dl_needle {
    uint32_t n;          /* code points */
    uint32_t n_starts;   /* entries of starts */
    uint8_t starts[256]; /* bytes that can begin a hit */
    bool is_start[256];  /* the same by byte */
    uint32_t code[];     /* the folded code points */
};

uint32_t dl_fold(uint32_t code)
{
    uint32_t page = code >> 8;

    if (page >= DL_FOLD_INDEX || dl_fold_index[page] == 0) {
        return code;
    }
    return dl_fold_map[dl_fold_index[page] - 1][code & 255];
}

const char *dl_fold_version(void)
{
    return DL_FOLD_VERSION;
}

/* Set *CODE to the character of valid UTF-8 at TEXT; return its bytes. */
static size_t decode(uint32_t *code, const unsigned char *text)
{
    unsigned char c = text[0];

    if (c < 0x80) {
        *code = c;
        return 1;
    }
    if (c < 0xE0) {
        *code = ((c & 0x1Fu) << 6) | (text[1] & 0x3Fu);
        return 2;
    }
    if (c < 0xF0) {
        *code =
            ((c & 0x0Fu) << 12) | ((text[1] & 0x3Fu) << 6) | (text[2] & 0x3Fu);
        return 3;
    }
    *code = ((c & 0x07u) << 18) | ((text[1] & 0x3Fu) << 12) |
            ((text[2] & 0x3Fu) << 6) | (text[3] & 0x3Fu);
    return 4;
}

/* --- Needles -------------------------------------------------------------- */

/* Note that a hit of NEEDLE can begin with CODE. */
static void add_start(dl_needle *needle, uint32_t code)
{
    char bytes[4];
    uint8_t first;

    dl_utf8_encode(bytes, code);
    first = (uint8_t)bytes[0];
    if (!needle->is_start[first]) {
        needle->is_start[first] = true;
        needle->starts[needle->n_starts++] = first;
    }
}

/* Note all bytes a hit of NEEDLE can begin with. */
static void find_starts(dl_needle *needle)
{
    size_t page;
    uint32_t i;

    add_start(needle, needle->code[0]);
    for (page = 0; page < DL_FOLD_PAGES; page++) {
        for (i = 0; i < 256; i++) {
            if (dl_fold_map[page][i] == needle->code[0]) {
                add_start(needle, dl_fold_first[page] + i);
            }
        }
    }
}

dl_status dl_needle_create(dl_needle **needle, const char *text, size_t len,
                           dl_error *err, apr_pool_t *result_pool)
{
    const unsigned char *bytes = (const unsigned char *)text;
    dl_needle *made;
    size_t at = 0;

    if (len == 0 || len > NEEDLE_MAX) {
        return dl_fail(err, DL_INVALID, 0, "a text has 1 to %d bytes",
                       NEEDLE_MAX);
    }
    made = apr_pcalloc(result_pool, sizeof *made + len * sizeof made->code[0]);
    while (at < len) {
        uint32_t code;
        size_t step = dl_utf8_check(bytes + at, len - at);

        if (step == 0) {
            return dl_fail(err, DL_INVALID, 0, "the text is not UTF-8");
        }
        decode(&code, bytes + at);
        made->code[made->n++] = dl_fold(code);
        at += step;
    }
    find_starts(made);
    *needle = made;
    return DL_OK;
}

/* --- Hits ----------------------------------------------------------------- */

/* Return the bytes that NEEDLE covers at TEXT, of which LEFT are there; 0: it
 * is not there. */
static size_t match(const dl_needle *needle, const unsigned char *text,
                    size_t left)
{
    size_t at = 0;
    uint32_t i;

    for (i = 0; i < needle->n; i++) {
        uint32_t code;
        size_t step;

        if (at >= left) {
            return 0;
        }
        step = decode(&code, text + at);
        if (code != needle->code[i] && dl_fold(code) != needle->code[i]) {
            return 0;
        }
        at += step;
    }
    return at;
}

#ifdef __SSE2__
/* The start I of NEEDLE, or its first one, 16 times. */
static __m128i spread(const dl_needle *needle, uint32_t i)
{
    return _mm_set1_epi8((char)needle->starts[i < needle->n_starts ? i : 0]);
}
#endif

/* Return the first byte of TEXT, from FROM to LEN, that can begin a hit, or
 * LEN. */
static size_t next_start(const dl_needle *needle, const unsigned char *text,
                         size_t len, size_t from)
{
#ifdef __SSE2__
    if (needle->n_starts <= STARTS) {
        const __m128i wanted[STARTS] = {spread(needle, 0), spread(needle, 1),
                                        spread(needle, 2), spread(needle, 3)};

        for (; from + 16 <= len; from += 16) {
            __m128i data = _mm_loadu_si128((const __m128i *)(text + from));
            __m128i found =
                _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(data, wanted[0]),
                                          _mm_cmpeq_epi8(data, wanted[1])),
                             _mm_or_si128(_mm_cmpeq_epi8(data, wanted[2]),
                                          _mm_cmpeq_epi8(data, wanted[3])));
            unsigned mask = (unsigned)_mm_movemask_epi8(found);

            if (mask != 0) {
                return from + (size_t)__builtin_ctz(mask);
            }
        }
    }
#endif
    while (from < len && !needle->is_start[text[from]]) {
        from++;
    }
    return from;
}

bool dl_needle_find(dl_hit *hit, const dl_needle *needle, const char *text,
                    size_t len, size_t from)
{
    const unsigned char *bytes = (const unsigned char *)text;

    while ((from = next_start(needle, bytes, len, from)) < len) {
        size_t n = match(needle, bytes + from, len - from);

        if (n > 0) {
            hit->at = from;
            hit->len = n;
            return true;
        }
        from++;
    }
    return false;
}
