/* dlc_wh_change.h - The change events of a lake, for a rebuild.
 *
 * All of them are read before the records are loaded.  A record that a
 * deletion has taken out of the table is not loaded at all (dlc_wh_deleted.h,
 * dlc_wh_moved.h); the rest of the events is applied when all records are in
 * the table, in the order of their ids.  That gives what the requests had made:
 * an event changes the rows that stem from records loaded before it
 * (dl_change.h), and a record that came later has replaced the row it changed,
 * or found its place empty where it had been deleted.
 *
 * Events are in the topic of the dataset, or in that of the dataset it names
 * ("changes_in").  Memory: 32 bytes for each event, 36 to 72 for each key that
 * was deleted, whatever their sizes: 100 MB for a million deletions; and what
 * dlc_wh_moved.h says where rows may move.  Their texts are in files
 * (dlc_spool.h).
 *
 * Thread: one at a time.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_WH_CHANGE_H
#define DLC_WH_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_dataset.h"
#include "dl_lake.h"
#include "dl_wh.h"
#include "dlc_lake_order.h"

typedef struct dlc_wh_change dlc_wh_change; /* events about one table */

/* Where the events are, and whom they are about. */
typedef struct dlc_wh_change_source {
    const dl_dataset *dataset; /* whose table they change */
    dl_lake_snapshot *records; /* the lake of that one */
    const char *of;            /* dataset that has them in its topic */
    const char *topic;         /* that topic */
    dl_lake_snapshot *snap;    /* the lake of that dataset; NULL: none */
    bool without_lost; /* what the lake has not is lost: take events that were
                          made of it, too */
} dlc_wh_change_source;

/* Set *CHANGE to the events of SOURCE and those that WH has and the lake has
 * not (dlc_wh_waiting.h); lives in POOL, as what SOURCE points to.  DL_BUSY:
 * the lake has not stored yet what one of them was made of, and is to have it.  DL_CORRUPT: one is
 * none of the form of the contract, section 4; DL_UNSUPPORTED: the table has
 * rollups, which would not follow; DL_IO, DL_NO_SPACE: the lake cannot be read,
 * or a temporary file not be written; else as dl_wh_run. */
DL_MUSTCHECK dl_status dlc_wh_change_load(dlc_wh_change **change,
                                          const dlc_wh_change_source *source,
                                          dl_wh *wh, dl_error *err,
                                          apr_pool_t *pool);

/* Return how many events there are. */
uint64_t dlc_wh_change_count(const dlc_wh_change *change);

/* Return how many of them were made of records that the lake has not. */
uint64_t dlc_wh_change_lost(const dlc_wh_change *change);

/* Set *GONE to whether RECORD is in no row, because of a deletion that came
 * after it.  Fails as dlc_spool_get. */
DL_MUSTCHECK dl_status dlc_wh_change_is_gone(bool *gone, dlc_wh_change *change,
                                             const dlc_lake_record *record,
                                             dl_error *err);

/* Apply by WH the events that were not applied yet; all records are in the
 * table.  Then those that came since, which are read by OUTBOX, another
 * connection, until there is none.  After a failure of the database it may be
 * called again, by other connections: what was applied without being noted is
 * applied once more, which changes nothing. */
DL_MUSTCHECK dl_status dlc_wh_change_apply(dlc_wh_change *change, dl_wh *wh,
                                           dl_wh *outbox, dl_error *err);

#endif
