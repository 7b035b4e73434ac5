/* dlc_train_judge.c - Accuracy, AUC, logarithmic loss; errors and R2.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_train_judge.h"

#include <math.h>
#include <stdlib.h>

/* Digits of a metric. */
#define DIGITS 6

/* A probability of 0 or 1 would cost infinitely much when it is wrong. */
#define CERTAIN 1e-15

static void put(dl_json_writer *w, const char *name, double value)
{
    dl_json_write_key(w, name);
    dl_json_write_number(w, value, DIGITS);
}

/* A row of the test set, for sorting. */
typedef struct judged {
    float said, truth;
} judged;

static int compare_said(const void *a, const void *b)
{
    float x = ((const judged *)a)->said;
    float y = ((const judged *)b)->said;

    return (x > y) - (x < y);
}

/* The chance that a row that is true was given more than one that is not;
 * equal ones count half.  NaN: there are rows of one kind only. */
static double area(const dlc_train_answers *answers, apr_pool_t *pool)
{
    judged *rows = apr_palloc(pool, (answers->n + 1) * sizeof *rows);
    double before = 0; /* rows that are false, said to be less */
    double sum = 0;
    double trues = 0;

    for (size_t i = 0; i < answers->n; i++) {
        rows[i] = (judged){answers->said[i], answers->truth[i]};
    }
    qsort(rows, answers->n, sizeof *rows, compare_said);
    for (size_t i = 0; i < answers->n;) {
        double equal_trues = 0;
        double equal_falses = 0;
        float said = rows[i].said;

        for (; i < answers->n && rows[i].said == said; i++) {
            equal_trues += (double)rows[i].truth;
            equal_falses += 1 - (double)rows[i].truth;
        }
        sum += equal_trues * (before + equal_falses / 2);
        before += equal_falses;
        trues += equal_trues;
    }
    return trues > 0 && before > 0 ? sum / (trues * before) : NAN;
}

static void judge_classes(dl_json_writer *w, const dlc_train_answers *answers,
                          apr_pool_t *pool)
{
    double n = answers->n > 0 ? (double)answers->n : NAN;
    double baseline = answers->baseline_mean >= 0.5 ? 1 : 0;
    double right = 0;
    double baseline_right = 0;
    double loss = 0;

    for (size_t i = 0; i < answers->n; i++) {
        double said = (double)answers->said[i];
        double truth = (double)answers->truth[i];
        double p = truth > 0.5 ? said : 1 - said;

        right += (said >= 0.5) == (truth > 0.5) ? 1 : 0;
        baseline_right += truth == baseline ? 1 : 0;
        loss -= log(p < CERTAIN ? CERTAIN : p);
    }
    put(w, "accuracy", right / n);
    put(w, "baseline_accuracy", baseline_right / n);
    put(w, "auc", area(answers, pool));
    put(w, "logloss", loss / n);
}

static void judge_amounts(dl_json_writer *w, const dlc_train_answers *answers)
{
    double n = answers->n > 0 ? (double)answers->n : NAN;
    double squares = 0;
    double baseline_squares = 0;
    double absolutes = 0;
    double sum = 0;
    double spread = 0;

    for (size_t i = 0; i < answers->n; i++) {
        double truth = (double)answers->truth[i];
        double off = (double)answers->said[i] - truth;

        squares += off * off;
        absolutes += fabs(off);
        baseline_squares +=
            (answers->baseline_mean - truth) * (answers->baseline_mean - truth);
        sum += truth;
    }
    for (size_t i = 0; i < answers->n; i++) {
        double off = (double)answers->truth[i] - sum / n;

        spread += off * off;
    }
    put(w, "rmse", sqrt(squares / n));
    put(w, "baseline_rmse", sqrt(baseline_squares / n));
    put(w, "mae", absolutes / n);
    put(w, "r2", spread > 0 ? 1 - squares / spread : NAN);
}

void dlc_train_judge(dl_json_writer *w, dl_target target,
                     const dlc_train_answers *answers, apr_pool_t *scratch_pool)
{
    dl_json_write_object_begin(w);
    if (target == DL_TARGET_COMPLETED) {
        judge_classes(w, answers, scratch_pool);
    }
    else {
        judge_amounts(w, answers);
    }
    dl_json_write_object_end(w);
}
