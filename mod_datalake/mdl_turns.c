/* mdl_turns.c - Election, and the thread with its clock.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_turns.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "dl_thread.h"
#include "dl_time.h"

/* A worker silent for this long has lost its place. */
#define SILENCE_US (INT64_C(5) * DL_SECOND_US)

/* One thread. */
typedef struct turns {
    mdl_turns_work work;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards stop */
    pthread_cond_t wake;   /* stop was set */
    bool stop;
} turns;

/* --- Election ------------------------------------------------------------- */

bool mdl_election_hold(mdl_election *election)
{
    int64_t self = getpid();
    int64_t now = dl_time_monotonic_us();
    int64_t owner = atomic_load(&election->owner);
    bool silent = now - atomic_load(&election->beat_us) > SILENCE_US;

    if (owner != self && owner != 0 && !silent &&
        (kill((pid_t)owner, 0) == 0 || errno != ESRCH)) {
        return false;
    }
    if (owner != self &&
        !atomic_compare_exchange_strong(&election->owner, &owner, self)) {
        return false;
    }
    atomic_store(&election->beat_us, now);
    return true;
}

void mdl_election_resign(mdl_election *election)
{
    int64_t self = getpid();

    (void)atomic_compare_exchange_strong(&election->owner, &self, 0);
}

/* --- The thread ----------------------------------------------------------- */

/* Wait for the next turn; true when the thread has to end. */
static bool wait_turn(turns *t)
{
    struct timespec until = dl_thread_timespec(
        dl_time_monotonic_us() + t->work.every_ms * INT64_C(1000));
    bool stop;

    pthread_mutex_lock(&t->mutex);
    if (!t->stop) {
        (void)pthread_cond_timedwait(&t->wake, &t->mutex, &until);
    }
    stop = t->stop;
    pthread_mutex_unlock(&t->mutex);
    return stop;
}

static void *run(void *context)
{
    turns *t = context;

    do {
        t->work.turn(t->work.context);
    } while (!wait_turn(t));
    if (t->work.stop != NULL) {
        t->work.stop(t->work.context);
    }
    return NULL;
}

static apr_status_t stop_turns(void *context)
{
    turns *t = context;

    pthread_mutex_lock(&t->mutex);
    t->stop = true;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->mutex);
    pthread_join(t->thread, NULL);
    return APR_SUCCESS;
}

dl_status mdl_turns_start(const mdl_turns_work *work, dl_error *err,
                          apr_pool_t *child_pool)
{
    turns *t = apr_pcalloc(child_pool, sizeof *t);

    t->work = *work;
    pthread_mutex_init(&t->mutex, NULL);
    dl_thread_cond_init(&t->wake);
    DL_TRY(dl_thread_start(&t->thread, run, t, work->name, err));
    apr_pool_pre_cleanup_register(child_pool, t, stop_turns);
    return DL_OK;
}
