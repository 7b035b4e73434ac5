/* dlc_boost.h - Gradient boosting by XGBoost's library: the only file that
 * sees it is dlc_boost.c.
 *
 * 200 rounds of trees of depth 6, eta 0.1, by histograms, random start 0
 * (contract 3.5); a fixed number of threads, so that a second run on the same
 * rows gives the same trees.
 *
 * Memory: XGBoost keeps a number of 1 to 4 bytes for each row and column and
 * 16 bytes for each row; rows are asked for twice, some at a time.
 *
 * Thread: one at a time.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_BOOST_H
#define DLC_BOOST_H

#include <stdbool.h>
#include <stddef.h>

#include <apr_pools.h>

#include "dl_error.h"
#include "dl_feature.h"
#include "dl_model.h"

/* How often a tree is added. */
#define DLC_BOOST_ROUNDS 200

/* What is learned from. */
typedef struct dlc_boost_input {
    dl_target target; /* what to predict */
    size_t n;         /* rows */
    int columns;      /* of each */
    int threads;      /* at work */
    void *context;    /* first argument of the functions below */
    float (*fill)(void *context, size_t i, float *columns); /* set the columns
                         of row i (NaN: missing); returns what it should be */
    bool (*round)(void *context, int done); /* so many are done; false: leave
                                               off */
} dlc_boost_input;

/* What was learned. */
typedef struct dlc_boosted {
    bool whole;                      /* false: it was left off, the rest means
                                        nothing */
    double gain[DL_FEATURE_COLUMNS]; /* of each column, all splits together */
    const char *native;              /* as XGBoost writes it, JSON */
    size_t native_len;               /* bytes of it */
} dlc_boosted;

/* Learn from INPUT, and set base and trees of MODEL; they and OUT live in
 * POOL.  What the trees say about the first rows is compared with what XGBoost
 * says.  DL_INTERNAL: XGBoost failed, or both do not agree. */
DL_MUSTCHECK dl_status dlc_boost(dlc_boosted *out, dl_model *model,
                                 const dlc_boost_input *input, dl_error *err,
                                 apr_pool_t *pool);

#endif
