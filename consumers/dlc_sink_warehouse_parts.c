/* dlc_sink_warehouse_parts.c - Partitions come, go and begin anew.
 *
 * Where a partition continues is the row of sink_offset, read at take() on
 * the first lane's connection while the loaders' threads are idle.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_sink_warehouse.h"

#include "dl_log.h"
#include "dl_statements.h"
#include "dl_wh_rows.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

static dlc_warehouse *wh_of(dlc_sink *sink)
{
    return (dlc_warehouse *)sink;
}

static void *array_grow(void *array, int n, size_t size)
{
    array = realloc(array, (size_t)(n + 1) * size);
    if (array == NULL) {
        abort();
    }
    return array;
}

static dlc_wh_known *known_find(dlc_warehouse *w, const dl_dataset *dataset)
{
    for (int i = 0; i < w->n_known; i++) {
        if (w->known[i].dataset == dataset) {
            return &w->known[i];
        }
    }
    return NULL;
}

static dl_status known_add(dlc_warehouse *w, const dl_dataset *dataset,
                           dl_error *err)
{
    dlc_wh_known k = {.dataset = dataset};

    if (dataset->table != NULL) {
        DL_TRY(dlc_wh_table_load(&k.table, w->lanes[0].fact.wh, dataset, err,
                                 w->pool));
        k.judge = dl_judge_create(dataset, w->pool);
        k.rows = dl_stats_slot(
            w->stats, DL_STATS_COUNTER, "datalake_warehouse_rows_total",
            apr_psprintf(w->pool, "table=\"%s\"", dataset->table));
        DL_TRY(dlc_warehouse_lanes_table(w, k.table, err));
        DL_TRY(dl_wh_rows_begin(w->lanes[0].fact.wh, dataset, err, w->pool));
    }
    w->known = array_grow(w->known, w->n_known, sizeof *w->known);
    w->known[w->n_known++] = k;
    return DL_OK;
}

dl_status dlc_warehouse_rates_load(dlc_warehouse *w, dl_error *err)
{
    dl_wh_rates *rates;

    if (w->rates != NULL) {
        return DL_OK;
    }
    dlc_warehouse_lanes_wait(w);
    DL_TRY(dlc_wh_fact_connect(&w->lanes[0].fact, err));
    apr_pool_clear(w->rates_pool);
    DL_TRY(dl_wh_rates_load(&rates, w->lanes[0].fact.wh,
                            w->cfg->warehouse.base_currency, err,
                            w->rates_pool));
    w->rates = rates;
    for (int i = 0; i < DLC_WH_LANES; i++) {
        w->lanes[i].fact.rates_revision = dl_wh_rates_loaded(rates);
    }
    return DL_OK;
}

/* Set where P stands from the row of sink_offset that ST stands on. */
static void part_read(dlc_wh_part *p, const dl_wh_stmt *st, const char *cluster)
{
    const char *known = dl_wh_text(st, 3, NULL);

    p->place.committed = dl_wh_int(st, 1);
    p->place.generation = (int32_t)dl_wh_int(st, 2);
    p->foreign = known[0] != '\0' && strcmp(known, cluster) != 0;
    apr_cpystrn(p->place.cluster, known, sizeof p->place.cluster);
}

static dl_status offsets_read(dlc_warehouse *w, dlc_wh_part *p,
                              const char *cluster, dl_error *err)
{
    dl_wh_stmt *st;
    bool more;

    apr_cpystrn(p->place.cluster, cluster, sizeof p->place.cluster);
    p->place.committed = -1;
    p->place.generation = 0;
    DL_TRY(dl_wh_prepare(&st, w->lanes[0].fact.wh, STMT_OFFSETS, err));
    dl_wh_bind_str(st, 0, "warehouse");
    dl_wh_bind_str(st, 1, p->place.topic);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more) {
        if (dl_wh_int(st, 0) == p->place.partition) {
            part_read(p, st, cluster);
        }
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    return DL_OK;
}

