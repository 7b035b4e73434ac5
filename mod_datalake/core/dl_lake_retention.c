/* dl_lake_retention.c - Removing days of the lake.
 *
 * FORMAT.md, Removing a day.  Until the record is in the manifest the next
 * holder of the lock of m/ puts the folder back; after it, he removes it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_retention.h"

#include "dl_lake_compact_roll.h"
#include "dl_lake_idx.h"
#include "dl_lake_joining.h"

#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include <apr_strings.h>

/* One day being removed. */
typedef struct leaving {
    char folder[DL_LAKE_PATH_MAX]; /* dt=D */
    dl_lake_gone gone;             /* to be told */
    uint64_t *uids;                /* of its parts */
    int n;                         /* how many */
} leaving;

/* Steps 1 to 3, under the lock of m/. */
static dl_status record(dl_lake_joiner *j, leaving *l, dl_error *err,
                        apr_pool_t *pool)
{
    const dl_lake_part *parts;
    dl_lake_manifest *m;

    DL_TRY(dl_lake_joiner_manifest(&m, j, err, pool));
    DL_TRY(dl_lake_compact_roll(m, &j->place, j->data, j->compact, err));
    l->n = dl_lake_manifest_day(&parts, m, l->gone.day);
    l->uids = apr_palloc(pool, ((size_t)l->n + 1) * sizeof *l->uids);
    for (int i = 0; i < l->n; i++) {
        l->uids[i] = parts[i].uid;
        l->gone.records += parts[i].records;
        l->gone.bytes += parts[i].bytes;
    }
    DL_TRY(
        dl_lake_rename(j->io, j->data, l->folder, j->compact, l->folder, err));
    dl_lake_dir_sync(j->io, j->data, j->job->dataset);
    dl_lake_dir_sync(j->io, j->compact, DL_LAKE_COMPACT);
    DL_LAKE_CRASH("retire-moved");
    DL_TRY(dl_lake_manifest_remove(m, &j->place, l->gone.day, err));
    DL_LAKE_CRASH("retire-recorded");
    dl_lake_head_set_manifest(j->head,
                              dl_lake_manifest_word(m->number, m->length));
    DL_LAKE_CRASH("retire-published");
    return dl_lake_folder_remove(j->io, j->compact, l->folder, err);
}

static bool is_left(const leaving *l, uint64_t uid)
{
    for (int i = 0; i < l->n; i++) {
        if (l->uids[i] == uid) {
            return true;
        }
    }
    return false;
}

/* Step 5: what lies in idx/ about the parts. */
static dl_status remove_remarks(const dl_lake_joiner *j, const leaving *l,
                                dl_error *err, apr_pool_t *pool)
{
    dl_lake_idx idx;

    DL_TRY(dl_lake_idx_read(&idx, j->io, j->meta, err, pool));
    for (int i = 0; i < idx.n; i++) {
        if (idx.files[i].kind != DL_LAKE_IDX_OTHER &&
            is_left(l, idx.files[i].uid)) {
            DL_TRY(dl_lake_remove(j->io, j->idx, idx.files[i].name, 0, err));
        }
    }
    DL_LAKE_CRASH("retire-done");
    return DL_OK;
}

static dl_status remove_day(dl_lake_joiner *j, leaving *l, dl_error *err,
                            apr_pool_t *pool)
{
    dl_status status;

    DL_TRY(dl_lake_lock(j->io, j->place.manifests, LOCK_EX, DL_LAKE_MANIFESTS,
                        err));
    status = record(j, l, err, pool);
    j->io->flock(j->place.manifests, LOCK_UN);
    DL_TRY(status);
    return remove_remarks(j, l, err, pool);
}

static void look_at_day(const dl_lake_joiner *j, leaving *l)
{
    const dl_lake_part *parts;
    int n = dl_lake_manifest_day(&parts, j->manifest, l->gone.day);

    for (int i = 0; i < n; i++) {
        l->gone.records += parts[i].records;
        l->gone.bytes += parts[i].bytes;
    }
}

static dl_status retire(dl_lake_joiner *j, const dl_lake_retiring *job,
                        dl_error *err, apr_pool_t *pool)
{
    apr_pool_t *iterpool;
    dl_day last = DL_DAY_NONE;

    DL_TRY(dl_lake_joiner_roll(j, err, pool));
    apr_pool_create(&iterpool, pool);
    for (int i = 0;
         i < j->manifest->n_parts && j->manifest->parts[i].day < job->before;
         i++) {
        leaving l = {.gone = {.dataset = job->dataset,
                              .day = j->manifest->parts[i].day}};

        if (i > 0 && l.gone.day == last) {
            continue;
        }
        last = l.gone.day;
        apr_pool_clear(iterpool);
        dl_lake_day_folder(l.folder, last);
        if (job->dry_run) {
            look_at_day(j, &l);
        }
        else {
            DL_TRY(remove_day(j, &l, err, iterpool));
        }
        if (job->gone != NULL) {
            job->gone(job->context, &l.gone);
        }
    }
    return DL_OK;
}

dl_status dl_lake_retire(const dl_lake_retiring *job, dl_error *err,
                         apr_pool_t *scratch_pool)
{
    const dl_lake_compaction as_job = {.root = job->root,
                                       .dataset = job->dataset};
    apr_pool_t *pool;
    dl_lake_joiner j;
    dl_status status;

    apr_pool_create(&pool, scratch_pool);
    status = dl_lake_joiner_open(&j, &as_job, err, pool);
    if (status == DL_OK) {
        status = retire(&j, job, err, pool);
    }
    apr_pool_destroy(pool);
    dl_lake_joiner_close(&j);
    return status;
}
