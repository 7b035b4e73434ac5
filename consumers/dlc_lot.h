/* dlc_lot.h - Records on their way to librdkafka, put in order by partition.
 *
 * The library keeps a queue for each partition and makes a batch of one after
 * the other.  Records that come in turn for several partitions lie far from
 * their neighbours in the batch by then: half of its time goes into fetching
 * them from memory.  So up to DLC_LOT_RECORDS are held here and given to the
 * library partition after partition; within one they keep their order.
 *
 * Thread: the owner.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_LOT_H
#define DLC_LOT_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dlc_producer.h"

/* Most records of a lot, and their bytes. */
#define DLC_LOT_RECORDS 1024
#define DLC_LOT_BYTES   ((size_t)512 * 1024)

/* Most headers of a record in a lot. */
#define DLC_LOT_HEADERS 4

/* A lot. */
typedef struct dlc_lot dlc_lot;

/* Return a new, empty one in POOL. */
dlc_lot *dlc_lot_create(apr_pool_t *pool);

/* Return how many records it has. */
int dlc_lot_count(const dlc_lot *lot);

/* Add RECORD, which is for PARTITION, at least 0; its topic is not kept.
 * False: it does not fit in beside the others, or not at all. */
bool dlc_lot_add(dlc_lot *lot, const dlc_producer_record *record,
                 int32_t partition);

/* Set *RECORD to the next one, without its topic, and *PARTITION to where it
 * goes: those of the first partition in the order they came, then those of the
 * second.  It is valid until the lot is cleared.  False: there is none.  The
 * lot has it until dlc_lot_pass. */
bool dlc_lot_next(dlc_producer_record *record, int32_t *partition,
                  dlc_lot *lot);

/* Go on behind the record that dlc_lot_next gave; behind the last one the lot
 * is empty. */
void dlc_lot_pass(dlc_lot *lot);

#endif
