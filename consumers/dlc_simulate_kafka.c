/* dlc_simulate_kafka.c - A producer, its threads and delivery reports.
 *
 * One client for all threads.  The threads only make and enqueue; the main
 * thread serves the delivery reports and draws the bar.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_simulate_kafka.h"

#include "dl_time.h"
#include "dlc_kafka.h"
#include "dlc_progress.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define ANSWER_MS 10000
#define FULL_US   500

/* One producing thread. */
typedef struct producer {
    dlc_simulate_run *run;    /* shared */
    dlc_simulator *simulator; /* its own */
    rd_kafka_topic_t *topic;  /* shared */
    int index;                /* from 0 */
    int64_t started_us;       /* of the run, monotonic */
    pthread_t thread;         /* once it runs */
    atomic_bool ended;        /* it makes no more */
} producer;

/* Called by rd_kafka_poll for each message, once. */
static void delivered(rd_kafka_t *rk, const rd_kafka_message_t *message,
                      void *opaque)
{
    dlc_simulate_run *run = opaque;

    (void)rk;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        atomic_fetch_add(&run->delivered, 1);
    }
    else {
        atomic_store(&run->last_error, (int)message->err);
        atomic_fetch_add(&run->failed, 1);
    }
}

static void pause_us(int64_t us)
{
    struct timespec time = {us / 1000000, us % 1000000 * 1000};

    nanosleep(&time, NULL);
}

/* Wait until record N of THREAD is due. */
static void keep_rate(const producer *self, int64_t n)
{
    const dlc_simulate_run *run = self->run;
    int64_t due;
    int64_t left;

    if (run->rate == 0) {
        return;
    }
    due = self->started_us +
          (int64_t)((__int128)(n * run->plan->threads + self->index) * 1000000 /
                    run->rate);
    for (;;) {
        left = due - dl_time_monotonic_us();
        if (left <= 0 || atomic_load(&run->stop)) {
            return;
        }
        pause_us(left < 100000 ? left : 100000);
    }
}

static void count(dlc_simulate_run *run, const dlc_simulated *record)
{
    atomic_fetch_add(&run->made, 1);
    atomic_fetch_add(&run->bytes, (int64_t)record->len);
    atomic_fetch_add(&run->resent, record->resent ? 1 : 0);
    atomic_fetch_add(&run->bad, record->bad >= 0 ? 1 : 0);
}

/* Enqueue RECORD, waiting while the queue is full. */
static void send_record(const producer *self, const dlc_simulated *record)
{
    dlc_simulate_run *run = self->run;
    char *value;

    /* The library takes a bare pointer, though it only copies from it. */
    memcpy(&value, &record->value, sizeof value);
    while (rd_kafka_produce(self->topic, RD_KAFKA_PARTITION_UA,
                            RD_KAFKA_MSG_F_COPY, value, record->len,
                            record->key, record->key_len, NULL) != 0) {
        rd_kafka_resp_err_t code = rd_kafka_last_error();

        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL || atomic_load(&run->stop)) {
            atomic_store(&run->last_error, (int)code);
            atomic_fetch_add(&run->failed, 1);
            return;
        }
        pause_us(FULL_US);
    }
}

static void *produce_all(void *data)
{
    producer *self = data;
    dlc_simulated record;

    for (int64_t n = 0; !atomic_load(&self->run->stop) &&
                        dlc_simulator_next(&record, self->simulator);
         n++) {
        keep_rate(self, n);
        count(self->run, &record);
        send_record(self, &record);
    }
    atomic_store(&self->ended, true);
    return NULL;
}

static dl_status open_producer(rd_kafka_t **rk, dlc_simulate_run *run,
                               dl_error *err, apr_pool_t *pool)
{
    static const dlc_kafka_setting settings[] = {
        {"enable.idempotence", "true", 0},
        {"acks", "all", 0},
        {"compression.codec", "lz4", 0},
        {"linger.ms", "5", 0},
        {"message.max.bytes", "10485760", 0},
        {"message.timeout.ms", "60000", 0},
        {"queue.buffering.max.messages", "200000", 0},
        {"queue.buffering.max.kbytes", "65536", 0},
        {"partitioner", "murmur2_random", 0},
        {"topic.metadata.propagation.max.ms", "2000", 1},
        {NULL, NULL, 0}};
    rd_kafka_conf_t *conf;
    int32_t partitions;

    DL_TRY(dlc_kafka_conf_create(&conf, run->cfg, "datalake-simulate", settings,
                                 err));
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    rd_kafka_conf_set_opaque(conf, run);
    DL_TRY(dlc_kafka_open(rk, RD_KAFKA_PRODUCER, conf, err, pool));
    if (dlc_kafka_partitions(&partitions, *rk, run->topic, ANSWER_MS, err) ==
        DL_NOT_FOUND) {
        return dl_fail(err, DL_NOT_FOUND, 0,
                       "topic %s does not exist; datalakectl topics makes it",
                       run->topic);
    }
    return err->status;
}

