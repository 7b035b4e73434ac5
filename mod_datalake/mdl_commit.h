/* mdl_commit.h - Has the warehouse changed since? The loader's commit counter.
 *
 * datalake-warehouse raises datalake_warehouse_commit in its page of numbers
 * after each commit.  A stamp made from it names a state of the data: answers
 * made under equal stamps are equally new.  Where there is no such page (the
 * loader runs elsewhere, or is down) the stamp changes every second instead.
 *
 * Thread: any.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_COMMIT_H
#define MDL_COMMIT_H

#include <stdint.h>

#include <apr_pools.h>

/* The page is looked at again after this long. */
#define MDL_COMMIT_LOOK_US 20000

/* The counter as one child sees it. */
typedef struct mdl_commit mdl_commit;

/* The name of a state of the data. */
typedef struct mdl_stamp {
    int counted;   /* 1: value is the counter, 0: it is unix seconds */
    int64_t value; /* what differs when the data may differ */
} mdl_stamp;

/* Return this child's view of the pages in the folder behind RUN_FD, which
 * stays the caller's; -1: there is none.  Lives in CHILD_POOL.  Thread: child
 * start only. */
mdl_commit *mdl_commit_create(int run_fd, apr_pool_t *child_pool);

/* Return the stamp of now.  An answer made after this call is at least as new
 * as the stamp says.  Thread: any. */
mdl_stamp mdl_commit_stamp(mdl_commit *commit, apr_pool_t *scratch_pool);

#endif
