/* mdl_wh.c - The pool of warehouse connections, its keeper and its breaker.
 *
 * One mutex guards the pool.  The keeper is the only thread that connects;
 * requests borrow, run and give back.  The waits use the monotonic clock, so
 * a jump of the wall clock neither ends nor prolongs one.
 *
 *   slot     FREE -> CONNECTING (keeper) -> IDLE -> BUSY (request) -> IDLE
 *            CONNECTING -> FREE on failure, BUSY -> FREE when it was lost
 *
 * The keeper cuts connections of requests in flight by dl_wh_abort(), which
 * may be called beside the thread that uses them; slots are closed only after
 * they left BUSY under the mutex.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_wh.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "dl_config.h"
#include "dl_log.h"
#include "dl_time.h"
#include "dl_wh.h"
#include "mdl_metrics.h"

#define SLOTS      64      /* more connections than this are never useful */
#define PROBE_US   1000000 /* between probes of an open breaker */
#define LOOK_US    100000  /* between looks for requests that hang */
#define CONNECT_US 50000   /* between failed connects while some wait */
#define REST_US    500000  /* the keeper's longest sleep */
#define STALL_US   (MDL_WH_STALL_MS * 1000LL)
#define LIMIT_US   (MDL_WH_LIMIT_MS * 1000LL)
#define NO_CUT     DL_OK /* the keeper has not shut the socket */

/* What a place for a connection is doing. */
typedef enum slot_state {
    SLOT_FREE,       /* no connection */
    SLOT_CONNECTING, /* the keeper is at it */
    SLOT_IDLE,       /* waits for a request */
    SLOT_BUSY        /* a request has it */
} slot_state;

/* One place for a connection. */
typedef struct slot {
    slot_state state; /* changed under the mutex */
    dl_wh *wh;        /* the connection, in pool */
    apr_pool_t *pool; /* the connection's own pool and allocator */
    int64_t since_us; /* when the state began */
    unsigned era;     /* the pool's era when it was connected */
    dl_status cut;    /* why the keeper shut the socket, else NO_CUT */
} slot;

/* States of the breaker; mdl_wh.h says what they mean. */
typedef enum breaker {
    BREAKER_CLOSED, /* requests pass */
    BREAKER_OPEN,   /* requests fail at once */
    BREAKER_PROBING /* they still do, and the keeper is connecting */
} breaker;

struct mdl_wh_pool {
    mdl_wh_pool *next;        /* the next pool of this child */
    const dl_config *cfg;     /* where to connect */
    pthread_mutex_t mutex;    /* guards everything below */
    pthread_cond_t available; /* an idle slot, or the breaker opened */
    pthread_cond_t work;      /* the keeper has something to do */
    pthread_t keeper;         /* the thread that connects and looks */
    int stop;                 /* 1: the child ends */
    int max;                  /* slots in use, at most SLOTS */
    int wanted;               /* requests that wait for a connection */
    breaker state;            /* of the breaker */
    int failures;             /* in a row */
    unsigned era;             /* raised when connections were lost: what is
                                   idle since before is not used again */
    int64_t next_try_us;      /* the keeper connects not before this */
    unsigned long waits;      /* for mdl_wh_state */
    unsigned long refused;    /* for mdl_wh_state */
    slot slot[SLOTS];         /* the connections */
};

/* The pools of this child; changed at child start only. */
static mdl_wh_pool *pools;

static struct timespec timespec_of(int64_t us)
{
    struct timespec t = {.tv_sec = us / DL_SECOND_US,
                         .tv_nsec = us % DL_SECOND_US * 1000};
    return t;
}

/* The one place that changes the breaker.  The mutex is held. */
static void breaker_set(mdl_wh_pool *pool, breaker state, const char *why)
{
    if (pool->state != BREAKER_OPEN && pool->state != BREAKER_PROBING &&
        state == BREAKER_OPEN) {
        dl_log(DL_LOG_ERROR, "DL1100: warehouse: breaker opened: %s", why);
        pthread_cond_broadcast(&pool->available);
    }
    if (pool->state != BREAKER_CLOSED && state == BREAKER_CLOSED) {
        dl_log(DL_LOG_NOTICE, "DL1101: warehouse: breaker closed");
    }
    pool->state = state;
}

