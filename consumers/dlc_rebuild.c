/* dlc_rebuild.c - The warehouse from the lake alone.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_rebuild.h"

#include "dl_lake_format.h"
#include "dl_statements.h"
#include "dl_time.h"
#include "dl_wh.h"
#include "dl_wh_rows.h"
#include "dl_wh_words.h"
#include "dlc_lake_order.h"
#include "dlc_sink.h"
#include "dlc_wh_change.h"
#include "dlc_wh_table.h"

#include <poll.h>
#include <string.h>

#include <apr_strings.h>

/* How often the same place of the lake is begun anew after a failure of the
 * database that may pass, and how long each time is waited. */
#define TRIES   30
#define WAIT_MS 1000

/* Between two looks at a thread. */
#define LOOK_MS 5

/* The sink has its background duty this often. */
#define TICK_US 100000

/* Rollups that do not move for so long are given up. */
#define STALL_US (60 * (int64_t)DL_SECOND_US)

/* A rebuild under way. */
typedef struct rebuilding {
    const dlc_rebuild *r;         /* what is asked for */
    dlc_rebuilt *done;            /* what was done */
    const char *cluster;          /* that the lake's offsets count in */
    dl_wh *wh;                    /* empties; another one looks at the end */
    const dlc_wh_table *table;    /* the dataset's */
    const dl_lake_totals *totals; /* where each partition ends */
    dlc_sink *sink;               /* the loader */
    int n;                        /* partitions */
    dlc_part *parts;              /* they */
    dlc_part **by_number;         /* of a partition, NULL: none */
    dlc_part **all;               /* the same as PARTS, for the sink */
    dlc_wh_change *change;        /* change events */
    int64_t tick_us;              /* when the sink's next duty is due */
    apr_pool_t *pool;             /* of all this */
} rebuilding;

/* --- Emptying ------------------------------------------------------------- */

static dl_status offsets_begin(rebuilding *b, dl_error *err)
{
    static const char *const sinks[] = {"warehouse", "rollup"};
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, b->wh, STMT_REBUILD_OFFSET, err));
    for (int i = 0; i < 2 * b->n; i++) {
        dl_wh_bind_str(st, 0, sinks[i % 2]);
        dl_wh_bind_str(st, 1, b->r->dataset->topic);
        dl_wh_bind_int(st, 2, b->parts[i / 2].partition);
        dl_wh_bind_str(st, 3, b->cluster);
        DL_TRY(dl_wh_run(st, err));
    }
    return DL_OK;
}

/* From here on no loader takes the topic, though this process die. */
static dl_status mark_begin(rebuilding *b, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, b->wh, STMT_REBUILD_MARK, err));
    for (int i = 0; i < b->n; i++) {
        dl_wh_bind_str(st, 0, b->r->dataset->topic);
        dl_wh_bind_int(st, 1, b->parts[i].partition);
        dl_wh_bind_int(st, 2, b->totals->next[i].next);
        dl_wh_bind_int(st, 3, b->totals->generation);
        dl_wh_bind_str(st, 4, b->cluster);
        DL_TRY(dl_wh_run(st, err));
    }
    return DL_OK;
}

static dl_status mark_end(rebuilding *b, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, b->wh, STMT_REBUILD_DONE, err));
    dl_wh_bind_str(st, 0, b->r->dataset->topic);
    return dl_wh_run(st, err);
}

/* Remove all rows of table NAME, some at a time. */
static dl_status empty_table(rebuilding *b, const char *name, dl_error *err)
{
    const dl_wh_word words[] = {{"table", apr_psprintf(b->pool, "`%s`", name)},
                                {NULL, NULL}};
    const char *sql = dl_wh_words_fill(STMT_TABLE_EMPTY, words, b->pool);
    uint64_t removed = 1;

    while (removed > 0) {
        DL_TRY(dl_wh_exec(b->wh, sql, &removed, err));
    }
    return DL_OK;
}

