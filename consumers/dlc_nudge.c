/* dlc_nudge.c - The thread that wakes librdkafka's broker threads.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_nudge.h"

#include "dl_thread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

/* From this version on fetch.queue.backoff.ms is known. */
#define VERSION_WITH_BACKOFF 0x020200ff

/* Between two nudges; the queue of 32 MiB holds at least 15 ms of work. */
#define PERIOD_NS 10000000

/* Longest wait for one answer. */
#define ASK_MS 500

struct dlc_nudge {
    rd_kafka_t *rk;                        /* whose threads sleep */
    pthread_t thread;                      /* ours */
    pthread_mutex_t mutex;                 /* of end, list and idle waiting */
    pthread_cond_t wake;                   /* something of these changed */
    bool end;                              /* the thread has to leave */
    rd_kafka_topic_partition_list_t *list; /* to ask for, or NULL */
    atomic_bool busy;                      /* messages pour in */
    atomic_bool idle;                      /* the thread waits for busy */
};

/* Wait until there is something to do; return the list to ask for, the
 * caller's, or NULL when the thread has to leave. */
static rd_kafka_topic_partition_list_t *next_question(dlc_nudge *n)
{
    rd_kafka_topic_partition_list_t *list = NULL;

    pthread_mutex_lock(&n->mutex);
    while (!n->end && (!atomic_load(&n->busy) || n->list == NULL)) {
        atomic_store(&n->idle, true);
        if (!atomic_load(&n->busy) || n->list == NULL) {
            pthread_cond_wait(&n->wake, &n->mutex);
        }
        atomic_store(&n->idle, false);
    }
    if (!n->end) {
        list = rd_kafka_topic_partition_list_copy(n->list);
    }
    atomic_store(&n->busy, false);
    pthread_mutex_unlock(&n->mutex);
    return list;
}

static void *run(void *data)
{
    const struct timespec period = {0, PERIOD_NS};
    dlc_nudge *n = data;
    rd_kafka_topic_partition_list_t *list;

    while ((list = next_question(n)) != NULL) {
        /* The answer does not matter, its arrival does. */
        (void)rd_kafka_offsets_for_times(n->rk, list, ASK_MS);
        rd_kafka_topic_partition_list_destroy(list);
        (void)nanosleep(&period, NULL);
    }
    return NULL;
}

static apr_status_t stop(void *data)
{
    dlc_nudge *n = data;

    pthread_mutex_lock(&n->mutex);
    n->end = true;
    pthread_cond_signal(&n->wake);
    pthread_mutex_unlock(&n->mutex);
    pthread_join(n->thread, NULL);
    if (n->list != NULL) {
        rd_kafka_topic_partition_list_destroy(n->list);
    }
    pthread_cond_destroy(&n->wake);
    pthread_mutex_destroy(&n->mutex);
    return APR_SUCCESS;
}

dl_status dlc_nudge_create(dlc_nudge **nudge, rd_kafka_t *rk, dl_error *err,
                           apr_pool_t *pool)
{
    dlc_nudge *n = apr_pcalloc(pool, sizeof *n);

    *nudge = NULL;
    if (rd_kafka_version() >= VERSION_WITH_BACKOFF) {
        return DL_OK;
    }
    n->rk = rk;
    pthread_mutex_init(&n->mutex, NULL);
    pthread_cond_init(&n->wake, NULL);
    DL_TRY(dl_thread_start(&n->thread, run, n, "nudges the client", err));
    apr_pool_cleanup_register(pool, n, stop, apr_pool_cleanup_null);
    *nudge = n;
    return DL_OK;
}

void dlc_nudge_assign(dlc_nudge *nudge,
                      const rd_kafka_topic_partition_list_t *list)
{
    if (nudge == NULL) {
        return;
    }
    pthread_mutex_lock(&nudge->mutex);
    if (nudge->list != NULL) {
        rd_kafka_topic_partition_list_destroy(nudge->list);
    }
    nudge->list = NULL;
    if (list != NULL && list->cnt > 0) {
        nudge->list = rd_kafka_topic_partition_list_copy(list);
        for (int i = 0; i < nudge->list->cnt; i++) {
            nudge->list->elems[i].offset = RD_KAFKA_OFFSET_END;
        }
    }
    pthread_cond_signal(&nudge->wake);
    pthread_mutex_unlock(&nudge->mutex);
}

void dlc_nudge_busy(dlc_nudge *nudge)
{
    if (nudge == NULL ||
        atomic_load_explicit(&nudge->busy, memory_order_relaxed)) {
        return;
    }
    atomic_store(&nudge->busy, true);
    if (atomic_load(&nudge->idle)) {
        pthread_mutex_lock(&nudge->mutex);
        pthread_cond_signal(&nudge->wake);
        pthread_mutex_unlock(&nudge->mutex);
    }
}
