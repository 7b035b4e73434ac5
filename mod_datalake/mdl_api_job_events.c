/* mdl_api_job_events.c - GET /sse/jobs/{id}/: a job as it goes on.
 *
 * The job's row is looked at every half second, and sent when it has changed
 * and every five seconds.  While the warehouse is away comments take the place
 * of events.  The stream ends with the job.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <httpd.h>

#include "dl_job_write.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_events.h"
#include "mdl_http.h"
#include "mdl_problem.h"
#include "mdl_site.h"
#include "mdl_wh.h"

/* No job is larger: one whose result is as long as its column. */
#define JOB_MAX ((size_t)17 * 1024 * 1024)

/* An event is sent at least as often. */
#define EVERY_US (INT64_C(5) * DL_SECOND_US)

/* A job that is watched. */
typedef struct watched {
    mdl_request *q;  /* by whom */
    const char *id;  /* which */
    dl_buf *now;     /* it, written */
    dl_buf *sent;    /* as it was sent last */
    bool mine;       /* the caller may see it */
    bool over;       /* it has ended */
    int64_t sent_us; /* when something was sent */
} watched;

static dl_status take_job(void *context, const dl_job *job, dl_error *err)
{
    watched *w = context;
    dl_json_writer writer;

    w->mine = w->q->identity.role == DL_ROLE_ADMIN ||
              job->user_id == w->q->identity.user_id;
    w->over = job->finished_at != DL_TIME_NONE;
    w->now->len = 0;
    dl_json_writer_begin(&writer, w->now);
    dl_job_write(&writer, job);
    return dl_json_writer_finish(&writer, err);
}

static dl_status find_job(struct dl_wh *wh, void *context, dl_error *err)
{
    watched *w = context;

    w->mine = false;
    return dl_job_find(wh, w->id, take_job, w, err);
}

static bool has_changed(const watched *w)
{
    return w->now->len != w->sent->len ||
           memcmp(w->now->data, w->sent->data, w->now->len) != 0;
}

/* Send W as it is now. */
static dl_status send_job(mdl_events *events, watched *w, dl_error *err)
{
    dl_buf *sent = w->now;

    DL_TRY(mdl_events_send(events, "job", sent->data, sent->len, err));
    w->now = w->sent;
    w->sent = sent;
    w->sent_us = dl_time_monotonic_us();
    return DL_OK;
}

/* Look at the job again, tell what is to be told; whether the stream goes
 * on. */
static mdl_events_reason go_on(mdl_events *events, watched *w)
{
    bool due = dl_time_monotonic_us() - w->sent_us >= EVERY_US;
    dl_error err;
    dl_status status = mdl_wh_read(w->q->site->wh, find_job, w, &err);

    if (status == DL_NOT_FOUND || (status == DL_OK && !w->mine)) {
        return MDL_EVENTS_NO_ACCESS;
    }
    if (status != DL_OK) {
        status = due ? mdl_events_beat(events, &err) : DL_OK;
        w->sent_us = due ? dl_time_monotonic_us() : w->sent_us;
        return status == DL_OK ? MDL_EVENTS_GO_ON : MDL_EVENTS_GONE;
    }
    if ((due || has_changed(w)) && send_job(events, w, &err) != DL_OK) {
        return MDL_EVENTS_GONE;
    }
    return w->over ? MDL_EVENTS_DONE : MDL_EVENTS_GO_ON;
}

/* Tell W until it is over. */
static mdl_events_reason tell(mdl_events *events, watched *w)
{
    mdl_events_reason reason;
    dl_error err;

    if (send_job(events, w, &err) != DL_OK) {
        return MDL_EVENTS_GONE;
    }
    reason = w->over ? MDL_EVENTS_DONE : MDL_EVENTS_GO_ON;
    while (reason == MDL_EVENTS_GO_ON) {
        reason = mdl_events_wait(events);
        if (reason == MDL_EVENTS_GO_ON) {
            reason = go_on(events, w);
        }
    }
    return reason;
}

int mdl_api_job_events(mdl_request *q)
{
    watched w = {.q = q,
                 .id = q->values[0].canonical,
                 .now = mdl_answer_buf(q, JOB_MAX),
                 .sent = mdl_answer_buf(q, JOB_MAX)};
    mdl_events *events;
    dl_error err;
    dl_status found = mdl_wh_read(q->site->wh, find_job, &w, &err);
    int status;

    if (found == DL_NOT_FOUND || (found == DL_OK && !w.mine)) {
        return mdl_problem(q, MDL_PROBLEM_NOT_FOUND, "There is no such job.");
    }
    if (found != DL_OK) {
        return mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    status = mdl_events_begin(&events, q);
    return status == OK ? mdl_events_end(events, tell(events, &w)) : status;
}
