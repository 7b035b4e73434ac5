/* dlc_pulse.c - The thread that asks the broker whether it is there.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_pulse.h"

#include "dl_log.h"
#include "dl_thread.h"
#include "dl_time.h"
#include "dlc_kafka.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include <apr_strings.h>

/* Between two questions, and the longest wait for an answer. */
#define PULSE_US DL_SECOND_US
#define ASK_MS   1200

typedef struct pulse {
    rd_kafka_t *rk;        /* a client of its own */
    dl_stats_value *up;    /* datalake_kafka_broker_up */
    const char *sink;      /* of the log lines */
    pthread_t thread;      /* ours */
    pthread_mutex_t mutex; /* of end */
    pthread_cond_t wake;   /* end was set; by the monotonic clock */
    bool end;              /* the thread has to leave */
} pulse;

/* Wait for the next question; false: leave. */
static bool next_question(pulse *p)
{
    struct timespec until =
        dl_thread_timespec(dl_time_monotonic_us() + PULSE_US);
    bool go_on;

    pthread_mutex_lock(&p->mutex);
    while (!p->end &&
           pthread_cond_timedwait(&p->wake, &p->mutex, &until) == 0) {
        /* woken: by end, or by nothing */
    }
    go_on = !p->end;
    pthread_mutex_unlock(&p->mutex);
    return go_on;
}

/* Return whether a broker answers. */
static bool ask(const pulse *p)
{
    const struct rd_kafka_metadata *answer;

    /* No topic is known to this client: the answer lists brokers alone. */
    if (rd_kafka_metadata(p->rk, 0, NULL, &answer, ASK_MS) !=
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        return false;
    }
    rd_kafka_metadata_destroy(answer);
    return true;
}

static void *run(void *data)
{
    pulse *p = data;
    int64_t before = -1;

    do {
        int64_t now = ask(p) ? 1 : 0;

        dl_stats_set(p->up, now);
        if (now != before) {
            dl_log(now == 1 ? DL_LOG_NOTICE : DL_LOG_WARNING,
                   "DL0729 %s: the broker %s", p->sink,
                   now == 1 ? "answers" : "does not answer");
        }
        before = now;
    } while (next_question(p));
    return NULL;
}

static apr_status_t stop(void *data)
{
    pulse *p = data;

    pthread_mutex_lock(&p->mutex);
    p->end = true;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->mutex);
    pthread_join(p->thread, NULL);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->mutex);
    return APR_SUCCESS;
}

static dl_status start(pulse *p, dl_error *err)
{
    pthread_mutex_init(&p->mutex, NULL);
    dl_thread_cond_init(&p->wake);
    return dl_thread_start(&p->thread, run, p, "asks the broker", err);
}

dl_status dlc_pulse_create(const dl_config *cfg, dl_stats *stats,
                           const char *sink, dl_error *err, apr_pool_t *pool)
{
    /* Later rows win: this client has nothing to do but to connect. */
    const dlc_kafka_setting settings[] = {
        {"reconnect.backoff.max.ms", "500", 0},
        {"socket.connection.setup.timeout.ms", "1200", 1},
        {"topic.metadata.refresh.interval.ms", "-1", 0},
        {NULL, NULL, 0}};
    const char *client = apr_psprintf(pool, "datalake-%s-pulse", sink);
    pulse *p = apr_pcalloc(pool, sizeof *p);
    rd_kafka_conf_t *conf;

    if (strncmp(cfg->kafka.brokers, "file:", 5) == 0) {
        return DL_OK;
    }
    DL_TRY(dlc_kafka_conf_create(&conf, cfg, client, settings, err));
    DL_TRY(dlc_kafka_open(&p->rk, RD_KAFKA_PRODUCER, conf, err, pool));
    p->sink = sink;
    p->up = dl_stats_slot(stats, DL_STATS_GAUGE, "datalake_kafka_broker_up",
                          apr_psprintf(pool, "sink=\"%s\"", sink));
    DL_TRY(start(p, err));
    apr_pool_cleanup_register(pool, p, stop, apr_pool_cleanup_null);
    return DL_OK;
}
