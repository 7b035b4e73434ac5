/* torture_lake.c - The lake and the audit log while memory runs out: what was
 * acknowledged is there, once and whole, whatever failed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "torture.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "dl_audit.h"
#include "dl_audit_file.h"
#include "dl_audit_folder.h"
#include "dl_lake_compact.h"
#include "dl_lake_fsck.h"
#include "dl_lake_reader.h"
#include "dl_lake_writer.h"

/* 2026-05-18, half past nine. */
#define DAY    20591
#define TIME_A (DAY * DL_DAY_US + 34200000000)

/* What is known of a lake: lines put, and lines a commit acknowledged. */
typedef struct story {
    int put;   /* appended */
    int acked; /* acknowledged */
} story;

/* Append N lines and commit them. */
static dl_status batch(story *s, dl_lake_writer *w, int n, dl_error *err)
{
    for (int i = 0; i < n; i++) {
        dl_coord c = {.partition = 0, .offset = s->put, .time = TIME_A};
        char line[40];
        int len = snprintf(line, sizeof line, "{\"o\":%d}", s->put);

        s->put++;
        DL_TRY(dl_lake_writer_append(w, TIME_A, line, (uint32_t)len, &c, err));
    }
    DL_TRY(dl_lake_writer_commit(w, s->put * INT64_C(1000000), err));
    s->acked = s->put;
    return DL_OK;
}

/* Read the day: set *N to its lines, which have to be 0, 1, 2 ... */
static dl_status read_day(int *n, const char *root, dl_error *err,
                          apr_pool_t *pool)
{
    const dl_lake_range range = {.day = DAY, .as_of = DL_TIME_NONE};
    dl_lake *lake;
    dl_lake_snapshot *snap;
    dl_lake_scan *scan;
    dl_lake_line line;

    *n = 0;
    DL_TRY(dl_lake_open(&lake, root, err, pool));
    DL_TRY(dl_lake_snapshot_open(&snap, lake, "d", err, pool));
    DL_TRY(dl_lake_scan_open(&scan, snap, &range, err, pool));
    for (;;) {
        char wanted[40];
        int len = snprintf(wanted, sizeof wanted, "{\"o\":%d}", *n);

        DL_TRY(dl_lake_scan_next(&line, scan, err));
        if (line.text == NULL) {
            return DL_OK;
        }
        if ((int)line.len != len || memcmp(line.text, wanted, line.len) != 0) {
            return dl_fail(err, DL_CORRUPT, 0, "line %d is another", *n);
        }
        ++*n;
    }
}

/* With memory enough, is all that S acknowledged there, and nothing that was
 * not put; and does fsck agree? */
static bool holds(const story *s, const char *root, apr_pool_t *pool)
{
    dl_lake_options o = {.root = root, .dataset = "d"};
    dl_lake_check check = {.root = root, .dataset = "d"};
    dl_lake_findings found = {.problems = 0};
    dl_error err = {0};
    dl_lake_writer *w;
    apr_pool_t *own;
    int n = 0;
    dl_status status;

    torture_calm();
    apr_pool_create(&own, pool);
    status = dl_lake_writer_open(&w, &o, &err, own);
    apr_pool_destroy(own);
    if (status == DL_OK) {
        status = dl_lake_fsck(&found, &check, &err, pool);
    }
    if (status == DL_OK) {
        status = read_day(&n, root, &err, pool);
    }
    if (status == DL_NOT_FOUND) {
        status = DL_OK;
    }
    if (status != DL_OK || found.problems != 0 || n < s->acked || n > s->put) {
        printf("# %s; %d problems, %d of %d acknowledged\n", err.text,
               (int)found.problems, n, s->acked);
        return false;
    }
    return true;
}

static dl_status write_lake(story *s, const char *root, dl_error *err,
                            apr_pool_t *pool)
{
    dl_lake_options o = {.root = root, .dataset = "d", .buffer_size = 4096};
    dl_lake_writer *w;

    DL_TRY(dl_lake_writer_open(&w, &o, err, pool));
    for (int i = 0; i < 3; i++) {
        DL_TRY(batch(s, w, 5, err));
    }
    DL_TRY(dl_lake_writer_seal(w, 20000000, err));
    return batch(s, w, 300, err);
}

torture_verdict torture_lake_write(dl_error *err, const char *folder,
                                   apr_pool_t *pool)
{
    story s = {0, 0};
    apr_pool_t *own;
    dl_status status;
    bool good;

    apr_pool_create(&own, pool);
    status = write_lake(&s, folder, err, own);
    apr_pool_destroy(own);
    good = holds(&s, folder, pool);
    return good ? torture_judge(status, err, 1) : TORTURE_WRONG;
}

/* Read, check and compact a lake of two sealed parts. */
static dl_status keep_lake(int *n, const char *root, dl_error *err,
                           apr_pool_t *pool)
{
    dl_lake_check check = {.root = root, .dataset = "d"};
    dl_lake_findings found = {.problems = 0};
    dl_lake_compaction job = {
        .root = root, .dataset = "d", .before = DAY + 1, .only = DL_DAY_NONE};
    dl_lake_compacted done;

    DL_TRY(read_day(n, root, err, pool));
    DL_TRY(dl_lake_fsck(&found, &check, err, pool));
    if (found.problems != 0) {
        return dl_fail(err, DL_CORRUPT, 0, "fsck finds what is not there");
    }
    return dl_lake_compact(&done, &job, err, pool);
}

