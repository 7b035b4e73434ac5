/* mdl_kafka_client.h - Inside the broker as requests see it: what
 * mdl_kafka.c (records, breaker) and mdl_kafka_ask.c (questions) share.
 *
 * These three files are the only ones of the module that know librdkafka.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_KAFKA_CLIENT_H
#define MDL_KAFKA_CLIENT_H

#include <pthread.h>
#include <stdbool.h>

#include <librdkafka/rdkafka.h>

#include "mdl_kafka.h"

struct mdl_kafka {
    mdl_kafka *next;       /* the next producer of this child */
    const char *brokers;   /* of the settings */
    rd_kafka_t *rk;        /* the client; NULL: brokers are files */
    pthread_rwlock_t life; /* of rk: held to read while it is used */
    pthread_t server;      /* serves reports */
    pthread_t prober;      /* asks the broker */
    pthread_mutex_t mutex; /* of everything below, and of tickets */
    pthread_cond_t wake;   /* the prober has something to do */
    bool stop;             /* the child ends */
    bool up;               /* the breaker is closed */
    bool hurry;            /* the prober asks at once */
    int failures;          /* records in a row without the broker's word */
    int waiting;           /* records that requests wait for */
};

/* One setting of librdkafka. */
typedef struct mdl_kafka_setting {
    const char *name;  /* NULL ends a table */
    const char *value; /* its text */
} mdl_kafka_setting;

/* Set *RK to a client of TYPE for BROKERS, made from CONF, which it owns from
 * now on, also when this fails, and SETTINGS.  Connects in the background.
 * DL_INVALID: librdkafka refuses a setting.  Thread: any. */
DL_MUSTCHECK dl_status mdl_kafka_client(rd_kafka_t **rk, rd_kafka_conf_t *conf,
                                        rd_kafka_type_t type,
                                        const char *brokers,
                                        const mdl_kafka_setting *settings,
                                        dl_error *err);

/* Fill ERR with TEXT and what CODE means; return the status: DL_NOT_FOUND for
 * an unknown topic or partition, DL_INVALID for a record that is refused for
 * good, DL_UNAVAILABLE for the rest.  Thread: any. */
dl_status mdl_kafka_fail(dl_error *err, rd_kafka_resp_err_t code,
                         const char *text);

#endif