/* Offsets first: a loader elsewhere loses its partitions by that. */
static dl_status empty_tables(rebuilding *b, dl_error *err)
{
    static const char *const rollups[] = {"spend_user",    "spend_second",
                                          "product_sale",  "product_total",
                                          "rollup_adjust", "product"};

    DL_TRY(dl_wh_begin(b->wh, err));
    DL_TRY(offsets_begin(b, err));
    DL_TRY(mark_begin(b, err));
    DL_TRY(dl_wh_commit(b->wh, err));
    DL_TRY(dl_wh_rows_forget(b->wh, b->table->dataset, err));
    DL_TRY(empty_table(b, b->table->dataset->table, err));
    for (int i = 0; i < b->table->n_children; i++) {
        DL_TRY(empty_table(b, b->table->children[i]->dataset->table, err));
    }
    for (size_t i = 0; b->table->spend && i < sizeof rollups / sizeof *rollups;
         i++) {
        DL_TRY(empty_table(b, rollups[i], err));
    }
    /* Once more: a loader that was started meanwhile has counted the rest. */
    return dl_wh_rows_forget(b->wh, b->table->dataset, err);
}

/* --- The loader ----------------------------------------------------------- */

/* Whether a failure of STATUS may pass. */
static bool may_pass(dl_status status)
{
    return status == DL_RETRY || status == DL_UNAVAILABLE ||
           status == DL_BUSY || status == DL_TIMEOUT || status == DL_NO_SPACE;
}

/* Do what is due: the sink's duty, and a commit when it wants one. */
static dl_status keep_going(rebuilding *b, dl_error *err)
{
    int64_t now = dl_time_monotonic_us();

    if (now >= b->tick_us) {
        b->tick_us = now + TICK_US;
        DL_TRY(b->sink->calls->tick(b->sink, err));
    }
    if (b->sink->calls->wants_commit(b->sink, now, false)) {
        return b->sink->calls->commit(b->sink, err);
    }
    return DL_OK;
}

/* Whether all that was put is in the tables. */
static bool is_durable(const rebuilding *b)
{
    for (int i = 0; i < b->n; i++) {
        int64_t next = b->sink->calls->next(b->sink, &b->parts[i]);

        if (next >= 0 &&
            b->sink->calls->durable(b->sink, &b->parts[i]) != next) {
            return false;
        }
    }
    return true;
}

/* Commit all that was put, and wait for it. */
static dl_status flush(rebuilding *b, dl_error *err)
{
    DL_TRY(b->sink->calls->commit(b->sink, err));
    while (!is_durable(b)) {
        DL_TRY(b->sink->calls->tick(b->sink, err));
        (void)poll(NULL, 0, LOOK_MS);
    }
    return b->sink->calls->tick(b->sink, err);
}

/* Begin lives of the topic until it is GENERATION. */
static dl_status reach_generation(rebuilding *b, int32_t generation,
                                  dl_error *err)
{
    while (b->n > 0 && b->parts[0].generation < generation) {
        DL_TRY(flush(b, err));
        DL_TRY(b->sink->calls->renew(b->sink, b->all, b->n, b->cluster, err));
    }
    return DL_OK;
}

/* --- Records --------------------------------------------------------------- */

/* Give the record C to the loader. */
static dl_status put_record(rebuilding *b, const dlc_lake_record *c,
                            dl_error *err)
{
    dlc_part *part = b->by_number[c->coord.partition];
    const dlc_message msg = {.part = part,
                             .offset = c->coord.offset,
                             .time_us = c->coord.time,
                             .payload = c->text,
                             .len = c->len,
                             .note = c->note};
    bool gone = false;
    dl_status status;

    if (part == NULL) {
        return dl_fail(err, DL_CORRUPT, 0, "partition %d has no offset",
                       c->coord.partition);
    }
    DL_TRY(reach_generation(b, c->coord.generation, err));
    if (c->coord.generation < part->generation ||
        c->coord.offset < b->sink->calls->next(b->sink, part)) {
        return DL_OK; /* it was stored before a failure */
    }
    DL_TRY(dlc_wh_change_is_gone(&gone, b->change, c, err));
    if (gone) {
        return DL_OK;
    }
    status = b->sink->calls->put(b->sink, &msg, err);
    if (status == DL_INVALID || status == DL_LIMIT) {
        b->done->refused++;
        return DL_OK;
    }
    return status;
}

