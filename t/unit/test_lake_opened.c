/* test_lake_opened.c - Parts stay open, within bounds, and are given back;
 * what is planned apart is what a scan reads.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_compact.h"
#include "dl_lake_stretch.h"
#include "lake_fixture.h"

#include "tap.h"

#include <dirent.h>

/* The bound on open parts (dl_lake_opened.h), descriptors of each included. */
#define PARTS_OPEN 256

static dl_lake *lake;
static apr_pool_t *lake_pool;

/* Count the descriptors of this process whose file lies below the lake and
 * has WORD in its path. */
static int count_files(const char *word)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;
    int n = 0;

    while ((entry = readdir(dir)) != NULL) {
        char path[64];
        char target[512];
        ssize_t len;

        snprintf(path, sizeof path, "/proc/self/fd/%.16s", entry->d_name);
        len = readlink(path, target, sizeof target - 1);
        if (len > 0) {
            target[len] = '\0';
            n += strstr(target, fixture_root) == target &&
                 strstr(target, word) != NULL;
        }
    }
    closedir(dir);
    return n;
}

static void open_lake(void)
{
    dl_error err = {.status = DL_OK};

    apr_pool_create(&lake_pool, NULL);
    ok(dl_lake_open(&lake, fixture_root, &err, lake_pool) == DL_OK,
       "the lake opens");
}

/* Return how many lines RANGE has, -1: it cannot be read; each is compared
 * with what the lines before it make it be. */
static long count_lines(const dl_lake_range *range)
{
    dl_error err = {.status = DL_OK};
    dl_lake_snapshot *snap;
    dl_lake_scan *scan;
    dl_lake_line line;
    apr_pool_t *pool;
    uint64_t want = range->from_line > 0 ? range->from_line : 1;
    dl_status status;
    long n = 0;

    apr_pool_create(&pool, NULL);
    status = dl_lake_snapshot_open(&snap, lake, "d", &err, pool);
    if (status == DL_OK) {
        status = dl_lake_scan_open(&scan, snap, range, &err, pool);
    }
    while (status == DL_OK) {
        char text[80];

        status = dl_lake_scan_next(&line, scan, &err);
        if (status != DL_OK || line.text == NULL) {
            break;
        }
        snprintf(text, sizeof text, "{\"p\":0,\"o\":%llu}",
                 (unsigned long long)want - 1);
        if (line.line != want++ || strlen(text) != line.len ||
            memcmp(text, line.text, line.len) != 0) {
            status = DL_INTERNAL;
        }
        n++;
    }
    apr_pool_destroy(pool);
    return status == DL_OK ? n : -1;
}

/* Write PARTS sealed parts of 10 lines to DAY_A, and 5 lines behind them. */
static void write_parts(dl_lake_writer **w, apr_pool_t **pool, int parts)
{
    dl_error err = {.status = DL_OK};
    dl_status status = fixture_writer(w, pool, &err);
    int i;

    for (i = 0; i < parts && status == DL_OK; i++) {
        status = fixture_batch(*w, TIME_A, 0, (int64_t)i * 10, 10,
                               TIME_A + (dl_time)i * 1000, &err);
        if (status == DL_OK) {
            status = dl_lake_writer_seal(*w, TIME_A + (dl_time)i * 1000, &err);
        }
    }
    if (status == DL_OK) {
        status = fixture_batch(*w, TIME_A, 0, (int64_t)parts * 10, 5,
                               TIME_A + (dl_time)parts * 1000, &err);
    }
    is_int(status, DL_OK, "given sealed parts and an open one");
}

static void test_kept_open(void)
{
    dl_lake_range a = {.day = DAY_A, .as_of = DL_TIME_NONE};
    dl_lake_writer *w;
    apr_pool_t *pool;
    int files;

    fixture_begin();
    write_parts(&w, &pool, 3);
    apr_pool_destroy(pool);
    open_lake();
    is_int(count_lines(&a), 35, "a scan reads the day");
    files = count_files(".json");
    is_int(files, 4, "its parts stay open");
    a.from_line = 12;
    a.to_line = 34;
    is_int(count_lines(&a), 23, "a scan from a line to a line reads those");
    a.from_line = 36;
    a.to_line = 0;
    is_int(count_lines(&a), 0, "one behind the last line reads nothing");
    a.from_line = 1;
    a.to_line = 99;
    is_int(count_lines(&a), 35, "a last line that is not there is no bound");
    is_int(count_files(".json"), files, "nothing was opened twice");
    apr_pool_destroy(lake_pool);
    is_int(count_files(""), 0, "with the handle all is closed");
    fixture_end();
}

static void test_given_back(void)
{
    dl_lake_range a = {.day = DAY_A, .as_of = DL_TIME_NONE};
    dl_error err = {.status = DL_OK};
    dl_lake_compaction job = {.root = fixture_root,
                              .dataset = "d",
                              .before = DAY_B,
                              .only = DL_DAY_NONE};
    dl_lake_compacted done_now;
    dl_lake_snapshot *snap;
    dl_lake_scan *scan = NULL;
    dl_lake_line line;
    dl_lake_writer *w;
    apr_pool_t *pool;
    apr_pool_t *reader;
    long n = 1;

    fixture_begin();
    write_parts(&w, &pool, 3);
    open_lake();
    apr_pool_create(&reader, lake_pool);
    ok(count_lines(&a) == 35 &&
           dl_lake_snapshot_open(&snap, lake, "d", &err, reader) == DL_OK &&
           dl_lake_scan_open(&scan, snap, &a, &err, reader) == DL_OK &&
           dl_lake_scan_next(&line, scan, &err) == DL_OK,
       "a scan has begun");
    is_int(dl_lake_compact(&done_now, &job, &err, pool), DL_OK,
           "the parts are joined under it");
    is_int(count_lines(&a), 35, "another scan reads the joined file");
    is_int(count_files("(deleted)"), 2,
           "but for the part being read, removed ones are closed");
    while (scan != NULL && dl_lake_scan_next(&line, scan, &err) == DL_OK &&
           line.text != NULL) {
        n += line.line == (uint64_t)n + 1;
    }
    is_int(n, 35, "the scan that had begun goes on in it");
    apr_pool_destroy(reader);
    is_int(count_files("(deleted)"), 0, "then all are");
    apr_pool_destroy(lake_pool);
    apr_pool_destroy(pool);
    fixture_end();
}

