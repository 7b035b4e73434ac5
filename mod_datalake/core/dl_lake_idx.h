/* dl_lake_idx.h - Which files lie in idx/.
 *
 * Thread: any; a list belongs to its owner.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_IDX_H
#define DL_LAKE_IDX_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_lake_io.h"

/* What a file of idx/ is (FORMAT.md 2). */
typedef enum dl_lake_idx_kind {
    DL_LAKE_IDX_TRAIL,  /* UID.trail */
    DL_LAKE_IDX_INDEX,  /* UID.index */
    DL_LAKE_IDX_HALF,   /* UID.index.new */
    DL_LAKE_IDX_GROW,   /* UID.grow */
    DL_LAKE_IDX_FRAMES, /* UID.frames */
    DL_LAKE_IDX_OTHER   /* nothing of ours */
} dl_lake_idx_kind;

/* One file. */
typedef struct dl_lake_idx_file {
    uint64_t uid;          /* of its part; 0: it is no file of ours */
    dl_lake_idx_kind kind; /* what it is */
    const char *name;      /* its name */
} dl_lake_idx_file;

/* All files, by uid and kind. */
typedef struct dl_lake_idx {
    int n;                   /* how many */
    dl_lake_idx_file *files; /* the files */
} dl_lake_idx;

/* Fill *IDX with the files of idx/ in the folder META; it lives in POOL. */
DL_MUSTCHECK dl_status dl_lake_idx_read(dl_lake_idx *idx, const dl_lake_io *io,
                                        int meta, dl_error *err,
                                        apr_pool_t *pool);

/* Whether IDX has the file KIND of UID. */
bool dl_lake_idx_has(const dl_lake_idx *idx, uint64_t uid,
                     dl_lake_idx_kind kind);

#endif
