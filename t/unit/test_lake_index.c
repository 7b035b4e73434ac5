/* test_lake_index.c - Bytes of an index are those FORMAT.md 18 names, and it
 * never leaves out a block that has what is looked for.
 *
 * The expected bytes are written out from FORMAT.md by hand, not by the code
 * under test.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "index_fixture.h"

#include <math.h>

#include "dl_fold.h"
#include "dl_gram.h"
#include "dl_lake_index_zone.h"

#include "tap.h"

static uint32_t u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

static uint64_t u64(const uint8_t *p)
{
    return u32(p) | (uint64_t)u32(p + 4) << 32;
}

static double f64(const uint8_t *p)
{
    uint64_t bits = u64(p);
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The row of the four bytes at TEXT. */
static uint32_t row(const char *text)
{
    return u32((const uint8_t *)text) * 0x9E3779B1u >> 17;
}

/* --- Text ------------------------------------------------------------------ */

/* What LINE is folded to. */
static const char *folded(const char *line)
{
    static char out[512];

    out[dl_gram_fold(out, line, strlen(line))] = '\0';
    return out;
}

static void test_text(void)
{
    uint16_t rows[8];

    is_str(folded("{\"Name\":\"ABC xyz 0123456789 ABCDEFGHIJKL\"}"),
           "{\"name\":\"abc xyz 0123456789 abcdefghijkl\"}",
           "ASCII letters fold");
    is_str(folded("STRA\xC3\x9F"
                  "E \xE1\xBA\x9E \xC3\x84 \xE2\x84\xAA"),
           "stra\xC3\x9F"
           "e \xC3\x9F \xC3\xA4 k",
           "others as the search folds them");
    is_str(folded("a\\u0041\\u00C4\\ud83D\\uDE00z"),
           "aa\xC3\xA4\xF0\x9F\x98\x80z",
           "escapes of characters are decoded, then folded");
    is_str(folded("a\\\\u0041 \\n\\\"\\/ \\u0022"), "a\\\\u0041 \\n\\\"\\/ \"",
           "other escapes are passed over, a backslash with its neighbour");
    is_str(folded("\\u00 \\ud83d x \\"), "\\u00 \\ud83d x \\",
           "what is no escape stays");
    is_str(folded("\xC8\xBA\xC8\xBA"), "\xE2\xB1\xA5\xE2\xB1\xA5",
           "a text may become longer");
    is_int(dl_gram_rows(rows, 8, "abc", 3), 0, "three bytes say nothing");
    is_int(dl_gram_rows(rows, 8, "ABCDe", 5), 2, "five have two grams");
    is_int(rows[0], row("abcd"), "... the first's row is the product's top");
    is_int(rows[1], row("bcde"), "... and the second's");
    is_int(dl_gram_rows(rows, 8, "abc\"defg/hij\\klm\nno", 18), 1,
           "what JSON may escape cuts a text");
    is_int(rows[0], row("defg"), "... into pieces that count");
    is_int(dl_gram_rows(rows, 8, "0123456789abcdef", 16), 8,
           "no more rows than asked for");
}

/* Whether the marks of TEXT are those of its grams, one by one. */
static bool marks_right(const char *text, size_t len)
{
    static uint8_t marks[DL_GRAM_ROWS];
    static uint8_t wanted[DL_GRAM_ROWS];
    uint64_t bits[DL_GRAM_WORDS];
    bool same;

    memset(marks, 0, sizeof marks);
    memset(wanted, 0, sizeof wanted);
    dl_gram_mark(marks, text, len);
    for (size_t i = 0; i + 4 <= len; i++) {
        wanted[row(text + i)] = 1;
    }
    dl_gram_pack(bits, marks);
    same = memcmp(marks, wanted, sizeof marks) == 0;
    for (size_t i = 0; i < DL_GRAM_ROWS; i++) {
        same = same && (bits[i / 64] >> i % 64 & 1) == wanted[i];
    }
    return same;
}

static void test_marks(void)
{
    char text[100];
    bool right = true;

    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (char)(unsigned char)(i * 89 + 7);
    }
    for (size_t len = 0; len <= sizeof text; len++) {
        char *copy = malloc(len + 1);

        if (copy == NULL) {
            abort();
        }
        memcpy(copy, text, len);
        right = right && marks_right(copy, len);
        free(copy);
    }
    ok(right, "every gram of a text of any length is marked, no other");
}

