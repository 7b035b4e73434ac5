/* dl_job_work.c - Compare and set on a job's owner and attempt.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_job_work.h"

#include <string.h>

#include <apr_strings.h>

#include "dl_statements.h"
#include "dl_wh.h"

/* Jobs that are looked at in one turn. */
#define CANDIDATES 8

/* Columns of STMT_JOB_TAKEN. */
enum taken_column {
    COLUMN_ATTEMPT,
    COLUMN_USER_ID,
    COLUMN_DONE,
    COLUMN_TOTAL,
    COLUMN_PARAMETERS,
    COLUMN_STATE_TEXT,
    COLUMN_CANCEL_ASKED
};

/* A job that may be taken up. */
typedef struct candidate {
    char id[DL_JOB_ID];
    int64_t attempt;
} candidate;

/* Set FOUND to the N jobs that TAKER may take up. */
static dl_status find_waiting(candidate found[CANDIDATES], int *n, dl_wh *wh,
                              const dl_job_taker *taker, dl_error *err)
{
    dl_wh_stmt *st;
    bool more = false;

    *n = 0;
    DL_TRY(dl_wh_prepare(&st, wh, STMT_JOB_WAITING, err));
    dl_wh_bind_str(st, 0, taker->kind);
    dl_wh_bind_time(st, 1, taker->now);
    dl_wh_bind_time(st, 2, taker->now);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more && *n < CANDIDATES) {
        DL_TRY(dl_wh_copy_text(found[*n].id, DL_JOB_ID, st, 0, err));
        found[*n].attempt = dl_wh_int(st, 1);
        ++*n;
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    dl_wh_finish(st);
    return DL_OK;
}

/* Try to make the job of WANTED TAKER's; set *OURS to whether it is. */
static dl_status try_take(bool *ours, dl_wh *wh, const candidate *wanted,
                          const dl_job_taker *taker, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_JOB_TAKE, err));
    dl_wh_bind_str(st, 0, taker->owner);
    dl_wh_bind_time(st, 1, taker->now + DL_JOB_LEASE_US);
    dl_wh_bind_time(st, 2, taker->now);
    dl_wh_bind_str(st, 3, wanted->id);
    dl_wh_bind_int(st, 4, wanted->attempt);
    dl_wh_bind_time(st, 5, taker->now);
    DL_TRY(dl_wh_run(st, err));
    *ours = dl_wh_affected(st) == 1;
    return DL_OK;
}

/* Fill CLAIM, whose id and owner are set. */
static dl_status read_claim(dl_job_claim *claim, dl_wh *wh, dl_error *err,
                            apr_pool_t *result_pool)
{
    dl_wh_stmt *st;
    bool more = false;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_JOB_TAKEN, err));
    dl_wh_bind_str(st, 0, claim->id);
    dl_wh_bind_str(st, 1, claim->owner);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    if (!more) {
        return dl_fail(err, DL_NOT_FOUND, 0, "the job was taken again");
    }
    claim->attempt = dl_wh_int(st, COLUMN_ATTEMPT);
    claim->user_id = dl_wh_int(st, COLUMN_USER_ID);
    claim->done = dl_wh_int(st, COLUMN_DONE);
    claim->total = dl_wh_int(st, COLUMN_TOTAL);
    claim->parameters =
        apr_pstrdup(result_pool, dl_wh_text(st, COLUMN_PARAMETERS, NULL));
    claim->state_text =
        dl_wh_is_null(st, COLUMN_STATE_TEXT)
            ? NULL
            : apr_pstrdup(result_pool, dl_wh_text(st, COLUMN_STATE_TEXT, NULL));
    claim->cancelled = dl_wh_int(st, COLUMN_CANCEL_ASKED) != 0;
    dl_wh_finish(st);
    return DL_OK;
}

dl_status dl_job_take(dl_job_claim *claim, dl_wh *wh, const dl_job_taker *taker,
                      dl_error *err, apr_pool_t *result_pool)
{
    candidate found[CANDIDATES];
    int n;
    int i;

    DL_TRY(find_waiting(found, &n, wh, taker, err));
    for (i = 0; i < n; i++) {
        bool ours;

        DL_TRY(try_take(&ours, wh, &found[i], taker, err));
        if (ours) {
            memset(claim, 0, sizeof *claim);
            memcpy(claim->id, found[i].id, sizeof claim->id);
            claim->kind = apr_pstrdup(result_pool, taker->kind);
            claim->owner = apr_pstrdup(result_pool, taker->owner);
            return read_claim(claim, wh, err, result_pool);
        }
    }
    return dl_fail(err, DL_NOT_FOUND, 0, "no job waits");
}

/* Bind CLAIM's id, owner and attempt from parameter AT on; run ST. */
static dl_status run_owned(dl_wh_stmt *st, unsigned at,
                           const dl_job_claim *claim, dl_error *err)
{
    dl_wh_bind_str(st, at, claim->id);
    dl_wh_bind_str(st, at + 1, claim->owner);
    dl_wh_bind_int(st, at + 2, claim->attempt);
    DL_TRY(dl_wh_run(st, err));
    if (dl_wh_affected(st) != 1) {
        return dl_fail(err, DL_CONFLICT, 0, "job %s is another's by now",
                       claim->id);
    }
    return DL_OK;
}

/* Bind parameter I of ST to TOTAL units of work, NULL when it is not known. */
static void bind_total(dl_wh_stmt *st, unsigned i, int64_t total)
{
    if (total < 0) {
        dl_wh_bind_null(st, i);
    }
    else {
        dl_wh_bind_int(st, i, total);
    }
}

dl_status dl_job_tell(bool *cancelled, dl_wh *wh, const dl_job_claim *claim,
                      const dl_job_progress *progress, dl_time now,
                      dl_error *err)
{
    dl_wh_stmt *st;
    bool more = false;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_JOB_TELL, err));
    dl_wh_bind_int(st, 0, progress->done);
    bind_total(st, 1, progress->total);
    dl_wh_bind_str(st, 2, progress->state_text);
    dl_wh_bind_time(st, 3, now + DL_JOB_LEASE_US);
    DL_TRY(run_owned(st, 4, claim, err));
    DL_TRY(dl_wh_prepare(&st, wh, STMT_JOB_ASKED, err));
    dl_wh_bind_str(st, 0, claim->id);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    *cancelled = more && dl_wh_int(st, 0) != 0;
    dl_wh_finish(st);
    return DL_OK;
}

dl_status dl_job_finish(dl_wh *wh, const dl_job_claim *claim,
                        const dl_job_end *end, dl_time now, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_JOB_FINISH, err));
    dl_wh_bind_str(st, 0, end->state);
    dl_wh_bind_time(st, 1, now);
    dl_wh_bind_int(st, 2, end->done);
    bind_total(st, 3, end->total);
    dl_wh_bind_str(st, 4, end->result);
    dl_wh_bind_str(st, 5, end->code);
    dl_wh_bind_str(st, 6, end->detail);
    return run_owned(st, 7, claim, err);
}

dl_status dl_job_give_back(dl_wh *wh, const dl_job_claim *claim, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_JOB_GIVE_BACK, err));
    return run_owned(st, 0, claim, err);
}
