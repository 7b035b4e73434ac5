/* dl_lake_limits.c - Versions and points of time of a day.
 *
 * Counted in lines of the whole day, so that parts may be joined meanwhile.
 * Only the part in which the bound lies is searched, and what was found there
 * for a time stays true, so it is remembered with the open part: the pages
 * behind one cursor ask again and again.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_limits.h"

#include "dl_lake_opened.h"
#include "dl_lake_trail.h"

#include <time.h>

/* Up to which part DAY was removed in SNAP; 0: it never was. */
static uint32_t removed_until(const dl_lake_snapshot *snap, dl_day day)
{
    const dl_lake_removed *removed =
        dl_lake_manifest_removed(&snap->shared->sealed->manifest, day);

    return removed != NULL ? removed->number : 0;
}

dl_status dl_lake_layout_renew(dl_lake_snapshot **layout,
                               const dl_lake_snapshot *snap, dl_day day,
                               dl_error *err, apr_pool_t *pool)
{
    const struct timespec moment = {.tv_nsec = 1000000};

    nanosleep(&moment, NULL);
    DL_TRY(dl_lake_snapshot_open(layout, snap->lake, snap->dataset->name, err,
                                 pool));
    if (removed_until(*layout, day) != removed_until(snap, day)) {
        return dl_fail(err, DL_NOT_FOUND, 0, "the day was removed");
    }
    return DL_OK;
}

/* Set *COMMITS to how many commits of the part being walked ended at or
 * before MS. */
static dl_status commits_until(uint64_t *commits, dl_lake_trail_walk *walk,
                               int64_t ms, dl_error *err)
{
    dl_lake_trail_entry entry;
    bool found = true;

    DL_TRY(dl_lake_trail_seek(walk, DL_LAKE_BY_MS, (uint64_t)ms + 1, err));
    *commits = 0;
    while (found && walk->ms <= ms) {
        *commits = walk->commits;
        DL_TRY(dl_lake_trail_next(&entry, &found, walk, err));
    }
    return DL_OK;
}

/* Set *POINT to the end of commit WANT of the part being walked. */
static dl_status end_of_commit(dl_lake_point *point, dl_lake_trail_walk *walk,
                               uint64_t want, dl_error *err)
{
    dl_lake_trail_entry entry;
    bool found = true;

    DL_TRY(dl_lake_trail_seek(walk, DL_LAKE_BY_COMMITS, want, err));
    while (found && walk->commits < want) {
        DL_TRY(dl_lake_trail_next(&entry, &found, walk, err));
    }
    *point = (dl_lake_point){want, walk->bytes, walk->records};
    return DL_OK;
}

/* Set *POINT to what of OPENED, over whose trail WALK goes, was committed at
 * or before MS. */
static dl_status find_time(dl_lake_point *point, dl_lake_opened *opened,
                           dl_lake_trail_walk *walk, int64_t ms, dl_error *err)
{
    uint64_t commits;

    DL_TRY(commits_until(&commits, walk, ms, err));
    *point = (dl_lake_point){0, 0, 0};
    if (commits > 0) {
        DL_TRY(end_of_commit(point, walk, commits, err));
    }
    dl_lake_opened_remember(opened, ms, point);
    return DL_OK;
}

/* What a bound is looked for in. */
typedef struct search {
    const dl_lake_snapshot *layout; /* where the files are */
    const dl_lake_range *range;     /* the bound */
    apr_pool_t *pool;               /* for the trail */
} search;

/* Add to DAY what lies below the bound of PART, which is OPENED; the bound
 * lies in it. */
static dl_status add_within(dl_lake_day *day, const search *s,
                            dl_lake_opened *opened, const dl_lake_part *part,
                            dl_error *err)
{
    int64_t ms = s->range->as_of / 1000;
    bool by_time = s->range->version == 0;
    dl_lake_trail_walk walk;
    dl_lake_point point;
    int fd;

    if (!by_time || !dl_lake_opened_recall(&point, opened, ms)) {
        DL_TRY(dl_lake_opened_trail(&fd, opened, err));
        dl_lake_trail_begin(&walk, dl_lake_calls(s->layout->lake), fd, part,
                            s->pool);
        DL_TRY(by_time ? find_time(&point, opened, &walk, ms, err)
                       : end_of_commit(&point, &walk,
                                       s->range->version - day->version, err));
    }
    day->version += point.commits;
    day->bytes += point.bytes;
    day->records += point.records;
    return DL_OK;
}

