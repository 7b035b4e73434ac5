/* dl_wh_rows.h - How many rows a table has, without counting them.
 *
 * Who adds or removes rows of a declared table says so in the same
 * transaction, each in a slot of its own: the loader in that of a partition,
 * whose progress it holds anyway, who deletes in one of its connection.  The
 * sum of the slots is exact at every moment.  What was in the table before is
 * counted once, by the loader when it starts: rows less the sum of all slots,
 * which one look at both gives the same at every moment.
 *
 * Tables that feed rollups are not counted.
 *
 * Thread: the connection's, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_WH_ROWS_H
#define DL_WH_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_dataset.h"
#include "dl_wh.h"

/* Return whether rows of DS, which has a table, are counted. */
bool dl_wh_rows_counted(const dl_dataset *ds);

/* Say that N rows of the table of DS came from PARTITION, in the open
 * transaction of WH. */
DL_MUSTCHECK dl_status dl_wh_rows_added(dl_wh *wh, const dl_dataset *ds,
                                        int32_t partition, int64_t n,
                                        dl_error *err);

/* Say that N rows of it were deleted, in the open transaction of WH. */
DL_MUSTCHECK dl_status dl_wh_rows_removed(dl_wh *wh, const dl_dataset *ds,
                                          uint64_t n, dl_error *err);

/* Set *N to how many rows TABLE has, -1: nobody has counted what was in it
 * before. */
DL_MUSTCHECK dl_status dl_wh_rows_read(int64_t *n, dl_wh *wh, const char *table,
                                       dl_error *err);

/* Count what was in the table of DS before, unless that was done. */
DL_MUSTCHECK dl_status dl_wh_rows_begin(dl_wh *wh, const dl_dataset *ds,
                                        dl_error *err,
                                        apr_pool_t *scratch_pool);

/* Forget what is known of the table of DS, which is about to be emptied. */
DL_MUSTCHECK dl_status dl_wh_rows_forget(dl_wh *wh, const dl_dataset *ds,
                                         dl_error *err);

#endif
