/* dl_lake_scanning.h - The inside of a scan, for its own files.
 *
 *   dl_lake_scan.c     the day, its parts, lines one by one
 *   dl_lake_plan.c     which stretch comes next: by the trail, by the index
 *   dl_lake_stretch.c  the bytes of a stretch
 *   dl_lake_limits.c   how much of the day is asked for
 *
 * Lines of the day are counted from 0 in here.
 *
 * Thread: the owner of the scan.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_SCANNING_H
#define DL_LAKE_SCANNING_H

#include "dl_lake_opened.h"
#include "dl_lake_stretch.h"
#include "dl_lake_trail.h"

/* Coordinates of one entry of a stretch. */
typedef struct dl_lake_taken {
    uint64_t records; /* lines of it */
    size_t at;        /* where they begin in trail->coords */
    size_t len;       /* bytes of them */
} dl_lake_taken;

/* Where a scan stands in a trail. */
typedef struct dl_lake_trailing {
    dl_lake_trail_walk walk;  /* over the trail of PART */
    dl_lake_opened *part;     /* whose it is; the scan has the reference */
    bool has_held;            /* HELD was taken from the trail, not used */
    dl_lake_trail_entry held; /* the next entry */
    uint64_t held_line;       /* lines of the day before it */
    int n_taken;              /* entries of the stretch, with coordinates */
    dl_lake_taken taken[DL_LAKE_STRETCH_SUMS]; /* they */
    int entry;              /* whose coordinates are being read */
    uint64_t entry_left;    /* lines of it left */
    dl_lake_bytes coords;   /* coordinates and notes of the stretch */
    dl_lake_coords reading; /* where coordinates are being read */
    dl_lake_noted *noted;   /* where notes are, NULL: not asked for */
} dl_lake_trailing;

struct dl_lake_scan {
    dl_lake_snapshot *snap;     /* what the limits come from */
    apr_pool_t *pool;           /* lives as long as the scan */
    apr_pool_t *layout_pool;    /* for the layout; NULL: it is SNAP */
    dl_lake_snapshot *layout;   /* where the files are now */
    dl_lake_day day;            /* the day within the limits */
    uint64_t end;               /* lines of the day before the last wanted */
    bool with_coords;           /* asked for, or needed for notes */
    bool with_notes;            /* asked for */
    bool fresh;                 /* nothing that was read before */
    const dl_lake_hint *hint;   /* what wanted lines have, NULL: anything */
    uint64_t line;              /* the next line that is wanted */
    dl_lake_opened *part;       /* it lies in, NULL: to be looked for */
    dl_lake_part known;         /* the same, as the layout knows it */
    uint64_t part_start;        /* lines of the day before it */
    const dl_lake_index *index; /* its index, NULL: none */
    uint64_t indexed;           /* lines of the part that it describes */
    uint64_t trail_end;         /* lines of the day below are read by the
                                   trail, whatever the index says */
    int blocks;                 /* planned of a scan without hint */
    int segment;                /* that BITS are of, -1: none */
    uint64_t bits[DL_LAKE_INDEX_WORDS]; /* blocks of it that are wanted */
    dl_lake_trailing *trail;            /* NULL until it is needed */
    dl_lake_stretch stretch;            /* being handed out */
    dl_lake_room room;                  /* its bytes */
    const char *next;                   /* next byte for dl_lake_scan_next */
    const char *stop;                   /* behind the last */
    uint64_t next_line;                 /* number of that line, from 1 */
};

/* Set in SCAN the part with scan->line.  DL_NOT_FOUND: its files have moved
 * on. */
DL_MUSTCHECK dl_status dl_lake_scan_enter(dl_lake_scan *scan, dl_error *err);

/* Begin reading the coordinates of the stretch of SCAN, which was planned by
 * the trail. */
void dl_lake_scan_begin_coords(dl_lake_scan *scan);

/* Set *C to the next coordinate of the stretch of SCAN, of a scan without
 * notes. */
DL_MUSTCHECK dl_status dl_lake_scan_next_coord(dl_coord *c, dl_lake_scan *scan,
                                               dl_error *err);

#endif
