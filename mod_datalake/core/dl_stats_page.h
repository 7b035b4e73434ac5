/* dl_stats_page.h - The layout of a page of numbers; writer and reader only.
 *
 *     header   one dl_stats_page
 *     slots    DL_STATS_SLOTS times dl_stats_cell
 *
 * The writer fills a cell, then raises `used` with a release store; the
 * reader loads `used` with acquire and looks at cells below it only.  Values
 * change at any time, one at a time: a histogram read while it is fed may
 * show a count one off its buckets.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_STATS_PAGE_H
#define DL_STATS_PAGE_H

#include "dl_stats.h"

/* Word 0 of a page; changes with the layout. */
#define DL_STATS_MAGIC UINT64_C(0x31305354534c4400)

/* Slots in a page. */
#define DL_STATS_SLOTS 640

/* Room for a name and for a label set, with their NUL. */
#define DL_STATS_NAME   64
#define DL_STATS_LABELS 184

/* One slot. */
typedef struct dl_stats_cell {
    int64_t type;                           /* dl_stats_type */
    char name[DL_STATS_NAME];               /* with prefix */
    char labels[DL_STATS_LABELS];           /* "" when it has none */
    dl_stats_value values[DL_STATS_VALUES]; /* see DL_STATS_VALUES */
} dl_stats_cell;

/* The whole page. */
typedef struct dl_stats_page {
    uint64_t magic;                      /* DL_STATS_MAGIC */
    int64_t pid;                         /* process that writes it */
    int64_t start;                       /* its start, ticks since boot; or 0 */
    _Atomic int64_t used;                /* cells in use */
    dl_stats_cell cells[DL_STATS_SLOTS]; /* the slots */
} dl_stats_page;

/* The upper bounds of the buckets but the last, in microseconds. */
extern const int64_t dl_stats_bounds[DL_STATS_BUCKETS - 1];

/* Return when the process PID began, in ticks since boot; 0: not known. */
int64_t dl_stats_process_start(int64_t pid);

#endif
