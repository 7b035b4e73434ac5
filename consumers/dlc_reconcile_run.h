/* dlc_reconcile_run.h - The run of the schedule "reconcile": every topic is
 * compared; a run that finds something wrong fails.
 *
 * So the alarm is the metric schedule_last_success_timestamp_seconds of this
 * schedule: it stands still from the first run that finds a record missing,
 * double or refused, until one finds none.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_RECONCILE_RUN_H
#define DLC_RECONCILE_RUN_H

#include "dlc_work.h"

/* Do it, as a dlc_work_run.  A topic that does not exist yet is passed over;
 * a lake that cannot be read, or a record that is not where it belongs, fails
 * the run when all topics were looked at. */
DL_MUSTCHECK dl_status dlc_reconcile_run(dlc_work *work,
                                         dlc_work_outcome *outcome,
                                         dl_error *err,
                                         apr_pool_t *scratch_pool);

#endif
