/* dlc_rebuild.h - The warehouse from the lake alone.
 *
 * The tables of a dataset are emptied and loaded again by the sink that loads
 * them from Kafka, with the records of the lake in the order in which Kafka
 * gave them, but those that requests had deleted; then what requests had
 * changed, or change meanwhile, is changed again (dlc_wh_change.h).  What comes
 * of it is what the loader had made: rows, rollups, names of products, offsets.
 * Exchange rates are no part of the lake; those that the database has are used.
 *
 * Offsets are 0 from the first step on, and a mark says that the tables are not
 * complete.  A rebuild that dies or fails leaves it: a loader, which knows
 * nothing of changes, would load again what requests had deleted, so it takes
 * no partition of a topic that is marked.  The next rebuild begins anew.
 *
 * Thread: the main one.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_REBUILD_H
#define DLC_REBUILD_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_config.h"
#include "dl_dataset.h"
#include "dl_error.h"
#include "dl_lake.h"

/* What a rebuild works with. */
typedef struct dlc_rebuild {
    const dl_config *cfg;      /* [lake], [warehouse] */
    const dl_dataset_set *set; /* declarations */
    const dl_dataset *dataset; /* whose table it is; it has one */
    dl_lake_snapshot *snap;    /* what it is made of */
    const char *changes_of;    /* dataset whose topic has its change events */
    dl_lake_snapshot *changes; /* of that dataset; NULL: it has no lake */
    bool without_lost;         /* what a change was made of and the lake has not
                                  is lost; go on without it */
    void (*progress)(void *context, uint64_t records); /* told how many records
                                                          were read; or NULL */
    void *context;                                     /* its first argument */
} dlc_rebuild;

/* What it has done. */
typedef struct dlc_rebuilt {
    bool begun;       /* tables are being emptied, or were */
    uint64_t records; /* of the lake that were given to the loader */
    uint64_t refused; /* of them, not rows by the declaration as it is now */
    uint64_t changes; /* change events that were applied */
    uint64_t lost;    /* of them, made of records that the lake has lost */
    int64_t took_us;  /* from empty tables to complete rollups */
} dlc_rebuilt;

/* Empty the tables of R->dataset and fill them from R->snap.  DL_BUSY, before
 * anything is done: R->snap has not yet what changes were made of; not with
 * without_lost.
 * DL_CONFLICT: another loader works on them.  DL_UNAVAILABLE: the database is
 * away and did not come back.  Else as lake and database say; the tables are
 * then not complete.  POOL is for the time of the call. */
DL_MUSTCHECK dl_status dlc_rebuild_run(dlc_rebuilt *done, const dlc_rebuild *r,
                                       dl_error *err, apr_pool_t *pool);

#endif
