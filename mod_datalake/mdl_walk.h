/* mdl_walk.h - The lines of many days of a dataset, one after the other.
 *
 * A walk goes through the days of one committed state in order of date, and
 * in a day in order of line.  A place names a line; a later request goes on
 * behind it, in the same state: the state is the time of its last commit,
 * and every day is read as it was then.
 *
 * Memory: one day's scan at a time.
 *
 * Thread: the request's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_WALK_H
#define MDL_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_error.h"
#include "dl_lake_reader.h"
#include "dl_time.h"

struct dl_lake_stretch;

/* One line of a dataset. */
typedef struct mdl_place {
    dl_day day;    /* its day */
    uint64_t line; /* its number in the day, from 1; 0: before the first */
} mdl_place;

/* Which lines. */
typedef struct mdl_walk_range {
    dl_day first, last; /* days, both included */
    mdl_place behind;   /* begin behind this line; day DL_DAY_NONE: at the
                           first */
    dl_time as_of;      /* the state; DL_TIME_NONE: that of the snapshot */
    bool with_coords;   /* decode where each line came from */
    const dl_lake_hint *hint; /* lines that cannot fulfil it may be left out;
                                 NULL: none are */
} mdl_walk_range;

/* A walk. */
typedef struct mdl_walk mdl_walk;

/* Return a walk over RANGE of SNAP; it lives in POOL, as SNAP does. */
mdl_walk *mdl_walk_create(dl_lake_snapshot *snap, const mdl_walk_range *range,
                          apr_pool_t *pool);

/* Leave out days for which MAY (with CONTEXT) says no; to be set before the
 * first line. */
void mdl_walk_allow(mdl_walk *walk, bool (*may)(void *context, dl_day day),
                    void *context);

/* Set *LINE and *DAY to the next line; line->text is NULL at the end.  Dead at
 * the next call.  Fails as dl_lake_scan_next. */
DL_MUSTCHECK dl_status mdl_walk_next(dl_lake_line *line, dl_day *day,
                                     mdl_walk *walk, dl_error *err);

/* Set *STRETCH and *DAY to the lines that come next, which are not read yet;
 * stretch->lines is 0 at the end.  The place of WALK is then their last line.
 * Not to be mixed with mdl_walk_next without a seek between.  Fails as
 * dl_lake_scan_plan. */
DL_MUSTCHECK dl_status mdl_walk_plan(struct dl_lake_stretch *stretch,
                                     dl_day *day, mdl_walk *walk,
                                     dl_error *err);

/* Pass N lines over without reading them, as far as there are so many; set *N
 * to how many were not there. */
DL_MUSTCHECK dl_status mdl_walk_skip(uint64_t *n, mdl_walk *walk,
                                     dl_error *err);

/* Set *N to how many lines lie in the walk from where it stands; only before
 * the first line was read. */
DL_MUSTCHECK dl_status mdl_walk_count(uint64_t *n, const mdl_walk *walk,
                                      dl_error *err);

/* Go on behind the line at BEHIND. */
void mdl_walk_seek(mdl_walk *walk, mdl_place behind);

/* Set *LINE to the line at PLACE, which is there.  DL_CORRUPT: it is not; else
 * as mdl_walk_next.  Cheap when PLACE lies close behind the line read last. */
DL_MUSTCHECK dl_status mdl_walk_read(dl_lake_line *line, mdl_walk *walk,
                                     mdl_place place, dl_error *err);

/* Return the place of the line that was given or skipped last. */
mdl_place mdl_walk_place(const mdl_walk *walk);

#endif
