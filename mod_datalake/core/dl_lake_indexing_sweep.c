/* dl_lake_indexing_sweep.c - Removing from idx/ what has no use.
 *
 * FORMAT.md 13.  A writer's uid that neither head nor manifest names is that
 * of a part which is gone, if a greater one is committed: all new parts of a
 * commit are published together.  Files are listed before head and manifest
 * are read, so what is made meanwhile is left alone.  Files of joined uids are
 * removed by the next compaction, which alone makes them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_idx.h"
#include "dl_lake_indexing.h"
#include "dl_lake_indexing_inside.h"

static void note_newest(uint64_t *newest, uint64_t uid)
{
    if (uid < DL_LAKE_JOINED_UID && uid > *newest) {
        *newest = uid;
    }
}

/* The greatest uid of a writer that is committed. */
static uint64_t newest_committed(const dl_lake_indexing *x,
                                 const dl_lake_manifest *m)
{
    uint64_t newest = 0;
    int i;

    for (i = 0; i < x->view.n_parts; i++) {
        note_newest(&newest, x->view.parts[i].uid);
    }
    for (i = 0; i < m->n_parts; i++) {
        note_newest(&newest, m->parts[i].uid);
    }
    return newest;
}

static bool is_waste(const dl_lake_indexing *x, const dl_lake_manifest *m,
                     const dl_lake_idx_file *file, uint64_t newest)
{
    if (file->kind == DL_LAKE_IDX_OTHER) {
        return false;
    }
    if (dl_lake_indexing_names(x, m, file->uid)) {
        return file->kind == DL_LAKE_IDX_HALF; /* we hold the builder's lock */
    }
    return file->uid < newest;
}

static dl_status sweep(int *removed, dl_lake_indexing *x, dl_error *err,
                       apr_pool_t *pool)
{
    dl_lake_idx idx;
    dl_lake_manifest *m;
    uint64_t newest;
    int i;

    DL_TRY(dl_lake_idx_read(&idx, x->io, x->meta, err, pool));
    DL_TRY(dl_lake_indexing_read(&m, x, err, pool));
    newest = newest_committed(x, m);
    for (i = 0; i < idx.n; i++) {
        if (is_waste(x, m, &idx.files[i], newest)) {
            DL_TRY(dl_lake_remove(x->io, x->idx, idx.files[i].name, 0, err));
            (*removed)++;
        }
    }
    return DL_OK;
}

dl_status dl_lake_indexing_sweep(int *removed, dl_lake_indexing *x,
                                 dl_error *err, apr_pool_t *scratch_pool)
{
    apr_pool_t *own;
    dl_status status;

    *removed = 0;
    DL_TRY(dl_lake_indexing_lock(x, err));
    apr_pool_create(&own, scratch_pool);
    status = sweep(removed, x, err, own);
    apr_pool_destroy(own);
    dl_lake_indexing_unlock(x);
    return status;
}

static bool is_index(dl_lake_idx_kind kind)
{
    return kind == DL_LAKE_IDX_INDEX || kind == DL_LAKE_IDX_HALF ||
           kind == DL_LAKE_IDX_GROW;
}

dl_status dl_lake_indexing_drop(int *removed, dl_lake_indexing *x,
                                dl_error *err)
{
    dl_lake_idx idx;
    apr_pool_t *own;
    dl_status status;
    int i;

    *removed = 0;
    DL_TRY(dl_lake_indexing_lock(x, err));
    apr_pool_create(&own, x->view_pool);
    status = dl_lake_idx_read(&idx, x->io, x->meta, err, own);
    for (i = 0; status == DL_OK && i < idx.n; i++) {
        if (is_index(idx.files[i].kind)) {
            status = dl_lake_remove(x->io, x->idx, idx.files[i].name, 0, err);
            *removed += status == DL_OK;
        }
    }
    apr_pool_destroy(own);
    dl_lake_indexing_unlock(x);
    return status;
}
