/* dlc_retention_rows.h - Removing old rows of a dataset's table.
 *
 * Rows go by their event time.  Where the table feeds rollups, what a row
 * added is taken back in the same transaction (rollup_adjust), so that totals
 * are those of a warehouse that never had it.  Rows of a table of its own that
 * came with it (comments of a post) go with it.
 *
 * Thread: that of the connection.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_RETENTION_ROWS_H
#define DLC_RETENTION_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_dataset.h"
#include "dl_wh.h"

/* Which rows. */
typedef struct dlc_retention_rows {
    dl_wh *wh;                   /* of role JOBS */
    const dl_dataset *dataset;   /* whose table, with a column of its time */
    dl_time before;              /* event times before this */
    void *context;               /* first argument of STOP */
    bool (*stop)(void *context); /* whether to leave off; or NULL */
} dlc_retention_rows;

/* Return the column of the event time of DS, which has a table; NULL: there is
 * none. */
const char *dlc_retention_rows_time(const dl_dataset *ds);

/* Set *N to how many rows there are. */
DL_MUSTCHECK dl_status dlc_retention_rows_count(uint64_t *n,
                                                const dlc_retention_rows *rows,
                                                dl_error *err,
                                                apr_pool_t *scratch_pool);

/* Remove them and set *N to how many.  Rows that the rollups have not seen yet
 * stay for the next time. */
DL_MUSTCHECK dl_status dlc_retention_rows_remove(uint64_t *n,
                                                 const dlc_retention_rows *rows,
                                                 dl_error *err,
                                                 apr_pool_t *scratch_pool);

#endif
