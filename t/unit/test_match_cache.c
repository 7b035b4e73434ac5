/* test_match_cache.c - Sets of lines, and what is remembered of matches.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_match_cache.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "dl_line_set.h"
#include "tap.h"

#define LINES 300000

static apr_pool_t *pool;
static bool in[LINES + 1];
static uint64_t before[LINES + 1]; /* members below each line */

/* Make a set of the lines below BOUND that are multiples of STEP, and of all
 * between ALL_FROM and ALL_TO. */
static dl_line_set *make_set(uint64_t step, uint64_t all_from, uint64_t all_to)
{
    dl_line_set *set = dl_line_set_create();
    uint64_t i;

    for (i = 0; i < LINES; i++) {
        in[i] = i % step == 0 || (i >= all_from && i < all_to);
        before[i + 1] = before[i] + (in[i] ? 1 : 0);
        if (in[i]) {
            dl_line_set_add(set, i);
        }
    }
    dl_line_set_cover(set, LINES);
    return set;
}

/* Whether SET takes what a plain walk takes, from many places. */
static bool takes_right(const dl_line_set *set)
{
    uint64_t lines[200];
    uint64_t from;
    int i;

    for (from = 0; from < LINES; from += 611) {
        uint64_t to = from + 20000 < LINES ? from + 20000 : LINES;
        uint64_t line = from;
        int n = dl_line_set_take(lines, 200, set, before[from], to);

        for (i = 0; i < n; i++, line++) {
            while (line < to && !in[line]) {
                line++;
            }
            if (lines[i] != line) {
                return false;
            }
        }
        if (n < 200 && (uint64_t)n != before[to] - before[from]) {
            return false;
        }
    }
    return true;
}

static void test_sets(void)
{
    static const uint64_t steps[] = {1, 2, 3, 15, 17, 1000, 70001};
    size_t s;

    for (s = 0; s < sizeof steps / sizeof steps[0]; s++) {
        dl_line_set *set = make_set(steps[s], 65000, 131080);
        bool right = true;
        uint64_t i;

        for (i = 0; i <= LINES; i += 37) {
            right = right && dl_line_set_rank(set, i) == before[i];
        }
        ok(right, "ranks are those of a plain count");
        ok(takes_right(set), "lines are those of a plain walk");
        dl_line_set_free(set);
    }
}

static void test_bytes(void)
{
    dl_line_set *all = make_set(1, 0, 0);
    dl_line_set *half;
    dl_line_set *rare;

    ok(dl_line_set_bytes(all) < 9000, "whole chunks take nothing");
    half = make_set(2, 0, 0);
    ok(dl_line_set_bytes(half) < LINES / 8 + 10000, "many a bit a line");
    rare = make_set(1000, 0, 0);
    ok(dl_line_set_bytes(rare) < 2048, "few two bytes each, and some room");
    dl_line_set_free(all);
    dl_line_set_free(half);
    dl_line_set_free(rare);
}

static dl_match_key key_of(unsigned query, uint64_t uid)
{
    dl_match_key key = {.uid = uid};

    memset(key.query, (int)query, sizeof key.query);
    return key;
}

static void test_cache(void)
{
    static const uint64_t lines[] = {3, 5, 8, 13};
    static const uint64_t more[] = {21, 34};
    dl_match_cache *cache = dl_match_cache_create(1 << 20, pool);
    dl_match_key key = key_of(1, 7);
    dl_match_key other = key_of(1, 8);
    dl_match_ask ask = {.from = 4, .to = 40, .skip = 1, .max = 3};
    dl_match_known known;
    uint64_t taken[3];

    dl_match_cache_find(&known, taken, cache, &key, &ask);
    ok(known.covered == 0 && known.n == 0, "nothing is known at first");
    dl_match_cache_add(cache, &key, 0, 20, lines, 4);
    dl_match_cache_find(&known, taken, cache, &key, &ask);
    ok(known.covered == 20 && known.count == 4, "what was told is known");
    ok(known.skipped == 1 && known.n == 2 && taken[0] == 8 && taken[1] == 13,
       "from a line on, some passed over");
    dl_match_cache_add(cache, &key, 30, 40, more, 2);
    dl_match_cache_find(&known, taken, cache, &key, &ask);
    ok(known.covered == 20, "nothing is kept behind a hole");
    dl_match_cache_add(cache, &key, 10, 40, more, 2);
    dl_match_cache_find(&known, taken, cache, &key, &ask);
    ok(known.covered == 40 && known.count == 6 && taken[2] == 21,
       "what is known grows at its end");
    ask.to = 9;
    dl_match_cache_find(&known, taken, cache, &key, &ask);
    ok(known.covered == 9 && known.count == 3 && known.n == 1,
       "nobody sees behind his own end");
    dl_match_cache_find(&known, taken, cache, &other, &ask);
    ok(known.covered == 0, "another part is another entry");
}

static void test_bound(void)
{
    enum {
        MAX = 1 << 18
    };
    dl_match_cache *cache = dl_match_cache_create(MAX, pool);
    static uint64_t lines[32768];
    dl_match_ask ask = {.to = 65536};
    dl_match_known known;
    unsigned i;
    unsigned known_of = 0;
    bool within = true;

    for (i = 0; i < 32768; i++) {
        lines[i] = 2 * (uint64_t)i;
    }
    for (i = 0; i < 100; i++) {
        dl_match_key key = key_of(i, i);

        dl_match_cache_add(cache, &key, 0, 65536, lines, 32768);
        within = within && dl_match_cache_bytes(cache) <= MAX;
    }
    ok(within, "the bound holds");
    for (i = 0; i < 100; i++) {
        dl_match_key key = key_of(i, i);

        dl_match_cache_find(&known, NULL, cache, &key, &ask);
        known_of += known.covered > 0 ? 1 : 0;
        ok(known.covered == 0 || known.count == 32768,
           "an entry is whole or gone");
    }
    ok(known_of > 10 && known_of < 40, "the newest entries are there");
}

/* Add and ask as another thread does, too. */
static void *work(void *data)
{
    dl_match_cache *cache = data;
    unsigned wrong = 0;
    unsigned i;

    for (i = 0; i < 20000; i++) {
        dl_match_key key = key_of(i % 5, i % 3);
        uint64_t from = i / 15;
        uint64_t line = from;
        dl_match_ask ask = {.to = 1 << 20};
        dl_match_known known;

        dl_match_cache_add(cache, &key, from, from + 1, &line, 1);
        dl_match_cache_find(&known, NULL, cache, &key, &ask);
        wrong += known.count != known.covered ? 1 : 0;
    }
    return wrong == 0 ? data : NULL;
}

static void test_threads(void)
{
    dl_match_cache *cache = dl_match_cache_create(1 << 16, pool);
    pthread_t threads[4];
    int right = 0;
    int i;

    for (i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, work, cache);
    }
    for (i = 0; i < 4; i++) {
        void *result = NULL;

        pthread_join(threads[i], &result);
        right += result != NULL ? 1 : 0;
    }
    is_int(right, 4, "four threads see no count without its lines");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_sets();
    test_bytes();
    test_cache();
    test_bound();
    test_threads();
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
