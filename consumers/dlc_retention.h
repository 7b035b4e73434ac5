/* dlc_retention.h - What is kept for how long, and what goes (contract 13).
 *
 * Days of the lake and rows of their tables by [retention]; jobs, dead
 * letters, audit entries and kept answers by age; accounts that nobody used
 * are deleted, softly.  A dry run tells the same and changes nothing.
 *
 * Thread: one.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_RETENTION_H
#define DLC_RETENTION_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_config.h"
#include "dl_dataset.h"
#include "dl_wh.h"
#include "dlc_work.h"

/* Something that goes. */
typedef struct dlc_retention_item {
    const char *what; /* "lake day", "rows", "jobs", ... */
    const char *of;   /* which: dataset/date, a table; "" */
    uint64_t records; /* how many records, rows, accounts */
} dlc_retention_item;

/* A run. */
typedef struct dlc_retention {
    const dl_config *cfg;        /* [lake], [retention], [erasure] */
    const dl_dataset_set *set;   /* datasets with tables */
    dl_wh *wh;                   /* of role JOBS */
    dl_time now;                 /* when it is */
    bool dry_run;                /* change nothing */
    void *context;               /* first argument of both functions */
    bool (*stop)(void *context); /* whether to leave off; or NULL */
    void (*told)(void *context,
                 const dlc_retention_item *item); /* of all that goes */
} dlc_retention;

/* Remove what RUN says was kept for long enough.  What fails leaves the rest
 * to the next run. */
DL_MUSTCHECK dl_status dlc_retention_remove(const dlc_retention *run,
                                            dl_error *err,
                                            apr_pool_t *scratch_pool);

/* Delete the accounts that nobody used for [erasure] inactivity; the last
 * active admin is spared. */
DL_MUSTCHECK dl_status dlc_retention_accounts(const dlc_retention *run,
                                              dl_error *err,
                                              apr_pool_t *scratch_pool);

/* The schedule "retention", a dlc_work_run. */
dl_status dlc_retention_run(dlc_work *work, dlc_work_outcome *outcome,
                            dl_error *err, apr_pool_t *scratch_pool);

/* The schedule "inactive-accounts", a dlc_work_run. */
dl_status dlc_inactive_run(dlc_work *work, dlc_work_outcome *outcome,
                           dl_error *err, apr_pool_t *scratch_pool);

#endif