torture_verdict torture_lake_keep(dl_error *err, const char *folder,
                                  apr_pool_t *pool)
{
    dl_lake_options o = {.root = folder, .dataset = "d"};
    story s = {0, 0};
    dl_lake_writer *w;
    apr_pool_t *own;
    dl_status status;
    int n = 0;

    apr_pool_create(&own, pool);
    status = dl_lake_writer_open(&w, &o, err, own);
    for (int i = 1; i <= 2 && status == DL_OK; i++) {
        status = batch(&s, w, 5, err);
        if (status == DL_OK) {
            status = dl_lake_writer_seal(w, i * INT64_C(30000000), err);
        }
    }
    apr_pool_destroy(own);
    if (status == DL_OK) {
        apr_pool_create(&own, pool);
        status = keep_lake(&n, folder, err, own);
        apr_pool_destroy(own);
    }
    if (!holds(&s, folder, pool) || (status == DL_OK && n != 10) ||
        status == DL_CORRUPT) {
        return TORTURE_WRONG;
    }
    return torture_judge(status, err, 1);
}

/* --- Audit ---------------------------------------------------------------- */

/* Append a line to FILE and make it durable. */
static dl_status audit_one(dl_audit_file *file, dl_buf *buf, dl_error *err)
{
    dl_audit_entry entry = {.timestamp = TIME_A,
                            .user_id = 7,
                            .method = "POST",
                            .endpoint = "/api/x",
                            .action = "write",
                            .request_id = "0123456789abcdef0123456789abcdef",
                            .status = 200};
    size_t sealed;

    entry.text[DL_AUDIT_USER] = (dl_audit_text){"alice", 5};
    entry.text[DL_AUDIT_ADDRESS] = (dl_audit_text){"::1", 3};
    buf->len = 0;
    DL_TRY(dl_audit_encode(buf, &sealed, &entry, err));
    DL_TRY(dl_audit_file_reserve(file, (int64_t)buf->len, err));
    DL_TRY(dl_audit_file_append(file, buf->data, buf->len, sealed, err));
    DL_TRY(dl_audit_file_write(file, err));
    return dl_audit_file_sync(file, err);
}

static dl_status audit_write(int *acked, int dir, const char *key_path,
                             dl_error *err, apr_pool_t *pool)
{
    const dl_audit_key *key;
    dl_audit_file_options o = {.dir_fd = dir};
    dl_audit_file *file;
    dl_buf *buf = dl_buf_create(DL_AUDIT_LINE_MAX, pool);

    DL_TRY(dl_audit_key_load(&key, key_path, err, pool));
    o.key = key;
    file = dl_audit_file_create(&o, pool);
    for (int i = 0; i < 3; i++) {
        DL_TRY(audit_one(file, buf, err));
        ++*acked;
    }
    return dl_audit_file_end(file, "stopped", err);
}

/* With memory enough: how many entries the files of DIR have, -1: one is
 * damaged. */
static int audit_count(int dir, apr_pool_t *pool)
{
    const dl_audit_listed *list;
    dl_audit_reader *reader;
    dl_error err = {0};
    const char *text;
    size_t len;
    int n = 0;
    int entries = 0;

    torture_calm();
    if (dl_audit_folder_list(&list, &n, dir, &err, pool) != DL_OK) {
        return -1;
    }
    for (int i = 0; i < n; i++) {
        dl_status status =
            dl_audit_reader_open(&reader, dir, list[i].name, 0, &err, pool);

        while (status == DL_OK) {
            dl_audit_line line;

            status = dl_audit_reader_next(&text, &len, reader, &err);
            if (status != DL_OK || text == NULL) {
                break;
            }
            status = dl_audit_line_parse(&line, text, len, &err);
            entries += status == DL_OK && line.kind == DL_AUDIT_ENTRY ? 1 : 0;
        }
        if (status != DL_OK) {
            return -1;
        }
    }
    return entries;
}

torture_verdict torture_audit_file(dl_error *err, const char *folder,
                                   apr_pool_t *pool)
{
    const char *path = apr_pstrcat(pool, folder, ".key", NULL);
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    apr_pool_t *own;
    dl_status status;
    int acked = 0;
    int n;

    if (write(file, "0123456789abcdef0123456789ABCDEF\n", 33) != 33) {
        return TORTURE_WRONG;
    }
    close(file);
    apr_pool_create(&own, pool);
    status = audit_write(&acked, dir, path, err, own);
    apr_pool_destroy(own);
    n = audit_count(dir, pool);
    close(dir);
    unlink(path);
    if (n < acked || n > 3) {
        printf("# %d entries, %d acknowledged\n", n, acked);
        return TORTURE_WRONG;
    }
    return torture_judge(status, err, acked == 3);
}
