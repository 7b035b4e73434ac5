/* dlc_work.c - Places, the keeper, and the ends of jobs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_work.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "dl_log.h"
#include "dlc_chore.h"

/* Between two looks for a job; while the warehouse is away. */
#define LOOK_US INT64_C(500000)
#define AWAY_US INT64_C(2000000)

/* Between two rounds of the keeper. */
#define KEEP_US INT64_C(1000000)

/* Longest name of this program among its like. */
#define OWNER_MAX 100

struct workers;

struct dlc_work {
    struct workers *all;       /* the place's neighbours */
    const dlc_work_kind *kind; /* what it does */
    dlc_chore *chore;          /* its thread */
    dlc_link *link;            /* its connection */
    dl_job_claim claim;        /* the job in hand, while BUSY */
    _Atomic bool busy;         /* there is one */
    _Atomic bool cancelled;    /* its end was asked for */
    _Atomic bool lost;         /* it is another's by now */
    _Atomic int64_t held_us;   /* monotonic: the lease counts from here */
    _Atomic int64_t done;      /* units of work */
    _Atomic int64_t total;     /* in all; -1: not known */
    dl_stats_value *took;      /* how long jobs of its kind took */
};

/* All places. */
typedef struct workers {
    const dl_config *cfg;
    dl_stats *stats;           /* numbers of the program */
    char owner[OWNER_MAX + 1]; /* our name in the table */
    dlc_work_tick *tick;       /* what the keeper does besides */
    dlc_link *link;            /* the keeper's connection */
    dlc_chore *keeper;         /* its thread */
    bool away;                 /* the warehouse was, at the last round */
    dlc_work *places;          /* all of them */
    int n;                     /* how many */
    pthread_mutex_t mutex;     /* of all claims: held while one is told,
                                  taken up or ended */
} workers;

/* --- What functions ask --------------------------------------------------- */

const dl_job_claim *dlc_work_claim(const dlc_work *work)
{
    return &work->claim;
}

const dl_config *dlc_work_config(const dlc_work *work)
{
    return work->all->cfg;
}

dl_stats *dlc_work_stats(const dlc_work *work)
{
    return work->all->stats;
}

dl_status dlc_work_wh(dl_wh **wh, dlc_work *work, dl_error *err)
{
    return dlc_link_open(wh, work->link, err);
}

void dlc_work_tell(dlc_work *work, int64_t done, int64_t total)
{
    work->done = done;
    work->total = total;
}

bool dlc_work_ends(const dlc_work *work)
{
    return work->cancelled || work->lost || dlc_chore_stopping(work->chore);
}

bool dlc_work_holds(const dlc_work *work, int64_t duration_us)
{
    return !work->lost && dl_time_monotonic_us() - work->held_us <
                              DL_JOB_LEASE_US - duration_us;
}

/* --- A place -------------------------------------------------------------- */

/* How the job of WORK ended, whose function returned STATUS. */
static dl_job_end end_of(const dlc_work *work, dl_status status,
                         const dlc_work_outcome *outcome, const dl_error *err)
{
    dl_job_end end = {
        .state = "succeeded", .done = work->done, .total = work->total};

    if (outcome->result[0] != '\0') {
        end.result = outcome->result;
    }
    if (status != DL_OK) {
        end.state = "failed";
        end.code = outcome->code != NULL ? outcome->code : "internal-error";
        end.detail = err->text;
    }
    else if (work->cancelled && !outcome->finished) {
        end.state = "cancelled";
    }
    return end;
}

/* Say how the job of WORK ended, all of it or nothing. */
static dl_status record(dlc_work *work, dl_wh *wh, const dl_job_end *end,
                        dl_error *err)
{
    dl_time now = dl_time_now();
    dl_status status;

    DL_TRY(dl_wh_begin(wh, err));
    status = dl_job_finish(wh, &work->claim, end, now, err);
    if (status == DL_OK && work->kind->ended != NULL) {
        status = work->kind->ended(wh, &work->claim, end, now, err);
    }
    if (status == DL_OK) {
        return dl_wh_commit(wh, err);
    }
    dl_wh_rollback(wh);
    return status;
}

