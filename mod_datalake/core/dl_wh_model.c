/* dl_wh_model.c - Rows of table model, and asking for one more.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_wh_model.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>

#include "dl_statements.h"

/* Later than any model (9999-12-31), and behind any id. */
#define FOREVER INT64_C(253402214400000000)
#define LAST_ID "~"

/* Columns of every statement that reads models. */
enum model_column {
    COLUMN_ID,
    COLUMN_TARGET,
    COLUMN_VERSION,
    COLUMN_ALGORITHM,
    COLUMN_TRAINED_AT,
    COLUMN_N_TRAIN,
    COLUMN_N_TEST,
    COLUMN_METRICS,
    COLUMN_DETAILS,
    COLUMN_LAKE_VERSION
};

static void read_row(dl_model_row *row, const dl_wh_stmt *st)
{
    row->id = dl_wh_text(st, COLUMN_ID, NULL);
    row->target = dl_wh_text(st, COLUMN_TARGET, NULL);
    row->version = dl_wh_int(st, COLUMN_VERSION);
    row->algorithm = dl_wh_text(st, COLUMN_ALGORITHM, NULL);
    row->trained_at = dl_wh_time(st, COLUMN_TRAINED_AT);
    row->n_train = dl_wh_int(st, COLUMN_N_TRAIN);
    row->n_test = dl_wh_int(st, COLUMN_N_TEST);
    row->metrics = dl_wh_text(st, COLUMN_METRICS, NULL);
    row->details = dl_wh_text(st, COLUMN_DETAILS, NULL);
    row->lake_version = dl_wh_text(st, COLUMN_LAKE_VERSION, NULL);
}

/* Run ST and call EACH with its rows; set *N to how many there were. */
static dl_status read_rows(int *n, dl_wh_stmt *st, dl_model_each *each,
                           void *context, dl_error *err)
{
    bool more = false;
    dl_model_row row;

    *n = 0;
    DL_TRY(dl_wh_run(st, err));
    for (;;) {
        DL_TRY(dl_wh_fetch(&more, st, err));
        if (!more) {
            return DL_OK;
        }
        read_row(&row, st);
        ++*n;
        DL_TRY(each(context, &row, err));
    }
}

dl_status dl_wh_model_read(dl_wh *wh, const dl_model_page *page,
                           dl_model_each *each, void *context, dl_error *err)
{
    bool first = page->before == DL_TIME_NONE;
    dl_time before = first ? FOREVER : page->before;
    dl_wh_stmt *st;
    int n;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_MODEL_PAGE, err));
    dl_wh_bind_time(st, 0, before);
    dl_wh_bind_time(st, 1, before);
    dl_wh_bind_str(st, 2, first ? LAST_ID : page->before_id);
    dl_wh_bind_int(st, 3, page->max);
    return read_rows(&n, st, each, context, err);
}

dl_status dl_wh_model_find(dl_wh *wh, const char *id, dl_model_each *each,
                           void *context, dl_error *err)
{
    dl_wh_stmt *st;
    int n;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_MODEL_FIND, err));
    dl_wh_bind_str(st, 0, id);
    DL_TRY(read_rows(&n, st, each, context, err));
    return n > 0 ? DL_OK
                 : dl_fail(err, DL_NOT_FOUND, 0, "there is no such model");
}

dl_status dl_wh_model_add(dl_wh *wh, const dl_model_row *row, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_MODEL_ADD, err));
    dl_wh_bind_str(st, COLUMN_ID, row->id);
    dl_wh_bind_str(st, COLUMN_TARGET, row->target);
    dl_wh_bind_int(st, COLUMN_VERSION, row->version);
    dl_wh_bind_str(st, COLUMN_ALGORITHM, row->algorithm);
    dl_wh_bind_time(st, COLUMN_TRAINED_AT, row->trained_at);
    dl_wh_bind_int(st, COLUMN_N_TRAIN, row->n_train);
    dl_wh_bind_int(st, COLUMN_N_TEST, row->n_test);
    dl_wh_bind_str(st, COLUMN_METRICS, row->metrics);
    dl_wh_bind_str(st, COLUMN_DETAILS, row->details);
    dl_wh_bind_str(st, COLUMN_LAKE_VERSION, row->lake_version);
    return dl_wh_run(st, err);
}

