/* dlc_wh_rollup.c - The thread behind the rollups.
 *
 * What waits: sums of committed batches, merged into one, with the ends of
 * their partitions; partitions to recover; partitions to look at for
 * adjustments.  A failed advance is not repeated from memory when the
 * watermark is elsewhere than expected: its partitions are recovered from the
 * facts instead, which is right whatever happened.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_wh_rollup.h"

#include "dl_array.h"
#include "dl_log.h"
#include "dl_thread.h"
#include "dl_time.h"
#include "dlc_wh_advance.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Bytes of sums that may wait before the loader waits. */
#define WAITING_BYTES ((size_t)24 << 20)

/* More sums than this are a backlog, and are gathered for so many times the
 * usual interval. */
#define BACKLOG_BYTES ((size_t)4 << 20)
#define BACKLOG_TIMES 5

/* Partitions are looked at for adjustments of others this often. */
#define ADJUST_EVERY_US INT64_C(10000000)

/* A database that is away is tried again after this. */
#define RETRY_MS 1000

/* A partition of ours. */
typedef struct place {
    dlc_wh_end end; /* to: how far the rollups are */
    bool recover;   /* it has to be brought to to */
    bool adjust;    /* look for adjustments */
} place;

struct dlc_wh_rollup {
    const dl_config *cfg;     /* [warehouse] */
    apr_pool_t *parent;       /* connections live in children of it */
    dl_stats_value *commits;  /* raised after each commit */
    dl_stats_value *duration; /* histogram of transactions */
    pthread_t thread;         /* the thread */
    pthread_mutex_t mutex;    /* guards all that follows up to running */
    pthread_cond_t change;    /* something below has changed */
    dlc_spend *spend;         /* sums that wait, NULL: none */
    dlc_wh_end *ends;         /* how far they reach */
    int n_ends;               /* of ends */
    size_t ends_room;         /* for how many */
    place *places;            /* partitions of ours */
    int n_places;             /* of places */
    size_t places_room;       /* for how many */
    int64_t since_us;         /* when the first waiting sums came */
    int64_t added_us;         /* when the last ones came */
    bool more;                /* their loader has more to store */
    bool backlog;             /* there was a backlog, its end is not done */
    bool busy;                /* a job is under way */
    bool stop;                /* finish and end */
    dl_error failure;         /* why the thread gave up */
    /* of the thread alone */
    apr_pool_t *pool;         /* of the connection */
    dl_wh *wh;                /* NULL: not connected */
    dlc_spend_writer *writer; /* of the connection */
    int64_t adjusted_us;      /* when all places were last looked at */
};

/* What the thread takes out at once. */
typedef struct job {
    dlc_spend *spend; /* advance by this, or NULL */
    dlc_wh_end *ends; /* its ends */
    int n_ends;       /* of them */
    dlc_wh_end one;   /* recover or adjust this */
    bool recover;     /* ONE has to be recovered */
    bool adjust;      /* ONE has to be looked at */
} job;

static bool same_place(const dlc_wh_end *a, const char *topic,
                       int32_t partition)
{
    return a->partition == partition && strcmp(a->topic, topic) == 0;
}

static place *place_find(dlc_wh_rollup *rollup, const char *topic,
                         int32_t partition)
{
    for (int i = 0; i < rollup->n_places; i++) {
        if (same_place(&rollup->places[i].end, topic, partition)) {
            return &rollup->places[i];
        }
    }
    return NULL;
}

/* --- What others call ------------------------------------------------------
 */

static void end_merge(dlc_wh_rollup *rollup, const dlc_wh_end *end)
{
    for (int i = 0; i < rollup->n_ends; i++) {
        if (same_place(&rollup->ends[i], end->topic, end->partition) &&
            rollup->ends[i].generation == end->generation) {
            rollup->ends[i].to = end->to;
            return;
        }
    }
    rollup->ends =
        dl_array_room(rollup->ends, &rollup->ends_room,
                      (size_t)rollup->n_ends + 1, sizeof *rollup->ends);
    rollup->ends[rollup->n_ends++] = *end;
}

