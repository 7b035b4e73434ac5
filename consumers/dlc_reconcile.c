/* dlc_reconcile.c - The warehouse's numbers, then the comparison.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_reconcile.h"

#include "dl_wh_sink.h"

/* Partitions of a topic that are compared. */
#define PARTITIONS 1024

/* Bytes for bits of offsets. */
#define MEMORY ((size_t)512 * 1024 * 1024)

/* Set in ASKED what the warehouse has of DS; room is taken from POOL. */
static dl_status ask_warehouse(dl_reconcile_ask *asked, dl_wh *wh,
                               const dl_wh_refusals *refusals, dl_error *err,
                               apr_pool_t *pool)
{
    dl_wh_progress *all = apr_palloc(pool, PARTITIONS * sizeof *all);
    dl_reconcile_next *next = apr_palloc(pool, PARTITIONS * sizeof *next);
    int i;

    DL_TRY(dl_wh_sink_progress(all, &asked->n_next, PARTITIONS, wh,
                               asked->topic, err));
    for (i = 0; i < asked->n_next; i++) {
        next[i] = (dl_reconcile_next){all[i].partition, all[i].generation,
                                      all[i].next};
    }
    asked->next = next;
    return dl_wh_sink_refused(&asked->refused, wh, refusals, err);
}

dl_status dlc_reconcile(dl_reconcile *result, const dlc_reconcile_ask *ask,
                        dl_error *err, apr_pool_t *result_pool)
{
    const dl_dataset *ds = ask->dataset;
    dl_reconcile_ask asked = {.topic = ds->topic,
                              .date = ask->date,
                              .has_warehouse = ds->table != NULL,
                              .gaps = UINT64_MAX,
                              .memory = MEMORY};
    dl_wh_refusals refusals = {.topic = ds->topic, .date = ask->date};
    dl_lake_snapshot *snap = NULL;
    dl_status status =
        dl_lake_snapshot_open(&snap, ask->lake, ds->name, err, result_pool);

    if (status == DL_OK) {
        refusals.generation = dl_lake_snapshot_totals(snap)->generation;
    }
    else if (status == DL_NOT_FOUND) {
        snap = NULL;
    }
    else {
        return status;
    }
    if (asked.has_warehouse) {
        DL_TRY(ask_warehouse(&asked, ask->wh, &refusals, err, result_pool));
    }
    return dl_reconcile_run(result, snap, ask->broker, &asked, err,
                            result_pool);
}
