/* dlc_train_learn.c - Which rows, which columns; what the model is worth.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_train_learn.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_json_write.h"
#include "dlc_train_judge.h"

/* What has been learned, in JSON: far less than this. */
#define DETAILS_MAX ((size_t)16384)

/* Digits of an importance. */
#define DIGITS 6

/* One lesson. */
typedef struct learner {
    const dlc_train_lesson *lesson;   /* the caller's */
    dl_model *model;                  /* being made */
    uint32_t *train;                  /* rows to learn from */
    size_t n_train;                   /* how many */
    uint32_t *test;                   /* rows to be judged by */
    size_t n_test;                    /* how many */
    double mean;                      /* of what the former should be */
    uint8_t *place[DL_FEATURE_TEXTS]; /* column of each word of a text */
    int first[DL_FEATURE_TEXTS];      /* first column of a text */
} learner;

/* --- Rows ----------------------------------------------------------------- */

/* What should be said of ROW; NaN: it cannot be used. */
static float truth_of(const learner *l, const dlc_train_row *row)
{
    if (l->model->target == DL_TARGET_AMOUNT) {
        return row->number[DL_FEATURE_AMOUNT];
    }
    return row->status == DLC_TRAIN_NO_STATUS ? NAN : (float)row->status;
}

static dl_status choose_rows(learner *l, dl_error *err, apr_pool_t *pool)
{
    size_t n = dlc_train_rows_count(l->lesson->rows);
    bool differ = false;
    float first = NAN;
    double sum = 0;

    l->train = apr_palloc(pool, (n + 1) * sizeof *l->train);
    l->test = apr_palloc(pool, (n + 1) * sizeof *l->test);
    for (size_t i = 0; i < n; i++) {
        const dlc_train_row *row = dlc_train_rows_at(l->lesson->rows, i);
        float truth = truth_of(l, row);

        if (isnan(truth)) {
            continue;
        }
        if (row->is_test) {
            l->test[l->n_test++] = (uint32_t)i;
            continue;
        }
        l->train[l->n_train++] = (uint32_t)i;
        sum += (double)truth;
        differ = differ || (!isnan(first) && truth != first);
        first = truth;
    }
    l->mean = l->n_train > 0 ? sum / (double)l->n_train : 0;
    if (l->n_train + l->n_test < DLC_TRAIN_ROWS_LEAST) {
        return dl_fail(err, DL_NOT_FOUND, 0,
                       "%zu transactions can be used, at least %d are needed",
                       l->n_train + l->n_test, DLC_TRAIN_ROWS_LEAST);
    }
    if (l->n_train == 0 ||
        (l->model->target == DL_TARGET_COMPLETED && !differ)) {
        return dl_fail(err, DL_NOT_FOUND, 0,
                       "all transactions to learn from are of one class");
    }
    return DL_OK;
}

/* --- Columns -------------------------------------------------------------- */

/* How often a word occurs. */
typedef struct counted {
    uint32_t n;
    int number;
    dl_feature_value value;
} counted;

/* The most frequent first; of equal ones the one that sorts first. */
static int compare_counted(const void *a, const void *b)
{
    const counted *x = a;
    const counted *y = b;
    size_t common = x->value.len < y->value.len ? x->value.len : y->value.len;
    int order;

    if (x->n != y->n) {
        return x->n < y->n ? 1 : -1;
    }
    order = memcmp(x->value.text, y->value.text, common);
    return order != 0
               ? order
               : (x->value.len > y->value.len) - (x->value.len < y->value.len);
}

