/* dlc_pulse.h - Asks the broker once a second whether it is there.
 *
 * The consuming client cannot tell: librdkafka keeps what it last learned, and
 * does not always say that all brokers are down.  So a thread of its own asks,
 * over a connection of its own (a fetch in hand would hold the answer back),
 * for the list of brokers, a request of some 30 bytes, and sets the gauge
 * datalake_kafka_broker_up{sink}, which the health routes read.
 *
 * A broker that dies or stops is seen within PULSE + ASK (2.2 s), one that
 * comes back within PULSE and the pause between two attempts to connect
 * (1.5 s).  Cost: four sleeping threads, 0.6 ms of CPU a second (measured idle).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_PULSE_H
#define DLC_PULSE_H

#include <apr_pools.h>

#include "dl_config.h"
#include "dl_error.h"
#include "dl_stats.h"

/* Start asking the brokers of CFG and telling it in STATS under the label of
 * SINK, until POOL ends, which may take one question (1.2 s).  STATS must live
 * longer than POOL's content.  Nothing is started, and the gauge not made,
 * when CFG reads files instead of a broker.  DL_INVALID, DL_INTERNAL: no
 * client, no thread.  Thread: the owner of STATS. */
DL_MUSTCHECK dl_status dlc_pulse_create(const dl_config *cfg, dl_stats *stats,
                                        const char *sink, dl_error *err,
                                        apr_pool_t *pool);

#endif
