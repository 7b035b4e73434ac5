/* dlc_collect_limit.h - Records that are too long for their topic: they become
 * dead letters, too.
 *
 * A broker refuses what is longer than max.message.bytes of the topic, whole
 * batches of it.  So the collector asks for that number before it sends, and
 * puts a short text in the place of a record that is longer: the lake takes it
 * for a dead letter (it is no JSON), whose headers have file, line and reason.
 * Its position is that of the row, so that a kill changes nothing.
 *
 * Thread: the owner, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_COLLECT_LIMIT_H
#define DLC_COLLECT_LIMIT_H

#include <apr_pools.h>

#include "dl_config.h"
#include "dl_error.h"
#include "dlc_collect.h"
#include "dlc_collect_record.h"

/* What a topic takes. */
typedef struct dlc_collect_limit dlc_collect_limit;

/* Set *LIMIT to that of TOPIC, in POOL: what its broker says within five
 * seconds, else what datalakectl topics gives a topic (10 MiB), which is told
 * in the log; a broker that takes less refuses then, and the source is begun
 * anew (dlc_collect_send.h).  Fails as dlc_kafka_open. */
DL_MUSTCHECK dl_status dlc_collect_limit_ask(dlc_collect_limit **limit,
                                             const dl_config *cfg,
                                             const char *topic, dl_error *err,
                                             apr_pool_t *pool);

/* Return the most bytes that a batch may have. */
int dlc_collect_limit_bytes(const dlc_collect_limit *limit);

/* Make RECORD, of ROW, what the topic takes: left alone, or another value and
 * a fault, valid until the next call. */
void dlc_collect_limit_apply(dlc_collect_record *record,
                             dlc_collect_limit *limit,
                             const dlc_collect_row *row);

#endif
