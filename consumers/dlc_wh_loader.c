/* dlc_wh_loader.c - A queue of chunks and commits, and who works it off.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_wh_loader.h"

#include "dl_thread.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* One piece of work: a chunk to store, or, without one, a commit. */
typedef struct item {
    struct item *next;   /* behind it in the queue */
    dlc_wh_batch *batch; /* whose */
    dlc_wh_chunk *chunk; /* NULL: commit the batch */
    size_t bytes;        /* memory of the chunk */
} item;

struct dlc_wh_loader {
    dlc_wh_loader_options with; /* what it works with */
    pthread_t thread;           /* the thread */
    pthread_mutex_t mutex;      /* guards all that follows */
    pthread_cond_t change;      /* something below has changed */
    item *first, **last;        /* the queue */
    size_t bytes;               /* of chunks waiting or under way */
    int batches;                /* commits waiting or under way */
    bool busy;                  /* an item is under way */
    bool stop;                  /* end when the queue is empty */
    dl_error failure;           /* what stopped the work */
};

static void item_add(dlc_wh_loader *loader, dlc_wh_batch *batch,
                     dlc_wh_chunk *chunk)
{
    item *i = calloc(1, sizeof *i);

    if (i == NULL) {
        abort();
    }
    i->batch = batch;
    i->chunk = chunk;
    i->bytes = chunk != NULL ? dlc_wh_chunk_room(chunk) +
                                   chunk->lines_room * sizeof(dlc_wh_line)
                             : 0;
    pthread_mutex_lock(&loader->mutex);
    loader->bytes += i->bytes;
    loader->batches += chunk == NULL ? 1 : 0;
    *loader->last = i;
    loader->last = &i->next;
    pthread_cond_broadcast(&loader->change);
    pthread_mutex_unlock(&loader->mutex);
}

void dlc_wh_loader_store(dlc_wh_loader *loader, dlc_wh_batch *batch,
                         dlc_wh_chunk *chunk)
{
    item_add(loader, batch, chunk);
}

void dlc_wh_loader_commit(dlc_wh_loader *loader, dlc_wh_batch *batch)
{
    pthread_mutex_lock(&loader->mutex);
    while (loader->batches > 1) {
        pthread_cond_wait(&loader->change, &loader->mutex);
    }
    pthread_mutex_unlock(&loader->mutex);
    item_add(loader, batch, NULL);
}

size_t dlc_wh_loader_bytes(dlc_wh_loader *loader)
{
    size_t bytes;

    pthread_mutex_lock(&loader->mutex);
    bytes = loader->bytes;
    pthread_mutex_unlock(&loader->mutex);
    return bytes;
}

int dlc_wh_loader_batches(dlc_wh_loader *loader)
{
    int batches;

    pthread_mutex_lock(&loader->mutex);
    batches = loader->batches;
    pthread_mutex_unlock(&loader->mutex);
    return batches;
}

void dlc_wh_loader_wait_below(dlc_wh_loader *loader, size_t bytes)
{
    pthread_mutex_lock(&loader->mutex);
    while (loader->bytes >= bytes && (loader->first != NULL || loader->busy)) {
        pthread_cond_wait(&loader->change, &loader->mutex);
    }
    pthread_mutex_unlock(&loader->mutex);
}

void dlc_wh_loader_wait(dlc_wh_loader *loader)
{
    pthread_mutex_lock(&loader->mutex);
    while (loader->first != NULL || loader->busy) {
        pthread_cond_wait(&loader->change, &loader->mutex);
    }
    pthread_mutex_unlock(&loader->mutex);
}

dl_status dlc_wh_loader_check(dlc_wh_loader *loader, dl_error *err)
{
    dl_status status;

    pthread_mutex_lock(&loader->mutex);
    status = loader->failure.status;
    if (status != DL_OK) {
        *err = loader->failure;
    }
    pthread_mutex_unlock(&loader->mutex);
    return status;
}

void dlc_wh_loader_clear(dlc_wh_loader *loader)
{
    dlc_wh_loader_wait(loader);
    dlc_wh_fact_abort(loader->with.fact);
    memset(&loader->failure, 0, sizeof loader->failure);
}

/* --- The thread ------------------------------------------------------------
 */

/* Return whether there is more to store. */
static bool more_waits(dlc_wh_loader *loader)
{
    bool more;

    pthread_mutex_lock(&loader->mutex);
    more = loader->first != NULL;
    pthread_mutex_unlock(&loader->mutex);
    return more;
}

