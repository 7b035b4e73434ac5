/* dlc_sink_warehouse.c - The sink that loads the warehouse.
 *
 * put() judges a message, formats its row into the chunk of its partition and
 * adds it to the sums of the batch; a full chunk goes to the loader's thread
 * (dlc_wh_loader.h), and so does the end of the batch.  What is committed
 * goes on to the thread of the rollups (dlc_wh_rollup.h).
 *
 *     consuming thread      loaders' threads          rollups' thread
 *     put, judge, format -> LOAD DATA, offsets, commit -> upserts, watermark
 *
 * Under backlog two loaders work beside each other, each for its partitions
 * (dlc_sink_warehouse_lanes.c).
 *
 * Memory: chunks that are filled, wait or are being loaded hold at most
 * CHUNK_BYTES together; the sums of a batch at most SPEND_BYTES, then it is
 * committed; two batches may wait, and 24 MiB of sums for the rollups.  An
 * idle sink holds none of that.
 *
 * A failure of a thread comes out of the next put(), commit() or tick(),
 * which first forgets what is not durable, so that next() is true again.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_sink_warehouse.h"

#include "dl_stats.h"
#include "dlc_wh_child.h"
#include "dlc_wh_row.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

/* Bytes of all chunks together. */
#define CHUNK_BYTES ((size_t)48 << 20)

/* Bytes of sums that end a batch. */
#define SPEND_BYTES ((size_t)12 << 20)

/* Rows that end a batch under backlog. */
#define BATCH_ROWS 500000

/* A sink without messages for this long gives memory back. */
#define IDLE_US INT64_C(3000000)

static dlc_warehouse *wh_of(dlc_sink *sink)
{
    return (dlc_warehouse *)sink;
}

/* --- Forgetting ------------------------------------------------------------
 */

static void batches_begin(dlc_warehouse *w)
{
    for (int i = 0; i < DLC_WH_LANES; i++) {
        if (w->lanes[i].batch == NULL) {
            w->lanes[i].batch = dlc_wh_batch_create();
        }
    }
    w->rows = 0;
    w->began_us = 0;
    w->filling = 0;
    w->sink.pending_bytes = 0;
}

void dlc_warehouse_forget(dlc_sink *sink)
{
    dlc_warehouse *w = wh_of(sink);

    for (int i = 0; i < DLC_WH_LANES; i++) {
        dlc_wh_loader_clear(w->lanes[i].loader);
    }
    for (int i = 0; i < w->n_parts; i++) {
        dlc_wh_chunk_destroy(w->parts[i]->chunk);
        w->parts[i]->chunk = NULL;
        w->parts[i]->first = -1;
        w->parts[i]->next = w->parts[i]->place.committed;
    }
    for (int i = 0; i < DLC_WH_LANES; i++) {
        dlc_wh_batch_destroy(w->lanes[i].batch);
        w->lanes[i].batch = NULL;
    }
    batches_begin(w);
    w->rates = NULL;
}

dl_status dlc_warehouse_check(dlc_warehouse *w, dl_error *err)
{
    dl_status status = dlc_wh_rollup_check(w->rollup, err);

    for (int i = 0; status == DL_OK && i < DLC_WH_LANES; i++) {
        status = dlc_wh_loader_check(w->lanes[i].loader, err);
    }
    if (status != DL_OK) {
        dlc_warehouse_forget(&w->sink);
        dlc_warehouse_lanes_single(w);
    }
    return status;
}

/* --- Putting ---------------------------------------------------------------
 */

static void *room_make(void *block, size_t used, size_t more, size_t *room)
{
    size_t wanted = *room == 0 ? 65536 : *room;

    if (used + more <= *room) {
        return block;
    }
    while (wanted < used + more) {
        wanted *= 2;
    }
    block = realloc(block, wanted);
    if (block == NULL) {
        abort();
    }
    *room = wanted;
    return block;
}

/* Add a line to CHUNK for a row of at most BOUND bytes; return it. */
static dlc_wh_line *line_add(dlc_wh_chunk *chunk, size_t bound)
{
    dlc_wh_line *line;

    chunk->data = room_make(chunk->data, chunk->len, bound, &chunk->room);
    if (chunk->n == chunk->lines_room) {
        chunk->lines_room =
            chunk->lines_room == 0 ? 512 : chunk->lines_room * 2;
        chunk->lines =
            realloc(chunk->lines, chunk->lines_room * sizeof *chunk->lines);
        if (chunk->lines == NULL) {
            abort();
        }
    }
    line = &chunk->lines[chunk->n++];
    memset(line, 0, sizeof *line);
    line->at = chunk->len;
    return line;
}

