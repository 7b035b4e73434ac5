/* mdl_wh_keeper.c - The thread that connects, looks for requests that hang,
 * and opens and closes the breaker.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_wh_pool.h"

#include <sys/socket.h>
#include <unistd.h>

#include "dl_log.h"
#include "dl_thread.h"
#include "dl_time.h"
#include "mdl_metrics.h"

#define PROBE_US   1000000 /* between probes of an open breaker */
#define LOOK_US    100000  /* between looks for requests that hang */
#define CONNECT_US 50000   /* between failed connects while some wait */
#define REST_US    500000  /* the keeper's longest sleep */
#define STALL_US   (MDL_WH_STALL_MS * 1000LL)
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

/* Connect in S, which is CONNECTING.  The mutex is not held. */
static dl_status slot_connect(mdl_wh_slot *s, const dl_wh_target *target,
                              dl_error *err)
{
    dl_status status;

    mdl_wh_slot_close(s);
    if (apr_pool_create_unmanaged_ex(&s->pool, NULL, NULL) != APR_SUCCESS) {
        s->pool = NULL;
        return dl_fail(err, DL_INTERNAL, 0, "no memory for a connection");
    }
    status = dl_wh_connect_target(&s->wh, target, err, s->pool);
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

/* Connect one more slot.  The mutex is held, but not while connecting.
 * Return whether it came up. */
static int keeper_connect(mdl_wh_pool *pool)
{
    dl_error err = {DL_OK, 0, ""};
    int i = connectable_slot(pool);
    unsigned era = pool->era;
    dl_status status;
    mdl_wh_slot *s;

    if (i < 0) {
        return 0;
    }
    s = &pool->slot[i];
    mdl_wh_slot_set(s, MDL_WH_SLOT_CONNECTING);
    pthread_mutex_unlock(&pool->mutex);
    status = slot_connect(s, pool->target, &err);
    pthread_mutex_lock(&pool->mutex);
    s->era = era;
    mdl_wh_slot_set(s, status == DL_OK ? MDL_WH_SLOT_IDLE : MDL_WH_SLOT_FREE);
    if (status == DL_OK) {
        pool->failures = 0;
        pool->next_try_us = 0;
        pool->alive_us = dl_time_monotonic_us();
        pthread_cond_broadcast(&pool->available);
        return 1;
    }
    pool->next_try_us = dl_time_monotonic_us() + CONNECT_US;
    mdl_wh_failed(pool, err.text);
    return 0;
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

/* Shut the sockets of the requests that are inside the server since before
 * BEFORE_US; they return with CUT.  The mutex is held. */
static void cut_since(mdl_wh_pool *pool, int64_t before_us, dl_status cut)
{
    int i;

    for (i = 0; i < pool->max; i++) {
        mdl_wh_slot *s = &pool->slot[i];

        if (s->state == MDL_WH_SLOT_BUSY && s->since_us < before_us &&
            s->cut == MDL_WH_NO_CUT) {
            s->cut = cut;
            shutdown(s->socket, SHUT_RDWR);
        }
    }
}

/* Return whether a request is inside the server since before BEFORE_US. */
static int busy_since(const mdl_wh_pool *pool, int64_t before_us)
{
    int i;

    for (i = 0; i < pool->max; i++) {
        const mdl_wh_slot *s = &pool->slot[i];

        if (s->state == MDL_WH_SLOT_BUSY && s->since_us < before_us &&
            s->cut == MDL_WH_NO_CUT) {
            return 1;
        }
    }
    return 0;
}

/* Ask the server for a sign of life: on a connection of our own, since those
 * at hand may hang.  Without one all requests in flight return and the breaker
 * opens.  The mutex is held, but not while asking. */
static void keeper_ask(mdl_wh_pool *pool)
{
    dl_error err = {DL_OK, 0, ""};
    mdl_wh_slot trial = {.state = MDL_WH_SLOT_CONNECTING, .socket = -1};
    dl_status status;

    pthread_mutex_unlock(&pool->mutex);
    status = slot_connect(&trial, pool->target, &err);
    mdl_wh_slot_close(&trial);
    pthread_mutex_lock(&pool->mutex);
    pool->asked = 0;
    if (status == DL_OK) {
        pool->alive_us = dl_time_monotonic_us();
        pool->next_try_us = 0;
        pool->next_stall_us = pool->alive_us + STALL_US;
    }
    else {
        pool->era++;
        pool->failures = MDL_WH_FAILURES;
        pool->next_try_us = dl_time_monotonic_us() + PROBE_US;
        breaker_set(pool, MDL_WH_BREAKER_OPEN, err.text);
        cut_since(pool, INT64_MAX, DL_UNAVAILABLE);
    }
    pthread_cond_broadcast(&pool->available);
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

    cut_since(pool, now_us - LIMIT_US, DL_TIMEOUT);
    if (pool->state == MDL_WH_BREAKER_OPEN) {
        if (due != 0) {
            keeper_probe(pool);
        }
        return pool->state == MDL_WH_BREAKER_OPEN ? pool->next_try_us : 0;
    }
    if (pool->asked != 0 || (now_us >= pool->next_stall_us &&
                             busy_since(pool, now_us - STALL_US) != 0)) {
        keeper_ask(pool);
        return 0;
    }
    if (idle == 0 && needs_one(pool) != 0) {
        if (due == 0) {
            return pool->next_try_us;
        }
        keeper_connect(pool);
        return pool->next_try_us;
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
