/* dlc_repush_window.h - The pinned lake in stretches of commits, each in the
 * order in which its records came.
 *
 * A day holds its records in the order of their commits, but one id may lie on
 * two days: who goes through the lake day by day would send its newer record
 * first.  So the lake is gone through by time of commit: a window is what was
 * committed behind one moment and up to another, on all days, sorted as
 * the warehouse orders messages: by Kafka's time, then partition and offset.
 *
 * A window is as long as MAX_LINES and MAX_BYTES allow, or one commit.  What it
 * holds depends on its two moments alone, whatever is sealed, compacted or
 * added meanwhile.
 *
 * Memory: the texts of one window, kept from window to window.
 *
 * Thread: the owner, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_REPUSH_WINDOW_H
#define DLC_REPUSH_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_error.h"
#include "dl_lake.h"
#include "dl_query.h"

/* Whose records. */
typedef struct dlc_repush_source {
    dl_lake *lake;       /* the lake */
    const char *dataset; /* which */
    dl_query *query;     /* what is wanted of it, ready */
    dl_time as_of;       /* the pinned state */
    bool count_only;     /* no record is kept */
} dlc_repush_source;

/* A record to be sent. */
typedef struct dlc_repush_entry {
    dl_coord coord; /* where it came from */
    dl_day day;     /* where it lies */
    uint64_t line;  /* likewise */
    size_t at;      /* where its text begins in the window's */
    size_t len;     /* bytes of it */
    bool sent;      /* a former attempt has sent it */
} dlc_repush_entry;

/* A window. */
typedef struct dlc_repush_window {
    dl_time behind;            /* committed behind this moment ... */
    dl_time to;                /* ... and at or before this one */
    dlc_repush_entry *entries; /* records to be sent */
    size_t n;                  /* how many */
    size_t room;               /* of entries */
    char *text;                /* their texts */
    size_t bytes;              /* of them */
    size_t text_room;          /* of text */
    uint64_t lines;            /* of the lake, all that were looked at */
    uint64_t replays;          /* matches that a repush had sent */
} dlc_repush_window;

/* Return an empty window, whose memory goes with POOL. */
dlc_repush_window *dlc_repush_window_create(apr_pool_t *pool);

/* Set window->to, behind window->behind and at most the pinned state, so that
 * the window is not too long; *STEP is how far the last one went and how far
 * this one does.  Failures as dl_lake_snapshot_open and dl_lake_day_within. */
DL_MUSTCHECK dl_status dlc_repush_window_size(dlc_repush_window *window,
                                              int64_t *step,
                                              const dlc_repush_source *source,
                                              dl_error *err,
                                              apr_pool_t *scratch_pool);

/* Fill WINDOW, between its two moments, in the order of the lake.  Failures as
 * above, and of dl_lake_scan_next. */
DL_MUSTCHECK dl_status dlc_repush_window_load(dlc_repush_window *window,
                                              const dlc_repush_source *source,
                                              dl_error *err,
                                              apr_pool_t *scratch_pool);

/* Return the entry of WINDOW, in the order of the lake, that lies in LINE of
 * DAY; NULL: there is none. */
dlc_repush_entry *dlc_repush_window_find(dlc_repush_window *window, dl_day day,
                                         uint64_t line);

/* Bring WINDOW into the order in which its records came. */
void dlc_repush_window_sort(dlc_repush_window *window);

/* Set *LINES to how many lines the pinned state has on the days that the query
 * wants. */
DL_MUSTCHECK dl_status dlc_repush_lines(int64_t *lines,
                                        const dlc_repush_source *source,
                                        dl_error *err,
                                        apr_pool_t *scratch_pool);

#endif
