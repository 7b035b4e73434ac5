/* dlc_reconcile.h - Comparing broker, lake and warehouse: for datalakectl and
 * the schedule of that name.
 *
 * Thread: the caller's, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_RECONCILE_H
#define DLC_RECONCILE_H

#include "dl_dataset.h"
#include "dl_lake.h"
#include "dl_reconcile.h"
#include "dl_wh.h"

/* What is compared. */
typedef struct dlc_reconcile_ask {
    const dl_dataset *dataset; /* whose topic */
    dl_day date;               /* DL_DAY_NONE: all there is */
    dl_lake *lake;             /* where it is stored */
    const dl_broker *broker;   /* where it came from */
    dl_wh *wh;                 /* role JOBS; not looked at for a dataset that
                                  has no table */
} dlc_reconcile_ask;

/* Fill *RESULT with what ASK compares; the broker is asked for all gaps.
 * Fails as dl_reconcile_run, and as dl_wh_run. */
DL_MUSTCHECK dl_status dlc_reconcile(dl_reconcile *result,
                                     const dlc_reconcile_ask *ask,
                                     dl_error *err, apr_pool_t *result_pool);

#endif
