/* dlc_deep_rows.h - Comparing the rows of a dataset's table with the records
 * of the lake that they are made of.
 *
 * A row has the coordinates of its last record.  Of the records that the
 * warehouse has taken, the one that a key's row is to be made of is known from
 * the lake alone: the latest one, or the first one where repeats are ignored.
 * Both are compared, for the topic's present life; values are not.
 *
 * Memory: two bits an offset and at most 128 MiB for keys; for more than four
 * million records the lake is read several times.
 *
 * Thread: the caller's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_DEEP_ROWS_H
#define DLC_DEEP_ROWS_H

#include "dl_dataset.h"
#include "dl_lake.h"
#include "dl_reconcile.h"
#include "dl_wh.h"

/* What is compared. */
typedef struct dlc_deep_table {
    const dl_dataset *dataset; /* whose table; it has one */
    dl_lake *lake;             /* where the records are */
    dl_wh *wh;                 /* where the rows are; in no transaction */
} dlc_deep_table;

/* What came of it. */
typedef struct dlc_deep_rows {
    uint64_t rows;    /* of the table */
    uint64_t right;   /* of them made of the record they are to be made of */
    uint64_t wrong;   /* of them made of no record, or of another one */
    uint64_t missing; /* records that no row is made of, and one should be */
    uint64_t beyond;  /* of ROWS made of records that the lake has not yet:
                         then MISSING proves nothing */
    uint64_t changes; /* change events of the lake: rows may have been removed
                         by them, so MISSING proves nothing either */
    int n_named;      /* used of NAMED */
    dl_reconcile_place named[DL_RECONCILE_NAMED]; /* the first that are wrong
                                                     or missing */
} dlc_deep_rows;

/* Fill *OUT for TABLE.  DL_LIMIT: a partition has more offsets than there is
 * room for; else as lake and database say. */
DL_MUSTCHECK dl_status dlc_deep_rows_compare(dlc_deep_rows *out,
                                             const dlc_deep_table *table,
                                             dl_error *err,
                                             apr_pool_t *scratch_pool);

/* Whether nothing of ROWS is wrong or missing. */
bool dlc_deep_rows_ok(const dlc_deep_rows *rows);

#endif
