/* dlc_retention.c - Removing what was kept for long enough.
 *
 * A day of the lake goes before the rows of its table, and rows go a thousand
 * at a time, each thousand in a transaction of its own: a run that is cut off
 * has done what it has done, and the next one goes on.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_retention.h"

#include "dl_lake.h"
#include "dl_lake_retention.h"
#include "dl_log.h"
#include "dl_statements.h"
#include "dlc_audit_retire.h"
#include "dlc_retention_rows.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <apr_strings.h>

/* How long jobs and dead letters are kept (contract 13). */
#define JOBS_KEPT_US    (INT64_C(30) * DL_DAY_US)
#define LETTERS_KEPT_US (INT64_C(90) * DL_DAY_US)

/* How long a compaction or a backup is waited for, in seconds. */
#define WAIT_S 60

static bool stops(const dlc_retention *run)
{
    return run->stop != NULL && run->stop(run->context);
}

static void tell(const dlc_retention *run, const char *what, const char *of,
                 uint64_t records)
{
    const dlc_retention_item item = {what, of, records};

    if (records > 0) {
        run->told(run->context, &item);
    }
}

/* --- The lake ------------------------------------------------------------- */

static void day_gone(void *context, const dl_lake_gone *gone)
{
    const dlc_retention *run = context;
    char of[DL_DAY_TEXT + 256];
    char day[DL_DAY_TEXT];

    dl_day_format(day, gone->day);
    snprintf(of, sizeof of, "%.220s/%s", gone->dataset, day);
    if (!run->dry_run) {
        dl_log(DL_LOG_INFO, "DL0890 %s: removed, %llu records", of,
               (unsigned long long)gone->records);
    }
    tell(run, "lake day", of, gone->records);
}

static dl_status lake_days(const dlc_retention *run, const char *dataset,
                           int64_t days, dl_error *err, apr_pool_t *pool)
{
    const struct timespec pause = {.tv_sec = 1};
    dlc_retention context = *run;
    const dl_lake_retiring job = {.root = run->cfg->lake.path,
                                  .dataset = dataset,
                                  .before =
                                      dl_time_day(run->now) - (dl_day)days,
                                  .dry_run = run->dry_run,
                                  .context = &context,
                                  .gone = day_gone};
    dl_status status = dl_lake_retire(&job, err, pool);

    for (int i = 0; status == DL_BUSY && i < WAIT_S && !stops(run); i++) {
        (void)nanosleep(&pause, NULL);
        status = dl_lake_retire(&job, err, pool);
    }
    return status;
}

/* Files of quarantine that are as old as dead letters may be. */
static dl_status lake_letters(const dlc_retention *run, dl_lake *lake,
                              const char *dataset, dl_error *err,
                              apr_pool_t *pool)
{
    dl_lake_gone_aside gone = {.before = run->now - LETTERS_KEPT_US,
                               .dry_run = run->dry_run};
    dl_status status = dl_lake_retire_aside(&gone, lake, dataset, err, pool);

    if (status == DL_OK && gone.files > 0) {
        if (!run->dry_run) {
            dl_log(DL_LOG_INFO,
                   "DL0899 %s: %llu files of quarantine removed, %llu records",
                   dataset, (unsigned long long)gone.files,
                   (unsigned long long)gone.records);
        }
        tell(run, "quarantine", dataset, gone.records);
    }
    return status == DL_NOT_FOUND ? DL_OK : status;
}

static dl_status lake_remove(const dlc_retention *run, dl_error *err,
                             apr_pool_t *pool)
{
    const char *const *names;
    dl_status first = DL_OK;
    dl_lake *lake;
    int n;

    DL_TRY(dl_lake_open(&lake, run->cfg->lake.path, err, pool));
    DL_TRY(dl_lake_datasets(&names, &n, lake, err, pool));
    for (int i = 0; i < n && !stops(run); i++) {
        int64_t days = dl_config_retention_days(run->cfg, names[i]);
        dl_error other = {.status = DL_OK};
        dl_status status =
            days > 0 ? lake_days(run, names[i], days, &other, pool) : DL_OK;

        if (status == DL_OK) {
            status = lake_letters(run, lake, names[i], &other, pool);
        }
        if (status != DL_OK) {
            dl_log(DL_LOG_WARNING, "DL0891 %s: retention: %s", names[i],
                   other.text);
        }
        if (status != DL_OK && first == DL_OK) {
            first = status;
            *err = other;
        }
    }
    return first;
}

/* --- Tables of datasets --------------------------------------------------- */

