/* dl_lake_reading.h - The inside of the lake's reader, for its own files.
 *
 * A view is one published state of a dataset: what the head said, and the
 * manifest it named.  Views never change; handle and snapshots count their
 * references.
 *
 * Thread: a view may be read by all; the dataset and the counts are guarded
 * by the mutex of the lake.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_READING_H
#define DL_LAKE_READING_H

#include "dl_lake.h"
#include "dl_lake_head.h"
#include "dl_lake_manifest.h"
#include "dl_lake_reader.h"

typedef struct dl_lake_cache dl_lake_cache; /* dl_lake_opened.h */

/* The folders and the head of one dataset, open for reading. */
typedef struct dl_lake_dataset {
    const char *name;              /* of the dataset */
    int data;                      /* folder DATASET */
    int meta;                      /* folder _lake/DATASET */
    dl_lake_manifest_place place;  /* its m/ */
    dl_lake_head *head;            /* mapped */
    struct dl_lake_sealed *sealed; /* newest manifest read; guarded */
    struct dl_lake_shared *shared; /* newest view; guarded */
} dl_lake_dataset;

/* A manifest as read. */
typedef struct dl_lake_sealed {
    apr_pool_t *pool;          /* holds it */
    int references;            /* guarded */
    uint64_t word;             /* which manifest */
    dl_lake_manifest manifest; /* what it says */
} dl_lake_sealed;

/* A published state. */
typedef struct dl_lake_shared {
    apr_pool_t *pool;       /* holds it */
    int references;         /* guarded */
    dl_lake_view view;      /* what the head said */
    dl_lake_sealed *sealed; /* the manifest it named */
    uint64_t records;       /* lines of all days */
    uint64_t bytes;         /* bytes of all days */
    uint64_t open_parts;    /* parts of the view that are not sealed */
    dl_time oldest_open;    /* first commit of the oldest of them */
    dl_lake_day *days;      /* guarded; made when first asked for */
    int n_days;             /* entries of it */
} dl_lake_shared;

struct dl_lake_snapshot {
    dl_lake *lake;            /* where it came from */
    dl_lake_dataset *dataset; /* of which dataset */
    dl_lake_shared *shared;   /* the state */
    dl_lake_totals totals;    /* its sums */
    apr_pool_t *pool;         /* it lives in */
    const dl_lake_day *days;  /* of SHARED, NULL: not asked for yet */
};

/* Have the days of SHARED, whose mutex the caller holds. */
void dl_lake_make_days(dl_lake_shared *shared);

/* Have the days of SNAP. */
void dl_lake_need_days(dl_lake_snapshot *snap);

/* The system calls of LAKE. */
const dl_lake_io *dl_lake_calls(const dl_lake *lake);

/* The parts of a day in a snapshot, as long as it lives. */
typedef struct dl_lake_parts {
    const dl_lake_part *sealed; /* those of the manifest, by number */
    int n_sealed;               /* how many */
    const dl_lake_part *open;   /* the one behind them, or NULL */
} dl_lake_parts;

/* Set *PARTS to the parts of DAY in SNAP. */
void dl_lake_parts_of(dl_lake_parts *parts, const dl_lake_snapshot *snap,
                      dl_day day);

/* Return part I of PARTS in order of lines, from 0; NULL behind the last. */
const dl_lake_part *dl_lake_parts_at(const dl_lake_parts *parts, int i);

/* Set PARTS, room for which is taken from POOL, to copies of the N parts of
 * DAY in SNAP in order, the open one last. */
void dl_lake_day_parts(const dl_lake_part **parts, int *n,
                       const dl_lake_snapshot *snap, dl_day day,
                       apr_pool_t *pool);

/* The parts of LAKE that are open for reading. */
dl_lake_cache *dl_lake_open_parts(const dl_lake *lake);

/* A sum over a day that a handle remembers. */
typedef struct dl_lake_known_sum {
    uint64_t records;                     /* over so many lines */
    unsigned char state[DL_SHA256_STATE]; /* where it goes on */
} dl_lake_known_sum;

/* Set *KNOWN to what LAKE remembers about DAY of DATASET; false: nothing. */
bool dl_lake_sum_recall(dl_lake_known_sum *known, dl_lake *lake,
                        const dl_lake_dataset *dataset, dl_day day);

/* Let LAKE remember KNOWN about DAY of DATASET. */
void dl_lake_sum_remember(dl_lake *lake, const dl_lake_dataset *dataset,
                          dl_day day, const dl_lake_known_sum *known);

#endif
