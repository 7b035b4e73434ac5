/* fuzz_index.c - An index with bytes changed and its checksums mended: refused,
 * or answers inside its bounds.
 *
 * The input is a row of changes to a good index of three bytes each: where
 * (high byte, low byte, of the places that are no rows) and what is added
 * there.  A first byte of '%' leaves the checksums as they are; then no block
 * may be missing.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dl_crc.h"
#include "dl_gram.h"
#include "dl_lake_index_build.h"
#include "dl_lake_index_file.h"

const char *const fuzz_seeds[] = {
    "",         "%", "\1\1\1", "%\1\1\1", "\2\1\1\3\1\1", "%\5\5\5\6\6\6",
    "\1\x90\2", NULL};

const char *const fuzz_words[] = {"\1\x40\1", "\1\x80\xFF", "\2\x10\x80", NULL};

/* The part that is described, and lines of it. */
#define UID   7
#define LINES 40

/* A good index, made once. */
static struct {
    uint8_t *data;                         /* malloc */
    size_t len;                            /* bytes */
    size_t rows;                           /* where its rows begin */
    size_t behind;                         /* and end */
    uint64_t bits[4][DL_LAKE_INDEX_WORDS]; /* what it answers */
} good;

static const char declaration[] =
    "{\"dataset\":\"shop\",\"description\":\"A shop.\","
    "\"topic\":{\"key\":\"id\",\"partitions\":1,\"retention_days\":1},"
    "\"event_time\":{\"member\":\"at\",\"formats\":[\"unix\"]},"
    "\"fields\":[{\"member\":\"id\",\"type\":\"str\"},"
    "{\"member\":\"at\",\"type\":\"time\"},{\"member\":\"n\",\"type\":\"int\"}]"
    "}";

static dl_status keep(void *context, const uint8_t *data, size_t len,
                      dl_error *err)
{
    (void)context;
    (void)err;
    good.data = malloc(len);
    if (good.data == NULL) {
        abort();
    }
    memcpy(good.data, data, len);
    good.len = len;
    return DL_OK;
}

/* --- Asking ---------------------------------------------------------------- */

static void make_hints(dl_lake_hint *hints[4], apr_pool_t *pool)
{
    static const dl_lake_hint_text word = {"quixotry", 8};
    static const dl_lake_hint_text key = {"k7", 2};

    for (int i = 0; i < 4; i++) {
        dl_lake_hint_create(&hints[i], pool);
    }
    dl_lake_hint_add_texts(hints[0], &word, 1);
    dl_lake_hint_add_numbers(hints[1], "n", 30, 31);
    dl_lake_hint_add_times(hints[2], "1\"at", 5000000, 6000000);
    dl_lake_hint_add_keys(hints[3], "id", &key, 1);
}

/* Ask INDEX all there is; what it says lies inside what it describes. */
static void ask_all(const dl_lake_index *index, apr_pool_t *pool)
{
    static const dl_lake_hint_text key = {"k7", 2};
    uint64_t bits[DL_LAKE_INDEX_WORDS];
    dl_lake_hint *hints[4];
    uint64_t bytes;
    uint64_t lines;
    int n = dl_lake_index_segments(&bytes, &lines, index);

    make_hints(hints, pool);
    for (int s = 0; s < n; s++) {
        int blocks = dl_lake_index_blocks(index, s);
        dl_lake_key_lines found;

        for (int i = 0; i < 4; i++) {
            fuzz_check(dl_lake_index_candidates(bits, index, s, hints[i]) <=
                           blocks,
                       "no more blocks are given than there are");
        }
        for (int i = 0; i < blocks; i++) {
            dl_lake_block block;
            int segment;
            int same;

            dl_lake_index_block(&block, index, s, i);
            fuzz_check(block.bytes > 0 && block.lines > 0 &&
                           block.at + block.bytes <= bytes &&
                           block.line + block.lines <= lines,
                       "a block lies in the part");
            dl_lake_index_find(&segment, &same, index, block.line);
            fuzz_check(segment == s && same == i, "and is found by its line");
        }
        if (dl_lake_index_key_lines(&found, index, s, "id", &key, pool)) {
            for (uint32_t i = 0; i < found.n; i++) {
                fuzz_check(found.first + found.lines[i] < lines,
                           "a key's line lies in the part");
            }
        }
    }
}

/* --- The good one ---------------------------------------------------------- */