/* Keep the bytes of MSG, for a dead letter. */
static void payload_keep(dlc_wh_chunk *chunk, dlc_wh_line *line,
                         const dlc_message *msg)
{
    chunk->payloads = room_make(chunk->payloads, chunk->payloads_len, msg->len,
                                &chunk->payloads_room);
    memcpy(chunk->payloads + chunk->payloads_len, msg->payload, msg->len);
    line->payload_at = chunk->payloads_len;
    line->payload_len = (uint32_t)msg->len;
    chunk->payloads_len += msg->len;
}

static void row_sum(dlc_warehouse *w, const dlc_wh_part *p,
                    const dlc_wh_line *line, const dl_coord *coord)
{
    const dlc_wh_table *table = p->place.table;
    dlc_text columns[DLC_WH_COLUMNS];
    char small[4096];
    char *scratch = line->len <= sizeof small ? small : malloc(line->len);
    dlc_spend_row row;

    if (scratch == NULL) {
        abort();
    }
    dlc_wh_row_split(columns, table, p->chunk->data + line->at, line->len);
    dlc_wh_row_spend(&row, table, columns, coord, scratch);
    dlc_spend_add(dlc_warehouse_lane(w, p)->batch->spend, &row, 1);
    if (scratch != small) {
        free(scratch);
    }
}

static void row_put(dlc_warehouse *w, dlc_wh_part *p, const dlc_message *msg,
                    const dl_record *rec)
{
    dlc_wh_input input = {
        .rec = rec,
        .coord = {.generation = p->place.generation,
                  .partition = p->place.partition,
                  .offset = msg->offset,
                  .time = msg->time_us < 0 ? 0 : msg->time_us},
        .rates = w->rates,
        .sum = w->sum};
    dlc_wh_line *line;
    size_t before;

    if (!dlc_message_header(msg, "dl-origin", &input.origin.text,
                            &input.origin.len)) {
        input.origin = (dlc_text){NULL, 0};
    }
    if (input.origin.len > 16) {
        input.origin.len = 16;
    }
    if (p->chunk == NULL) {
        p->chunk = dlc_wh_chunk_create(&p->place, p->first);
    }
    before = dlc_wh_chunk_room(p->chunk);
    line = line_add(p->chunk, dlc_wh_row_bound(p->place.table, &input));
    line->offset = msg->offset;
    line->time = input.coord.time;
    line->len = (uint32_t)(dlc_wh_row_format(p->chunk->data + line->at,
                                             p->place.table, &input) -
                           (p->chunk->data + line->at));
    p->chunk->len += line->len;
    if (msg->offset < p->place.careful_below) {
        payload_keep(p->chunk, line, msg);
    }
    if (p->place.table->spend) {
        row_sum(w, p, line, &input.coord);
    }
    dlc_wh_child_put(p->chunk, line, &input);
    w->filling += dlc_wh_chunk_room(p->chunk) - before;
    w->sink.pending_bytes += line->len;
    w->rows++;
}

static void chunk_send(dlc_warehouse *w, dlc_wh_part *p)
{
    const dlc_wh_lane *lane = dlc_warehouse_lane(w, p);

    if (p->chunk != NULL) {
        w->filling -= dlc_wh_chunk_room(p->chunk);
        dlc_wh_loader_store(lane->loader, lane->batch, p->chunk);
        p->chunk = NULL;
    }
}

static dlc_wh_part *largest_find(const dlc_warehouse *w)
{
    dlc_wh_part *largest = NULL;

    for (int i = 0; i < w->n_parts; i++) {
        dlc_wh_part *p = w->parts[i];

        if (p->chunk != NULL &&
            (largest == NULL || p->chunk->room > largest->chunk->room)) {
            largest = p;
        }
    }
    return largest;
}

/* Keep the chunks within their bytes. */
static void memory_bound(dlc_warehouse *w)
{
    while (w->filling > CHUNK_BYTES / 2) {
        dlc_wh_part *largest = largest_find(w);

        if (largest == NULL) {
            break; /* nothing is filling after all */
        }
        chunk_send(w, largest);
    }
    dlc_warehouse_lanes_wait_below(w, CHUNK_BYTES - w->filling);
}

