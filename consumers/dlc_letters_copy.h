/* dlc_letters_copy.h - Dead letters written to topics of their own.
 *
 * With [kafka] dead_letter_topics, what stands in table dead_letter is sent to
 * dlq.TOPIC: key and bytes as received, and where they came from as headers.
 * A row remembers that it was sent after the broker has said so; a program
 * that dies before sends it again, so each arrives at least once, in the order
 * of ids but for such repeats.  One program at a time does it.
 *
 * Thread: the main thread.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_LETTERS_COPY_H
#define DLC_LETTERS_COPY_H

#include <apr_pools.h>

#include "dl_config.h"
#include "dl_error.h"
#include "dl_stats.h"

/* What the name of a topic of dead letters begins with; the topic they came
 * from follows. */
#define DLC_LETTERS_PREFIX "dlq."

/* How such a topic is made (contract 9). */
#define DLC_LETTERS_PARTITIONS     1
#define DLC_LETTERS_RETENTION_DAYS 30

/* Headers of a message there: why, and where it came from; and, when the whole
 * of it is nowhere any more or too large for the broker, how many bytes it
 * had. */
#define DLC_LETTERS_REASON    "dl-reason"
#define DLC_LETTERS_TOPIC     "dl-topic"
#define DLC_LETTERS_PARTITION "dl-partition"
#define DLC_LETTERS_OFFSET    "dl-offset"
#define DLC_LETTERS_SIZE      "dl-size"

/* Start the thread for the datasets of CFG, with its numbers in STATS; it ends
 * before POOL.  Without dead_letter_topics nothing is started.  Fails as
 * dl_dataset_load_all, dlc_link_create, dlc_producer_create and
 * dlc_chore_create. */
DL_MUSTCHECK dl_status dlc_letters_copy_create(const dl_config *cfg,
                                               dl_stats *stats, dl_error *err,
                                               apr_pool_t *pool);

#endif
