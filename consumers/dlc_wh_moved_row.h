/* dlc_wh_moved_row.h - The rule of dlc_wh_moved.h for one row, without lake or
 * database.
 *
 * Thread: any.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_WH_MOVED_ROW_H
#define DLC_WH_MOVED_ROW_H

#include <stdbool.h>
#include <stddef.h>

#include "dl_change.h"
#include "dl_lake.h"
#include "dlc_wh_deleted.h"

/* A record. */
typedef struct dlc_moved_record {
    dlc_wh_key unique; /* of its row */
    dl_coord coord;    /* where it came from */
    bool covered;      /* a deletion covers it: it is not loaded anyway */
    dlc_wh_key keys[DLC_WH_DELETED_KINDS]; /* what deletions may name it by */
} dlc_moved_record;

/* A deletion. */
typedef struct dlc_moved_deletion {
    dlc_wh_key key;                /* what it names */
    size_t order;                  /* its number among all */
    int32_t generation;            /* in which BOUNDS count */
    int n;                         /* of them */
    const dl_change_bound *bounds; /* what was loaded */
} dlc_moved_deletion;

/* Return the one of the N RECORDS of a row that is in the table at the end, N:
 * none.  The M DELETIONS that name any of them are in order.  FIRST: an
 * earlier record is not replaced by a later one. */
size_t dlc_moved_row(const dlc_moved_record *records, size_t n,
                     const dlc_moved_deletion *const *deletions, size_t m,
                     bool first);

#endif
