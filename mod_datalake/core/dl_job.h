/* dl_job.h - Work that outlives a request, as it is asked for and looked at
 * (table job).
 *
 *     queued -> running -> succeeded | failed | cancelled
 *        \________________________________/
 *
 * Who works on a job: dl_job_work.h.
 *
 * Thread: the connection's, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_JOB_H
#define DL_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "dl_error.h"
#include "dl_time.h"
#include "dl_token.h"

struct dl_wh;

/* Room for the id of a job, a UUID, and its NUL. */
#define DL_JOB_ID 37

/* One job.  Texts live in the statement and are dead after the call that got
 * them; NULL: not there. */
typedef struct dl_job {
    const char *id;         /* UUID */
    const char *kind;       /* what it does */
    const char *state;      /* queued, running, succeeded, failed, cancelled */
    int64_t done;           /* units of work done */
    int64_t total;          /* in all; -1: not known */
    const char *created_by; /* name of the account that asked */
    int64_t user_id;        /* its id; 0: the server asked */
    dl_time created_at;     /* when it was asked for */
    dl_time started_at;     /* DL_TIME_NONE: not yet */
    dl_time finished_at;    /* DL_TIME_NONE: not yet */
    const char *parameters; /* what was asked, JSON */
    const char *result;     /* what came of it, JSON */
    const char *error_code; /* why it failed */
    const char *error_detail; /* in a sentence */
    bool cancel_asked;        /* somebody wants it ended */
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

/* A page of jobs, newest first. */
typedef struct dl_job_page {
    int64_t user_id;       /* asked for by this account; 0: by anybody */
    const char *kind;      /* of this kind; "": of any */
    const char *state;     /* in this state; "": in any */
    dl_time before;        /* older than this; DL_TIME_NONE: the newest */
    const char *before_id; /* ... or as old, with an id before this one */
    int max;               /* at most so many */
} dl_job_page;

/* Call EACH with the jobs of PAGE, by time of creation and id, both falling. */
DL_MUSTCHECK dl_status dl_job_read(struct dl_wh *wh, const dl_job_page *page,
                                   dl_job_each *each, void *context,
                                   dl_error *err);

/* Call EACH with the job ID.  DL_NOT_FOUND: there is none. */
DL_MUSTCHECK dl_status dl_job_find(struct dl_wh *wh, const char *id,
                                   dl_job_each *each, void *context,
                                   dl_error *err);

/* A job to be done. */
typedef struct dl_job_new {
    const char *id;         /* a new UUID (dl_token_new_id) */
    const char *kind;       /* what it does */
    int64_t user_id;        /* account that asks; 0: the server */
    dl_time created_at;     /* now */
    dl_time not_before;     /* earliest start; DL_TIME_NONE: at once */
    const char *parameters; /* a JSON object */
} dl_job_new;

/* Queue JOB. */
DL_MUSTCHECK dl_status dl_job_add(struct dl_wh *wh, const dl_job_new *job,
                                  dl_error *err);

/* Queue JOB, unless one of its kind is queued or running: then DL_BUSY, and
 * RUNNING is its id.  Stands in a transaction of the caller, READ COMMITTED. */
DL_MUSTCHECK dl_status dl_job_add_alone(char running[DL_JOB_ID],
                                        struct dl_wh *wh, const dl_job_new *job,
                                        dl_error *err);

/* Set *N to how many jobs of KIND are queued or running. */
DL_MUSTCHECK dl_status dl_job_count(int64_t *n, struct dl_wh *wh,
                                    const char *kind, dl_error *err);

/* Ask for the end of job ID: a queued one is cancelled at NOW, a running one
 * at the next point where its work can be left; an erasure goes on. */
DL_MUSTCHECK dl_status dl_job_cancel(struct dl_wh *wh, const char *id,
                                     dl_time now, dl_error *err);

#endif
