/* dlc_schedule.h - Runs of schedules: when they are due, and what they do.
 *
 *   compact     joins the parts of past days of every dataset
 *   reconcile   compares broker, lake and warehouse of every topic
 *   retention   removes jobs that ended more than 30 days ago
 *
 * A run that was missed because nothing ran is caught up once, at the start.
 *
 * Thread: dlc_schedule_tick the keeper's, dlc_schedule_run a place's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_SCHEDULE_H
#define DLC_SCHEDULE_H

#include "dlc_work.h"

/* Start the runs that are due; a dlc_work_tick. */
DL_MUSTCHECK dl_status dlc_schedule_tick(dl_wh *wh, const dl_config *cfg,
                                         dl_error *err,
                                         apr_pool_t *scratch_pool);

/* Do the run whose job WORK is; a dlc_work_run. */
DL_MUSTCHECK dl_status dlc_schedule_run(dlc_work *work,
                                        dlc_work_outcome *outcome,
                                        dl_error *err,
                                        apr_pool_t *scratch_pool);

/* Record the end of a run; a dlc_work_ended. */
DL_MUSTCHECK dl_status dlc_schedule_ended(dl_wh *wh, const dl_job_claim *claim,
                                          const dl_job_end *end, dl_time now,
                                          dl_error *err);

#endif
