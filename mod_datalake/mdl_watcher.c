/* mdl_watcher.c - Election, reading of changes, refresh of accounts.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_watcher.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dl_identity.h"
#include "dl_log.h"
#include "dl_time.h"
#include "mdl_account.h"
#include "mdl_metrics.h"

/* Between two turns. */
#define TURN_MS 250

/* A worker silent for this long has lost its place. */
#define SILENCE_US (INT64_C(5) * DL_SECOND_US)

/* How far behind the newest change a change may still become visible. */
#define DISORDER_US (INT64_C(10) * DL_SECOND_US)

/* How far the first reading looks back: clocks of httpd's machine and of the
 * database may differ. */
#define FIRST_US (INT64_C(3600) * DL_SECOND_US)

/* Changes of one reading, and changes remembered as seen. */
#define PAGE 256
#define SEEN 1024

typedef struct watcher {
    mdl_mirror *mirror;
    mdl_wh_pool *pool;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards stop */
    pthread_cond_t wake;   /* stop was set */
    bool stop;
    bool failing;       /* the last reading failed; logged once */
    int64_t seen[SEEN]; /* ids applied lately, a ring */
    unsigned n_seen;    /* ids ever put into it */
    int64_t after;      /* id behind which the next page begins */
    dl_identity_change rows[PAGE];
    size_t n; /* rows of the page */
} watcher;

/* --- Election ------------------------------------------------------------- */

/* Whether this child is the one that works; takes the place of a silent or
 * dead one. */
static bool is_worker(const watcher *w)
{
    mdl_mirror_watch *watch = mdl_mirror_watch_of(w->mirror);
    int64_t self = getpid();
    int64_t now = dl_time_monotonic_us();
    int64_t owner = atomic_load(&watch->owner);
    bool silent = now - atomic_load(&watch->beat_us) > SILENCE_US;

    if (owner != self && owner != 0 && !silent &&
        (kill((pid_t)owner, 0) == 0 || errno != ESRCH)) {
        return false;
    }
    if (owner != self &&
        !atomic_compare_exchange_strong(&watch->owner, &owner, self)) {
        return false;
    }
    atomic_store(&watch->beat_us, now);
    return true;
}

static void resign(const watcher *w)
{
    int64_t self = getpid();

    (void)atomic_compare_exchange_strong(&mdl_mirror_watch_of(w->mirror)->owner,
                                         &self, 0);
}

/* --- Reading -------------------------------------------------------------- */

static bool was_seen(const watcher *w, int64_t id)
{
    unsigned n = w->n_seen < SEEN ? w->n_seen : SEEN;
    unsigned i;

    for (i = 0; i < n; i++) {
        if (w->seen[i] == id) {
            return true;
        }
    }
    return false;
}

static dl_status read_page(struct dl_wh *wh, void *context, dl_error *err)
{
    watcher *w = context;
    dl_identity_changes page = {.rows = w->rows, .max = PAGE};
    dl_time newest = atomic_load(&mdl_mirror_watch_of(w->mirror)->newest_at);

    DL_TRY(dl_identity_changes_read(&page, wh, w->after, newest - DISORDER_US,
                                    err));
    w->n = page.n;
    return DL_OK;
}

/* Apply one change: refresh the account, or forget it where that fails. */
static void apply_change(watcher *w, const dl_identity_change *change)
{
    mdl_mirror_watch *watch = mdl_mirror_watch_of(w->mirror);
    mdl_account account;
    dl_error err;

    mdl_mirror_change(w->mirror);
    if (mdl_mirror_drop(w->mirror, change->user_id)) {
        /* Forgotten is enough when this fails: the next request looks up. */
        (void)!mdl_account_load(&account, w->mirror, w->pool, change->user_id,
                                &err);
    }
    w->seen[w->n_seen++ % SEEN] = change->id;
    if (change->at > atomic_load(&watch->newest_at)) {
        atomic_store(&watch->newest_at, change->at);
    }
}

/* Read and apply all new changes. */
static dl_status catch_up(watcher *w, dl_error *err)
{
    size_t i;

    w->after = 0;
    do {
        DL_TRY(mdl_wh_read(w->pool, read_page, w, err));
        for (i = 0; i < w->n; i++) {
            if (!was_seen(w, w->rows[i].id)) {
                apply_change(w, &w->rows[i]);
            }
            w->after = w->rows[i].id;
        }
    } while (w->n == PAGE);
    return DL_OK;
}

static void take_turn(watcher *w)
{
    mdl_mirror_watch *watch = mdl_mirror_watch_of(w->mirror);
    int64_t never = 0;
    dl_error err;

    if (!is_worker(w)) {
        return;
    }
    (void)atomic_compare_exchange_strong(&watch->newest_at, &never,
                                         dl_time_now() - FIRST_US);
    if (catch_up(w, &err) == DL_OK) {
        mdl_mirror_touch(w->mirror);
        if (w->failing) {
            dl_log(DL_LOG_NOTICE, "DL1021 changes of accounts are read again");
        }
        w->failing = false;
        return;
    }
    if (!w->failing) {
        dl_log(DL_LOG_WARNING,
               "DL1020 changes of accounts cannot be read, known accounts go "
               "on for DataLakeIdentityMaxStale: %s",
               err.text);
    }
    w->failing = true;
}

/* --- The thread ----------------------------------------------------------- */

/* Wait for the next turn; true when the thread has to end. */
static bool wait_turn(watcher *w)
{
    struct timespec until;
    bool stop;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += TURN_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    pthread_mutex_lock(&w->mutex);
    if (!w->stop) {
        (void)pthread_cond_timedwait(&w->wake, &w->mutex, &until);
    }
    stop = w->stop;
    pthread_mutex_unlock(&w->mutex);
    return stop;
}

static void *run(void *context)
{
    watcher *w = context;

    do {
        take_turn(w);
    } while (!wait_turn(w));
    resign(w);
    return NULL;
}

static apr_status_t stop_watcher(void *context)
{
    watcher *w = context;

    pthread_mutex_lock(&w->mutex);
    w->stop = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->mutex);
    pthread_join(w->thread, NULL);
    return APR_SUCCESS;
}

/* Start the thread with all signals blocked: httpd's are for its own. */
static int start_thread(watcher *w)
{
    sigset_t all;
    sigset_t before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&w->thread, NULL, run, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

dl_status mdl_watcher_start(mdl_mirror *mirror, mdl_wh_pool *pool,
                            dl_error *err, apr_pool_t *child_pool)
{
    watcher *w = apr_pcalloc(child_pool, sizeof *w);
    pthread_condattr_t monotonic;
    int rc;

    w->mirror = mirror;
    w->pool = pool;
    pthread_mutex_init(&w->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    rc = start_thread(w);
    if (rc != 0) {
        return dl_fail(err, DL_INTERNAL, rc, "thread that watches accounts");
    }
    apr_pool_pre_cleanup_register(child_pool, w, stop_watcher);
    return DL_OK;
}
