/* dlc_reconcile_run.c - All topics, one after another.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_reconcile_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dl_dataset.h"
#include "dl_log.h"
#include "dlc_broker.h"
#include "dlc_reconcile.h"

/* A run. */
typedef struct reconcile_all {
    dlc_work *work;            /* the job */
    const dl_dataset_set *set; /* what is compared */
    dlc_reconcile_ask ask;     /* of one of them */
    uint64_t records;          /* of the lake, in all that were compared */
    int n;                     /* topics compared */
    int wrong;                 /* in which something is */
    dl_error first;            /* what, in the first of them */
} reconcile_all;

static void note_wrong(reconcile_all *all, const dl_reconcile *r)
{
    dl_error what = {.status = DL_OK};

    (void)dl_fail(&what, DL_CORRUPT, 0,
                  "topic %s: %" PRIu64 " records are missing, %" PRIu64
                  " double, %" PRIu64 " refused by the warehouse",
                  r->ask.topic, r->missing, r->duplicate, r->ask.refused);
    dl_log(DL_LOG_ERROR, "DL0820 jobs: %s", what.text);
    if (all->wrong++ == 0) {
        all->first = what;
    }
}

/* Compare the topic of all->ask. */
static dl_status compare_one(reconcile_all *all, dl_error *err,
                             apr_pool_t *pool)
{
    dl_reconcile result;
    dl_status status = dlc_reconcile(&result, &all->ask, err, pool);

    if (status == DL_NOT_FOUND) {
        return DL_OK;
    }
    DL_TRY(status);
    all->n++;
    all->records += result.lake_records;
    if (!dl_reconcile_ok(&result)) {
        note_wrong(all, &result);
    }
    return DL_OK;
}

static dl_status compare_all(reconcile_all *all, dl_error *err,
                             apr_pool_t *pool)
{
    dl_status status = DL_OK;
    apr_pool_t *iterpool;
    int i;

    apr_pool_create(&iterpool, pool);
    for (i = 0; status == DL_OK && i < all->set->n && !dlc_work_ends(all->work);
         i++) {
        apr_pool_clear(iterpool);
        dlc_work_tell(all->work, i, all->set->n);
        all->ask.dataset = all->set->datasets[i];
        status = compare_one(all, err, iterpool);
    }
    apr_pool_destroy(iterpool);
    return status;
}

/* Open what is asked and compare. */
static dl_status compare(reconcile_all *all, const dl_config *cfg,
                         dl_error *err, apr_pool_t *pool)
{
    dl_dataset_set *set;
    dlc_broker *client;
    dl_broker broker;
    dl_status status;

    DL_TRY(dl_dataset_load_all(&set, cfg, err, pool));
    DL_TRY(dl_lake_open(&all->ask.lake, cfg->lake.path, err, pool));
    DL_TRY(dlc_work_wh(&all->ask.wh, all->work, err));
    DL_TRY(dlc_broker_open(&client, cfg, "datalake-jobs", err, pool));
    dlc_broker_questions(&broker, client);
    all->set = set;
    all->ask.broker = &broker;
    status = compare_all(all, err, pool);
    all->ask.broker = NULL;
    return status;
}

dl_status dlc_reconcile_run(dlc_work *work, dlc_work_outcome *outcome,
                            dl_error *err, apr_pool_t *scratch_pool)
{
    const dl_config *cfg = dlc_work_config(work);
    reconcile_all all = {.work = work, .ask = {.date = DL_DAY_NONE}};

    if (strncmp(cfg->kafka.brokers, "file:", 5) == 0) {
        snprintf(outcome->detail, sizeof outcome->detail,
                 "there is no broker to ask");
        return DL_OK;
    }
    DL_TRY(compare(&all, cfg, err, scratch_pool));
    if (all.wrong > 0) {
        outcome->code = "not-reconciled";
        return dl_fail(err, DL_CORRUPT, 0, "%s", all.first.text);
    }
    snprintf(outcome->detail, sizeof outcome->detail,
             "%d topics, %" PRIu64 " records, nothing missing", all.n,
             all.records);
    return DL_OK;
}
