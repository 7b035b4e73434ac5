/* dlc_wh_moved_row.c - Stretch by stretch.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_wh_moved_row.h"

#include <stdlib.h>
#include <string.h>

static bool covers(const dlc_moved_deletion *d, const dl_coord *coord)
{
    return dl_change_covers(d->generation, d->bounds, d->n, coord);
}

static bool names(const dlc_moved_deletion *d, const dlc_moved_record *record)
{
    bool found = false;

    for (int i = 0; i < DLC_WH_DELETED_KINDS; i++) {
        found = found || memcmp(&d->key, &record->keys[i], sizeof d->key) == 0;
    }
    return found;
}

/* The stretch of RECORD: the first of the M DELETIONS that covers it. */
static size_t stretch_of(const dlc_moved_record *record,
                         const dlc_moved_deletion *const *deletions, size_t m)
{
    size_t i = 0;

    while (i < m && !covers(deletions[i], &record->coord)) {
        i++;
    }
    return i;
}

/* Return the record that has the row when stretch AT begins with ROW (N: none)
 * in it and the records of that stretch came. */
static size_t row_after(const dlc_moved_record *records, size_t n,
                        const size_t *stretches, size_t at, size_t row,
                        bool first)
{
    for (size_t i = 0; i < n; i++) {
        if (stretches[i] == at &&
            (row == n ||
             (!first &&
              dl_coord_compare(&records[i].coord, &records[row].coord) > 0))) {
            row = i;
        }
    }
    return row;
}

size_t dlc_moved_row(const dlc_moved_record *records, size_t n,
                     const dlc_moved_deletion *const *deletions, size_t m,
                     bool first)
{
    size_t *stretches = calloc(n + 1, sizeof *stretches);
    size_t row = n;

    if (stretches == NULL) {
        abort();
    }
    for (size_t i = 0; i < n; i++) {
        stretches[i] = stretch_of(&records[i], deletions, m);
    }
    for (size_t at = 0; at <= m; at++) {
        row = row_after(records, n, stretches, at, row, first);
        if (at < m && row < n && names(deletions[at], &records[row])) {
            row = n; /* it came before, so it is covered */
        }
    }
    free(stretches);
    return row;
}