static dl_status put_all(rebuilding *b, dl_error *err, apr_pool_t *pool)
{
    const dlc_lake_record *records = NULL;
    dlc_lake_order *order;
    size_t n = 0;

    b->done->records = b->done->refused = 0;
    DL_TRY(dlc_lake_order_open(&order, b->r->snap, err, pool));
    DL_TRY(dlc_lake_order_next(&records, &n, order, err));
    while (n > 0) {
        for (size_t i = 0; i < n; i++) {
            DL_TRY(put_record(b, &records[i], err));
            if (i % 1024 == 0) {
                DL_TRY(keep_going(b, err));
            }
        }
        b->done->records += n;
        if (b->r->progress != NULL) {
            b->r->progress(b->r->context, b->done->records);
        }
        DL_TRY(dlc_lake_order_next(&records, &n, order, err));
    }
    DL_TRY(reach_generation(b, b->totals->generation, err));
    for (int i = 0; i < b->n; i++) {
        DL_TRY(b->sink->calls->advance(b->sink, &b->parts[i],
                                       b->totals->next[i].next, err));
    }
    return flush(b, err);
}

/* The same; what may pass is waited out, and the sink says where each
 * partition goes on. */
static dl_status fill_tables(rebuilding *b, dl_error *err)
{
    dl_status status = DL_RETRY;

    for (int i = 0; i < TRIES && may_pass(status); i++) {
        apr_pool_t *pool;

        (void)poll(NULL, 0, i == 0 ? 0 : WAIT_MS);
        apr_pool_create(&pool, b->pool);
        status = put_all(b, err, pool);
        apr_pool_destroy(pool);
    }
    return status;
}

/* --- Rollups -------------------------------------------------------------- */

/* Set *LEFT to what the rollups still have to do. */
static dl_status ask_rollups(int64_t *left, rebuilding *b, dl_error *err)
{
    dl_wh_stmt *st;
    bool more;

    DL_TRY(dl_wh_prepare(&st, b->wh, STMT_REBUILD_LEFT, err));
    dl_wh_bind_str(st, 0, b->r->dataset->topic);
    dl_wh_bind_str(st, 1, b->r->dataset->topic);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    *left = more ? dl_wh_int(st, 0) : 0;
    dl_wh_finish(st);
    return DL_OK;
}

static dl_status finish_rollups(rebuilding *b, dl_error *err)
{
    int64_t moved_us = dl_time_monotonic_us();
    int64_t before = -1;
    int64_t left = b->table->spend ? 1 : 0;

    while (left > 0) {
        (void)poll(NULL, 0, 10 * LOOK_MS);
        DL_TRY(b->sink->calls->tick(b->sink, err));
        DL_TRY(ask_rollups(&left, b, err));
        if (left != before) {
            moved_us = dl_time_monotonic_us();
        }
        else if (dl_time_monotonic_us() - moved_us > STALL_US) {
            return dl_fail(err, DL_CONFLICT, 0,
                           "the rollups of %s do not come forward: is another "
                           "loader at work?",
                           b->r->dataset->topic);
        }
        before = left;
    }
    return DL_OK;
}

/* --- Changes -------------------------------------------------------------- */

static dl_status read_changes(rebuilding *b, dl_error *err)
{
    const dl_dataset *of = dl_dataset_find(b->r->set, b->r->changes_of);
    const dlc_wh_change_source source = {
        .dataset = b->r->dataset,
        .records = b->r->snap,
        .of = b->r->changes_of,
        .topic = of == NULL ? b->r->dataset->topic : of->topic,
        .snap = b->r->changes,
        .without_lost = b->r->without_lost};

    DL_TRY(dlc_wh_change_load(&b->change, &source, b->wh, err, b->pool));
    b->done->lost = dlc_wh_change_lost(b->change);
    return DL_OK;
}

/* Apply them as the loader, who may add rows, and count the rows. */
static dl_status finish_rows(rebuilding *b, dl_wh *wh, dl_wh *look,
                             dl_error *err, apr_pool_t *pool)
{
    DL_TRY(dlc_wh_change_apply(b->change, wh, look, err));
    b->done->changes = dlc_wh_change_count(b->change);
    return dl_wh_rows_begin(look, b->table->dataset, err, pool);
}

