/* mdl_walk.c - Days in order, each by a scan of its own.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_walk.h"

#include "dl_lake.h"
#include "dl_lake_stretch.h"

/* Lines that are read over rather than looked up. */
#define NEAR_LINES 64

struct mdl_walk {
    dl_lake_snapshot *snap; /* the state */
    mdl_walk_range range;   /* what is asked for */
    bool (*may)(void *context, dl_day day);
    void *context;      /* of may */
    int i;              /* the day the walk stands in */
    mdl_place place;    /* the line given last */
    dl_lake_scan *scan; /* of day I, NULL: not open */
    apr_pool_t *pool;   /* of the scan */
    dl_day counted;     /* the day counted last, DL_DAY_NONE: none yet */
    uint64_t records;   /* lines it has */
};

/* Return the first day of SNAP that is not before DAY. */
static int find_day(dl_lake_snapshot *snap, dl_day day)
{
    int low = 0;
    int high = dl_lake_days(snap);

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (dl_lake_day_at(snap, middle)->day < day) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return low;
}

void mdl_walk_seek(mdl_walk *walk, mdl_place behind)
{
    dl_day first =
        behind.day > walk->range.first ? behind.day : walk->range.first;

    walk->place = behind;
    walk->scan = NULL;
    walk->i = find_day(walk->snap, first);
}

mdl_walk *mdl_walk_create(dl_lake_snapshot *snap, const mdl_walk_range *range,
                          apr_pool_t *pool)
{
    mdl_walk *walk = apr_pcalloc(pool, sizeof *walk);

    walk->snap = snap;
    walk->range = *range;
    walk->counted = DL_DAY_NONE;
    apr_pool_create(&walk->pool, pool);
    mdl_walk_seek(walk, range->behind);
    return walk;
}

void mdl_walk_allow(mdl_walk *walk, bool (*may)(void *context, dl_day day),
                    void *context)
{
    walk->may = may;
    walk->context = context;
}

mdl_place mdl_walk_place(const mdl_walk *walk)
{
    return walk->place;
}

/* --- Days ------------------------------------------------------------------ */

/* Return the day I of WALK, NULL behind the last. */
static const dl_lake_day *day_at(const mdl_walk *walk, int i)
{
    const dl_lake_day *day;

    if (i >= dl_lake_days(walk->snap)) {
        return NULL;
    }
    day = dl_lake_day_at(walk->snap, i);
    return day->day <= walk->range.last ? day : NULL;
}

static bool may_read(const mdl_walk *walk, dl_day day)
{
    return walk->may == NULL || walk->may(walk->context, day);
}

/* The line of DAY behind which WALK begins. */
static uint64_t line_before(const mdl_walk *walk, dl_day day)
{
    return day == walk->place.day ? walk->place.line : 0;
}

/* Open a scan of DAY of WALK, behind line BEHIND, into *SCAN. */
static dl_status open_scan(dl_lake_scan **scan, const mdl_walk *walk,
                           dl_day day, uint64_t behind, dl_error *err)
{
    dl_lake_range range = {.day = day,
                           .as_of = walk->range.as_of,
                           .from_line = behind + 1,
                           .with_coords = walk->range.with_coords,
                           .hint = walk->range.hint};

    apr_pool_clear(walk->pool);
    return dl_lake_scan_open(scan, walk->snap, &range, err, walk->pool);
}

/* Set *RECORDS to the lines of DAY in the state of WALK. */
static dl_status count_day(uint64_t *records, const mdl_walk *walk,
                           const dl_lake_day *day, dl_error *err)
{
    dl_lake_day within;
    dl_status status;

    *records = day->records;
    if (walk->range.as_of == DL_TIME_NONE) {
        return DL_OK;
    }
    status = dl_lake_day_within(&within, walk->snap, day->day,
                                walk->range.as_of, err, walk->pool);
    *records = status == DL_OK ? within.records : 0;
    return status == DL_NOT_FOUND ? DL_OK : status;
}

/* As count_day, for a day that is asked for again and again. */
static dl_status count_once(uint64_t *records, mdl_walk *walk,
                            const dl_lake_day *day, dl_error *err)
{
    if (walk->counted != day->day) {
        DL_TRY(count_day(&walk->records, walk, day, err));
        walk->counted = day->day;
    }
    *records = walk->records;
    return DL_OK;
}

