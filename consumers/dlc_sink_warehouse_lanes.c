/* dlc_sink_warehouse_lanes.c - Connections that load beside each other.
 *
 * The server stores with one processor a connection, so a backlog is loaded by
 * two; when little comes one is enough, and half as many commits.  Lanes are
 * changed only while nothing waits and nothing is open, so that a partition's
 * transactions stay in order.
 *
 * Two transactions may want the same key (one id in two partitions).  The
 * second waits for the first, which may wait for us to end the batch, while
 * we wait for the second: hence the short lock wait of dlc_wh_fact.hurry, and
 * one lane for a minute after any failure.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_sink_warehouse.h"

#include <stdlib.h>

/* Rows of a batch that ask for all lanes, and for one. */
#define ROWS_MANY 20000
#define ROWS_FEW  2000

/* One lane for this long after a failure. */
#define SINGLE_US INT64_C(60000000)

dl_status dlc_warehouse_lanes_start(dlc_warehouse *w,
                                    dlc_wh_loader_options *with, dl_error *err)
{
    for (int i = 0; i < DLC_WH_LANES; i++) {
        dlc_wh_lane *lane = &w->lanes[i];

        lane->fact.cfg = w->cfg;
        if (apr_pool_create(&lane->fact.parent, NULL) != APR_SUCCESS) {
            abort();
        }
        with->fact = &lane->fact;
        DL_TRY(dlc_wh_loader_start(&lane->loader, with, err, w->pool));
    }
    w->n_lanes = DLC_WH_LANES; /* it may be a backlog that we begin with */
    for (int i = 0; i < DLC_WH_LANES; i++) {
        w->lanes[i].fact.hurry = true;
    }
    return DL_OK;
}

void dlc_warehouse_lanes_stop(dlc_warehouse *w)
{
    for (int i = 0; i < DLC_WH_LANES; i++) {
        if (w->lanes[i].loader != NULL) {
            dlc_wh_loader_stop(w->lanes[i].loader);
            dlc_wh_fact_abort(&w->lanes[i].fact);
            w->lanes[i].loader = NULL;
        }
    }
}

void dlc_warehouse_lanes_free(dlc_warehouse *w)
{
    for (int i = 0; i < DLC_WH_LANES; i++) {
        dlc_wh_fact_disconnect(&w->lanes[i].fact);
        dlc_wh_batch_destroy(w->lanes[i].batch);
        w->lanes[i].batch = NULL;
    }
    free(w->lanes[0].fact.tables); /* the others point to it */
}

dlc_wh_lane *dlc_warehouse_lane(dlc_warehouse *w, const dlc_wh_part *p)
{
    return &w->lanes[p->place.partition % w->n_lanes];
}

/* Use N lanes; nothing waits and nothing is open. */
static void lanes_use(dlc_warehouse *w, int n)
{
    for (int i = 0; i < DLC_WH_LANES; i++) {
        w->lanes[i].fact.hurry = n > 1;
        if (i >= n) {
            dlc_wh_fact_disconnect(&w->lanes[i].fact);
        }
    }
    w->n_lanes = n;
}

void dlc_warehouse_lanes_choose(dlc_warehouse *w, int64_t rows)
{
    int n = w->n_lanes;

    if (rows < ROWS_FEW || dl_time_monotonic_us() < w->single_us) {
        n = 1;
    }
    else if (rows >= ROWS_MANY) {
        n = DLC_WH_LANES;
    }
    if (n != w->n_lanes) {
        dlc_warehouse_lanes_wait(w);
        lanes_use(w, n);
    }
}

void dlc_warehouse_lanes_single(dlc_warehouse *w)
{
    w->single_us = dl_time_monotonic_us() + SINGLE_US;
    lanes_use(w, 1);
}

void dlc_warehouse_lanes_wait(dlc_warehouse *w)
{
    for (int i = 0; i < DLC_WH_LANES; i++) {
        dlc_wh_loader_wait(w->lanes[i].loader);
    }
}

void dlc_warehouse_lanes_wait_below(dlc_warehouse *w, size_t bytes)
{
    for (;;) {
        dlc_wh_loader *fullest = NULL;
        size_t all = 0;
        size_t most = 0;

        for (int i = 0; i < DLC_WH_LANES; i++) {
            size_t one = dlc_wh_loader_bytes(w->lanes[i].loader);

            all += one;
            if (one > most) {
                most = one;
                fullest = w->lanes[i].loader;
            }
        }
        if (all <= bytes || fullest == NULL) {
            return;
        }
        dlc_wh_loader_wait_below(fullest, most);
    }
}

int dlc_warehouse_lanes_batches(dlc_warehouse *w)
{
    int most = 0;

    for (int i = 0; i < DLC_WH_LANES; i++) {
        int n = dlc_wh_loader_batches(w->lanes[i].loader);

        most = n > most ? n : most;
    }
    return most;
}

size_t dlc_warehouse_lanes_spend(const dlc_warehouse *w)
{
    size_t bytes = 0;

    for (int i = 0; i < DLC_WH_LANES; i++) {
        bytes += dlc_spend_bytes(w->lanes[i].batch->spend);
    }
    return bytes;
}

dl_status dlc_warehouse_lanes_table(dlc_warehouse *w, const dlc_wh_table *table,
                                    dl_error *err)
{
    dlc_wh_fact *first = &w->lanes[0].fact;
    int n = first->n_tables;
    const dlc_wh_table **tables =
        realloc(first->tables, (size_t)(n + 1) * sizeof *tables);

    if (tables == NULL) {
        abort();
    }
    tables[n] = table;
    for (int i = 0; i < DLC_WH_LANES; i++) {
        w->lanes[i].fact.tables = tables;
        w->lanes[i].fact.n_tables = n + 1;
    }
    for (int i = 0; i < DLC_WH_LANES; i++) {
        dlc_wh_fact *fact = &w->lanes[i].fact;

        if (n == 0) {
            dlc_wh_fact_disconnect(fact); /* so that LOCAL is tried */
        }
        else if (fact->wh != NULL) {
            DL_TRY(dlc_wh_fact_stage(fact, table, err));
        }
    }
    return dlc_wh_fact_connect(first, err);
}
