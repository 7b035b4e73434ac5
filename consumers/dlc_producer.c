/* dlc_producer.c - Records to the broker, reports back.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_producer.h"

#include <stdio.h>
#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "dl_time.h"
#include "dlc_kafka.h"
#include "dlc_lot.h"

#define TIMEOUT_MS 60000

/* Waiting for room, where records are never given up. */
#define ROOM_MS 100

/* Bytes that wait, in KiB. */
#define QUEUE_KIB 32768

/* Bytes of a record, and the least that the library knows of. */
#define RECORD_BYTES       10485760
#define LEAST_RECORD_BYTES 1000

/* A producer that is closed waits so long for its last reports. */
#define CLOSE_MS 1000

/* The broker is asked for a topic's partitions for so long. */
#define ASK_MS 1000

/* The counters of one topic. */
typedef struct topic_counts {
    dl_stats_value *ok;     /* stored */
    dl_stats_value *failed; /* not confirmed */
} topic_counts;

struct dlc_producer {
    rd_kafka_t *rk;                     /* the client */
    dlc_producer_options options;       /* as given */
    apr_hash_t *topics;                 /* name -> topic_counts */
    const rd_kafka_topic_t *last_topic; /* of the last report */
    topic_counts *last_counts;          /* its counters */
    apr_pool_t *pool;                   /* of these */
    bool closing;                       /* nobody takes reports any more */
    const char *name;                   /* the topic of HANDLE */
    rd_kafka_topic_t *handle;           /* where the last record went, NULL:
                                         * none did */
    int32_t partitions;                 /* of it; 0: not asked for */
    dlc_lot *lot;                       /* what is gathered for it, or NULL */
};

/* What CODE means for a record. */
static dl_status status_of(rd_kafka_resp_err_t code)
{
    switch ((int)code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return DL_OK;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        return DL_NOT_FOUND;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
        return DL_INVALID;
    default:
        return DL_UNAVAILABLE;
    }
}

/* The counters of RKT; nearly always those of the record before. */
static topic_counts *counts_of(dlc_producer *producer,
                               const rd_kafka_topic_t *rkt)
{
    const char *topic;
    topic_counts *counts;
    const char *labels;

    if (rkt == producer->last_topic) {
        return producer->last_counts;
    }
    topic = rd_kafka_topic_name(rkt);
    counts = apr_hash_get(producer->topics, topic, APR_HASH_KEY_STRING);
    if (counts == NULL) {
        counts = apr_palloc(producer->pool, sizeof *counts);
        labels = apr_psprintf(producer->pool, "topic=\"%s\",result=\"", topic);
        counts->ok =
            dl_stats_slot(producer->options.stats, DL_STATS_COUNTER,
                          "datalake_kafka_produced_total",
                          apr_pstrcat(producer->pool, labels, "ok\"", NULL));
        counts->failed = dl_stats_slot(
            producer->options.stats, DL_STATS_COUNTER,
            "datalake_kafka_produced_total",
            apr_pstrcat(producer->pool, labels, "failed\"", NULL));
        apr_hash_set(producer->topics, apr_pstrdup(producer->pool, topic),
                     APR_HASH_KEY_STRING, counts);
    }
    producer->last_topic = rkt;
    producer->last_counts = counts;
    return counts;
}

/* Called by rd_kafka_poll for each record, once. */
static void delivered(rd_kafka_t *rk, const rd_kafka_message_t *message,
                      void *opaque)
{
    dlc_producer *producer = opaque;
    dlc_delivery delivery = {.tag = (uint64_t)(uintptr_t)message->_private,
                             .status = status_of(message->err),
                             .partition = message->partition,
                             .offset = message->offset};
    topic_counts *counts = counts_of(producer, message->rkt);

    (void)rk;
    if (producer->closing) {
        return;
    }
    delivery.maybe =
        delivery.status != DL_OK &&
        rd_kafka_message_status(message) != RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
    dl_stats_add(delivery.status == DL_OK ? counts->ok : counts->failed, 1);
    producer->options.delivered(producer->options.context, &delivery);
}

