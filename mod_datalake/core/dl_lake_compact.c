/* dl_lake_compact.c - Joining the parts of past days.
 *
 * FORMAT.md 12.  Until the part record is in the manifest nothing anybody
 * looks at has changed; after it, the next holder of the lock of m/ finishes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_compact.h"

#include "dl_crc.h"
#include "dl_lake_compact_roll.h"
#include "dl_lake_head.h"
#include "dl_lake_trail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

/* Bytes copied at once. */
#define BLOCK (1u << 20)

/* One compaction under way. */
typedef struct joiner {
    const dl_lake_io *io;         /* system calls */
    int root;                     /* folder of the lake */
    int data;                     /* folder DATASET */
    int meta;                     /* folder _lake/DATASET */
    int idx;                      /* its idx/ */
    int compact;                  /* its compact/, locked */
    dl_lake_manifest_place place; /* its m/ */
    dl_lake_head *head;           /* mapped, for the manifest's word */
    dl_lake_manifest *manifest;   /* as it was when the day began */
    dl_lake_compacted *done;      /* numbers */
    uint64_t next_uid;            /* of the next joined file */
    char *block;                  /* BLOCK bytes */
} joiner;

/* One day being joined. */
typedef struct joining {
    char folder[DL_LAKE_PATH_MAX]; /* dt=D */
    char fresh[DL_LAKE_PATH_MAX];  /* new.D */
    int from;                      /* folder dt=D of the dataset */
    int to;                        /* folder new.D */
    const dl_lake_part *parts;     /* the day's entries */
    int n;                         /* how many */
    dl_lake_part joined;           /* what becomes of them */
    dl_lake_trail trail;           /* its trail, growing */
    int data_fd;                   /* its file */
    int trail_fd;                  /* its trail file */
    dl_sha256 *sum;                /* over its bytes */
} joining;

/* --- Opening -------------------------------------------------------------- */

static void close_all(const joiner *j)
{
    int fds[] = {j->root, j->data,    j->meta,
                 j->idx,  j->compact, j->place.manifests};
    size_t i;

    for (i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0) {
            j->io->close(fds[i]);
        }
    }
}

