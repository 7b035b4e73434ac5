/* dl_crc.c - CRC32C by instruction or by table.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_crc.h"

#include <pthread.h>
#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

/* The polynomial 0x1EDC6F41, bits reversed. */
#define POLYNOMIAL 0x82F63B78u

/* Bytes that each of three interleaved sums covers, a multiple of 8. */
#define LANE ((size_t)512)

typedef uint32_t crc_function(uint32_t crc, const unsigned char *p, size_t len);

/* tables[k][b]: byte b followed by k zero bytes. */
static uint32_t tables[8][256];
/* lane_tables[k][b]: byte k of a crc with the value b, LANE zero bytes on. */
static uint32_t lane_tables[4][256];
static crc_function *chosen;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_tables(void)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;

        for (int bit = 0; bit < 8; bit++) {
            crc = (crc & 1) != 0 ? crc >> 1 ^ POLYNOMIAL : crc >> 1;
        }
        tables[0][b] = crc;
    }
    for (int k = 1; k < 8; k++) {
        for (uint32_t b = 0; b < 256; b++) {
            uint32_t crc = tables[k - 1][b];

            tables[k][b] = crc >> 8 ^ tables[0][crc & 0xff];
        }
    }
}

/* A crc is the sum (xor) of what its bits alone become. */
static void make_lane_tables(void)
{
    for (int bit = 0; bit < 32; bit++) {
        uint32_t *table = lane_tables[bit / 8];
        uint32_t crc = 1u << bit;
        uint32_t b = 1u << bit % 8;

        for (size_t zero = 0; zero < LANE; zero++) {
            crc = crc >> 8 ^ tables[0][crc & 0xff];
        }
        for (uint32_t lower = 0; lower < b; lower++) {
            table[b | lower] = table[lower] ^ crc;
        }
    }
}

static uint32_t by_table(uint32_t crc, const unsigned char *p, size_t len)
{
    for (; len >= 8; p += 8, len -= 8) {
        uint32_t low = (uint32_t)p[0] | (uint32_t)p[1] << 8 |
                       (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;

        low ^= crc;
        crc = tables[7][low & 0xff] ^ tables[6][low >> 8 & 0xff] ^
              tables[5][low >> 16 & 0xff] ^ tables[4][low >> 24] ^
              tables[3][p[4]] ^ tables[2][p[5]] ^ tables[1][p[6]] ^
              tables[0][p[7]];
    }
    for (; len > 0; p++, len--) {
        crc = crc >> 8 ^ tables[0][(crc ^ *p) & 0xff];
    }
    return crc;
}

#if defined(__x86_64__)
/* CRC behind LANE more zero bytes. */
static uint32_t past_lane(uint32_t crc)
{
    return lane_tables[0][crc & 0xff] ^ lane_tables[1][crc >> 8 & 0xff] ^
           lane_tables[2][crc >> 16 & 0xff] ^ lane_tables[3][crc >> 24];
}

/* CRC behind the 3 * LANE bytes at P: the instruction takes three cycles, but
 * each cycle another may begin. */
__attribute__((target("sse4.2"))) static uint32_t
three_lanes(uint32_t crc, const unsigned char *p)
{
    uint64_t a = crc;
    uint64_t b = 0;
    uint64_t c = 0;

    for (size_t i = 0; i < LANE; i += 8) {
        uint64_t eight[3];

        memcpy(&eight[0], p + i, 8);
        memcpy(&eight[1], p + LANE + i, 8);
        memcpy(&eight[2], p + 2 * LANE + i, 8);
        a = _mm_crc32_u64(a, eight[0]);
        b = _mm_crc32_u64(b, eight[1]);
        c = _mm_crc32_u64(c, eight[2]);
    }
    return past_lane(past_lane((uint32_t)a) ^ (uint32_t)b) ^ (uint32_t)c;
}

__attribute__((target("sse4.2"))) static uint32_t
by_instruction(uint32_t crc, const unsigned char *p, size_t len)
{
    uint64_t wide = crc;

    for (; len >= 3 * LANE; p += 3 * LANE, len -= 3 * LANE) {
        wide = three_lanes((uint32_t)wide, p);
    }
    for (; len >= 8; p += 8, len -= 8) {
        uint64_t eight;

        memcpy(&eight, p, sizeof eight);
        wide = _mm_crc32_u64(wide, eight);
    }
    crc = (uint32_t)wide;
    for (; len > 0; p++, len--) {
        crc = _mm_crc32_u8(crc, *p);
    }
    return crc;
}
#endif

static void choose(void)
{
    make_tables();
    make_lane_tables();
    chosen = by_table;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) {
        chosen = by_instruction;
    }
#endif
}

uint32_t dl_crc32c(uint32_t crc, const void *data, size_t len)
{
    pthread_once(&once, choose);
    return ~chosen(~crc, data, len);
}

uint32_t dl_crc32c_table(uint32_t crc, const void *data, size_t len)
{
    pthread_once(&once, choose);
    return ~by_table(~crc, data, len);
}
