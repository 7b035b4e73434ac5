/* mdl_quota_keeper.h - The thread that keeps quota windows over a cold start.
 *
 * One child of the server (mdl_turns.h) writes the windows that have changed
 * to quota_window every 10 s and when it stops, and deletes those that have
 * ended, and answers of Idempotency-Key that have expired.  After a cold start it first adds the windows of the table to those
 * in memory.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_QUOTA_KEEPER_H
#define MDL_QUOTA_KEEPER_H

#include <apr_pools.h>

#include "dl_error.h"
#include "mdl_quota.h"
#include "mdl_wh.h"

/* Start the thread for QUOTA, with the warehouse of POOL, unless this child has
 * one for the same windows; it is stopped and joined before CHILD_POOL goes.  DL_INTERNAL: no thread.  Thread: child start
 * only. */
DL_MUSTCHECK dl_status mdl_quota_keeper_start(mdl_quota *quota,
                                              mdl_wh_pool *pool, dl_error *err,
                                              apr_pool_t *child_pool);

#endif
