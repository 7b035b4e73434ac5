/* mdl_wh_keeper.c - The thread that connects, looks for requests that hang,
 * and opens and closes the breaker.  What it asks: mdl_wh_life.c.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_wh_pool.h"

#include <unistd.h>

#include "dl_log.h"
#include "dl_thread.h"
#include "dl_time.h"
#include "mdl_metrics.h"

#define PROBE_US   1000000  /* between probes of an open breaker */
#define LOOK_US    100000   /* between looks for requests that hang */
#define CONNECT_US 50000    /* between failed connects while some wait */
#define REST_US    500000   /* the keeper's longest sleep */
#define WATCH_US   10000000 /* between tries for a connection of our own */
#define SILENT_US  2000000  /* an open breaker cuts what hangs for longer */
#define LIMIT_US   (MDL_WH_LIMIT_MS * 1000LL)

/* The one place that changes the breaker.  The mutex is held. */
static void breaker_set(mdl_wh_pool *pool, mdl_wh_breaker state,
                        const char *why)
{
    if (pool->state != MDL_WH_BREAKER_OPEN &&
        pool->state != MDL_WH_BREAKER_PROBING && state == MDL_WH_BREAKER_OPEN) {
        dl_log(DL_LOG_ERROR, "DL1100: warehouse: breaker opened: %s", why);
        pthread_cond_broadcast(&pool->available);
    }
    if (pool->state != MDL_WH_BREAKER_CLOSED &&
        state == MDL_WH_BREAKER_CLOSED) {
        dl_log(DL_LOG_NOTICE, "DL1101: warehouse: breaker closed");
    }
    pool->state = state;
}

/* Count one failure.  The mutex is held. */
void mdl_wh_failed(mdl_wh_pool *pool, const char *why)
{
    pool->failures++;
    if (pool->failures >= MDL_WH_FAILURES &&
        pool->state == MDL_WH_BREAKER_CLOSED) {
        breaker_set(pool, MDL_WH_BREAKER_OPEN, why);
        pool->era++; /* a probe finds a slot, were all idle */
        pool->next_try_us = dl_time_monotonic_us() + PROBE_US;
    }
}

/* --- Slots ----------------------------------------------------------------
 */

/* Close what S holds; it is CONNECTING or BUSY, so nobody else looks at it.
 * The mutex is not held. */
void mdl_wh_slot_close(mdl_wh_slot *s)
{
    if (s->pool != NULL) {
        apr_pool_destroy(s->pool);
        s->pool = NULL;
        s->wh = NULL;
    }
    if (s->socket >= 0) {
        close(s->socket);
        s->socket = -1;
    }
}

void mdl_wh_slot_set(mdl_wh_slot *s, mdl_wh_slot_state state)
{
    s->state = state;
    s->since_us = dl_time_monotonic_us();
}

int mdl_wh_count(const mdl_wh_pool *pool, mdl_wh_slot_state state)
{
    int n = 0;
    int i;

    for (i = 0; i < pool->max; i++) {
        n += pool->slot[i].state == state ? 1 : 0;
    }
    return n;
}

/* Return the idle slot used last, or -1.  The mutex is held. */
int mdl_wh_idle_slot(const mdl_wh_pool *pool)
{
    int best = -1;
    int i;

    for (i = 0; i < pool->max; i++) {
        const mdl_wh_slot *s = &pool->slot[i];

        if (s->state == MDL_WH_SLOT_IDLE && s->era == pool->era &&
            (best < 0 || s->since_us > pool->slot[best].since_us)) {
            best = i;
        }
    }
    return best;
}

/* Return a slot to connect in: a free one, or an idle one of an older era;
 * -1 when there is none.  The mutex is held. */
static int connectable_slot(const mdl_wh_pool *pool)
{
    int i;

    for (i = 0; i < pool->max; i++) {
        const mdl_wh_slot *s = &pool->slot[i];

        if (s->state == MDL_WH_SLOT_FREE ||
            (s->state == MDL_WH_SLOT_IDLE && s->era != pool->era)) {
            return i;
        }
    }
    return -1;
}

dl_status mdl_wh_slot_connect(mdl_wh_slot *s, bool *heard,
                              const dl_wh_target *target, dl_error *err)
{
    dl_status status;

    mdl_wh_slot_close(s);
    if (apr_pool_create_unmanaged_ex(&s->pool, NULL, NULL) != APR_SUCCESS) {
        s->pool = NULL;
        return dl_fail(err, DL_INTERNAL, 0, "no memory for a connection");
    }
    status = dl_wh_connect_heard(&s->wh, heard, target, err, s->pool);
    s->cut = MDL_WH_NO_CUT;
    if (status == DL_OK) {
        s->socket = dup(dl_wh_socket(s->wh));
    }
    else {
        mdl_wh_slot_close(s);
    }
    return status;
}

/* --- The keeper -----------------------------------------------------------
 */

/* Return whether POOL has connections that work, as far as is known. */
static int has_some(const mdl_wh_pool *pool)
{
    return mdl_wh_idle_slot(pool) >= 0 ||
                   mdl_wh_count(pool, MDL_WH_SLOT_BUSY) > 0
               ? 1
               : 0;
}

/* Connect one more slot.  The mutex is held, but not while connecting.
 * Return whether it came up. */
