/* dlc_train_read.c - Days, lines, records, rows.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_train_read.h"

#include <math.h>
#include <string.h>

#include "dl_dataset.h"
#include "dl_lake_reader.h"
#include "dl_record.h"

/* The dataset of transactions. */
#define DATASET "transaction_log"

/* Lines between two looks at who wants us to stop. */
#define LOOK_LINES 4096

/* Where the members of a transaction are in its declaration. */
typedef struct members {
    int id, timestamp, amount, status, quantity, rating;
    int text[DL_FEATURE_TEXTS];
} members;

/* One reading. */
typedef struct reader {
    const dlc_train_reading *what; /* the caller's */
    dlc_train_rows *rows;          /* where they go */
    dl_judge *judge;               /* takes lines apart */
    members at;                    /* which member is which */
    int64_t lines;                 /* read until now */
} reader;

static dl_status find_members(members *at, const dl_dataset *ds, dl_error *err)
{
    static const char *const texts[] = {"currency", "transaction_type",
                                        "payment_method", "product_category",
                                        "location.country"};
    int least;

    at->id = least = dl_dataset_field(ds, "transaction_id");
    at->timestamp = ds->time_field;
    at->amount = dl_dataset_field(ds, "amount");
    at->status = dl_dataset_field(ds, "status");
    at->quantity = dl_dataset_field(ds, "quantity");
    at->rating = dl_dataset_field(ds, "customer_rating");
    for (int i = 0; i < DL_FEATURE_TEXTS; i++) {
        at->text[i] = dl_dataset_field(ds, texts[i]);
        least = at->text[i] < least ? at->text[i] : least;
    }
    if (least < 0 || at->amount < 0 || at->status < 0 || at->quantity < 0 ||
        at->rating < 0) {
        return dl_fail(err, DL_INVALID, 0,
                       "%s is not declared with the fields of a transaction",
                       ds->name);
    }
    return DL_OK;
}

/* --- A line --------------------------------------------------------------- */

static void set_numbers(dlc_train_row *row, const reader *r,
                        const dl_record *rec)
{
    const dl_json_slice *timestamp = &rec->field[r->at.timestamp];
    dl_feature_row numbers;
    dl_feature_value currency = {.text = NULL};
    dl_decimal amount;
    int64_t whole;

    dl_feature_clear(&numbers);
    if (timestamp->kind != DL_JSON_ABSENT && timestamp->kind != DL_JSON_NULL) {
        dl_feature_set_time(&numbers, rec->event_time);
    }
    if (dl_record_int(&whole, rec, r->at.quantity)) {
        numbers.number[DL_FEATURE_QUANTITY] = (float)whole;
    }
    if (dl_record_int(&whole, rec, r->at.rating)) {
        numbers.number[DL_FEATURE_RATING] = (float)whole;
    }
    if (dl_record_decimal(&amount, rec, r->at.amount) &&
        dl_record_text(&currency.text, &currency.len, rec,
                       r->at.text[DL_FEATURE_CURRENCY]) &&
        dl_model_convert(&amount, r->what->rates, amount, currency, rec->day)) {
        numbers.number[DL_FEATURE_AMOUNT] = dl_feature_decimal(amount);
    }
    memcpy(row->number, numbers.number, sizeof row->number);
}

static void set_texts(dlc_train_row *row, reader *r, const dl_record *rec)
{
    dl_feature_value value;

    for (int i = 0; i < DL_FEATURE_TEXTS; i++) {
        row->word[i] = DLC_TRAIN_MISSING;
        if (dl_record_text(&value.text, &value.len, rec, r->at.text[i])) {
            row->word[i] = dlc_train_rows_word(r->rows, i, value);
        }
    }
    row->status = DLC_TRAIN_NO_STATUS;
    if (dl_record_text(&value.text, &value.len, rec, r->at.status)) {
        row->status = value.len == strlen("completed") &&
                              memcmp(value.text, "completed", value.len) == 0
                          ? DLC_TRAIN_COMPLETED
                          : DLC_TRAIN_NOT_COMPLETED;
    }
}

static void take_line(reader *r, const dl_lake_line *line)
{
    dlc_train_row row;
    dl_record rec;
    const char *id;
    size_t len;

    dl_record_judge(&rec, r->judge, line->text, line->len, line->coord.time);
    if (rec.verdict != DL_RECORD_GOOD ||
        !dl_record_text(&id, &len, &rec, r->at.id)) {
        return;
    }
    memset(&row, 0, sizeof row);
    dlc_train_row_name(&row, id, len);
    if (!dlc_train_rows_wants(r->rows, &row)) {
        return;
    }
    row.coord = line->coord;
    set_numbers(&row, r, &rec);
    set_texts(&row, r, &rec);
    dlc_train_rows_add(r->rows, &row);
}

/* --- Days ----------------------------------------------------------------- */

/* Whether to leave off; says how far it is. */
static bool stops(const reader *r)
{
    r->what->progress(r->what->context, r->lines);
    return r->what->stop(r->what->context);
}

static dl_status read_day(reader *r, dl_day day, dl_error *err,
                          apr_pool_t *pool)
{
    dl_lake_range range = {
        .day = day, .as_of = r->what->as_of, .with_coords = true};
    dl_lake_scan *scan;
    dl_lake_line line;
    dl_status status =
        dl_lake_scan_open(&scan, r->what->snap, &range, err, pool);

    if (status == DL_NOT_FOUND) { /* it began later */
        return DL_OK;
    }
    DL_TRY(status);
    for (;;) {
        DL_TRY(dl_lake_scan_next(&line, scan, err));
        if (line.text == NULL) {
            return DL_OK;
        }
        take_line(r, &line);
        if (++r->lines % LOOK_LINES == 0 && stops(r)) {
            return DL_OK;
        }
    }
}

static dl_status read_days(reader *r, dl_error *err, apr_pool_t *pool)
{
    int n = dl_lake_days(r->what->snap);
    apr_pool_t *iterpool;
    dl_status status = DL_OK;

    apr_pool_create(&iterpool, pool);
    for (int i = 0; i < n && status == DL_OK && !stops(r); i++) {
        dl_day day = dl_lake_day_at(r->what->snap, i)->day;

        apr_pool_clear(iterpool);
        if (r->what->only == DL_DAY_NONE || r->what->only == day) {
            status = read_day(r, day, err, iterpool);
        }
    }
    apr_pool_destroy(iterpool);
    return status;
}

dl_status dlc_train_read(dlc_train_rows *rows, const dlc_train_reading *reading,
                         dl_error *err, apr_pool_t *scratch_pool)
{
    reader r = {.what = reading, .rows = rows};
    dl_dataset_set *set;
    const dl_dataset *ds;

    DL_TRY(dl_dataset_load_all(&set, reading->cfg, err, scratch_pool));
    ds = dl_dataset_find(set, DATASET);
    if (ds == NULL) {
        return dl_fail(err, DL_INVALID, 0, "there is no dataset " DATASET);
    }
    DL_TRY(find_members(&r.at, ds, err));
    r.judge = dl_judge_create(ds, scratch_pool);
    return read_days(&r, err, scratch_pool);
}
