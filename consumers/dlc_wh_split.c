/* dlc_wh_split.c - Send rows; resolve repeats; find the row that is refused.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_wh_split.h"

#include "dl_log.h"
#include "dl_statements.h"
#include "dl_wh_sink.h"
#include "dlc_wh_child.h"
#include "dlc_wh_row.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of one INSERT where LOCAL is off. */
#define INSERT_BYTES ((size_t)256 << 10)

/* Most bytes of a payload that dead_letter keeps. */
#define DEAD_BYTES 65536

/* --- Sending ---------------------------------------------------------------
 */

static bool has_out(const dlc_wh_range *range)
{
    for (size_t i = range->from; i < range->to; i++) {
        if (range->chunk->lines[i].out) {
            return true;
        }
    }
    return false;
}

/* Set ROWS to the rows of RANGE in one piece, copied when a line is out. */
static void range_rows(dlc_wh_rows *rows, dlc_wh_fact *fact,
                       const dlc_wh_range *range)
{
    const dlc_wh_line *lines = range->chunk->lines;
    size_t begin = lines[range->from].at;
    size_t end = lines[range->to - 1].at + lines[range->to - 1].len;

    if (!has_out(range)) {
        rows->data = range->chunk->data + begin;
        rows->len = end - begin;
        return;
    }
    fact->text.len = 0;
    dlc_wh_text_reserve(&fact->text, end - begin);
    for (size_t i = range->from; i < range->to; i++) {
        if (!lines[i].out) {
            memcpy(fact->text.data + fact->text.len,
                   range->chunk->data + lines[i].at, lines[i].len);
            fact->text.len += lines[i].len;
        }
    }
    rows->data = fact->text.data;
    rows->len = fact->text.len;
}

/* Run the INSERT that was collected; a data error or a repeat becomes a
 * warning. */
static dl_status insert_run(dl_wh_load_result *result, dlc_wh_fact *fact,
                            dl_error *err)
{
    uint64_t affected = 0;
    dl_status status;

    fact->sql.data[fact->sql.len] = '\0';
    fact->sql.len = 0;
    status = dl_wh_exec(fact->wh, fact->sql.data, &affected, err);
    if (status == DL_CONFLICT || status == DL_INVALID) {
        result->warnings++;
        return DL_OK;
    }
    result->affected += affected;
    return status;
}

/* Add the row of LEN bytes at ROW to the INSERT that is collected. */
static void insert_add(dlc_wh_fact *fact, const dlc_wh_rows *rows,
                       const char *row, size_t len)
{
    dlc_wh_text *sql = &fact->sql;
    size_t head = strlen(rows->sql_insert);
    dlc_text columns[DLC_WH_COLUMNS];

    dlc_wh_text_reserve(sql, head + len * 2 + (size_t)rows->table->n * 4 + 16);
    if (sql->len == 0) {
        memcpy(sql->data, rows->sql_insert, head);
        sql->len = head;
    }
    else {
        sql->data[sql->len++] = ',';
    }
    dlc_wh_row_split(columns, rows->table, row, len);
    sql->len = (size_t)(dlc_wh_row_literal(sql->data + sql->len, rows->table,
                                           columns) -
                        sql->data);
}

static dl_status send_inserts(dl_wh_load_result *result, dlc_wh_fact *fact,
                              const dlc_wh_rows *rows, dl_error *err)
{
    const char *row = rows->data;
    const char *end = row + rows->len;

    fact->sql.len = 0;
    while (row < end) {
        const char *newline = memchr(row, '\n', (size_t)(end - row));
        const char *next = newline == NULL ? end : newline + 1;

        insert_add(fact, rows, row, (size_t)(next - row));
        row = next;
        if (fact->sql.len > INSERT_BYTES) {
            DL_TRY(insert_run(result, fact, err));
        }
    }
    return fact->sql.len > 0 ? insert_run(result, fact, err) : DL_OK;
}

dl_status dlc_wh_send_rows(dl_wh_load_result *result, dlc_wh_fact *fact,
                           const dlc_wh_rows *rows, dl_error *err)
{
    memset(result, 0, sizeof *result);
    if (!fact->local) {
        return send_inserts(result, fact, rows, err);
    }
    return dl_wh_load(result, fact->wh, rows->sql_load, rows->data, rows->len,
                      err);
}