/* --- Bytes ----------------------------------------------------------------- */

static void test_header(const index_fixture *f)
{
    const uint8_t *p = f->bytes;

    ok(memcmp(p, "DLIX\1\0\1\0", 8) == 0, "a segment begins with its magic");
    is_int((long long)u64(p + 8), INDEX_UID, "... the uid");
    is_int((long long)u64(p + 16), 0, "... where it begins");
    is_int((long long)u64(p + 32), (long long)f->len, "... bytes");
    is_int((long long)u64(p + 40), 3, "... lines");
    is_int((long long)u64(p + 48), (long long)f->size, "... its own length");
    is_int(u32(p + 56), 2, "... blocks");
    is_int(u32(p + 64), dl_crc32c(0, f->data, f->len),
           "... the running crc of the part");
    ok(memcmp(p + 84, dl_fold_version(), strlen(dl_fold_version()) + 1) == 0,
       "... the version of folding");
    is_int(u32(p + 124), dl_crc32c(0, p, 124), "... and its own crc");
    is_int(u32(p + 68), dl_crc32c(0, p + 128, 24), "the table has a crc");
}

static void test_table(const index_fixture *f, size_t second)
{
    const uint8_t *p = f->bytes + 128;

    is_int(u32(p), 0, "the first block begins with the segment");
    is_int(u32(p + 8), dl_crc32c(0, f->data, second), "... with its crc");
    is_int(u32(p + 12), (long long)second,
           "the second where the first line ended behind the block size");
    is_int(u32(p + 16), 2, "... behind two lines");
    is_int(u32(p + 20), dl_crc32c(0, f->data + second, f->len - second),
           "... with its crc");
}

static void test_rows(const index_fixture *f)
{
    const uint8_t *rows = f->bytes + 128 + 24;
    uint32_t number = row("oaks");
    uint8_t unit[4] = {(uint8_t)(number / 128), (uint8_t)(number / 128 >> 8)};
    const uint8_t *p = rows + (size_t)(number / 128) * 132;

    is_int(p[number % 128] & 3, 2, "a row has a bit for each block");
    number = row("bush");
    is_int(rows[(size_t)(number / 128) * 132 + number % 128] & 3, 3,
           "... that has a gram of it");
    is_int(u32(p + 128), dl_crc32c(dl_crc32c(0, unit, 4), p, 128),
           "128 bytes of rows have a crc with their number");
}

/* Read the varint at *P. */
static uint64_t varint(const uint8_t **p)
{
    uint64_t v = 0;

    for (unsigned shift = 0;; shift += 7) {
        v |= (uint64_t)(**p & 127) << shift;
        if (*(*p)++ < 128) {
            return v;
        }
    }
}

/* The bytes of the column of KIND called NAME in F, NULL when there is none. */
static const uint8_t *column(const index_fixture *f, int kind, const char *name)
{
    const uint8_t *p = f->bytes + u32(f->bytes + 72);
    const uint8_t *end = p + u32(f->bytes + 76);

    while (p < end) {
        int its = *p++;
        uint64_t len = varint(&p);
        bool same =
            its == kind && len == strlen(name) && memcmp(p, name, len) == 0;
        uint64_t at;

        p += len;
        at = varint(&p);
        varint(&p);
        if (same) {
            return f->bytes + at;
        }
    }
    return NULL;
}

static void test_zones(const index_fixture *f)
{
    const uint8_t *p = column(f, 1, "sum\"old.sum");

    if (!ok(p != NULL, "a column is called by its paths")) {
        return;
    }
    is_int((long long)(f64(p) * 1e6), 4999999, "low is rounded down a little");
    ok(f64(p + 8) > 12.5 && f64(p + 8) < 12.5000001, "high up");
    ok(isinf(f64(p + 16)) && isinf(f64(p + 24)) && f64(p + 24) < 0,
       "a block without a number has bounds the wrong way round");
    is_int(u32(p + 32), dl_crc32c(0, p, 32), "zones have a crc");
    p = column(f, 2, "3\"at");
    if (ok(p != NULL, "a time by its formats, too")) {
        is_int((long long)u64(p), 1500000, "times are exact");
        is_int((long long)u64(p + 8), 86400000000, "... in any format");
        ok((int64_t)u64(p + 16) == INT64_MAX &&
               (int64_t)u64(p + 24) == INT64_MIN,
           "... none: the wrong way round");
    }
}