/* End the job of WORK after STATUS, or give it back. */
static dl_status put_down(dlc_work *work, dl_status status,
                          const dlc_work_outcome *outcome, dl_error *err)
{
    bool unfinished = status == DL_UNAVAILABLE || status == DL_RETRY ||
                      (status == DL_OK && !work->cancelled &&
                       dlc_chore_stopping(work->chore) && !outcome->finished);
    dl_job_end end = end_of(work, status, outcome, err);
    dl_error failed = {.status = DL_OK};
    dl_wh *wh;

    if (end.detail == NULL && outcome->detail[0] != '\0') {
        end.detail = outcome->detail;
    }
    DL_TRY(dlc_link_open(&wh, work->link, &failed));
    status = unfinished ? dl_job_give_back(wh, &work->claim, &failed)
                        : record(work, wh, &end, &failed);
    if (status == DL_CONFLICT) {
        dl_log(DL_LOG_WARNING, "DL0852 jobs: %s", failed.text);
        return DL_OK;
    }
    if (status != DL_OK) {
        *err = failed;
        return status;
    }
    dl_log(DL_LOG_NOTICE, "DL0850 jobs: %s %s %s%s%s", work->claim.kind,
           work->claim.id, unfinished ? "queued again" : end.state,
           end.detail != NULL ? ": " : "",
           end.detail != NULL ? end.detail : "");
    return DL_OK;
}

/* Take a job, run it, end it.  DL_NOT_FOUND: there is none. */
static dl_status work_once(dlc_work *work, dl_error *err,
                           apr_pool_t *scratch_pool)
{
    dlc_work_outcome *outcome = apr_pcalloc(scratch_pool, sizeof *outcome);
    dl_job_taker taker = {.kind = work->kind->kind, .owner = work->all->owner};
    dl_error failed = {.status = DL_OK};
    dl_status status;
    int64_t begun_us;
    dl_wh *wh;

    DL_TRY(dlc_link_open(&wh, work->link, err));
    work->held_us = dl_time_monotonic_us();
    taker.now = dl_time_now();
    DL_TRY(dl_job_take(&work->claim, wh, &taker, err, scratch_pool));
    work->cancelled = work->claim.cancelled;
    work->lost = false;
    dlc_work_tell(work, work->claim.done, work->claim.total);
    dl_log(DL_LOG_NOTICE, "DL0851 jobs: %s %s begins, attempt %lld",
           work->claim.kind, work->claim.id, (long long)work->claim.attempt);
    work->busy = true;
    begun_us = dl_time_monotonic_us();
    status = work->kind->run(work, outcome, &failed, scratch_pool);
    dl_stats_observe(work->took, dl_time_monotonic_us() - begun_us);
    pthread_mutex_lock(&work->all->mutex);
    work->busy = false;
    pthread_mutex_unlock(&work->all->mutex);
    *err = failed;
    return work->lost ? DL_OK : put_down(work, status, outcome, err);
}

static int64_t place_turn(void *context, dlc_chore *chore,
                          apr_pool_t *scratch_pool)
{
    dlc_work *work = context;
    dl_error err = {.status = DL_OK};
    dl_status status = DL_OK;

    work->chore = chore;
    if (dlc_chore_stopping(chore)) {
        return LOOK_US;
    }
    status = work_once(work, &err, scratch_pool);
    if (status == DL_OK) {
        return 0;
    }
    if (status == DL_NOT_FOUND || status == DL_RETRY) {
        return LOOK_US;
    }
    dlc_link_close(work->link);
    return AWAY_US;
}

/* --- The keeper ----------------------------------------------------------- */

/* Tell how far the job of WORK is; learn whether it is still ours. */
static dl_status keep(dlc_work *work, dl_wh *wh, dl_error *err)
{
    dl_job_progress progress = {.done = work->done, .total = work->total};
    int64_t begun_us = dl_time_monotonic_us();
    bool cancelled = false;
    dl_status status = dl_job_tell(&cancelled, wh, &work->claim, &progress,
                                   dl_time_now(), err);

    if (status == DL_CONFLICT) {
        work->lost = true;
        return DL_OK;
    }
    if (status == DL_OK) {
        work->held_us = begun_us;
    }
    work->cancelled = work->cancelled || cancelled;
    return status;
}