static dl_status open_all(joiner *j, const dl_lake_compaction *job,
                          dl_error *err, apr_pool_t *pool)
{
    char path[DL_LAKE_NAME_MAX + 16];

    j->root = j->io->openat(AT_FDCWD, job->root,
                            O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (j->root < 0) {
        return dl_fail(err, dl_lake_errno_status(errno), errno,
                       "cannot open lake %s", job->root);
    }
    snprintf(path, sizeof path, "%s/%s", DL_LAKE_META, job->dataset);
    DL_TRY(dl_lake_dir_open(&j->meta, j->io, j->root, path, 0, err));
    DL_TRY(dl_lake_dir_open(&j->data, j->io, j->root, job->dataset, 0, err));
    DL_TRY(dl_lake_dir_open(&j->idx, j->io, j->meta, DL_LAKE_IDX, 0, err));
    DL_TRY(
        dl_lake_dir_open(&j->compact, j->io, j->meta, DL_LAKE_COMPACT, 1, err));
    DL_TRY(dl_lake_dir_open(&j->place.manifests, j->io, j->meta,
                            DL_LAKE_MANIFESTS, 0, err));
    j->place.io = j->io;
    j->place.meta = j->meta;
    j->place.dataset = job->dataset;
    DL_TRY(dl_lake_lock(j->io, j->compact, LOCK_EX | LOCK_NB, DL_LAKE_COMPACT,
                        err));
    return dl_lake_head_join(&j->head, j->io, j->meta, err, pool);
}

static dl_status load_manifest(dl_lake_manifest **m, const joiner *j,
                               dl_error *err, apr_pool_t *pool)
{
    uint64_t number;

    *m = apr_palloc(pool, sizeof **m);
    dl_lake_manifest_begin(*m, pool);
    DL_TRY(dl_lake_manifest_current(&number, &j->place, err));
    return number == 0
               ? DL_OK
               : dl_lake_manifest_load(*m, &j->place, number, 0, err, pool);
}

/* --- Step 1: the prepared folder ------------------------------------------ */

static dl_status copy_data(joiner *j, joining *d, const dl_lake_part *part,
                           uint64_t at, dl_error *err)
{
    char name[DL_LAKE_PATH_MAX];
    dl_status status = DL_OK;
    uint64_t done = 0;
    uint32_t crc = 0;
    int fd;

    dl_lake_part_name(name, part);
    DL_TRY(dl_lake_file_open(&fd, j->io, d->from, name, O_RDONLY, err));
    while (status == DL_OK && done < part->bytes) {
        uint64_t rest = part->bytes - done;
        size_t len = rest < BLOCK ? (size_t)rest : BLOCK;

        status = dl_lake_file_read(j->io, fd, j->block, len, done, err);
        if (status == DL_OK && d->data_fd >= 0) {
            status = dl_lake_file_write(j->io, d->data_fd, j->block, len,
                                        at + done, err);
        }
        if (status == DL_OK) {
            crc = dl_crc32c(crc, j->block, len);
            dl_sha256_add(d->sum, j->block, len);
            done += len;
        }
    }
    j->io->close(fd);
    DL_TRY(status);
    if (crc != part->crc) {
        return dl_fail(err, DL_CORRUPT, 0, "%s has a wrong checksum", name);
    }
    return DL_OK;
}

static dl_status write_trail(joiner *j, joining *d, dl_error *err)
{
    DL_TRY(dl_lake_file_write(j->io, d->trail_fd, d->trail.out.data,
                              d->trail.out.len, d->joined.trail_len, err));
    dl_lake_trail_drain(&d->trail, &d->joined);
    return DL_OK;
}

static dl_status copy_entries(joiner *j, joining *d, dl_lake_trail_walk *walk,
                              dl_error *err)
{
    dl_lake_trail_entry entry;
    bool found = true;

    DL_TRY(dl_lake_trail_next(&entry, &found, walk, err));
    while (found) {
        dl_lake_trail_copy(&d->trail, &d->joined, &entry);
        if (d->trail.out.len > BLOCK) {
            DL_TRY(write_trail(j, d, err));
        }
        DL_TRY(dl_lake_trail_next(&entry, &found, walk, err));
    }
    return write_trail(j, d, err);
}

static dl_status copy_trail(joiner *j, joining *d, const dl_lake_part *part,
                            dl_error *err, apr_pool_t *pool)
{
    dl_lake_trail_walk walk;
    char name[DL_LAKE_PATH_MAX];
    apr_pool_t *own;
    dl_status status;
    int fd;

    dl_lake_trail_name(name, part->uid);
    DL_TRY(dl_lake_file_open(&fd, j->io, j->idx, name, O_RDONLY, err));
    apr_pool_create(&own, pool);
    dl_lake_trail_begin(&walk, j->io, fd, part, own);
    status = copy_entries(j, d, &walk, err);
    apr_pool_destroy(own);
    j->io->close(fd);
    return status;
}

static uint64_t next_joined_uid(const dl_lake_manifest *m)
{
    uint64_t uid = DL_LAKE_JOINED_UID;
    int i;

    for (i = 0; i < m->n_parts; i++) {
        if (m->parts[i].uid >= uid) {
            uid = m->parts[i].uid + 1;
        }
    }
    return uid;
}

static void join_times(dl_lake_part *joined, const dl_lake_part *part)
{
    if (part->first_time < joined->first_time) {
        joined->first_time = part->first_time;
    }
    if (part->last_time > joined->last_time) {
        joined->last_time = part->last_time;
    }
}

static dl_status copy_parts(joiner *j, joining *d, dl_error *err,
                            apr_pool_t *pool)
{
    uint64_t at = 0;
    int i;

    for (i = 0; i < d->n; i++) {
        DL_TRY(copy_data(j, d, &d->parts[i], at, err));
        DL_TRY(copy_trail(j, d, &d->parts[i], err, pool));
        join_times(&d->joined, &d->parts[i]);
        at += d->parts[i].bytes;
    }
    if (d->joined.bytes != at) {
        return dl_fail(err, DL_CORRUPT, 0, "trails of %s do not fit",
                       d->folder);
    }
    dl_lake_file_sync(j->io, d->data_fd, "joined part");
    dl_lake_file_sync(j->io, d->trail_fd, "joined trail");
    dl_lake_dir_sync(j->io, j->idx, DL_LAKE_IDX);
    return DL_OK;
}

static dl_status join_many(joiner *j, joining *d, dl_error *err,
                           apr_pool_t *pool)
{
    const dl_lake_part *last = &d->parts[d->n - 1];
    char name[DL_LAKE_PATH_MAX];
    dl_status status;

    d->joined.uid = j->next_uid++;
    d->joined.day = last->day;
    d->joined.number = last->number;
    d->joined.first_time = d->parts[0].first_time;
    d->joined.last_time = d->parts[0].last_time;
    dl_lake_part_name(name, &d->joined);
    DL_TRY(dl_lake_file_open(&d->data_fd, j->io, d->to, name,
                             O_RDWR | O_CREAT | O_TRUNC, err));
    dl_lake_trail_name(name, d->joined.uid);
    status = dl_lake_file_open(&d->trail_fd, j->io, j->idx, name,
                               O_RDWR | O_CREAT | O_TRUNC, err);
    if (status == DL_OK) {
        status = copy_parts(j, d, err, pool);
        j->io->close(d->trail_fd);
    }
    j->io->close(d->data_fd);
    dl_lake_trail_free(&d->trail);
    return status;
}

static dl_status link_one(joiner *j, joining *d, dl_error *err)
{
    char from[DL_LAKE_PATH_MAX];
    char to[DL_LAKE_PATH_MAX];

    d->data_fd = -1;
    DL_TRY(copy_data(j, d, &d->parts[0], 0, err));
    d->joined = d->parts[0];
    d->joined.state = DL_LAKE_PART_WHOLE;
    dl_lake_part_name(from, &d->parts[0]);
    dl_lake_part_name(to, &d->joined);
    if (j->io->linkat(d->from, from, d->to, to, 0) != 0) {
        return dl_fail(err, dl_lake_errno_status(errno), errno,
                       "cannot link %s", to);
    }
    return DL_OK;
}

static dl_status prepare(joiner *j, joining *d, dl_error *err, apr_pool_t *pool)
{
    d->joined.state = DL_LAKE_PART_WHOLE;
    DL_TRY(d->n == 1 ? link_one(j, d, err) : join_many(j, d, err, pool));
    d->joined.first = 1;
    dl_lake_dir_sync(j->io, d->to, d->fresh);
    DL_LAKE_CRASH("compact-written");
    return DL_OK;
}

/* --- Steps 2 and 3: record, exchange -------------------------------------- */

/* Link what was sealed after the day was read. */
static dl_status link_newer(joiner *j, joining *d, const dl_lake_manifest *m,
                            dl_error *err)
{
    const dl_lake_part *part;
    int n = dl_lake_manifest_day(&part, m, d->joined.day);

    for (; n > 0; n--, part++) {
        char name[DL_LAKE_PATH_MAX];

        if (part->number <= d->joined.number) {
            continue;
        }
        dl_lake_part_name(name, part);
        if (j->io->linkat(d->from, name, d->to, name, 0) != 0) {
            return dl_fail(err, dl_lake_errno_status(errno), errno,
                           "cannot link %s", name);
        }
    }
    dl_lake_dir_sync(j->io, d->to, d->fresh);
    return DL_OK;
}

static dl_status record(joiner *j, joining *d, dl_error *err, apr_pool_t *pool)
{
    dl_lake_manifest *m;
    dl_lake_sum sum;

    DL_TRY(load_manifest(&m, j, err, pool));
    DL_TRY(link_newer(j, d, m, err));
    DL_TRY(dl_lake_rename(j->io, j->compact, d->fresh, j->compact, d->folder,
                          err));
    dl_lake_dir_sync(j->io, j->compact, DL_LAKE_COMPACT);
    memset(&sum, 0, sizeof sum);
    sum.day = d->joined.day;
    sum.number = d->joined.number;
    sum.has_state = true;
    dl_sha256_save(sum.state, d->sum);
    dl_sha256_digest(sum.digest, d->sum);
    DL_TRY(dl_lake_manifest_append(m, &j->place, &d->joined, 1, &sum, err));
    DL_LAKE_CRASH("compact-recorded");
    DL_TRY(dl_lake_compact_roll(m, &j->place, j->data, j->compact, err));
    dl_lake_head_set_manifest(j->head,
                              dl_lake_manifest_word(m->number, m->length));
    DL_LAKE_CRASH("compact-published");
    return DL_OK;
}

static dl_status lock_and_record(joiner *j, joining *d, dl_error *err,
                                 apr_pool_t *pool)
{
    dl_status status;

    DL_TRY(dl_lake_lock(j->io, j->place.manifests, LOCK_EX, DL_LAKE_MANIFESTS,
                        err));
    status = record(j, d, err, pool);
    j->io->flock(j->place.manifests, LOCK_UN);
    return status;
}

/* --- Step 4: what is no longer needed ------------------------------------- */

static dl_status remove_trails(joiner *j, const joining *d, dl_error *err)
{
    int i;

    for (i = 0; i < d->n; i++) {
        char name[DL_LAKE_PATH_MAX];

        if (d->parts[i].uid != d->joined.uid) {
            dl_lake_trail_name(name, d->parts[i].uid);
            DL_TRY(dl_lake_remove(j->io, j->idx, name, 0, err));
        }
    }
    return DL_OK;
}

/* --- A day, all days ------------------------------------------------------ */

static dl_status join_open_day(joiner *j, joining *d, dl_error *err,
                               apr_pool_t *pool)
{
    DL_TRY(prepare(j, d, err, pool));
    DL_TRY(lock_and_record(j, d, err, pool));
    DL_TRY(remove_trails(j, d, err));
    j->done->days++;
    j->done->parts += d->n;
    j->done->bytes += d->n == 1 ? 0 : d->joined.bytes;
    return DL_OK;
}

static dl_status join_day(joiner *j, const dl_lake_part *parts, int n,
                          dl_error *err, apr_pool_t *pool)
{
    char text[DL_DAY_TEXT];
    dl_status status;
    joining d;

    memset(&d, 0, sizeof d);
    d.parts = parts;
    d.n = n;
    d.sum = dl_sha256_create(pool);
    dl_day_format(text, parts[0].day);
    snprintf(d.fresh, sizeof d.fresh, "new.%s", text);
    dl_lake_day_folder(d.folder, parts[0].day);
    DL_TRY(dl_lake_folder_remove(j->io, j->compact, d.fresh, err));
    DL_TRY(dl_lake_dir_open(&d.from, j->io, j->data, d.folder, 0, err));
    status = dl_lake_dir_open(&d.to, j->io, j->compact, d.fresh, 1, err);
    if (status == DL_OK) {
        status = join_open_day(j, &d, err, pool);
        j->io->close(d.to);
    }
    j->io->close(d.from);
    return status;
}

static bool wanted(const dl_lake_compaction *job, const dl_lake_part *parts,
                   int n)
{
    dl_day before =
        job->before == DL_DAY_NONE ? dl_time_day(dl_time_now()) : job->before;

    return parts[0].day < before &&
           (job->only == DL_DAY_NONE || job->only == parts[0].day) &&
           (n > 1 || parts[0].state != DL_LAKE_PART_WHOLE);
}

/* Finish what an earlier run left: the folders it had prepared are not used
 * again. */
static dl_status roll_forward(joiner *j, dl_error *err, apr_pool_t *pool)
{
    dl_lake_manifest *m;
    dl_status status;

    DL_TRY(dl_lake_lock(j->io, j->place.manifests, LOCK_EX, DL_LAKE_MANIFESTS,
                        err));
    status = load_manifest(&m, j, err, pool);
    if (status == DL_OK && m->number > 0) {
        status = dl_lake_compact_roll(m, &j->place, j->data, j->compact, err);
    }
    if (status == DL_OK && m->number > 0) {
        dl_lake_head_set_manifest(j->head,
                                  dl_lake_manifest_word(m->number, m->length));
    }
    j->io->flock(j->place.manifests, LOCK_UN);
    j->manifest = m;
    return status;
}

static dl_status join_days(joiner *j, const dl_lake_compaction *job,
                           dl_error *err, apr_pool_t *pool)
{
    apr_pool_t *iterpool;
    int at = 0;

    apr_pool_create(&iterpool, pool);
    DL_TRY(roll_forward(j, err, pool));
    j->next_uid = next_joined_uid(j->manifest);
    while (at < j->manifest->n_parts) {
        const dl_lake_part *parts;
        int n = dl_lake_manifest_day(&parts, j->manifest,
                                     j->manifest->parts[at].day);

        apr_pool_clear(iterpool);
        at += n;
        if (wanted(job, parts, n)) {
            DL_TRY(join_day(j, parts, n, err, iterpool));
        }
    }
    return DL_OK;
}

dl_status dl_lake_compact(dl_lake_compacted *done,
                          const dl_lake_compaction *job, dl_error *err,
                          apr_pool_t *scratch_pool)
{
    apr_pool_t *pool;
    joiner j;
    dl_status status;

    memset(done, 0, sizeof *done);
    memset(&j, 0, sizeof j);
    dl_lake_crash_arm();
    if (!dl_lake_name_valid(job->dataset)) {
        return dl_fail(err, DL_NOT_FOUND, 0, "no such dataset");
    }
    j.io = &dl_lake_io_real;
    j.root = j.data = j.meta = j.idx = j.compact = -1;
    j.place.manifests = -1;
    j.done = done;
    j.block = malloc(BLOCK);
    if (j.block == NULL) {
        abort();
    }
    apr_pool_create(&pool, scratch_pool);
    status = open_all(&j, job, err, pool);
    if (status == DL_OK) {
        status = join_days(&j, job, err, pool);
    }
    apr_pool_destroy(pool);
    close_all(&j);
    free(j.block);
    return status;
}
