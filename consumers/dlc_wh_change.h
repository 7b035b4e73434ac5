/* dlc_wh_change.h - The change events of a lake, for a rebuild.
 *
 * All of them are read before the records are loaded, and applied when all
 * records are in the table, in the order in which they were made.  That gives
 * what the requests had made: an event changes the rows that stem from records
 * loaded before it (dl_change.h), and a record that came later has replaced
 * the row it changed.  Only a deletion cannot wait for the end: a record that
 * came after it may be older than the deleted one, or equal to it, and would
 * not be stored beside it.  So a deletion is applied before the first such
 * record is loaded, too.
 *
 * Events are in the topic of the dataset, or in that of the dataset it names
 * ("changes_in").  Memory: the events, and 100 bytes for each.
 *
 * Thread: that of the connection.
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
    const char *of;            /* dataset that has them in its topic */
    dl_lake_snapshot *snap;    /* the lake of that one */
} dlc_wh_change_source;

/* Set *CHANGE to the events of SOURCE, which are applied by WH; lives in POOL,
 * as what SOURCE points to.  DL_CORRUPT: one is none of the form of the
 * contract, section 4; DL_UNSUPPORTED: the table has rollups, which would not
 * follow. */
DL_MUSTCHECK dl_status dlc_wh_change_load(dlc_wh_change **change, dl_wh *wh,
                                          const dlc_wh_change_source *source,
                                          dl_error *err, apr_pool_t *pool);

/* Return how many events there are. */
uint64_t dlc_wh_change_count(const dlc_wh_change *change);

/* Whether a deletion has to be applied before RECORD is loaded: all records
 * before it are committed first, then dlc_wh_change_early is called. */
bool dlc_wh_change_before(dlc_wh_change *change, const dlc_lake_record *record);

/* Apply the deletion of the last dlc_wh_change_before. */
DL_MUSTCHECK dl_status dlc_wh_change_early(dlc_wh_change *change,
                                           dl_error *err);

/* Apply all events; all records are in the table. */
DL_MUSTCHECK dl_status dlc_wh_change_apply(dlc_wh_change *change,
                                           dl_error *err);

#endif
