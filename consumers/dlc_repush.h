/* dlc_repush.h - The job "repush-all": stored transactions are sent once more.
 *
 * The lake is pinned when the job begins and gone through in windows of commits
 * (dlc_repush_window.h).  The ledger is the job's own state in the database:
 * before a window's first record goes out, it says which window that is, since
 * when, and what came of those before; it goes on to the next one when the
 * broker has confirmed all of this one.
 *
 * An attempt that was killed in a window leaves behind what nobody counted.
 * The next one reads the topic from the window's begin on: each record carries
 * dl-replay-id and its place in the lake (repush-position), so what is there
 * is not sent again.  The same is done when the broker did not answer.
 *
 * What is sent within the milliseconds in which a killed program's last bytes
 * are still on their way could be missed; SETTLE_US is waited for them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_REPUSH_H
#define DLC_REPUSH_H

#include "dlc_work.h"

/* Do it, as a dlc_work_run. */
DL_MUSTCHECK dl_status dlc_repush_run(dlc_work *work, dlc_work_outcome *outcome,
                                      dl_error *err, apr_pool_t *scratch_pool);

#endif
