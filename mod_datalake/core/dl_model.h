/* dl_model.h - A trained model: reading, checking, asking and writing one
 * (MODEL.md).
 *
 * Reading checks everything, so that asking need not: whatever bytes a file
 * has, a model that was read gives an answer after a bounded number of steps.
 *
 * Thread: a model that was read never changes, any thread may ask it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_MODEL_H
#define DL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_error.h"
#include "dl_feature.h"

struct dl_lake_bytes;

/* Room for the id of a model, a UUID, and its NUL. */
#define DL_MODEL_ID 37

/* Most bytes of a file, trees, nodes, rates. */
#define DL_MODEL_BYTES ((size_t)80 * 1048576)
#define DL_MODEL_TREES 10000
#define DL_MODEL_NODES 4000000
#define DL_MODEL_RATES 500000

/* Most bytes of the details. */
#define DL_MODEL_DETAILS 65535

/* The split of a leaf, and the bit of a missing value that goes left. */
#define DL_MODEL_LEAF UINT32_C(0xffffffff)
#define DL_MODEL_LEFT UINT32_C(0x80000000)

/* One node. */
typedef struct dl_model_node {
    uint32_t split; /* DL_MODEL_LEAF, or the column and DL_MODEL_LEFT */
    float value;    /* of a leaf: what it adds; else the bound */
    uint32_t left;  /* for values below the bound; from the tree's first */
    uint32_t right; /* for the others */
} dl_model_node;

/* What a currency was worth. */
typedef struct dl_model_rate {
    char currency[3]; /* three capital letters */
    dl_day from;      /* first day it is valid for */
    dl_decimal rate;  /* base amount of 1 */
} dl_model_rate;

/* A model.  All of it lives in the pool it was read into. */
typedef struct dl_model {
    char id[DL_MODEL_ID];       /* UUID */
    dl_target target;           /* what it predicts */
    uint32_t version;           /* of this target, from 1 */
    float base;                 /* what each sum begins with */
    dl_feature_layout layout;   /* its inputs */
    char currency[4];           /* the base currency */
    uint32_t n_rates;           /* rates */
    const dl_model_rate *rates; /* by currency, then day */
    uint32_t n_trees;           /* trees */
    const uint32_t *sizes;      /* nodes of each */
    const dl_model_node *nodes; /* of all, one tree behind another */
    const char *details;        /* JSON; ends with a NUL */
    size_t details_len;         /* its bytes */
} dl_model;

/* An answer. */
typedef struct dl_prediction {
    float margin;      /* the sum */
    float probability; /* of target completed; 0 with others */
    bool is_true;      /* likewise: probability >= 0.5 */
} dl_prediction;

/* Set *MODEL to the one in the LEN bytes at DATA, which have to live as long;
 * it lives in RESULT_POOL.  DL_CORRUPT: they are none.  Thread: the pool's. */
DL_MUSTCHECK dl_status dl_model_parse(const dl_model **model, const void *data,
                                      size_t len, dl_error *err,
                                      apr_pool_t *result_pool);

/* Add the file of MODEL to OUT. */
void dl_model_format(struct dl_lake_bytes *out, const dl_model *model);

/* Set *AMOUNT to AMOUNT of the currency named by CURRENCY in MODEL's base
 * currency, at the rate of DAY (DL_DAY_NONE: the newest one); false: no rate,
 * or it is too large. */
bool dl_model_convert(dl_decimal *out, const dl_model *model, dl_decimal amount,
                      dl_feature_value currency, dl_day day);

/* Return what the trees of MODEL say about COLUMNS (dl_feature_fill). */
float dl_model_margin(const dl_model *model, const float *columns);

/* Return the probability that belongs to MARGIN. */
float dl_model_probability(float margin);

/* Set *OUT to what MODEL says about ROW. */
void dl_model_predict(dl_prediction *out, const dl_model *model,
                      const dl_feature_row *row);

#endif