static bool is_within(const dl_lake_day *day, const dl_lake_part *part,
                      const dl_lake_range *range)
{
    if (range->version != 0) {
        return day->version + part->commits <= range->version;
    }
    return range->as_of == DL_TIME_NONE ||
           part->last_commit_ms * 1000 <= range->as_of;
}

/* Count in DAY what lies below the bound.  DL_INVALID: nothing, or not so
 * many commits; DL_NOT_FOUND: a file has moved on. */
static dl_status set_limits(dl_lake_day *day, const search *s, dl_error *err)
{
    const dl_lake_range *range = s->range;
    const dl_lake_part *part;
    dl_lake_parts parts;
    dl_status status = DL_OK;
    int i;

    dl_lake_parts_of(&parts, s->layout, range->day);
    day->version = day->bytes = day->records = 0;
    for (i = 0; (part = dl_lake_parts_at(&parts, i)) != NULL &&
                is_within(day, part, range);
         i++) {
        day->version += part->commits;
        day->bytes += part->bytes;
        day->records += part->records;
    }
    if (part != NULL &&
        (range->version == 0 || day->version < range->version)) {
        dl_lake_opened *opened = dl_lake_cache_take(
            dl_lake_open_parts(s->layout->lake), s->layout->dataset, part);

        status = add_within(day, s, opened, part, err);
        dl_lake_opened_release(opened);
    }
    DL_TRY(status);
    if (day->version == 0 ||
        (range->version != 0 && day->version < range->version)) {
        return dl_fail(err, DL_INVALID, 0, "no such version");
    }
    return DL_OK;
}

static dl_status find_limits(dl_lake_day *day, dl_lake_snapshot *snap,
                             const dl_lake_range *range, dl_error *err,
                             apr_pool_t *pool)
{
    search s = {.layout = snap, .range = range, .pool = pool};
    dl_status status = set_limits(day, &s, err);
    dl_lake_snapshot *newer;
    int tries;

    for (tries = 0; tries < DL_LAKE_TRIES && status == DL_NOT_FOUND; tries++) {
        DL_TRY(dl_lake_layout_renew(&newer, snap, range->day, err, pool));
        s.layout = newer;
        status = set_limits(day, &s, err);
    }
    if (status == DL_INVALID) {
        return dl_fail(err, DL_NOT_FOUND, 0, "no such version of the day");
    }
    if (status == DL_NOT_FOUND) {
        return dl_fail(err, DL_CORRUPT, 0, "a part of the day is missing");
    }
    return status;
}

/* Whether all commits of the day of RANGE lie below its bound. */
static bool has_all(const dl_lake_snapshot *snap, const dl_lake_range *range)
{
    const dl_lake_part *part;
    dl_lake_parts parts;
    int i;

    if (range->version != 0) {
        return false;
    }
    dl_lake_parts_of(&parts, snap, range->day);
    for (i = 0; (part = dl_lake_parts_at(&parts, i)) != NULL; i++) {
        if (!is_within(NULL, part, range)) {
            return false;
        }
    }
    return true;
}

dl_status dl_lake_limits_find(dl_lake_day *day, dl_lake_snapshot *snap,
                              const dl_lake_range *range, dl_error *err,
                              apr_pool_t *scratch_pool)
{
    apr_pool_t *pool;
    dl_status status;

    DL_TRY(dl_lake_day_find(day, snap, range->day, err));
    if (has_all(snap, range)) {
        return DL_OK;
    }
    apr_pool_create(&pool, scratch_pool);
    status = find_limits(day, snap, range, err, pool);
    apr_pool_destroy(pool);
    return status;
}

dl_status dl_lake_day_within(dl_lake_day *found, dl_lake_snapshot *snap,
                             dl_day day, dl_time as_of, dl_error *err,
                             apr_pool_t *scratch_pool)
{
    dl_lake_range range = {.day = day, .as_of = as_of};

    return dl_lake_limits_find(found, snap, &range, err, scratch_pool);
}
