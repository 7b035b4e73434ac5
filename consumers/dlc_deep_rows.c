/* dlc_deep_rows.c - Offsets that have a row, and offsets that should.
 *
 * The offsets of the rows are read first, in one moment of the database; the
 * lake, which does not wait for the warehouse, is read then.  The records of
 * a key meet in a table by the hash of the key; for more keys than it has room
 * for, a turn looks at a part of the hashes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_deep_rows.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_lake_reader.h"
#include "dl_line_note.h"
#include "dl_record.h"
#include "dl_sha256.h"
#include "dl_statements.h"
#include "dl_wh_sink.h"
#include "dl_wh_words.h"
#include "dlc_spend.h"
#include "dlc_wh_row.h"
#include "dlc_wh_table.h"

/* Partitions of a topic. */
#define PARTITIONS 1024

/* Places for keys, a power of two, and how many of them are used at most. */
#define PLACES ((size_t)1 << 22)
#define FILLED (PLACES / 4 * 3)

/* Offsets of one partition. */
#define OFFSETS_MAX (INT64_C(1) << 32)

/* The record that the row of a key is to be made of. */
typedef struct winner {
    uint64_t hash;  /* of the key; 0: the place is free */
    dl_coord coord; /* where it came from */
} winner;

/* One partition. */
typedef struct part {
    int64_t next;            /* the warehouse has taken what is below */
    int64_t lake_next;       /* the lake likewise */
    unsigned char *rows;     /* a bit for each offset: it has a row; malloc */
    unsigned char *expected; /* a bit for each offset: it should; malloc */
} part;

/* A comparison under way. */
typedef struct rows_run {
    dlc_deep_rows *out;          /* what comes of it */
    const dlc_deep_table *asked; /* what is compared */
    const dlc_wh_table *table;   /* the dataset's */
    dlc_wh_table key;            /* the same, of the key's columns alone */
    dl_judge *judge;             /* of records */
    dl_sha256 *sum;              /* for columns that are hashes */
    int32_t generation;          /* the topic's present life */
    int n;                       /* used of PARTS */
    part *parts;                 /* by number */
    winner *places;              /* PLACES of them; malloc */
    size_t filled;               /* places in use */
    uint64_t turns;   /* in how many turns the hashes are looked at */
    uint64_t turn;    /* which one this is */
    char *row;        /* a formatted key; malloc */
    size_t row_size;  /* room there */
    apr_pool_t *pool; /* of all this */
} rows_run;

static apr_status_t free_run(void *context)
{
    rows_run *run = context;

    for (int i = 0; i < run->n; i++) {
        free(run->parts[i].rows);
        free(run->parts[i].expected);
    }
    free(run->places);
    free(run->row);
    return APR_SUCCESS;
}

static void *must(void *memory)
{
    if (memory == NULL) {
        abort();
    }
    return memory;
}

static bool bit_at(const unsigned char *bits, int64_t i)
{
    return (bits[i / 8] >> (i % 8) & 1) != 0;
}

static void set_bit(unsigned char *bits, int64_t i)
{
    bits[i / 8] = (unsigned char)(bits[i / 8] | 1U << (i % 8));
}

static void name_place(dlc_deep_rows *out, int32_t partition, int64_t offset,
                       bool missing)
{
    if (out->n_named < DL_RECONCILE_NAMED) {
        out->named[out->n_named++] = (dl_reconcile_place){
            .partition = partition, .offset = offset, .missing = missing};
    }
}

/* --- Rows ------------------------------------------------------------------- */

/* Read the offsets of the next rows of partition P behind *NEXT, and move
 * that; *MORE: there were some. */
static dl_status read_page(bool *more, int64_t *next, rows_run *run, int32_t p,
                           const char *sql, dl_error *err)
{
    dl_wh_stmt *st;
    bool row = false;

    *more = false;
    DL_TRY(dl_wh_prepare(&st, run->asked->wh, sql, err));
    dl_wh_bind_int(st, 0, run->generation);
    dl_wh_bind_int(st, 1, p);
    dl_wh_bind_int(st, 2, *next);
    dl_wh_bind_int(st, 3, run->parts[p].next);
    DL_TRY(dl_wh_run(st, err));
    for (;;) {
        DL_TRY(dl_wh_fetch(&row, st, err));
        if (!row) {
            return DL_OK;
        }
        *next = dl_wh_int(st, 0) + 1;
        set_bit(run->parts[p].rows, *next - 1);
        run->out->rows++;
        *more = true;
    }
}

/* Make room for the offsets of partition P below NEXT. */
static dl_status make_part(rows_run *run, int32_t p, int64_t next,
                           dl_error *err)
{
    part *one = &run->parts[p];
    size_t bytes = (size_t)next / 8 + 1;

    if (next > OFFSETS_MAX) {
        return dl_fail(err, DL_LIMIT, 0,
                       "partition %d has too many offsets to compare", (int)p);
    }
    one->next = next;
    one->rows = must(calloc(1, bytes));
    one->expected = must(calloc(1, bytes));
    return DL_OK;
}

