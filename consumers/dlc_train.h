/* dlc_train.h - The job that trains a model (contract 3.5).
 *
 * It pins a state of the lake, keeps the newest record of each transaction
 * (dlc_train_rows.h), lets XGBoost learn (dlc_boost.h), judges the model by
 * the rows of the test set, puts it away, reads it back, and lets it be the
 * current one.  Its id is the job's, so an attempt that follows a dead one
 * finds what that one has done; the state of the lake stays the one pinned at
 * first.  A training that is ended changes nothing.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_TRAIN_H
#define DLC_TRAIN_H

#include "dlc_work.h"

/* Do it; a dlc_work_run. */
DL_MUSTCHECK dl_status dlc_train_run(dlc_work *work, dlc_work_outcome *outcome,
                                     dl_error *err, apr_pool_t *scratch_pool);

#endif
