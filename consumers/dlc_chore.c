/* dlc_chore.c - The thread, its names and its idle helper.
 *
 * An idle thread cannot come back to normal without a right that the daemon
 * does not have, so it runs one step and ends.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_chore.h"

#include "dl_thread.h"
#include "dl_time.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <apr_strings.h>

/* ioprio_set(2): this thread, class idle.  libc has no name for it. */
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_IDLE        (3 << 13)

/* The least of all priorities, where the scheduler refuses its idle class. */
#define NICE_LEAST 19

typedef struct named {
    const char *name;     /* of a dataset */
    const dl_dataset *ds; /* its declaration now; guarded */
    struct named *next;   /* the one named after it */
} named;

struct dlc_chore {
    dlc_chore_turn *turn;  /* what it does */
    void *context;         /* first argument of TURN */
    int64_t wait_us;       /* until the next turn; the thread's */
    apr_pool_t *pool;      /* holds the names; the owner's */
    pthread_t thread;      /* ours */
    pthread_mutex_t mutex; /* of all below */
    pthread_cond_t wake;   /* of woken and end; by the monotonic clock */
    named *first;          /* the datasets */
    named *last;           /* likewise */
    bool woken;            /* a turn is wanted now */
    bool end;              /* the thread has to leave */
};

/* --- Idle threads --------------------------------------------------------- */

typedef struct errand {
    void (*step)(void *data); /* what to run */
    void *data;               /* its argument */
} errand;

static void *run_idle(void *data)
{
    const struct sched_param none = {.sched_priority = 0};
    errand *e = data;

    if (sched_setscheduler(0, SCHED_IDLE, &none) != 0) {
        (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE_LEAST);
    }
    (void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
    e->step(e->data);
    return NULL;
}

void dlc_chore_apart(void (*step)(void *data), void *data)
{
    errand e = {.step = step, .data = data};
    pthread_t thread;

    if (dl_thread_start(&thread, run_idle, &e, "is idle", NULL) != DL_OK) {
        step(data);
        return;
    }
    pthread_join(thread, NULL);
}

/* --- The thread ----------------------------------------------------------- */

/* Wait for the next turn; false: leave. */
static bool next_turn(dlc_chore *c)
{
    struct timespec until =
        dl_thread_timespec(dl_time_monotonic_us() + c->wait_us);
    bool go_on;

    pthread_mutex_lock(&c->mutex);
    while (!c->end && !c->woken &&
           pthread_cond_timedwait(&c->wake, &c->mutex, &until) == 0) {
        /* woken: by one of the two, or by nothing */
    }
    c->woken = false;
    go_on = !c->end;
    pthread_mutex_unlock(&c->mutex);
    return go_on;
}

static void *run(void *data)
{
    dlc_chore *c = data;
    apr_pool_t *scratch;

    apr_pool_create(&scratch, NULL);
    while (next_turn(c)) {
        c->wait_us = c->turn(c->context, c, scratch);
        apr_pool_clear(scratch);
    }
    apr_pool_destroy(scratch);
    return NULL;
}

static apr_status_t stop(void *data)
{
    dlc_chore *c = data;

    pthread_mutex_lock(&c->mutex);
    c->end = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->mutex);
    pthread_join(c->thread, NULL);
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->mutex);
    return APR_SUCCESS;
}

dl_status dlc_chore_create(dlc_chore **chore, dlc_chore_turn *turn,
                           void *context, int64_t first_us, dl_error *err,
                           apr_pool_t *pool)
{
    dlc_chore *c = apr_pcalloc(pool, sizeof *c);

    c->turn = turn;
    c->context = context;
    c->wait_us = first_us;
    apr_pool_create(&c->pool, pool);
    pthread_mutex_init(&c->mutex, NULL);
    dl_thread_cond_init(&c->wake);
    *chore = c; /* before a turn may ask for it */
    DL_TRY(dl_thread_start(&c->thread, run, c, "does a chore", err));
    apr_pool_pre_cleanup_register(pool, c, stop);
    return DL_OK;
}

/* --- What others say ------------------------------------------------------ */

/* The entry of NAME, made when it is new.  The mutex is held. */
static named *entry_of(dlc_chore *c, const char *name)
{
    named *n;

    for (n = c->first; n != NULL; n = n->next) {
        if (strcmp(n->name, name) == 0) {
            return n;
        }
    }
    n = apr_pcalloc(c->pool, sizeof *n);
    n->name = apr_pstrdup(c->pool, name);
    if (c->last == NULL) {
        c->first = n;
    }
    else {
        c->last->next = n;
    }
    c->last = n;
    return n;
}

void dlc_chore_add(dlc_chore *chore, const char *name, const dl_dataset *ds)
{
    pthread_mutex_lock(&chore->mutex);
    entry_of(chore, name)->ds = ds;
    chore->woken = true;
    pthread_cond_signal(&chore->wake);
    pthread_mutex_unlock(&chore->mutex);
}

const char *dlc_chore_dataset(const dl_dataset **ds, dlc_chore *chore, int n)
{
    const named *at;

    pthread_mutex_lock(&chore->mutex);
    at = chore->first;
    while (at != NULL && n-- > 0) {
        at = at->next;
    }
    *ds = at == NULL ? NULL : at->ds;
    pthread_mutex_unlock(&chore->mutex);
    return at == NULL ? NULL : at->name;
}

void dlc_chore_wake(dlc_chore *chore)
{
    pthread_mutex_lock(&chore->mutex);
    chore->woken = true;
    pthread_cond_signal(&chore->wake);
    pthread_mutex_unlock(&chore->mutex);
}

bool dlc_chore_stopping(dlc_chore *chore)
{
    bool end;

    pthread_mutex_lock(&chore->mutex);
    end = chore->end;
    pthread_mutex_unlock(&chore->mutex);
    return end;
}
