/* dlc_wh_events.h - The change events about a table, in order.
 *
 * Their texts are in a file (dlc_spool.h); in memory are 24 bytes for each.
 *
 * Thread: the owner of the pool.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_WH_EVENTS_H
#define DLC_WH_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_error.h"

typedef struct dlc_wh_events dlc_wh_events; /* events */

/* One event. */
typedef struct dlc_wh_event {
    int64_t id;       /* dl-change-id */
    bool deletes;     /* or changes */
    const char *text; /* it, a JSON object */
    size_t len;       /* bytes of it */
} dlc_wh_event;

/* Set *EVENTS to none yet, in POOL.  Fails as dlc_spool_create. */
DL_MUSTCHECK dl_status dlc_wh_events_create(dlc_wh_events **events,
                                            dl_error *err, apr_pool_t *pool);

/* Keep a copy of EVENT.  Fails as dlc_spool_add; DL_LIMIT: it is larger than
 * any record. */
DL_MUSTCHECK dl_status dlc_wh_events_add(dlc_wh_events *events,
                                         const dlc_wh_event *event,
                                         dl_error *err);

/* Put EVENTS in the order of their ids, equal ones as they were added. */
void dlc_wh_events_sort(dlc_wh_events *events);

/* Return how many there are. */
size_t dlc_wh_events_count(const dlc_wh_events *events);

/* Set *EVENT to event I, from 0; its text lives until the next call.  With
 * DELETIONS the text of one that deletes nothing is not read: it is NULL.
 * Fails as dlc_spool_get. */
DL_MUSTCHECK dl_status dlc_wh_events_at(dlc_wh_event *event,
                                        dlc_wh_events *events, size_t i,
                                        bool deletions, dl_error *err);

#endif