/* Tell the world and the rollups that BATCH is durable. */
static void batch_publish(dlc_wh_loader *loader, dlc_wh_batch *batch)
{
    dlc_wh_end *ends = calloc((size_t)batch->n + 1, sizeof *ends);
    int n = 0;

    if (ends == NULL) {
        abort();
    }
    for (int i = 0; i < batch->n; i++) {
        const dlc_wh_mark *mark = &batch->marks[i];

        if (mark->place->table != NULL && mark->place->table->spend) {
            ends[n++] = (dlc_wh_end){mark->place->table,
                                     mark->place->topic,
                                     mark->place->partition,
                                     mark->place->generation,
                                     mark->from,
                                     mark->next};
        }
    }
    dl_stats_add(loader->with.commits, 1);
    for (int i = 0; i < batch->n_stored; i++) {
        dl_stats_add(batch->stored[i].slot, batch->stored[i].rows);
    }
    dl_stats_add(loader->with.refused, batch->refused);
    if (n > 0) {
        dlc_spend_merge(batch->spend, batch->excluded);
        dlc_wh_rollup_add(loader->with.rollup, batch->spend, ends, n,
                          (batch->adjusted ? DLC_WH_ADJUSTED : 0) |
                              (more_waits(loader) ? DLC_WH_MORE : 0));
        batch->spend = NULL;
    }
    free(ends);
}

static dl_status item_run(dlc_wh_loader *loader, const item *i, dl_error *err)
{
    int64_t began_us = dl_time_monotonic_us();

    if (i->chunk != NULL) {
        return dlc_wh_fact_store(loader->with.fact, i->batch, i->chunk, err);
    }
    DL_TRY(dlc_wh_fact_commit(loader->with.fact, i->batch, err));
    dl_stats_observe(loader->with.duration, dl_time_monotonic_us() - began_us);
    batch_publish(loader, i->batch);
    return DL_OK;
}

/* Free what I owns: its chunk, and with the commit the batch. */
static void item_free(item *i)
{
    if (i->chunk == NULL) {
        dlc_wh_batch_destroy(i->batch);
    }
    dlc_wh_chunk_destroy(i->chunk);
    free(i);
}

/* Do the first item of the queue; the mutex is held before and after. */
static void item_do(dlc_wh_loader *loader)
{
    item *i = loader->first;
    bool failed = loader->failure.status != DL_OK;
    bool commit = i->chunk == NULL;
    size_t bytes = i->bytes;
    dl_status status = DL_OK;
    dl_error err = {0};

    loader->first = i->next;
    if (loader->first == NULL) {
        loader->last = &loader->first;
    }
    loader->busy = true;
    pthread_mutex_unlock(&loader->mutex);
    if (!failed) {
        status = item_run(loader, i, &err);
    }
    if (status != DL_OK) {
        dlc_wh_fact_abort(loader->with.fact);
    }
    item_free(i);
    pthread_mutex_lock(&loader->mutex);
    if (status != DL_OK) {
        loader->failure = err; /* a handled failure leaves its text in err */
    }
    loader->bytes -= bytes;
    loader->batches -= commit ? 1 : 0;
    loader->busy = false;
    pthread_cond_broadcast(&loader->change);
}

static void *loader_main(void *given)
{
    dlc_wh_loader *loader = given;

    pthread_mutex_lock(&loader->mutex);
    while (loader->first != NULL || !loader->stop) {
        if (loader->first != NULL) {
            item_do(loader);
        }
        else {
            pthread_cond_wait(&loader->change, &loader->mutex);
        }
    }
    pthread_mutex_unlock(&loader->mutex);
    return NULL;
}

dl_status dlc_wh_loader_start(dlc_wh_loader **loader,
                              const dlc_wh_loader_options *options,
                              dl_error *err, apr_pool_t *pool)
{
    dlc_wh_loader *made = apr_pcalloc(pool, sizeof *made);

    made->with = *options;
    made->last = &made->first;
    pthread_mutex_init(&made->mutex, NULL);
    pthread_cond_init(&made->change, NULL);
    DL_TRY(
        dl_thread_start(&made->thread, loader_main, made, "loads rows", err));
    *loader = made;
    return DL_OK;
}

void dlc_wh_loader_stop(dlc_wh_loader *loader)
{
    pthread_mutex_lock(&loader->mutex);
    loader->stop = true;
    pthread_cond_broadcast(&loader->change);
    pthread_mutex_unlock(&loader->mutex);
    (void)pthread_join(loader->thread, NULL);
    pthread_cond_destroy(&loader->change);
    pthread_mutex_destroy(&loader->mutex);
}
