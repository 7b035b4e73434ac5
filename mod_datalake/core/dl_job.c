/* dl_job.c - Jobs of an account, page by page.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_job.h"

#include "dl_statements.h"
#include "dl_wh.h"

/* Columns of STMT_JOB_LIST. */
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
    COLUMN_ERROR_DETAIL
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
    job->created_at = dl_wh_time(st, COLUMN_CREATED_AT);
    job->started_at = dl_wh_time(st, COLUMN_STARTED_AT);
    job->finished_at = dl_wh_time(st, COLUMN_FINISHED_AT);
    job->parameters = text_of(st, COLUMN_PARAMETERS);
    job->result = text_of(st, COLUMN_RESULT);
    job->error_code = text_of(st, COLUMN_ERROR_CODE);
    job->error_detail = text_of(st, COLUMN_ERROR_DETAIL);
}

dl_status dl_job_list(dl_wh *wh, const dl_job_query *query, dl_job_each *each,
                      void *context, dl_error *err)
{
    dl_wh_stmt *st;
    bool more = false;
    dl_job job;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_JOB_LIST, err));
    dl_wh_bind_int(st, 0, query->user_id);
    dl_wh_bind_str(st, 1, query->after);
    dl_wh_bind_int(st, 2, query->max);
    DL_TRY(dl_wh_run(st, err));
    for (;;) {
        DL_TRY(dl_wh_fetch(&more, st, err));
        if (!more) {
            return DL_OK;
        }
        read_job(&job, st);
        DL_TRY(each(context, &job, err));
    }
}
