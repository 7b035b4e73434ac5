/* test_lake_errors.c - Full disks, failed syncs, many days, quarantine.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_compact.h"
#include "dl_lake_io.h"
#include "dl_lake_quarantine.h"
#include "lake_fixture.h"

#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static char text[4096];

/* --- A table of calls that fail ------------------------------------------- */

static dl_lake_io table;
static int writes_left; /* pwrites until one fails, negative: never */
static bool fails_now;  /* the rest of a short write fails */
static int write_errno;
static bool sync_fails;

static ssize_t failing_pwrite(int fd, const void *data, size_t len, off_t at)
{
    if (fails_now) {
        fails_now = false;
        errno = write_errno;
        return -1;
    }
    if (writes_left >= 0 && writes_left-- == 0) {
        fails_now = true;
        return pwrite(fd, data, len / 2, at); /* a short write first */
    }
    return pwrite(fd, data, len, at);
}

static int failing_sync(int fd)
{
    (void)fd;
    if (sync_fails) {
        errno = EIO;
        return -1;
    }
    return 0;
}

static dl_status open_failing(dl_lake_writer **w, apr_pool_t **pool,
                              dl_error *err)
{
    dl_lake_options o = {.root = fixture_root, .dataset = "d", .io = &table};

    table = dl_lake_io_real;
    table.pwrite = failing_pwrite;
    table.fdatasync = failing_sync;
    writes_left = -1;
    sync_fails = false;
    apr_pool_create(pool, NULL);
    return dl_lake_writer_open(w, &o, err, *pool);
}

static void test_full_disk(void)
{
    dl_lake_range a = {.day = DAY_A, .as_of = DL_TIME_NONE};
    dl_error err = {.status = DL_OK};
    dl_lake_writer *w;
    apr_pool_t *pool;
    int n;
    int wrong = 0;

    fixture_begin();
    ok(open_failing(&w, &pool, &err) == DL_OK &&
           fixture_batch(w, TIME_A, 0, 0, 2, TIME_A, &err) == DL_OK,
       "given a lake of two lines");
    write_errno = ENOSPC;
    for (n = 0; n < 4; n++) {
        writes_left = n;
        if (fixture_batch(w, n % 2 == 0 ? TIME_A : TIME_B, 0, 2, 3, TIME_A,
                          &err) == DL_OK) {
            break; /* a commit of one part has three writes */
        }
        wrong += err.status != DL_NO_SPACE || dl_lake_writer_next(w, 0) != 2 ||
                 dl_lake_writer_pending(w) != 0;
        writes_left = -1;
        wrong += strcmp(fixture_read(text, sizeof text, &a),
                        "{\"p\":0,\"o\":0};{\"p\":0,\"o\":1};") != 0;
    }
    is_int(n, 3, "each of the three writes of a commit was refused once");
    is_int(wrong, 0, "which is DL_NO_SPACE, forgets the batch, shows nothing");
    writes_left = -1;
    ok(fixture_batch(w, TIME_A, 0, dl_lake_writer_next(w, 0), 1, TIME_A,
                     &err) == DL_OK,
       "with room again the writer goes on from next()");
    apr_pool_destroy(pool);
    is_int(fixture_problems(), 0, "and the lake has no problem");
    fixture_end();
}

/* --- Writes past the page cache -------------------------------------------- */

static bool direct_works;    /* what the file system of the table can do */
static bool is_direct[1024]; /* by descriptor: opened with O_DIRECT */
static int direct_writes;
static int cut_short;    /* direct writes until one is short, negative: never */
static int refused = -1; /* likewise until one fails */
static int refused_errno;

static int some_openat(int dir, const char *path, int flags, mode_t mode)
{
    int fd;

    if ((flags & O_DIRECT) != 0 && !direct_works) {
        errno = EINVAL;
        return -1;
    }
    fd = openat(dir, path, flags & ~O_DIRECT, mode);
    if (fd >= 0 && fd < 1024) {
        is_direct[fd] = (flags & O_DIRECT) != 0;
    }
    return fd;
}

static ssize_t strict_pwrite(int fd, const void *data, size_t len, off_t at)
{
    if (!is_direct[fd]) {
        return pwrite(fd, data, len, at);
    }
    if ((uintptr_t)data % 4096 != 0 || len % 4096 != 0 || at % 4096 != 0) {
        direct_writes = -1000000;
    }
    direct_writes++;
    if (cut_short >= 0 && cut_short-- == 0) {
        return pwrite(fd, data, 12345, at);
    }
    if (refused >= 0 && refused-- == 0) {
        errno = refused_errno;
        return -1;
    }
    return pwrite(fd, data, len, at);
}

