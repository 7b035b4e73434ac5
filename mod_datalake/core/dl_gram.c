/* dl_gram.c - Folding lines fast, and the rows of their grams.
 *
 * Sixteen bytes of ASCII without a backslash, which is nearly all of most
 * lines, are folded at once; eight grams are multiplied at once where the
 * processor can.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_gram.h"

#include <endian.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "dl_fold.h"
#include "dl_utf8.h"

/* Bytes looked at at once. */
#define WIDE 16

/* The row of a gram is the top of its product with this. */
#define FACTOR 0x9E3779B1u
#define SHIFT  17

/* Folding one byte more than doubles nothing: two bytes become three at most,
 * six of an escape three. */
size_t dl_gram_room(size_t len)
{
    return len + len / 2 + 2 * (size_t)WIDE;
}

/* Return the row of the gram at TEXT. */
static inline uint32_t row_of(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    uint32_t gram = (uint32_t)p[0] | (uint32_t)p[1] << 8 |
                    (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;

    return gram * FACTOR >> SHIFT;
}

/* Return the ASCII character C in lower case. */
static inline char lower(char c)
{
    bool upper = c >= 'A' && c <= 'Z';

    return (char)((unsigned char)c | (upper ? 0x20u : 0u));
}

/* --- Folding --------------------------------------------------------------- */

/* Fold the WIDE bytes at TEXT to OUT as ASCII; return how many of them are
 * that, up to the first backslash. */
static inline unsigned fold_wide(char *out, const char *text)
{
#if defined(__x86_64__)
    __m128i x = _mm_loadu_si128((const __m128i_u *)text);
    __m128i upper = _mm_and_si128(_mm_cmpgt_epi8(x, _mm_set1_epi8('A' - 1)),
                                  _mm_cmplt_epi8(x, _mm_set1_epi8('Z' + 1)));
    __m128i slash = _mm_cmpeq_epi8(x, _mm_set1_epi8('\\'));
    unsigned other = (unsigned)_mm_movemask_epi8(_mm_or_si128(x, slash));

    upper = _mm_and_si128(upper, _mm_set1_epi8(0x20));
    _mm_storeu_si128((__m128i_u *)out, _mm_or_si128(x, upper));
    return (unsigned)__builtin_ctz(other | 1u << WIDE);
#else
    unsigned n = 0;

    while (n < WIDE && (unsigned char)text[n] < 0x80 && text[n] != '\\') {
        out[n] = lower(text[n]);
        n++;
    }
    return n;
#endif
}

/* Set *VALUE to the four hexadecimal digits at TEXT. */
static bool read_hex(uint32_t *value, const char *text)
{
    *value = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)text[i];
        uint32_t digit = c <= '9' ? c - (uint32_t)'0' : (c | 0x20u) - 'a' + 10;

        if (digit > 15 || (c > '9' && (c | 0x20u) < 'a')) {
            return false;
        }
        *value = *value << 4 | digit;
    }
    return true;
}

/* Set *CODE to the character of the \u escape or pair at TEXT, of which LEFT
 * bytes are there; return its bytes, 0: it is none. */
static size_t read_escape(uint32_t *code, const char *text, size_t left)
{
    uint32_t low;

    if (left < 6 || !read_hex(code, text + 2)) {
        return 0;
    }
    if (*code < 0xD800 || *code > 0xDFFF) {
        return 6;
    }
    if (*code > 0xDBFF || left < 12 || text[6] != '\\' || text[7] != 'u' ||
        !read_hex(&low, text + 8) || low < 0xDC00 || low > 0xDFFF) {
        return 0;
    }
    *code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
    return 12;
}

/* Set *CODE to the character of more than one byte at TEXT; return its bytes,
 * 0: it is none. */
static size_t read_character(uint32_t *code, const char *text, size_t left)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t n = dl_utf8_check(p, left);

    if (n == 0) {
        return 0;
    }
    *code = p[0] & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        *code = *code << 6 | (p[i] & 0x3Fu);
    }
    return n;
}

/* Fold what begins at TEXT, of which LEFT bytes are there, to *OUT and move
 * that on; return the bytes it has.  With ESCAPES those of JSON count. */
static size_t fold_one(char **out, const char *text, size_t left, bool escapes)
{
    unsigned char c = (unsigned char)text[0];
    uint32_t code = 0;
    size_t used = 0;

    if (c >= 0x80) {
        used = read_character(&code, text, left);
    }
    else if (escapes && c == '\\' && left > 1) {
        if (text[1] != 'u') {
            *(*out)++ = text[0];
            text++;
            c = (unsigned char)text[0];
            if (c >= 0x80) {
                return 1;
            }
            *(*out)++ = lower((char)c);
            return 2;
        }
        used = read_escape(&code, text, left);
    }
    if (used == 0) {
        *(*out)++ = lower((char)c);
        return 1;
    }
    *out += dl_utf8_encode(*out, dl_fold(code));
    return used;
}

