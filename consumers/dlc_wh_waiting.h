/* dlc_wh_waiting.h - Change events that the lake has not got, for a rebuild.
 *
 * A change is done when its request is answered; its event is in the table
 * change_outbox by then, and in the lake some seconds later, or much later
 * while the broker is away.  A rebuild takes those that the lake has not got
 * from the table, numbered or not: one without a number comes behind all that
 * have one, as it will be numbered (dl_outbox.h).  Requests go on meanwhile, so
 * it looks again when all is applied, until there is nothing new.
 *
 * Memory: 8 bytes for each event of the lake, 16 for each that waits.
 *
 * Thread: that of the connection.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_WH_WAITING_H
#define DLC_WH_WAITING_H

#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_error.h"
#include "dl_wh.h"
#include "dlc_wh_events.h"

typedef struct dlc_wh_waiting dlc_wh_waiting; /* what was taken already */

/* Receives an event, which lives during the call. */
typedef dl_status dlc_wh_waiting_taker(void *context, const dlc_wh_event *event,
                                       dl_error *err);

/* Return one for the events of TOPIC, in POOL; nothing was taken. */
dlc_wh_waiting *dlc_wh_waiting_create(const char *topic, apr_pool_t *pool);

/* The lake has the event with the number ID. */
void dlc_wh_waiting_stored(dlc_wh_waiting *waiting, int64_t id);

/* Give all events that WH has, that the lake has not and that were not taken,
 * to TAKER with CONTEXT, in the order of their ids, and set *N to how many.
 * They are taken after the next dlc_wh_waiting_taken.  Fails as TAKER and as
 * dl_wh_run. */
DL_MUSTCHECK dl_status dlc_wh_waiting_read(size_t *n, dlc_wh_waiting *waiting,
                                           dl_wh *wh,
                                           dlc_wh_waiting_taker *taker,
                                           void *context, dl_error *err);

/* What was read last is taken. */
void dlc_wh_waiting_taken(dlc_wh_waiting *waiting);

#endif
