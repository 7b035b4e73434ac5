/* dl_lake_scan.c - Walking the lines of one day.
 *
 * FORMAT.md 14, steps 4 and 5.  The day's limits are counted in lines of the
 * whole day, so that parts may be joined under a scan: when a file has moved
 * on, its line is looked for in the newest layout.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_scanning.h"

#include "dl_lake_limits.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

/* --- Opening --------------------------------------------------------------- */

static apr_status_t close_scan(void *context)
{
    dl_lake_scan *scan = context;

    dl_lake_stretch_release(&scan->stretch);
    dl_lake_opened_release(scan->part);
    dl_lake_room_free(&scan->room);
    return APR_SUCCESS;
}

/* Set the part of the layout with the next line; false: there is none. */
static bool choose_part(dl_lake_scan *scan)
{
    const dl_lake_part *part;
    dl_lake_parts parts;
    int i;

    dl_lake_parts_of(&parts, scan->layout, scan->day.day);
    scan->part_start = 0;
    for (i = 0; (part = dl_lake_parts_at(&parts, i)) != NULL; i++) {
        if (scan->line < scan->part_start + part->records) {
            scan->known = *part;
            return true;
        }
        scan->part_start += part->records;
    }
    return false;
}

dl_status dl_lake_scan_enter(dl_lake_scan *scan, dl_error *err)
{
    if (scan->part != NULL &&
        scan->line < scan->part_start + scan->known.records) {
        return DL_OK;
    }
    dl_lake_opened_release(scan->part);
    scan->part = NULL;
    if (!choose_part(scan)) {
        return dl_fail(err, DL_CORRUPT, 0, "line %llu is in no part",
                       (unsigned long long)scan->line + 1);
    }
    scan->part = dl_lake_cache_take(dl_lake_open_parts(scan->snap->lake),
                                    scan->snap->dataset, &scan->known);
    scan->index = dl_lake_opened_index(&scan->indexed, scan->part);
    scan->trail_end = 0;
    scan->segment = -1;
    if (scan->trail != NULL) {
        scan->trail->has_held = false;
    }
    return DL_OK;
}

static dl_lake_scan *make_scan(dl_lake_snapshot *snap,
                               const dl_lake_range *range,
                               const dl_lake_day *day, apr_pool_t *pool)
{
    dl_lake_scan *scan = apr_pcalloc(pool, sizeof *scan);

    scan->snap = scan->layout = snap;
    scan->pool = pool;
    scan->day = *day;
    scan->with_coords = range->with_coords || range->with_notes;
    scan->with_notes = range->with_notes;
    scan->fresh = range->fresh;
    scan->hint = range->hint != NULL && range->hint->n > 0 ? range->hint : NULL;
    scan->line = range->from_line > 0 ? range->from_line - 1 : 0;
    scan->end = range->to_line > 0 && range->to_line < day->records
                    ? range->to_line
                    : day->records;
    apr_pool_cleanup_register(pool, scan, close_scan, apr_pool_cleanup_null);
    return scan;
}

dl_status dl_lake_scan_open(dl_lake_scan **result, dl_lake_snapshot *snap,
                            const dl_lake_range *range, dl_error *err,
                            apr_pool_t *result_pool)
{
    dl_lake_day day;

    if (range->version != 0 && range->as_of != DL_TIME_NONE) {
        return dl_fail(err, DL_INVALID, 0, "version and as_of together");
    }
    DL_TRY(dl_lake_limits_find(&day, snap, range, err, result_pool));
    *result = make_scan(snap, range, &day, result_pool);
    return DL_OK;
}

const dl_lake_day *dl_lake_scan_day(const dl_lake_scan *scan)
{
    return &scan->day;
}

/* --- Coordinates ----------------------------------------------------------- */

static void begin_entry(dl_lake_trailing *t)
{
    const dl_lake_taken *taken = &t->taken[t->entry];
    dl_lake_trail_entry entry = {.records = taken->records,
                                 .coords = t->coords.data + taken->at,
                                 .coords_len = taken->len};

    t->entry_left = taken->records;
    dl_lake_coords_begin(&t->reading, &entry);
    if (t->noted != NULL && !dl_lake_notes_begin(t->noted, &entry)) {
        t->entry_left = 0; /* the next coordinate says that they are bad */
    }
}

void dl_lake_scan_begin_coords(dl_lake_scan *scan)
{
    scan->trail->entry = 0;
    scan->trail->entry_left = 0;
    if (scan->with_notes && scan->trail->noted == NULL) {
        scan->trail->noted = dl_lake_noted_create(scan->pool);
    }
    if (scan->trail->n_taken > 0) {
        begin_entry(scan->trail);
    }
}

dl_status dl_lake_scan_next_coord(dl_coord *c, dl_lake_scan *scan,
                                  dl_error *err)
{
    dl_lake_trailing *t = scan->trail;

    while (t->entry_left == 0 && t->entry + 1 < t->n_taken) {
        t->entry++;
        begin_entry(t);
    }
    if (t->entry_left == 0 || !dl_lake_coords_next(c, &t->reading)) {
        return dl_fail(err, DL_CORRUPT, 0, "coordinates of line %llu are bad",
                       (unsigned long long)scan->next_line);
    }
    t->entry_left--;
    return DL_OK;
}

