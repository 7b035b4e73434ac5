/* dlc_work.h - Working on jobs: threads that take them, and one that tells how
 * far they are.
 *
 * A kind of job has a function and a number of places: so many jobs of it run
 * at once in this program.  Each place is a thread that looks for a job, runs
 * the function, and says how it ended.  A further thread, the keeper, tells
 * progress, renews leases (dl_job_work.h) and learns who wants a job ended; so
 * a function may work for hours without a look at the clock.
 *
 * A function that is to end (dlc_work_ends) returns soon.  When the program
 * stops, its job is queued again and goes on with another program, or with
 * this one after its start; a function therefore begins by finding out what a
 * former attempt has done, and does nothing twice.
 *
 * Thread: dlc_workers_create the main thread; the others the one that runs the
 * function.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_WORK_H
#define DLC_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_config.h"
#include "dl_error.h"
#include "dl_job_work.h"
#include "dl_stats.h"
#include "dl_wh.h"
#include "dlc_link.h"

/* Longest result of a job that has one, a JSON object. */
#define DLC_WORK_RESULT 4096

/* Longest sentence about the end of a job. */
#define DLC_WORK_DETAIL 512

/* A job in hand. */
typedef struct dlc_work dlc_work;

/* What a function leaves behind. */
typedef struct dlc_work_outcome {
    char result[DLC_WORK_RESULT]; /* JSON; "": none */
    char detail[DLC_WORK_DETAIL]; /* what came of it, a sentence; "": none */
    const char *code;             /* with a failure: why, a word (static) */
    bool finished; /* all of it was done, though its end may have been asked
                      for, or the program stopped, in the last moment */
} dlc_work_outcome;

/* Do the job of WORK and fill OUTCOME; SCRATCH_POOL is cleared afterwards.
 * DL_OK: done, or left because dlc_work_ends; anything else fails the job,
 * with ERR as its detail, but DL_UNAVAILABLE and DL_RETRY, with which it is
 * queued again. */
typedef dl_status dlc_work_run(dlc_work *work, dlc_work_outcome *outcome,
                               dl_error *err, apr_pool_t *scratch_pool);

/* How a job of a kind ended, inside the transaction that says so; may be NULL.
 */
typedef dl_status dlc_work_ended(dl_wh *wh, const dl_job_claim *claim,
                                 const dl_job_end *end, dl_time now,
                                 dl_error *err);

/* A kind of job. */
typedef struct dlc_work_kind {
    const char *kind;      /* as the table names it */
    int places;            /* jobs of it at once, unless [jobs] says */
    dlc_work_run *run;     /* does one */
    dlc_work_ended *ended; /* records more about its end, or NULL */
} dlc_work_kind;

/* What the keeper does besides, each second, or NULL. */
typedef dl_status dlc_work_tick(dl_wh *wh, const dl_config *cfg, dl_error *err,
                                apr_pool_t *scratch_pool);

/* What workers are to do. */
typedef struct dlc_work_plan {
    const dlc_work_kind *kinds; /* they live as long as the workers */
    int n;                      /* how many */
    dlc_work_tick *tick;        /* of the keeper */
    const dl_config *cfg;       /* the settings */
    dl_stats *stats;            /* the numbers of the program */
} dlc_work_plan;

/* Start the threads for PLAN; they end before POOL.  DL_INTERNAL: no thread;
 * else as dlc_link_create. */
DL_MUSTCHECK dl_status dlc_workers_create(const dlc_work_plan *plan,
                                          dl_error *err, apr_pool_t *pool);

/* The job that WORK is about. */
const dl_job_claim *dlc_work_claim(const dlc_work *work);

/* The settings. */
const dl_config *dlc_work_config(const dlc_work *work);

/* The numbers of the program; NULL: none. */
dl_stats *dlc_work_stats(const dlc_work *work);

/* Set *WH to WORK's own connection. */
DL_MUSTCHECK dl_status dlc_work_wh(dl_wh **wh, dlc_work *work, dl_error *err);

/* Say that DONE units of TOTAL (-1: not known) are done; costs nothing. */
void dlc_work_tell(dlc_work *work, int64_t done, int64_t total);

/* Whether the function is to return soon: somebody asked for the end of the
 * job, the program stops, or the job is another's by now. */
bool dlc_work_ends(const dlc_work *work);

/* Whether the job is ours for DURATION_US microseconds at least, whoever else
 * looks for work.  A program that was stopped, or has not reached the
 * warehouse, does not know: what the next attempt cannot take back, such as a
 * message that may be under way for that long, must wait until it does, or
 * until dlc_work_ends. */
bool dlc_work_holds(const dlc_work *work, int64_t duration_us);

#endif
