/* mdl_kafka.c - A child's producer, its two threads and its breaker.
 *
 *   server   serves what librdkafka reports: deliveries, lost brokers
 *   prober   asks for the list of brokers each second: the breaker
 *
 * A request that sends leaves a ticket with the library and sleeps on it.  The
 * ticket is freed by whoever is later: the request, or the report.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_kafka_client.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_config.h"
#include "dl_log.h"
#include "dl_thread.h"
#include "dl_time.h"
#include "mdl_metrics.h"

/* Between two questions of the prober, and the longest wait for an answer. */
#define PROBE_US INT64_C(1000000)
#define ASK_MS   900

/* What was taken back is reported within this time. */
#define TAKEN_BACK_MS 100

/* A child that ends waits so long for records on their way. */
#define CLOSE_MS 1000

/* Room for a message of librdkafka. */
#define TEXT 512

/* One record that a request waits for. */
typedef struct ticket {
    mdl_kafka *kafka;           /* whose */
    pthread_cond_t reported_at; /* the report came */
    bool reported;              /* it is there */
    bool abandoned;             /* nobody waits: the report frees this */
    rd_kafka_resp_err_t code;   /* what became of it */
    rd_kafka_msg_status_t kept; /* whether the broker may have it */
    mdl_kafka_place place;      /* where it is */
} ticket;

/* The producers of this child; changed at child start only. */
static mdl_kafka *producers;

/* --- What librdkafka reports ---------------------------------------------- */

static void free_ticket(ticket *t)
{
    pthread_cond_destroy(&t->reported_at);
    free(t);
}

/* Called by the server for each record, once. */
static void delivered(rd_kafka_t *rk, const rd_kafka_message_t *message,
                      void *opaque)
{
    ticket *t = message->_private;
    mdl_kafka *kafka = opaque;
    bool abandoned;

    (void)rk;
    pthread_mutex_lock(&kafka->mutex);
    t->code = message->err;
    t->kept = rd_kafka_message_status(message);
    t->place = (mdl_kafka_place){message->partition, message->offset};
    t->reported = true;
    abandoned = t->abandoned;
    pthread_cond_signal(&t->reported_at);
    pthread_mutex_unlock(&kafka->mutex);
    if (abandoned) {
        free_ticket(t);
    }
}

/* Open or close the breaker of KAFKA; the mutex is held. */
static void set_up(mdl_kafka *kafka, bool up, const char *why)
{
    if (kafka->up == up) {
        return;
    }
    kafka->up = up;
    kafka->failures = 0;
    kafka->hurry = !up;
    pthread_cond_signal(&kafka->wake);
    dl_log(up ? DL_LOG_NOTICE : DL_LOG_WARNING, "DL1291 the broker %s%s",
           up ? "answers" : "is away: ", up ? "" : why);
}

/* Called by the server when connections are lost. */
static void lost(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    mdl_kafka *kafka = opaque;

    (void)rk;
    if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN &&
        code != RD_KAFKA_RESP_ERR__FATAL) {
        return;
    }
    pthread_mutex_lock(&kafka->mutex);
    set_up(kafka, false, reason);
    pthread_mutex_unlock(&kafka->mutex);
}

/* --- The client ----------------------------------------------------------- */

/* A record is given up soon after its request was: what stays longer in here
 * would surprise somebody who was told 503. */
static const mdl_kafka_setting producer_settings[] = {
    {"client.id", "datalake-httpd"},
    {"enable.idempotence", "true"},
    {"acks", "all"},
    {"compression.codec", "lz4"},
    {"linger.ms", "0"},
    {"partitioner", "murmur2_random"},
    {"message.max.bytes", "10485760"},
    {"message.timeout.ms", "2000"},
    {"queue.buffering.max.kbytes", "65536"},
    {"socket.timeout.ms", "3000"},
    {"socket.keepalive.enable", "true"},
    {"socket.connection.setup.timeout.ms", "1000"},
    {"reconnect.backoff.ms", "50"},
    {"reconnect.backoff.max.ms", "500"},
    {"topic.metadata.propagation.max.ms", "500"},
    {"log.connection.close", "false"},
    {NULL, NULL}};