dl_status dlc_wh_send(dl_wh_load_result *result, dlc_wh_fact *fact,
                      const dlc_wh_range *range, dl_error *err)
{
    const dlc_wh_table *table = range->chunk->place->table;
    dlc_wh_rows rows = {.table = table};

    memset(result, 0, sizeof *result);
    if (range->from == range->to) {
        return DL_OK;
    }
    rows.sql_load = range->staging ? table->sql_load_staging : table->sql_load;
    rows.sql_insert =
        range->staging ? table->sql_insert_staging : table->sql_insert;
    range_rows(&rows, fact, range);
    return dlc_wh_send_rows(result, fact, &rows, err);
}

/* --- Repeats inside the chunk ------------------------------------------------
 */

/* A line with its key, to be sorted. */
typedef struct keyed {
    const dlc_wh_chunk *chunk;   /* whose line */
    size_t line;                 /* its number */
    dlc_text key[DLC_WH_UNIQUE]; /* its unique columns, escaped */
} keyed;

static dl_coord line_coord(const dlc_wh_chunk *chunk, const dlc_wh_line *line)
{
    return (dl_coord){.generation = chunk->place->generation,
                      .partition = chunk->place->partition,
                      .offset = line->offset,
                      .time = line->time};
}

static int text_compare(dlc_text a, dlc_text b)
{
    int order;

    if (a.text == NULL || b.text == NULL) {
        return (a.text != NULL) - (b.text != NULL);
    }
    order = memcmp(a.text, b.text, a.len < b.len ? a.len : b.len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int key_compare(const keyed *a, const keyed *b)
{
    for (int i = 0; i < a->chunk->place->table->n_unique; i++) {
        int order = text_compare(a->key[i], b->key[i]);

        if (order != 0) {
            return order;
        }
    }
    return 0;
}

/* By key, then from the earliest to the latest record; where repeats are
 * ignored, in the order in which they came, whatever their times, so that the
 * same one stays however they are cut into chunks. */
static int keyed_compare(const void *a, const void *b)
{
    const keyed *x = a;
    const keyed *y = b;
    int order = key_compare(x, y);
    dl_coord left = line_coord(x->chunk, &x->chunk->lines[x->line]);
    dl_coord right = line_coord(y->chunk, &y->chunk->lines[y->line]);

    if (order != 0) {
        return order;
    }
    if (x->chunk->place->table->dataset->on_repeat == DL_REPEAT_IGNORE) {
        return x->line < y->line ? -1 : 1;
    }
    return dl_coord_compare(&left, &right);
}

/* Take LINE of CHUNK out of the batch and of its sums. */
static void line_exclude(dlc_wh_batch *batch, dlc_wh_chunk *chunk, size_t at)
{
    const dlc_wh_table *table = chunk->place->table;
    dlc_wh_line *line = &chunk->lines[at];
    dlc_text columns[DLC_WH_COLUMNS];
    dl_coord coord = line_coord(chunk, line);
    dlc_spend_row row;
    char *scratch;

    line->out = true;
    if (!table->spend) {
        return;
    }
    scratch = malloc(line->len);
    if (scratch == NULL) {
        abort();
    }
    dlc_wh_row_split(columns, table, chunk->data + line->at, line->len);
    dlc_wh_row_spend(&row, table, columns, &coord, scratch);
    dlc_spend_add(batch->excluded, &row, -1);
    free(scratch);
}

/* Of the lines with equal keys only the latest stays (the first one where the
 * rule is to ignore repeats). */
static void repeats_resolve(dlc_wh_batch *batch, dlc_wh_chunk *chunk)
{
    const dlc_wh_table *table = chunk->place->table;
    bool first = table->dataset->on_repeat == DL_REPEAT_IGNORE;
    keyed *all = malloc(chunk->n * sizeof *all);
    dlc_text columns[DLC_WH_COLUMNS];

    if (all == NULL) {
        abort();
    }
    for (size_t i = 0; i < chunk->n; i++) {
        dlc_wh_row_split(columns, table, chunk->data + chunk->lines[i].at,
                         chunk->lines[i].len);
        all[i].chunk = chunk;
        all[i].line = i;
        for (int k = 0; k < table->n_unique; k++) {
            all[i].key[k] = columns[table->unique[k]];
        }
    }
    qsort(all, chunk->n, sizeof *all, keyed_compare);
    for (size_t i = 1; i < chunk->n; i++) {
        if (key_compare(&all[i - 1], &all[i]) != 0) {
            continue;
        }
        if (first) {
            line_exclude(batch, chunk, all[i].line);
            all[i] = all[i - 1];
        }
        else {
            line_exclude(batch, chunk, all[i - 1].line);
        }
    }
    free(all);
}

/* --- Rows the database refuses ---------------------------------------------
 */

static size_t lines_count(const dlc_wh_range *range)
{
    size_t n = 0;

    for (size_t i = range->from; i < range->to; i++) {
        n += range->chunk->lines[i].out ? 0 : 1;
    }
    return n;
}

static dl_status dead_letter_add(dlc_wh_fact *fact, const dlc_wh_chunk *chunk,
                                 const dlc_wh_line *line, dl_error *err)
{
    size_t len =
        line->payload_len < DEAD_BYTES ? line->payload_len : DEAD_BYTES;
    dl_wh_stmt *st;
    dl_status status;

    DL_TRY(dl_wh_prepare(&st, fact->wh, STMT_DEAD_LETTER_ADD, err));
    dl_wh_bind_str(st, 0, chunk->place->topic);
    dl_wh_bind_int(st, 1, chunk->place->generation);
    dl_wh_bind_int(st, 2, chunk->place->partition);
    dl_wh_bind_int(st, 3, line->offset);
    dl_wh_bind_str(st, 4, "schema");
    dl_wh_bind_str(st, 5, DL_WH_REFUSED);
    dl_wh_bind_bytes(st, 6, chunk->payloads + line->payload_at, len);
    dl_wh_bind_time(st, 7, line->time);
    dl_wh_bind_int(st, 8, (int64_t)line->payload_len);
    status = dl_wh_run(st, err);
    return status == DL_CONFLICT ? DL_OK : status; /* it is listed already */
}

/* Set aside the one LINE of CHUNK that is refused. */
static dl_status line_refuse(dlc_wh_fact *fact, dlc_wh_batch *batch,
                             dlc_wh_chunk *chunk, size_t at, dl_error *err)
{
    const dlc_wh_line *line = &chunk->lines[at];

    if (line->payload_len == 0) {
        chunk->place->careful_below = chunk->lines[chunk->n - 1].offset + 1;
        return dl_fail(err, DL_RETRY, 0,
                       "%s/%d offset %lld: the database refuses a row; reading "
                       "again to keep its bytes",
                       chunk->place->topic, chunk->place->partition,
                       (long long)line->offset);
    }
    dl_log(DL_LOG_ERROR,
           "DL0503 %s/%d offset %lld: the database refused the row; it is in "
           "dead_letter",
           chunk->place->topic, chunk->place->partition,
           (long long)line->offset);
    DL_TRY(dead_letter_add(fact, chunk, line, err));
    batch->refused++;
    line_exclude(batch, chunk, at);
    return DL_OK;
}

/* Bring the lines [FROM, TO) into an empty staging table to see whether the
 * database takes them; halve what it does not, down to the row. */
static dl_status refused_find(dlc_wh_fact *fact, dlc_wh_batch *batch,
                              const dlc_wh_range *range, dlc_wh_chunk *chunk,
                              dl_error *err)
{
    size_t middle = range->from + (range->to - range->from) / 2;
    dlc_wh_range low = {chunk, range->from, middle, true};
    dlc_wh_range high = {chunk, middle, range->to, true};
    size_t n = lines_count(range);
    dl_wh_load_result result;

    if (n == 0) {
        return DL_OK;
    }
    DL_TRY(dl_wh_exec(fact->wh, chunk->place->table->sql_empty_staging, NULL,
                      err));
    DL_TRY(dlc_wh_send(&result, fact, range, err));
    if (result.warnings == 0 && result.affected == n) {
        return DL_OK;
    }
    if (range->to - range->from == 1) {
        return line_refuse(fact, batch, chunk, range->from, err);
    }
    DL_TRY(refused_find(fact, batch, &low, chunk, err));
    return refused_find(fact, batch, &high, chunk, err);
}

/* --- The join --------------------------------------------------------------
 */

static size_t line_find(const dlc_wh_chunk *chunk, int64_t offset)
{
    size_t low = 0;
    size_t high = chunk->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (chunk->lines[middle].offset < offset) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return low;
}

/* Lock the known rows of staged keys; take the staged rows out that do not
 * replace them. */
static dl_status earlier_exclude(size_t *n, dlc_wh_fact *fact,
                                 dlc_wh_batch *batch, dlc_wh_chunk *chunk,
                                 dl_error *err)
{
    const dlc_wh_table *table = chunk->place->table;
    bool supersedes = table->dataset->on_repeat == DL_REPEAT_SUPERSEDE;
    dl_wh_stmt *st;
    bool more;

    *n = 0;
    DL_TRY(dl_wh_prepare(&st, fact->wh, table->sql_repeats, err));
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more) {
        size_t at = line_find(chunk, dl_wh_int(st, 0));
        bool later = dl_wh_int(st, 1) != 0;

        if (at < chunk->n && !chunk->lines[at].out && !(later && supersedes)) {
            line_exclude(batch, chunk, at);
            (*n)++;
        }
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    return DL_OK;
}

/* Run the prepared SQL with the topic as its parameter when it has one; set
 * *AFFECTED. */
static dl_status join_run(uint64_t *affected, dlc_wh_fact *fact,
                          const char *sql, const char *topic, dl_error *err)
{
    dl_wh_stmt *st;
    dl_status status;

    DL_TRY(dl_wh_prepare(&st, fact->wh, sql, err));
    if (topic != NULL) {
        dl_wh_bind_str(st, 0, topic);
    }
    status = dl_wh_run(st, err);
    if (status == DL_CONFLICT) {
        return dl_fail(err, DL_RETRY, 0, "another loader stored a key first");
    }
    DL_TRY(status);
    *affected = dl_wh_affected(st);
    return DL_OK;
}

static dl_status staged_join(dlc_wh_fact *fact, dlc_wh_batch *batch,
                             dlc_wh_chunk *chunk, size_t staged, dl_error *err)
{
    const dlc_wh_table *table = chunk->place->table;
    bool supersedes = table->dataset->on_repeat == DL_REPEAT_SUPERSEDE;
    uint64_t adjusted = 0;
    uint64_t superseded = 0;
    uint64_t added = 0;
    size_t earlier;

    DL_TRY(earlier_exclude(&earlier, fact, batch, chunk, err));
    if (supersedes && table->spend) {
        DL_TRY(join_run(&adjusted, fact, table->sql_adjust, chunk->place->topic,
                        err));
        batch->adjusted = batch->adjusted || adjusted > 0;
    }
    if (supersedes) {
        DL_TRY(join_run(&superseded, fact, table->sql_supersede, NULL, err));
    }
    DL_TRY(join_run(&added, fact, table->sql_add, NULL, err));
    if (earlier + superseded + added != staged ||
        (table->spend && supersedes && adjusted != superseded)) {
        return dl_fail(err, DL_RETRY, 0,
                       "%s/%d: %zu rows became %llu new, %llu superseding and "
                       "%zu earlier ones",
                       chunk->place->topic, chunk->place->partition, staged,
                       (unsigned long long)added,
                       (unsigned long long)superseded, earlier);
    }
    chunk->place->added += (int64_t)added;
    dlc_wh_batch_stored(batch, chunk->place, (int64_t)(superseded + added));
    DL_TRY(dlc_wh_child_store(fact, chunk, true, err));
    return dl_wh_exec(fact->wh, table->sql_empty_staging, NULL, err);
}

dl_status dlc_wh_split(dlc_wh_fact *fact, dlc_wh_batch *batch,
                       dlc_wh_chunk *chunk, dl_error *err)
{
    dlc_wh_range all = {chunk, 0, chunk->n, true};
    dl_wh_load_result result;
    size_t n;

    repeats_resolve(batch, chunk);
    DL_TRY(dl_wh_exec(fact->wh, chunk->place->table->sql_empty_staging, NULL,
                      err));
    n = lines_count(&all);
    DL_TRY(dlc_wh_send(&result, fact, &all, err));
    if (result.warnings != 0 || result.affected != n) {
        DL_TRY(refused_find(fact, batch, &all, chunk, err));
        DL_TRY(dl_wh_exec(fact->wh, chunk->place->table->sql_empty_staging,
                          NULL, err));
        n = lines_count(&all);
        DL_TRY(dlc_wh_send(&result, fact, &all, err));
    }
    if (result.warnings != 0 || result.affected != n) {
        return dl_fail(err, DL_INTERNAL, 0,
                       "%s/%d: the database refuses a chunk, but none of its "
                       "rows",
                       chunk->place->topic, chunk->place->partition);
    }
    return staged_join(fact, batch, chunk, n, err);
}