/* Choose the columns of text I. */
static void choose_values(learner *l, int i, apr_pool_t *pool)
{
    const dlc_train_rows *rows = l->lesson->rows;
    dl_feature_layout *layout = &l->model->layout;
    int words = dlc_train_rows_words(rows, i);
    counted *count = apr_pcalloc(pool, ((size_t)words + 1) * sizeof *count);

    for (int word = 0; word < words; word++) {
        count[word].number = word + 1;
        count[word].value = dlc_train_rows_value(rows, i, word + 1);
    }
    for (size_t at = 0; at < l->n_train; at++) {
        uint16_t word = dlc_train_rows_at(rows, l->train[at])->word[i];

        if (word != DLC_TRAIN_MISSING && word != DLC_TRAIN_REST) {
            count[word - 1].n++;
        }
    }
    qsort(count, (size_t)words, sizeof *count, compare_counted);
    while (layout->n[i] < words && layout->n[i] < DL_FEATURE_VALUES &&
           count[layout->n[i]].n > 0) {
        layout->value[i][layout->n[i]] = count[layout->n[i]].value;
        layout->n[i]++;
    }
    l->place[i] = apr_palloc(pool, DLC_TRAIN_REST + 1);
    memset(l->place[i], layout->n[i], DLC_TRAIN_REST + 1);
    for (int at = 0; at < layout->n[i]; at++) {
        l->place[i][count[at].number] = (uint8_t)at;
    }
}

static void choose_columns(learner *l, apr_pool_t *pool)
{
    dl_feature_layout *layout = &l->model->layout;

    memset(layout, 0, sizeof *layout);
    layout->numbers = dl_target_numbers(l->model->target);
    for (int i = 0; i < DL_FEATURE_TEXTS; i++) {
        choose_values(l, i, pool);
    }
    for (int i = 0; i < DL_FEATURE_TEXTS; i++) {
        l->first[i] = dl_feature_first_column(layout, i);
    }
}

/* Fill COLUMNS from ROW, as dl_feature_fill does from texts. */
static void fill_columns(float *columns, const learner *l,
                         const dlc_train_row *row)
{
    const dl_feature_layout *layout = &l->model->layout;
    float *out = columns;

    for (int i = 0; i < DL_FEATURE_NUMBERS; i++) {
        if ((layout->numbers >> i & 1) != 0) {
            *out++ = row->number[i];
        }
    }
    for (int i = 0; i < DL_FEATURE_TEXTS; i++) {
        bool missing = row->word[i] == DLC_TRAIN_MISSING;

        out = columns + l->first[i];
        for (int value = 0; value <= layout->n[i]; value++) {
            out[value] = missing ? NAN : 0;
        }
        if (!missing) {
            out[l->place[i][row->word[i]]] = 1;
        }
    }
}

static float fill(void *context, size_t i, float *columns)
{
    const learner *l = context;
    const dlc_train_row *row = dlc_train_rows_at(l->lesson->rows, l->train[i]);

    fill_columns(columns, l, row);
    return truth_of(l, row);
}

static bool next_round(void *context, int round)
{
    const learner *l = context;

    return l->lesson->round(l->lesson->context, round);
}

/* --- What it is worth ----------------------------------------------------- */

static const char *judge(const learner *l, apr_pool_t *pool)
{
    dl_buf *buf = dl_buf_create(DETAILS_MAX, pool);
    float *said = apr_palloc(pool, (l->n_test + 1) * sizeof *said);
    float *truth = apr_palloc(pool, (l->n_test + 1) * sizeof *truth);
    dlc_train_answers answers = {l->n_test, said, truth, l->mean};
    dl_json_writer w;

    for (size_t i = 0; i < l->n_test; i++) {
        const dlc_train_row *row =
            dlc_train_rows_at(l->lesson->rows, l->test[i]);
        float columns[DL_FEATURE_COLUMNS];
        float margin;

        fill_columns(columns, l, row);
        margin = dl_model_margin(l->model, columns);
        said[i] = l->model->target == DL_TARGET_COMPLETED
                      ? dl_model_probability(margin)
                      : margin;
        truth[i] = truth_of(l, row);
    }
    dl_json_writer_begin(&w, buf);
    dlc_train_judge(&w, l->model->target, &answers, pool);
    return apr_pstrmemdup(pool, buf->data, buf->len);
}

/* Write the names of the inputs, with HOW much each of them explains, or
 * without (NULL). */
