/* dl_broker.h - What may be asked of the broker: a table of functions, because
 * core knows no Kafka.
 *
 * Filled by httpd's side (mdl_kafka.h) and by the daemons'.  For questions
 * about few offsets; who reads topics is the consumers' business.
 *
 * Thread: any, each call by itself.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_BROKER_H
#define DL_BROKER_H

#include <stdint.h>

#include "dl_error.h"
#include "dl_time.h"

/* Offsets of one partition. */
typedef struct dl_broker_span {
    const char *topic; /* its topic */
    int32_t partition; /* its number, from 0 */
    int64_t first;     /* the first offset */
    int64_t end;       /* one past the last */
} dl_broker_span;

/* A moment in one partition. */
typedef struct dl_broker_time {
    const char *topic; /* its topic */
    int32_t partition; /* its number, from 0 */
    dl_time time;      /* the moment */
} dl_broker_time;

/* Receives the OFFSET of a record that is there, in rising order; a return
 * other than DL_OK ends the walk and is passed on. */
typedef dl_status dl_broker_each(void *context, int64_t offset, dl_error *err);

/* The questions.  Each fails with DL_UNAVAILABLE when no broker answers in
 * time, and with DL_NOT_FOUND when it knows no such topic or partition. */
typedef struct dl_broker {
    void *context; /* first argument of each, after the outputs */
    /* Set *N to how many partitions TOPIC has. */
    dl_status (*partitions)(int32_t *n, void *context, const char *topic,
                            dl_error *err);
    /* Set *LOW to the first offset that PARTITION of TOPIC still has and *HIGH
     * to the one its next record gets. */
    dl_status (*marks)(int64_t *low, int64_t *high, void *context,
                       const char *topic, int32_t partition, dl_error *err);
    /* Set *OFFSET to the first offset whose record has a time at or after TIME;
     * the high mark when none is that late. */
    dl_status (*at)(int64_t *offset, void *context, const dl_broker_time *time,
                    dl_error *err);
    /* Call EACH with the offsets of SPAN that hold a record of a committed
     * transaction or of none.  What lies below the low mark is not there.
     * Reads the records: SPAN had better be short. */
    dl_status (*records)(void *context, const dl_broker_span *span,
                         dl_broker_each *each, void *each_context,
                         dl_error *err);
} dl_broker;

#endif
