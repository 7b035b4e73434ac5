/* dl_lake_limits.h - How much of a day lies below a version or a time.
 *
 * Thread: the owner of the snapshot.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_LIMITS_H
#define DL_LAKE_LIMITS_H

#include "dl_lake_reading.h"

/* Times that files may move on while one thing is looked for. */
#define DL_LAKE_TRIES 20

/* Set *DAY to the day of RANGE in SNAP as its version or as_of says.
 * DL_NOT_FOUND: there is no such version, or nothing was committed by then. */
DL_MUSTCHECK dl_status dl_lake_limits_find(dl_lake_day *day,
                                           dl_lake_snapshot *snap,
                                           const dl_lake_range *range,
                                           dl_error *err,
                                           apr_pool_t *scratch_pool);

/* Wait a millisecond and set *LAYOUT, in POOL, to where the files of SNAP are
 * by then.  DL_NOT_FOUND: DAY was removed since. */
DL_MUSTCHECK dl_status dl_lake_layout_renew(dl_lake_snapshot **layout,
                                            const dl_lake_snapshot *snap,
                                            dl_day day, dl_error *err,
                                            apr_pool_t *pool);

#endif
