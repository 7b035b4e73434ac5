/* dl_schedule.c - Statements on schedules and their runs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_schedule.h"

#include <stdio.h>

#include "dl_statements.h"
#include "dl_wh.h"

#include <string.h>

#include <apr_strings.h>

/* Characters of names; the database would take "compact " for compact. */
#define NAME_CHARS "abcdefghijklmnopqrstuvwxyz0123456789-"

/* Columns of the statements that read schedules. */
enum schedule_column {
    COLUMN_NAME,
    COLUMN_CALENDAR,
    COLUMN_TIME_ZONE,
    COLUMN_ENABLED,
    COLUMN_NEXT_RUN
};

/* Columns of STMT_SCHEDULE_RUNS. */
enum run_column {
    COLUMN_RUN_ID,
    COLUMN_STATE,
    COLUMN_TRIGGER,
    COLUMN_STARTED_AT,
    COLUMN_FINISHED_AT,
    COLUMN_DETAIL,
    COLUMN_JOB_ID
};

static dl_status read_schedule(dl_schedule *out, const dl_wh_stmt *st,
                               dl_error *err)
{
    out->enabled = dl_wh_int(st, COLUMN_ENABLED) != 0;
    out->next_run = dl_wh_time(st, COLUMN_NEXT_RUN);
    DL_TRY(dl_wh_copy_text(out->name, sizeof out->name, st, COLUMN_NAME, err));
    DL_TRY(dl_wh_copy_text(out->calendar, sizeof out->calendar, st,
                           COLUMN_CALENDAR, err));
    return dl_wh_copy_text(out->time_zone, sizeof out->time_zone, st,
                           COLUMN_TIME_ZONE, err);
}

/* Run ST and fill up to MAX of SCHEDULES with its rows. */
static dl_status read_schedules(dl_schedule *schedules, int *n, int max,
                                dl_wh_stmt *st, dl_error *err)
{
    bool more = false;

    *n = 0;
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more && *n < max) {
        DL_TRY(read_schedule(&schedules[*n], st, err));
        ++*n;
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    dl_wh_finish(st);
    return DL_OK;
}

dl_status dl_schedule_list(dl_schedule *schedules, int *n, int max, dl_wh *wh,
                           const char *after, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_SCHEDULE_LIST, err));
    dl_wh_bind_str(st, 0, after);
    dl_wh_bind_int(st, 1, max);
    return read_schedules(schedules, n, max, st, err);
}

dl_status dl_schedule_find(dl_schedule *schedule, dl_wh *wh, const char *name,
                           dl_error *err)
{
    dl_wh_stmt *st;
    int n;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_SCHEDULE_FIND, err));
    dl_wh_bind_str(st, 0, name);
    DL_TRY(read_schedules(schedule, &n, 1, st, err));
    return n > 0 ? DL_OK
                 : dl_fail(err, DL_NOT_FOUND, 0, "there is no such schedule");
}

static dl_status read_run(dl_schedule_run *run, const dl_wh_stmt *st,
                          dl_error *err)
{
    run->run_id = dl_wh_int(st, COLUMN_RUN_ID);
    run->started_at = dl_wh_time(st, COLUMN_STARTED_AT);
    run->finished_at = dl_wh_time(st, COLUMN_FINISHED_AT);
    DL_TRY(
        dl_wh_copy_text(run->state, sizeof run->state, st, COLUMN_STATE, err));
    DL_TRY(dl_wh_copy_text(run->trigger, sizeof run->trigger, st,
                           COLUMN_TRIGGER, err));
    DL_TRY(dl_wh_copy_text(run->detail, sizeof run->detail, st, COLUMN_DETAIL,
                           err));
    return dl_wh_copy_text(run->job_id, sizeof run->job_id, st, COLUMN_JOB_ID,
                           err);
}