/* Note that OFFSET of P belongs to this batch. */
static void part_mark(dlc_warehouse *w, dlc_wh_part *p, int64_t offset,
                      int64_t next)
{
    if (p->first < 0) {
        p->first = p->next >= 0 ? p->next : offset;
    }
    p->next = next;
    if (w->began_us == 0) {
        w->began_us = dl_time_monotonic_us();
    }
    w->trimmed = false;
}

static dl_status warehouse_put(dlc_sink *sink, const dlc_message *msg,
                               dl_error *err)
{
    dlc_warehouse *w = wh_of(sink);
    dlc_wh_part *p = msg->part->sink_data;
    const char *event;
    size_t event_len;
    dl_record rec;

    DL_TRY(dlc_warehouse_check(w, err));
    DL_TRY(dlc_warehouse_rates_load(w, err));
    if (msg->offset < p->next) {
        return DL_OK; /* of an older assignment (rule E2) */
    }
    part_mark(w, p, msg->offset, msg->offset + 1);
    if (p->judge == NULL ||
        dlc_message_header(msg, "dl-event", &event, &event_len)) {
        return DL_OK; /* the change was made in the table already */
    }
    dl_record_judge(&rec, p->judge, msg->payload, msg->len, msg->time_us);
    if (rec.verdict != DL_RECORD_GOOD) {
        return dl_fail(err, DL_INVALID, 0, "%s: %s",
                       dl_verdict_name(rec.verdict), rec.detail);
    }
    row_put(w, p, msg, &rec);
    if (p->chunk->n >= (size_t)w->cfg->warehouse.load_rows ||
        p->chunk->len >= (size_t)w->cfg->warehouse.load_bytes) {
        chunk_send(w, p);
    }
    memory_bound(w);
    return DL_OK;
}

static dl_status warehouse_advance(dlc_sink *sink, dlc_part *part, int64_t next,
                                   dl_error *err)
{
    dlc_warehouse *w = wh_of(sink);
    dlc_wh_part *p = part->sink_data;

    DL_TRY(dlc_warehouse_check(w, err));
    if (next > p->next) {
        part_mark(w, p, next, next);
    }
    return DL_OK;
}

/* --- Committing ------------------------------------------------------------
 */

static bool warehouse_wants_commit(dlc_sink *sink, int64_t now_us,
                                   bool caught_up)
{
    dlc_warehouse *w = wh_of(sink);
    const dl_config_warehouse *cfg = &w->cfg->warehouse;

    if (w->began_us == 0) {
        return false;
    }
    if (w->rows >= BATCH_ROWS || dlc_warehouse_lanes_spend(w) > SPEND_BYTES) {
        return true;
    }
    if (caught_up) {
        return now_us - w->committed_us >= cfg->commit_ms * 1000 &&
               dlc_warehouse_lanes_batches(w) == 0;
    }
    return now_us - w->began_us >= cfg->backlog_ms * 1000 &&
           dlc_warehouse_lanes_batches(w) < 2;
}

/* Give the batch of LANE the partitions that it moves. */
static void marks_make(dlc_warehouse *w, dlc_wh_lane *lane)
{
    dlc_wh_batch *batch = lane->batch;

    if (batch == NULL) {
        abort(); /* a lane that moves has one */
    }
    free(batch->marks); /* of a commit that had nothing for this lane */
    batch->marks = calloc((size_t)w->n_parts + 1, sizeof *batch->marks);
    if (batch->marks == NULL) {
        abort();
    }
    for (int i = 0; i < w->n_parts; i++) {
        dlc_wh_part *p = w->parts[i];

        if (p->first >= 0 && dlc_warehouse_lane(w, p) == lane) {
            batch->marks[batch->n++] =
                (dlc_wh_mark){&p->place, p->first, p->next, 0};
            p->first = -1;
        }
    }
}

static dl_status warehouse_commit(dlc_sink *sink, dl_error *err)
{
    dlc_warehouse *w = wh_of(sink);

    DL_TRY(dlc_warehouse_check(w, err));
    if (w->began_us == 0) {
        return DL_OK;
    }
    for (int i = 0; i < w->n_parts; i++) {
        chunk_send(w, w->parts[i]);
    }
    for (int i = 0; i < w->n_lanes; i++) {
        dlc_wh_lane *lane = &w->lanes[i];

        marks_make(w, lane);
        if (lane->batch->n > 0) {
            dlc_wh_loader_commit(lane->loader, lane->batch);
            lane->batch = NULL;
        }
    }
    dlc_warehouse_lanes_choose(w, w->rows);
    batches_begin(w);
    w->committed_us = dl_time_monotonic_us();
    return DL_OK;
}