/* Commit thrice three MB of lines whose length no block divides. */
static int write_much(void)
{
    dl_lake_options o = {.root = fixture_root, .dataset = "d", .io = &table};
    dl_coord c = {.partition = 0, .time = TIME_A};
    static char line[7001];
    dl_error err = {.status = DL_OK};
    dl_lake_writer *w;
    apr_pool_t *pool;
    int wrong = 0;

    memset(line, 'x', sizeof line);
    table = dl_lake_io_real;
    table.pwrite = strict_pwrite;
    table.openat = some_openat;
    direct_writes = 0;
    apr_pool_create(&pool, NULL);
    wrong += dl_lake_writer_open(&w, &o, &err, pool) != DL_OK;
    for (int commit = 0; commit < 3; commit++) {
        for (int i = 0; i < 450; i++) {
            wrong += dl_lake_writer_append(w, TIME_A, line, sizeof line, &c,
                                           &err) != DL_OK;
            c.offset++;
        }
        wrong += dl_lake_writer_commit(w, TIME_A, &err) != DL_OK;
    }
    apr_pool_destroy(pool);
    return wrong + fixture_problems();
}

static void test_direct(void)
{
    fixture_begin();
    cut_short = -1;
    direct_works = true;
    is_int(write_much(), 0, "a backlog is written whole and checks out");
    ok(direct_writes > 6, "most of it past the page cache, in whole blocks");
    fixture_end();
    fixture_begin();
    cut_short = 3;
    is_int(write_much(), 0, "so it is when such a write ends early");
    cut_short = -1;
    fixture_end();
    fixture_begin();
    direct_works = false;
    is_int(write_much(), 0, "and where the file system has none");
    is_int(direct_writes, 0, "which is then not asked to");
    fixture_end();
    fixture_begin();
    direct_works = true;
    refused = 2;
    refused_errno = EINVAL;
    is_int(write_much(), 0, "or has them, but not for these bytes");
    fixture_end();
}

/* Append lines from NEXT on up to END; return the status that stopped it. */
static dl_status append_to(dl_lake_writer *w, int64_t end, dl_error *err)
{
    static char line[7001];
    dl_coord c = {.partition = 0, .time = TIME_A};

    memset(line, 'x', sizeof line);
    for (c.offset = dl_lake_writer_next(w, 0); c.offset < end; c.offset++) {
        if (c.offset < 0) {
            continue;
        }
        DL_TRY(dl_lake_writer_append(w, TIME_A, line, sizeof line, &c, err));
    }
    return dl_lake_writer_commit(w, TIME_A, err);
}

/* A disk that is full for the thread behind: the writer is told, forgets, and
 * goes on with room. */
static void test_full_behind(void)
{
    dl_lake_options o = {.root = fixture_root,
                         .dataset = "d",
                         .io = &table,
                         .buffer_size = 65536};
    dl_error err = {.status = DL_OK};
    dl_lake_writer *w;
    apr_pool_t *pool;
    int wrong = 0;

    fixture_begin();
    table = dl_lake_io_real;
    table.pwrite = strict_pwrite;
    table.openat = some_openat;
    direct_works = true;
    direct_writes = 0;
    refused_errno = ENOSPC;
    apr_pool_create(&pool, NULL);
    ok(dl_lake_writer_open(&w, &o, &err, pool) == DL_OK &&
           append_to(w, 100, &err) == DL_OK && direct_writes > 5,
       "given a lake whose blocks are written behind");
    for (int n = 0; n < 12; n++) {
        int64_t next = dl_lake_writer_next(w, 0);

        refused = n;
        wrong += append_to(w, next + 200, &err) != DL_NO_SPACE ||
                 dl_lake_writer_next(w, 0) != next ||
                 dl_lake_writer_pending(w) != 0 || fixture_problems() != 0;
        refused = -1;
        wrong +=
            append_to(w, next + 20, &err) != DL_OK || fixture_problems() != 0;
    }
    is_int(wrong, 0,
           "a write that fails behind is DL_NO_SPACE, forgets all, "
           "and the next batch goes on from there");
    is_int((long long)dl_lake_writer_numbers(w)->records, 340,
           "nothing is there twice");
    apr_pool_destroy(pool);
    fixture_end();
}

