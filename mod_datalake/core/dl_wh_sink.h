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

/* Set ALL, of MAX places, and *N to the progress in each partition of TOPIC
 * that the warehouse has begun, by number; further ones are left out. */
DL_MUSTCHECK dl_status dl_wh_sink_progress(dl_wh_progress *all, int *n, int max,
                                           struct dl_wh *wh, const char *topic,
                                           dl_error *err);

/* What a request that changes rows takes for loaded of one topic. */
typedef struct dl_wh_loaded {
    const char *topic;   /* whose; NULL: of none */
    dl_wh_progress *all; /* each partition once, in no order */
    int n;               /* how many */
} dl_wh_loaded;

/* Set ALL and N of both of LOADED, whose ALL have MAX places, by one question:
 * what the tables have, or a rebuild that is under way is going to load;
 * further partitions are left out. */
DL_MUSTCHECK dl_status dl_wh_sink_loaded(dl_wh_loaded loaded[2], int max,
                                         struct dl_wh *wh, dl_error *err);

/* Which refused rows count. */
typedef struct dl_wh_refusals {
    const char *topic;  /* whose */
    int32_t generation; /* life of the topic */
    dl_day date;        /* of Kafka's time, UTC; DL_DAY_NONE: any */
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

/* Set *SOURCE to the message that the row of TABLE came from whose unique
 * column has KEY.
 * DL_NOT_FOUND: there is no such row; DL_UNSUPPORTED: dl_wh_sink_knows says
 * no. */
DL_MUSTCHECK dl_status dl_wh_sink_row(dl_wh_source *source, struct dl_wh *wh,
                                      const char *table, const char *key,
                                      dl_error *err);

#endif