static dl_status start_threads(producer *producers, dlc_simulate_run *run,
                               dl_error *err)
{
    int64_t now = dl_time_monotonic_us();

    for (int i = 0; i < run->plan->threads; i++) {
        int failed;

        producers[i].started_us = now;
        failed = pthread_create(&producers[i].thread, NULL, produce_all,
                                &producers[i]);
        if (failed != 0) {
            /* Those that run already are stopped and joined. */
            atomic_store(&run->stop, true);
            for (int k = 0; k < i; k++) {
                pthread_join(producers[k].thread, NULL);
            }
            return dl_fail(err, DL_UNAVAILABLE, failed,
                           "cannot start thread %d", i + 1);
        }
    }
    return DL_OK;
}

static bool all_ended(producer *producers, int n)
{
    for (int i = 0; i < n; i++) {
        if (!atomic_load(&producers[i].ended)) {
            return false;
        }
    }
    return true;
}

/* Serve delivery reports until every record has one. */
static void serve(producer *producers, dlc_simulate_run *run, rd_kafka_t *rk)
{
    dlc_progress bar;
    int64_t total = run->plan->count + run->plan->bad * DLC_BAD_KINDS;

    dlc_progress_begin(&bar, "records", total, run->quiet);
    while (!all_ended(producers, run->plan->threads) ||
           rd_kafka_outq_len(rk) > 0) {
        rd_kafka_poll(rk, 50);
        dlc_progress_update(&bar, atomic_load(&run->delivered));
    }
    dlc_progress_end(&bar);
}

dl_status dlc_simulate_produce(dlc_simulate_run *run, dl_error *err,
                               apr_pool_t *pool)
{
    int threads = run->plan->threads;
    producer *producers =
        apr_pcalloc(pool, sizeof *producers * (size_t)threads);
    rd_kafka_t *rk;
    rd_kafka_topic_t *topic;

    DL_TRY(open_producer(&rk, run, err, pool));
    topic = rd_kafka_topic_new(rk, run->topic, NULL);
    if (topic == NULL) {
        return dlc_kafka_fail(err, rd_kafka_last_error(), "topic %s",
                              run->topic);
    }
    for (int i = 0; i < threads; i++) {
        producers[i].run = run;
        producers[i].index = i;
        producers[i].topic = topic;
        producers[i].simulator = dlc_simulator_create(run->plan, i, pool);
    }
    if (start_threads(producers, run, err) == DL_OK) {
        serve(producers, run, rk);
        for (int i = 0; i < threads; i++) {
            pthread_join(producers[i].thread, NULL);
        }
    }
    rd_kafka_topic_destroy(topic);
    if (atomic_load(&run->failed) > 0) {
        return dlc_kafka_fail(
            err, (rd_kafka_resp_err_t)atomic_load(&run->last_error),
            "%lld of %lld records were not delivered",
            (long long)atomic_load(&run->failed),
            (long long)atomic_load(&run->made));
    }
    return err->status;
}

dl_status dlc_simulate_print(dlc_simulate_run *run, FILE *out, dl_error *err,
                             apr_pool_t *pool)
{
    int threads = run->plan->threads;
    dlc_simulator **simulators =
        apr_palloc(pool, sizeof *simulators * (size_t)threads);
    dlc_simulated record;
    bool more = true;

    for (int i = 0; i < threads; i++) {
        simulators[i] = dlc_simulator_create(run->plan, i, pool);
    }
    while (more && !atomic_load(&run->stop)) {
        more = false;
        for (int i = 0; i < threads; i++) {
            if (!dlc_simulator_next(&record, simulators[i])) {
                continue;
            }
            more = true;
            count(run, &record);
            fwrite(record.key, 1, record.key_len, out);
            putc('\t', out);
            fwrite(record.value, 1, record.len, out);
            putc('\n', out);
        }
        if (ferror(out) != 0) {
            return dl_fail(err, DL_IO, errno, "cannot print");
        }
    }
    if (fflush(out) != 0) {
        return dl_fail(err, DL_IO, errno, "cannot print");
    }
    atomic_store(&run->delivered, atomic_load(&run->made));
    return DL_OK;
}