static dl_status tables_remove(const dlc_retention *run, dl_error *err,
                               apr_pool_t *pool)
{
    for (int i = 0; i < run->set->n && !stops(run); i++) {
        const dl_dataset *ds = run->set->datasets[i];
        int64_t days = dl_config_retention_days(run->cfg, ds->name);
        dlc_retention_rows rows = {.wh = run->wh, .dataset = ds};
        uint64_t gone = 0;

        if (days == 0 || ds->table == NULL ||
            dlc_retention_rows_time(ds) == NULL) {
            continue;
        }
        rows.before = dl_day_start(dl_time_day(run->now) - (dl_day)days);
        rows.context = run->context;
        rows.stop = run->stop;
        DL_TRY(run->dry_run
                   ? dlc_retention_rows_count(&gone, &rows, err, pool)
                   : dlc_retention_rows_remove(&gone, &rows, err, pool));
        tell(run, "rows", ds->table, gone);
    }
    return DL_OK;
}

/* --- What goes by age ----------------------------------------------------- */

/* A table whose rows go by one time. */
typedef struct aged {
    const char *what;   /* as it is told */
    const char *remove; /* a thousand rows before the parameter */
    const char *count;  /* how many there are */
} aged;

static dl_status aged_count(uint64_t *n, dl_wh *wh, const aged *rule,
                            dl_time before, dl_error *err)
{
    dl_wh_stmt *st;
    bool more;

    DL_TRY(dl_wh_prepare(&st, wh, rule->count, err));
    dl_wh_bind_time(st, 0, before);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    *n = more ? (uint64_t)dl_wh_int(st, 0) : 0;
    dl_wh_finish(st);
    return DL_OK;
}

static dl_status aged_remove(uint64_t *n, const dlc_retention *run,
                             const aged *rule, dl_time before, dl_error *err)
{
    uint64_t now_removed;
    dl_wh_stmt *st;

    do {
        DL_TRY(dl_wh_prepare(&st, run->wh, rule->remove, err));
        dl_wh_bind_time(st, 0, before);
        DL_TRY(dl_wh_run(st, err));
        now_removed = dl_wh_affected(st);
        *n += now_removed;
    } while (now_removed > 0 && !stops(run));
    return DL_OK;
}

/* Audit files: the web server removes them; what the warehouse remembers of
 * those that are gone goes here. */
static dl_status audit_files(const dlc_retention *run, dl_error *err,
                             apr_pool_t *pool)
{
    const dl_time before = run->now - run->cfg->retention.audit * DL_DAY_US;
    uint64_t n = 0;

    if (run->cfg->retention.audit == 0) {
        return DL_OK;
    }
    DL_TRY(run->dry_run
               ? dlc_audit_old_files(&n, run->cfg, before, err, pool)
               : dlc_audit_forget(&n, run->wh, run->cfg, before, err, pool));
    tell(run, run->dry_run ? "audit files" : "audit heads", "", n);
    return DL_OK;
}

static dl_status aged_rows(const dlc_retention *run, dl_error *err)
{
    static const aged jobs = {"jobs", STMT_JOB_FORGET, STMT_RETIRE_JOBS};
    static const aged letters = {"dead letters", STMT_RETIRE_LETTERS,
                                 STMT_RETIRE_LETTERS_COUNT};
    static const aged audit = {"audit entries", STMT_RETIRE_AUDIT,
                               STMT_RETIRE_AUDIT_COUNT};
    static const aged keys = {"kept answers", STMT_IDEMPOTENCY_FORGET,
                              STMT_RETIRE_KEYS_COUNT};
    const int64_t audit_days = run->cfg->retention.audit;
    const struct {
        const aged *rule; /* which table */
        dl_time before;   /* DL_TIME_NONE: nothing */
    } all[] = {{&jobs, run->now - JOBS_KEPT_US},
               {&letters, run->now - LETTERS_KEPT_US},
               {&audit, audit_days > 0 ? run->now - audit_days * DL_DAY_US
                                       : DL_TIME_NONE},
               {&keys, run->now}};

    for (size_t i = 0; i < sizeof all / sizeof all[0] && !stops(run); i++) {
        uint64_t n = 0;

        if (all[i].before == DL_TIME_NONE) {
            continue;
        }
        DL_TRY(run->dry_run
                   ? aged_count(&n, run->wh, all[i].rule, all[i].before, err)
                   : aged_remove(&n, run, all[i].rule, all[i].before, err));
        tell(run, all[i].rule->what, "", n);
    }
    return DL_OK;
}

/* --- All ------------------------------------------------------------------ */

dl_status dlc_retention_remove(const dlc_retention *run, dl_error *err,
                               apr_pool_t *scratch_pool)
{
    dl_error of_lake = {.status = DL_OK};
    dl_status lake = lake_remove(run, &of_lake, scratch_pool);

    DL_TRY(tables_remove(run, err, scratch_pool));
    DL_TRY(aged_rows(run, err));
    DL_TRY(audit_files(run, err, scratch_pool));
    if (lake != DL_OK) {
        *err = of_lake;
    }
    return lake;
}
