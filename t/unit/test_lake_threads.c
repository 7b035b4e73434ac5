/* test_lake_threads.c - Readers see whole commits while all else moves.
 *
 * One thread writes and seals, one compacts, two read over one handle.  Every
 * snapshot must hold the lines 0..n-1 of one partition in order, with n as
 * the snapshot says, and n never falls.  Made for ThreadSanitizer too.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_compact.h"
#include "lake_fixture.h"

#include "tap.h"

#include <pthread.h>
#include <stdatomic.h>

/* Commits of the writer. */
#define COMMITS 1000

static atomic_bool finished;
static atomic_int writer_failures;
static atomic_int compact_failures;
static atomic_int joined_days;
static dl_lake *shared_lake;

static void *write_all(void *context)
{
    dl_error err = {.status = DL_OK};
    dl_lake_writer *w = context;
    int i;

    for (i = 0; i < COMMITS; i++) {
        if (fixture_batch(w, TIME_A, 0, (int64_t)i * 20, 20, TIME_A + i * 1000,
                          &err) != DL_OK ||
            (i % 10 == 9 &&
             dl_lake_writer_seal(w, TIME_A + i * 1000, &err) != DL_OK)) {
            printf("# writer: %s\n", err.text);
            atomic_fetch_add(&writer_failures, 1);
            break;
        }
    }
    atomic_store(&finished, true);
    return NULL;
}

static void *compact_all(void *context)
{
    dl_lake_compaction job = {.root = fixture_root,
                              .dataset = "d",
                              .before = DAY_B,
                              .only = DL_DAY_NONE};
    dl_error err = {.status = DL_OK};
    dl_lake_compacted done_now;
    apr_pool_t *pool;

    (void)context;
    apr_pool_create(&pool, NULL);
    while (!atomic_load(&finished)) {
        apr_pool_clear(pool);
        if (dl_lake_compact(&done_now, &job, &err, pool) != DL_OK) {
            printf("# compaction: %s\n", err.text);
            atomic_fetch_add(&compact_failures, 1);
            break;
        }
        atomic_fetch_add(&joined_days, done_now.days);
        usleep(2000);
    }
    apr_pool_destroy(pool);
    return NULL;
}

/* What a reader found. */
typedef struct reader {
    int snapshots; /* taken */
    int wrong;     /* with a wrong line or number */
    int failures;  /* that could not be read */
    uint64_t most; /* lines of the newest */
} reader;

static void check_lines(reader *r, dl_lake_scan *scan, uint64_t records)
{
    dl_error err = {.status = DL_OK};
    dl_lake_line line;
    uint64_t n = 0;

    while (true) {
        char want[80];

        if (dl_lake_scan_next(&line, scan, &err) != DL_OK) {
            printf("# reader: %s\n", err.text);
            r->failures++;
            return;
        }
        if (line.text == NULL) {
            break;
        }
        snprintf(want, sizeof want, "{\"p\":0,\"o\":%llu}",
                 (unsigned long long)n);
        r->wrong += line.len != strlen(want) ||
                    memcmp(line.text, want, line.len) != 0 ||
                    line.coord.offset != (int64_t)n || line.line != n + 1;
        n++;
    }
    r->wrong += n != records || n < r->most || n % 20 != 0;
    r->most = n;
}

static void *read_all(void *context)
{
    dl_lake_range a = {
        .day = DAY_A, .as_of = DL_TIME_NONE, .with_coords = true};
    dl_error err = {.status = DL_OK};
    reader *r = context;
    dl_lake_snapshot *snap;
    dl_lake_scan *scan;
    apr_pool_t *pool;
    bool last = false;

    apr_pool_create(&pool, NULL);
    while (!last) {
        last = atomic_load(&finished);
        apr_pool_clear(pool);
        if (dl_lake_snapshot_open(&snap, shared_lake, "d", &err, pool) !=
                DL_OK ||
            dl_lake_scan_open(&scan, snap, &a, &err, pool) != DL_OK) {
            if (err.status != DL_NOT_FOUND) {
                printf("# snapshot: %s\n", err.text);
                r->failures++;
            }
            continue;
        }
        r->snapshots++;
        check_lines(r, scan, dl_lake_scan_day(scan)->records);
    }
    apr_pool_destroy(pool);
    return NULL;
}

int main(void)
{
    dl_error err = {.status = DL_OK};
    reader readers[2] = {{.most = 0}};
    pthread_t threads[4];
    dl_lake_writer *w;
    apr_pool_t *pool;
    apr_pool_t *own;
    int i;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    fixture_begin();
    ok(fixture_writer(&w, &own, &err) == DL_OK &&
           dl_lake_open(&shared_lake, fixture_root, &err, pool) == DL_OK,
       "given a writer and a handle that two readers share");
    pthread_create(&threads[0], NULL, write_all, w);
    pthread_create(&threads[1], NULL, compact_all, NULL);
    pthread_create(&threads[2], NULL, read_all, &readers[0]);
    pthread_create(&threads[3], NULL, read_all, &readers[1]);
    for (i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    is_int(writer_failures, 0, "the writer writes and seals to the end");
    is_int(compact_failures, 0, "the compaction joins beside it");
    is_int(readers[0].failures + readers[1].failures, 0,
           "no snapshot fails to be read");
    is_int(readers[0].wrong + readers[1].wrong, 0,
           "each holds whole commits, in order, with their coordinates");
    ok(readers[0].most == 20 * COMMITS && readers[1].most == 20 * COMMITS,
       "the last one holds everything");
    printf("# %d and %d snapshots, %d days joined\n", readers[0].snapshots,
           readers[1].snapshots, joined_days);
    apr_pool_destroy(own);
    apr_pool_destroy(pool);
    fixture_end();
    apr_terminate();
    return done();
}
