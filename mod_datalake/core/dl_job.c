/* dl_job.c - Asking for jobs and reading them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_job.h"

#include "dl_statements.h"
#include "dl_wh.h"

/* Later than any job (9999-12-31), and behind any id. */
#define FOREVER INT64_C(253402214400000000)
#define LAST_ID "~"

/* Columns of every statement that reads jobs. */
enum job_column {
    COLUMN_ID,
    COLUMN_KIND,
    COLUMN_STATE,
    COLUMN_DONE,
    COLUMN_TOTAL,
    COLUMN_CREATED_BY,
    COLUMN_CREATED_AT,
    COLUMN_STARTED_AT,
    COLUMN_FINISHED_AT,
    COLUMN_PARAMETERS,
    COLUMN_RESULT,
    COLUMN_ERROR_CODE,
    COLUMN_ERROR_DETAIL,
    COLUMN_USER_ID,
    COLUMN_CANCEL_ASKED
};

/* The text of column COLUMN, NULL when it is NULL. */
static const char *text_of(const dl_wh_stmt *st, unsigned column)
{
    return dl_wh_is_null(st, column) ? NULL : dl_wh_text(st, column, NULL);
}

static void read_job(dl_job *job, const dl_wh_stmt *st)
{
    job->id = text_of(st, COLUMN_ID);
    job->kind = text_of(st, COLUMN_KIND);
    job->state = text_of(st, COLUMN_STATE);
    job->done = dl_wh_int(st, COLUMN_DONE);
    job->total =
        dl_wh_is_null(st, COLUMN_TOTAL) ? -1 : dl_wh_int(st, COLUMN_TOTAL);
    job->created_by = text_of(st, COLUMN_CREATED_BY);
    job->user_id = dl_wh_int(st, COLUMN_USER_ID);
    job->created_at = dl_wh_time(st, COLUMN_CREATED_AT);
    job->started_at = dl_wh_time(st, COLUMN_STARTED_AT);
    job->finished_at = dl_wh_time(st, COLUMN_FINISHED_AT);
    job->parameters = text_of(st, COLUMN_PARAMETERS);
    /* Until then it is what a later attempt has to know. */
    job->result =
        job->finished_at != DL_TIME_NONE ? text_of(st, COLUMN_RESULT) : NULL;
    job->error_code = text_of(st, COLUMN_ERROR_CODE);
    job->error_detail = text_of(st, COLUMN_ERROR_DETAIL);
    job->cancel_asked = dl_wh_int(st, COLUMN_CANCEL_ASKED) != 0;
}

/* Run ST and call EACH with its rows; set *N to how many there were. */
static dl_status read_jobs(int *n, dl_wh_stmt *st, dl_job_each *each,
                           void *context, dl_error *err)
{
    bool more = false;
    dl_job job;

    *n = 0;
    DL_TRY(dl_wh_run(st, err));
    for (;;) {
        DL_TRY(dl_wh_fetch(&more, st, err));
        if (!more) {
            return DL_OK;
        }
        read_job(&job, st);
        ++*n;
        DL_TRY(each(context, &job, err));
    }
}

dl_status dl_job_list(dl_wh *wh, const dl_job_query *query, dl_job_each *each,
                      void *context, dl_error *err)
{
    dl_wh_stmt *st;
    int n;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_JOB_LIST, err));
    dl_wh_bind_int(st, 0, query->user_id);
    dl_wh_bind_str(st, 1, query->after);
    dl_wh_bind_int(st, 2, query->max);
    return read_jobs(&n, st, each, context, err);
}

dl_status dl_job_read(dl_wh *wh, const dl_job_page *page, dl_job_each *each,
                      void *context, dl_error *err)
{
    bool first = page->before == DL_TIME_NONE;
    dl_time before = first ? FOREVER : page->before;
    dl_wh_stmt *st;
    unsigned at = 0;
    int n;

    DL_TRY(dl_wh_prepare(
        &st, wh, page->user_id != 0 ? STMT_JOB_PAGE_OWN : STMT_JOB_PAGE_ALL,
        err));
    if (page->user_id != 0) {
        dl_wh_bind_int(st, at++, page->user_id);
    }
    dl_wh_bind_str(st, at++, page->kind);
    dl_wh_bind_str(st, at++, page->kind);
    dl_wh_bind_str(st, at++, page->state);
    dl_wh_bind_str(st, at++, page->state);
    dl_wh_bind_time(st, at++, before);
    dl_wh_bind_time(st, at++, before);
    dl_wh_bind_str(st, at++, first ? LAST_ID : page->before_id);
    dl_wh_bind_int(st, at, page->max);
    return read_jobs(&n, st, each, context, err);
}

dl_status dl_job_find(dl_wh *wh, const char *id, dl_job_each *each,
                      void *context, dl_error *err)
{
    dl_wh_stmt *st;
    int n;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_JOB_FIND, err));
    dl_wh_bind_str(st, 0, id);
    DL_TRY(read_jobs(&n, st, each, context, err));
    return n > 0 ? DL_OK
                 : dl_fail(err, DL_NOT_FOUND, 0, "there is no such job");
}

dl_status dl_job_add(dl_wh *wh, const dl_job_new *job, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_JOB_ADD, err));
    dl_wh_bind_str(st, 0, job->id);
    dl_wh_bind_str(st, 1, job->kind);
    dl_wh_bind_null(st, 2);
    if (job->user_id != 0) {
        dl_wh_bind_int(st, 2, job->user_id);
    }
    dl_wh_bind_time(st, 3, job->created_at);
    dl_wh_bind_time(st, 4, job->not_before);
    dl_wh_bind_str(st, 5, job->parameters);
    return dl_wh_run(st, err);
}

dl_status dl_job_add_alone(char running[DL_JOB_ID], dl_wh *wh,
                           const dl_job_new *job, dl_error *err)
{
    dl_wh_stmt *st;
    bool more = false;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_JOB_GATE, err));
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    dl_wh_finish(st);
    DL_TRY(dl_wh_prepare(&st, wh, STMT_JOB_UNDER_WAY, err));
    dl_wh_bind_str(st, 0, job->kind);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    if (!more) {
        dl_wh_finish(st);
        return dl_job_add(wh, job, err);
    }
    DL_TRY(dl_wh_copy_text(running, DL_JOB_ID, st, 0, err));
    dl_wh_finish(st);
    return dl_fail(err, DL_BUSY, 0, "job %s is under way", running);
}

dl_status dl_job_count(int64_t *n, dl_wh *wh, const char *kind, dl_error *err)
{
    dl_wh_stmt *st;
    bool more = false;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_JOB_COUNT, err));
    dl_wh_bind_str(st, 0, kind);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    *n = more ? dl_wh_int(st, 0) : 0;
    dl_wh_finish(st);
    return DL_OK;
}

dl_status dl_job_cancel(dl_wh *wh, const char *id, dl_time now, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_JOB_CANCEL, err));
    dl_wh_bind_time(st, 0, now);
    dl_wh_bind_str(st, 1, id);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_prepare(&st, wh, STMT_JOB_ASK_CANCEL, err));
    dl_wh_bind_str(st, 0, id);
    return dl_wh_run(st, err);
}
