/* dlc_rates.c - Store rates, then convert day by day.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_rates.h"

#include "dl_statements.h"
#include "dl_wh.h"
#include "dl_wh_rates.h"
#include "dlc_spend.h"
#include "dlc_wh_table.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>

/* Times a transaction that lost a race is begun again. */
#define TRIES 20

/* Where the rollups of one partition stand. */
typedef struct watermark {
    int32_t partition, generation; /* which */
    int64_t next;                  /* first offset that is not in them */
} watermark;

/* A row past the watermark that changed. */
typedef struct late_row {
    dlc_spend_row row; /* texts live in the day's pool */
} late_row;

/* A day being converted. */
typedef struct day_work {
    dl_wh *wh;                   /* the connection */
    const dlc_wh_table *table;   /* whose rows */
    const dl_wh_rates *rates;    /* the new ones */
    dl_day day;                  /* which day */
    apr_array_header_t *marks;   /* watermark */
    apr_array_header_t *late;    /* late_row */
    apr_array_header_t *changed; /* char[4]: currencies with changes */
    dlc_spend *spend;            /* differences below the watermarks */
    int64_t rows;                /* that changed */
    apr_pool_t *pool;            /* of the day */
} day_work;

/* --- Storing ---------------------------------------------------------------
 */

static bool has_spend(const dl_dataset *ds)
{
    return ds->table != NULL && ds->rollup != NULL &&
           strcmp(ds->rollup, "spend") == 0;
}

static dl_status statement_run(dl_wh_stmt **st, dl_wh *wh, const char *sql,
                               const char *topic, dl_error *err)
{
    DL_TRY(dl_wh_prepare(st, wh, sql, err));
    if (topic != NULL) {
        dl_wh_bind_str(*st, 0, topic);
    }
    return dl_wh_run(*st, err);
}

static dl_status rates_store(dl_wh *wh, const dlc_rates_load *load,
                             dl_error *err)
{
    dl_wh_stmt *st;

    for (int i = 0; i < load->set->n; i++) {
        if (has_spend(load->set->datasets[i])) {
            DL_TRY(statement_run(&st, wh, STMT_RATES_LOCK,
                                 load->set->datasets[i]->topic, err));
            dl_wh_finish(st);
        }
    }
    for (int i = 0; i < load->n; i++) {
        DL_TRY(dl_wh_prepare(&st, wh, STMT_RATE_PUT, err));
        dl_wh_bind_str(st, 0, load->rates[i].base);
        dl_wh_bind_str(st, 1, load->rates[i].currency);
        dl_wh_bind_day(st, 2, load->rates[i].from);
        dl_wh_bind_decimal(st, 3, load->rates[i].rate);
        DL_TRY(dl_wh_run(st, err));
    }
    return statement_run(&st, wh, STMT_RATES_RAISE, NULL, err);
}

/* End the transaction of WH as STATUS asks for. */
static dl_status transaction_end(dl_wh *wh, dl_status status, dl_error *err)
{
    if (status == DL_OK) {
        return dl_wh_commit(wh, err);
    }
    dl_wh_rollback(wh);
    return status;
}

static dl_status rates_check(const dlc_rates_load *load, dl_error *err)
{
    for (int i = 0; i < load->n; i++) {
        const dlc_rate *rate = &load->rates[i];

        if (strcmp(rate->base, rate->currency) == 0 &&
            dl_decimal_compare(rate->rate, dl_decimal_of_int(1)) != 0) {
            return dl_fail(err, DL_INVALID, 0,
                           "the rate of %s to itself must be 1", rate->base);
        }
    }
    return DL_OK;
}

static dl_status store(dl_wh *wh, const dlc_rates_load *load, dl_error *err)
{
    dl_status status = DL_RETRY;

    for (int i = 0; status == DL_RETRY && i < TRIES; i++) {
        DL_TRY(dl_wh_begin(wh, err));
        status = transaction_end(wh, rates_store(wh, load, err), err);
    }
    return status;
}

