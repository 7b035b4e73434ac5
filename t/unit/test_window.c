/* test_window.c - Fixed windows: what a key may use, and who makes room.
 *
 * "Now" is 2026-05-18T09:30:00Z = 1779096600.  A table of 8 places is one
 * set, in which all keys meet.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_window.h"

#include "tap.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW  1779096600
#define HOUR 3600

static const unsigned char SECRET[MDL_WINDOW_SECRET] = "0123456789abcde";

/* A new table of PLACES places and hours in W, shared with children. */
static void open_table(mdl_windows *w, int places)
{
    void *memory = mmap(NULL, mdl_windows_size(places), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        exit(1);
    }
    mdl_windows_attach(w, memory, places, HOUR, SECRET);
}

static mdl_window_key key_of(const mdl_windows *w, const char *subject)
{
    mdl_window_key key;

    mdl_window_key_make(&key, w, subject, strlen(subject));
    key.label[0] = (unsigned char)subject[0];
    return key;
}

static mdl_window_key key_number(const mdl_windows *w, int n)
{
    mdl_window_key key;

    mdl_window_key_make(&key, w, &n, sizeof n);
    key.label[0] = (uint64_t)n;
    return key;
}

/* Take 1 of LIMIT from KEY at NOW_S, N times; how often that worked. */
static int take_times(mdl_windows *w, const mdl_window_key *key, int n,
                      uint32_t limit, int64_t now_s)
{
    mdl_window_state state;
    int passed = 0;

    while (n-- > 0) {
        passed += mdl_window_take(&state, w, key, limit, 1, now_s) ? 1 : 0;
    }
    return passed;
}

static void test_take(void)
{
    mdl_window_state state;
    mdl_windows w;
    mdl_window_key alice;
    mdl_window_key bob;

    open_table(&w, 1024);
    alice = key_of(&w, "alice");
    bob = key_of(&w, "bob");
    mdl_window_peek(&state, &w, &alice, 100, NOW);
    is_int(state.used, 0, "a key nobody has seen has used nothing");
    is_int(state.reset_s, HOUR, "its window has not begun");
    ok(mdl_window_take(&state, &w, &alice, 100, 1, NOW),
       "the first one passes");
    is_int(state.used, 1, "it is counted");
    is_int(state.limit, 100, "the state tells the limit");
    is_int(state.reset_s, HOUR, "the window begins with it");
    is_int(take_times(&w, &alice, 200, 100, NOW + 10), 99,
           "of 200 more exactly 99 pass");
    ok(!mdl_window_take(&state, &w, &alice, 100, 1, NOW + 60), "then none");
    is_int(state.reset_s, HOUR - 60, "the end does not move");
    is_int(take_times(&w, &bob, 5, 100, NOW), 5, "another key is not touched");
    ok(!mdl_window_take(&state, &w, &alice, 100, 1, NOW + HOUR - 1),
       "none in the last second of the window");
    ok(mdl_window_take(&state, &w, &alice, 100, 1, NOW + HOUR),
       "one passes in the first second after it");
    is_int(state.reset_s, HOUR, "a new window has begun");
    is_int(state.used, 1, "with that one alone");
}

static void test_amounts(void)
{
    mdl_window_state state;
    mdl_windows w;
    mdl_window_key key;

    open_table(&w, 1024);
    key = key_of(&w, "amounts");
    ok(!mdl_window_take(&state, &w, &key, 10, 11, NOW),
       "more than the limit never fits");
    ok(!mdl_window_take(&state, &w, &key, 0, 1, NOW), "0 lets nothing pass");
    ok(mdl_window_take(&state, &w, &key, 10, 7, NOW), "7 of 10 fit");
    ok(!mdl_window_take(&state, &w, &key, 10, 4, NOW), "4 more do not");
    is_int(state.used, 7, "and are not counted");
    mdl_window_give(&w, &key, 2, NOW);
    ok(mdl_window_take(&state, &w, &key, 10, 4, NOW),
       "they do when 2 are given back");
    mdl_window_give(&w, &key, 50, NOW);
    mdl_window_peek(&state, &w, &key, 10, NOW);
    is_int(state.used, 0, "what is given back stops at 0");
    mdl_window_add(&state, &w, &key, 10, 25, NOW);
    is_int(state.used, 25, "what was done is added past the limit");
    mdl_window_add(&state, &w, &key, 10, UINT32_MAX, NOW);
    mdl_window_add(&state, &w, &key, 10, UINT32_MAX, NOW);
    is_int(state.used, MDL_WINDOW_MOST,
           "an amount stops where it can count to");
    is_int(state.reset_s, HOUR, "and does not run into the time");
    mdl_window_give(&w, &key, 1, NOW + HOUR);
    ok(mdl_window_take(&state, &w, &key, 10, 10, NOW + HOUR),
       "nothing is given back to a window that has ended");
}

