/* dl_lake_locate.c - From coordinates to a line, from a line to its bytes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_locate.h"

#include <apr_strings.h>

#include "dl_lake_limits.h"
#include "dl_lake_opened.h"
#include "dl_lake_reader.h"
#include "dl_lake_trail.h"

/* --- By coordinates --------------------------------------------------------
 *
 * Offsets of one partition rise through a part, and every entry of its trail
 * can be read alone; so a part is searched by halves, page by page. */

/* An offset that is looked for in the trail of a part. */
typedef struct hunt {
    dl_lake_trail_walk walk; /* over the trail */
    const dl_coord *coord;   /* generation, partition, offset */
    uint64_t line;           /* where it is in the part, from 0 */
    int order;               /* of the last coordinate of its partition that
                                was seen to COORD: below, at or above 0 */
    bool seen;               /* there was one */
} hunt;

/* Set h->order to how C lies to what is looked for; false: it is another
 * partition's. */
static bool compare(hunt *h, const dl_coord *c)
{
    const dl_coord *want = h->coord;

    if (c->partition != want->partition) {
        return false;
    }
    h->seen = true;
    if (c->generation != want->generation) {
        h->order = c->generation < want->generation ? -1 : 1;
    }
    else {
        h->order = c->offset < want->offset ? -1 : c->offset > want->offset;
    }
    return true;
}

/* Look through ENTRY, which the walk has passed, up to the first coordinate of
 * the partition, or with ALL up to one at or behind what is looked for. */
static dl_status look_through(hunt *h, const dl_lake_trail_entry *entry,
                              bool all, dl_error *err)
{
    dl_lake_coords coords;
    dl_coord c;
    uint64_t i;

    dl_lake_coords_begin(&coords, entry);
    for (i = 0; i < entry->records; i++) {
        if (!dl_lake_coords_next(&c, &coords)) {
            return dl_fail(err, DL_CORRUPT, 0, "coordinates of %016llx are bad",
                           (unsigned long long)h->walk.part.uid);
        }
        if (compare(h, &c) && (!all || h->order >= 0)) {
            h->line = h->walk.records - entry->records + i;
            return DL_OK;
        }
    }
    return DL_OK;
}

/* Look through the trail from PAGE on, before page END, as look_through. */
static dl_status look_from(hunt *h, uint64_t page, uint64_t end, bool all,
                           dl_error *err)
{
    dl_lake_trail_entry entry;
    bool found = true;

    h->seen = false;
    h->order = -1;
    DL_TRY(dl_lake_trail_turn(&h->walk, page, err));
    while (h->order < 0 && (all || !h->seen)) {
        DL_TRY(dl_lake_trail_next(&entry, &found, &h->walk, err));
        if (!found || h->walk.page_at >= end * DL_LAKE_PAGE) {
            return DL_OK;
        }
        DL_TRY(look_through(h, &entry, all, err));
    }
    return DL_OK;
}

/* Search the trail of h->walk; h->order is 0 when the offset is there. */
static dl_status search_trail(hunt *h, dl_error *err)
{
    uint64_t end = dl_lake_trail_pages(&h->walk);
    uint64_t high = end;
    uint64_t low = 0;

    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;

        DL_TRY(look_from(h, middle, high, false, err));
        if (!h->seen || h->order > 0) {
            high = middle;
        }
        else {
            low = middle;
        }
    }
    return end == 0 ? DL_OK : look_from(h, low, high, true, err);
}

/* Search PART, whose files LAYOUT knows. */
static dl_status search_one(hunt *h, const dl_lake_snapshot *layout,
                            const dl_lake_part *part, dl_error *err,
                            apr_pool_t *pool)
{
    dl_lake_opened *opened = dl_lake_cache_take(
        dl_lake_open_parts(layout->lake), layout->dataset, part);
    dl_status status;
    int fd;

    h->order = -1;
    status = dl_lake_opened_trail(&fd, opened, err);
    if (status == DL_OK) {
        dl_lake_trail_begin(&h->walk, dl_lake_opened_calls(opened), fd, part,
                            pool);
        status = search_trail(h, err);
    }
    dl_lake_opened_release(opened);
    return status;
}

/* Search DAY as LAYOUT has its files: DL_OK with spot->line 0: it is not
 * there; DL_NOT_FOUND: a file has moved on. */
static dl_status search_parts(dl_lake_spot *spot,
                              const dl_lake_snapshot *layout,
                              const dl_coord *coord, dl_error *err,
                              apr_pool_t *pool)
{
    hunt h = {.coord = coord};
    const dl_lake_part *part;
    dl_lake_parts parts;
    uint64_t before = 0;
    int i;

    spot->line = 0;
    dl_lake_parts_of(&parts, layout, spot->day);
    for (i = 0; (part = dl_lake_parts_at(&parts, i)) != NULL; i++) {
        DL_TRY(search_one(&h, layout, part, err, pool));
        if (h.order == 0) {
            spot->line = before + h.line + 1;
            return DL_OK;
        }
        before += part->records;
    }
    return DL_OK;
}

/* The same, looking again where the files are when one has moved on. */
static dl_status search_spot(dl_lake_spot *spot, dl_lake_snapshot *snap,
                             const dl_coord *coord, dl_error *err,
                             apr_pool_t *pool)
{
    dl_status status = search_parts(spot, snap, coord, err, pool);
    dl_lake_snapshot *newer;
    int tries;

    for (tries = 0; tries < DL_LAKE_TRIES && status == DL_NOT_FOUND; tries++) {
        DL_TRY(dl_lake_layout_renew(&newer, snap, spot->day, err, pool));
        status = search_parts(spot, newer, coord, err, pool);
    }
    if (status == DL_NOT_FOUND) {
        return dl_fail(err, DL_CORRUPT, 0, "a part of the day is missing");
    }
    return status;
}

dl_status dl_lake_locate_offset(dl_lake_spot *spot, dl_lake_snapshot *snap,
                                const dl_coord *coord, dl_error *err,
                                apr_pool_t *scratch_pool)
{
    dl_status status = DL_OK;
    apr_pool_t *iterpool;
    dl_lake_day day;
    int i;

    spot->line = 0;
    apr_pool_create(&iterpool, scratch_pool);
    for (i = dl_lake_days(snap);
         status == DL_OK && spot->line == 0 && i-- > 0;) {
        apr_pool_clear(iterpool);
        day = *dl_lake_day_at(snap, i);
        spot->day = day.day;
        status = search_spot(spot, snap, coord, err, iterpool);
        if (spot->line > day.records) {
            spot->line = 0; /* newer than the snapshot */
        }
    }
    apr_pool_destroy(iterpool);
    if (status == DL_OK && spot->line == 0) {
        return dl_fail(err, DL_NOT_FOUND, 0, "no such offset");
    }
    return status;
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
