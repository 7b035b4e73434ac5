/* mdl_wh.c - Lends warehouse connections to requests.
 *
 * How slots and breaker work: mdl_wh_pool.h.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_wh.h"

#include "dl_thread.h"
#include "dl_time.h"
#include "mdl_wh_pool.h"

/* A sign of life is good for this long. */
#define FRESH_US 1000000

/* The pools of this child; changed at child start only. */
static mdl_wh_pool *pools;

/* --- Start and end of the child -------------------------------------------
 */

static apr_status_t pool_cleanup(void *data)
{
    mdl_wh_pool *pool = data;
    mdl_wh_pool **at = &pools;
    int i;

    pthread_mutex_lock(&pool->mutex);
    pool->stop = 1;
    pthread_cond_signal(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
    pthread_join(pool->keeper, NULL);
    while (*at != pool) {
        at = &(*at)->next;
    }
    *at = pool->next;
    for (i = 0; i < pool->max; i++) {
        if (pool->slot[i].state == MDL_WH_SLOT_IDLE) {
            mdl_wh_slot_close(&pool->slot[i]);
        }
    }
    mdl_wh_slot_close(&pool->watch);
    return APR_SUCCESS;
}

static void pool_init(mdl_wh_pool *pool, const dl_wh_target *target, int max)
{
    int i;

    for (i = 0; i < MDL_WH_SLOTS; i++) {
        pool->slot[i].socket = -1;
    }
    pool->watch.socket = -1;
    pool->target = target;
    pool->max = max < MDL_WH_SLOTS ? max : MDL_WH_SLOTS;
    pthread_mutex_init(&pool->mutex, NULL);
    dl_thread_cond_init(&pool->available);
    dl_thread_cond_init(&pool->work);
}

dl_status mdl_wh_pool_open(mdl_wh_pool **pool, const dl_wh_target *target,
                           int max, dl_error *err, apr_pool_t *child_pool)
{
    mdl_wh_pool *p = pools;

    while (p != NULL && p->target != target) {
        p = p->next;
    }
    if (p == NULL) {
        p = apr_pcalloc(child_pool, sizeof(*p));
        pool_init(p, target, max);
        DL_TRY(dl_thread_start(&p->keeper, mdl_wh_keeper, p,
                               "keeps warehouse connections", err));
        p->next = pools;
        pools = p;
        apr_pool_cleanup_register(child_pool, p, pool_cleanup,
                                  apr_pool_cleanup_null);
    }
    *pool = p;
    return DL_OK;
}

/* --- Requests -------------------------------------------------------------
 */

/* Wait for an idle slot until UNTIL_US.  Return it, or -1 when the breaker is
 * open or the time is over.  The mutex is held. */
static int wait_idle(mdl_wh_pool *pool, int64_t until_us)
{
    struct timespec until = dl_thread_timespec(until_us);
    int i = mdl_wh_idle_slot(pool);

    if (i < 0 && pool->state == MDL_WH_BREAKER_CLOSED) {
        pool->waits++;
    }
    pool->wanted++;
    while (i < 0 && pool->state == MDL_WH_BREAKER_CLOSED &&
           dl_time_monotonic_us() < until_us) {
        pthread_cond_signal(&pool->work);
        pthread_cond_timedwait(&pool->available, &pool->mutex, &until);
        i = mdl_wh_idle_slot(pool);
    }
    pool->wanted--;
    return i;
}

dl_status mdl_wh_acquire(mdl_wh *wh, mdl_wh_pool *pool, dl_error *err)
{
    int64_t until_us = dl_time_monotonic_us() + MDL_WH_WAIT_MS * INT64_C(1000);
    int i = -1;
    int open;

    pthread_mutex_lock(&pool->mutex);
    if (pool->state == MDL_WH_BREAKER_CLOSED) {
        i = wait_idle(pool, until_us);
    }
    open = pool->state == MDL_WH_BREAKER_CLOSED ? 0 : 1;
    if (i >= 0) {
        mdl_wh_slot_set(&pool->slot[i], MDL_WH_SLOT_BUSY);
        wh->slot = i;
        wh->wh = pool->slot[i].wh;
    }
    else {
        pool->refused++;
    }
    pthread_mutex_unlock(&pool->mutex);
    if (i >= 0) {
        return DL_OK;
    }
    return dl_fail(err, DL_UNAVAILABLE, 0, "%s",
                   open != 0 ? "the warehouse is away"
                             : "no warehouse connection is free");
}

void mdl_wh_release(mdl_wh_pool *pool, mdl_wh *wh, dl_status outcome)
{
    mdl_wh_slot *s = &pool->slot[wh->slot];
    int lost = outcome == DL_UNAVAILABLE || outcome == DL_TIMEOUT ? 1 : 0;

    pthread_mutex_lock(&pool->mutex);
    lost = lost != 0 || s->cut != MDL_WH_NO_CUT ? 1 : 0;
    if (lost != 0) {
        mdl_wh_slot_set(s, MDL_WH_SLOT_CONNECTING);
        pthread_mutex_unlock(&pool->mutex);
        mdl_wh_slot_close(s);
        pthread_mutex_lock(&pool->mutex);
        mdl_wh_slot_set(s, MDL_WH_SLOT_FREE);
        if (outcome == DL_UNAVAILABLE && s->cut == MDL_WH_NO_CUT) {
            pool->era++;
            mdl_wh_failed(pool, "connection lost");
        }
    }
    else {
        mdl_wh_alive(pool);
        mdl_wh_slot_set(s, MDL_WH_SLOT_IDLE);
    }
    pthread_cond_broadcast(&pool->available);
    pthread_mutex_unlock(&pool->mutex);
}

/* Borrow a connection for a request that has been trying since BEGAN_US: what
 * it may take counts from there. */
static dl_status acquire_again(mdl_wh *wh, mdl_wh_pool *pool, int64_t began_us,
                               dl_error *err)
{
    if (dl_time_monotonic_us() - began_us > MDL_WH_LIMIT_MS * INT64_C(1000)) {
        return dl_fail(err, DL_TIMEOUT, 0, "all tries together took too long");
    }
    DL_TRY(mdl_wh_acquire(wh, pool, err));
    pthread_mutex_lock(&pool->mutex);
    pool->slot[wh->slot].since_us = began_us;
    pthread_mutex_unlock(&pool->mutex);
    return DL_OK;
}

/* Run READER once.  A connection the keeper cut says why. */
static dl_status read_once(mdl_wh_pool *pool, int64_t began_us,
                           mdl_wh_reader *reader, void *context, dl_error *err)
{
    mdl_wh wh = {NULL, 0};
    dl_status status;
    dl_status cut;

    DL_TRY(acquire_again(&wh, pool, began_us, err));
    status = reader(wh.wh, context, err);
    pthread_mutex_lock(&pool->mutex);
    cut = pool->slot[wh.slot].cut;
    pthread_mutex_unlock(&pool->mutex);
    mdl_wh_release(pool, &wh, status);
    if (status != DL_OK && cut == DL_TIMEOUT) {
        return dl_fail(err, DL_TIMEOUT, 0, "the read took too long");
    }
    return status;
}

dl_status mdl_wh_read(mdl_wh_pool *pool, mdl_wh_reader *reader, void *context,
                      dl_error *err)
{
    int64_t began_us = dl_time_monotonic_us();
    dl_status status = read_once(pool, began_us, reader, context, err);

    if (status == DL_UNAVAILABLE || status == DL_RETRY) {
        status = read_once(pool, began_us, reader, context, err);
    }
    return status;
}

/* Run WRITER in a transaction of WH; *COMMITTING: the commit was begun. */
static dl_status write_in(dl_wh *wh, bool *committing, mdl_wh_writer *writer,
                          void *context, dl_error *err)
{
    dl_status status;

    *committing = false;
    DL_TRY(dl_wh_begin(wh, err));
    status = writer(wh, context, err);
    if (status != DL_OK) {
        dl_wh_rollback(wh);
        return status;
    }
    *committing = true;
    status = dl_wh_commit(wh, err);
    if (status == DL_OK || status == DL_RETRY) {
        return status;
    }
    return dl_fail(err, DL_UNAVAILABLE, 0,
                   "nobody knows whether the change was committed");
}

/* Write once; *FRESH says that the failure left nothing behind but a lost
 * connection. */
static dl_status write_once(bool *fresh, mdl_wh_pool *pool, int64_t began_us,
                            mdl_wh_writer *writer, void *context, dl_error *err)
{
    mdl_wh wh = {NULL, 0};
    bool committing;
    dl_status status;
    dl_status cut;
    bool lost;

    *fresh = false;
    DL_TRY(acquire_again(&wh, pool, began_us, err));
    status = write_in(wh.wh, &committing, writer, context, err);
    lost = dl_wh_lost(wh.wh);
    pthread_mutex_lock(&pool->mutex);
    cut = pool->slot[wh.slot].cut;
    pthread_mutex_unlock(&pool->mutex);
    mdl_wh_release(pool, &wh, lost ? DL_UNAVAILABLE : status);
    if (status != DL_OK && cut == DL_TIMEOUT && !committing) {
        return dl_fail(err, DL_TIMEOUT, 0, "the change took too long");
    }
    *fresh = status == DL_UNAVAILABLE && cut == MDL_WH_NO_CUT && !committing;
    return status;
}

dl_status mdl_wh_write(mdl_wh_pool *pool, mdl_wh_writer *writer, void *context,
                       dl_error *err)
{
    bool fresh = false;
    bool lost_before = false;
    int64_t began_us = dl_time_monotonic_us();
    dl_status status = DL_OK;
    int i;

    for (i = 0; i < MDL_WH_WRITES; i++) {
        status = write_once(&fresh, pool, began_us, writer, context, err);
        if (status != DL_RETRY && (!fresh || lost_before)) {
            return status;
        }
        lost_before = lost_before || fresh;
    }
    return status;
}

/* Until when somebody who wants a sign of life at NOW_US waits: not after the
 * server has been silent for the same time to others.  The mutex is held. */
static int64_t check_until(const mdl_wh_pool *pool, int64_t now_us)
{
    return (pool->asking_us != 0 ? pool->asking_us : now_us) +
           MDL_WH_WAIT_MS * INT64_C(1000);
}

dl_status mdl_wh_check(mdl_wh_pool *pool, dl_error *err)
{
    int64_t now_us = dl_time_monotonic_us();
    int64_t fresh_us = now_us - FRESH_US;
    struct timespec until;
    int alive;

    pthread_mutex_lock(&pool->mutex);
    until = dl_thread_timespec(check_until(pool, now_us));
    if (pool->state == MDL_WH_BREAKER_CLOSED && pool->alive_us < fresh_us) {
        pool->asked = 1;
        pthread_cond_signal(&pool->work);
    }
    while (pool->state == MDL_WH_BREAKER_CLOSED && pool->alive_us < fresh_us &&
           pthread_cond_timedwait(&pool->available, &pool->mutex, &until) ==
               0) {
    }
    alive = pool->state == MDL_WH_BREAKER_CLOSED && pool->alive_us >= fresh_us
                ? 1
                : 0;
    pthread_mutex_unlock(&pool->mutex);
    return alive != 0 ? DL_OK
                      : dl_fail(err, DL_UNAVAILABLE, 0,
                                "the warehouse does not answer");
}

void mdl_wh_pool_state(mdl_wh_state *state, mdl_wh_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    state->idle = mdl_wh_count(pool, MDL_WH_SLOT_IDLE);
    state->busy = mdl_wh_count(pool, MDL_WH_SLOT_BUSY);
    state->breaker_open = pool->state == MDL_WH_BREAKER_CLOSED ? 0 : 1;
    state->waits = pool->waits;
    state->refused = pool->refused;
    pthread_mutex_unlock(&pool->mutex);
}