static dl_status read_rows(rows_run *run, dl_error *err)
{
    dl_wh_progress *all =
        apr_palloc(run->pool, PARTITIONS * sizeof(dl_wh_progress));
    const dl_wh_word words[] = {
        {"table", apr_psprintf(run->pool, "`%s`", run->asked->dataset->table)},
        {NULL, NULL}};
    const char *sql = dl_wh_words_fill(STMT_DEEP_ROWS, words, run->pool);
    int n;

    DL_TRY(dl_wh_sink_progress(all, &n, PARTITIONS, run->asked->wh,
                               run->asked->dataset->topic, err));
    for (int i = 0; i < n; i++) {
        run->generation = all[i].generation > run->generation
                              ? all[i].generation
                              : run->generation;
        run->n = all[i].partition >= run->n ? all[i].partition + 1 : run->n;
    }
    run->parts = apr_pcalloc(run->pool, ((size_t)run->n + 1) * sizeof(part));
    for (int i = 0; i < n; i++) {
        int64_t next = 0;
        bool more = all[i].generation == run->generation;

        DL_TRY(make_part(run, all[i].partition, more ? all[i].next : 0, err));
        while (more) {
            DL_TRY(read_page(&more, &next, run, all[i].partition, sql, err));
        }
    }
    return DL_OK;
}

/* The same, of one moment. */
static dl_status read_moment(rows_run *run, dl_error *err)
{
    dl_wh *wh = run->asked->wh;
    dl_status status;

    DL_TRY(dl_wh_begin_snapshot(wh, err));
    status = read_rows(run, err);
    dl_wh_rollback(wh);
    return status;
}

/* --- Keys ------------------------------------------------------------------- */

/* Whether A is what the row is to be made of, rather than B. */
static bool wins(const rows_run *run, const dl_coord *a, const dl_coord *b)
{
    int order = dl_coord_compare(a, b);

    if (run->asked->dataset->on_repeat == DL_REPEAT_SUPERSEDE) {
        return order > 0;
    }
    if (a->generation != b->generation) {
        return a->generation < b->generation;
    }
    return a->partition != b->partition ? order < 0 : a->offset < b->offset;
}

/* Note that the key of HASH has a record at COORD; false: there is no room. */
static bool note_key(rows_run *run, uint64_t hash, const dl_coord *coord)
{
    size_t i = (size_t)(hash >> 8) & (PLACES - 1);

    while (run->places[i].hash != 0 && run->places[i].hash != hash) {
        i = (i + 1) & (PLACES - 1);
    }
    if (run->places[i].hash == 0) {
        if (run->filled == FILLED) {
            return false;
        }
        run->filled++;
        run->places[i] = (winner){hash, *coord};
    }
    else if (wins(run, coord, &run->places[i].coord)) {
        run->places[i].coord = *coord;
    }
    return true;
}

/* FNV-1a of the LEN bytes at TEXT, its bits mixed once more; never 0. */
static uint64_t hash_of(const char *text, size_t len)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    }
    hash = (hash ^ hash >> 33) * UINT64_C(0xff51afd7ed558ccd);
    return (hash ^ hash >> 33) | 1;
}

/* The hash of the key of REC. */
static uint64_t key_of(rows_run *run, const dl_record *rec,
                       const dl_coord *coord)
{
    const dlc_wh_input input = {
        .rec = rec, .coord = *coord, .sum = run->sum, .rates = NULL};
    size_t bound = dlc_wh_row_bound(&run->key, &input);
    size_t len;

    if (bound > run->row_size) {
        run->row_size = bound * 2;
        run->row = must(realloc(run->row, run->row_size));
    }
    len = (size_t)(dlc_wh_row_format(run->row, &run->key, &input) - run->row);
    return hash_of(run->row, len);
}

/* Whether the warehouse has taken the record at COORD. */
static bool is_taken(const rows_run *run, const dl_coord *coord)
{
    return coord->generation < run->generation ||
           (coord->generation == run->generation && coord->partition < run->n &&
            coord->offset < run->parts[coord->partition].next);
}

/* Note LINE; false: there is no room. */
static bool note_line(rows_run *run, const dl_lake_line *line)
{
    const dl_coord *c = &line->coord;
    const char *value;
    dl_record rec;
    uint64_t hash;
    size_t len;

    if (!is_taken(run, c)) {
        return true;
    }
    if (dl_line_note_find(&value, &len, line->note, "dl-event")) {
        run->out->changes += run->turn == 0;
        return true;
    }
    dl_record_judge(&rec, run->judge, line->text, line->len, c->time);
    if (rec.verdict != DL_RECORD_GOOD) {
        return true; /* no row by the declaration as it is now */
    }
    hash = key_of(run, &rec, c);
    return hash / 2 % run->turns != run->turn || note_key(run, hash, c);
}