static void test_clock(void)
{
    mdl_window_state state;
    mdl_windows w;
    mdl_window_key key;

    open_table(&w, 1024);
    key = key_of(&w, "clock");
    is_int(take_times(&w, &key, 9, 5, NOW), 5, "5 of 5 pass");
    ok(!mdl_window_take(&state, &w, &key, 5, 1, NOW - 86400),
       "a clock set back by a day forgives nothing");
    is_int(state.reset_s, HOUR, "the window ends an hour later");
    ok(!mdl_window_take(&state, &w, &key, 5, 1, NOW - 86400 + HOUR - 1),
       "not before");
    ok(mdl_window_take(&state, &w, &key, 5, 1, NOW - 86400 + HOUR),
       "and not after");
    (void)mdl_window_take(&state, &w, &key, 5, 1, NOW - 86400 + HOUR - 2);
    is_int(state.reset_s, HOUR, "2 seconds between two requests are no change");
}

/* Keys 1 to 8 fill a set of 8; key 9 comes. */
static void test_full(void)
{
    mdl_window_state state;
    mdl_windows w;
    mdl_window_key key;
    int n;

    open_table(&w, 8);
    for (n = 1; n <= 8; n++) {
        key = key_number(&w, n);
        (void)take_times(&w, &key, n * 10, 100, NOW + n);
    }
    key = key_number(&w, 9);
    (void)mdl_window_take(&state, &w, &key, 100, 1, NOW + 20);
    is_int(state.used, 11, "the ninth key begins where the least used one was");
    for (n = 2; n <= 8; n++) {
        key = key_number(&w, n);
        mdl_window_peek(&state, &w, &key, 100, NOW + 20);
        is_int(state.used, n * 10, "the keys that used more are still there");
    }
    key = key_number(&w, 1);
    mdl_window_peek(&state, &w, &key, 100, NOW + 20);
    is_int(state.used, 0, "the least used one is not");
    is_int(take_times(&w, &key, 200, 100, NOW + 21), 89,
           "it passes 100 times in all at most, not 110");
    key = key_number(&w, 10);
    (void)mdl_window_take(&state, &w, &key, 100, 1, NOW + 3 * HOUR);
    is_int(state.used, 1, "when all windows have ended nothing is owed");
}

/* A set whose evicted windows end one after another. */
static void test_debt_ends(void)
{
    mdl_window_state state;
    mdl_windows w;
    mdl_window_key key;
    int n;

    open_table(&w, 8);
    for (n = 1; n <= 9; n++) {
        key = key_number(&w, n);
        (void)take_times(&w, &key, 50, 100, NOW);
    }
    for (n = 20; n <= 40; n++) {
        key = key_number(&w, n);
        (void)mdl_window_take(&state, &w, &key, 100, 1, NOW + 1800);
    }
    ok(state.used >= 51, "while 50 were evicted, new keys begin at 50");
    for (n = 100; n <= 120; n++) {
        key = key_number(&w, n);
        (void)mdl_window_take(&state, &w, &key, 100, 1, NOW + 4 * HOUR);
    }
    /* 8 began at 0, 8 in the places of those at 1, 5 in those of 2. */
    is_int(state.used, 3, "later only what was evicted since is owed");
}

static void test_kept(void)
{
    mdl_windows first;
    mdl_windows second;
    mdl_window_state state;
    mdl_window_key key;

    open_table(&first, 64);
    key = key_of(&first, "kept");
    (void)take_times(&first, &key, 3, 5, NOW);
    mdl_windows_attach(&second, first.shared, 64, HOUR,
                       (const unsigned char *)"another secret!");
    key = key_of(&second, "kept");
    mdl_window_peek(&state, &second, &key, 5, NOW);
    is_int(state.used, 3, "a kept table keeps its secret and its windows");
}

