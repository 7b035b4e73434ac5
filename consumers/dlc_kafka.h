/* dlc_kafka.h - librdkafka with our manners: settings, errors, questions.
 *
 * Every client of the daemons and tools is made here, so that broker list,
 * names and log lines are alike.  Questions to the broker wait at most a
 * stated time and tell an absent broker as DL_UNAVAILABLE.
 *
 * Thread: a client may be used by any thread; see each function.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_KAFKA_H
#define DLC_KAFKA_H

#include <stdint.h>

#include <apr_pools.h>
#include <librdkafka/rdkafka.h>

#include "dl_config.h"
#include "dl_error.h"

/* One setting of librdkafka. */
typedef struct dlc_kafka_setting {
    const char *name;  /* as in its CONFIGURATION.md; NULL ends a table */
    const char *value; /* its text */
    int optional;      /* 1: older libraries may not know it */
} dlc_kafka_setting;

/* Set *CONF to a new configuration with the brokers of CFG, the client id
 * CLIENT, our log sink, and the rows of SETTINGS.  The caller passes it on to
 * dlc_kafka_open.  DL_INVALID: a value that librdkafka refuses.
 * Thread: any. */
DL_MUSTCHECK dl_status dlc_kafka_conf_create(rd_kafka_conf_t **conf,
                                             const dl_config *cfg,
                                             const char *client,
                                             const dlc_kafka_setting *settings,
                                             dl_error *err);

/* Set *RK to a client of TYPE made from CONF, which it owns from now on, also
 * when this fails.  Destroyed with POOL.  Connects in the background.
 * DL_INVALID: settings that do not go together.  Thread: any. */
DL_MUSTCHECK dl_status dlc_kafka_open(rd_kafka_t **rk, rd_kafka_type_t type,
                                      rd_kafka_conf_t *conf, dl_error *err,
                                      apr_pool_t *pool);

/* Fill ERR with what CODE means and the sentence made from FORMAT; return the
 * status: DL_UNAVAILABLE for what passes by itself, DL_NOT_FOUND for an
 * unknown topic or partition, DL_CONFLICT for what exists already or was
 * fenced, DL_INTERNAL for the rest.  Thread: any. */
dl_status dlc_kafka_fail(dl_error *err, rd_kafka_resp_err_t code,
                         const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Set *ID to the cluster's id, in POOL, waiting up to TIMEOUT_MS.
 * Thread: any. */
DL_MUSTCHECK dl_status dlc_kafka_cluster(const char **id, rd_kafka_t *rk,
                                         int timeout_ms, dl_error *err,
                                         apr_pool_t *pool);

/* Set *COUNT to the number of partitions of TOPIC, waiting up to TIMEOUT_MS.
 * DL_NOT_FOUND: no such topic.  Thread: any. */
DL_MUSTCHECK dl_status dlc_kafka_partitions(int32_t *count, rd_kafka_t *rk,
                                            const char *topic, int timeout_ms,
                                            dl_error *err);

/* A topic to be made. */
typedef struct dlc_kafka_topic {
    const char *name;       /* of the topic */
    int partitions;         /* at least 1 */
    int replication;        /* copies; -1: as the broker is set */
    const char *const *set; /* name, value, name, value ..., NULL; or NULL */
} dlc_kafka_topic;

/* Make TOPIC, waiting up to TIMEOUT_MS.  DL_CONFLICT: it exists.
 * Thread: any. */
DL_MUSTCHECK dl_status dlc_kafka_topic_create(rd_kafka_t *rk,
                                              const dlc_kafka_topic *topic,
                                              int timeout_ms, dl_error *err);

/* Set *BYTES to the most bytes that a batch of records of TOPIC may have,
 * max.message.bytes, waiting up to TIMEOUT_MS.  DL_NOT_FOUND: no such topic.
 * Thread: any. */
DL_MUSTCHECK dl_status dlc_kafka_topic_most(int64_t *bytes, rd_kafka_t *rk,
                                            const char *topic, int timeout_ms,
                                            dl_error *err);

#endif
