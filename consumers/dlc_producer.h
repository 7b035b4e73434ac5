/* dlc_producer.h - The daemons' producer: idempotent, acks=all, lz4, a call
 * back for every record.
 *
 * Records of one key keep their order and go to one partition.  What was sent
 * is known when its report came: reports are served by send (while the queue
 * is full), poll and flush, in the caller's thread, for the records of a
 * partition in order.
 *
 * Thread: the owner of the producer, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_PRODUCER_H
#define DLC_PRODUCER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_config.h"
#include "dl_error.h"
#include "dl_stats.h"

/* A producer. */
typedef struct dlc_producer dlc_producer;

/* A header of a record. */
typedef struct dlc_producer_header {
    const char *name;  /* its name; stays as it is while the producer lives */
    const void *value; /* its bytes */
    size_t len;        /* how many */
} dlc_producer_header;

/* A record; all of it but the names of headers is copied. */
typedef struct dlc_producer_record {
    const char *topic;                  /* where to */
    const void *key;                    /* decides the partition; NULL: any */
    size_t key_len;                     /* bytes of KEY */
    const void *value;                  /* its bytes; NULL: none */
    size_t len;                         /* bytes of VALUE */
    int n_headers;                      /* how many of HEADERS */
    const dlc_producer_header *headers; /* in this order */
    uint64_t tag;                       /* given to the report */
} dlc_producer_record;

/* What became of a record. */
typedef struct dlc_delivery {
    uint64_t tag;      /* of the record */
    dl_status status;  /* DL_OK: stored; DL_UNAVAILABLE: given up; DL_INVALID,
                          DL_NOT_FOUND: refused for good */
    bool maybe;        /* not DL_OK: it may be stored nevertheless */
    int32_t partition; /* where it is stored */
    int64_t offset;    /* likewise */
} dlc_delivery;

/* Receives the report of one record. */
typedef void dlc_delivered(void *context, const dlc_delivery *delivery);

/* How a producer is to be. */
typedef struct dlc_producer_options {
    const char *client;       /* its name for the broker: datalake-... */
    dlc_delivered *delivered; /* takes reports */
    void *context;            /* of DELIVERED */
    dl_stats *stats; /* counts datalake_kafka_produced_total; NULL: nobody */
    int timeout_ms;  /* a record without report is given up; 0: 60 s; below 0:
                        never, so that no record overtakes another one */
    bool ordered;    /* none is ever given up, and none is stored when one
                        before it in its partition was not: after a report that
                        is not DL_OK no record is sent any more */
    int queue_kib;   /* bytes that wait, at most; 0: 32 MiB */
    bool gather;     /* records wait for others of their partition, some
                        hundred or until poll or flush waits: half the work
                        where there are many (dlc_lot.h) */
    int max_bytes;   /* bytes of a batch, at most, and of a record: what the
                        topic takes; 0: 10 MiB, as datalakectl topics has it */
} dlc_producer_options;

/* Set *PRODUCER to a producer for the brokers of CFG; closed with POOL, within
 * a second; what has no report then gets none.  Connects in the background.
 * DL_UNAVAILABLE: the brokers are files; DL_INVALID: a setting that librdkafka
 * refuses. */
DL_MUSTCHECK dl_status dlc_producer_create(dlc_producer **producer,
                                           const dl_config *cfg,
                                           const dlc_producer_options *options,
                                           dl_error *err, apr_pool_t *pool);

/* Queue RECORD, waiting for room as long as reports come.  DL_UNAVAILABLE: no
 * room within the time of the options (when that is never: within 100 ms, the
 * record may be sent again then); DL_NOT_FOUND: no such topic;
 * DL_INVALID: the record is too big.  Then there is no report of it.  A
 * producer that gathers says DL_INVALID by a report. */
DL_MUSTCHECK dl_status dlc_producer_send(dlc_producer *producer,
                                         const dlc_producer_record *record,
                                         dl_error *err);

/* Serve the reports that are there, waiting up to TIMEOUT_MS for the first.
 * Unless that is 0, what was gathered is queued before. */
void dlc_producer_poll(dlc_producer *producer, int timeout_ms);

/* Return how many records have no report yet. */
int dlc_producer_waiting(const dlc_producer *producer);

/* Serve reports until every record has one.  DL_UNAVAILABLE: not within
 * TIMEOUT_MS. */
DL_MUSTCHECK dl_status dlc_producer_flush(dlc_producer *producer,
                                          int timeout_ms, dl_error *err);

#endif
