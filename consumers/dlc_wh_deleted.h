/* dlc_wh_deleted.h - Records whose rows a change event has deleted.
 *
 * A deletion names members that rows have, and what was loaded when it was
 * made.  A record that has these members and was loaded by then is in no row
 * afterwards, whatever came between: it was the row, or another record had
 * taken its place.  So a rebuild need not load it; see dlc_wh_moved.h for the
 * one thing that it does before it goes.
 *
 * Memory: for each key that was deleted, once or often, 24 bytes in a table at
 * least a third full.  What was loaded lies in a file (dlc_spool.h).
 *
 * Thread: the owner of the pool.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_WH_DELETED_H
#define DLC_WH_DELETED_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_change.h"
#include "dl_dataset.h"
#include "dl_error.h"
#include "dl_lake.h"
#include "dl_record.h"
#include "dlc_wh_key.h"

/* Most combinations of members that deletions name rows by. */
#define DLC_WH_DELETED_KINDS 4

typedef struct dlc_wh_deleted dlc_wh_deleted; /* deletions, by their keys */

/* Set *DELETED to no deletions from the table of DS, in POOL, which DS
 * outlives.  Fails as dlc_spool_create. */
DL_MUSTCHECK dl_status dlc_wh_deleted_create(dlc_wh_deleted **deleted,
                                             const dl_dataset *ds,
                                             dl_error *err, apr_pool_t *pool);

/* Take the deletion that CHANGE has read.  Fails as dlc_spool_add;
 * DL_UNSUPPORTED: there are more combinations of members than above. */
DL_MUSTCHECK dl_status dlc_wh_deleted_add(dlc_wh_deleted *deleted,
                                          const dl_change *change,
                                          dl_error *err);

/* Return whether there is none. */
bool dlc_wh_deleted_is_empty(const dlc_wh_deleted *deleted);

/* Return whether a deletion names rows by a member that may differ between
 * two records of one row. */
bool dlc_wh_deleted_may_move(const dlc_wh_deleted *deleted);

/* Return whether a record at COORD may be one that a deletion covers; a cheap
 * look at its place alone. */
bool dlc_wh_deleted_reaches(const dlc_wh_deleted *deleted,
                            const dl_coord *coord);

/* Set *COVERED to whether a deletion covers REC, a good record at COORD, and,
 * unless it is NULL, KEYS to its keys, one for each combination of members;
 * all zero where one is NULL.  Fails as dlc_spool_get. */
DL_MUSTCHECK dl_status
dlc_wh_deleted_covers(bool *covered, dlc_wh_key keys[DLC_WH_DELETED_KINDS],
                      dlc_wh_deleted *deleted, const dl_record *rec,
                      const dl_coord *coord, dl_error *err);

/* Set *KEY to that of the deletion that CHANGE has read, which was added.
 * Returns false where it names no row. */
bool dlc_wh_deleted_key(dlc_wh_key *key, const dlc_wh_deleted *deleted,
                        const dl_change *change);

#endif
