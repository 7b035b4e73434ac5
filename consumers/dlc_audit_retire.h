/* dlc_audit_retire.h - Audit files that were kept for long enough, and what the
 * warehouse remembers of them.
 *
 * The files themselves are removed by the web server (AUDIT.md 11), the only
 * program that may write in their folder.  Here is what its side cannot do:
 * telling what would go, and forgetting heads and positions of files that are
 * gone.  Neither side can take away both.
 *
 * Thread: that of the connection.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_AUDIT_RETIRE_H
#define DLC_AUDIT_RETIRE_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_config.h"
#include "dl_error.h"
#include "dl_wh.h"

/* Set *YOUNG to whether the warehouse has an entry among the first LENGTH
 * lines of CHAIN that is not older than BEFORE. */
DL_MUSTCHECK dl_status dlc_audit_young(bool *young, dl_wh *wh,
                                       const char *chain, int64_t length,
                                       dl_time before, dl_error *err);

/* Set *FILES to how many files of the audit folder of CFG would be removed now
 * that entries before BEFORE may go; 0 where there is no folder or no key.
 * Nothing is changed. */
DL_MUSTCHECK dl_status dlc_audit_old_files(uint64_t *files,
                                           const dl_config *cfg, dl_time before,
                                           dl_error *err,
                                           apr_pool_t *scratch_pool);

/* Remove the position of each file that is gone from the audit folder of CFG,
 * and the heads of its chain up to its end, where the warehouse WH has no
 * entry of these lines that is not older than BEFORE.  Set *N to how many
 * rows went.  Where there is no folder nothing goes. */
DL_MUSTCHECK dl_status dlc_audit_forget(uint64_t *n, dl_wh *wh,
                                        const dl_config *cfg, dl_time before,
                                        dl_error *err,
                                        apr_pool_t *scratch_pool);

#endif