static apr_status_t close_producer(void *data)
{
    dlc_producer *producer = data;

    producer->closing = true;
    if (producer->handle != NULL) {
        rd_kafka_topic_destroy(producer->handle);
    }
    if (rd_kafka_flush(producer->rk, CLOSE_MS) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_purge(producer->rk,
                       RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_flush(producer->rk, CLOSE_MS);
    }
    return APR_SUCCESS;
}

dl_status dlc_producer_create(dlc_producer **producer, const dl_config *cfg,
                              const dlc_producer_options *options,
                              dl_error *err, apr_pool_t *pool)
{
    dlc_producer *p = apr_pcalloc(pool, sizeof *p);
    char timeout[32];
    char kib[32];
    char most[32];
    const dlc_kafka_setting settings[] = {
        {"enable.idempotence", "true", 0},
        {"acks", "all", 0},
        {"compression.codec", "lz4", 0},
        {"linger.ms", "5", 0},
        {"message.max.bytes", most, 0},
        {"message.timeout.ms", timeout, 0},
        {"queue.buffering.max.messages", "50000", 0},
        {"queue.buffering.max.kbytes", kib, 0},
        {"partitioner", "murmur2_random", 0},
        {"topic.metadata.propagation.max.ms", "2000", 1},
        /* The library warns of it even where it is off. */
        {options->ordered ? "enable.gapless.guarantee" : NULL, "true", 0},
        {NULL, NULL, 0}};
    rd_kafka_conf_t *conf;

    if (strncmp(cfg->kafka.brokers, "file:", 5) == 0) {
        return dl_fail(err, DL_UNAVAILABLE, 0,
                       "records cannot be sent to brokers that are files");
    }
    p->options = *options;
    if (p->options.timeout_ms == 0) {
        p->options.timeout_ms = TIMEOUT_MS;
    }
    p->topics = apr_hash_make(pool);
    p->pool = pool;
    snprintf(timeout, sizeof timeout, "%d",
             p->options.ordered || p->options.timeout_ms < 0
                 ? 0
                 : p->options.timeout_ms);
    snprintf(kib, sizeof kib, "%d",
             p->options.queue_kib == 0 ? QUEUE_KIB : p->options.queue_kib);
    if (p->options.max_bytes == 0) {
        p->options.max_bytes = RECORD_BYTES;
    }
    snprintf(most, sizeof most, "%d",
             p->options.max_bytes < LEAST_RECORD_BYTES ? LEAST_RECORD_BYTES
                                                       : p->options.max_bytes);
    DL_TRY(dlc_kafka_conf_create(&conf, cfg, options->client, settings, err));
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    rd_kafka_conf_set_opaque(conf, p);
    DL_TRY(dlc_kafka_open(&p->rk, RD_KAFKA_PRODUCER, conf, err, pool));
    apr_pool_cleanup_register(pool, p, close_producer, apr_pool_cleanup_null);
    p->lot = options->gather ? dlc_lot_create(pool) : NULL;
    *producer = p;
    return DL_OK;
}

/* The headers of RECORD as the library wants them; NULL: none. */
static rd_kafka_headers_t *make_headers(const dlc_producer_record *record)
{
    rd_kafka_headers_t *made;
    int i;

    if (record->n_headers == 0) {
        return NULL;
    }
    made = rd_kafka_headers_new((size_t)record->n_headers);
    for (i = 0; i < record->n_headers; i++) {
        const dlc_producer_header *header = &record->headers[i];

        rd_kafka_header_add(made, header->name, -1, header->value,
                            (ssize_t)header->len);
    }
    return made;
}

/* Where a record goes. */
typedef struct destination {
    int32_t partition; /* RD_KAFKA_PARTITION_UA: as its key says */
    int64_t time_ms;   /* its time, 0: now */
} destination;

static rd_kafka_resp_err_t enqueue(dlc_producer *producer,
                                   const dlc_producer_record *record,
                                   rd_kafka_headers_t *headers,
                                   const destination *to)
{
    void *value;
    void *key;

    /* The library takes bare pointers, though it only copies from them. */
    memcpy(&value, &record->value, sizeof value);
    memcpy(&key, &record->key, sizeof key);
    return rd_kafka_producev(
        producer->rk, RD_KAFKA_V_RKT(producer->handle),
        RD_KAFKA_V_VALUE(value, record->len),
        RD_KAFKA_V_KEY(key, record->key_len), RD_KAFKA_V_HEADERS(headers),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_PARTITION(to->partition), RD_KAFKA_V_TIMESTAMP(to->time_ms),
        RD_KAFKA_V_OPAQUE((void *)(uintptr_t)record->tag), RD_KAFKA_V_END);
}

/* The queue is full: wait for room. */
static rd_kafka_resp_err_t enqueue_later(dlc_producer *producer,
                                         const dlc_producer_record *record,
                                         rd_kafka_headers_t *headers,
                                         const destination *to)
{
    int wait_ms = producer->options.timeout_ms < 0
                      ? ROOM_MS
                      : producer->options.timeout_ms;
    int64_t until_us = dl_time_monotonic_us() + wait_ms * INT64_C(1000);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__QUEUE_FULL;

    while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL &&
           dl_time_monotonic_us() < until_us) {
        rd_kafka_poll(producer->rk, 10);
        code = enqueue(producer, record, headers, to);
    }
    return code;
}

/* Give RECORD to the library. */
static rd_kafka_resp_err_t hand_over(dlc_producer *producer,
                                     const dlc_producer_record *record,
                                     const destination *to)
{
    rd_kafka_headers_t *headers = make_headers(record);
    rd_kafka_resp_err_t code = enqueue(producer, record, headers, to);

    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        code = enqueue_later(producer, record, headers, to);
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && headers != NULL) {
        rd_kafka_headers_destroy(headers);
    }
    return code;
}

