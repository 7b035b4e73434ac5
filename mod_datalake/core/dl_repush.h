/* dl_repush.h - What a job "repush-all" is asked to do: its parameters as
 * JSON, and the query they make.
 *
 *   {"dry_run":false,"from":null,"to":null,"filter":{"country":"FR"},
 *    "rate":500,"replay_id":"0b7c..."}
 *
 * Thread: the pool's, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_REPUSH_H
#define DL_REPUSH_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_dataset.h"
#include "dl_error.h"
#include "dl_job.h"
#include "dl_query.h"
#include "dl_time.h"

/* The dataset that is sent again, and the kind of its jobs. */
#define DL_REPUSH_DATASET "transaction_log"
#define DL_REPUSH_KIND    "repush-all"

/* Longest filter, as JSON. */
#define DL_REPUSH_FILTER 32768

/* Records a second, unless somebody says another number, and at most. */
#define DL_REPUSH_RATE     500
#define DL_REPUSH_RATE_MAX 10000

/* What is asked. */
typedef struct dl_repush {
    bool dry_run;              /* count, send nothing */
    dl_time from, to;          /* event times: from FROM on, before TO;
                                   DL_TIME_NONE: no such bound */
    const char *filter;        /* a JSON object; NULL: none */
    int64_t rate;              /* records a second; 0: as fast as it goes */
    char replay_id[DL_JOB_ID]; /* of all its records */
} dl_repush;

/* Return ASKED as a JSON object, in POOL. */
const char *dl_repush_write(const dl_repush *asked, apr_pool_t *pool);

/* Set *ASKED to what TEXT says, in POOL.  DL_INVALID: it is none. */
DL_MUSTCHECK dl_status dl_repush_read(dl_repush *asked, const char *text,
                                      dl_error *err, apr_pool_t *pool);

/* What is wrong with a filter. */
typedef struct dl_repush_fault {
    const char *name;     /* of the filter, in the pool; NULL: the whole */
    dl_query_fault fault; /* why */
} dl_repush_fault;

/* Set *QUERY to what ASKED wants of DS, ready, in POOL.  DL_INVALID: as FAULT
 * says. */
DL_MUSTCHECK dl_status dl_repush_query(dl_query **query, const dl_repush *asked,
                                       const dl_dataset *ds,
                                       dl_repush_fault *fault,
                                       apr_pool_t *pool);

#endif
