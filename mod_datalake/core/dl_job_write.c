/* dl_job_write.c - Jobs, schedules and runs as JSON objects.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_job_write.h"

#include <string.h>

/* Write the member NAME with the JSON text VALUE, or null. */
static void write_json(dl_json_writer *w, const char *name, const char *value)
{
    dl_json_write_key(w, name);
    if (value == NULL) {
        dl_json_write_null(w);
        return;
    }
    dl_json_write_raw(w, value, strlen(value));
}

static void write_progress(dl_json_writer *w, const dl_job *job)
{
    dl_json_write_key(w, "progress");
    dl_json_write_object_begin(w);
    dl_json_write_int_member(w, "done", job->done);
    dl_json_write_key(w, "total");
    if (job->total < 0) {
        dl_json_write_null(w);
    }
    else {
        dl_json_write_int(w, job->total);
    }
    dl_json_write_object_end(w);
}

static void write_error(dl_json_writer *w, const dl_job *job)
{
    dl_json_write_key(w, "error");
    if (job->error_code == NULL) {
        dl_json_write_null(w);
        return;
    }
    dl_json_write_object_begin(w);
    dl_json_write_text_member(w, "code", job->error_code);
    dl_json_write_text_member(w, "detail", job->error_detail);
    dl_json_write_object_end(w);
}

void dl_job_write(dl_json_writer *w, const dl_job *job)
{
    dl_json_write_object_begin(w);
    dl_json_write_text_member(w, "id", job->id);
    dl_json_write_text_member(w, "kind", job->kind);
    dl_json_write_text_member(w, "state", job->state);
    write_progress(w, job);
    dl_json_write_text_member(w, "created_by", job->created_by);
    dl_json_write_time_member(w, "created_at", job->created_at);
    dl_json_write_time_member(w, "started_at", job->started_at);
    dl_json_write_time_member(w, "finished_at", job->finished_at);
    write_json(w, "parameters", job->parameters);
    write_json(w, "result", job->result);
    write_error(w, job);
    dl_json_write_object_end(w);
}

static void write_run(dl_json_writer *w, const dl_schedule_run *run)
{
    dl_json_write_object_begin(w);
    dl_json_write_int_member(w, "run_id", run->run_id);
    dl_json_write_text_member(w, "state", run->state);
    dl_json_write_text_member(w, "trigger", run->trigger);
    dl_json_write_time_member(w, "started_at", run->started_at);
    dl_json_write_time_member(w, "finished_at", run->finished_at);
    dl_json_write_text_member(w, "detail",
                              run->detail[0] != '\0' ? run->detail : NULL);
    dl_json_write_text_member(w, "job_id",
                              run->job_id[0] != '\0' ? run->job_id : NULL);
    dl_json_write_object_end(w);
}

void dl_schedule_write(dl_json_writer *w, const dl_schedule *schedule,
                       const dl_schedule_run *runs, int n)
{
    int i;

    dl_json_write_object_begin(w);
    dl_json_write_text_member(w, "name", schedule->name);
    dl_json_write_text_member(w, "calendar", schedule->calendar);
    dl_json_write_text_member(w, "time_zone", schedule->time_zone);
    dl_json_write_key(w, "enabled");
    dl_json_write_bool(w, schedule->enabled);
    dl_json_write_key(w, "next_run");
    dl_json_write_time(w,
                       schedule->enabled ? schedule->next_run : DL_TIME_NONE);
    dl_json_write_key(w, "runs");
    dl_json_write_array_begin(w);
    for (i = 0; i < n; i++) {
        write_run(w, &runs[i]);
    }
    dl_json_write_array_end(w);
    dl_json_write_object_end(w);
}