dl_status dl_schedule_runs(dl_schedule_run runs[DL_SCHEDULE_RUNS], int *n,
                           dl_wh *wh, const char *name, dl_error *err)
{
    dl_wh_stmt *st;
    bool more = false;

    *n = 0;
    DL_TRY(dl_wh_prepare(&st, wh, STMT_SCHEDULE_RUNS, err));
    dl_wh_bind_str(st, 0, name);
    dl_wh_bind_int(st, 1, DL_SCHEDULE_RUNS);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more && *n < DL_SCHEDULE_RUNS) {
        DL_TRY(read_run(&runs[*n], st, err));
        ++*n;
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    dl_wh_finish(st);
    return DL_OK;
}

/* Set *N to what ST, whose one parameter is NAME, counts; -1: it has no row. */
static dl_status count(int64_t *n, dl_wh_stmt *st, const char *name,
                       dl_error *err)
{
    bool more = false;

    dl_wh_bind_str(st, 0, name);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    *n = more ? dl_wh_int(st, 0) : -1;
    dl_wh_finish(st);
    return DL_OK;
}

/* Set *RUNS to whether a run of CALL's schedule is under way, and with it its
 * job. */
static dl_status find_running(bool *runs, dl_wh *wh, dl_schedule_call *call,
                              dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_SCHEDULE_RUNNING, err));
    dl_wh_bind_str(st, 0, call->name);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(runs, st, err));
    if (*runs) {
        apr_cpystrn(call->running, dl_wh_text(st, 1, NULL),
                    sizeof call->running);
    }
    dl_wh_finish(st);
    return DL_OK;
}

dl_status dl_schedule_start(dl_wh *wh, dl_schedule_call *call, dl_error *err)
{
    char parameters[DL_SCHEDULE_NAME_MAX + 32];
    dl_job_new job = {.id = call->job_id,
                      .kind = DL_SCHEDULE_KIND,
                      .user_id = call->user_id,
                      .created_at = call->now,
                      .not_before = DL_TIME_NONE,
                      .parameters = parameters};
    bool runs = false;
    dl_wh_stmt *st;
    int64_t n = -1;

    if (call->name[strspn(call->name, NAME_CHARS)] == '\0') {
        DL_TRY(dl_wh_prepare(&st, wh, STMT_SCHEDULE_LOCK, err));
        DL_TRY(count(&n, st, call->name, err));
    }
    if (n < 0) {
        return dl_fail(err, DL_NOT_FOUND, 0, "there is no such schedule");
    }
    DL_TRY(find_running(&runs, wh, call, err));
    if (runs) {
        return dl_fail(err, DL_BUSY, 0, "schedule %s is running", call->name);
    }
    snprintf(parameters, sizeof parameters, "{\"name\":\"%s\"}", call->name);
    DL_TRY(dl_job_add(wh, &job, err));
    DL_TRY(dl_wh_prepare(&st, wh, STMT_RUN_BEGIN, err));
    dl_wh_bind_str(st, 0, call->name);
    dl_wh_bind_str(st, 1, call->trigger);
    dl_wh_bind_time(st, 2, call->now);
    dl_wh_bind_str(st, 3, call->job_id);
    return dl_wh_run(st, err);
}

dl_status dl_schedule_move(dl_wh *wh, const dl_schedule *schedule, dl_time next,
                           dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_SCHEDULE_MOVE, err));
    dl_wh_bind_time(st, 0, next);
    dl_wh_bind_str(st, 1, schedule->name);
    dl_wh_bind_time(st, 2, schedule->next_run);
    dl_wh_bind_time(st, 3, schedule->next_run);
    DL_TRY(dl_wh_run(st, err));
    return dl_wh_affected(st) == 1
               ? DL_OK
               : dl_fail(err, DL_CONFLICT, 0, "schedule %s was changed",
                         schedule->name);
}

dl_status dl_schedule_end(dl_wh *wh, const char *job_id, bool succeeded,
                          const char *detail, dl_time now, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_RUN_END, err));
    dl_wh_bind_str(st, 0, succeeded ? "Succeeded" : "Failed");
    dl_wh_bind_time(st, 1, now);
    dl_wh_bind_str(st, 2, detail);
    dl_wh_bind_str(st, 3, job_id);
    return dl_wh_run(st, err);
}

dl_status dl_schedule_sweep(dl_wh *wh, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_RUN_CANCELLED, err));
    return dl_wh_run(st, err);
}
