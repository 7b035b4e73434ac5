/* dl_anchor.c - Looking for two bytes, 128, 16 or one at a time.
 *
 * Each wide function ends with the next narrower one, which takes what is left
 * at the end of the text.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_anchor.h"

#include <pthread.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* Most bytes whose newlines are counted in lanes of one byte. */
#define LANE_TURNS ((size_t)255)

/* Return behind which place in LEN bytes no more anchors fit. */
static size_t places(const dl_anchors *anchors, size_t len)
{
    return len > anchors->at[1] ? len - anchors->at[1] : 0;
}

static size_t by_bytes(const dl_anchors *anchors, const unsigned char *text,
                       size_t len, size_t from)
{
    const unsigned char *a = text + anchors->at[0];
    const unsigned char *b = text + anchors->at[1];
    size_t end = places(anchors, len);

    for (; from < end; from++) {
        if ((a[from] | anchors->mask[0]) == anchors->value[0] &&
            (b[from] | anchors->mask[1]) == anchors->value[1]) {
            return from;
        }
    }
    return len;
}

static size_t lines_by_bytes(const char *text, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        n += text[i] == '\n' ? 1 : 0;
    }
    return n;
}

#if defined(__x86_64__)

static size_t by_sse2(const dl_anchors *anchors, const unsigned char *text,
                      size_t len, size_t from)
{
    const unsigned char *a = text + anchors->at[0];
    const unsigned char *b = text + anchors->at[1];
    const __m128i mask_a = _mm_set1_epi8((char)anchors->mask[0]);
    const __m128i mask_b = _mm_set1_epi8((char)anchors->mask[1]);
    const __m128i value_a = _mm_set1_epi8((char)anchors->value[0]);
    const __m128i value_b = _mm_set1_epi8((char)anchors->value[1]);
    size_t end = places(anchors, len);

    for (; from + 16 <= end; from += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(a + from));
        __m128i y = _mm_loadu_si128((const __m128i *)(b + from));
        __m128i both =
            _mm_and_si128(_mm_cmpeq_epi8(_mm_or_si128(x, mask_a), value_a),
                          _mm_cmpeq_epi8(_mm_or_si128(y, mask_b), value_b));
        unsigned bits = (unsigned)_mm_movemask_epi8(both);

        if (bits != 0) {
            return from + (size_t)__builtin_ctz(bits);
        }
    }
    return by_bytes(anchors, text, len, from);
}

/* Anchors, each byte 32 times. */
typedef struct wide {
    __m256i mask[2];
    __m256i value[2];
} wide;

/* Return where, as bits of bytes, both anchors stand at A and B. */
__attribute__((target("avx2"))) static inline __m256i
stand(const wide *w, const unsigned char *a, const unsigned char *b)
{
    __m256i x = _mm256_loadu_si256((const __m256i *)a);
    __m256i y = _mm256_loadu_si256((const __m256i *)b);

    return _mm256_and_si256(
        _mm256_cmpeq_epi8(_mm256_or_si256(x, w->mask[0]), w->value[0]),
        _mm256_cmpeq_epi8(_mm256_or_si256(y, w->mask[1]), w->value[1]));
}

/* Return the first place from FROM on, in steps of 128, at or close behind
 * which both anchors stand, or the last one that was not looked at. */
__attribute__((target("avx2"))) static size_t pass_over(const wide *w,
                                                        const unsigned char *a,
                                                        const unsigned char *b,
                                                        size_t end, size_t from)
{
    for (; from + 128 <= end; from += 128) {
        __m256i one = stand(w, a + from, b + from);
        __m256i two = stand(w, a + from + 32, b + from + 32);
        __m256i three = stand(w, a + from + 64, b + from + 64);
        __m256i four = stand(w, a + from + 96, b + from + 96);
        __m256i any = _mm256_or_si256(_mm256_or_si256(one, two),
                                      _mm256_or_si256(three, four));

        if (_mm256_testz_si256(any, any) == 0) {
            break;
        }
    }
    return from;
}

__attribute__((target("avx2"))) static size_t by_avx2(const dl_anchors *anchors,
                                                      const unsigned char *text,
                                                      size_t len, size_t from)
{
    const unsigned char *a = text + anchors->at[0];
    const unsigned char *b = text + anchors->at[1];
    const wide w = {{_mm256_set1_epi8((char)anchors->mask[0]),
                     _mm256_set1_epi8((char)anchors->mask[1])},
                    {_mm256_set1_epi8((char)anchors->value[0]),
                     _mm256_set1_epi8((char)anchors->value[1])}};
    size_t end = places(anchors, len);

    from = pass_over(&w, a, b, end, from);
    for (; from + 32 <= end; from += 32) {
        unsigned bits =
            (unsigned)_mm256_movemask_epi8(stand(&w, a + from, b + from));

        if (bits != 0) {
            return from + (size_t)__builtin_ctz(bits);
        }
    }
    return by_sse2(anchors, text, len, from);
}

/* Return the sum of the bytes of LANES. */
static size_t sum_of(__m128i lanes)
{
    __m128i sums = _mm_sad_epu8(lanes, _mm_setzero_si128());

    return (size_t)_mm_cvtsi128_si64(sums) +
           (size_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(sums, sums));
}

size_t dl_anchor_lines(const char *text, size_t len)
{
    const __m128i newline = _mm_set1_epi8('\n');
    size_t n = 0;
    size_t at = 0;

    while (at + 16 <= len) {
        size_t turns = (len - at) / 16;
        __m128i lanes = _mm_setzero_si128();

        turns = turns < LANE_TURNS ? turns : LANE_TURNS;
        for (size_t i = 0; i < turns; i++, at += 16) {
            __m128i data = _mm_loadu_si128((const __m128i *)(text + at));

            lanes = _mm_sub_epi8(lanes, _mm_cmpeq_epi8(data, newline));
        }
        n += sum_of(lanes);
    }
    return n + lines_by_bytes(text + at, len - at);
}

#else

size_t dl_anchor_lines(const char *text, size_t len)
{
    return lines_by_bytes(text, len);
}

#endif

/* --- The choice ------------------------------------------------------------ */

static const dl_anchor_kind all_kinds[] = {
#if defined(__x86_64__)
    {"avx2", by_avx2},
    {"sse2", by_sse2},
#endif
    {"bytes", by_bytes}};

#define KINDS ((int)(sizeof all_kinds / sizeof all_kinds[0]))

static const dl_anchor_kind *chosen;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void choose(void)
{
    chosen = all_kinds;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") == 0) {
        chosen++;
    }
#endif
}

int dl_anchor_kinds(const dl_anchor_kind **kinds)
{
    (void)pthread_once(&once, choose);
    *kinds = chosen;
    return KINDS - (int)(chosen - all_kinds);
}

size_t dl_anchor_find(const dl_anchors *anchors, const unsigned char *text,
                      size_t len, size_t from)
{
    const dl_anchor_kind *kinds;

    (void)dl_anchor_kinds(&kinds);
    return kinds->scan(anchors, text, len, from);
}
