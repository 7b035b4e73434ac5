/* dlc_schedule.c - The clock of schedules, and the runs themselves.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_schedule.h"

#include <stdio.h>
#include <string.h>

#include "dl_calendar.h"
#include "dl_json_values.h"
#include "dl_log.h"
#include "dl_schedule.h"
#include "dl_zone.h"
#include "dlc_compact.h"
#include "dlc_reconcile_run.h"
#include "dlc_retention.h"

/* Schedules that are looked after. */
#define SCHEDULES 64

/* --- When ----------------------------------------------------------------- */

/* Set *NEXT to when SCHEDULE is due behind NOW. */
static dl_status next_of(dl_time *next, const dl_schedule *schedule,
                         dl_time now, dl_error *err, apr_pool_t *scratch_pool)
{
    const dl_zone *zone;
    dl_calendar calendar;

    if (!dl_calendar_parse(&calendar, schedule->calendar)) {
        return dl_fail(err, DL_INVALID, 0,
                       "schedule %s: \"%s\" is no calendar expression such as "
                       "*-*-* 02:00",
                       schedule->name, schedule->calendar);
    }
    DL_TRY(dl_zone_load(&zone, schedule->time_zone, err, scratch_pool));
    *next = dl_calendar_next(&calendar, zone, now);
    return DL_OK;
}

/* Let SCHEDULE be due at NEXT and start the run that was due, one of both or
 * none. */
static dl_status start_due(dl_wh *wh, const dl_schedule *schedule, dl_time next,
                           dl_time now, dl_error *err)
{
    char job_id[DL_JOB_ID];
    dl_schedule_call call = {.name = schedule->name,
                             .trigger = "calendar",
                             .job_id = job_id,
                             .now = now};
    dl_status status;

    dl_token_new_id(job_id);
    DL_TRY(dl_wh_begin(wh, err));
    status = dl_schedule_move(wh, schedule, next, err);
    if (status == DL_OK && schedule->next_run != DL_TIME_NONE) {
        status = dl_schedule_start(wh, &call, err);
        if (status == DL_BUSY) {
            dl_log(DL_LOG_WARNING,
                   "DL0854 jobs: schedule %s is due, but its "
                   "last run is under way: left out",
                   schedule->name);
            status = DL_OK;
        }
    }
    if (status == DL_OK) {
        return dl_wh_commit(wh, err);
    }
    dl_wh_rollback(wh);
    return status == DL_CONFLICT ? DL_OK : status;
}

static dl_status look_after(dl_wh *wh, const dl_schedule *schedule, dl_time now,
                            dl_error *err, apr_pool_t *scratch_pool)
{
    dl_time next = DL_TIME_NONE;

    if (!schedule->enabled ||
        (schedule->next_run != DL_TIME_NONE && schedule->next_run > now)) {
        return DL_OK;
    }
    DL_TRY(next_of(&next, schedule, now, err, scratch_pool));
    return start_due(wh, schedule, next, now, err);
}

dl_status dlc_schedule_tick(dl_wh *wh, const dl_config *cfg, dl_error *err,
                            apr_pool_t *scratch_pool)
{
    dl_schedule *schedules =
        apr_palloc(scratch_pool, SCHEDULES * sizeof *schedules);
    dl_time now = dl_time_now();
    int n;
    int i;

    (void)cfg;
    DL_TRY(dl_schedule_sweep(wh, err));
    DL_TRY(dl_schedule_list(schedules, &n, SCHEDULES, wh, "", err));
    for (i = 0; i < n; i++) {
        dl_status status =
            look_after(wh, &schedules[i], now, err, scratch_pool);

        if (status == DL_INVALID || status == DL_NOT_FOUND) {
            dl_log(DL_LOG_ERROR, "DL0855 jobs: %s", err->text);
            status = dl_schedule_move(wh, &schedules[i], now + DL_DAY_US, err);
        }
        if (status != DL_OK && status != DL_CONFLICT) {
            return status;
        }
    }
    return DL_OK;
}

/* --- What ----------------------------------------------------------------- */

/* Return the schedule that PARAMETERS name, "" when they name none. */
static const char *name_of(const char *parameters, apr_pool_t *scratch_pool)
{
    dl_json_values all;
    uint32_t at;

    if (dl_json_values_read(&all, parameters, strlen(parameters),
                            scratch_pool) != DL_JSON_FINE) {
        return "";
    }
    at = dl_json_values_member(&all, 0, "name");
    return at != 0 && all.values[at].text != NULL ? all.values[at].text : "";
}

dl_status dlc_schedule_run(dlc_work *work, dlc_work_outcome *outcome,
                           dl_error *err, apr_pool_t *scratch_pool)
{
    static const struct {
        const char *name;
        dlc_work_run *run;
    } runs[] = {{"compact", dlc_compact_run},
                {"reconcile", dlc_reconcile_run},
                {"retention", dlc_retention_run},
                {"inactive-accounts", dlc_inactive_run}};
    const char *name = name_of(dlc_work_claim(work)->parameters, scratch_pool);
    size_t i;

    for (i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        if (strcmp(name, runs[i].name) == 0) {
            DL_TRY(runs[i].run(work, outcome, err, scratch_pool));
            outcome->finished = !dlc_work_ends(work);
            return DL_OK;
        }
    }
    outcome->code = "unknown-schedule";
    return dl_fail(err, DL_UNSUPPORTED, 0,
                   "this program does not know the schedule \"%.64s\"", name);
}

dl_status dlc_schedule_ended(dl_wh *wh, const dl_job_claim *claim,
                             const dl_job_end *end, dl_time now, dl_error *err)
{
    bool succeeded = strcmp(end->state, "succeeded") == 0;
    const char *detail = end->detail != NULL ? end->detail : end->state;

    return dl_schedule_end(wh, claim->id, succeeded, detail, now, err);
}