static void test_bound(void)
{
    dl_lake_range a = {.day = DAY_A, .as_of = DL_TIME_NONE};
    dl_lake_writer *w;
    apr_pool_t *pool;

    fixture_begin();
    write_parts(&w, &pool, PARTS_OPEN + 20);
    apr_pool_destroy(pool);
    open_lake();
    is_int(count_lines(&a), 10 * (PARTS_OPEN + 20) + 5,
           "a day of more parts than stay open is read");
    is_int(count_files(".json"), PARTS_OPEN, "as many as may stay open do");
    apr_pool_destroy(lake_pool);
    fixture_end();
}

static void test_within(void)
{
    dl_error err = {.status = DL_OK};
    dl_lake_snapshot *snap = NULL;
    dl_lake_day day = {.records = 0};
    dl_lake_writer *w;
    apr_pool_t *pool;
    int wrong = 0;
    int i;

    fixture_begin();
    write_parts(&w, &pool, 5);
    open_lake();
    ok(dl_lake_snapshot_open(&snap, lake, "d", &err, lake_pool) == DL_OK,
       "a snapshot opens");
    for (i = 0; i <= 5; i++) {
        wrong += dl_lake_day_within(&day, snap, DAY_A, TIME_A + i * 1000, &err,
                                    lake_pool) != DL_OK ||
                 day.records != (uint64_t)(i < 5 ? 10 * (i + 1) : 55) ||
                 day.version != (uint64_t)i + 1;
    }
    is_int(wrong, 0, "a day is known as it was after each commit");
    is_int(
        dl_lake_day_within(&day, snap, DAY_A, TIME_A - 1000, &err, lake_pool),
        DL_NOT_FOUND, "before the first there was none");
    ok(fixture_batch(w, TIME_A, 0, 55, 10, TIME_A + 9000, &err) == DL_OK &&
           dl_lake_snapshot_open(&snap, lake, "d", &err, lake_pool) == DL_OK,
       "the open part grows");
    for (i = 0; i < 3; i++) {
        wrong += dl_lake_day_within(&day, snap, DAY_A, TIME_A + 5000, &err,
                                    lake_pool) != DL_OK ||
                 day.records != 55;
    }
    is_int(wrong, 0, "what it was before is the same each time");
    ok(dl_lake_day_within(&day, snap, DAY_A, DL_TIME_NONE, &err, lake_pool) ==
               DL_OK &&
           day.records == 65,
       "without a time it is as it is");
    apr_pool_destroy(lake_pool);
    apr_pool_destroy(pool);
    fixture_end();
}

static void test_plan(void)
{
    dl_lake_range a = {.day = DAY_A, .as_of = DL_TIME_NONE, .from_line = 4};
    dl_error err = {.status = DL_OK};
    dl_lake_stretch stretches[8];
    dl_lake_room room = {.data = NULL};
    dl_lake_snapshot *snap = NULL;
    dl_lake_scan *scan = NULL;
    dl_lake_writer *w;
    apr_pool_t *pool;
    apr_pool_t *reader;
    uint64_t line = 4;
    int wrong = 0;
    int n = 0;
    int i;

    fixture_begin();
    write_parts(&w, &pool, 3);
    apr_pool_destroy(pool);
    open_lake();
    apr_pool_create(&reader, lake_pool);
    ok(dl_lake_snapshot_open(&snap, lake, "d", &err, reader) == DL_OK &&
           dl_lake_scan_open(&scan, snap, &a, &err, reader) == DL_OK,
       "a scan opens");
    while (n < 8 && dl_lake_scan_plan(&stretches[n], scan, &err) == DL_OK &&
           stretches[n].lines > 0) {
        n++;
    }
    apr_pool_destroy(reader);
    is_int(n, 4, "it plans a stretch of each part");
    for (i = 0; i < n; i++) {
        const char *data;
        size_t len;
        uint64_t lines = 0;

        if (dl_lake_stretch_read(&data, &len, &stretches[i], &room, &err) !=
            DL_OK) {
            wrong++;
            continue;
        }
        wrong += stretches[i].line != line || data[len - 1] != '\n';
        for (; len > 0; len--) {
            lines += data[len - 1] == '\n';
        }
        wrong += lines != stretches[i].lines;
        line += lines;
        dl_lake_stretch_release(&stretches[i]);
    }
    is_int(wrong, 0, "each is read when the scan is gone");
    is_int((long long)line, 36, "together they are the lines of the day");
    dl_lake_room_free(&room);
    apr_pool_destroy(lake_pool);
    is_int(count_files(""), 0, "and nothing stays open");
    fixture_end();
}

int main(void)
{
    apr_initialize();
    test_kept_open();
    test_given_back();
    test_bound();
    test_within();
    test_plan();
    apr_terminate();
    return done();
}