/* Tell the rollups that P is ours. */
static void rollup_take(dlc_warehouse *w, const dlc_wh_part *p)
{
    dlc_wh_end end = {p->place.table,
                      p->place.topic,
                      p->place.partition,
                      p->place.generation,
                      0,
                      p->place.committed};

    if (p->place.table != NULL && p->place.table->spend && !p->foreign) {
        dlc_wh_rollup_take(w->rollup, &end);
    }
}

/* Set *KNOWN to what is known of DATASET.  DL_NOT_FOUND: its table is not
 * there as declared, which is logged. */
static dl_status dataset_meet(const dlc_wh_known **known, dlc_warehouse *w,
                              const dl_dataset *dataset, dl_error *err)
{
    dl_status status;

    *known = known_find(w, dataset);
    if (*known != NULL) {
        return DL_OK;
    }
    status = known_add(w, dataset, err);
    if (status == DL_UNSUPPORTED && w->lanes[0].fact.wh != NULL &&
        !dl_wh_lost(w->lanes[0].fact.wh)) {
        dl_log(DL_LOG_ERROR, "DL0504 warehouse: %s", err->text);
        return DL_NOT_FOUND;
    }
    DL_TRY(status);
    *known = &w->known[w->n_known - 1];
    return DL_OK;
}

void dlc_sink_warehouse_refill(dlc_sink *sink)
{
    wh_of(sink)->refills = true;
}

/* DL_NOT_FOUND: the tables of DATASET wait for a rebuild, which is logged. */
static dl_status marks_look(dlc_warehouse *w, const dl_dataset *dataset,
                            dl_error *err)
{
    dl_wh_stmt *st;
    bool more;
    bool marked;

    if (w->refills || dataset->table == NULL) {
        return DL_OK;
    }
    DL_TRY(dl_wh_prepare(&st, w->lanes[0].fact.wh, STMT_REBUILD_OPEN, err));
    dl_wh_bind_str(st, 0, dataset->topic);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    marked = more && dl_wh_int(st, 0) > 0;
    dl_wh_finish(st);
    if (marked) {
        dl_log(DL_LOG_ERROR,
               "DL0505 warehouse: %s is not complete: a rebuild is under way, "
               "or was interrupted and has to be run again: datalakectl "
               "rebuild-warehouse --dataset %s",
               dataset->table, dataset->name);
        return DL_NOT_FOUND;
    }
    return DL_OK;
}

static dl_status part_take(dlc_warehouse *w, dlc_part *part,
                           const char *cluster, dl_error *err)
{
    dlc_wh_part *p = calloc(1, sizeof *p);
    const dlc_wh_known *k;
    dl_status status;

    if (p == NULL) {
        abort();
    }
    p->place.topic = part->topic;
    p->place.partition = part->partition;
    p->place.unknown = -1;
    p->first = -1;
    status = marks_look(w, part->dataset, err);
    if (status == DL_OK) {
        status = dataset_meet(&k, w, part->dataset, err);
    }
    if (status == DL_OK) {
        status = offsets_read(w, p, cluster, err);
    }
    if (status != DL_OK) {
        free(p);
        part->next = DLC_PART_CLOSED;
        return status == DL_NOT_FOUND ? DL_OK : status;
    }
    p->place.table = k->table;
    p->place.rows = k->rows;
    p->judge = k->judge;
    p->next = p->place.committed;
    part->generation = p->place.generation;
    part->next = p->foreign ? DLC_PART_FOREIGN : p->next;
    part->sink_data = p;
    w->parts = array_grow(w->parts, w->n_parts, sizeof(dlc_wh_part *));
    w->parts[w->n_parts++] = p;
    rollup_take(w, p);
    return DL_OK;
}

void dlc_warehouse_drop(dlc_sink *sink, dlc_part *const *parts, int n)
{
    dlc_warehouse *w = wh_of(sink);

    dlc_warehouse_lanes_wait(w);
    for (int i = 0; i < n; i++) {
        dlc_wh_part *p = parts[i]->sink_data;
        int at = 0;

        parts[i]->sink_data = NULL;
        while (at < w->n_parts && w->parts[at] != p) {
            at++;
        }
        if (p == NULL || at == w->n_parts) {
            continue;
        }
        dlc_wh_rollup_drop(w->rollup, p->place.topic, p->place.partition);
        w->parts[at] = w->parts[--w->n_parts];
        dlc_wh_chunk_destroy(p->chunk);
        free(p);
    }
    if (w->n_parts == 0) {
        dlc_warehouse_forget(sink); /* also a failure nobody has seen */
    }
}