dl_status dl_wh_model_last(int64_t *version, dl_wh *wh, dl_target target,
                           dl_error *err)
{
    dl_wh_stmt *st;
    bool more = false;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_MODEL_LAST, err));
    dl_wh_bind_str(st, 0, dl_target_name(target));
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    *version = more ? dl_wh_int(st, 0) : 0;
    dl_wh_finish(st);
    return DL_OK;
}

void dl_wh_model_write(dl_json_writer *w, const dl_model_row *row, bool current)
{
    dl_json_write_object_begin(w);
    dl_json_write_key(w, "id");
    dl_json_write_text(w, row->id);
    dl_json_write_key(w, "target");
    dl_json_write_text(w, row->target);
    dl_json_write_key(w, "version");
    dl_json_write_int(w, row->version);
    dl_json_write_key(w, "algorithm");
    dl_json_write_text(w, row->algorithm);
    dl_json_write_key(w, "trained_at");
    dl_json_write_time(w, row->trained_at);
    dl_json_write_key(w, "n_train");
    dl_json_write_int(w, row->n_train);
    dl_json_write_key(w, "n_test");
    dl_json_write_int(w, row->n_test);
    dl_json_write_key(w, "metrics");
    dl_json_write_raw(w, row->metrics, strlen(row->metrics));
    dl_json_write_key(w, "lake_version");
    dl_json_write_text(w, row->lake_version);
    dl_json_write_key(w, "current");
    dl_json_write_bool(w, current);
    dl_json_write_object_end(w);
}

/* --- Asking for a training ------------------------------------------------ */

/* Run ST, which names a row at most, and copy its text to OUT, of DL_JOB_ID
 * bytes; "": none. */
static dl_status read_id(char *out, dl_wh_stmt *st, dl_error *err)
{
    bool more = false;

    out[0] = '\0';
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    if (more) {
        DL_TRY(dl_wh_copy_text(out, DL_JOB_ID, st, 0, err));
    }
    dl_wh_finish(st);
    return DL_OK;
}

dl_status dl_wh_train(dl_wh *wh, dl_train_call *call, dl_error *err,
                      apr_pool_t *scratch_pool)
{
    const char *target = dl_target_name(call->target);
    const char *begins =
        apr_psprintf(scratch_pool, "{\"target\":\"%s\",", target);
    char locked[DL_JOB_ID];
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_MODEL_LOCK, err));
    dl_wh_bind_str(st, 0, target);
    DL_TRY(read_id(locked, st, err));
    DL_TRY(dl_wh_prepare(&st, wh, STMT_MODEL_TRAINING, err));
    dl_wh_bind_str(st, 0, apr_pstrcat(scratch_pool, begins, "%", NULL));
    DL_TRY(read_id(call->running, st, err));
    if (call->running[0] != '\0') {
        return dl_fail(err, DL_BUSY, 0, "a training of %s is under way",
                       target);
    }
    call->job.kind = DL_TRAIN_KIND;
    call->job.parameters = apr_psprintf(scratch_pool, "%s\"resource\":\"%s\"}",
                                        begins, call->resource);
    return dl_job_add(wh, &call->job, err);
}

/* --- Rates ---------------------------------------------------------------- */

/* Put the row ST stands on behind ROWS; one of a currency that is not three
 * capital letters is left out. */
static void take_rate(apr_array_header_t *rows, const dl_wh_stmt *st)
{
    size_t len;
    const char *currency = dl_wh_text(st, 0, &len);
    dl_model_rate *rate;

    if (len != 3 || strspn(currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 3) {
        return;
    }
    rate = apr_array_push(rows);
    memcpy(rate->currency, currency, 3);
    rate->from = dl_wh_day(st, 1);
    rate->rate = dl_wh_decimal(st, 2);
}

dl_status dl_wh_model_rates(dl_model *model, dl_wh *wh, const char *base,
                            dl_error *err, apr_pool_t *pool)
{
    apr_array_header_t *rows = apr_array_make(pool, 64, sizeof(dl_model_rate));
    dl_wh_stmt *st;
    bool more;

    apr_cpystrn(model->currency, base, sizeof model->currency);
    DL_TRY(dl_wh_prepare(&st, wh, STMT_RATES, err));
    dl_wh_bind_str(st, 0, base);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more) {
        if (rows->nelts >= DL_MODEL_RATES) {
            return dl_fail(err, DL_LIMIT, 0,
                           "a model holds at most %d exchange rates",
                           DL_MODEL_RATES);
        }
        take_rate(rows, st);
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    model->n_rates = (uint32_t)rows->nelts;
    model->rates = (const dl_model_rate *)rows->elts;
    return DL_OK;
}