static void test_written(void)
{
    mdl_window_entry entry;
    mdl_window_state state;
    mdl_windows w;
    mdl_window_key key;
    uint64_t at = 0;

    open_table(&w, 64);
    ok(!mdl_window_changed(&entry, &w, &at, NOW), "an empty table has no rows");
    key = key_of(&w, "alice");
    (void)take_times(&w, &key, 3, 5, NOW);
    at = 0;
    ok(mdl_window_changed(&entry, &w, &at, NOW), "a window is to be written");
    is_int((long long)entry.label[0], 'a', "under the label of its key");
    is_int(entry.used, 3, "with what is used");
    is_int(entry.ends_s, NOW + HOUR, "and its end");
    ok(!mdl_window_changed(&entry, &w, &at, NOW), "it is the only one");
    at = 0;
    ok(!mdl_window_changed(&entry, &w, &at, NOW), "and not written again");
    (void)take_times(&w, &key, 1, 5, NOW);
    at = 0;
    ok(mdl_window_changed(&entry, &w, &at, NOW), "unless it changes");
    mdl_window_unsaved(&w, &entry);
    at = 0;
    ok(mdl_window_changed(&entry, &w, &at, NOW), "or could not be written");
    at = 0;
    ok(!mdl_window_changed(&entry, &w, &at, NOW + HOUR),
       "a window that has ended is not written");

    open_table(&w, 64);
    key = key_of(&w, "alice");
    (void)take_times(&w, &key, 2, 5, NOW + 100);
    mdl_window_restore(&w, &key, 3, NOW + HOUR, NOW + 100);
    ok(!mdl_window_take(&state, &w, &key, 5, 1, NOW + 100),
       "a restored window counts together with the new one");
    is_int(state.reset_s, HOUR - 100, "and ends when the old one does");
    mdl_window_restore(&w, &key, 3, NOW + 50, NOW + 100);
    mdl_window_peek(&state, &w, &key, 5, NOW + 100);
    is_int(state.used, 5, "one that has ended is not restored");
}

/* --- At the same time ----------------------------------------------------- */

#define ROUNDS  2000
#define THREADS 4

static mdl_windows racing;
static _Atomic int passed[64];

/* Take from 64 keys in turn. */
static void *take_all(void *unused)
{
    mdl_window_state state;
    int i;

    (void)unused;
    for (i = 0; i < ROUNDS * 64; i++) {
        mdl_window_key key = key_number(&racing, i % 64);

        if (mdl_window_take(&state, &racing, &key, 1000, 1, NOW)) {
            passed[i % 64]++;
        }
    }
    return NULL;
}

static void run_threads(void)
{
    pthread_t threads[THREADS];
    int i;

    for (i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, take_all, NULL) != 0) {
            exit(1);
        }
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
}

static void test_threads(void)
{
    int wrong = 0;
    int i;

    open_table(&racing, 1024);
    run_threads();
    for (i = 0; i < 64; i++) {
        wrong += passed[i] == 1000 ? 0 : 1;
        passed[i] = 0;
    }
    is_int(wrong, 0, "4 threads pass exactly 1000 for each of 64 keys");

    open_table(&racing, 32);
    run_threads();
    for (i = 0; i < 64; i++) {
        wrong += passed[i] <= 1000 ? 0 : 1;
    }
    is_int(wrong, 0, "and never more when half of the keys find no room");
}

static void test_processes(void)
{
    mdl_window_state state;
    mdl_window_key key;
    mdl_windows w;
    int sum = 0;
    int i;

    open_table(&w, 64);
    key = key_of(&w, "children");
    /* The thread sanitizer writes what is buffered even at _exit. */
    (void)fflush(stdout);
    for (i = 0; i < 4; i++) {
        if (fork() == 0) {
            _exit(take_times(&w, &key, 1000, 100, NOW));
        }
    }
    for (i = 0; i < 4; i++) {
        int status = 0;

        (void)wait(&status);
        sum += WEXITSTATUS(status);
    }
    is_int(sum, 100, "4 processes pass exactly 100 together");
    mdl_window_peek(&state, &w, &key, 100, NOW);
    is_int(state.used, 100, "and all of them see it");
}

int main(void)
{
    test_take();
    test_amounts();
    test_clock();
    test_full();
    test_debt_ends();
    test_kept();
    test_written();
    test_processes();
    test_threads();
    return done();
}