dl_status dlc_warehouse_take(dlc_sink *sink, dlc_part *const *parts, int n,
                             const char *cluster, dl_error *err)
{
    dlc_warehouse *w = wh_of(sink);

    dlc_warehouse_lanes_wait(w);
    DL_TRY(dlc_warehouse_check(w, err));
    DL_TRY(dlc_wh_fact_connect(&w->lanes[0].fact, err));
    DL_TRY(dlc_warehouse_rates_load(w, err));
    for (int i = 0; i < n; i++) {
        dl_status status = part_take(w, parts[i], cluster, err);

        if (status != DL_OK) {
            dlc_warehouse_drop(sink, parts, i);
            return status;
        }
    }
    return DL_OK;
}

/* A dataset whose table does not fit its new declaration keeps the old. */
dl_status dlc_warehouse_reload(dlc_sink *sink, const dl_dataset_set *set,
                               dl_error *err)
{
    dlc_warehouse *w = wh_of(sink);

    dlc_warehouse_lanes_wait(w);
    DL_TRY(dlc_warehouse_check(w, err));
    DL_TRY(dlc_wh_fact_connect(&w->lanes[0].fact, err));
    for (int i = 0; i < w->n_parts; i++) {
        dlc_wh_part *p = w->parts[i];
        const dl_dataset *ds = dl_dataset_find_topic(set, p->place.topic);
        const dlc_wh_known *k;
        dl_status status;

        if (ds == NULL) {
            continue;
        }
        status = dataset_meet(&k, w, ds, err);
        if (status == DL_NOT_FOUND) {
            continue;
        }
        DL_TRY(status);
        p->place.table = k->table;
        p->place.rows = k->rows;
        p->judge = k->judge;
    }
    return DL_OK;
}

static dl_status row_renew(dlc_warehouse *w, const dlc_wh_part *p,
                           int32_t generation, const char *cluster,
                           dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, w->lanes[0].fact.wh, STMT_OFFSET_RENEW, err));
    dl_wh_bind_int(st, 0, generation);
    dl_wh_bind_str(st, 1, cluster);
    dl_wh_bind_str(st, 2, p->place.topic);
    dl_wh_bind_int(st, 3, p->place.partition);
    dl_wh_bind_int(st, 4, p->place.generation);
    return dl_wh_run(st, err);
}

/* The rows of sink_offset begin anew; the watermarks follow in recover. */
dl_status dlc_warehouse_renew(dlc_sink *sink, dlc_part *const *parts, int n,
                              const char *cluster, dl_error *err)
{
    dlc_warehouse *w = wh_of(sink);
    int32_t generation = 0;

    dlc_warehouse_lanes_wait(w);
    DL_TRY(dlc_warehouse_check(w, err));
    DL_TRY(dlc_wh_fact_connect(&w->lanes[0].fact, err));
    for (int i = 0; i < n; i++) {
        const dlc_wh_part *p = parts[i]->sink_data;

        if (p->place.generation >= generation) {
            generation = p->place.generation + 1;
        }
    }
    for (int i = 0; i < n; i++) {
        dlc_wh_part *p = parts[i]->sink_data;
        bool stored = p->place.committed >= 0;

        if (stored) {
            DL_TRY(row_renew(w, p, generation, cluster, err));
        }
        p->place.generation = generation;
        p->place.committed = stored ? 0 : -1;
        p->foreign = false;
        p->next = -1;
        apr_cpystrn(p->place.cluster, cluster, sizeof p->place.cluster);
        parts[i]->generation = generation;
        parts[i]->next = -1;
        rollup_take(w, p);
    }
    return DL_OK;
}
