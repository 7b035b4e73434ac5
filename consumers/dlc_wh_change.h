/* dlc_wh_change.h - Change events of the lake, applied to a table again.
 *
 * What a request changed in the warehouse is in the lake as an event (header
 * dl-event): a key, the members that changed, and per partition the offset
 * below which records were loaded then.  A rebuild applies it to the rows that
 * stem from such records; what came later superseded the change, or did not
 * exist yet.  Events of a table come in the order in which they were made.
 *
 * Members that are no column of the table are passed over.
 *
 * Thread: that of the connection.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_WH_CHANGE_H
#define DLC_WH_CHANGE_H

#include <stdbool.h>

#include <apr_pools.h>

#include "dl_wh.h"
#include "dlc_lake_order.h"
#include "dlc_wh_table.h"

typedef struct dlc_wh_change dlc_wh_change; /* applies events to one table */

/* Set *CHANGE to what applies events to TABLE by WH; lives in POOL. */
DL_MUSTCHECK dl_status dlc_wh_change_create(dlc_wh_change **change, dl_wh *wh,
                                            const dlc_wh_table *table,
                                            dl_error *err, apr_pool_t *pool);

/* Whether RECORD is a change event. */
bool dlc_wh_change_is(const dlc_lake_record *record);

/* Apply the event RECORD; all records before it are in the table.
 * DL_CORRUPT: it is none of the form of the contract, section 4;
 * DL_UNSUPPORTED: the table has rollups, or tables of arrays, which would not
 * follow. */
DL_MUSTCHECK dl_status dlc_wh_change_apply(dlc_wh_change *change,
                                           const dlc_lake_record *record,
                                           dl_error *err);

#endif
