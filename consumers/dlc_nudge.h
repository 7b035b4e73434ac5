/* dlc_nudge.h - Keeps old librdkafka from sleeping on a full queue.
 *
 * Below 2.2 a broker thread that finds the queue of fetched messages full
 * sleeps until something happens on its connection, up to a second, however
 * soon the queue is empty again: 0.14 instead of 0.33 M messages/s with a
 * queue of 64 MB (t/bench/p03-stall).  An answer on the connection wakes it.
 * So while messages pour in, a thread of ours asks each leader for the ends
 * of its partitions every 10 ms, one small request.  From 2.2 on the setting
 * fetch.queue.backoff.ms does the same, and no thread is made.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_NUDGE_H
#define DLC_NUDGE_H

#include <apr_pools.h>
#include <librdkafka/rdkafka.h>

#include "dl_error.h"

/* A nudging thread. */
typedef struct dlc_nudge dlc_nudge;

/* Set *NUDGE to a thread for the consumer RK, ended with POOL (which must end
 * before RK does), or to NULL where the library needs none.
 * Thread: the owner. */
DL_MUSTCHECK dl_status dlc_nudge_create(dlc_nudge **nudge, rd_kafka_t *rk,
                                        dl_error *err, apr_pool_t *pool);

/* The consumer now reads the partitions LIST, which is copied.  NUDGE may be
 * NULL.  Thread: the owner. */
void dlc_nudge_assign(dlc_nudge *nudge,
                      const rd_kafka_topic_partition_list_t *list);

/* Messages pour in: nudge for the next moments.  Cheap.  NUDGE may be NULL.
 * Thread: the owner. */
void dlc_nudge_busy(dlc_nudge *nudge);

#endif