/* The same; what may pass is waited out. */
static dl_status apply_changes(rebuilding *b, dl_error *err)
{
    dl_status status = DL_RETRY;

    for (int i = 0; i < TRIES && may_pass(status); i++) {
        apr_pool_t *pool;
        dl_wh *look;
        dl_wh *wh;

        (void)poll(NULL, 0, i == 0 ? 0 : WAIT_MS);
        apr_pool_create(&pool, b->pool);
        status = dl_wh_connect(&wh, b->r->cfg, DL_WH_INGEST, err, pool);
        if (status == DL_OK) {
            status = dl_wh_connect(&look, b->r->cfg, DL_WH_JOBS, err, pool);
        }
        if (status == DL_OK) {
            status = finish_rows(b, wh, look, err, pool);
        }
        apr_pool_destroy(pool);
    }
    return status;
}

/* Wait for the rollups and take the mark away; what may pass is waited out.
 * The first connection may have ended long ago. */
static dl_status finish(rebuilding *b, dl_error *err)
{
    dl_status status = DL_RETRY;

    for (int i = 0; i < TRIES && may_pass(status); i++) {
        apr_pool_t *pool;

        (void)poll(NULL, 0, i == 0 ? 0 : WAIT_MS);
        apr_pool_create(&pool, b->pool);
        status = dl_wh_connect(&b->wh, b->r->cfg, DL_WH_JOBS, err, pool);
        if (status == DL_OK) {
            status = finish_rollups(b, err);
        }
        if (status == DL_OK) {
            status = mark_end(b, err);
        }
        apr_pool_destroy(pool);
    }
    return status;
}

/* --- All ------------------------------------------------------------------ */

static void make_parts(rebuilding *b)
{
    const dl_dataset *ds = b->r->dataset;

    b->n = b->totals->n_next;
    b->parts = apr_pcalloc(b->pool, ((size_t)b->n + 1) * sizeof *b->parts);
    b->all = apr_pcalloc(b->pool, ((size_t)b->n + 1) * sizeof(dlc_part *));
    b->by_number =
        apr_pcalloc(b->pool, DL_LAKE_PARTITIONS_MAX * sizeof(dlc_part *));
    for (int i = 0; i < b->n; i++) {
        b->parts[i] = (dlc_part){.dataset = ds,
                                 .topic = ds->topic,
                                 .partition = b->totals->next[i].partition,
                                 .next = -1};
        b->all[i] = &b->parts[i];
        b->by_number[b->parts[i].partition] = &b->parts[i];
    }
}

static dl_status load(rebuilding *b, dl_error *err)
{
    const dlc_rebuild *r = b->r;

    DL_TRY(dlc_sink_warehouse_create(&b->sink, r->cfg, r->set, NULL, err,
                                     b->pool));
    dlc_sink_warehouse_refill(b->sink);
    DL_TRY(b->sink->calls->take(b->sink, b->all, b->n, b->cluster, err));
    DL_TRY(fill_tables(b, err));
    DL_TRY(apply_changes(b, err));
    DL_TRY(finish(b, err));
    b->sink->calls->drop(b->sink, b->all, b->n);
    return DL_OK;
}

dl_status dlc_rebuild_run(dlc_rebuilt *done, const dlc_rebuild *r,
                          dl_error *err, apr_pool_t *pool)
{
    rebuilding b = {.r = r, .done = done, .pool = pool};
    int64_t began_us;

    memset(done, 0, sizeof *done);
    b.totals = dl_lake_snapshot_totals(r->snap);
    make_parts(&b);
    DL_TRY(dl_lake_cluster(&b.cluster, r->snap, err, pool));
    DL_TRY(dl_wh_connect(&b.wh, r->cfg, DL_WH_JOBS, err, pool));
    DL_TRY(dl_wh_schema_check(b.wh, err));
    DL_TRY(dlc_wh_table_load(&b.table, b.wh, r->dataset, err, pool));
    DL_TRY(read_changes(&b, err));
    began_us = dl_time_monotonic_us();
    done->begun = true;
    DL_TRY(empty_tables(&b, err));
    DL_TRY(load(&b, err));
    done->took_us = dl_time_monotonic_us() - began_us;
    return DL_OK;
}
