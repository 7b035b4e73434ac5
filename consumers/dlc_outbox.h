/* dlc_outbox.h - The relay: change events from the outbox to their topics.
 *
 * A thread numbers what waits (dl_outbox.h), reads it in the order of the
 * numbers, sends it and notes what the broker has confirmed.  An event is sent
 * again when that note was not made; its number (header dl-change-id) is then
 * not above the one that the lake stored, which drops it.  So none may ever
 * come behind one of a higher number for the first time: a producer never gives
 * a record up and never leaves a gap (dlc_producer_options.ordered), and after
 * any failure a new one begins with the lowest that waits.
 *
 * One program sends at a time, by a lease of some seconds.  Two that take turns
 * badly (one was stopped for long) do no harm: each sends whole stretches in
 * order, so what comes first comes in order.
 *
 * Events that were sent stay in the outbox for DLC_OUTBOX_KEPT_S.
 *
 * Thread: the main thread.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_OUTBOX_H
#define DLC_OUTBOX_H

#include <stdint.h>

#include <apr_pools.h>

#include "dl_config.h"
#include "dl_error.h"
#include "dl_stats.h"

/* How long events stay in the outbox after they were sent, in seconds. */
#define DLC_OUTBOX_KEPT_S INT64_C(86400)

/* Start the thread for the warehouse and the brokers of CFG, with its numbers
 * in STATS; it ends before POOL.  Fails as dlc_link_create and
 * dlc_chore_create. */
DL_MUSTCHECK dl_status dlc_outbox_create(const dl_config *cfg, dl_stats *stats,
                                         dl_error *err, apr_pool_t *pool);

#endif
