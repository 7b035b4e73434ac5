/* dl_lake_compact.c - Joining the parts of past days.
 *
 * FORMAT.md 12.  Until the part record is in the manifest nothing anybody
 * looks at has changed; after it, the next holder of the lock of m/ finishes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_compact.h"

#include "dl_lake_compact_roll.h"
#include "dl_lake_idx.h"
#include "dl_lake_index_build.h"
#include "dl_lake_joining.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

/* --- Opening -------------------------------------------------------------- */

void dl_lake_joiner_close(const dl_lake_joiner *j)
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

static dl_status open_all(dl_lake_joiner *j, dl_error *err, apr_pool_t *pool)
{
    const dl_lake_compaction *job = j->job;
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

dl_status dl_lake_joiner_open(dl_lake_joiner *j, const dl_lake_compaction *job,
                              dl_error *err, apr_pool_t *pool)
{
    memset(j, 0, sizeof *j);
    if (!dl_lake_crash_armed) {
        dl_lake_crash_arm();
    }
    j->job = job;
    j->io = &dl_lake_io_real;
    j->root = j->data = j->meta = j->idx = j->compact = -1;
    j->place.manifests = -1;
    if (!dl_lake_name_valid(job->dataset)) {
        return dl_fail(err, DL_NOT_FOUND, 0, "no such dataset");
    }
    return open_all(j, err, pool);
}

dl_status dl_lake_joiner_manifest(dl_lake_manifest **m, const dl_lake_joiner *j,
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

/* --- Steps 2 and 3: record, exchange -------------------------------------- */

/* Link what was sealed after the day was read. */
static dl_status link_newer(dl_lake_joiner *j, dl_lake_joining *d,
                            const dl_lake_manifest *m, dl_error *err)
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

static dl_status record(dl_lake_joiner *j, dl_lake_joining *d, dl_error *err,
                        apr_pool_t *pool)
{
    dl_lake_manifest *m;
    dl_lake_sum sum;

    DL_TRY(dl_lake_joiner_manifest(&m, j, err, pool));
    DL_TRY(link_newer(j, d, m, err));
    d->recorded = true;
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

static dl_status lock_and_record(dl_lake_joiner *j, dl_lake_joining *d,
                                 dl_error *err, apr_pool_t *pool)
{
    dl_status status;

    DL_TRY(dl_lake_lock(j->io, j->place.manifests, LOCK_EX, DL_LAKE_MANIFESTS,
                        err));
    status = record(j, d, err, pool);
    j->io->flock(j->place.manifests, LOCK_UN);
    return status;
}

/* --- Step 4: what is no longer needed ------------------------------------- */

static dl_status remove_trails(dl_lake_joiner *j, const dl_lake_joining *d,
                               dl_error *err)
{
    int i;

    for (i = 0; i < d->n; i++) {
        char name[DL_LAKE_PATH_MAX];

        if (d->parts[i].uid != d->joined.uid) {
            dl_lake_trail_name(name, d->parts[i].uid);
            DL_TRY(dl_lake_remove(j->io, j->idx, name, 0, err));
            dl_lake_frames_name(name, d->parts[i].uid);
            DL_TRY(dl_lake_remove(j->io, j->idx, name, 0, err));
            DL_TRY(dl_lake_index_drop(j->io, j->meta, d->parts[i].uid, err));
        }
    }
    return DL_OK;
}

/* --- A day, all days ------------------------------------------------------ */

static dl_status join_open_day(dl_lake_joiner *j, dl_lake_joining *d,
                               dl_error *err, apr_pool_t *pool)
{
    dl_status status = dl_lake_join_prepare(j, d, err, pool);

    if (status == DL_OK) {
        status = lock_and_record(j, d, err, pool);
    }
    if (status != DL_OK && !d->recorded) {
        dl_lake_join_give_up(j, d);
    }
    DL_TRY(status);
    DL_TRY(remove_trails(j, d, err));
    if (d->cold) {
        j->done->cold_days++;
        j->done->cold_bytes += d->joined.bytes;
        j->done->stored_bytes += d->joined.stored_bytes;
        return DL_OK;
    }
    j->done->days++;
    j->done->parts += d->n;
    j->done->bytes += d->n == 1 ? 0 : d->joined.bytes;
    return DL_OK;
}

static dl_status join_day(dl_lake_joiner *j, const dl_lake_part *parts, int n,
                          dl_error *err, apr_pool_t *pool)
{
    char text[DL_DAY_TEXT];
    dl_status status;
    dl_lake_joining d;
    int i;

    memset(&d, 0, sizeof d);
    d.cold = j->cooling;
    d.parts = parts;
    d.n = n;
    d.sum = dl_sha256_create(pool);
    j->at.day = parts[0].day;
    j->at.done = 0;
    j->at.bytes = 0;
    for (i = 0; i < n; i++) {
        j->at.bytes += parts[i].bytes;
    }
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

static bool wanted(const dl_lake_joiner *j, const dl_lake_part *parts, int n)
{
    const dl_lake_compaction *job = j->job;
    dl_day before =
        job->before == DL_DAY_NONE ? dl_time_day(dl_time_now()) : job->before;

    if (job->only != DL_DAY_NONE && job->only != parts[0].day) {
        return false;
    }
    if (j->cooling) {
        return n == 1 && parts[0].state == DL_LAKE_PART_WHOLE &&
               parts[0].day < before - job->cold_after;
    }
    return parts[0].day < before && (n > 1 || !dl_lake_part_is_whole(parts));
}

/* Finish what an earlier run left: the folders it had prepared are not used
 * again. */
dl_status dl_lake_joiner_roll(dl_lake_joiner *j, dl_error *err,
                              apr_pool_t *pool)
{
    dl_lake_manifest *m;
    dl_status status;

    DL_TRY(dl_lake_lock(j->io, j->place.manifests, LOCK_EX, DL_LAKE_MANIFESTS,
                        err));
    status = dl_lake_joiner_manifest(&m, j, err, pool);
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

/* Set *PARTS to those of the first day at or behind part AT of the manifest
 * that is wanted, *N of them, 0 when there is none; return where to go on. */
static int next_day(const dl_lake_part **parts, int *n, const dl_lake_joiner *j,
                    int at)
{
    *n = 0;
    while (at < j->manifest->n_parts) {
        int all = dl_lake_manifest_day(parts, j->manifest,
                                       j->manifest->parts[at].day);

        at += all;
        if (wanted(j, *parts, all)) {
            *n = all;
            return at;
        }
    }
    return at;
}

/* Whether FILE of idx/ is what a compaction that died has left: of a joined
 * uid that the manifest does not name, which is used again; or the directory
 * of frames of a part that has none. */
static bool is_left(const dl_lake_joiner *j, const dl_lake_idx_file *file)
{
    bool frames = file->kind == DL_LAKE_IDX_FRAMES;
    int i;

    if (file->uid < DL_LAKE_JOINED_UID && !frames) {
        return false;
    }
    for (i = 0; i < j->manifest->n_parts; i++) {
        const dl_lake_part *part = &j->manifest->parts[i];

        if (part->uid == file->uid) {
            return frames && part->state != DL_LAKE_PART_COLD;
        }
    }
    return true;
}

static dl_status sweep(const dl_lake_joiner *j, dl_error *err, apr_pool_t *pool)
{
    dl_lake_idx idx;
    int i;

    DL_TRY(dl_lake_idx_read(&idx, j->io, j->meta, err, pool));
    for (i = 0; i < idx.n; i++) {
        if (is_left(j, &idx.files[i])) {
            DL_TRY(dl_lake_remove(j->io, j->idx, idx.files[i].name, 0, err));
        }
    }
    return DL_OK;
}

/* Do all days of the manifest that are wanted. */
static dl_status do_days(dl_lake_joiner *j, dl_error *err, apr_pool_t *pool)
{
    const dl_lake_part *parts;
    apr_pool_t *iterpool;
    int at;
    int n;

    apr_pool_create(&iterpool, pool);
    for (at = next_day(&parts, &n, j, 0); n > 0;
         at = next_day(&parts, &n, j, at)) {
        j->at.days_left++;
    }
    for (at = next_day(&parts, &n, j, 0); n > 0;
         at = next_day(&parts, &n, j, at)) {
        apr_pool_clear(iterpool);
        DL_TRY(join_day(j, parts, n, err, iterpool));
        j->at.days_left--;
    }
    return DL_OK;
}

/* Join days, then let the old ones become cold. */
static dl_status join_days(dl_lake_joiner *j, dl_error *err, apr_pool_t *pool)
{
    DL_TRY(dl_lake_joiner_roll(j, err, pool));
    DL_TRY(sweep(j, err, pool));
    j->next_uid = dl_lake_manifest_joined_uid(j->manifest);
    DL_TRY(do_days(j, err, pool));
    if (j->job->cold_after > 0) {
        DL_TRY(dl_lake_joiner_roll(j, err, pool));
        j->cooling = true;
        DL_TRY(do_days(j, err, pool));
    }
    return DL_OK;
}

dl_status dl_lake_compact(dl_lake_compacted *done,
                          const dl_lake_compaction *job, dl_error *err,
                          apr_pool_t *scratch_pool)
{
    apr_pool_t *pool;
    dl_lake_joiner j;
    dl_status status;

    memset(done, 0, sizeof *done);
    apr_pool_create(&pool, scratch_pool);
    status = dl_lake_joiner_open(&j, job, err, pool);
    j.done = done;
    j.block = malloc(DL_LAKE_JOIN_BLOCK);
    if (j.block == NULL) {
        abort();
    }
    if (status == DL_OK) {
        status = join_days(&j, err, pool);
    }
    apr_pool_destroy(pool);
    dl_lake_joiner_close(&j);
    free(j.block);
    return status;
}