static dl_status open_client(rd_kafka_t **rk, mdl_kafka *kafka, dl_error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    rd_kafka_conf_set_opaque(conf, kafka);
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    rd_kafka_conf_set_error_cb(conf, lost);
    return mdl_kafka_client(rk, conf, RD_KAFKA_PRODUCER, kafka->brokers,
                            producer_settings, err);
}

/* --- The threads ---------------------------------------------------------- */

static bool stops(mdl_kafka *kafka)
{
    bool stop;

    pthread_mutex_lock(&kafka->mutex);
    stop = kafka->stop;
    pthread_mutex_unlock(&kafka->mutex);
    return stop;
}

static void *serve(void *data)
{
    mdl_kafka *kafka = data;

    while (!stops(kafka)) {
        pthread_rwlock_rdlock(&kafka->life);
        rd_kafka_poll(kafka->rk, 100);
        pthread_rwlock_unlock(&kafka->life);
    }
    return NULL;
}

/* Return whether a broker answers.  No topic is known to most children: the
 * answer lists brokers. */
static bool ask(mdl_kafka *kafka)
{
    const struct rd_kafka_metadata *answer;
    rd_kafka_resp_err_t code;

    pthread_rwlock_rdlock(&kafka->life);
    code = rd_kafka_metadata(kafka->rk, 0, NULL, &answer, ASK_MS);
    pthread_rwlock_unlock(&kafka->life);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_metadata_destroy(answer);
    }
    return code == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Replace a client that can send no more: its sequence was broken. */
static void renew(mdl_kafka *kafka)
{
    rd_kafka_t *fresh;
    char text[TEXT];
    dl_error err;

    if (rd_kafka_fatal_error(kafka->rk, text, sizeof text) ==
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        return;
    }
    dl_log(DL_LOG_ERROR, "DL1292 the producer is made anew: %s", text);
    if (open_client(&fresh, kafka, &err) != DL_OK) {
        return;
    }
    pthread_rwlock_wrlock(&kafka->life);
    rd_kafka_destroy(kafka->rk);
    kafka->rk = fresh;
    pthread_rwlock_unlock(&kafka->life);
}

/* Wait for the next question; false: leave. */
static bool next_question(mdl_kafka *kafka)
{
    struct timespec until =
        dl_thread_timespec(dl_time_monotonic_us() + PROBE_US);
    bool go_on;

    pthread_mutex_lock(&kafka->mutex);
    while (!kafka->stop && !kafka->hurry &&
           pthread_cond_timedwait(&kafka->wake, &kafka->mutex, &until) == 0) {
        /* woken: by stop, by hurry, or by nothing */
    }
    kafka->hurry = false;
    go_on = !kafka->stop;
    pthread_mutex_unlock(&kafka->mutex);
    return go_on;
}

static void *probe(void *data)
{
    mdl_kafka *kafka = data;

    do {
        bool up = ask(kafka);

        renew(kafka);
        pthread_mutex_lock(&kafka->mutex);
        set_up(kafka, up, "it does not answer");
        pthread_mutex_unlock(&kafka->mutex);
    } while (next_question(kafka));
    return NULL;
}

/* --- Start and end of the child ------------------------------------------- */

