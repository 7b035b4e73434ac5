/* dlc_redrive.h - Jobs of kind redrive: dead letters are sent to their topics
 * again, as they were.
 *
 * In batches: taken in the database, read whole from the lake, sent, marked by
 * the broker's word.  Who is killed in between leaves some in doubt; whether
 * these were sent dlc_letters.h finds out, and the job, with whatever program,
 * waits for that before it ends.  So each is sent once.
 *
 * Thread: the one that runs the job.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_REDRIVE_H
#define DLC_REDRIVE_H

#include "dlc_work.h"

/* Do the job; a dlc_work_run. */
DL_MUSTCHECK dl_status dlc_redrive_run(dlc_work *work,
                                       dlc_work_outcome *outcome, dl_error *err,
                                       apr_pool_t *scratch_pool);

#endif