static dl_status read_day(rows_run *run, dl_lake_snapshot *snap, dl_day day,
                          dl_error *err, apr_pool_t *pool)
{
    const dl_lake_range range = {.day = day,
                                 .as_of = DL_TIME_NONE,
                                 .with_coords = true,
                                 .with_notes = true};
    dl_lake_line line;
    dl_lake_scan *scan;

    DL_TRY(dl_lake_scan_open(&scan, snap, &range, err, pool));
    for (;;) {
        DL_TRY(dl_lake_scan_next(&line, scan, err));
        if (line.text == NULL) {
            return DL_OK;
        }
        if (!note_line(run, &line)) {
            return dl_fail(err, DL_LIMIT, 0, "no room for the keys");
        }
    }
}

/* Set the bits of the records that rows are to be made of, as far as their
 * hashes are this turn's. */
static dl_status read_turn(rows_run *run, dl_lake_snapshot *snap, dl_error *err)
{
    dl_status status = DL_OK;
    apr_pool_t *iterpool;

    run->filled = 0;
    memset(run->places, 0, PLACES * sizeof *run->places);
    apr_pool_create(&iterpool, run->pool);
    for (int i = 0; status == DL_OK && i < dl_lake_days(snap); i++) {
        apr_pool_clear(iterpool);
        status =
            read_day(run, snap, dl_lake_day_at(snap, i)->day, err, iterpool);
    }
    apr_pool_destroy(iterpool);
    DL_TRY(status);
    for (size_t i = 0; i < PLACES; i++) {
        const winner *w = &run->places[i];

        if (w->hash != 0 && w->coord.generation == run->generation) {
            set_bit(run->parts[w->coord.partition].expected, w->coord.offset);
        }
    }
    return DL_OK;
}

/* --- Both ------------------------------------------------------------------- */

static void compare_part(rows_run *run, int32_t p)
{
    const part *one = &run->parts[p];
    dlc_deep_rows *out = run->out;

    for (int64_t i = 0; i < one->next; i++) {
        bool row = bit_at(one->rows, i);
        bool expected = bit_at(one->expected, i);

        if (row && i >= one->lake_next) {
            out->beyond++;
        }
        else if (row && expected) {
            out->right++;
        }
        else if (row) {
            out->wrong++;
            name_place(out, p, i, false);
        }
        else if (expected) {
            out->missing++;
            name_place(out, p, i, true);
        }
    }
}

/* Set how far the lake is; another life of the topic than the warehouse's is
 * not behind. */
static void take_bounds(rows_run *run, const dl_lake_totals *totals)
{
    for (int i = 0; i < totals->n_next; i++) {
        int32_t p = totals->next[i].partition;

        if (p < run->n) {
            run->parts[p].lake_next = totals->generation > run->generation
                                          ? INT64_MAX
                                          : totals->next[i].next;
        }
    }
}

/* Prepare RUN for the keys of its table. */
static void take_key(rows_run *run)
{
    dlc_wh_column *columns =
        apr_palloc(run->pool, (size_t)run->table->n_unique * sizeof *columns);

    run->key = *run->table;
    for (int i = 0; i < run->table->n_unique; i++) {
        columns[i] = run->table->columns[run->table->unique[i]];
    }
    run->key.columns = columns;
    run->key.n = run->table->n_unique;
    run->judge = dl_judge_create(run->asked->dataset, run->pool);
    run->sum = dl_sha256_create(run->pool);
    run->places = must(malloc(PLACES * sizeof *run->places));
}

dl_status dlc_deep_rows_compare(dlc_deep_rows *out, const dlc_deep_table *table,
                                dl_error *err, apr_pool_t *scratch_pool)
{
    rows_run *run = apr_pcalloc(scratch_pool, sizeof *run);
    dl_lake_snapshot *snap;
    dl_status status;

    memset(out, 0, sizeof *out);
    run->out = out;
    run->asked = table;
    run->pool = scratch_pool;
    apr_pool_cleanup_register(scratch_pool, run, free_run,
                              apr_pool_cleanup_null);
    DL_TRY(dlc_wh_table_load(&run->table, table->wh, table->dataset, err,
                             scratch_pool));
    DL_TRY(read_moment(run, err));
    status = dl_lake_snapshot_open(&snap, table->lake, table->dataset->name,
                                   err, scratch_pool);
    if (status == DL_NOT_FOUND) {
        out->beyond = out->rows;
        return DL_OK; /* the lake has nothing yet */
    }
    DL_TRY(status);
    take_key(run);
    take_bounds(run, dl_lake_snapshot_totals(snap));
    run->turns = dl_lake_snapshot_totals(snap)->records / FILLED + 1;
    run->turns += run->turns > 1; /* they are not of one size */
    for (run->turn = 0; run->turn < run->turns; run->turn++) {
        DL_TRY(read_turn(run, snap, err));
    }
    for (int32_t p = 0; p < run->n; p++) {
        compare_part(run, p);
    }
    return DL_OK;
}

bool dlc_deep_rows_ok(const dlc_deep_rows *rows)
{
    return rows->wrong == 0 &&
           (rows->missing == 0 || rows->beyond > 0 || rows->changes > 0);
}
