/* test_offset_set.c - Sets of offsets against an array of booleans.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_offset_set.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "tap.h"

#define OFFSETS (4 * DL_OFFSET_CHUNK)

static apr_pool_t *pool;
static bool in[OFFSETS];

/* Add FIRST..NEXT-1 to SET and to the array; whether both had as many. */
static bool add_both(dl_offset_set *set, int64_t first, int64_t next)
{
    uint64_t again = UINT64_MAX;
    uint64_t had = 0;
    int64_t i;
    dl_error err;

    for (i = first; i < next; i++) {
        had += in[i] ? 1 : 0;
        in[i] = true;
    }
    return dl_offset_set_add(&again, set, first, next, &err) == DL_OK &&
           again == had;
}

/* Whether SET counts FIRST..NEXT-1 as the array does. */
static bool counts(const dl_offset_set *set, int64_t first, int64_t next)
{
    uint64_t n = 0;
    int64_t i;

    for (i = first; i < next; i++) {
        n += in[i] ? 1 : 0;
    }
    return dl_offset_set_count(set, first, next) == n;
}

/* Whether the gaps of SET from FIRST to END are those of the array. */
static bool same_gaps(const dl_offset_set *set, int64_t first, int64_t end)
{
    int64_t from = first;
    int64_t gap;
    int64_t next;

    while (dl_offset_set_gap(&gap, &next, set, from, end)) {
        for (; from < gap; from++) {
            if (!in[from]) {
                return false;
            }
        }
        for (; from < next; from++) {
            if (in[from]) {
                return false;
            }
        }
        if (next < end && !in[next]) {
            return false;
        }
    }
    for (; from < end; from++) {
        if (!in[from]) {
            return false;
        }
    }
    return true;
}

static void test_random(void)
{
    dl_offset_set *set = dl_offset_set_create(1 << 20, pool);
    bool added = true;
    bool counted = true;
    bool gaps = true;
    int i;

    for (i = 0; i < 3000; i++) {
        int64_t first = random() % (OFFSETS - 1);
        int64_t most = i % 50 == 0 ? 2 * DL_OFFSET_CHUNK : 300;
        int64_t len = 1 + random() % most;
        int64_t next = first + len < OFFSETS ? first + len : OFFSETS;

        added = add_both(set, first, next) && added;
        if (i % 100 == 0) {
            counted = counts(set, first / 2, next) && counted;
            gaps = same_gaps(set, first / 3, OFFSETS) && gaps;
        }
    }
    ok(added,
       "each row of offsets is added, and those that were there counted");
    ok(counted, "offsets between two bounds are counted");
    ok(gaps, "gaps are found, joined over chunks");
}

static void test_bounds(void)
{
    dl_offset_set *set = dl_offset_set_create(2 * DL_OFFSET_CHUNK / 8, pool);
    dl_error err = {DL_OK, 0, ""};
    uint64_t again;
    int64_t first;
    int64_t next;

    ok(dl_offset_set_gap(&first, &next, set, 7, 9) && first == 7 && next == 9,
       "an empty set is one gap");
    ok(!dl_offset_set_gap(&first, &next, set, 9, 9), "nothing has no gap");
    ok(dl_offset_set_add(&again, set, 0, 100 * DL_OFFSET_CHUNK, &err) == DL_OK,
       "whole chunks take no memory");
    ok(dl_offset_set_add(&again, set, INT64_MAX - 2, INT64_MAX, &err) == DL_OK,
       "the largest offsets have a place");
    is_int((long long)dl_offset_set_count(set, 0, INT64_MAX),
           100 * DL_OFFSET_CHUNK + 2, "all are counted");
    is_int(dl_offset_set_add(&again, set, 200 * DL_OFFSET_CHUNK,
                             200 * DL_OFFSET_CHUNK + 1, &err),
           DL_OK, "the last chunk there is room for");
    is_int(dl_offset_set_add(&again, set, 300 * DL_OFFSET_CHUNK,
                             300 * DL_OFFSET_CHUNK + 1, &err),
           DL_LIMIT, "one chunk more is DL_LIMIT");
    ok(dl_offset_set_add(&again, set, 200 * DL_OFFSET_CHUNK,
                         201 * DL_OFFSET_CHUNK, &err) == DL_OK &&
           again == 1,
       "a chunk becomes full");
    is_int(dl_offset_set_add(&again, set, 300 * DL_OFFSET_CHUNK,
                             300 * DL_OFFSET_CHUNK + 1, &err),
           DL_OK, "... and gives its room back");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    srandom(7);
    test_random();
    test_bounds();
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