void dlc_wh_rollup_add(dlc_wh_rollup *rollup, dlc_spend *spend,
                       const dlc_wh_end *ends, int n, unsigned flags)
{
    pthread_mutex_lock(&rollup->mutex);
    while (rollup->spend != NULL && !rollup->stop &&
           dlc_spend_bytes(rollup->spend) > WAITING_BYTES &&
           rollup->failure.status == DL_OK) {
        pthread_cond_wait(&rollup->change, &rollup->mutex);
    }
    if (rollup->spend == NULL) {
        rollup->spend = spend;
        rollup->since_us = dl_time_monotonic_us();
    }
    else {
        dlc_spend_merge(rollup->spend, spend);
        dlc_spend_destroy(spend);
    }
    rollup->added_us = dl_time_monotonic_us();
    rollup->backlog =
        rollup->backlog || dlc_spend_bytes(rollup->spend) > BACKLOG_BYTES;
    for (int i = 0; i < n; i++) {
        end_merge(rollup, &ends[i]);
    }
    rollup->more = (flags & DLC_WH_MORE) != 0;
    for (int i = 0; (flags & DLC_WH_ADJUSTED) != 0 && i < rollup->n_places;
         i++) {
        rollup->places[i].adjust = true;
    }
    pthread_cond_broadcast(&rollup->change);
    pthread_mutex_unlock(&rollup->mutex);
}

void dlc_wh_rollup_take(dlc_wh_rollup *rollup, const dlc_wh_end *end)
{
    place *p;

    pthread_mutex_lock(&rollup->mutex);
    p = place_find(rollup, end->topic, end->partition);
    if (p == NULL) {
        rollup->places =
            dl_array_room(rollup->places, &rollup->places_room,
                          (size_t)rollup->n_places + 1, sizeof *rollup->places);
        p = &rollup->places[rollup->n_places++];
    }
    p->end = *end;
    p->recover = end->to >= 0;
    p->adjust = true;
    pthread_cond_broadcast(&rollup->change);
    pthread_mutex_unlock(&rollup->mutex);
}

void dlc_wh_rollup_drop(dlc_wh_rollup *rollup, const char *topic,
                        int32_t partition)
{
    place *p;

    pthread_mutex_lock(&rollup->mutex);
    p = place_find(rollup, topic, partition);
    if (p != NULL) {
        *p = rollup->places[--rollup->n_places];
    }
    pthread_mutex_unlock(&rollup->mutex);
}

static bool is_idle(const dlc_wh_rollup *rollup)
{
    for (int i = 0; i < rollup->n_places; i++) {
        if (rollup->places[i].recover) {
            return false;
        }
    }
    return rollup->spend == NULL && !rollup->busy;
}

bool dlc_wh_rollup_is_idle(dlc_wh_rollup *rollup)
{
    bool idle;

    pthread_mutex_lock(&rollup->mutex);
    idle = is_idle(rollup);
    pthread_mutex_unlock(&rollup->mutex);
    return idle;
}

dl_status dlc_wh_rollup_check(dlc_wh_rollup *rollup, dl_error *err)
{
    dl_error failure;

    pthread_mutex_lock(&rollup->mutex);
    failure = rollup->failure;
    pthread_mutex_unlock(&rollup->mutex);
    if (failure.status != DL_OK) {
        *err = failure;
    }
    return failure.status;
}

/* --- The thread ------------------------------------------------------------
 */

/* Wait for a change, at most MS. */
static void wait_ms(dlc_wh_rollup *rollup, int64_t ms)
{
    struct timespec until =
        dl_thread_timespec(dl_time_monotonic_us() + ms * INT64_C(1000));

    (void)pthread_cond_timedwait(&rollup->change, &rollup->mutex, &until);
}

static void disconnect(dlc_wh_rollup *rollup)
{
    if (rollup->pool != NULL) {
        apr_pool_destroy(rollup->pool);
    }
    rollup->pool = NULL;
    rollup->wh = NULL;
}

static dl_status connect_wh(dlc_wh_rollup *rollup, dl_error *err)
{
    dl_status status;

    if (rollup->wh != NULL && !dl_wh_lost(rollup->wh)) {
        return DL_OK;
    }
    disconnect(rollup);
    if (apr_pool_create(&rollup->pool, rollup->parent) != APR_SUCCESS) {
        abort();
    }
    status = dl_wh_connect(&rollup->wh, rollup->cfg, DL_WH_INGEST, err,
                           rollup->pool);
    if (status != DL_OK) {
        disconnect(rollup);
        return status;
    }
    rollup->writer = dlc_spend_writer_create(rollup->wh, rollup->pool);
    return DL_OK;
}

/* A partition that waits to be recovered and has sums waiting too must be
 * recovered first. */