size_t dl_gram_fold(char *out, const char *line, size_t len)
{
    const char *end = line + len;
    char *first = out;

    while (end - line >= WIDE) {
        unsigned n = fold_wide(out, line);

        if (n == WIDE) { /* a guess, where a sum would have to wait */
            line += WIDE;
            out += WIDE;
            continue;
        }
        line += n;
        out += n;
        line += fold_one(&out, line, (size_t)(end - line), true);
    }
    while (line < end) {
        line += fold_one(&out, line, (size_t)(end - line), true);
    }
    return (size_t)(out - first);
}

/* --- Rows ------------------------------------------------------------------ */

/* Mark the grams at TEXT from the first on; return how many were. */
typedef size_t mark_function(uint8_t marks[DL_GRAM_ROWS], const char *text,
                             size_t len);

static mark_function *chosen;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static size_t mark_four(uint8_t marks[DL_GRAM_ROWS], const char *text,
                        size_t len)
{
    size_t i = 0;

    for (; i + DL_GRAM + 3 <= len; i += 4) {
        uint32_t a = row_of(text + i);
        uint32_t b = row_of(text + i + 1);
        uint32_t c = row_of(text + i + 2);
        uint32_t d = row_of(text + i + 3);

        marks[a] = 1;
        marks[b] = 1;
        marks[c] = 1;
        marks[d] = 1;
    }
    return i;
}

#if defined(__x86_64__)
/* Set the two rows that are the halves of PAIR. */
static inline void mark_pair(uint8_t marks[DL_GRAM_ROWS], uint64_t pair)
{
    marks[(uint32_t)pair] = 1;
    marks[pair >> 32] = 1;
}

/* The same with the products of eight grams at once. */
__attribute__((target("avx2"))) static size_t
mark_eight(uint8_t marks[DL_GRAM_ROWS], const char *text, size_t len)
{
    const __m256i grams =
        _mm256_setr_epi8(0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6, 4, 5,
                         6, 7, 5, 6, 7, 8, 6, 7, 8, 9, 7, 8, 9, 10);
    const __m256i factor = _mm256_set1_epi32((int)FACTOR);
    size_t i = 0;

    for (; i + WIDE <= len; i += 8) {
        __m128i bytes = _mm_loadu_si128((const __m128i_u *)(text + i));
        __m256i rows =
            _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(bytes), grams);

        rows = _mm256_srli_epi32(_mm256_mullo_epi32(rows, factor), SHIFT);
        mark_pair(marks, (uint64_t)_mm256_extract_epi64(rows, 0));
        mark_pair(marks, (uint64_t)_mm256_extract_epi64(rows, 1));
        mark_pair(marks, (uint64_t)_mm256_extract_epi64(rows, 2));
        mark_pair(marks, (uint64_t)_mm256_extract_epi64(rows, 3));
    }
    return i;
}
#endif

static void choose(void)
{
    chosen = mark_four;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        chosen = mark_eight;
    }
#endif
}

void dl_gram_mark(uint8_t marks[DL_GRAM_ROWS], const char *text, size_t len)
{
    size_t i;

    pthread_once(&once, choose);
    for (i = chosen(marks, text, len); i + DL_GRAM <= len; i++) {
        marks[row_of(text + i)] = 1;
    }
}

void dl_gram_pack(uint64_t bits[DL_GRAM_WORDS],
                  const uint8_t marks[DL_GRAM_ROWS])
{
    for (size_t word = 0; word < DL_GRAM_WORDS; word++) {
        uint64_t eight;

        bits[word] = 0;
        for (size_t i = 0; i < 8; i++) {
            memcpy(&eight, marks + word * 64 + i * 8, sizeof eight);
            /* Byte k, 0 or 1, moves to bit 56 + k; none meets another. */
            eight = le64toh(eight) * UINT64_C(0x0102040810204080) >> 56;
            bits[word] |= eight << (8 * i);
        }
    }
}

/* Whether JSON may hold C in another form. */
static bool may_be_escaped(char c)
{
    return (unsigned char)c < 0x20 || c == '"' || c == '\\' || c == '/';
}

/* Add to ROWS, which has N of MAX, those of the grams of PIECE. */
static int add_rows(uint16_t *rows, int n, int max, const char *piece,
                    size_t len)
{
    for (size_t i = 0; i + DL_GRAM <= len && n < max; i++) {
        rows[n++] = (uint16_t)row_of(piece + i);
    }
    return n;
}

int dl_gram_rows(uint16_t *rows, int max, const char *text, size_t len)
{
    const char *end = text + len;
    char piece[256];
    int n = 0;

    while (text < end) {
        char *out = piece;

        /* A long piece is looked at in pieces: fewer grams, never a wrong
         * one. */
        while (text < end && !may_be_escaped(*text) &&
               out - piece < (ptrdiff_t)sizeof piece - 8) {
            text += fold_one(&out, text, (size_t)(end - text), false);
        }
        n = add_rows(rows, n, max, piece, (size_t)(out - piece));
        if (text < end && may_be_escaped(*text)) {
            text++;
        }
    }
    return n;
}
