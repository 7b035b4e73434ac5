/* dlc_broker.h - Questions to the broker about few offsets, and their records.
 *
 * For tools and jobs; who reads whole topics is a source (dlc_source.h).
 *
 * Thread: the owner, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_BROKER_H
#define DLC_BROKER_H

#include <librdkafka/rdkafka.h>

#include "dl_broker.h"
#include "dl_config.h"

#include <apr_pools.h>

/* A client that asks. */
typedef struct dlc_broker dlc_broker;

/* Set *BROKER to a client of the brokers of CFG, called CLIENT; closed with
 * POOL.  Connects in the background.  DL_UNAVAILABLE: the brokers are files;
 * DL_INVALID: a setting that librdkafka refuses. */
DL_MUSTCHECK dl_status dlc_broker_open(dlc_broker **broker,
                                       const dl_config *cfg, const char *client,
                                       dl_error *err, apr_pool_t *pool);

/* Fill *QUESTIONS with those of dl_broker.h, which BROKER answers; each waits
 * at most 10 s. */
void dlc_broker_questions(dl_broker *questions, dlc_broker *broker);

/* Receives a record, which is dead when it returns; a return other than DL_OK
 * ends the walk and is passed on. */
typedef dl_status dlc_broker_record(void *context,
                                    const rd_kafka_message_t *message,
                                    dl_error *err);

/* Call RECORD with CONTEXT for the records of SPAN that the broker has, in
 * rising order.  Fails as dl_broker.records. */
DL_MUSTCHECK dl_status dlc_broker_read(dlc_broker *broker,
                                       const dl_broker_span *span,
                                       dlc_broker_record *record, void *context,
                                       dl_error *err);

#endif
