/* test_lake_fsck.c - A whole lake is clean; one flipped byte is found.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_compact.h"
#include "dl_lake_fsck.h"
#include "lake_fixture.h"

#include "tap.h"

#include <fcntl.h>
#include <unistd.h>

static char last_problem[600];
static bool say_problems;

static void note_problem(void *context, const char *file, const char *text)
{
    (void)context;
    snprintf(last_problem, sizeof last_problem, "%s: %s", file, text);
    if (say_problems) {
        printf("# %s\n", last_problem);
    }
}

static int problems(apr_pool_t *pool)
{
    dl_lake_check check = {
        .root = fixture_root, .dataset = "d", .problem = note_problem};
    dl_lake_findings found;
    dl_error err = {.status = DL_OK};
    apr_pool_t *own;
    dl_status status;

    apr_pool_create(&own, pool);
    status = dl_lake_fsck(&found, &check, &err, own);
    apr_pool_destroy(own);
    return status == DL_OK ? found.problems : -1;
}

static dl_status reject(dl_lake_writer *w, int64_t offset, dl_error *err)
{
    dl_coord c = {.partition = 2, .offset = offset, .time = TIME_A};
    dl_lake_reject q = {.reason = "schema",
                        .detail = "amount is missing",
                        .payload = "{\"x\":1}",
                        .len = 7,
                        .key = "k",
                        .key_len = 1};

    return dl_lake_writer_reject(w, &q, &c, err);
}

/* A cold day, a compacted day with a later part, an open part, quarantine. */
static dl_status small_lake(dl_error *err, apr_pool_t *pool)
{
    dl_lake_compaction job = {.root = fixture_root,
                              .dataset = "d",
                              .before = DAY_B,
                              .only = DL_DAY_NONE,
                              .cold_after = 1};
    dl_lake_compacted done;
    apr_pool_t *own;
    dl_lake_writer *w;

    DL_TRY(fixture_writer(&w, &own, err));
    DL_TRY(fixture_batch(w, TIME_A - DL_DAY_US, 3, 0, 3, 500000, err));
    DL_TRY(fixture_batch(w, TIME_A, 0, 0, 3, 1000000, err));
    DL_TRY(dl_lake_writer_seal(w, 1000000, err));
    DL_TRY(fixture_batch(w, TIME_A, 1, 0, 3, 2000000, err));
    DL_TRY(dl_lake_writer_seal(w, 2000000, err));
    DL_TRY(dl_lake_compact(&done, &job, err, pool));
    DL_TRY(fixture_batch(w, TIME_A, 1, 3, 2, 3000000, err));
    DL_TRY(dl_lake_writer_seal(w, 3000000, err));
    DL_TRY(reject(w, 0, err));
    DL_TRY(fixture_batch(w, TIME_B, 0, 3, 4, 4000000, err));
    DL_TRY(fixture_batch(w, TIME_A, 0, 7, 1, 5000000, err));
    apr_pool_destroy(own);
    return done.days == 2 && done.parts == 3 && done.cold_days == 1
               ? DL_OK
               : DL_INTERNAL;
}

/* --- Every byte ----------------------------------------------------------- */

static int flips;
static int missed;
static apr_pool_t *flip_pool;

/* Flip one bit of the byte at AT of FD, check, and put it back. */
static void flip(int fd, const char *path, off_t at)
{
    unsigned char byte;
    unsigned char other;

    if (pread(fd, &byte, 1, at) != 1) {
        return;
    }
    other = byte ^ (unsigned char)(1 << (at % 8));
    if (pwrite(fd, &other, 1, at) != 1) {
        return;
    }
    flips++;
    if (problems(flip_pool) == 0) {
        missed++;
        printf("# byte %ld of %s\n", (long)at, path + strlen(fixture_root));
    }
    if (pwrite(fd, &byte, 1, at) != 1) {
        abort();
    }
}

static int flip_file(const char *path, const struct stat *st, int kind,
                     struct FTW *ftw)
{
    const char *name = path + ftw->base;
    off_t step = 1;
    int fd;

    if (kind != FTW_F || strcmp(name, "LOCK") == 0) {
        return 0;
    }
    fd = open(path, O_RDWR);
    for (off_t at = 0; fd >= 0 && at < st->st_size; at += step) {
        /* The head is large and mostly unused: every byte in the beginning
         * of both copies, then some. */
        if (strcmp(name, "head") == 0 &&
            !(at < 1200 || (at >= 409856 && at < 411000))) {
            step = 4093;
        }
        else {
            step = 1;
        }
        flip(fd, path, at);
    }
    if (fd >= 0) {
        close(fd);
    }
    return 0;
}

static void test_flips(apr_pool_t *pool)
{
    dl_error err = {.status = DL_OK};

    fixture_begin();
    ok(small_lake(&err, pool) == DL_OK,
       "given a cold day, a joined one, a later part, open parts, quarantine");
    say_problems = true;
    is_int(problems(pool), 0, "the lake has no problem");
    say_problems = false;
    flip_pool = pool;
    nftw(fixture_root, flip_file, 16, FTW_PHYS);
    ok(flips > 3000, "one bit was flipped in each of thousands of bytes");
    is_int(missed, 0, "and each flip is found");
    is_int(problems(pool), 0, "put back, the lake has no problem again");
    printf("# flips=%d missed=%d\n", flips, missed);
    fixture_end();
}

/* --- Lost ends ------------------------------------------------------------ */

static void cut(const char *name, off_t by)
{
    char path[200];
    struct stat st;

    snprintf(path, sizeof path, "%s/%s", fixture_root, name);
    if (stat(path, &st) != 0 || truncate(path, st.st_size - by) != 0) {
        printf("# cannot cut %s\n", path);
    }
}

static void test_lost_ends(apr_pool_t *pool)
{
    dl_error err = {.status = DL_OK};
    dl_lake_writer *w;
    apr_pool_t *own;

    fixture_begin();
    ok(small_lake(&err, pool) == DL_OK, "given a lake");
    cut("_lake/d/journal", 1);
    ok(problems(pool) > 0, "a journal without its last byte is found");
    is_int(fixture_writer(&w, &own, &err), DL_CORRUPT,
           "and no writer goes on behind it");
    apr_pool_destroy(own);
    fixture_end();

    fixture_begin();
    ok(small_lake(&err, pool) == DL_OK, "given a lake");
    cut("_lake/d/open/2026-05-19.001.json", 1);
    ok(problems(pool) > 0, "a part shorter than committed is found");
    is_int(fixture_writer(&w, &own, &err), DL_CORRUPT, "and stops the writer");
    apr_pool_destroy(own);
    fixture_end();

    fixture_begin();
    ok(small_lake(&err, pool) == DL_OK, "given a lake");
    cut("_lake/d/m/0000000001", 1);
    ok(problems(pool) > 0, "a manifest without its last byte is found");
    is_int(fixture_writer(&w, &own, &err), DL_CORRUPT, "and stops the writer");
    apr_pool_destroy(own);
    fixture_end();
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_flips(pool);
    test_lost_ends(pool);
    apr_terminate();
    return done();
}
