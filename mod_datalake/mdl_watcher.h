/* mdl_watcher.h - The thread that keeps the mirror true.
 *
 * Every child has the thread, one of them works (mdl_turns.h), with a turn
 * every 250 ms.  The worker reads the rows of identity_change that are new,
 * looks the accounts up that the mirror holds, and then says so
 * (mdl_mirror_touch).
 *
 * Ids of changes become visible out of order, so the last 10 s before the
 * newest change seen (by the database's clock) are read each time, and what
 * was seen is skipped.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_WATCHER_H
#define MDL_WATCHER_H

#include <apr_pools.h>

#include "dl_error.h"
#include "mdl_mirror.h"
#include "mdl_wh.h"

/* Start the thread for MIRROR, reading through POOL; it is stopped and joined
 * before CHILD_POOL goes.  DL_INTERNAL: no thread.  Thread: child start
 * only. */
DL_MUSTCHECK dl_status mdl_watcher_start(mdl_mirror *mirror, mdl_wh_pool *pool,
                                         dl_error *err, apr_pool_t *child_pool);

#endif