static bool job_place(job *j, dlc_wh_rollup *rollup, bool recover)
{
    for (int i = 0; i < rollup->n_places; i++) {
        place *p = &rollup->places[i];

        if (recover ? p->recover : p->adjust) {
            j->one = p->end;
            j->recover = recover;
            j->adjust = !recover;
            if (recover) {
                p->recover = false;
            }
            else {
                p->adjust = false;
            }
            return true;
        }
    }
    return false;
}

/* Return whether the sums that wait are due.  A rollup costs by its keys, not
 * by rows, so a backlog is gathered for longer while it keeps coming, and done
 * with at once at its end; readers are exact all the same. */
static bool is_due(const dlc_wh_rollup *rollup, int64_t now_us)
{
    int64_t interval_us = rollup->cfg->warehouse.rollup_ms * 1000;
    bool coming = rollup->backlog && rollup->more &&
                  now_us - rollup->added_us < BACKLOG_TIMES * interval_us;

    return rollup->stop || (rollup->backlog && !coming) ||
           dlc_spend_bytes(rollup->spend) > WAITING_BYTES ||
           now_us - rollup->since_us >=
               (coming ? BACKLOG_TIMES : 1) * interval_us;
}

/* Take the next job out; false: nothing is due.  The mutex is held. */
static bool job_take(job *j, dlc_wh_rollup *rollup)
{
    int64_t now = dl_time_monotonic_us();

    memset(j, 0, sizeof *j);
    if (now - rollup->adjusted_us > ADJUST_EVERY_US) {
        rollup->adjusted_us = now;
        for (int i = 0; i < rollup->n_places; i++) {
            rollup->places[i].adjust = rollup->places[i].end.to >= 0;
        }
    }
    if (job_place(j, rollup, true)) {
        return true;
    }
    if (rollup->spend != NULL && is_due(rollup, now)) {
        j->spend = rollup->spend;
        j->ends = rollup->ends;
        j->n_ends = rollup->n_ends;
        rollup->backlog =
            rollup->backlog &&
            (rollup->more || dlc_spend_bytes(rollup->spend) > BACKLOG_BYTES);
        rollup->spend = NULL;
        rollup->ends = NULL;
        rollup->n_ends = 0;
        rollup->ends_room = 0;
        pthread_cond_broadcast(&rollup->change);
        return true;
    }
    return !rollup->stop && job_place(j, rollup, false);
}

static void job_free(job *j)
{
    dlc_spend_destroy(j->spend);
    free(j->ends);
    memset(j, 0, sizeof *j);
}

/* The rollups of END's partition have reached END->to. */
static void reached(dlc_wh_rollup *rollup, const dlc_wh_end *end, bool recover)
{
    place *p;

    pthread_mutex_lock(&rollup->mutex);
    p = place_find(rollup, end->topic, end->partition);
    if (p != NULL && p->end.generation == end->generation) {
        p->end.to = end->to;
        p->recover = p->recover || recover;
        p->adjust = true;
    }
    pthread_mutex_unlock(&rollup->mutex);
}

/* Return whether the watermarks of J are already where it wants them: a
 * commit whose answer was lost. */
static dl_status job_was_done(bool *done, dlc_wh_rollup *rollup, const job *j,
                              dl_error *err)
{
    *done = j->n_ends > 0;
    for (int i = 0; i < j->n_ends; i++) {
        int64_t next;
        int32_t generation;

        DL_TRY(
            dlc_wh_watermark(&next, &generation, rollup->wh, &j->ends[i], err));
        *done = *done && next == j->ends[i].to &&
                generation == j->ends[i].generation;
    }
    return DL_OK;
}

static dl_status job_run(dlc_wh_rollup *rollup, const job *j, dl_error *err)
{
    DL_TRY(connect_wh(rollup, err));
    if (j->recover) {
        return dlc_wh_recover(rollup->wh, rollup->writer, &j->one, err);
    }
    if (j->adjust) {
        return j->one.to >= 0
                   ? dlc_wh_adjust(rollup->wh, rollup->writer, &j->one, err)
                   : DL_OK;
    }
    return dlc_wh_advance(rollup->wh, rollup->writer, j->spend, j->ends,
                          j->n_ends, err);
}

/* The watermark was elsewhere: recover what is ours of J. */
static dl_status job_conflict(dlc_wh_rollup *rollup, const job *j,
                              const dl_error *why)
{
    dl_error err = {0};
    bool done = false;

    if (j->spend == NULL) {
        dl_log(DL_LOG_NOTICE, "DL0511 rollup: %s; another loader does it",
               why->text);
        return DL_OK;
    }
    DL_TRY(job_was_done(&done, rollup, j, &err));
    if (!done) {
        dl_log(DL_LOG_NOTICE, "DL0512 rollup: %s; reading the facts instead",
               why->text);
    }
    for (int i = 0; i < j->n_ends; i++) {
        reached(rollup, &j->ends[i], !done);
    }
    return DL_OK;
}