static void test_failed_sync(void)
{
    dl_error err = {.status = DL_OK};
    int status = 0;
    pid_t child;

    fixture_begin();
    fflush(stdout);
    child = fork();
    if (child == 0) {
        dl_lake_writer *w;
        apr_pool_t *pool;
        struct rlimit none = {0, 0};

        setrlimit(RLIMIT_CORE, &none);
        fclose(stderr);
        if (open_failing(&w, &pool, &err) != DL_OK) {
            _exit(1);
        }
        sync_fails = true;
        (void)!fixture_batch(w, TIME_A, 0, 0, 1, TIME_A, &err);
        _exit(0);
    }
    waitpid(child, &status, 0);
    ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT,
       "a failed sync aborts the process");
    fixture_end();
}

/* --- Many days ------------------------------------------------------------ */

static void test_many_days(void)
{
    dl_error err = {.status = DL_OK};
    dl_status status;
    dl_lake_writer *w;
    apr_pool_t *pool;
    dl_lake *lake;
    dl_lake_snapshot *snap;
    int i;

    fixture_begin();
    status = fixture_writer(&w, &pool, &err);
    for (i = 0; i < 4500 && status == DL_OK; i++) {
        status = fixture_line(w, (10000 + i % 4200) * DL_DAY_US, 0, i, &err);
    }
    if (status == DL_OK) {
        status = dl_lake_writer_commit(w, TIME_A, &err);
    }
    is_int(status, DL_OK, "4,500 lines of 4,200 days go in");
    ok(dl_lake_writer_numbers(w)->open_parts <= 4096 &&
           dl_lake_writer_numbers(w)->sealed > 0,
       "not more than 4,096 parts are open, the others are sealed");
    status = dl_lake_open(&lake, fixture_root, &err, pool);
    if (status == DL_OK) {
        status = dl_lake_snapshot_open(&snap, lake, "d", &err, pool);
    }
    if (!ok(status == DL_OK, "a snapshot opens")) {
        return;
    }
    is_int(dl_lake_days(snap), 4200, "it has all days");
    is_int((long long)dl_lake_snapshot_totals(snap)->records, 4500,
           "and all lines");
    apr_pool_destroy(pool);
    ok(fixture_writer(&w, &pool, &err) == DL_OK &&
           dl_lake_writer_next(w, 0) == 4500,
       "the writer recovers them");
    apr_pool_destroy(pool);
    is_int(fixture_problems(), 0, "without a problem");
    fixture_end();
}

/* --- Quarantine ----------------------------------------------------------- */

static dl_status reject(dl_lake_writer *w, int64_t offset, size_t len,
                        dl_error *err)
{
    static char payload[3 << 20];
    dl_coord c = {.partition = 4, .offset = offset, .time = TIME_A};
    dl_lake_reject q = {.reason = "bad-time",
                        .detail = "31 April",
                        .payload = payload,
                        .len = len};

    memset(payload, 'q', sizeof payload);
    return dl_lake_writer_reject(w, &q, &c, err);
}

static void test_quarantine(void)
{
    dl_error err = {.status = DL_OK};
    dl_lake_quarantine_walk *walk = NULL;
    dl_lake_set_aside q;
    dl_lake_snapshot *snap = NULL;
    dl_lake_writer *w;
    apr_pool_t *pool;
    dl_status status;
    dl_lake *lake;
    int n = 0;
    int i;

    fixture_begin();
    status = fixture_writer(&w, &pool, &err);
    for (i = 0; i < 30 && status == DL_OK; i++) {
        status = reject(w, i, 3 << 20, &err);
        if (status == DL_OK && i % 7 == 0) {
            status = dl_lake_writer_commit(w, TIME_A, &err);
        }
    }
    is_int(status, DL_OK, "30 values of 3 MB are set aside");
    ok(dl_lake_open(&lake, fixture_root, &err, pool) == DL_OK &&
           dl_lake_snapshot_open(&snap, lake, "d", &err, pool) == DL_OK &&
           dl_lake_quarantine_open(&walk, snap, NULL, &err, pool) == DL_OK,
       "quarantine opens");
    while (dl_lake_quarantine_next(&q, walk, &err) == DL_OK &&
           q.payload != NULL) {
        if (q.coord.offset != n || q.len != 3 << 20 ||
            q.reason != DL_LAKE_BAD_TIME || strcmp(q.detail, "31 April") != 0 ||
            q.key != NULL) {
            break;
        }
        n++;
    }
    is_int(n, 29, "the 29 committed ones are read back, over two files");
    is_int((long long)dl_lake_snapshot_totals(snap)->rejects[DL_LAKE_BAD_TIME],
           29, "and counted by reason");
    apr_pool_destroy(pool);
    ok(fixture_writer(&w, &pool, &err) == DL_OK &&
           dl_lake_writer_next(w, 4) == 29,
       "the uncommitted one is read again");
    apr_pool_destroy(pool);
    is_int(fixture_problems(), 0, "without a problem");
    fixture_end();
}

