/* dl_lake_indexing.h - Which parts of a dataset have an index, and making
 * those that are missing.
 *
 * For the daemon's background and for datalakectl.  One of them at a time
 * writes indexes of a dataset: each call that does holds the flock of idx/
 * meanwhile, since two builders with other settings must not meet in one file.
 * (A compaction makes the index of the file it joins without it: nobody else
 * knows that uid.)
 *
 * An index may be made of a part that a compaction removes meanwhile; it is
 * then removed, too.
 *
 * Memory: that of one builder (dl_lake_index_build.h), the manifest, and 100
 * bytes for each part.
 *
 * Thread: the owner of the object, one at a time.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_INDEXING_H
#define DL_LAKE_INDEXING_H

#include "dl_lake_index_build.h"

/* Bytes of the volume that indexes leave to the writer. */
#define DL_LAKE_INDEXING_FREE (64u << 20)

/* What indexes are made with. */
typedef struct dl_lake_indexing_options {
    const char *root;               /* folder of the lake */
    const char *dataset;            /* which dataset */
    const dl_lake_columns *columns; /* members to index, or NULL */
    uint32_t block_bytes;           /* DL_LAKE_INDEX_NORMAL or so */
    int64_t wait_us;                /* how long to wait for another builder */
    bool (*go_on)(void *context, uint64_t bytes); /* as that of a
                                                     dl_lake_index_job */
    void *context;                                /* of go_on */
    const dl_lake_io *io; /* system calls; NULL: the real ones */
} dl_lake_indexing_options;

/* What is there of the index of a part. */
typedef enum dl_lake_index_state {
    DL_LAKE_INDEX_NEEDLESS, /* nothing; the part is too small for one */
    DL_LAKE_INDEX_MISSING,  /* the part is sealed and has none that counts */
    DL_LAKE_INDEX_GROWING,  /* the part is open: what its .grow says */
    DL_LAKE_INDEX_THERE     /* the part has its .index */
} dl_lake_index_state;

/* A part and its index. */
typedef struct dl_lake_indexed {
    dl_lake_part part;         /* as committed */
    dl_lake_index_state state; /* what is there */
    uint64_t bytes;            /* of the part that its index describes; 0 when
                                  nobody looked into it */
} dl_lake_indexed;

/* A dataset whose indexes are looked after. */
typedef struct dl_lake_indexing dl_lake_indexing;

/* Open the dataset of OPTIONS into *X, which lives in RESULT_POOL and keeps
 * four descriptors; the strings of OPTIONS are copied, the rest stays the
 * caller's.  DL_NOT_FOUND: no such dataset. */
DL_MUSTCHECK dl_status dl_lake_indexing_open(
    dl_lake_indexing **x, const dl_lake_indexing_options *options,
    dl_error *err, apr_pool_t *result_pool);

/* Make the next indexes of X with COLUMNS, which may be NULL. */
void dl_lake_indexing_columns(dl_lake_indexing *x,
                              const dl_lake_columns *columns);

/* Whether a commit, a seal or a compaction was published since the last
 * dl_lake_indexing_list of X. */
bool dl_lake_indexing_changed(const dl_lake_indexing *x);

/* Set *ALL to the N parts of X, newest day first; they live in RESULT_POOL.
 * With LOOK each index is opened: one that does not count, or describes less
 * than its sealed part, is missing. */
DL_MUSTCHECK dl_status dl_lake_indexing_list(dl_lake_indexed **all, int *n,
                                             dl_lake_indexing *x, bool look,
                                             dl_error *err,
                                             apr_pool_t *result_pool);

/* Make the index of PART, which is sealed.  DL_NOT_FOUND: the part has moved
 * on or is gone; DL_BUSY: another builder is at work, or go_on said stop;
 * DL_NO_SPACE, also when less than DL_LAKE_INDEXING_FREE would be free; else as dl_lake_index_make. */
DL_MUSTCHECK dl_status dl_lake_indexing_make(dl_lake_indexing *x,
                                             const dl_lake_part *part,
                                             dl_error *err,
                                             apr_pool_t *scratch_pool);

/* Put behind the .grow of PART what it has gained, and set *BYTES to how much
 * of it is described.  Fails as dl_lake_indexing_make. */
DL_MUSTCHECK dl_status dl_lake_indexing_grow(uint64_t *bytes,
                                             dl_lake_indexing *x,
                                             const dl_lake_part *part,
                                             dl_error *err,
                                             apr_pool_t *scratch_pool);

/* Compare the index of PART with the part, as dl_lake_index_verify.
 * DL_NOT_FOUND: there is none, or the part has moved on. */
DL_MUSTCHECK dl_status dl_lake_indexing_verify(bool *rebuilt,
                                               dl_lake_indexing *x,
                                               const dl_lake_part *part,
                                               dl_error *err,
                                               apr_pool_t *scratch_pool);

/* Remove every index of X and set *REMOVED to how many files that were.
 * DL_BUSY: another builder is at work. */
DL_MUSTCHECK dl_status dl_lake_indexing_drop(int *removed, dl_lake_indexing *x,
                                             dl_error *err);

/* Remove what a kill has left in idx/: half-made indexes, and trails and
 * indexes of sealed parts that no longer exist; set *REMOVED to how many.
 * DL_BUSY: another builder is at work. */
DL_MUSTCHECK dl_status dl_lake_indexing_sweep(int *removed, dl_lake_indexing *x,
                                              dl_error *err,
                                              apr_pool_t *scratch_pool);

#endif
