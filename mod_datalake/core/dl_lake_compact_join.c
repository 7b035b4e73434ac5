/* dl_lake_compact_join.c - Step 1 of a compaction: the prepared folder.
 *
 * FORMAT.md 12.  Nobody looks at what is written here before step 2.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_joining.h"

#include "dl_crc.h"
#include "dl_lake_compact_roll.h"
#include "dl_lake_index_build.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Bytes of a joined file that may wait for the disk: a sync of the writer
 * that has to take them along stays short. */
#define DIRTY (8u << 20)

/* --- Data ----------------------------------------------------------------- */

/* Write LEN bytes of the block at AT of the joined file, and let the disk
 * begin; wait for what is DIRTY bytes behind.  (Advice only: the sync before
 * the record decides.) */
static dl_status write_data(const dl_lake_joiner *j, const dl_lake_joining *d,
                            size_t len, uint64_t at, dl_error *err)
{
    DL_TRY(dl_lake_file_write(j->io, d->data_fd, j->block, len, at, err));
    (void)j->io->sync_file_range(d->data_fd, (off_t)at, (off_t)len,
                                 SYNC_FILE_RANGE_WRITE);
    if (at >= DIRTY) {
        (void)j->io->sync_file_range(
            d->data_fd, (off_t)(at - DIRTY), (off_t)len,
            SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                SYNC_FILE_RANGE_WAIT_AFTER);
    }
    return DL_OK;
}

/* Put LEN bytes of the block, which belong at AT, where they are to go. */
static dl_status put_data(const dl_lake_joiner *j, const dl_lake_joining *d,
                          size_t len, uint64_t at, dl_error *err)
{
    if (d->frames != NULL) {
        return dl_lake_frames_writer_add(d->frames, j->block, len, err);
    }
    return d->data_fd >= 0 ? write_data(j, d, len, at, err) : DL_OK;
}

/* Tell how far we are, LEN bytes more, and ask whether to go on. */
static dl_status step(dl_lake_joiner *j, size_t len, dl_error *err)
{
    const dl_lake_compaction *job = j->job;

    j->at.done += len;
    if (job->progress != NULL) {
        job->progress(job->context, &j->at);
    }
    if (job->stop != NULL && job->stop(job->context)) {
        return dl_fail(err, DL_UNAVAILABLE, 0, "asked to leave off");
    }
    return DL_OK;
}

static dl_status copy_data(dl_lake_joiner *j, dl_lake_joining *d,
                           const dl_lake_part *part, uint64_t at, dl_error *err)
{
    char name[DL_LAKE_PATH_MAX];
    dl_status status = DL_OK;
    dl_lake_text text;
    uint64_t done = 0;
    uint32_t crc = 0;
    int fd;

    dl_lake_part_name(name, part);
    DL_TRY(dl_lake_file_open(&fd, j->io, d->from, name, O_RDONLY, err));
    dl_lake_text_open(&text, j->io, j->meta, fd, part);
    while (status == DL_OK && done < part->bytes) {
        uint64_t rest = part->bytes - done;
        size_t len =
            rest < DL_LAKE_JOIN_BLOCK ? (size_t)rest : DL_LAKE_JOIN_BLOCK;

        status = dl_lake_text_read(&text, j->block, len, done, err);
        if (status == DL_OK) {
            status = put_data(j, d, len, at + done, err);
        }
        if (status == DL_OK) {
            status = step(j, len, err);
        }
        if (status == DL_OK) {
            crc = dl_crc32c(crc, j->block, len);
            dl_sha256_add(d->sum, j->block, len);
            done += len;
        }
    }
    dl_lake_text_close(&text);
    j->io->close(fd);
    DL_TRY(status);
    if (crc != part->crc) {
        return dl_fail(err, DL_CORRUPT, 0, "%s has a wrong checksum", name);
    }
    return DL_OK;
}