static void write_inputs(dl_json_writer *w, const learner *l, const double *how)
{
    const dl_feature_layout *layout = &l->model->layout;

    for (int i = 0; i < DL_FEATURE_NUMBERS + DL_FEATURE_TEXTS; i++) {
        const char *name = i < DL_FEATURE_NUMBERS
                               ? dl_feature_number_name(i)
                               : dl_feature_text_name(i - DL_FEATURE_NUMBERS);

        if (i < DL_FEATURE_NUMBERS && (layout->numbers >> i & 1) == 0) {
            continue;
        }
        if (how == NULL) {
            dl_json_write_text(w, name);
            continue;
        }
        dl_json_write_key(w, name);
        dl_json_write_number(w, how[i], DIGITS);
    }
}

/* Set SHARE to the part of all gain that each input has. */
static void share_gain(double *share, const learner *l, const double *gain)
{
    const dl_feature_layout *layout = &l->model->layout;
    int columns = dl_feature_columns(layout);
    int column = 0;
    double all = 0;

    for (int i = 0; i < columns; i++) {
        all += gain[i];
    }
    for (int i = 0; i < DL_FEATURE_NUMBERS + DL_FEATURE_TEXTS; i++) {
        int n = i < DL_FEATURE_NUMBERS ? (int)(layout->numbers >> i & 1)
                                       : layout->n[i - DL_FEATURE_NUMBERS] + 1;

        share[i] = 0;
        for (; n > 0; n--) {
            share[i] += all > 0 ? gain[column] / all : 0;
            column++;
        }
    }
}

/* Write what contract 3.5 calls details. */
static void write_details(dl_json_writer *w, const learner *l,
                          const dlc_train_learned *learned)
{
    double share[DL_FEATURE_NUMBERS + DL_FEATURE_TEXTS];

    share_gain(share, l, learned->boosted.gain);
    dl_json_write_object_begin(w);
    dl_json_write_key(w, "algorithm");
    dl_json_write_text(w, "xgboost");
    dl_json_write_key(w, "n_train");
    dl_json_write_int(w, (int64_t)l->n_train);
    dl_json_write_key(w, "n_test");
    dl_json_write_int(w, (int64_t)l->n_test);
    dl_json_write_key(w, "metrics");
    dl_json_write_raw(w, learned->metrics, strlen(learned->metrics));
    dl_json_write_key(w, "features");
    dl_json_write_array_begin(w);
    write_inputs(w, l, NULL);
    dl_json_write_array_end(w);
    dl_json_write_key(w, "importance");
    dl_json_write_object_begin(w);
    write_inputs(w, l, share);
    dl_json_write_object_end(w);
    dl_json_write_key(w, "trained_at");
    dl_json_write_time(w, l->lesson->now);
    dl_json_write_key(w, "version");
    dl_json_write_int(w, l->model->version);
    dl_json_write_key(w, "lake_version");
    dl_json_write_text(w, l->lesson->lake_version);
    dl_json_write_object_end(w);
}

dl_status dlc_train_learn(dlc_train_learned *out, dl_model *model,
                          const dlc_train_lesson *lesson, dl_error *err,
                          apr_pool_t *pool)
{
    learner l = {.lesson = lesson, .model = model};
    dlc_boost_input input = {.target = model->target,
                             .threads = lesson->threads,
                             .context = &l,
                             .fill = fill,
                             .round = next_round};
    dl_buf *buf = dl_buf_create(DETAILS_MAX, pool);
    dl_json_writer w;

    memset(out, 0, sizeof *out);
    DL_TRY(choose_rows(&l, err, pool));
    choose_columns(&l, pool);
    input.n = l.n_train;
    input.columns = dl_feature_columns(&model->layout);
    DL_TRY(dlc_boost(&out->boosted, model, &input, err, pool));
    if (!out->boosted.whole) {
        return DL_OK;
    }
    out->n_train = l.n_train;
    out->n_test = l.n_test;
    out->metrics = judge(&l, pool);
    dl_json_writer_begin(&w, buf);
    write_details(&w, &l, out);
    DL_TRY(dl_json_writer_finish(&w, err));
    model->details = apr_pstrmemdup(pool, buf->data, buf->len);
    model->details_len = buf->len;
    out->whole = true;
    return DL_OK;
}
