/* dl_lake_history.h - The states a day went through, one per commit.
 *
 * Each commit that changed a day is one version of it.  A history walks them
 * in order, from the trails of the day's parts (FORMAT.md 4): what it costs is
 * reading trails, not lines.  It ends at the version that the day had when the
 * snapshot was taken; parts may be joined meanwhile.
 *
 * Memory: one page of a trail.
 *
 * Thread: the one of its snapshot.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_HISTORY_H
#define DL_LAKE_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "dl_lake.h"

/* A day as one commit left it. */
typedef struct dl_lake_day_version {
    uint64_t version; /* its number, from 1 */
    dl_time time;     /* when it was committed */
    uint64_t records; /* lines of the day after it */
    uint64_t bytes;   /* bytes of the day after it */
} dl_lake_day_version;

/* A walk over the versions of one day. */
typedef struct dl_lake_history dl_lake_history;

/* Set *HISTORY to a walk over the versions of DAY in SNAP that were committed
 * at SINCE or later (DL_TIME_NONE: all); it lives in RESULT_POOL, which must
 * not outlive SNAP's.  DL_NOT_FOUND: no such day. */
DL_MUSTCHECK dl_status dl_lake_history_open(dl_lake_history **history,
                                            dl_lake_snapshot *snap, dl_day day,
                                            dl_time since, dl_error *err,
                                            apr_pool_t *result_pool);

/* Set *COMMIT to the next version; *FOUND is false at the end.  DL_CORRUPT: a
 * trail is damaged or missing. */
DL_MUSTCHECK dl_status dl_lake_history_next(dl_lake_day_version *commit,
                                            bool *found,
                                            dl_lake_history *history,
                                            dl_error *err);

#endif