/* Count one failure.  The mutex is held. */
static void failed(mdl_wh_pool *pool, const char *why)
{
    pool->failures++;
    if (pool->failures >= MDL_WH_FAILURES && pool->state == BREAKER_CLOSED) {
        breaker_set(pool, BREAKER_OPEN, why);
        pool->next_try_us = dl_time_monotonic_us() + PROBE_US;
    }
}

/* --- Slots ----------------------------------------------------------------
 */

/* Close what S holds; it is CONNECTING or BUSY, so nobody else looks at it.
 * The mutex is not held. */
static void slot_close(slot *s)
{
    if (s->pool != NULL) {
        apr_pool_destroy(s->pool);
        s->pool = NULL;
        s->wh = NULL;
    }
}

static void slot_set(slot *s, slot_state state)
{
    s->state = state;
    s->since_us = dl_time_monotonic_us();
}

static int count(const mdl_wh_pool *pool, slot_state state)
{
    int n = 0;
    int i;

    for (i = 0; i < pool->max; i++) {
        n += pool->slot[i].state == state ? 1 : 0;
    }
    return n;
}

/* Return the idle slot used last, or -1.  The mutex is held. */
static int idle_slot(const mdl_wh_pool *pool)
{
    int best = -1;
    int i;

    for (i = 0; i < pool->max; i++) {
        const slot *s = &pool->slot[i];

        if (s->state == SLOT_IDLE && s->era == pool->era &&
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
        const slot *s = &pool->slot[i];

        if (s->state == SLOT_FREE ||
            (s->state == SLOT_IDLE && s->era != pool->era)) {
            return i;
        }
    }
    return -1;
}

/* Connect in S, which is CONNECTING.  The mutex is not held. */
static dl_status slot_connect(slot *s, const dl_config *cfg, dl_error *err)
{
    dl_status status;

    slot_close(s);
    if (apr_pool_create_unmanaged_ex(&s->pool, NULL, NULL) != APR_SUCCESS) {
        s->pool = NULL;
        return dl_fail(err, DL_INTERNAL, 0, "no memory for a connection");
    }
    status = dl_wh_connect(&s->wh, cfg, DL_WH_API, err, s->pool);
    s->cut = NO_CUT;
    if (status != DL_OK) {
        slot_close(s);
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
    slot *s;

    if (i < 0) {
        return 0;
    }
    s = &pool->slot[i];
    slot_set(s, SLOT_CONNECTING);
    pthread_mutex_unlock(&pool->mutex);
    status = slot_connect(s, pool->cfg, &err);
    pthread_mutex_lock(&pool->mutex);
    s->era = era;
    slot_set(s, status == DL_OK ? SLOT_IDLE : SLOT_FREE);
    if (status == DL_OK) {
        pool->failures = 0;
        pool->next_try_us = 0;
        pthread_cond_signal(&pool->available);
        return 1;
    }
    pool->next_try_us = dl_time_monotonic_us() + CONNECT_US;
    failed(pool, err.text);
    return 0;
}

/* Try whether an open breaker can close.  The mutex is held. */
static void keeper_probe(mdl_wh_pool *pool)
{
    breaker_set(pool, BREAKER_PROBING, "");
    if (keeper_connect(pool) != 0) {
        breaker_set(pool, BREAKER_CLOSED, "");
    }
    else {
        breaker_set(pool, BREAKER_OPEN, "");
        pool->next_try_us = dl_time_monotonic_us() + PROBE_US;
    }
}

/* Shut the sockets of the requests that are inside the server since before
 * BEFORE_US; they return with CUT.  The mutex is held. */
static void cut_since(mdl_wh_pool *pool, int64_t before_us, dl_status cut)
{
    int i;

    for (i = 0; i < pool->max; i++) {
        slot *s = &pool->slot[i];

        if (s->state == SLOT_BUSY && s->since_us < before_us &&
            s->cut == NO_CUT) {
            s->cut = cut;
            dl_wh_abort(s->wh);
        }
    }
}

/* Return whether a request is inside the server since before BEFORE_US. */
static int busy_since(const mdl_wh_pool *pool, int64_t before_us)
{
    int i;

    for (i = 0; i < pool->max; i++) {
        const slot *s = &pool->slot[i];

        if (s->state == SLOT_BUSY && s->since_us < before_us &&
            s->cut == NO_CUT) {
            return 1;
        }
    }
    return 0;
}

/* Ask the server for a sign of life, since requests hang.  Without one all
 * of them return and the breaker opens.  The mutex is held, but not while
 * asking. */
static void keeper_check_stall(mdl_wh_pool *pool)
{
    dl_error err = {DL_OK, 0, ""};
    slot trial = {.state = SLOT_CONNECTING};
    dl_status status;

    pthread_mutex_unlock(&pool->mutex);
    status = slot_connect(&trial, pool->cfg, &err);
    slot_close(&trial);
    pthread_mutex_lock(&pool->mutex);
    pool->next_try_us = dl_time_monotonic_us() + PROBE_US;
    if (status != DL_OK) {
        pool->era++;
        pool->failures = MDL_WH_FAILURES;
        breaker_set(pool, BREAKER_OPEN, err.text);
        cut_since(pool, INT64_MAX, DL_UNAVAILABLE);
    }
}

/* Return whether a connection is to be made, none being idle: somebody waits,
 * or there is none at all. */
static int needs_one(const mdl_wh_pool *pool)
{
    return connectable_slot(pool) >= 0 &&
                   (pool->wanted > 0 || count(pool, SLOT_BUSY) == 0)
               ? 1
               : 0;
}

/* Do what is due at NOW_US.  Return when to look again.  The mutex is held.
 */
static int64_t keeper_turn(mdl_wh_pool *pool, int64_t now_us)
{
    int idle = idle_slot(pool) >= 0 ? 1 : 0;
    int due = now_us >= pool->next_try_us ? 1 : 0;

    cut_since(pool, now_us - LIMIT_US, DL_TIMEOUT);
    if (pool->state == BREAKER_OPEN) {
        if (due != 0) {
            keeper_probe(pool);
        }
        return pool->state == BREAKER_OPEN ? pool->next_try_us : 0;
    }
    if (due != 0 && busy_since(pool, now_us - STALL_US) != 0) {
        keeper_check_stall(pool);
        return 0;
    }
    if (idle == 0 && needs_one(pool) != 0) {
        if (due == 0) {
            return pool->next_try_us;
        }
        keeper_connect(pool);
        return pool->next_try_us;
    }
    return count(pool, SLOT_BUSY) > 0 ? now_us + LOOK_US : now_us + REST_US;
}

/* Tell /metrics what this child has.  The mutex is held. */
static void keeper_publish(mdl_wh_pool *pool)
{
    mdl_metrics_child child = {.wh_idle = count(pool, SLOT_IDLE),
                               .wh_busy = count(pool, SLOT_BUSY),
                               .breaker_open =
                                   pool->state == BREAKER_CLOSED ? 0 : 1};

    mdl_metrics_publish(&child);
}

/* The keeper's life. */
static void *keeper_run(void *data)
{
    mdl_wh_pool *pool = data;

    pthread_mutex_lock(&pool->mutex);
    while (pool->stop == 0) {
        int64_t until_us = keeper_turn(pool, dl_time_monotonic_us());
        struct timespec until = timespec_of(until_us);

        keeper_publish(pool);
        if (until_us > 0 && pool->stop == 0) {
            pthread_cond_timedwait(&pool->work, &pool->mutex, &until);
        }
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

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
        if (pool->slot[i].state == SLOT_IDLE) {
            slot_close(&pool->slot[i]);
        }
    }
    return APR_SUCCESS;
}

/* Start the keeper of POOL with all signals blocked, which are httpd's. */
static int keeper_start(mdl_wh_pool *pool)
{
    sigset_t all;
    sigset_t before;
    int failure;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failure = pthread_create(&pool->keeper, NULL, keeper_run, pool);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure;
}

static void pool_init(mdl_wh_pool *pool, const dl_config *cfg, int max)
{
    pthread_condattr_t attributes;

    pool->cfg = cfg;
    pool->max = max < SLOTS ? max : SLOTS;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->available, &attributes);
    pthread_cond_init(&pool->work, &attributes);
    pthread_condattr_destroy(&attributes);
}

dl_status mdl_wh_pool_open(mdl_wh_pool **pool, const dl_config *cfg, int max,
                           dl_error *err, apr_pool_t *child_pool)
{
    mdl_wh_pool *p = pools;
    int failure;

    while (p != NULL && p->cfg != cfg) {
        p = p->next;
    }
    if (p == NULL) {
        p = apr_pcalloc(child_pool, sizeof(*p));
        pool_init(p, cfg, max);
        failure = keeper_start(p);
        if (failure != 0) {
            return dl_fail(err, DL_INTERNAL, failure,
                           "cannot start the warehouse thread");
        }
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
    struct timespec until = timespec_of(until_us);
    int i = idle_slot(pool);

    if (i < 0 && pool->state == BREAKER_CLOSED) {
        pool->waits++;
    }
    pool->wanted++;
    while (i < 0 && pool->state == BREAKER_CLOSED &&
           dl_time_monotonic_us() < until_us) {
        pthread_cond_signal(&pool->work);
        pthread_cond_timedwait(&pool->available, &pool->mutex, &until);
        i = idle_slot(pool);
    }
    pool->wanted--;
    return i;
}

dl_status mdl_wh_acquire(mdl_wh *wh, mdl_wh_pool *pool, dl_error *err)
{
    int64_t until_us = dl_time_monotonic_us() + MDL_WH_WAIT_MS * 1000;
    int i = -1;
    int open;

    pthread_mutex_lock(&pool->mutex);
    if (pool->state == BREAKER_CLOSED) {
        i = wait_idle(pool, until_us);
    }
    open = pool->state == BREAKER_CLOSED ? 0 : 1;
    if (i >= 0) {
        slot_set(&pool->slot[i], SLOT_BUSY);
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
    mdl_metrics_count(MDL_METRICS_SHED_WAREHOUSE);
    return dl_fail(err, DL_UNAVAILABLE, 0, "%s",
                   open != 0 ? "the warehouse is away"
                             : "no warehouse connection is free");
}

void mdl_wh_release(mdl_wh_pool *pool, mdl_wh *wh, dl_status outcome)
{
    slot *s = &pool->slot[wh->slot];
    int lost = outcome == DL_UNAVAILABLE || outcome == DL_TIMEOUT ? 1 : 0;

    pthread_mutex_lock(&pool->mutex);
    lost = lost != 0 || s->cut != NO_CUT ? 1 : 0;
    if (lost != 0) {
        slot_set(s, SLOT_CONNECTING);
        pthread_mutex_unlock(&pool->mutex);
        slot_close(s);
        pthread_mutex_lock(&pool->mutex);
        slot_set(s, SLOT_FREE);
        if (outcome == DL_UNAVAILABLE && s->cut == NO_CUT) {
            pool->era++;
            failed(pool, "connection lost");
        }
    }
    else {
        pool->failures = 0;
        slot_set(s, SLOT_IDLE);
    }
    pthread_cond_signal(&pool->available);
    pthread_mutex_unlock(&pool->mutex);
}

/* Run READER once.  A connection the keeper cut says why. */
static dl_status read_once(mdl_wh_pool *pool, mdl_wh_reader *reader,
                           void *context, dl_error *err)
{
    mdl_wh wh;
    dl_status status;
    dl_status cut;

    DL_TRY(mdl_wh_acquire(&wh, pool, err));
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
    dl_status status = read_once(pool, reader, context, err);

    if (status == DL_UNAVAILABLE || status == DL_RETRY) {
        status = read_once(pool, reader, context, err);
    }
    return status;
}

void mdl_wh_pool_state(mdl_wh_state *state, mdl_wh_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    state->idle = count(pool, SLOT_IDLE);
    state->busy = count(pool, SLOT_BUSY);
    state->breaker_open = pool->state == BREAKER_CLOSED ? 0 : 1;
    state->waits = pool->waits;
    state->refused = pool->refused;
    pthread_mutex_unlock(&pool->mutex);
}