/* Set the coordinate of LINE, and its note if notes are asked for. */
static dl_status next_place(dl_lake_line *line, dl_lake_scan *scan,
                            dl_error *err)
{
    dl_lake_noted *noted = scan->trail->noted;

    DL_TRY(dl_lake_scan_next_coord(&line->coord, scan, err));
    line->note = noted == NULL ? NULL : dl_lake_noted_next(noted);
    if (noted != NULL && line->note == NULL) {
        return dl_fail(err, DL_CORRUPT, 0, "notes of line %llu are bad",
                       (unsigned long long)scan->next_line);
    }
    return DL_OK;
}

/* Pass over the coordinates of the lines that are not asked for. */
static dl_status skip_coords(dl_lake_scan *scan, dl_error *err)
{
    dl_lake_line ignored;
    uint64_t i;

    for (i = 0; scan->with_coords && i < scan->stretch.skip; i++) {
        DL_TRY(next_place(&ignored, scan, err));
    }
    return DL_OK;
}

/* --- Lines ----------------------------------------------------------------- */

/* Have the next stretch between scan->next and scan->stop, which are NULL at
 * the end. */
static dl_status load_stretch(dl_lake_scan *scan, dl_error *err)
{
    size_t len;

    scan->next = scan->stop = NULL;
    dl_lake_stretch_release(&scan->stretch);
    DL_TRY(dl_lake_scan_plan(&scan->stretch, scan, err));
    if (scan->stretch.lines == 0) {
        return DL_OK;
    }
    DL_TRY(dl_lake_stretch_read(&scan->next, &len, &scan->stretch, &scan->room,
                                err));
    scan->stop = scan->next + len;
    scan->next_line = scan->stretch.line;
    return skip_coords(scan, err);
}

dl_status dl_lake_scan_chunk(const char **data, size_t *len, dl_lake_scan *scan,
                             dl_error *err)
{
    DL_TRY(load_stretch(scan, err));
    *data = scan->next;
    *len = scan->next == NULL ? 0 : (size_t)(scan->stop - scan->next);
    scan->next = scan->stop = NULL;
    return DL_OK;
}

uint64_t dl_lake_scan_chunk_line(const dl_lake_scan *scan)
{
    return scan->next_line;
}

dl_status dl_lake_scan_next(dl_lake_line *line, dl_lake_scan *scan,
                            dl_error *err)
{
    const char *end;

    memset(line, 0, sizeof *line);
    if (scan->next == scan->stop) {
        DL_TRY(load_stretch(scan, err));
        if (scan->next == NULL) {
            return DL_OK;
        }
    }
    end = memchr(scan->next, '\n', (size_t)(scan->stop - scan->next));
    if (end == NULL) {
        return dl_fail(err, DL_CORRUPT, 0, "a line does not end");
    }
    line->text = scan->next;
    line->len = (size_t)(end - scan->next);
    line->line = scan->next_line++;
    if (scan->with_coords) {
        DL_TRY(next_place(line, scan, err));
    }
    scan->next = end + 1;
    return DL_OK;
}

/* --- One line --------------------------------------------------------------- */

/* Return a copy of NOTE in POOL. */
static const dl_line_note *copy_note(const dl_line_note *note, apr_pool_t *pool)
{
    dl_line_note *copy = apr_pmemdup(pool, note, sizeof *note);

    for (int i = 0; i < note->n; i++) {
        dl_line_header *header = &copy->headers[i];

        header->name = apr_pstrmemdup(pool, header->name, header->name_len);
        header->value = apr_pstrmemdup(pool, header->value, header->len);
    }
    if (note->key != NULL) {
        copy->key = apr_pstrmemdup(pool, note->key, note->key_len);
    }
    return copy;
}

dl_status dl_lake_line_note(dl_lake_line *line, dl_lake_snapshot *snap,
                            dl_day day, uint64_t number, dl_error *err,
                            apr_pool_t *result_pool)
{
    const dl_lake_range range = {.day = day,
                                 .as_of = DL_TIME_NONE,
                                 .from_line = number,
                                 .to_line = number,
                                 .with_notes = true};
    dl_lake_scan *scan;
    apr_pool_t *pool;
    dl_status status;

    apr_pool_create(&pool, result_pool);
    status = dl_lake_scan_open(&scan, snap, &range, err, pool);
    if (status == DL_OK) {
        status = dl_lake_scan_next(line, scan, err);
    }
    if (status == DL_OK && line->text == NULL) {
        status = dl_fail(err, DL_NOT_FOUND, 0, "there is no line %llu",
                         (unsigned long long)number);
    }
    if (status == DL_OK) {
        line->text = apr_pstrmemdup(result_pool, line->text, line->len);
        line->note = copy_note(line->note, result_pool);
    }
    apr_pool_destroy(pool);
    return status;
}