static void test_keys(const index_fixture *f)
{
    const uint8_t *p = column(f, 3, "id");
    uint32_t a = dl_crc32c(0, "a/b", 3) * 0x9E3779B1u >> 25;
    uint32_t c = dl_crc32c(0, "c", 1) * 0x9E3779B1u >> 25;
    uint8_t wanted[512] = {0};
    uint8_t number[4] = {0};
    uint8_t *at = wanted;

    if (!ok(p != NULL, "the topic's key is a key")) {
        return;
    }
    is_int(u32(p), 3, "it has an entry for each line");
    is_int(p[4], 7, "... hashes of two bits for the three and five more");
    is_int(p[5], 1, "... lines in one byte");
    is_int(u32(p + 8), 1, "... one page");
    is_int(u32(p + 12), a < c ? a : c, "... that begins with the least hash");
    is_int(u32(p + 16), dl_crc32c(0, p, 16), "... and a crc");
    *at++ = 1;
    if (a < c) {
        *at++ = 0;
        *at++ = 4; /* the same hash, two lines on */
        at = dl_lake_put_varint(at, (c - a) << 1 | 1);
        *at++ = 1;
    }
    else {
        *at++ = 1;
        at = dl_lake_put_varint(at, (a - c) << 1 | 1);
        *at++ = 0;
        *at++ = 4;
    }
    ok(memcmp(p + 20, wanted, 508) == 0, "a page has steps and lines");
    is_int(u32(p + 20 + 508), dl_crc32c(dl_crc32c(0, number, 4), wanted, 508),
           "... and a crc with its number");
}

static void test_bytes(void)
{
    static const char first[] =
        "{\"id\":\"a/b\",\"at\":1.5,\"sum\":null,\"old\":{\"sum\":\"5\"},\"x\":"
        "\"BUSH\"}";
    static const char second[] =
        "{\"id\":\"c\",\"at\":\"1970-01-02T00:00:00Z\",\"sum\":12.5,\"pad\":\"";
    static const char third[] = "{\"id\":\"a\\/b\",\"sum\":\"no\",\"x\":"
                                "\"b\\u0075sh oaks\"}";
    char line[5000];
    size_t len = sizeof second - 1;
    index_fixture f;

    index_begin(&f);
    memset(line, 'p', sizeof line);
    memcpy(line, second, len);
    line[len + 4100] = '"';
    line[len + 4101] = '}';
    index_line(&f, first, strlen(first));
    index_line(&f, line, len + 4102);
    index_line(&f, third, strlen(third));
    index_build(&f, DL_LAKE_INDEX_BLOCKS, 4096, 2);
    test_header(&f);
    test_table(&f, f.len - strlen(third) - 1);
    test_rows(&f);
    test_zones(&f);
    test_keys(&f);
    index_end(&f);
}

/* --- Numbers --------------------------------------------------------------- */

static void test_numbers(void)
{
    static const char *const wide[] = {"1234567890123456789", "1e23", "1e-300",
                                       "1e99999999999999", "5E+23"};
    double low;
    double high;
    bool good = true;

    dl_lake_zone_number(&low, &high, "-0.30", 5);
    ok(low < -0.3 && high > -0.3 && high - low < 1e-15,
       "a number lies between its bounds");
    dl_lake_zone_number(&low, &high, "0", 1);
    ok(low == 0 && high == 0, "nought is exact");
    dl_lake_zone_number(&low, &high, "1.5E-3", 6);
    ok(low < 0.0015 && high > 0.0015 && high - low < 1e-15,
       "an exponent counts");
    dl_lake_zone_number(&low, &high, "000.00012", 9);
    ok(low < 0.00012 && high > 0.00012 && high < 0.0001201,
       "noughts before it do not");
    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++) {
        dl_lake_zone_number(&low, &high, wide[i], strlen(wide[i]));
        good = good && isinf(low) && isinf(high);
    }
    ok(good, "what a double cannot be sure of lies anywhere");
}

int main(void)
{
    apr_initialize();
    test_text();
    test_marks();
    test_bytes();
    test_numbers();
    apr_terminate();
    return done();
}
