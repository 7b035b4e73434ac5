/* dlc_repush_window.c - Collecting what was committed between two moments.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_repush_window.h"

#include <stdlib.h>
#include <string.h>

#include "dl_array.h"
#include "dl_lake_reader.h"
#include "dl_query_hint.h"
#include "dl_replay.h"

/* A window is not longer than this, unless it is one commit. */
#define MAX_LINES UINT64_C(32768)
#define MAX_BYTES UINT64_C(25165824)

/* Lines of a day that belong to a window. */
typedef struct stretch {
    dl_day day;     /* which */
    uint64_t from;  /* lines before it */
    uint64_t to;    /* lines up to its end */
    uint64_t bytes; /* of what lies between */
} stretch;

/* --- Memory ---------------------------------------------------------------- */

static apr_status_t free_window(void *data)
{
    dlc_repush_window *window = data;

    free(window->entries);
    free(window->text);
    return APR_SUCCESS;
}

dlc_repush_window *dlc_repush_window_create(apr_pool_t *pool)
{
    dlc_repush_window *window = apr_pcalloc(pool, sizeof *window);

    apr_pool_cleanup_register(pool, window, free_window, apr_pool_cleanup_null);
    return window;
}

/* Keep LINE of DAY in WINDOW. */
static void keep(dlc_repush_window *window, const dl_lake_line *line,
                 dl_day day)
{
    window->entries = dl_array_room(window->entries, &window->room,
                                    window->n + 1, sizeof *window->entries);
    window->text = dl_array_room(window->text, &window->text_room,
                                 window->bytes + line->len, 1);
    memcpy(window->text + window->bytes, line->text, line->len);
    window->entries[window->n++] = (dlc_repush_entry){.coord = line->coord,
                                                      .day = day,
                                                      .line = line->line,
                                                      .at = window->bytes,
                                                      .len = line->len};
    window->bytes += line->len;
}

/* --- How much was committed ------------------------------------------------- */

/* Set *FOUND to what DAY of SNAP had after the commits up to T. */
static dl_status state_of(dl_lake_day *found, dl_lake_snapshot *snap,
                          dl_day day, dl_time t, dl_error *err,
                          apr_pool_t *scratch_pool)
{
    dl_status status =
        dl_lake_day_within(found, snap, day, t, err, scratch_pool);

    if (status == DL_NOT_FOUND) {
        *found = (dl_lake_day){.day = day};
    }
    return status == DL_NOT_FOUND ? DL_OK : status;
}

/* Set PART to what was committed on its day of SNAP between the moments of
 * WINDOW. */
static dl_status stretch_of(stretch *part, const dlc_repush_window *window,
                            dl_lake_snapshot *snap, dl_error *err,
                            apr_pool_t *scratch_pool)
{
    dl_lake_day before;
    dl_lake_day after;

    DL_TRY(
        state_of(&before, snap, part->day, window->behind, err, scratch_pool));
    DL_TRY(state_of(&after, snap, part->day, window->to, err, scratch_pool));
    part->from = before.records;
    part->to = after.records;
    part->bytes = after.bytes - before.bytes;
    return DL_OK;
}

/* Set *TOO_LONG to whether WINDOW is. */
static dl_status measure(bool *too_long, const dlc_repush_window *window,
                         const dlc_repush_source *source, dl_error *err,
                         apr_pool_t *scratch_pool)
{
    dl_day first = INT32_MIN + 1;
    dl_day last = INT32_MAX;
    dl_lake_snapshot *snap;
    uint64_t lines = 0;
    uint64_t bytes = 0;
    int i;

    *too_long = false;
    dl_query_days(&first, &last, source->query);
    DL_TRY(dl_lake_snapshot_open(&snap, source->lake, source->dataset, err,
                                 scratch_pool));
    for (i = 0; i < dl_lake_days(snap) && !*too_long; i++) {
        dl_day day = dl_lake_day_at(snap, i)->day;
        stretch part = {day, 0, 0, 0};

        if (day >= first && day <= last) {
            DL_TRY(stretch_of(&part, window, snap, err, scratch_pool));
        }
        lines += part.to - part.from;
        bytes += part.bytes;
        *too_long = lines > MAX_LINES || bytes > MAX_BYTES;
    }
    return DL_OK;
}

dl_status dlc_repush_window_size(dlc_repush_window *window, int64_t *step,
                                 const dlc_repush_source *source, dl_error *err,
                                 apr_pool_t *scratch_pool)
{
    int64_t left = source->as_of - window->behind;
    bool too_long = true;

    *step = *step > left / 2 ? left : *step * 2;
    for (;;) {
        apr_pool_clear(scratch_pool);
        window->to = window->behind + *step;
        DL_TRY(measure(&too_long, window, source, err, scratch_pool));
        if (!too_long || *step <= 1) {
            return DL_OK;
        }
        *step = *step / 2;
    }
}

