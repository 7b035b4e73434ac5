/* dl_job.h - Work that outlives a request: reading the table job.
 *
 * Thread: the connection's, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_JOB_H
#define DL_JOB_H

#include <stdint.h>

#include "dl_error.h"
#include "dl_time.h"
#include "dl_token.h"

struct dl_wh;

/* One job.  Texts live in the statement and are dead after the call that got
 * them; NULL: not there. */
typedef struct dl_job {
    const char *id;         /* UUID */
    const char *kind;       /* what it does */
    const char *state;      /* queued, running, succeeded, failed, cancelled */
    int64_t done;           /* units of work done */
    int64_t total;          /* in all; -1: not known */
    const char *created_by; /* name of the account that asked */
    dl_time created_at;     /* when it was asked for */
    dl_time started_at;     /* DL_TIME_NONE: not yet */
    dl_time finished_at;    /* DL_TIME_NONE: not yet */
    const char *parameters; /* what was asked, JSON */
    const char *result;     /* what came of it, JSON */
    const char *error_code; /* why it failed */
    const char *error_detail; /* in a sentence */
} dl_job;

/* Receives one job; a return other than DL_OK ends the walk and is passed on.
 * It must not use the connection. */
typedef dl_status dl_job_each(void *context, const dl_job *job, dl_error *err);

/* Which jobs are wanted. */
typedef struct dl_job_query {
    int64_t user_id;   /* asked for by this account */
    const char *after; /* with an id behind this one, "" at first */
    int max;           /* at most so many */
} dl_job_query;

/* Call EACH with the jobs of QUERY, by id. */
DL_MUSTCHECK dl_status dl_job_list(struct dl_wh *wh, const dl_job_query *query,
                                   dl_job_each *each, void *context,
                                   dl_error *err);

#endif