static dl_status write_trail(dl_lake_joiner *j, dl_lake_joining *d,
                             dl_error *err)
{
    DL_TRY(dl_lake_file_write(j->io, d->trail_fd, d->trail.out.data,
                              d->trail.out.len, d->joined.trail_len, err));
    dl_lake_trail_drain(&d->trail, &d->joined);
    return DL_OK;
}

static dl_status copy_entries(dl_lake_joiner *j, dl_lake_joining *d,
                              dl_lake_trail_walk *walk, dl_error *err)
{
    dl_lake_trail_entry entry;
    bool found = true;

    DL_TRY(dl_lake_trail_next(&entry, &found, walk, err));
    while (found) {
        dl_lake_trail_copy(&d->trail, &d->joined, &entry);
        if (d->trail.out.len > DL_LAKE_JOIN_BLOCK) {
            DL_TRY(write_trail(j, d, err));
        }
        DL_TRY(dl_lake_trail_next(&entry, &found, walk, err));
    }
    return write_trail(j, d, err);
}

static dl_status copy_trail(dl_lake_joiner *j, dl_lake_joining *d,
                            const dl_lake_part *part, dl_error *err,
                            apr_pool_t *pool)
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

static void join_times(dl_lake_part *joined, const dl_lake_part *part)
{
    if (part->first_time < joined->first_time) {
        joined->first_time = part->first_time;
    }
    if (part->last_time > joined->last_time) {
        joined->last_time = part->last_time;
    }
}

static dl_status copy_parts(dl_lake_joiner *j, dl_lake_joining *d,
                            dl_error *err, apr_pool_t *pool)
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

static bool go_on(void *context, uint64_t bytes)
{
    const dl_lake_joiner *j = context;

    (void)bytes;
    return j->job->stop == NULL || !j->job->stop(j->job->context);
}

/* Make the index of the joined file.  It is a remark: only a request to stop
 * and damage end the compaction. */
static dl_status make_index(dl_lake_joiner *j, dl_lake_joining *d,
                            dl_error *err, apr_pool_t *pool)
{
    const dl_lake_index_job job = {.io = j->io,
                                   .meta = j->meta,
                                   .data_fd = d->data_fd,
                                   .part = &d->joined,
                                   .columns = j->job->columns,
                                   .block_bytes = j->job->block_bytes,
                                   .go_on = go_on,
                                   .context = j};
    dl_status status;

    if (j->job->block_bytes == 0 || d->joined.bytes < DL_LAKE_INDEX_LEAST) {
        return DL_OK;
    }
    status = dl_lake_index_make(&job, err, pool);
    if (status == DL_BUSY) {
        return dl_fail(err, DL_UNAVAILABLE, 0, "asked to leave off");
    }
    return status == DL_CORRUPT ? status : DL_OK;
}

static dl_status join_many(dl_lake_joiner *j, dl_lake_joining *d, dl_error *err,
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
        if (status == DL_OK) {
            status = make_index(j, d, err, pool);
        }
        j->io->close(d->trail_fd);
    }
    j->io->close(d->data_fd);
    dl_lake_trail_free(&d->trail);
    return status;
}

/* Write the frames of the day's only file. */
static dl_status pack(dl_lake_joiner *j, dl_lake_joining *d, dl_error *err)
{
    DL_TRY(copy_data(j, d, &d->parts[0], 0, err));
    DL_TRY(dl_lake_frames_writer_end(&d->joined, d->frames, err));
    dl_lake_file_sync(j->io, d->data_fd, "cold part");
    dl_lake_file_sync(j->io, d->trail_fd, "frames");
    DL_LAKE_CRASH("cold-packed");
    dl_lake_dir_sync(j->io, j->idx, DL_LAKE_IDX);
    return DL_OK;
}