/* --- One day ---------------------------------------------------------------
 */

static dl_status marks_lock(day_work *w, dl_error *err)
{
    dl_wh_stmt *st;
    bool more;

    apr_array_clear(w->marks);
    DL_TRY(statement_run(&st, w->wh, STMT_WATERMARKS_LOCK,
                         w->table->dataset->topic, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more) {
        watermark *m = apr_array_push(w->marks);

        m->partition = (int32_t)dl_wh_int(st, 0);
        m->generation = (int32_t)dl_wh_int(st, 1);
        m->next = dl_wh_int(st, 2);
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    return DL_OK;
}

/* Return whether the rollups have the row at COORD. */
static bool is_rolled_up(const day_work *w, const dl_coord *coord)
{
    const watermark *m = (const watermark *)w->marks->elts;

    for (int i = 0; i < w->marks->nelts; i++) {
        if (m[i].partition == coord->partition) {
            return coord->generation < m[i].generation ||
                   (coord->generation == m[i].generation &&
                    coord->offset < m[i].next);
        }
    }
    return false;
}

static dlc_text column_text(const dl_wh_stmt *st, unsigned col)
{
    dlc_text text = {NULL, 0};

    if (!dl_wh_is_null(st, col)) {
        text.text = dl_wh_text(st, col, &text.len);
    }
    return text;
}

static dlc_text text_keep(dlc_text text, apr_pool_t *pool)
{
    if (text.text != NULL) {
        text.text = apr_pstrmemdup(pool, text.text, text.len);
    }
    return text;
}

static void late_add(day_work *w, const dlc_spend_row *row)
{
    late_row *late = apr_array_push(w->late);

    late->row = *row;
    late->row.user_id = text_keep(row->user_id, w->pool);
    late->row.product_id = text_keep(row->product_id, w->pool);
    late->row.currency = text_keep(row->currency, w->pool);
    late->row.type = text_keep(row->type, w->pool);
    late->row.status = text_keep(row->status, w->pool);
    late->row.category = text_keep(row->category, w->pool);
}

/* Note that rows of CURRENCY have changed. */
static void changed_add(day_work *w, dlc_text currency)
{
    char upper[4] = "";
    char(*known)[4] = (char(*)[4])w->changed->elts;

    for (size_t i = 0; i < 3 && i < currency.len; i++) {
        char c = currency.text[i];

        upper[i] = (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
    }
    for (int i = 0; i < w->changed->nelts; i++) {
        if (strcmp(known[i], upper) == 0) {
            return;
        }
    }
    memcpy(apr_array_push(w->changed), upper, sizeof upper);
}

/* Look at the row ST stands on, columns of STMT_RATE_ROWS. */
static void row_look(day_work *w, const dl_wh_stmt *st)
{
    dl_decimal old = dl_wh_decimal(st, 11);
    dl_decimal new = {0};
    bool had = !dl_wh_is_null(st, 11);
    dlc_spend_row row;
    bool has;

    memset(&row, 0, sizeof row);
    row.currency = column_text(st, 6);
    if (row.currency.text == NULL) {
        return;
    }
    has = dl_wh_rate_convert(&new, w->rates, dl_wh_decimal(st, 10),
                             row.currency.text, row.currency.len, w->day);
    if (!has || (had && dl_decimal_compare(old, new) == 0)) {
        return; /* rates are never taken away */
    }
    row.coord.generation = (int32_t)dl_wh_int(st, 0);
    row.coord.partition = (int32_t)dl_wh_int(st, 1);
    row.coord.offset = dl_wh_int(st, 2);
    row.time = dl_wh_time(st, 3);
    row.user_id = column_text(st, 4);
    row.product_id = column_text(st, 5);
    row.type = column_text(st, 7);
    row.status = column_text(st, 8);
    row.category = column_text(st, 9);
    row.sums.base = new.units - old.units;
    row.sums.unconverted = had ? 0 : -1;
    w->rows++;
    changed_add(w, row.currency);
    if (is_rolled_up(w, &row.coord)) {
        dlc_spend_add(w->spend, &row, 1);
    }
    else {
        late_add(w, &row);
    }
}

static dl_status rows_look(day_work *w, dl_error *err)
{
    dl_wh_stmt *st;
    bool more;

    DL_TRY(dl_wh_prepare(&st, w->wh, w->table->sql_rate_rows, err));
    dl_wh_bind_time(st, 0, dl_day_start(w->day));
    dl_wh_bind_time(st, 1, dl_day_start(w->day + 1));
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more) {
        row_look(w, st);
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    return DL_OK;
}

/* Convert the rows of the day whose currency changed. */
static dl_status rows_convert(day_work *w, dl_error *err)
{
    char(*currency)[4] = (char(*)[4])w->changed->elts;
    uint64_t affected = 0;

    for (int i = 0; i < w->changed->nelts; i++) {
        dl_decimal rate = {0};
        dl_wh_stmt *st;

        (void)dl_wh_rate_find(&rate, w->rates, currency[i], 3, w->day);
        DL_TRY(dl_wh_prepare(&st, w->wh, w->table->sql_rate_apply, err));
        dl_wh_bind_decimal(st, 0, rate);
        dl_wh_bind_decimal(st, 1, rate);
        dl_wh_bind_time(st, 2, dl_day_start(w->day));
        dl_wh_bind_time(st, 3, dl_day_start(w->day + 1));
        dl_wh_bind_str(st, 4, currency[i]);
        DL_TRY(dl_wh_run(st, err));
        affected += dl_wh_affected(st);
    }
    if (affected != (uint64_t)w->rows) {
        return dl_fail(err, DL_RETRY, 0,
                       "%lld rows should have changed, %llu did",
                       (long long)w->rows, (unsigned long long)affected);
    }
    return DL_OK;
}

static void bind_text(dl_wh_stmt *st, unsigned at, dlc_text text,
                      const char *missing)
{
    if (text.text == NULL) {
        dl_wh_bind_str(st, at, missing);
        return;
    }
    dl_wh_bind_text(st, at, text.text, text.len);
}

static dl_status late_write(day_work *w, int64_t revision,
                            const dlc_spend_row *row, dl_error *err)
{
    dlc_text currency = row->currency;
    char *upper = apr_pstrmemdup(w->pool, currency.text, currency.len);
    dl_time second = row->time - row->time % DL_SECOND_US;
    dl_wh_stmt *st;

    for (size_t i = 0; i < currency.len; i++) {
        char c = upper[i];

        upper[i] = (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
    }
    currency.text = upper;
    DL_TRY(dl_wh_prepare(&st, w->wh, STMT_RATE_ADJUST, err));
    dl_wh_bind_str(st, 0, w->table->dataset->topic);
    dl_wh_bind_int(st, 1, row->coord.generation);
    dl_wh_bind_int(st, 2, row->coord.partition);
    dl_wh_bind_int(st, 3, row->coord.offset);
    dl_wh_bind_int(st, 4, revision);
    dl_wh_bind_time(st, 5, second);
    bind_text(st, 6, row->user_id, NULL);
    bind_text(st, 7, row->product_id, NULL);
    bind_text(st, 8, currency, "");
    bind_text(st, 9, row->type, "unknown");
    bind_text(st, 10, row->status, "");
    bind_text(st, 11, row->category, "unknown");
    dl_wh_bind_decimal(st, 12, (dl_decimal){row->sums.base});
    dl_wh_bind_int(st, 13, row->sums.unconverted);
    return dl_wh_run(st, err);
}

static dl_status day_write(day_work *w, dlc_spend_writer *writer, dl_error *err)
{
    const late_row *late;

    DL_TRY(marks_lock(w, err));
    DL_TRY(rows_look(w, err));
    DL_TRY(rows_convert(w, err));
    late = (const late_row *)w->late->elts;
    for (int i = 0; i < w->late->nelts; i++) {
        DL_TRY(late_write(w, dl_wh_rates_loaded(w->rates), &late[i].row, err));
    }
    return dlc_spend_write(writer, w->spend, err);
}

/* Convert the day of W, once. */
static dl_status day_try(day_work *w, dlc_spend_writer *writer, dl_error *err)
{
    dl_status status = dl_wh_begin(w->wh, err);

    if (status != DL_OK) {
        return status;
    }
    apr_pool_clear(w->pool);
    w->marks = apr_array_make(w->pool, 16, sizeof(watermark));
    w->late = apr_array_make(w->pool, 16, sizeof(late_row));
    w->changed = apr_array_make(w->pool, 16, 4);
    w->spend = dlc_spend_create();
    w->rows = 0;
    status = transaction_end(w->wh, day_write(w, writer, err), err);
    dlc_spend_destroy(w->spend);
    return status;
}

/* --- All days --------------------------------------------------------------
 */

/* Set *DAY to the next day from FROM on that has rows; DL_DAY_NONE: none. */
static dl_status day_next(dl_day *day, dl_wh *wh, const dlc_wh_table *table,
                          dl_day from, dl_error *err)
{
    dl_wh_stmt *st;
    bool more;

    *day = DL_DAY_NONE;
    DL_TRY(dl_wh_prepare(&st, wh, table->sql_rate_day, err));
    dl_wh_bind_time(st, 0, dl_day_start(from));
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    if (more) {
        *day = dl_wh_day(st, 0);
    }
    dl_wh_finish(st);
    return DL_OK;
}

static dl_status table_convert(dlc_rates_done *done, day_work *w,
                               dlc_spend_writer *writer, dl_day from,
                               dl_error *err)
{
    for (;;) {
        dl_status status = DL_RETRY;

        DL_TRY(day_next(&w->day, w->wh, w->table, from, err));
        if (w->day == DL_DAY_NONE) {
            return DL_OK;
        }
        for (int i = 0; status == DL_RETRY && i < TRIES; i++) {
            status = day_try(w, writer, err);
        }
        DL_TRY(status);
        done->days += w->rows > 0 ? 1 : 0;
        done->rows += w->rows;
        from = w->day + 1;
    }
}

dl_status dlc_rates_apply(dlc_rates_done *done, struct dl_wh *wh,
                          const dlc_rates_load *load, dl_error *err,
                          apr_pool_t *pool)
{
    dlc_spend_writer *writer = dlc_spend_writer_create(wh, pool);
    day_work w = {.wh = wh};
    dl_day from = DL_DAY_NONE;
    dl_wh_rates *rates;

    memset(done, 0, sizeof *done);
    DL_TRY(rates_check(load, err));
    DL_TRY(store(wh, load, err));
    done->rates = load->n;
    for (int i = 0; i < load->n; i++) {
        if (strcmp(load->rates[i].base, load->base) == 0 &&
            (from == DL_DAY_NONE || load->rates[i].from < from)) {
            from = load->rates[i].from;
        }
    }
    if (from == DL_DAY_NONE) {
        return DL_OK;
    }
    DL_TRY(dl_wh_rates_load(&rates, wh, load->base, err, pool));
    w.rates = rates;
    if (apr_pool_create(&w.pool, pool) != APR_SUCCESS) {
        return dl_fail(err, DL_INTERNAL, 0, "no memory");
    }
    for (int i = 0; i < load->set->n; i++) {
        if (has_spend(load->set->datasets[i])) {
            DL_TRY(dlc_wh_table_load(&w.table, wh, load->set->datasets[i], err,
                                     pool));
            DL_TRY(table_convert(done, &w, writer, from, err));
        }
    }
    return DL_OK;
}