static apr_status_t close_producer(void *data)
{
    mdl_kafka *kafka = data;
    mdl_kafka **at = &producers;

    while (*at != kafka) {
        at = &(*at)->next;
    }
    *at = kafka->next;
    pthread_mutex_lock(&kafka->mutex);
    kafka->stop = true;
    pthread_cond_signal(&kafka->wake);
    pthread_mutex_unlock(&kafka->mutex);
    pthread_join(kafka->prober, NULL);
    pthread_join(kafka->server, NULL);
    /* Nobody waits any more; what is on its way may still arrive. */
    if (rd_kafka_flush(kafka->rk, CLOSE_MS) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_purge(kafka->rk,
                       RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_flush(kafka->rk, TAKEN_BACK_MS);
    }
    rd_kafka_destroy(kafka->rk);
    return APR_SUCCESS;
}

static dl_status start(mdl_kafka *kafka, dl_error *err)
{
    pthread_rwlockattr_t attributes;

    pthread_mutex_init(&kafka->mutex, NULL);
    /* Who makes the client anew must not wait for ever. */
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes,
                                  PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&kafka->life, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    dl_thread_cond_init(&kafka->wake);
    if (strncmp(kafka->brokers, "file:", 5) == 0) {
        return DL_OK;
    }
    if (open_client(&kafka->rk, kafka, err) != DL_OK) {
        /* All else of the child serves; what sends is refused. */
        dl_log(DL_LOG_ERROR, "DL1294 this child cannot send: %s", err->text);
        kafka->rk = NULL;
        return DL_OK;
    }
    kafka->up = true;
    DL_TRY(dl_thread_start(&kafka->server, serve, kafka,
                           "serves Kafka's reports", err));
    return dl_thread_start(&kafka->prober, probe, kafka, "asks the broker",
                           err);
}

dl_status mdl_kafka_open(mdl_kafka **kafka, const dl_config *cfg, dl_error *err,
                         apr_pool_t *child_pool)
{
    mdl_kafka *k = producers;

    while (k != NULL && strcmp(k->brokers, cfg->kafka.brokers) != 0) {
        k = k->next;
    }
    if (k == NULL) {
        k = apr_pcalloc(child_pool, sizeof *k);
        k->brokers = apr_pstrdup(child_pool, cfg->kafka.brokers);
        DL_TRY(start(k, err));
        k->next = producers;
        producers = k;
        if (k->rk != NULL) {
            apr_pool_cleanup_register(child_pool, k, close_producer,
                                      apr_pool_cleanup_null);
        }
    }
    *kafka = k;
    return DL_OK;
}

/* --- Sending -------------------------------------------------------------- */

/* Take a place among those that wait for KAFKA. */
static dl_status enter(mdl_kafka *kafka, dl_error *err)
{
    const char *why = NULL;

    pthread_mutex_lock(&kafka->mutex);
    if (!kafka->up) {
        why = "the broker is away";
    }
    else if (kafka->waiting == MDL_KAFKA_QUEUE) {
        why = "too many records wait for the broker";
    }
    else {
        kafka->waiting++;
    }
    pthread_mutex_unlock(&kafka->mutex);
    return why == NULL ? DL_OK : dl_fail(err, DL_UNAVAILABLE, 0, "%s", why);
}

/* The headers of RECORD as the library wants them. */
static rd_kafka_headers_t *make_headers(const mdl_kafka_record *record)
{
    rd_kafka_headers_t *made = rd_kafka_headers_new(MDL_KAFKA_HEADERS);
    const mdl_kafka_header *header = record->headers;

    for (; header != NULL && header->name != NULL; header++) {
        rd_kafka_header_add(made, header->name, -1, header->value, -1);
    }
    return made;
}

/* Give RECORD to the library, whose report goes to T. */
static rd_kafka_resp_err_t enqueue(ticket *t, const mdl_kafka_record *record)
{
    rd_kafka_headers_t *headers = make_headers(record);
    rd_kafka_resp_err_t code;
    char *value;
    char *key;

    /* The library takes bare pointers, though it only copies from them. */
    memcpy(&value, &record->value, sizeof value);
    memcpy(&key, &record->key, sizeof key);
    code = rd_kafka_producev(t->kafka->rk, RD_KAFKA_V_TOPIC(record->topic),
                             RD_KAFKA_V_VALUE(value, record->len),
                             RD_KAFKA_V_KEY(key, record->key_len),
                             RD_KAFKA_V_HEADERS(headers),
                             RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                             RD_KAFKA_V_OPAQUE(t), RD_KAFKA_V_END);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_headers_destroy(headers);
    }
    return code;
}

