/* mdl_api_schedules.c - GET /api/schedules/, POST /api/schedules/{name}/run:
 * what is done again and again, how it went, and one more run of it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "dl_job_write.h"
#include "dl_schedule.h"
#include "dl_token.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_body.h"
#include "mdl_http.h"
#include "mdl_job.h"
#include "mdl_page.h"
#include "mdl_problem.h"
#include "mdl_site.h"
#include "mdl_wh.h"

/* A schedule with its runs takes at most 8 KiB; 1,000 of them. */
#define LIST_MAX ((size_t)8 * 1024 * 1024)

enum {
    LIMIT,
    CURSOR
};

const mdl_param mdl_api_schedules_params[] = {
    MDL_PAGE_LIMIT(LIMIT, "50"), MDL_PAGE_CURSOR(CURSOR), {.name = NULL}};

/* --- The list ------------------------------------------------------------- */

/* One page. */
typedef struct schedule_list {
    mdl_request *q;
    mdl_cursor_binding binding; /* of this list's cursors */
    const char *after;          /* behind this name */
    dl_schedule *schedules;     /* room for one more than the page */
    int n;                      /* how many came */
    dl_buf *buf;                /* the answer */
    dl_json_writer w;           /* into it */
} schedule_list;

static dl_status write_schedule(dl_json_writer *w, struct dl_wh *wh,
                                const dl_schedule *schedule, dl_error *err)
{
    dl_schedule_run runs[DL_SCHEDULE_RUNS];
    int n;

    DL_TRY(dl_schedule_runs(runs, &n, wh, schedule->name, err));
    dl_schedule_write(w, schedule, runs, n);
    return DL_OK;
}

static dl_status read_list(struct dl_wh *wh, void *context, dl_error *err)
{
    schedule_list *list = context;
    int limit = (int)list->q->values[LIMIT].number;
    int i;

    DL_TRY(dl_schedule_list(list->schedules, &list->n, limit + 1, wh,
                            list->after, err));
    list->buf->len = 0;
    dl_json_writer_begin(&list->w, list->buf);
    dl_json_write_object_begin(&list->w);
    dl_json_write_key(&list->w, "schedules");
    dl_json_write_array_begin(&list->w);
    for (i = 0; i < list->n && i < limit; i++) {
        DL_TRY(write_schedule(&list->w, wh, &list->schedules[i], err));
    }
    dl_json_write_array_end(&list->w);
    return DL_OK;
}

int mdl_api_schedules(mdl_request *q)
{
    schedule_list list = {.q = q, .binding = {"/api/schedules/", NULL}};
    size_t limit = (size_t)q->values[LIMIT].number;
    const char *cursor = NULL;
    dl_error err;
    int status;

    list.binding.parameters = q->values[LIMIT].text;
    status = mdl_page_open(&list.after, q, &list.binding, CURSOR);
    if (status != OK) {
        return status;
    }
    if (list.after == NULL) {
        list.after = "";
    }
    list.buf = mdl_answer_buf(q, LIST_MAX);
    list.schedules =
        apr_palloc(q->r->pool, (limit + 1) * sizeof *list.schedules);
    if (mdl_wh_read(q->site->wh, read_list, &list, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    if ((size_t)list.n > limit) {
        cursor =
            mdl_page_next(q, &list.binding, list.schedules[limit - 1].name);
        mdl_answer_link_next(q, cursor);
    }
    dl_json_write_key(&list.w, "next_cursor");
    dl_json_write_text(&list.w, cursor);
    dl_json_write_object_end(&list.w);
    if (dl_json_writer_finish(&list.w, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_OURSELVES, &err);
    }
    return mdl_answer_buffer(q, list.buf);
}

/* --- A run ---------------------------------------------------------------- */

static const mdl_member run_members[] = {{.name = NULL}};

const mdl_body mdl_api_schedule_run_body = {.members = run_members,
                                            .media = MDL_MEDIA_JSON,
                                            .limit = MDL_BODY_SMALL,
                                            .repeatable = true,
                                            .optional = true};

static dl_status start_run(struct dl_wh *wh, void *context, dl_error *err)
{
    dl_schedule_call *call = context;

    call->now = dl_time_now();
    return dl_schedule_start(wh, call, err);
}

int mdl_api_schedule_run(mdl_request *q)
{
    char job_id[DL_JOB_ID];
    dl_schedule_call call = {.name = mdl_request_segment(q, "name"),
                             .trigger = "api",
                             .job_id = job_id,
                             .user_id = q->identity.user_id};
    dl_status status;
    dl_error err;

    dl_token_new_id(job_id);
    status = mdl_wh_write(q->site->wh, start_run, &call, &err);
    if (status == DL_NOT_FOUND) {
        return mdl_problem(q, MDL_PROBLEM_NOT_FOUND,
                           "There is no such schedule.");
    }
    if (status == DL_BUSY) {
        return mdl_job_in_the_way(q, call.running,
                                  "A run of this schedule is under way.");
    }
    if (status != DL_OK) {
        return mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    return mdl_job_queued(
        q, &(mdl_queued){.message = "Schedule started", .job_id = job_id});
}