static dl_status refuse(dl_error *err, const char *topic,
                        rd_kafka_resp_err_t code)
{
    return dl_fail(err, status_of(code), 0, "topic %s: %s", topic,
                   rd_kafka_err2str(code));
}

/* --- Records that are gathered -------------------------------------------- */

/* Report that the library did not take RECORD. */
static void report_refused(dlc_producer *producer,
                           const dlc_producer_record *record,
                           rd_kafka_resp_err_t code)
{
    const dlc_delivery delivery = {.tag = record->tag,
                                   .status = status_of(code),
                                   .partition = -1,
                                   .offset = -1};

    dl_stats_add(counts_of(producer, producer->handle)->failed, 1);
    producer->options.delivered(producer->options.context, &delivery);
}

/* Give the library what was gathered.  DL_UNAVAILABLE: it has no room for the
 * rest, which stays. */
static dl_status hand_over_lot(dlc_producer *producer, dl_error *err)
{
    destination to = {.time_ms = dl_time_now() / 1000};
    dlc_producer_record record;

    while (producer->lot != NULL &&
           dlc_lot_next(&record, &to.partition, producer->lot)) {
        rd_kafka_resp_err_t code = hand_over(producer, &record, &to);

        if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            return refuse(err, producer->name, code);
        }
        dlc_lot_pass(producer->lot);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            report_refused(producer, &record, code);
        }
    }
    return DL_OK;
}

/* Gather RECORD. */
static dl_status gather(dlc_producer *producer,
                        const dlc_producer_record *record, dl_error *err)
{
    destination to = {.time_ms = 0};
    rd_kafka_resp_err_t code;

    if (producer->partitions == 0) {
        DL_TRY(dlc_kafka_partitions(&producer->partitions, producer->rk,
                                    record->topic, ASK_MS, err));
    }
    to.partition = rd_kafka_msg_partitioner_murmur2_random(
        producer->handle, record->key, record->key_len, producer->partitions,
        NULL, NULL);
    if (dlc_lot_add(producer->lot, record, to.partition)) {
        return DL_OK;
    }
    DL_TRY(hand_over_lot(producer, err));
    if (dlc_lot_add(producer->lot, record, to.partition)) {
        return DL_OK;
    }
    /* It is too big for a lot. */
    code = hand_over(producer, record, &to);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return DL_OK;
    }
    return refuse(err, record->topic, code);
}

/* --- All records ---------------------------------------------------------- */

/* Let TOPIC be where records go. */
static dl_status go_to(dlc_producer *producer, const char *topic, dl_error *err)
{
    rd_kafka_topic_t *handle;

    if (producer->handle != NULL && strcmp(producer->name, topic) == 0) {
        return DL_OK;
    }
    DL_TRY(hand_over_lot(producer, err));
    handle = rd_kafka_topic_new(producer->rk, topic, NULL);
    if (handle == NULL) {
        return refuse(err, topic, rd_kafka_last_error());
    }
    if (producer->handle != NULL) {
        rd_kafka_topic_destroy(producer->handle);
    }
    producer->handle = handle;
    producer->name = rd_kafka_topic_name(handle);
    producer->partitions = 0;
    return DL_OK;
}

dl_status dlc_producer_send(dlc_producer *producer,
                            const dlc_producer_record *record, dl_error *err)
{
    const destination to = {.partition = RD_KAFKA_PARTITION_UA};
    rd_kafka_resp_err_t code;

    DL_TRY(go_to(producer, record->topic, err));
    if (producer->lot != NULL) {
        return gather(producer, record, err);
    }
    code = hand_over(producer, record, &to);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return DL_OK;
    }
    return refuse(err, record->topic, code);
}

void dlc_producer_poll(dlc_producer *producer, int timeout_ms)
{
    dl_error ignored;

    if (timeout_ms != 0) {
        /* What has no room now has it later. */
        (void)!hand_over_lot(producer, &ignored);
    }
    rd_kafka_poll(producer->rk, timeout_ms);
}

int dlc_producer_waiting(const dlc_producer *producer)
{
    return rd_kafka_outq_len(producer->rk) +
           (producer->lot == NULL ? 0 : dlc_lot_count(producer->lot));
}

dl_status dlc_producer_flush(dlc_producer *producer, int timeout_ms,
                             dl_error *err)
{
    DL_TRY(hand_over_lot(producer, err));
    if (rd_kafka_flush(producer->rk, timeout_ms) !=
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        return dl_fail(err, DL_UNAVAILABLE, 0,
                       "the broker has not confirmed %d records",
                       rd_kafka_outq_len(producer->rk));
    }
    return DL_OK;
}
