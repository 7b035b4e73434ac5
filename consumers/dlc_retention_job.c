/* dlc_retention_job.c - Retention as schedules; accounts that nobody uses.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_retention.h"

#include "dl_identity_within.h"
#include "dl_log.h"
#include "dl_statements.h"
#include "dl_token.h"

#include <stdio.h>
#include <string.h>

/* Accounts that are looked at together. */
#define ACCOUNTS 100

/* --- Accounts ------------------------------------------------------------- */

/* Set IDS to the next accounts behind AFTER that nobody used since BEFORE. */
static dl_status find_unused(int64_t *ids, int *n, dl_wh *wh, dl_time before,
                             int64_t after, dl_error *err)
{
    dl_wh_stmt *st;
    bool more;

    *n = 0;
    DL_TRY(dl_wh_prepare(&st, wh, STMT_RETIRE_ACCOUNTS, err));
    dl_wh_bind_time(st, 0, before);
    dl_wh_bind_int(st, 1, after);
    dl_wh_bind_int(st, 2, ACCOUNTS);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more && *n < ACCOUNTS) {
        ids[(*n)++] = dl_wh_int(st, 0);
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    dl_wh_finish(st);
    return DL_OK;
}

/* Delete account ID softly; *DELETED: it was neither the last active admin nor
 * deleted meanwhile. */
static dl_status delete_one(bool *deleted, const dlc_retention *run, int64_t id,
                            dl_error *err)
{
    char job_id[DL_TOKEN_ID_MAX + 1];
    dl_identity_deletion deletion = {
        .now = run->now,
        .erase_after = run->now + run->cfg->erasure.grace_s * DL_SECOND_US,
        .job_id = job_id};
    dl_status status;

    dl_token_new_id(job_id);
    *deleted = false;
    DL_TRY(dl_wh_begin(run->wh, err));
    status = dl_identity_delete_within(run->wh, id, &deletion, err);
    if (status == DL_OK) {
        status = dl_wh_commit(run->wh, err);
        *deleted = status == DL_OK;
    }
    if (status != DL_OK) {
        dl_wh_rollback(run->wh);
    }
    return status == DL_CONFLICT ? DL_OK : status;
}

dl_status dlc_retention_accounts(const dlc_retention *run, dl_error *err,
                                 apr_pool_t *scratch_pool)
{
    const dl_time before =
        run->now - run->cfg->erasure.inactivity_s * DL_SECOND_US;
    dlc_retention_item item = {"inactive accounts", "", 0};
    int64_t ids[ACCOUNTS];
    int64_t after = 0;
    int n = ACCOUNTS;

    (void)scratch_pool;
    while (n == ACCOUNTS && (run->stop == NULL || !run->stop(run->context))) {
        DL_TRY(find_unused(ids, &n, run->wh, before, after, err));
        for (int i = 0; i < n; i++) {
            bool deleted = true;

            if (!run->dry_run) {
                DL_TRY(delete_one(&deleted, run, ids[i], err));
            }
            if (deleted && !run->dry_run) {
                dl_log(DL_LOG_INFO, "DL0892 account %lld: deleted, not used",
                       (long long)ids[i]);
            }
            item.records += deleted;
            after = ids[i];
        }
    }
    if (item.records > 0) {
        run->told(run->context, &item);
    }
    return DL_OK;
}

/* --- Schedules ------------------------------------------------------------ */

/* Sums of a run. */
typedef struct sums {
    dlc_work *work;    /* its job */
    uint64_t days;     /* of the lake */
    uint64_t records;  /* in them */
    uint64_t rows;     /* of tables of datasets */
    uint64_t others;   /* jobs, dead letters, audit entries, answers */
    uint64_t accounts; /* deleted */
} sums;

static bool stop(void *context)
{
    const sums *s = context;

    return dlc_work_ends(s->work);
}

static void told(void *context, const dlc_retention_item *item)
{
    sums *s = context;

    if (strcmp(item->what, "lake day") == 0) {
        s->days++;
        s->records += item->records;
    }
    else if (strcmp(item->what, "rows") == 0) {
        s->rows += item->records;
    }
    else if (strcmp(item->what, "inactive accounts") == 0) {
        s->accounts += item->records;
    }
    else {
        s->others += item->records;
    }
    dlc_work_tell(
        s->work, (int64_t)(s->records + s->rows + s->others + s->accounts), -1);
}

static dl_status prepare(dlc_retention *run, dl_dataset_set **set, sums *s,
                         dl_error *err, apr_pool_t *pool)
{
    run->cfg = dlc_work_config(s->work);
    run->now = dl_time_now();
    run->context = s;
    run->stop = stop;
    run->told = told;
    DL_TRY(dl_dataset_load_all(set, run->cfg, err, pool));
    run->set = *set;
    return dlc_work_wh(&run->wh, s->work, err);
}

dl_status dlc_retention_run(dlc_work *work, dlc_work_outcome *outcome,
                            dl_error *err, apr_pool_t *scratch_pool)
{
    sums s = {.work = work};
    dlc_retention run = {.dry_run = false};
    dl_dataset_set *set;

    DL_TRY(prepare(&run, &set, &s, err, scratch_pool));
    DL_TRY(dlc_retention_remove(&run, err, scratch_pool));
    snprintf(outcome->result, sizeof outcome->result,
             "{\"days\":%llu,\"records\":%llu,\"rows\":%llu,\"others\":%llu}",
             (unsigned long long)s.days, (unsigned long long)s.records,
             (unsigned long long)s.rows, (unsigned long long)s.others);
    snprintf(outcome->detail, sizeof outcome->detail,
             "%llu days of the lake, %llu rows and %llu others removed",
             (unsigned long long)s.days, (unsigned long long)s.rows,
             (unsigned long long)s.others);
    return DL_OK;
}

dl_status dlc_inactive_run(dlc_work *work, dlc_work_outcome *outcome,
                           dl_error *err, apr_pool_t *scratch_pool)
{
    sums s = {.work = work};
    dlc_retention run = {.dry_run = false};
    dl_dataset_set *set;

    DL_TRY(prepare(&run, &set, &s, err, scratch_pool));
    DL_TRY(dlc_retention_accounts(&run, err, scratch_pool));
    snprintf(outcome->result, sizeof outcome->result, "{\"accounts\":%llu}",
             (unsigned long long)s.accounts);
    snprintf(outcome->detail, sizeof outcome->detail, "%llu accounts deleted",
             (unsigned long long)s.accounts);
    return DL_OK;
}
