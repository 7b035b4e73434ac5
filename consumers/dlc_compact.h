/* dlc_compact.h - The run of the schedule "compact": past days become one file.
 *
 * Every dataset of the lake is compacted, one after another; a day that is one
 * file already costs nothing, and what arrives late for a day is joined in the
 * night after.
 *
 * The writers never wait for it: bytes are copied by a thread that is idle to
 * scheduler and disk, at most 8 MiB of them wait for the disk, and the lock
 * that both want is held for a rename, an exchange and a few syncs.  A volume
 * that would get too full is left as it is.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_COMPACT_H
#define DLC_COMPACT_H

#include "dlc_work.h"

/* Do it, as a dlc_work_run.  A dataset that fails does not keep the others
 * back; the first failure is that of the run. */
DL_MUSTCHECK dl_status dlc_compact_run(dlc_work *work,
                                       dlc_work_outcome *outcome, dl_error *err,
                                       apr_pool_t *scratch_pool);

#endif