static int64_t warehouse_next(dlc_sink *sink, const dlc_part *part)
{
    const dlc_wh_part *p = part->sink_data;

    (void)sink;
    return p->next;
}

static int64_t warehouse_durable(dlc_sink *sink, const dlc_part *part)
{
    const dlc_wh_part *p = part->sink_data;

    (void)sink;
    return p->place.committed;
}

static dl_status warehouse_tick(dlc_sink *sink, dl_error *err)
{
    dlc_warehouse *w = wh_of(sink);

    DL_TRY(dlc_warehouse_check(w, err));
    if (!w->trimmed && w->began_us == 0 &&
        dl_time_monotonic_us() - w->committed_us > IDLE_US &&
        dlc_wh_rollup_is_idle(w->rollup)) {
        (void)malloc_trim(0);
        w->trimmed = true;
    }
    return DL_OK;
}

/* --- The rest --------------------------------------------------------------
 */

static void warehouse_close(dlc_sink *sink)
{
    dlc_warehouse *w = wh_of(sink);

    if (w->rollup == NULL) {
        return;
    }
    dlc_warehouse_lanes_stop(w);
    dlc_wh_rollup_stop(w->rollup);
    dlc_warehouse_lanes_free(w);
    for (int i = 0; i < w->n_parts; i++) {
        dlc_wh_chunk_destroy(w->parts[i]->chunk);
        free(w->parts[i]);
    }
    free(w->parts);
    free(w->known);
    w->rollup = NULL;
}

static apr_status_t close_cleanup(void *sink)
{
    warehouse_close(sink);
    return APR_SUCCESS;
}

static const dlc_sink_calls warehouse_calls = {
    .take = dlc_warehouse_take,
    .put = warehouse_put,
    .advance = warehouse_advance,
    .wants_commit = warehouse_wants_commit,
    .commit = warehouse_commit,
    .forget = dlc_warehouse_forget,
    .next = warehouse_next,
    .durable = warehouse_durable,
    .drop = dlc_warehouse_drop,
    .tick = warehouse_tick,
    .seal = NULL,
    .reload = dlc_warehouse_reload,
    .renew = dlc_warehouse_renew,
    .close = warehouse_close,
};

static dl_status threads_start(dlc_warehouse *w, dl_stats *stats, dl_error *err)
{
    dlc_wh_loader_options with = {.fact = NULL};
    dl_stats_value *rollups;

    with.commits =
        dl_stats_slot(stats, DL_STATS_COUNTER, "datalake_warehouse_commit", "");
    with.duration = dl_stats_slot(
        stats, DL_STATS_HISTOGRAM,
        "datalake_warehouse_transaction_duration_seconds", "kind=\"fact\"");
    rollups = dl_stats_slot(stats, DL_STATS_HISTOGRAM,
                            "datalake_warehouse_transaction_duration_seconds",
                            "kind=\"rollup\"");
    with.refused = dl_stats_slot(stats, DL_STATS_COUNTER,
                                 "datalake_warehouse_refused", "");
    DL_TRY(dlc_wh_rollup_start(&w->rollup, w->cfg, with.commits, rollups, err,
                               w->pool));
    with.rollup = w->rollup;
    return dlc_warehouse_lanes_start(w, &with, err);
}

dl_status dlc_sink_warehouse_create(dlc_sink **sink, const dl_config *cfg,
                                    const dl_dataset_set *set, dl_stats *stats,
                                    dl_error *err, apr_pool_t *pool)
{
    dlc_warehouse *w = apr_pcalloc(pool, sizeof *w);

    (void)set;
    w->sink.name = "warehouse";
    w->sink.calls = &warehouse_calls;
    w->cfg = cfg;
    w->stats = stats;
    w->pool = pool;
    w->sum = dl_sha256_create(pool);
    if (apr_pool_create(&w->rates_pool, pool) != APR_SUCCESS) {
        abort();
    }
    batches_begin(w);
    DL_TRY(threads_start(w, stats, err));
    apr_pool_cleanup_register(pool, w, close_cleanup, apr_pool_cleanup_null);
    *sink = &w->sink;
    return DL_OK;
}
