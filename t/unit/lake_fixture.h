/* lake_fixture.h - A scratch lake for unit tests: open, append, read, remove.
 *
 * Every line appended by fixture_line() says its partition and offset, so a
 * test can tell from the text what it reads.  Thread: one.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef LAKE_FIXTURE_H
#define LAKE_FIXTURE_H

#include "dl_lake_fsck.h"
#include "dl_lake_reader.h"
#include "dl_lake_writer.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_general.h>

/* 2026-05-18 and the day after it. */
#define DAY_A 20591
#define DAY_B 20592

/* A point of time in DAY_A: half past nine. */
#define TIME_A (DAY_A * DL_DAY_US + 34200000000)
#define TIME_B (DAY_B * DL_DAY_US + 34200000000)

static char fixture_root[64]; /* the lake's folder */

/* Make an empty lake. */
static inline void fixture_begin(void)
{
    /* In memory where there is such a folder: syncs are not what is tested. */
    snprintf(fixture_root, sizeof fixture_root, "%s/dl_lake.XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(fixture_root) == NULL) {
        perror("mkdtemp");
        exit(EXIT_FAILURE);
    }
}

static inline int fixture_unlink(const char *path, const struct stat *st,
                                 int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

/* Remove the lake. */
static inline void fixture_end(void)
{
    nftw(fixture_root, fixture_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

/* Open a writer of dataset "d"; its pool is *POOL. */
static inline dl_status fixture_writer(dl_lake_writer **w, apr_pool_t **pool,
                                       dl_error *err)
{
    dl_lake_options o = {.root = fixture_root, .dataset = "d"};

    apr_pool_create(pool, NULL);
    return dl_lake_writer_open(w, &o, err, *pool);
}

/* Append the line of PARTITION and OFFSET at EVENT_TIME. */
static inline dl_status fixture_line(dl_lake_writer *w, dl_time event_time,
                                     int partition, int64_t offset,
                                     dl_error *err)
{
    dl_coord c = {
        .partition = partition, .offset = offset, .time = event_time + 1000000};
    char line[80];
    int len = snprintf(line, sizeof line, "{\"p\":%d,\"o\":%lld}", partition,
                       (long long)offset);

    return dl_lake_writer_append(w, event_time, line, (uint32_t)len, &c, err);
}

/* Append N lines of PARTITION from FIRST on, and commit at NOW. */
static inline dl_status fixture_batch(dl_lake_writer *w, dl_time event_time,
                                      int partition, int64_t first, int n,
                                      dl_time now, dl_error *err)
{
    int i;

    for (i = 0; i < n; i++) {
        DL_TRY(fixture_line(w, event_time, partition, first + i, err));
    }
    return dl_lake_writer_commit(w, now, err);
}

/* Read DAY of "d" as RANGE says into TEXT of SIZE bytes: its lines with ';'
 * behind each; or "status" when that fails. */
static inline const char *fixture_read(char *text, size_t size,
                                       const dl_lake_range *range)
{
    dl_error err = {.status = DL_OK};
    dl_lake *lake;
    dl_lake_snapshot *snap;
    dl_lake_scan *scan;
    dl_lake_line line;
    apr_pool_t *pool;
    dl_status status;
    size_t used = 0;

    apr_pool_create(&pool, NULL);
    text[0] = '\0';
    status = dl_lake_open(&lake, fixture_root, &err, pool);
    if (status == DL_OK) {
        status = dl_lake_snapshot_open(&snap, lake, "d", &err, pool);
    }
    if (status == DL_OK) {
        status = dl_lake_scan_open(&scan, snap, range, &err, pool);
    }
    while (status == DL_OK) {
        status = dl_lake_scan_next(&line, scan, &err);
        if (status != DL_OK || line.text == NULL) {
            break;
        }
        used += (size_t)snprintf(text + used, size - used, "%.*s;",
                                 (int)line.len, line.text);
    }
    if (status != DL_OK) {
        snprintf(text, size, "%s", dl_status_name(status));
        if (status != DL_NOT_FOUND) {
            printf("# %s\n", err.text);
        }
    }
    apr_pool_destroy(pool);
    return text;
}

static inline void fixture_say(void *context, const char *file,
                               const char *text)
{
    (void)context;
    printf("# %s: %s\n", file, text);
}

/* Check "d" as `datalakectl fsck` does and print what is wrong; return how many
 * problems there are, -1: it cannot be checked. */
static inline int fixture_problems(void)
{
    dl_lake_check check = {
        .root = fixture_root, .dataset = "d", .problem = fixture_say};
    dl_error err = {.status = DL_OK};
    dl_lake_findings found;
    apr_pool_t *pool;
    dl_status status;

    apr_pool_create(&pool, NULL);
    status = dl_lake_fsck(&found, &check, &err, pool);
    apr_pool_destroy(pool);
    return status == DL_OK ? found.problems : -1;
}

#endif