/* Make the day cold: its file in frames, and their directory. */
static dl_status pack_one(dl_lake_joiner *j, dl_lake_joining *d, dl_error *err)
{
    char name[DL_LAKE_PATH_MAX];
    dl_status status;

    d->joined = d->parts[0];
    d->joined.state = DL_LAKE_PART_COLD;
    dl_lake_part_name(name, &d->joined);
    DL_TRY(dl_lake_file_open(&d->data_fd, j->io, d->to, name,
                             O_RDWR | O_CREAT | O_TRUNC, err));
    dl_lake_frames_name(name, d->joined.uid);
    status = dl_lake_file_open(&d->trail_fd, j->io, j->idx, name,
                               O_RDWR | O_CREAT | O_TRUNC, err);
    if (status == DL_OK) {
        d->frames =
            dl_lake_frames_writer_create(j->io, d->data_fd, d->trail_fd);
        status = pack(j, d, err);
        dl_lake_frames_writer_free(d->frames);
        d->frames = NULL;
        j->io->close(d->trail_fd);
    }
    j->io->close(d->data_fd);
    return status;
}

static dl_status link_one(dl_lake_joiner *j, dl_lake_joining *d, dl_error *err)
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

/* Refuse to fill the volume: the writer needs it more. */
static dl_status check_room(const dl_lake_joiner *j, const dl_lake_joining *d,
                            dl_error *err)
{
    struct statvfs volume;
    uint64_t want = DL_LAKE_COMPACT_FREE;
    int i;

    for (i = 0; i < d->n; i++) {
        want += d->parts[i].bytes + d->parts[i].bytes / 8;
    }
    if (j->io->fstatvfs(j->compact, &volume) == 0 &&
        (uint64_t)volume.f_bavail * volume.f_frsize < want) {
        return dl_fail(err, DL_NO_SPACE, 0, "joining %s needs %llu MB free",
                       d->folder, (unsigned long long)(want >> 20));
    }
    return DL_OK;
}

static dl_status prepare(dl_lake_joiner *j, dl_lake_joining *d, dl_error *err,
                         apr_pool_t *pool)
{
    if (d->n > 1 || d->cold) {
        DL_TRY(check_room(j, d, err));
    }
    d->joined.state = DL_LAKE_PART_WHOLE;
    DL_TRY(d->cold     ? pack_one(j, d, err)
           : d->n == 1 ? link_one(j, d, err)
                       : join_many(j, d, err, pool));
    d->joined.first = d->parts[0].first;
    dl_lake_dir_sync(j->io, d->to, d->fresh);
    DL_LAKE_CRASH("compact-written");
    return DL_OK;
}

/* Preparing as a step that may run in another thread. */
typedef struct preparing {
    dl_lake_joiner *j;  /* whose */
    dl_lake_joining *d; /* the day */
    dl_error *err;      /* of the caller */
    apr_pool_t *pool;   /* the caller waits meanwhile */
    dl_status status;   /* what came of it */
} preparing;

static void prepare_step(void *data)
{
    preparing *p = data;

    p->status = prepare(p->j, p->d, p->err, p->pool);
}

dl_status dl_lake_join_prepare(dl_lake_joiner *j, dl_lake_joining *d,
                               dl_error *err, apr_pool_t *pool)
{
    preparing p = {.j = j, .d = d, .err = err, .pool = pool, .status = DL_OK};

    if (j->job->apart != NULL) {
        j->job->apart(j->job->context, prepare_step, &p);
    }
    else {
        prepare_step(&p);
    }
    return p.status;
}

void dl_lake_join_give_up(dl_lake_joiner *j, const dl_lake_joining *d)
{
    dl_error ignored = {.status = DL_OK};
    char name[DL_LAKE_PATH_MAX];

    (void)!dl_lake_folder_remove(j->io, j->compact, d->fresh, &ignored);
    if (d->cold) {
        dl_lake_frames_name(name, d->parts[0].uid);
        (void)!dl_lake_remove(j->io, j->idx, name, 0, &ignored);
    }
    else if (d->n > 1 && d->joined.uid != 0) {
        dl_lake_trail_name(name, d->joined.uid);
        (void)!dl_lake_remove(j->io, j->idx, name, 0, &ignored);
        (void)!dl_lake_index_drop(j->io, j->meta, d->joined.uid, &ignored);
    }
}