static void make_good(apr_pool_t *pool)
{
    dl_lake_index_plan plan = {
        .uid = UID, .block_bytes = 4096, .blocks = 8, .sink = keep};
    dl_dataset_source source = {.file = "shop.json",
                                .text = declaration,
                                .len = sizeof declaration - 1};
    dl_lake_index index = {.map = NULL};
    dl_lake_index_builder *builder;
    dl_lake_hint *hints[4];
    const dl_dataset *ds;
    dl_error err;
    char line[1200];

    fuzz_check(dl_zone_load(&source.zone, "UTC", &err, pool) == DL_OK &&
                   dl_dataset_parse(&ds, &source, &err, pool) == DL_OK &&
                   dl_lake_columns_create(&plan.columns, ds, &err, pool) ==
                       DL_OK,
               "the declaration is good");
    dl_lake_index_builder_create(&builder, &plan, pool);
    for (int i = 0; i < LINES; i++) {
        int len = snprintf(line, sizeof line,
                           "{\"id\":\"k%d\",\"at\":%d,\"n\":%d,\"x\":\"%s%0700d"
                           "\"}\n",
                           i, i, i, i == 20 ? "quixotry" : "", i);

        fuzz_check(dl_lake_index_builder_add(builder, line, (size_t)len,
                                             &err) == DL_OK,
                   "lines are taken");
    }
    fuzz_check(dl_lake_index_builder_end(builder, &err) == DL_OK,
               "the segment is made");
    index.map = good.data;
    index.size = good.len;
    fuzz_check(dl_lake_index_read(&index, UID, &err, pool) == DL_OK,
               "the segment is read");
    good.rows = (size_t)(index.segments[0].rows - good.data);
    good.behind = (size_t)(index.segments[0].columns[0].data - good.data);
    make_hints(hints, pool);
    for (int i = 0; i < 4; i++) {
        dl_lake_index_candidates(good.bits[i], &index, 0, hints[i]);
    }
}

/* --- Changes --------------------------------------------------------------- */

static uint32_t u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

/* Put the crc of the bytes from FROM to TO of DATA there. */
static void mend(uint8_t *data, size_t at, size_t from, size_t to)
{
    dl_lake_put_u32(data + at, dl_crc32c(0, data + from, to - from));
}

/* Mend the checksums of DATA, whose layout is that of the good one. */
static void mend_all(uint8_t *data)
{
    uint8_t number[4] = {0};
    size_t directory = u32(good.data + 72);
    size_t times = good.behind;
    size_t zones = (size_t)u32(good.data + 56) * 16;
    size_t keys = times + zones + 4;
    size_t numbers = directory - zones - 4;

    mend(data, times + zones, times, times + zones);
    mend(data, keys + 16, keys, keys + 16);
    dl_lake_put_u32(data + keys + 20 + 508,
                    dl_crc32c(dl_crc32c(0, number, 4), data + keys + 20, 508));
    mend(data, numbers + zones, numbers, numbers + zones);
    mend(data, 80, directory, good.len);
    mend(data, 68, 128, good.rows);
    mend(data, 124, 0, 124);
}

/* Change DATA as the LEN bytes at INPUT say. */
static void change(uint8_t *data, const unsigned char *input, size_t len)
{
    size_t places = good.rows + (good.len - good.behind);

    for (; len >= 3; input += 3, len -= 3) {
        size_t at = ((size_t)input[0] << 8 | input[1]) % places;

        at += at >= good.rows ? good.behind - good.rows : 0;
        data[at] = (uint8_t)(data[at] + input[2]);
    }
}

/* No block of the good one is missing in INDEX. */
static void compare(const dl_lake_index *index, apr_pool_t *pool)
{
    uint64_t bits[DL_LAKE_INDEX_WORDS];
    dl_lake_hint *hints[4];

    make_hints(hints, pool);
    for (int i = 0; i < 4; i++) {
        dl_lake_index_candidates(bits, index, 0, hints[i]);
        for (int k = 0; k < DL_LAKE_INDEX_WORDS; k++) {
            fuzz_check((good.bits[i][k] & ~bits[k]) == 0,
                       "damage takes no block away");
        }
    }
}

void fuzz_one(const unsigned char *data, size_t len, apr_pool_t *pool)
{
    bool damage = len > 0 && data[0] == '%';
    dl_lake_index index = {.map = NULL};
    dl_error err = {0};
    uint8_t *copy;

    if (good.data == NULL) {
        make_good(pool);
    }
    copy = malloc(good.len);
    if (copy == NULL) {
        abort();
    }
    memcpy(copy, good.data, good.len);
    if (damage) {
        change(copy, data + 1, len - 1);
    }
    else {
        change(copy, data, len);
        mend_all(copy);
    }
    index.map = copy;
    index.size = good.len;
    if (dl_lake_index_read(&index, UID, &err, pool) != DL_OK) {
        fuzz_check(err.text[0] != '\0', "a refusal has a reason");
    }
    else {
        ask_all(&index, pool);
        if (damage) {
            compare(&index, pool);
        }
    }
    free(copy);
}
