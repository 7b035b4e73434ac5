/* dlc_wh_moved.h - Records that a deleted one had pushed aside.
 *
 * Where a deletion names rows by a member that is none of what makes a row
 * unique (the client of a payment), records of one row may differ in it: a
 * payment moves from client to client.  Then a record that is deleted may have
 * had the row in front of another one that is not: the other one is lost, too,
 * unless it came after the deletion, however old it is.
 *
 * The rule for one row, exact in any order of loading: the deletions of the
 * members that its records have, in order, cut time into stretches; a record
 * belongs to the first stretch whose deletion covers it, the others to the
 * last.  Stretch by stretch the latest record has the row, and the deletion
 * behind the stretch empties it if that record has its members.  What has the
 * row at the end is loaded, the others are not.
 *
 * To find these rows the lake is read twice.  Memory: 32 MB, 100 bytes for each
 * deletion from such a row and 24 for each record that is lost beside those
 * that dlc_wh_deleted_covers; 180 bytes for each of a million records of
 * such rows at a time.  All others are in a file meanwhile (dlc_spool.h).
 *
 * Thread: the owner of the pool.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_WH_MOVED_H
#define DLC_WH_MOVED_H

#include <stdbool.h>

#include <apr_pools.h>

#include "dl_lake.h"
#include "dlc_wh_deleted.h"
#include "dlc_wh_events.h"

typedef struct dlc_wh_moved dlc_wh_moved; /* records that are lost that way */

/* What is known. */
typedef struct dlc_wh_moved_source {
    const dl_dataset *dataset; /* whose table */
    dl_lake_snapshot *snap;    /* its records */
    const char *of;            /* dataset whose events they are */
    dlc_wh_events *events;     /* sorted */
    dlc_wh_deleted *deleted;   /* what of them deletes */
} dlc_wh_moved_source;

/* Set *MOVED to what of SOURCE is lost, in POOL.  Fails as a scan, as
 * dlc_spool_add and dlc_spool_get. */
DL_MUSTCHECK dl_status dlc_wh_moved_find(dlc_wh_moved **moved,
                                         const dlc_wh_moved_source *source,
                                         dl_error *err, apr_pool_t *pool);

/* Return whether the record at COORD is one of them. */
bool dlc_wh_moved_has(const dlc_wh_moved *moved, const dl_coord *coord);

#endif
