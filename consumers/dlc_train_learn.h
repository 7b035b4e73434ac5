/* dlc_train_learn.h - From the rows of a training to a model and its details.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_TRAIN_LEARN_H
#define DLC_TRAIN_LEARN_H

#include <stdbool.h>

#include <apr_pools.h>

#include "dl_error.h"
#include "dl_model.h"
#include "dlc_boost.h"
#include "dlc_train_rows.h"

/* Rows that can be used, at least. */
#define DLC_TRAIN_ROWS_LEAST 50

/* What a model is made of. */
typedef struct dlc_train_lesson {
    const dlc_train_rows *rows;             /* the transactions */
    int threads;                            /* at work */
    const char *lake_version;               /* where they came from */
    dl_time now;                            /* when it is trained */
    void *context;                          /* first argument of ROUND */
    bool (*round)(void *context, int done); /* so many rounds are done; false:
                                               leave off */
} dlc_train_lesson;

/* What came of it. */
typedef struct dlc_train_learned {
    bool whole;          /* false: it was left off, the rest means nothing */
    size_t n_train;      /* rows it learned from */
    size_t n_test;       /* rows it was judged by */
    const char *metrics; /* JSON */
    dlc_boosted boosted; /* as XGBoost has it */
} dlc_train_learned;

/* Complete MODEL, whose id, target, version and rates are set, by LESSON, and
 * fill OUT; what is made lives in POOL.  DL_NOT_FOUND: there is not enough to
 * learn from; DL_INTERNAL: XGBoost failed.  Thread: the owner of the rows. */
DL_MUSTCHECK dl_status dlc_train_learn(dlc_train_learned *out, dl_model *model,
                                       const dlc_train_lesson *lesson,
                                       dl_error *err, apr_pool_t *pool);

#endif