static void job_done(dlc_wh_rollup *rollup, const job *j, int64_t began_us)
{
    if (j->recover) {
        reached(rollup, &j->one, false);
    }
    for (int i = 0; i < j->n_ends; i++) {
        reached(rollup, &j->ends[i], false);
    }
    dl_stats_add(rollup->commits, 1);
    dl_stats_observe(rollup->duration, dl_time_monotonic_us() - began_us);
}

/* Return whether a job that ended with STATUS is tried again. */
static bool is_passing(dl_status status)
{
    return status == DL_RETRY || status == DL_UNAVAILABLE ||
           status == DL_TIMEOUT || status == DL_NO_SPACE || status == DL_BUSY;
}

/* Do J until it is done, impossible, or the thread has to stop. */
static void job_finish(dlc_wh_rollup *rollup, const job *j)
{
    for (int tries = 0;; tries++) {
        int64_t began_us = dl_time_monotonic_us();
        dl_error err = {0};
        dl_status status = job_run(rollup, j, &err);
        bool stop;

        if (status == DL_CONFLICT) {
            status = job_conflict(rollup, j, &err);
            if (status == DL_OK) {
                return;
            }
        }
        else if (status == DL_OK) {
            job_done(rollup, j, began_us);
            return;
        }
        pthread_mutex_lock(&rollup->mutex);
        if (!is_passing(status)) {
            rollup->failure = err;
            rollup->failure.status = status;
            pthread_cond_broadcast(&rollup->change);
        }
        else if (status != DL_RETRY || tries > 20) {
            if (tries == 0) {
                dl_log(DL_LOG_WARNING, "DL0513 rollup: %s; trying again",
                       err.text);
            }
            if (!rollup->stop) {
                wait_ms(rollup, RETRY_MS);
            }
        }
        stop = (rollup->stop && tries > 3) || rollup->failure.status != DL_OK;
        pthread_mutex_unlock(&rollup->mutex);
        if (stop) {
            return; /* the next start recovers it */
        }
    }
}

static void *rollup_main(void *given)
{
    dlc_wh_rollup *rollup = given;
    job j;

    pthread_mutex_lock(&rollup->mutex);
    for (;;) {
        if (rollup->failure.status == DL_OK && job_take(&j, rollup)) {
            rollup->busy = true;
            pthread_mutex_unlock(&rollup->mutex);
            job_finish(rollup, &j);
            job_free(&j);
            pthread_mutex_lock(&rollup->mutex);
            rollup->busy = false;
            pthread_cond_broadcast(&rollup->change);
        }
        else if (rollup->stop) {
            break;
        }
        else {
            wait_ms(rollup, 100);
        }
    }
    pthread_mutex_unlock(&rollup->mutex);
    disconnect(rollup);
    return NULL;
}

dl_status dlc_wh_rollup_start(dlc_wh_rollup **rollup, const dl_config *cfg,
                              dl_stats_value *commits, dl_stats_value *duration,
                              dl_error *err, apr_pool_t *pool)
{
    dlc_wh_rollup *made = apr_pcalloc(pool, sizeof *made);

    made->cfg = cfg;
    made->commits = commits;
    made->duration = duration;
    if (apr_pool_create(&made->parent, NULL) != APR_SUCCESS) {
        abort();
    }
    pthread_mutex_init(&made->mutex, NULL);
    dl_thread_cond_init(&made->change);
    DL_TRY(dl_thread_start(&made->thread, rollup_main, made, "rolls rows up",
                           err));
    *rollup = made;
    return DL_OK;
}

void dlc_wh_rollup_stop(dlc_wh_rollup *rollup)
{
    pthread_mutex_lock(&rollup->mutex);
    rollup->stop = true;
    pthread_cond_broadcast(&rollup->change);
    pthread_mutex_unlock(&rollup->mutex);
    (void)pthread_join(rollup->thread, NULL);
    dlc_spend_destroy(rollup->spend);
    free(rollup->ends);
    free(rollup->places);
    pthread_cond_destroy(&rollup->change);
    pthread_mutex_destroy(&rollup->mutex);
    apr_pool_destroy(rollup->parent);
}
