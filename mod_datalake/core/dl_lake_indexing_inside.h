/* dl_lake_indexing_inside.h - What the files of dl_lake_indexing.h share.
 *
 * Thread: the owner of the object.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_INDEXING_INSIDE_H
#define DL_LAKE_INDEXING_INSIDE_H

#include "dl_lake_head.h"
#include "dl_lake_indexing.h"
#include "dl_lake_manifest.h"

struct dl_lake_indexing {
    dl_lake_indexing_options o;   /* as asked for, strings copied */
    const dl_lake_io *io;         /* system calls */
    int data;                     /* folder DATASET */
    int meta;                     /* folder _lake/DATASET */
    int idx;                      /* its idx/, for the flock */
    dl_lake_manifest_place place; /* its m/ */
    dl_lake_head *head;           /* mapped */
    apr_pool_t *view_pool;        /* holds the view */
    dl_lake_view view;            /* newest state that was read */
    bool has_list;                /* parts were listed */
    dl_lake_view listed;          /* as what; its arrays are gone */
};

/* Read the head into x->view, then the newest manifest into *M. */
DL_MUSTCHECK dl_status dl_lake_indexing_read(dl_lake_manifest **m,
                                             dl_lake_indexing *x, dl_error *err,
                                             apr_pool_t *pool);

/* Whether x->view or M has a part UID. */
bool dl_lake_indexing_names(const dl_lake_indexing *x,
                            const dl_lake_manifest *m, uint64_t uid);

/* Take the flock of idx/, waiting as long as the options say. */
DL_MUSTCHECK dl_status dl_lake_indexing_lock(const dl_lake_indexing *x,
                                             dl_error *err);

/* Give it back. */
void dl_lake_indexing_unlock(const dl_lake_indexing *x);

#endif
