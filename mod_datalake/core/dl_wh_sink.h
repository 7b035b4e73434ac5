/* dl_wh_sink.h - What the warehouse has of a topic: how far it is, what it
 * refused, and which message a row came from.
 *
 * Reads the views that the account of the API may read.
 *
 * Thread: the owner of the connection.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_WH_SINK_H
#define DL_WH_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "dl_error.h"
#include "dl_time.h"

struct dl_wh;

/* The sentence of a dead letter whose record passed every rule and was refused
 * by the database: a defect (contract 9). */
#define DL_WH_REFUSED "the database refused a value of the row"

/* How far the warehouse is in one partition. */
typedef struct dl_wh_progress {
    int32_t partition;  /* of the topic */
    int32_t generation; /* life of the topic the offset counts in */
    int64_t next;       /* first offset that is not in the tables yet */
} dl_wh_progress;

/* Takes the progress of one partition. */
typedef dl_status dl_wh_progress_taker(void *context,
                                       const dl_wh_progress *progress,
                                       dl_error *err);

/* Call TAKE with CONTEXT for each partition of TOPIC that the warehouse has
 * begun, by number.  It must not use WH. */
DL_MUSTCHECK dl_status dl_wh_sink_progress(struct dl_wh *wh, const char *topic,
                                           dl_wh_progress_taker *take,
                                           void *context, dl_error *err);

/* Which refused rows count. */
typedef struct dl_wh_refusals {
    const char *topic;  /* whose */
    int32_t generation; /* life of the topic */
    dl_time from, to;   /* Kafka's time: from FROM on, before TO */
} dl_wh_refusals;

/* Set *N to how many dead letters that wait for a decision are refused rows as
 * ASKED says. */
DL_MUSTCHECK dl_status dl_wh_sink_refused(uint64_t *n, struct dl_wh *wh,
                                          const dl_wh_refusals *asked,
                                          dl_error *err);

/* Where a row came from. */
typedef struct dl_wh_source {
    int32_t generation; /* life of the topic */
    int32_t partition;  /* of the topic */
    int64_t offset;     /* of the message */
} dl_wh_source;

/* Whether dl_wh_sink_row knows TABLE.  Thread: any. */
bool dl_wh_sink_knows(const char *table);

/* Set *SOURCE to the message that the row KEY of TABLE came from.
 * DL_NOT_FOUND: there is no such row; DL_UNSUPPORTED: dl_wh_sink_knows says
 * no. */
DL_MUSTCHECK dl_status dl_wh_sink_row(dl_wh_source *source, struct dl_wh *wh,
                                      const char *table, const char *key,
                                      dl_error *err);

#endif
