/* dl_wh_model.h - Trained models and trainings in the warehouse.
 *
 * Table model says what was trained; which model is current is said by the
 * folder of models alone (dl_model_store.h), so that both cannot differ.
 *
 * Thread: the connection's, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_WH_MODEL_H
#define DL_WH_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_job.h"
#include "dl_json_write.h"
#include "dl_model.h"
#include "dl_wh.h"

/* The kind of the jobs that train. */
#define DL_TRAIN_KIND "train"

/* One row of table model.  Texts live in the statement and are dead after the
 * call that got them. */
typedef struct dl_model_row {
    const char *id;           /* UUID */
    const char *target;       /* name of what it predicts */
    int64_t version;          /* among those of its target, from 1 */
    const char *algorithm;    /* xgboost */
    dl_time trained_at;       /* when */
    int64_t n_train;          /* rows it learned from */
    int64_t n_test;           /* rows it was judged by */
    const char *metrics;      /* how good it is, JSON */
    const char *details;      /* the result of its job, JSON */
    const char *lake_version; /* state of the lake it was made of */
} dl_model_row;

/* Receives one row; a return other than DL_OK ends the walk and is passed on.
 * It must not use the connection. */
typedef dl_status dl_model_each(void *context, const dl_model_row *row,
                                dl_error *err);

/* A page of models. */
typedef struct dl_model_page {
    dl_time before;        /* older than this; DL_TIME_NONE: the newest */
    const char *before_id; /* ... or as old, with an id before this one */
    int max;               /* at most so many */
} dl_model_page;

/* Call EACH with the models of PAGE, by time and id, both falling. */
DL_MUSTCHECK dl_status dl_wh_model_read(dl_wh *wh, const dl_model_page *page,
                                        dl_model_each *each, void *context,
                                        dl_error *err);

/* Call EACH with the model ID.  DL_NOT_FOUND: there is none. */
DL_MUSTCHECK dl_status dl_wh_model_find(dl_wh *wh, const char *id,
                                        dl_model_each *each, void *context,
                                        dl_error *err);

/* Keep ROW.  DL_CONFLICT: it is there already, or its version is. */
DL_MUSTCHECK dl_status dl_wh_model_add(dl_wh *wh, const dl_model_row *row,
                                       dl_error *err);

/* Set *VERSION to the highest of TARGET, 0: none. */
DL_MUSTCHECK dl_status dl_wh_model_last(int64_t *version, dl_wh *wh,
                                        dl_target target, dl_error *err);

/* Write ROW as a member of GET /api/models/, with whether it is CURRENT. */
void dl_wh_model_write(dl_json_writer *w, const dl_model_row *row,
                       bool current);

/* A training that is asked for. */
typedef struct dl_train_call {
    dl_target target;     /* what is to be predicted */
    const char *resource; /* of which data: a dataset, or a day of one */
    dl_job_new job;       /* id, account and time; kind and parameters are set
                             by the call */
    char running[DL_JOB_ID]; /* set: the training under way, "": none */
} dl_train_call;

/* Queue the training of CALL, inside the caller's transaction.  DL_BUSY: one
 * of its target is not over, whose id is in call->running. */
DL_MUSTCHECK dl_status dl_wh_train(dl_wh *wh, dl_train_call *call,
                                   dl_error *err, apr_pool_t *scratch_pool);

/* Set the currency BASE and its rates in MODEL, in POOL.  DL_LIMIT: there are
 * more than DL_MODEL_RATES. */
DL_MUSTCHECK dl_status dl_wh_model_rates(dl_model *model, dl_wh *wh,
                                         const char *base, dl_error *err,
                                         apr_pool_t *pool);

#endif
