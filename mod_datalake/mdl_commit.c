/* mdl_commit.c - Reads the loader's commit counter now and then.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_commit.h"

#include <stdatomic.h>

#include "dl_stats.h"
#include "dl_time.h"

#define SLOT "datalake_warehouse_commit"

struct mdl_commit {
    int run_fd;              /* folder of the pages, or -1 */
    _Atomic int64_t next_us; /* nobody looks before this */
    _Atomic int64_t value;   /* the counter, DL_STATS_ABSENT: unknown */
};

mdl_commit *mdl_commit_create(int run_fd, apr_pool_t *child_pool)
{
    mdl_commit *commit = apr_pcalloc(child_pool, sizeof(*commit));

    commit->run_fd = run_fd;
    atomic_store(&commit->value, DL_STATS_ABSENT);
    return commit;
}

/* Look at the page when it is time to; one thread does. */
static void look(mdl_commit *commit, apr_pool_t *scratch_pool)
{
    int64_t now_us = dl_time_monotonic_us();
    int64_t next_us = atomic_load(&commit->next_us);
    int64_t value;

    if (now_us < next_us ||
        !atomic_compare_exchange_strong(&commit->next_us, &next_us,
                                        now_us + MDL_COMMIT_LOOK_US)) {
        return;
    }
    if (!dl_stats_find(&value, commit->run_fd, SLOT, "", scratch_pool)) {
        value = DL_STATS_ABSENT;
    }
    atomic_store(&commit->value, value);
}

mdl_stamp mdl_commit_stamp(mdl_commit *commit, apr_pool_t *scratch_pool)
{
    mdl_stamp stamp = {.counted = 1};

    look(commit, scratch_pool);
    stamp.value = atomic_load(&commit->value);
    if (stamp.value == DL_STATS_ABSENT) {
        stamp.counted = 0;
        stamp.value = dl_time_now() / DL_SECOND_US;
    }
    return stamp;
}
