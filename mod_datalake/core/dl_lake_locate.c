/* dl_lake_locate.c - From coordinates to a line, from a line to its bytes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_locate.h"

#include <apr_strings.h>

#include "dl_lake_limits.h"
#include "dl_lake_opened.h"
#include "dl_lake_reader.h"
#include "dl_lake_runs.h"
#include "dl_lake_trail.h"

/* --- By coordinates --------------------------------------------------------
 */

/* What is looked for. */
typedef struct wanted {
    const dl_coord *coord; /* partition, offset, generation */
    uint64_t line;         /* where it is, 0: not found yet */
} wanted;

/* DL_CONFLICT ends the walk: the line was found. */
static dl_status compare(void *context, uint64_t line, const dl_coord *c,
                         dl_error *err)
{
    wanted *w = context;

    (void)err;
    if (c->offset == w->coord->offset && c->partition == w->coord->partition &&
        c->generation == w->coord->generation) {
        w->line = line;
        return DL_CONFLICT;
    }
    return DL_OK;
}

dl_status dl_lake_locate_offset(dl_lake_spot *spot, dl_lake_snapshot *snap,
                                const dl_coord *coord, dl_error *err,
                                apr_pool_t *scratch_pool)
{
    wanted w = {.coord = coord};
    dl_status status = DL_OK;
    apr_pool_t *iterpool;
    int i;

    apr_pool_create(&iterpool, scratch_pool);
    for (i = dl_lake_days(snap); status == DL_OK && i-- > 0;) {
        apr_pool_clear(iterpool);
        spot->day = dl_lake_day_at(snap, i)->day;
        status =
            dl_lake_coords_walk(snap, spot->day, compare, &w, err, iterpool);
    }
    apr_pool_destroy(iterpool);
    if (w.line != 0) {
        spot->line = w.line;
        return DL_OK;
    }
    return status != DL_OK ? status
                           : dl_fail(err, DL_NOT_FOUND, 0, "no such offset");
}

/* --- By line --------------------------------------------------------------- */

/* The entry of a trail that has a line. */
typedef struct holder {
    uint64_t first;   /* its first line in the day, from 1 */
    uint64_t bytes;   /* of the day before it */
    uint64_t version; /* the commit it belongs to */
    dl_time when;     /* of that commit */
} holder;

/* Set *HOLDER, which says what lies before PART, to the entry of PART, open as
 * OPENED, with line LINE (from 0) of it. */
static dl_status search_part(holder *h, dl_lake_opened *opened,
                             const dl_lake_part *part, uint64_t line,
                             dl_error *err, apr_pool_t *pool)
{
    dl_lake_trail_walk walk;
    dl_lake_trail_entry entry;
    bool found = true;
    int fd;

    DL_TRY(dl_lake_opened_trail(&fd, opened, err));
    dl_lake_trail_begin(&walk, dl_lake_opened_calls(opened), fd, part, pool);
    DL_TRY(dl_lake_trail_seek(&walk, DL_LAKE_BY_RECORDS, line + 1, err));
    do {
        DL_TRY(dl_lake_trail_next(&entry, &found, &walk, err));
    } while (found && walk.records <= line);
    if (!found) {
        return dl_fail(err, DL_CORRUPT, 0, "trail %016llx lacks a line",
                       (unsigned long long)part->uid);
    }
    h->first += walk.records - entry.records;
    h->bytes += walk.bytes - entry.bytes;
    h->version += walk.commits + (entry.ends_commit ? 0 : 1);
    while (found && !entry.ends_commit) {
        DL_TRY(dl_lake_trail_next(&entry, &found, &walk, err));
    }
    h->when = walk.ms * 1000;
    return DL_OK;
}

/* Set *HOLDER to the entry with SPOT as LAYOUT has the files.  DL_NOT_FOUND: a
 * file has moved on. */
static dl_status search_day(holder *h, const dl_lake_snapshot *layout,
                            const dl_lake_spot *spot, dl_error *err,
                            apr_pool_t *pool)
{
    const dl_lake_part *part;
    dl_lake_opened *opened;
    dl_lake_parts parts;
    dl_status status;
    int i;

    *h = (holder){.first = 1};
    dl_lake_parts_of(&parts, layout, spot->day);
    for (i = 0; (part = dl_lake_parts_at(&parts, i)) != NULL &&
                h->first + part->records <= spot->line;
         i++) {
        h->first += part->records;
        h->bytes += part->bytes;
        h->version += part->commits;
    }
    if (part == NULL) {
        return dl_fail(err, DL_CORRUPT, 0, "a line of the day is in no part");
    }
    opened = dl_lake_cache_take(dl_lake_open_parts(layout->lake),
                                layout->dataset, part);
    status = search_part(h, opened, part, spot->line - h->first, err, pool);
    dl_lake_opened_release(opened);
    return status;
}

static dl_status find_holder(holder *h, dl_lake_snapshot *snap,
                             const dl_lake_spot *spot, dl_error *err,
                             apr_pool_t *pool)
{
    dl_status status = search_day(h, snap, spot, err, pool);
    dl_lake_snapshot *newer;
    int tries;

    for (tries = 0; tries < DL_LAKE_TRIES && status == DL_NOT_FOUND; tries++) {
        DL_TRY(dl_lake_layout_renew(&newer, snap, spot->day, err, pool));
        status = search_day(h, newer, spot, err, pool);
    }
    if (status == DL_NOT_FOUND) {
        return dl_fail(err, DL_CORRUPT, 0, "a part of the day is missing");
    }
    return status;
}

/* Fill *FOUND from the lines of the entry up to the one that is wanted. */
static dl_status read_lines(dl_lake_location *found, dl_lake_snapshot *snap,
                            const holder *h, dl_error *err,
                            apr_pool_t *result_pool, apr_pool_t *pool)
{
    const dl_lake_range range = {.day = found->spot.day,
                                 .as_of = DL_TIME_NONE,
                                 .from_line = h->first,
                                 .to_line = found->spot.line,
                                 .with_coords = true};
    dl_lake_line line = {.line = 0};
    dl_lake_scan *scan;

    DL_TRY(dl_lake_scan_open(&scan, snap, &range, err, pool));
    found->byte_end = h->bytes;
    while (line.line < found->spot.line) {
        found->byte_start =
            line.text == NULL ? found->byte_end : found->byte_end + 1;
        DL_TRY(dl_lake_scan_next(&line, scan, err));
        if (line.text == NULL) {
            return dl_fail(err, DL_CORRUPT, 0, "a line of the day is missing");
        }
        found->byte_end = found->byte_start + line.len;
    }
    found->coord = line.coord;
    found->text = apr_pstrmemdup(result_pool, line.text, line.len);
    found->len = line.len;
    found->version = h->version;
    found->committed = h->when;
    return DL_OK;
}

dl_status dl_lake_locate_line(dl_lake_location *found, dl_lake_snapshot *snap,
                              const dl_lake_spot *spot, dl_error *err,
                              apr_pool_t *result_pool)
{
    apr_pool_t *pool;
    dl_lake_day day;
    dl_status status;
    holder h;

    DL_TRY(dl_lake_day_find(&day, snap, spot->day, err));
    if (spot->line == 0 || spot->line > day.records) {
        return dl_fail(err, DL_NOT_FOUND, 0, "no such line");
    }
    found->spot = *spot;
    apr_pool_create(&pool, result_pool);
    status = find_holder(&h, snap, spot, err, pool);
    if (status == DL_OK) {
        status = read_lines(found, snap, &h, err, result_pool, pool);
    }
    apr_pool_destroy(pool);
    return status;
}
