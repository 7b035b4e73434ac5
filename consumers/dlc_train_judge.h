/* dlc_train_judge.h - How good a model is on rows it did not learn from.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_TRAIN_JUDGE_H
#define DLC_TRAIN_JUDGE_H

#include <stddef.h>

#include <apr_pools.h>

#include "dl_feature.h"
#include "dl_json_write.h"

/* What a model said about the rows of the test set, and what was true. */
typedef struct dlc_train_answers {
    size_t n;             /* rows */
    const float *said;    /* probabilities, or amounts */
    const float *truth;   /* 0 and 1, or amounts */
    double baseline_mean; /* of the rows that were learned from: what says so
                             of every row (amounts), or at least half of them
                             (the class) is the baseline */
} dlc_train_answers;

/* Write the metrics of ANSWERS of TARGET (contract 3.5) as an object to W; one
 * that cannot be computed is null.  Thread: the owner. */
void dlc_train_judge(dl_json_writer *w, dl_target target,
                     const dlc_train_answers *answers,
                     apr_pool_t *scratch_pool);

#endif
