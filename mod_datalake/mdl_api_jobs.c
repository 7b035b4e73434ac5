/* mdl_api_jobs.c - GET /api/jobs/, GET and DELETE /api/jobs/{id}/: what long
 * work there is, and the end of it.
 *
 * An account sees its own jobs, role admin all of them; another one's job is
 * not there.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "dl_job_write.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_http.h"
#include "mdl_list.h"
#include "mdl_page.h"
#include "mdl_problem.h"
#include "mdl_site.h"
#include "mdl_wh.h"

/* No answer is larger: 1,000 jobs whose parameters and results are short, and
 * one whose result is as long as its column. */
#define LIST_MAX ((size_t)32 * 1024 * 1024)
#define JOB_MAX  ((size_t)17 * 1024 * 1024)

enum {
    KIND,
    STATE,
    LIMIT,
    CURSOR
};

static const char *const kinds[] = {"repush-all", "train",       "redrive",
                                    "hubeau",     "weather-csv", "erase",
                                    "schedule",   NULL};

static const char *const states[] = {"queued", "running",   "succeeded",
                                     "failed", "cancelled", NULL};

const mdl_param mdl_api_jobs_params[] = {
    [KIND] = {.name = "kind",
              .type = MDL_PARAM_ENUM,
              .choices = kinds,
              .summary = "Only jobs that do this"},
    [STATE] = {.name = "state",
               .type = MDL_PARAM_ENUM,
               .choices = states,
               .summary = "Only jobs that are so far"},
    MDL_PAGE_LIMIT(LIMIT, "50"),
    MDL_PAGE_CURSOR(CURSOR),
    {.name = NULL}};

const mdl_param mdl_api_job_params[] = {{.name = "id",
                                         .type = MDL_PARAM_UUID,
                                         .in_path = true,
                                         .summary = "Id of the job"},
                                        {.name = NULL}};

/* The account whose jobs Q may see; 0: everybody's. */
static int64_t whose(const mdl_request *q)
{
    return q->identity.role == DL_ROLE_ADMIN ? 0 : q->identity.user_id;
}

/* --- The list ------------------------------------------------------------- */

/* One page. */
typedef struct job_list {
    mdl_list list;
    dl_job_page page; /* what is read: a job more than the page */
} job_list;

static dl_status write_row(void *context, const dl_job *job, dl_error *err)
{
    mdl_list *list = &((job_list *)context)->list;

    (void)err;
    if (mdl_list_takes(list)) {
        dl_job_write(&list->w, job);
        mdl_list_took(list, job->created_at, job->id);
    }
    return DL_OK;
}

static dl_status read_list(struct dl_wh *wh, void *context, dl_error *err)
{
    job_list *jobs = context;

    mdl_list_begin(&jobs->list, "jobs", LIST_MAX);
    return dl_job_read(wh, &jobs->page, write_row, jobs, err);
}

int mdl_api_jobs(mdl_request *q)
{
    job_list jobs = {
        .page = {.user_id = whose(q),
                 .kind = q->values[KIND].given ? q->values[KIND].text : "",
                 .state = q->values[STATE].given ? q->values[STATE].text : ""}};
    dl_job_page *page = &jobs.page;
    dl_error err;
    int status = mdl_list_open(
        &jobs.list, q,
        apr_psprintf(q->r->pool, "%" PRId64 "\x1f%s\x1f%s", q->identity.user_id,
                     page->kind, page->state),
        LIMIT, CURSOR);

    if (status != OK) {
        return status;
    }
    page->before = jobs.list.before;
    page->before_id = jobs.list.before_id;
    page->max = jobs.list.rows + 1;
    if (mdl_wh_read(q->site->wh, read_list, &jobs, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    return mdl_list_send(&jobs.list);
}

/* --- One job -------------------------------------------------------------- */

/* A job as it was found. */
typedef struct found_job {
    mdl_request *q;
    const char *id;   /* which */
    dl_buf *buf;      /* it, written */
    bool mine;        /* the caller may see it */
    bool cancellable; /* ... and it is neither over nor an erasure */
    bool asked;       /* its end was asked for */
} found_job;

static bool is_over(const dl_job *job)
{
    return strcmp(job->state, "queued") != 0 &&
           strcmp(job->state, "running") != 0;
}

static dl_status write_one(void *context, const dl_job *job, dl_error *err)
{
    found_job *found = context;
    int64_t user_id = whose(found->q);
    dl_json_writer w;

    found->mine = user_id == 0 || job->user_id == user_id;
    found->cancellable =
        found->mine && !is_over(job) && strcmp(job->kind, "erase") != 0;
    found->buf->len = 0;
    dl_json_writer_begin(&w, found->buf);
    dl_job_write(&w, job);
    return dl_json_writer_finish(&w, err);
}

static dl_status find_one(struct dl_wh *wh, void *context, dl_error *err)
{
    found_job *found = context;

    found->mine = false;
    return dl_job_find(wh, found->id, write_one, found, err);
}

static dl_status cancel_one(struct dl_wh *wh, void *context, dl_error *err)
{
    found_job *found = context;

    DL_TRY(find_one(wh, found, err));
    found->asked = found->cancellable;
    if (!found->asked) {
        return DL_OK;
    }
    DL_TRY(dl_job_cancel(wh, found->id, dl_time_now(), err));
    return find_one(wh, found, err);
}

/* Begin to look for the job that Q names. */
static found_job look_for(mdl_request *q)
{
    found_job found = {.q = q,
                       .id = q->values[0].canonical,
                       .buf = mdl_answer_buf(q, JOB_MAX)};

    return found;
}

/* Say what is wrong with FOUND after STATUS; OK: nothing. */
static int judge(const found_job *found, dl_status status, const dl_error *err)
{
    if (status == DL_NOT_FOUND || (status == DL_OK && !found->mine)) {
        return mdl_problem(found->q, MDL_PROBLEM_NOT_FOUND,
                           "There is no such job.");
    }
    return status == DL_OK ? OK : mdl_http_fail(found->q, MDL_WAREHOUSE, err);
}

int mdl_api_job(mdl_request *q)
{
    found_job found = look_for(q);
    dl_error err;
    int status =
        judge(&found, mdl_wh_read(q->site->wh, find_one, &found, &err), &err);

    return status == OK ? mdl_answer_state(q, found.buf) : status;
}

int mdl_api_job_cancel(mdl_request *q)
{
    found_job found = look_for(q);
    dl_error err;
    mdl_answer answer = {.status = HTTP_ACCEPTED};
    int status = judge(
        &found, mdl_wh_write(q->site->wh, cancel_one, &found, &err), &err);

    if (status != OK) {
        return status;
    }
    if (!found.asked) {
        return mdl_problem(q, MDL_PROBLEM_CONFLICT,
                           "The job is over, or an erasure, which nobody can "
                           "stop.");
    }
    answer.data = found.buf->data;
    answer.len = found.buf->len;
    return mdl_answer_send(q, &answer);
}