/* Wait for the report of T for MS; the mutex is held. */
static void await_report(ticket *t, int64_t ms)
{
    struct timespec until =
        dl_thread_timespec(dl_time_monotonic_us() + ms * INT64_C(1000));

    while (!t->reported &&
           pthread_cond_timedwait(&t->reported_at, &t->kafka->mutex, &until) ==
               0) {
        /* woken: by the report, or by nothing */
    }
}

/* Set *PLACE to what came of T, which is freed now or by its report. */
static dl_status judge(mdl_kafka_place *place, ticket *t, dl_error *err)
{
    mdl_kafka *kafka = t->kafka;
    bool reported = t->reported;
    dl_status status = DL_OK;

    *place = t->place;
    if (!reported) {
        status = dl_fail(err, DL_UNAVAILABLE, 0,
                         "the broker has not confirmed the record, which may "
                         "be stored later");
        t->abandoned = true;
    }
    else if (t->code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        status = mdl_kafka_fail(err, t->code,
                                t->kept == RD_KAFKA_MSG_STATUS_NOT_PERSISTED
                                    ? "the record was not stored"
                                    : "the record may be stored, nobody knows");
    }
    kafka->waiting--;
    kafka->failures = status == DL_UNAVAILABLE ? kafka->failures + 1 : 0;
    if (kafka->failures >= MDL_KAFKA_FAILURES) {
        set_up(kafka, false, "records are not confirmed");
    }
    return status;
}

/* Wait for the report of T, which the library has, and judge it. */
static dl_status wait_and_judge(mdl_kafka_place *place, ticket *t,
                                dl_error *err)
{
    mdl_kafka *kafka = t->kafka;
    dl_status status;
    bool reported;

    pthread_mutex_lock(&kafka->mutex);
    await_report(t, MDL_KAFKA_WAIT_MS);
    if (!t->reported) {
        /* Others that wait here as well have waited for the same broker. */
        pthread_mutex_unlock(&kafka->mutex);
        rd_kafka_purge(kafka->rk,
                       RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_NON_BLOCKING);
        pthread_mutex_lock(&kafka->mutex);
        await_report(t, TAKEN_BACK_MS);
    }
    reported = t->reported;
    status = judge(place, t, err);
    pthread_mutex_unlock(&kafka->mutex);
    if (reported) {
        free_ticket(t);
    }
    return status;
}

dl_status mdl_kafka_send(mdl_kafka_place *place, mdl_kafka *kafka,
                         const mdl_kafka_record *record, dl_error *err)
{
    rd_kafka_resp_err_t code;
    dl_status status;
    ticket *t;

    DL_TRY(enter(kafka, err));
    t = calloc(1, sizeof *t);
    if (t == NULL) {
        abort();
    }
    t->kafka = kafka;
    dl_thread_cond_init(&t->reported_at);
    pthread_rwlock_rdlock(&kafka->life);
    code = enqueue(t, record);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        status = wait_and_judge(place, t, err);
    }
    else {
        free_ticket(t);
        pthread_mutex_lock(&kafka->mutex);
        kafka->waiting--;
        pthread_mutex_unlock(&kafka->mutex);
        status = mdl_kafka_fail(err, code, "the record was not sent");
    }
    pthread_rwlock_unlock(&kafka->life);
    mdl_metrics_produced(record->topic, status == DL_OK);
    return status;
}

dl_status mdl_kafka_check(mdl_kafka *kafka, dl_error *err)
{
    bool up;

    pthread_mutex_lock(&kafka->mutex);
    up = kafka->up;
    pthread_mutex_unlock(&kafka->mutex);
    return up ? DL_OK : dl_fail(err, DL_UNAVAILABLE, 0, "the broker is away");
}