dl_status dlc_repush_lines(int64_t *lines, const dlc_repush_source *source,
                           dl_error *err, apr_pool_t *scratch_pool)
{
    dl_day first = INT32_MIN + 1;
    dl_day last = INT32_MAX;
    dl_lake_snapshot *snap;
    int i;

    *lines = 0;
    dl_query_days(&first, &last, source->query);
    DL_TRY(dl_lake_snapshot_open(&snap, source->lake, source->dataset, err,
                                 scratch_pool));
    for (i = 0; i < dl_lake_days(snap); i++) {
        dl_day day = dl_lake_day_at(snap, i)->day;
        dl_lake_day state = {.day = day};

        if (day >= first && day <= last) {
            DL_TRY(
                state_of(&state, snap, day, source->as_of, err, scratch_pool));
        }
        *lines += (int64_t)state.records;
    }
    return DL_OK;
}

/* --- What was committed ----------------------------------------------------- */

static bool is_replay(const dl_line_note *note)
{
    const char *value;
    size_t len;

    return dl_line_note_find(&value, &len, note, DL_REPLAY_ORIGIN_HEADER) &&
           len == strlen(DL_REPLAY_ORIGIN) &&
           memcmp(value, DL_REPLAY_ORIGIN, len) == 0;
}

/* Add the matches in PART of SNAP to WINDOW. */
static dl_status load_day(dlc_repush_window *window, dl_lake_snapshot *snap,
                          const dlc_repush_source *source, const stretch *part,
                          dl_error *err, apr_pool_t *scratch_pool)
{
    const dl_lake_range range = {
        .day = part->day,
        .as_of = source->as_of,
        .from_line = part->from + 1,
        .to_line = part->to,
        .with_coords = true,
        .with_notes = true,
        .hint = dl_query_filters(source->query) > 0
                    ? dl_query_hint(source->query, scratch_pool)
                    : NULL};
    dl_lake_line line;
    dl_lake_scan *scan;

    DL_TRY(dl_lake_scan_open(&scan, snap, &range, err, scratch_pool));
    for (;;) {
        DL_TRY(dl_lake_scan_next(&line, scan, err));
        if (line.text == NULL) {
            return DL_OK;
        }
        if (!dl_query_match(source->query, line.text, line.len)) {
            continue;
        }
        if (is_replay(line.note)) {
            window->replays++;
        }
        else if (source->count_only) {
            window->n++;
        }
        else {
            keep(window, &line, part->day);
        }
    }
}

dl_status dlc_repush_window_load(dlc_repush_window *window,
                                 const dlc_repush_source *source, dl_error *err,
                                 apr_pool_t *scratch_pool)
{
    dl_day first = INT32_MIN + 1;
    dl_day last = INT32_MAX;
    dl_lake_snapshot *snap;
    int i;

    window->n = 0;
    window->bytes = 0;
    window->lines = 0;
    window->replays = 0;
    apr_pool_clear(scratch_pool);
    dl_query_days(&first, &last, source->query);
    DL_TRY(dl_lake_snapshot_open(&snap, source->lake, source->dataset, err,
                                 scratch_pool));
    for (i = 0; i < dl_lake_days(snap); i++) {
        dl_day day = dl_lake_day_at(snap, i)->day;
        stretch part = {day, 0, 0, 0};

        if (day >= first && day <= last) {
            DL_TRY(stretch_of(&part, window, snap, err, scratch_pool));
        }
        if (part.to > part.from) {
            DL_TRY(load_day(window, snap, source, &part, err, scratch_pool));
        }
        window->lines += part.to - part.from;
    }
    return DL_OK;
}

/* --- Orders ----------------------------------------------------------------- */

dlc_repush_entry *dlc_repush_window_find(dlc_repush_window *window, dl_day day,
                                         uint64_t line)
{
    size_t low = 0;
    size_t high = window->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        dlc_repush_entry *entry = &window->entries[middle];

        if (entry->day == day && entry->line == line) {
            return entry;
        }
        if (entry->day < day || (entry->day == day && entry->line < line)) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return NULL;
}

/* As the warehouse orders messages: who comes last has the row. */
static int by_coord(const void *a, const void *b)
{
    return dl_coord_compare(&((const dlc_repush_entry *)a)->coord,
                            &((const dlc_repush_entry *)b)->coord);
}

void dlc_repush_window_sort(dlc_repush_window *window)
{
    if (window->n > 1) {
        qsort(window->entries, window->n, sizeof *window->entries, by_coord);
    }
}
