/* dlc_wh_fact.c - Connection, locks, offsets, commit.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_wh_fact.h"

#include "dl_log.h"
#include "dl_statements.h"
#include "dl_wh_rates.h"
#include "dl_wh_rows.h"
#include "dlc_wh_child.h"
#include "dlc_wh_split.h"

#include <stdlib.h>
#include <string.h>

/* --- Connection ------------------------------------------------------------
 */

/* Refuse a server that forgets commits (rule E7). */
static dl_status flush_check(dlc_wh_fact *fact, dl_error *err)
{
    const char *value;

    if (dl_wh_engine_of(fact->wh) == DL_WH_TIDB) {
        return DL_OK;
    }
    DL_TRY(dl_wh_ask(&value, fact->wh, STMT_FLUSH_SETTING, err, fact->pool));
    if (value == NULL || strcmp(value, "1") == 0) {
        return DL_OK;
    }
    if (fact->cfg->warehouse.accept_unsafe_flush) {
        dl_log(DL_LOG_WARNING,
               "DL0501 warehouse: innodb_flush_log_at_trx_commit is %s: a "
               "crash of the server may lose or repeat records",
               value);
        return DL_OK;
    }
    return dl_fail(err, DL_UNSUPPORTED, 0,
                   "the server has innodb_flush_log_at_trx_commit = %s, so a "
                   "commit is not durable: set it to 1, or [warehouse] "
                   "accept_unsafe_flush = on",
                   value);
}

static dl_status local_probe(dlc_wh_fact *fact, dl_error *err)
{
    dl_wh_load_result result;
    dl_status status;

    fact->local = false;
    if (!fact->cfg->warehouse.local_infile || fact->n_tables == 0) {
        return DL_OK;
    }
    status = dl_wh_load(&result, fact->wh, fact->tables[0]->sql_load_staging,
                        "", 0, err);
    if (status == DL_UNSUPPORTED) {
        dl_log(DL_LOG_WARNING,
               "DL0502 warehouse: LOAD DATA LOCAL is off at the server; rows "
               "go by INSERT, which is slower: set local_infile = 1");
        return DL_OK;
    }
    DL_TRY(status);
    fact->local = true;
    return DL_OK;
}

dl_status dlc_wh_fact_stage(dlc_wh_fact *fact, const dlc_wh_table *table,
                            dl_error *err)
{
    DL_TRY(dl_wh_exec(fact->wh, table->sql_drop_staging, NULL, err));
    return dl_wh_exec(fact->wh, table->sql_create_staging, NULL, err);
}

static dl_status setup(dlc_wh_fact *fact, dl_error *err)
{
    DL_TRY(dl_wh_connect(&fact->wh, fact->cfg, DL_WH_INGEST, err, fact->pool));
    DL_TRY(dl_wh_schema_check(fact->wh, err));
    DL_TRY(flush_check(fact, err));
    for (int i = 0; i < fact->n_tables; i++) {
        DL_TRY(dlc_wh_fact_stage(fact, fact->tables[i], err));
    }
    return local_probe(fact, err);
}

dl_status dlc_wh_fact_connect(dlc_wh_fact *fact, dl_error *err)
{
    dl_status status;

    if (fact->wh != NULL && !dl_wh_lost(fact->wh)) {
        return DL_OK;
    }
    dlc_wh_fact_disconnect(fact);
    if (apr_pool_create(&fact->pool, fact->parent) != APR_SUCCESS) {
        abort();
    }
    status = setup(fact, err);
    if (status != DL_OK) {
        dlc_wh_fact_disconnect(fact);
    }
    return status;
}

static void unlock_all(dlc_wh_fact *fact)
{
    while (fact->n_locked > 0) {
        dlc_wh_place *place = fact->locked[--fact->n_locked];

        place->locked = false;
        place->added = 0;
    }
}

void dlc_wh_fact_disconnect(dlc_wh_fact *fact)
{
    if (fact->pool != NULL) {
        apr_pool_destroy(fact->pool);
    }
    unlock_all(fact);
    fact->pool = NULL;
    fact->wh = NULL;
    fact->open = false;
    fact->hurried = false;
    free(fact->locked);
    fact->locked = NULL;
    fact->locked_room = 0;
    free(fact->text.data);
    free(fact->sql.data);
    fact->text = fact->sql = (dlc_wh_text){NULL, 0, 0};
}

/* --- Offsets ---------------------------------------------------------------
 */

static dl_status row_insert(dlc_wh_fact *fact, const dlc_wh_place *place,
                            const char *sink, int64_t next, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, fact->wh, STMT_OFFSET_ADD, err));
    dl_wh_bind_str(st, 0, sink);
    dl_wh_bind_str(st, 1, place->topic);
    dl_wh_bind_int(st, 2, place->partition);
    dl_wh_bind_int(st, 3, next);
    dl_wh_bind_int(st, 4, place->generation);
    dl_wh_bind_str(st, 5, place->cluster);
    return dl_wh_run(st, err);
}

