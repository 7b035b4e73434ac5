/* dlc_repush_ledger.h - What a repush knows about itself: how far it is, and
 * what was sent.  Kept in the job's state, so that any attempt can go on.
 *
 * Thread: the job's, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_REPUSH_LEDGER_H
#define DLC_REPUSH_LEDGER_H

#include <stdint.h>

#include "dl_error.h"
#include "dl_time.h"
#include "dlc_work.h"

/* Room for a ledger as JSON. */
#define DLC_REPUSH_LEDGER_TEXT 512

/* A ledger.  Counts are of the windows that are over. */
typedef struct dlc_repush_ledger {
    dl_time as_of;   /* the pinned state */
    dl_time behind;  /* all that was committed up to here is done */
    dl_time to;      /* the window in hand ends here; equal: there is none */
    dl_time since;   /* no record of it was sent before this moment */
    int64_t lines;   /* looked at */
    int64_t sent;    /* confirmed by the broker */
    int64_t failed;  /* refused by it for good */
    int64_t matched; /* in a dry run: what would have been sent */
    int64_t replays; /* matches that a repush had sent */
    int64_t total;   /* lines in all */
} dlc_repush_ledger;

/* Set *LEDGER to what a former attempt of WORK has kept; all zero: there was
 * none.  DL_CORRUPT: it cannot be read. */
DL_MUSTCHECK dl_status dlc_repush_ledger_load(dlc_repush_ledger *ledger,
                                              const dlc_work *work,
                                              dl_error *err,
                                              apr_pool_t *scratch_pool);

/* Keep LEDGER as the state of WORK: it is in the database when this returns.
 * Failures as dl_job_tell and dlc_work_wh. */
DL_MUSTCHECK dl_status dlc_repush_ledger_keep(const dlc_repush_ledger *ledger,
                                              dlc_work *work, dl_error *err);

/* Write what came of LEDGER to OUTCOME. */
void dlc_repush_ledger_result(dlc_work_outcome *outcome,
                              const dlc_repush_ledger *ledger);

#endif