/* --- Compaction ----------------------------------------------------------- */

static void test_compaction(void)
{
    dl_lake_range a = {.day = DAY_A, .as_of = DL_TIME_NONE};
    dl_lake_range v2 = {.day = DAY_A, .version = 2, .as_of = DL_TIME_NONE};
    dl_lake_compaction job = {.root = fixture_root,
                              .dataset = "d",
                              .before = DAY_B,
                              .only = DL_DAY_NONE};
    char sum_before[DL_LAKE_SHA256_TEXT] = "";
    char sum_after[DL_LAKE_SHA256_TEXT] = "";
    dl_error err = {.status = DL_OK};
    dl_lake_compacted joined;
    dl_lake_snapshot *snap = NULL;
    dl_lake_snapshot *newer = NULL;
    dl_lake_scan *scan = NULL;
    dl_lake_line line;
    dl_lake_writer *w;
    apr_pool_t *pool;
    dl_lake *lake;
    char all[1000];
    char two[1000];
    int n = 0;
    int i;

    fixture_begin();
    ok(fixture_writer(&w, &pool, &err) == DL_OK, "given a day of 5 parts");
    for (i = 0; i < 5; i++) {
        ok(fixture_batch(w, TIME_A, i % 2, i, 1, TIME_A + i * 1000, &err) ==
                   DL_OK &&
               (i == 4 || dl_lake_writer_seal(w, TIME_A, &err) == DL_OK),
           i == 4 ? "the last one open" : "one sealed");
    }
    fixture_read(all, sizeof all, &a);
    fixture_read(two, sizeof two, &v2);
    ok(dl_lake_open(&lake, fixture_root, &err, pool) == DL_OK &&
           dl_lake_snapshot_open(&snap, lake, "d", &err, pool) == DL_OK &&
           dl_lake_scan_open(&scan, snap, &a, &err, pool) == DL_OK &&
           dl_lake_scan_next(&line, scan, &err) == DL_OK &&
           dl_lake_day_sha256(sum_before, snap, DAY_A, &err, pool) == DL_OK,
       "and a reader that has read its first line");
    ok(dl_lake_compact(&joined, &job, &err, pool) == DL_OK &&
           joined.days == 1 && joined.parts == 4,
       "when four parts are joined");
    while (dl_lake_scan_next(&line, scan, &err) == DL_OK && line.text != NULL) {
        n++;
    }
    is_int(n, 4, "that reader reads on to the end");
    ok(fixture_batch(w, TIME_A, 0, 100, 1, TIME_A + 9000, &err) == DL_OK &&
           dl_lake_writer_seal(w, TIME_A, &err) == DL_OK,
       "and the writer goes on");
    v2.version = 5;
    is_str(fixture_read(text, sizeof text, &v2), all,
           "version 5 is what it was before");
    v2.version = 2;
    is_str(fixture_read(text, sizeof text, &v2), two, "so is version 2");
    ok(dl_lake_day_sha256(sum_after, snap, DAY_A, &err, pool) == DL_OK &&
           strcmp(sum_before, sum_after) == 0,
       "an old snapshot keeps its sum");
    ok(dl_lake_compact(&joined, &job, &err, pool) == DL_OK &&
           joined.parts == 2 &&
           dl_lake_snapshot_open(&newer, lake, "d", &err, pool) == DL_OK &&
           dl_lake_day_find(&(dl_lake_day){0}, newer, DAY_A, &err) == DL_OK,
       "whole file and late part are joined again");
    ok(dl_lake_day_sha256(sum_after, newer, DAY_A, &err, pool) == DL_OK &&
           strcmp(sum_before, sum_after) != 0,
       "the newer day has another sum");
    n = 0;
    ok(dl_lake_scan_open(&scan, snap, &a, &err, pool) == DL_OK,
       "the oldest snapshot still opens the day");
    while (dl_lake_scan_next(&line, scan, &err) == DL_OK && line.text != NULL) {
        n++;
    }
    is_int(n, 5, "with its own five lines");
    apr_pool_destroy(pool);
    is_int(fixture_problems(), 0, "the lake has no problem");
    fixture_end();
}

int main(void)
{
    apr_initialize();
    test_full_disk();
    test_direct();
    test_full_behind();
    test_failed_sync();
    test_many_days();
    test_quarantine();
    test_compaction();
    apr_terminate();
    return done();
}
