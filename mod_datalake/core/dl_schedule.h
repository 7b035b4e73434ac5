/* dl_schedule.h - What is done again and again: tables schedule, pipeline_run.
 *
 * A schedule is a name, a calendar expression and a zone.  A run of it is a
 * job of kind "schedule" and a row that says how it went.  One run of a
 * schedule is under way at a time, whoever asks.
 *
 * Thread: the connection's, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_SCHEDULE_H
#define DL_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "dl_error.h"
#include "dl_job.h"
#include "dl_time.h"

struct dl_wh;

/* Longest name of a schedule. */
#define DL_SCHEDULE_NAME_MAX 64

/* Runs of a schedule that are shown. */
#define DL_SCHEDULE_RUNS 10

/* The kind of jobs that are runs of a schedule. */
#define DL_SCHEDULE_KIND "schedule"

/* One schedule. */
typedef struct dl_schedule {
    char name[DL_SCHEDULE_NAME_MAX + 1]; /* what is done */
    char calendar[101];                  /* when (dl_calendar.h) */
    char time_zone[65];                  /* by whose clocks */
    bool enabled;                        /* whether at all */
    dl_time next_run;                    /* DL_TIME_NONE: not known yet */
} dl_schedule;

/* One run. */
typedef struct dl_schedule_run {
    int64_t run_id;         /* its number */
    char state[12];         /* Succeeded, InProgress, Failed */
    char trigger[12];       /* calendar, api, ctl */
    dl_time started_at;     /* when it was asked for */
    dl_time finished_at;    /* DL_TIME_NONE: not yet */
    char detail[513];       /* what came of it; "": nothing to say */
    char job_id[DL_JOB_ID]; /* the job that does it; "": none */
} dl_schedule_run;

/* Fill up to MAX of SCHEDULES with those behind the name AFTER, by name; set
 * *N to how many. */
DL_MUSTCHECK dl_status dl_schedule_list(dl_schedule *schedules, int *n, int max,
                                        struct dl_wh *wh, const char *after,
                                        dl_error *err);

/* Fill *SCHEDULE with the one called NAME.  DL_NOT_FOUND: there is none. */
DL_MUSTCHECK dl_status dl_schedule_find(dl_schedule *schedule, struct dl_wh *wh,
                                        const char *name, dl_error *err);

/* Fill RUNS with the last runs of NAME, newest first; set *N to how many. */
DL_MUSTCHECK dl_status dl_schedule_runs(dl_schedule_run runs[DL_SCHEDULE_RUNS],
                                        int *n, struct dl_wh *wh,
                                        const char *name, dl_error *err);

/* A run that somebody asks for. */
typedef struct dl_schedule_call {
    const char *name;        /* of which schedule */
    const char *trigger;     /* "calendar", "api", "ctl" */
    const char *job_id;      /* id of the job, new */
    int64_t user_id;         /* account that asks; 0: the server */
    dl_time now;             /* when */
    char running[DL_JOB_ID]; /* set with DL_BUSY: the job in the way */
} dl_schedule_call;

/* Inside a transaction of the caller: queue the job of CALL and record its
 * run.  DL_NOT_FOUND: no such schedule; DL_BUSY: a run of it is under way. */
DL_MUSTCHECK dl_status dl_schedule_start(struct dl_wh *wh,
                                         dl_schedule_call *call, dl_error *err);

/* Let SCHEDULE be due at NEXT from now on.  DL_CONFLICT: another has changed
 * it meanwhile. */
DL_MUSTCHECK dl_status dl_schedule_move(struct dl_wh *wh,
                                        const dl_schedule *schedule,
                                        dl_time next, dl_error *err);

/* Record that the run of job JOB_ID is over: SUCCEEDED or not, with DETAIL. */
DL_MUSTCHECK dl_status dl_schedule_end(struct dl_wh *wh, const char *job_id,
                                       bool succeeded, const char *detail,
                                       dl_time now, dl_error *err);

/* Record the runs whose job was cancelled before it began. */
DL_MUSTCHECK dl_status dl_schedule_sweep(struct dl_wh *wh, dl_error *err);

#endif