static void leave_day(mdl_walk *walk)
{
    walk->scan = NULL;
    walk->i++;
}

/* --- Lines ----------------------------------------------------------------- */

/* Open the scan of the next day that has one; false at the end. */
static dl_status open_next(bool *open, mdl_walk *walk, dl_error *err)
{
    const dl_lake_day *day;

    *open = false;
    while ((day = day_at(walk, walk->i)) != NULL) {
        dl_status status = DL_NOT_FOUND;

        if (may_read(walk, day->day)) {
            status = open_scan(&walk->scan, walk, day->day,
                               line_before(walk, day->day), err);
        }
        if (status == DL_OK) {
            *open = true;
            return DL_OK;
        }
        if (status != DL_NOT_FOUND) {
            return status;
        }
        leave_day(walk);
    }
    return DL_OK;
}

dl_status mdl_walk_next(dl_lake_line *line, dl_day *day, mdl_walk *walk,
                        dl_error *err)
{
    for (;;) {
        bool open = walk->scan != NULL;

        if (!open) {
            DL_TRY(open_next(&open, walk, err));
        }
        if (!open) {
            line->text = NULL;
            line->len = 0;
            return DL_OK;
        }
        DL_TRY(dl_lake_scan_next(line, walk->scan, err));
        if (line->text != NULL) {
            *day = dl_lake_day_at(walk->snap, walk->i)->day;
            walk->place = (mdl_place){*day, line->line};
            return DL_OK;
        }
        leave_day(walk);
    }
}

dl_status mdl_walk_plan(dl_lake_stretch *stretch, dl_day *day, mdl_walk *walk,
                        dl_error *err)
{
    for (;;) {
        bool open = walk->scan != NULL;

        if (!open) {
            DL_TRY(open_next(&open, walk, err));
        }
        if (!open) {
            stretch->lines = 0;
            return DL_OK;
        }
        DL_TRY(dl_lake_scan_plan(stretch, walk->scan, err));
        if (stretch->lines > 0) {
            *day = dl_lake_day_at(walk->snap, walk->i)->day;
            walk->place = (mdl_place){*day, stretch->line + stretch->lines - 1};
            return DL_OK;
        }
        leave_day(walk);
    }
}

dl_status mdl_walk_read(dl_lake_line *line, mdl_walk *walk, mdl_place place,
                        dl_error *err)
{
    mdl_place at = walk->place;
    dl_day day;

    if (at.day != place.day || at.line >= place.line ||
        place.line - at.line > NEAR_LINES) {
        mdl_walk_seek(walk, (mdl_place){place.day, place.line - 1});
    }
    do {
        DL_TRY(mdl_walk_next(line, &day, walk, err));
    } while (line->text != NULL && day == place.day && line->line < place.line);
    if (line->text == NULL || day != place.day || line->line != place.line) {
        return dl_fail(err, DL_CORRUPT, 0, "a line of the page is gone");
    }
    return DL_OK;
}

dl_status mdl_walk_skip(uint64_t *n, mdl_walk *walk, dl_error *err)
{
    const dl_lake_day *day;

    while (*n > 0 && (day = day_at(walk, walk->i)) != NULL) {
        uint64_t before = line_before(walk, day->day);
        uint64_t records = 0;

        if (may_read(walk, day->day)) {
            DL_TRY(count_once(&records, walk, day, err));
        }
        if (records > before && records - before > *n) {
            walk->place = (mdl_place){day->day, before + *n};
            walk->scan = NULL;
            *n = 0;
            return DL_OK;
        }
        if (records > before) {
            *n -= records - before;
            walk->place = (mdl_place){day->day, records};
        }
        leave_day(walk);
    }
    return DL_OK;
}

dl_status mdl_walk_count(uint64_t *n, const mdl_walk *walk, dl_error *err)
{
    const dl_lake_day *day;
    int i;

    *n = 0;
    for (i = walk->i; (day = day_at(walk, i)) != NULL; i++) {
        uint64_t before = line_before(walk, day->day);
        uint64_t records = 0;

        if (may_read(walk, day->day)) {
            DL_TRY(count_day(&records, walk, day, err));
        }
        *n += records > before ? records - before : 0;
    }
    return DL_OK;
}