static dl_status keep_all(workers *all, dl_error *err, apr_pool_t *scratch_pool)
{
    dl_wh *wh;
    int i;

    DL_TRY(dlc_link_open(&wh, all->link, err));
    for (i = 0; i < all->n; i++) {
        dl_status status = DL_OK;

        pthread_mutex_lock(&all->mutex);
        if (all->places[i].busy && !all->places[i].lost) {
            status = keep(&all->places[i], wh, err);
        }
        pthread_mutex_unlock(&all->mutex);
        DL_TRY(status);
    }
    return all->tick != NULL ? all->tick(wh, all->cfg, err, scratch_pool)
                             : DL_OK;
}

static int64_t keeper_turn(void *context, dlc_chore *chore,
                           apr_pool_t *scratch_pool)
{
    workers *all = context;
    dl_error err = {.status = DL_OK};
    dl_status status = keep_all(all, &err, scratch_pool);
    bool away = status != DL_OK && status != DL_RETRY && status != DL_CONFLICT;

    (void)chore;
    if (away) {
        dlc_link_close(all->link);
    }
    if (away != all->away) {
        dl_log(away ? DL_LOG_ERROR : DL_LOG_NOTICE, "DL0853 jobs: %s",
               away ? err.text : "the warehouse is back");
    }
    all->away = away;
    return away ? AWAY_US : KEEP_US;
}

/* --- Beginning ------------------------------------------------------------ */

static dl_status start_place(dlc_work *work, workers *all,
                             const dlc_work_kind *kind, dl_error *err,
                             apr_pool_t *pool)
{
    work->all = all;
    work->kind = kind;
    DL_TRY(dlc_link_create(&work->link, all->cfg, err, pool));
    return dlc_chore_create(&work->chore, place_turn, work, LOOK_US, err, pool);
}

/* How many jobs of KIND run at once. */
static int places_of(const dlc_work_kind *kind, const dl_config_jobs *jobs)
{
    const struct {
        const char *kind;
        int64_t places;
    } settings[] = {{"schedule", jobs->schedule},
                    {"repush-all", jobs->repush_all},
                    {"redrive", jobs->redrive},
                    {"train", jobs->train}};
    size_t i;

    for (i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (strcmp(settings[i].kind, kind->kind) == 0) {
            return (int)settings[i].places;
        }
    }
    return kind->places;
}

/* Start the places of KIND in ALL. */
static dl_status start_kind(workers *all, const dlc_work_kind *kind,
                            dl_error *err, apr_pool_t *pool)
{
    int places = places_of(kind, &all->cfg->jobs);
    dl_stats_value *took = dl_stats_slot(
        all->stats, DL_STATS_HISTOGRAM, "datalake_job_duration_seconds",
        apr_psprintf(pool, "kind=\"%s\"", kind->kind));

    for (; places > 0; places--) {
        dlc_work *work = &all->places[all->n];

        work->took = took;
        DL_TRY(start_place(work, all, kind, err, pool));
        all->n++;
    }
    return DL_OK;
}

dl_status dlc_workers_create(const dlc_work_plan *plan, dl_error *err,
                             apr_pool_t *pool)
{
    workers *all = apr_pcalloc(pool, sizeof *all);
    char host[65] = "";
    int n = 0;
    int i;

    (void)gethostname(host, sizeof host - 1);
    all->cfg = plan->cfg;
    all->stats = plan->stats;
    all->tick = plan->tick;
    snprintf(all->owner, sizeof all->owner, "%s:%ld:%lld", host, (long)getpid(),
             (long long)dl_time_monotonic_us());
    pthread_mutex_init(&all->mutex, NULL);
    for (i = 0; i < plan->n; i++) {
        n += places_of(&plan->kinds[i], &all->cfg->jobs);
    }
    all->places = apr_pcalloc(pool, ((size_t)n + 1) * sizeof *all->places);
    for (i = 0; i < plan->n; i++) {
        DL_TRY(start_kind(all, &plan->kinds[i], err, pool));
    }
    DL_TRY(dlc_link_create(&all->link, plan->cfg, err, pool));
    return dlc_chore_create(&all->keeper, keeper_turn, all, 0, err, pool);
}