static int keeper_connect(mdl_wh_pool *pool)
{
    dl_error err = {DL_OK, 0, ""};
    int i = connectable_slot(pool);
    unsigned era = pool->era;
    mdl_wh_answer answer;
    mdl_wh_slot *s;

    if (i < 0) {
        return 0;
    }
    s = &pool->slot[i];
    mdl_wh_slot_set(s, MDL_WH_SLOT_CONNECTING);
    pthread_mutex_unlock(&pool->mutex);
    answer = mdl_wh_connect(s, pool, &err);
    pthread_mutex_lock(&pool->mutex);
    s->era = era;
    mdl_wh_slot_set(s, answer == MDL_WH_ANSWERED ? MDL_WH_SLOT_IDLE
                                                 : MDL_WH_SLOT_FREE);
    if (answer == MDL_WH_ANSWERED) {
        mdl_wh_alive(pool);
        pool->next_try_us = 0;
        pthread_cond_broadcast(&pool->available);
        return 1;
    }
    pool->next_try_us = dl_time_monotonic_us() + CONNECT_US;
    if (answer == MDL_WH_REFUSED && has_some(pool) == 0) {
        mdl_wh_failed(pool, err.text); /* it lives, and we have nothing of it */
    }
    else {
        mdl_wh_heard(pool, answer, err.text);
    }
    return 0;
}

/* Connect for asking alone, before there is anything to ask.  The mutex is
 * held, but not while connecting. */
static void keeper_watch(mdl_wh_pool *pool)
{
    dl_error err = {DL_OK, 0, ""};
    mdl_wh_answer answer;

    pool->next_watch_us = dl_time_monotonic_us() + WATCH_US;
    pthread_mutex_unlock(&pool->mutex);
    answer = mdl_wh_connect(&pool->watch, pool, &err);
    pthread_mutex_lock(&pool->mutex);
    mdl_wh_heard(pool, answer, err.text);
}

/* Try whether an open breaker can close.  The mutex is held. */
static void keeper_probe(mdl_wh_pool *pool)
{
    breaker_set(pool, MDL_WH_BREAKER_PROBING, "");
    if (keeper_connect(pool) != 0) {
        breaker_set(pool, MDL_WH_BREAKER_CLOSED, "");
    }
    else {
        breaker_set(pool, MDL_WH_BREAKER_OPEN, "");
        pool->next_try_us = dl_time_monotonic_us() + PROBE_US;
    }
}

/* Return whether a connection is to be made, none being idle: somebody waits,
 * or there is none at all. */
static int needs_one(const mdl_wh_pool *pool)
{
    return connectable_slot(pool) >= 0 &&
                   (pool->wanted > 0 ||
                    mdl_wh_count(pool, MDL_WH_SLOT_BUSY) == 0)
               ? 1
               : 0;
}

/* Do what is due at NOW_US.  Return when to look again.  The mutex is held.
 */
static int64_t keeper_turn(mdl_wh_pool *pool, int64_t now_us)
{
    int idle = mdl_wh_idle_slot(pool) >= 0 ? 1 : 0;
    int due = now_us >= pool->next_try_us ? 1 : 0;

    mdl_wh_cut_since(pool, now_us - LIMIT_US, DL_TIMEOUT);
    if (pool->state == MDL_WH_BREAKER_OPEN) {
        if (pool->alive_us < now_us - SILENT_US) {
            mdl_wh_cut_since(pool, now_us - SILENT_US, DL_UNAVAILABLE);
        }
        if (due != 0) {
            keeper_probe(pool);
        }
        return pool->state == MDL_WH_BREAKER_OPEN ? pool->next_try_us : 0;
    }
    if (pool->asked != 0 || mdl_wh_stalled(pool, now_us) != 0) {
        mdl_wh_ask(pool);
        return 0;
    }
    if (idle == 0 && needs_one(pool) != 0) {
        if (due == 0) {
            return pool->next_try_us;
        }
        keeper_connect(pool);
        return pool->next_try_us;
    }
    if (pool->watch.wh == NULL && now_us >= pool->next_watch_us) {
        keeper_watch(pool);
        return 0;
    }
    return mdl_wh_count(pool, MDL_WH_SLOT_BUSY) > 0 ? now_us + LOOK_US
                                                    : now_us + REST_US;
}

/* Tell /metrics what this child has.  The mutex is held. */
static void keeper_publish(mdl_wh_pool *pool)
{
    mdl_metrics_child child = {
        .wh_idle = mdl_wh_count(pool, MDL_WH_SLOT_IDLE),
        .wh_busy = mdl_wh_count(pool, MDL_WH_SLOT_BUSY),
        .breaker_open = pool->state == MDL_WH_BREAKER_CLOSED ? 0 : 1};

    mdl_metrics_publish(&child);
}

/* The keeper's life. */
void *mdl_wh_keeper(void *data)
{
    mdl_wh_pool *pool = data;

    pthread_mutex_lock(&pool->mutex);
    while (pool->stop == 0) {
        int64_t until_us = keeper_turn(pool, dl_time_monotonic_us());
        struct timespec until = dl_thread_timespec(until_us);

        keeper_publish(pool);
        if (until_us > 0 && pool->stop == 0) {
            pthread_cond_timedwait(&pool->work, &pool->mutex, &until);
        }
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}