/* The database has NEXT where we expected something else: find out why. */
static dl_status offset_differs(dlc_wh_place *place, int64_t next,
                                dl_error *err)
{
    if (place->unknown >= 0 && next == place->unknown) {
        place->committed = next;
        place->unknown = -1;
        return dl_fail(err, DL_RETRY, 0,
                       "%s/%d: the commit that was lost did happen",
                       place->topic, place->partition);
    }
    return dl_fail(err, DL_CONFLICT, 0,
                   "%s/%d: sink_offset is %lld, expected %lld: another loader "
                   "owns the partition",
                   place->topic, place->partition, (long long)next,
                   (long long)place->committed);
}

static void place_locked(dlc_wh_fact *fact, dlc_wh_place *place)
{
    if (fact->n_locked == fact->locked_room) {
        fact->locked_room = fact->locked_room == 0 ? 16 : fact->locked_room * 2;
        fact->locked = realloc(fact->locked, (size_t)fact->locked_room *
                                                 sizeof(dlc_wh_place *));
        if (fact->locked == NULL) {
            abort();
        }
    }
    fact->locked[fact->n_locked++] = place;
    place->locked = true;
}

/* Lock the row of PLACE, whose first offset in this batch is FIRST. */
static dl_status place_lock(dlc_wh_fact *fact, dlc_wh_place *place,
                            int64_t first, dl_error *err)
{
    dl_wh_stmt *st;
    bool more;
    int64_t next;
    bool same;

    DL_TRY(dl_wh_prepare(&st, fact->wh, STMT_OFFSET_LOCK, err));
    dl_wh_bind_str(st, 0, place->topic);
    dl_wh_bind_int(st, 1, place->partition);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    if (!more) {
        if (place->committed >= 0) {
            return offset_differs(place, -1, err);
        }
        DL_TRY(row_insert(fact, place, "warehouse", first, err));
        DL_TRY(row_insert(fact, place, "rollup", first, err));
        place_locked(fact, place);
        return DL_OK;
    }
    next = dl_wh_int(st, 0);
    same = dl_wh_int(st, 1) == place->generation &&
           strcmp(dl_wh_text(st, 2, NULL), place->cluster) == 0;
    dl_wh_finish(st);
    if (!same || next != place->committed) {
        return offset_differs(place, next, err);
    }
    place->unknown = -1;
    place_locked(fact, place);
    return DL_OK;
}

/* Begin a transaction when none is open. */
static dl_status transaction_begin(dlc_wh_fact *fact, dl_error *err)
{
    if (fact->open) {
        return DL_OK;
    }
    DL_TRY(dlc_wh_fact_connect(fact, err));
    if (fact->hurry != fact->hurried) {
        DL_TRY(dl_wh_exec(
            fact->wh, fact->hurry ? STMT_LOCK_WAIT_SHORT : STMT_LOCK_WAIT_USUAL,
            NULL, err));
        fact->hurried = fact->hurry;
    }
    DL_TRY(dl_wh_begin(fact->wh, err));
    fact->open = true;
    return DL_OK;
}

/* Whoever loads rates holds all our rows meanwhile: once we have locked one,
 * the revision stands until we commit. */
static dl_status rates_check(dlc_wh_fact *fact, dl_error *err)
{
    int64_t revision;

    DL_TRY(dl_wh_rates_revision(&revision, fact->wh, err));
    if (revision != fact->rates_revision) {
        return dl_fail(err, DL_RETRY, 0, "rates have changed");
    }
    return DL_OK;
}

static dl_status place_take(dlc_wh_fact *fact, dlc_wh_place *place,
                            int64_t first, dl_error *err)
{
    bool any = fact->n_locked > 0;

    DL_TRY(place_lock(fact, place, first, err));
    return any ? DL_OK : rates_check(fact, err);
}

/* Move SINK's row of MARK from OLD. */
static dl_status offset_move(dlc_wh_fact *fact, const dlc_wh_mark *mark,
                             int64_t old, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, fact->wh, STMT_OFFSET_MOVE, err));
    dl_wh_bind_int(st, 0, mark->next);
    dl_wh_bind_str(st, 1, "warehouse");
    dl_wh_bind_str(st, 2, mark->place->topic);
    dl_wh_bind_int(st, 3, mark->place->partition);
    dl_wh_bind_int(st, 4, mark->place->generation);
    dl_wh_bind_int(st, 5, old);
    DL_TRY(dl_wh_run(st, err));
    if (dl_wh_affected(st) != 1) {
        return dl_fail(
            err, DL_CONFLICT, 0, "%s/%d: sink_offset is not %lld any more",
            mark->place->topic, mark->place->partition, (long long)old);
    }
    return DL_OK;
}

/* --- Batches ---------------------------------------------------------------
 */

void dlc_wh_fact_abort(dlc_wh_fact *fact)
{
    unlock_all(fact);
    if (fact->open) {
        dl_wh_rollback(fact->wh);
        fact->open = false;
    }
}

