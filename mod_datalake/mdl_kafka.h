/* mdl_kafka.h - The broker as a request sees it: an idempotent producer that
 * says where a record was stored, and never makes a request wait for long.
 *
 * One producer per child and list of brokers, made at child start (threads do
 * not survive a fork; making it costs a millisecond and waits for nobody) and
 * closed with the child, within 3 s whatever the broker does.  A record counts
 * as sent when the broker has said so (acks=all); until then the request
 * waits, at most MDL_KAFKA_WAIT_MS.
 *
 * A thread asks the broker once a second whether it is there.  While it does
 * not answer, or when MDL_KAFKA_FAILURES records in a row were not confirmed,
 * the breaker is open: every request fails at once, without having sent
 * anything.  The next answer closes it.
 *
 * A record whose confirmation does not come in time is taken back if it is
 * still here; if it is on its way nobody knows, and it may be stored later.
 *
 * What knows librdkafka lies behind this header.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_KAFKA_H
#define MDL_KAFKA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_broker.h"
#include "dl_error.h"

struct dl_config;

/* How long a request waits for the broker's word. */
#define MDL_KAFKA_WAIT_MS 800

/* Records in a row without the broker's word that open the breaker. */
#define MDL_KAFKA_FAILURES 3

/* Records that wait for the broker at the same time in a child, at most. */
#define MDL_KAFKA_QUEUE 1000

/* Most headers of a record. */
#define MDL_KAFKA_HEADERS 8

/* The producer of one child. */
typedef struct mdl_kafka mdl_kafka;

/* A header of a record. */
typedef struct mdl_kafka_header {
    const char *name;  /* its name; NULL ends the table */
    const char *value; /* its text */
} mdl_kafka_header;

/* A record to be sent; all of it is copied. */
typedef struct mdl_kafka_record {
    const char *topic;               /* where to */
    const char *key;                 /* decides the partition; NULL: any */
    size_t key_len;                  /* bytes of KEY */
    const char *value;               /* its bytes */
    size_t len;                      /* bytes of VALUE */
    const mdl_kafka_header *headers; /* at most MDL_KAFKA_HEADERS and the end;
                                        NULL: none */
} mdl_kafka_record;

/* Where a record was stored. */
typedef struct mdl_kafka_place {
    int32_t partition; /* partition of the topic */
    int64_t offset;    /* offset in it */
} mdl_kafka_place;

/* Set *KAFKA to this child's producer for the brokers of CFG, made with its
 * threads at the first call for these brokers and closed with CHILD_POOL.  A
 * broker that is away is no failure; brokers that are files ("file:...") never
 * answer.  DL_INTERNAL: no thread; DL_INVALID: a setting librdkafka refuses.
 * Thread: child start only. */
DL_MUSTCHECK dl_status mdl_kafka_open(mdl_kafka **kafka,
                                      const struct dl_config *cfg,
                                      dl_error *err, apr_pool_t *child_pool);

/* Send RECORD and set *PLACE to where the broker has stored it.
 * DL_UNAVAILABLE: the breaker is open, the queue is full, the broker did not
 * answer in time (ERR says whether the record may be stored later), or it
 * refused for a reason that passes; DL_NOT_FOUND: no such topic; DL_INVALID:
 * the broker refuses the record for good (too big).  Thread: any. */
DL_MUSTCHECK dl_status mdl_kafka_send(mdl_kafka_place *place, mdl_kafka *kafka,
                                      const mdl_kafka_record *record,
                                      dl_error *err);

/* DL_OK when the broker answered within the last seconds, else
 * DL_UNAVAILABLE.  Asks nobody.  Thread: any. */
DL_MUSTCHECK dl_status mdl_kafka_check(mdl_kafka *kafka, dl_error *err);

/* Fill *BROKER with the questions of dl_broker.h, each of which waits at most
 * 2 s (records: 2 s without progress).  They fail at once while the breaker is
 * open.  Thread: any. */
void mdl_kafka_broker(dl_broker *broker, mdl_kafka *kafka);

#endif
