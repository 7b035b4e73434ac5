/* dl_job_work.h - Working on jobs: taking one, telling how far it is, ending
 * it.
 *
 * Several daemons may run.  A job belongs to the one that could write its name
 * into it (compare and set, one row changed) until its lease ends; a daemon
 * that died loses it then, and another goes on where the job's own state says
 * that it was.  Every call below names the owner and the attempt, so that one
 * that was taken for dead can change nothing any more: DL_CONFLICT.
 *
 * Thread: the connection's, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_JOB_WORK_H
#define DL_JOB_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_error.h"
#include "dl_job.h"
#include "dl_time.h"

struct dl_wh;

/* How long a job is its owner's without a sign of life. */
#define DL_JOB_LEASE_US (INT64_C(30) * DL_SECOND_US)

/* A job that is ours. */
typedef struct dl_job_claim {
    char id[DL_JOB_ID];     /* which */
    const char *kind;       /* what it does; in the claim's pool */
    const char *owner;      /* who we are */
    int64_t attempt;        /* the how maniest time it was taken up */
    int64_t user_id;        /* account that asked; 0: the server */
    int64_t done;           /* units that a former attempt has done */
    int64_t total;          /* in all; -1: not known */
    const char *parameters; /* JSON; in the claim's pool */
    const char *state_text; /* what a former attempt kept, JSON; NULL: none */
    bool cancelled;         /* its end was asked for before */
} dl_job_claim;

/* Who takes what. */
typedef struct dl_job_taker {
    const char *kind;  /* jobs of this kind */
    const char *owner; /* for this program, at most 100 bytes */
    dl_time now;       /* when */
} dl_job_taker;

/* Take the oldest job of TAKER's kind that is queued and may start now, or is
 * running under a lease that has ended.  CLAIM lives in RESULT_POOL.
 * DL_NOT_FOUND: there is none, or others were faster. */
DL_MUSTCHECK dl_status dl_job_take(dl_job_claim *claim, struct dl_wh *wh,
                                   const dl_job_taker *taker, dl_error *err,
                                   apr_pool_t *result_pool);

/* How far a job is. */
typedef struct dl_job_progress {
    int64_t done;           /* units of work */
    int64_t total;          /* in all; -1: not known */
    const char *state_text; /* what a later attempt has to know, JSON; NULL:
                               what it had to know before */
} dl_job_progress;

/* Tell PROGRESS of CLAIM and keep it for another lease from NOW; set
 * *CANCELLED to whether its end was asked for.  May stand in a transaction of
 * the caller with what the progress is about.  DL_CONFLICT: it is another's
 * by now: stop, and change nothing more. */
DL_MUSTCHECK dl_status dl_job_tell(bool *cancelled, struct dl_wh *wh,
                                   const dl_job_claim *claim,
                                   const dl_job_progress *progress, dl_time now,
                                   dl_error *err);

/* How a job ended. */
typedef struct dl_job_end {
    const char *state;  /* succeeded, failed, cancelled */
    int64_t done;       /* units of work */
    int64_t total;      /* in all; -1: as was told before */
    const char *result; /* JSON; NULL: none */
    const char *code;   /* why it failed, a word; NULL: it did not */
    const char *detail; /* ... a sentence */
} dl_job_end;

/* End CLAIM as END says.  DL_CONFLICT as dl_job_tell. */
DL_MUSTCHECK dl_status dl_job_finish(struct dl_wh *wh,
                                     const dl_job_claim *claim,
                                     const dl_job_end *end, dl_time now,
                                     dl_error *err);

/* Give CLAIM back unfinished: it is queued again, with its progress. */
DL_MUSTCHECK dl_status dl_job_give_back(struct dl_wh *wh,
                                        const dl_job_claim *claim,
                                        dl_error *err);

#endif