static dl_status chunk_load(dlc_wh_fact *fact, dlc_wh_batch *batch,
                            dlc_wh_chunk *chunk, dl_error *err)
{
    dlc_wh_range all = {chunk, 0, chunk->n, false};
    dl_wh_load_result result;

    DL_TRY(dl_wh_exec(fact->wh, STMT_SAVEPOINT, NULL, err));
    DL_TRY(dlc_wh_send(&result, fact, &all, err));
    if (result.affected == chunk->n && result.warnings == 0) {
        chunk->place->added += (int64_t)chunk->n;
        dlc_wh_batch_stored(batch, chunk->place, (int64_t)chunk->n);
        return dlc_wh_child_store(fact, chunk, false, err);
    }
    DL_TRY(dl_wh_exec(fact->wh, STMT_SAVEPOINT_BACK, NULL, err));
    return dlc_wh_split(fact, batch, chunk, err);
}

dl_status dlc_wh_fact_store(dlc_wh_fact *fact, dlc_wh_batch *batch,
                            dlc_wh_chunk *chunk, dl_error *err)
{
    if (chunk->n == 0) {
        return DL_OK;
    }
    DL_TRY(transaction_begin(fact, err));
    if (!chunk->place->locked) {
        DL_TRY(place_take(fact, chunk->place, chunk->first, err));
    }
    return chunk_load(fact, batch, chunk, err);
}

dl_status dlc_wh_fact_commit(dlc_wh_fact *fact, dlc_wh_batch *batch,
                             dl_error *err)
{
    dl_status status;

    DL_TRY(transaction_begin(fact, err));
    for (int i = 0; i < batch->n; i++) {
        dlc_wh_mark *mark = &batch->marks[i];

        if (!mark->place->locked) {
            DL_TRY(place_take(fact, mark->place, mark->first, err));
        }
        mark->from =
            mark->place->committed >= 0 ? mark->place->committed : mark->first;
        if (mark->from != mark->next) {
            DL_TRY(offset_move(fact, mark, mark->from, err));
        }
        if (mark->place->added != 0) {
            DL_TRY(dl_wh_rows_added(fact->wh, mark->place->table->dataset,
                                    mark->place->partition, mark->place->added,
                                    err));
        }
    }
    status = dl_wh_commit(fact->wh, err);
    fact->open = false;
    unlock_all(fact);
    for (int i = 0; i < batch->n; i++) {
        dlc_wh_place *place = batch->marks[i].place;

        if (status == DL_OK) {
            place->committed = batch->marks[i].next;
            place->unknown = -1;
        }
        else if (status == DL_UNAVAILABLE) {
            place->unknown = batch->marks[i].next;
        }
    }
    return status;
}

/* --- Memory ----------------------------------------------------------------
 */

static void *zeroed(size_t bytes)
{
    void *made = calloc(1, bytes);

    if (made == NULL) {
        abort();
    }
    return made;
}

dlc_wh_chunk *dlc_wh_chunk_create(dlc_wh_place *place, int64_t first)
{
    dlc_wh_chunk *chunk = zeroed(sizeof *chunk);

    chunk->place = place;
    chunk->first = first;
    return chunk;
}

size_t dlc_wh_chunk_room(const dlc_wh_chunk *chunk)
{
    size_t room = chunk->room + chunk->payloads_room;

    for (int i = 0; i < DL_DATASET_CHILDREN; i++) {
        room += chunk->children[i].room;
    }
    return room;
}

void dlc_wh_text_reserve(dlc_wh_text *text, size_t more)
{
    size_t room = text->room == 0 ? 4096 : text->room;

    if (more <= text->room - text->len) {
        return;
    }
    while (room - text->len < more) {
        room *= 2;
    }
    text->data = realloc(text->data, room);
    if (text->data == NULL) {
        abort();
    }
    text->room = room;
}

void dlc_wh_chunk_destroy(dlc_wh_chunk *chunk)
{
    if (chunk != NULL) {
        for (int i = 0; i < DL_DATASET_CHILDREN; i++) {
            free(chunk->children[i].data);
        }
        free(chunk->data);
        free(chunk->lines);
        free(chunk->payloads);
        free(chunk);
    }
}

void dlc_wh_batch_stored(dlc_wh_batch *batch, const dlc_wh_place *place,
                         int64_t rows)
{
    int i = 0;

    while (i < batch->n_stored && batch->stored[i].slot != place->rows) {
        i++;
    }
    if (i == batch->n_stored) {
        batch->stored =
            realloc(batch->stored, (size_t)(i + 1) * sizeof *batch->stored);
        if (batch->stored == NULL) {
            abort();
        }
        batch->stored[batch->n_stored++] = (dlc_wh_count){place->rows, 0};
    }
    batch->stored[i].rows += rows;
}

dlc_wh_batch *dlc_wh_batch_create(void)
{
    dlc_wh_batch *batch = zeroed(sizeof *batch);

    batch->spend = dlc_spend_create();
    batch->excluded = dlc_spend_create();
    return batch;
}

void dlc_wh_batch_destroy(dlc_wh_batch *batch)
{
    if (batch != NULL) {
        dlc_spend_destroy(batch->spend);
        dlc_spend_destroy(batch->excluded);
        free(batch->marks);
        free(batch->stored);
        free(batch);
    }
}
