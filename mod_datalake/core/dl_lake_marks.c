/* dl_lake_marks.c - The marks of a dataset: a sorted array.
 *
 * FORMAT.md 6.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_marks.h"

#include "dl_lake_format.h"

#include <stdlib.h>
#include <string.h>

static apr_status_t free_marks(void *context)
{
    dl_lake_marks *marks = context;

    free(marks->items);
    memset(marks, 0, sizeof *marks);
    return APR_SUCCESS;
}

void dl_lake_marks_own(dl_lake_marks *marks, apr_pool_t *pool)
{
    memset(marks, 0, sizeof *marks);
    apr_pool_cleanup_register(pool, marks, free_marks, apr_pool_cleanup_null);
}

/* Have room for N marks. */
static void need_room(dl_lake_marks *marks, int n)
{
    int size = marks->size < 8 ? 8 : marks->size;

    if (n <= marks->size) {
        return;
    }
    while (size < n) {
        size *= 2;
    }
    marks->items = realloc(marks->items, (size_t)size * sizeof *marks->items);
    if (marks->items == NULL) {
        abort();
    }
    marks->size = size;
}

void dl_lake_marks_copy(dl_lake_marks *to, const dl_lake_marks *from)
{
    need_room(to, from->n);
    if (from->n > 0) {
        memcpy(to->items, from->items, (size_t)from->n * sizeof *to->items);
    }
    to->n = from->n;
    to->n_moved = from->n_moved;
}

/* --- Finding -------------------------------------------------------------- */

/* Less than, equal to or greater than 0 as MARK stands to the source of
 * POSITION in PARTITION. */
static int compare(const dl_lake_mark *mark, int32_t partition,
                   const dl_lake_position *position)
{
    size_t len = mark->source_len < position->source_len ? mark->source_len
                                                         : position->source_len;
    int order;

    if (mark->partition != partition) {
        return mark->partition < partition ? -1 : 1;
    }
    order = len == 0 ? 0 : memcmp(mark->source, position->source, len);
    return order != 0 ? order
                      : (int)mark->source_len - (int)position->source_len;
}

/* Set *PLACE to where the mark of POSITION in PARTITION stands or would;
 * return whether it does. */
static bool find(int *place, const dl_lake_marks *marks, int32_t partition,
                 const dl_lake_position *position)
{
    int low = 0;
    int high = marks->n;

    while (low < high) {
        int middle = low + (high - low) / 2;
        int order = compare(&marks->items[middle], partition, position);

        if (order == 0) {
            *place = middle;
            return true;
        }
        if (order < 0) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    *place = low;
    return false;
}

static bool is_above(const dl_lake_position *position, const dl_lake_mark *mark)
{
    return position->epoch > mark->epoch ||
           (position->epoch == mark->epoch &&
            position->position > mark->position);
}

bool dl_lake_marks_has(const dl_lake_marks *marks, int32_t partition,
                       const dl_lake_position *position)
{
    int place;

    return find(&place, marks, partition, position) &&
           !is_above(position, &marks->items[place]);
}

/* --- Changing ------------------------------------------------------------- */

static dl_lake_mark *insert(dl_lake_marks *marks, int place, int32_t partition,
                            const dl_lake_position *position)
{
    dl_lake_mark *mark;

    need_room(marks, marks->n + 1);
    mark = &marks->items[place];
    memmove(mark + 1, mark, (size_t)(marks->n - place) * sizeof *mark);
    memset(mark, 0, sizeof *mark);
    mark->partition = partition;
    mark->source_len = (uint8_t)position->source_len;
    if (position->source_len > 0) {
        memcpy(mark->source, position->source, position->source_len);
    }
    mark->fresh = true;
    marks->n++;
    return mark;
}

bool dl_lake_marks_raise(dl_lake_marks *marks, int32_t partition,
                         const dl_lake_position *position)
{
    dl_lake_mark *mark;
    int place;

    if (position == NULL) {
        return true;
    }
    if (find(&place, marks, partition, position)) {
        mark = &marks->items[place];
        if (!is_above(position, mark)) {
            return true;
        }
    }
    else if (marks->n < DL_LAKE_MARKS_MAX) {
        mark = insert(marks, place, partition, position);
    }
    else {
        return false;
    }
    mark->epoch = position->epoch;
    mark->position = position->position;
    marks->n_moved += mark->moved ? 0 : 1;
    mark->moved = true;
    return true;
}

void dl_lake_marks_commit(dl_lake_marks *marks)
{
    for (int i = 0; marks->n_moved > 0 && i < marks->n; i++) {
        dl_lake_mark *mark = &marks->items[i];

        if (mark->moved) {
            mark->old_epoch = mark->epoch;
            mark->old_position = mark->position;
            mark->moved = mark->fresh = false;
            marks->n_moved--;
        }
    }
}

void dl_lake_marks_forget(dl_lake_marks *marks)
{
    int kept = 0;

    if (marks->n_moved == 0) {
        return;
    }
    for (int i = 0; i < marks->n; i++) {
        dl_lake_mark *mark = &marks->items[i];

        if (mark->fresh) {
            continue;
        }
        mark->epoch = mark->old_epoch;
        mark->position = mark->old_position;
        mark->moved = false;
        marks->items[kept++] = *mark;
    }
    marks->n = kept;
    marks->n_moved = 0;
}

/* --- Format --------------------------------------------------------------- */

void dl_lake_marks_add(dl_lake_bytes *bytes, const dl_lake_marks *marks,
                       bool moved)
{
    int n = moved ? marks->n_moved : marks->n;

    if (n == 0) {
        return;
    }
    dl_lake_add_varint(bytes, (uint64_t)n);
    for (int i = 0; i < marks->n; i++) {
        const dl_lake_mark *mark = &marks->items[i];

        if (moved && !mark->moved) {
            continue;
        }
        dl_lake_add_varint(bytes, (uint64_t)mark->partition);
        dl_lake_add_text(bytes, mark->source, mark->source_len);
        dl_lake_add_varint(bytes, mark->epoch);
        dl_lake_add_varint(bytes, mark->position);
    }
}

static void get_mark(dl_lake_marks *marks, dl_lake_in *in)
{
    int32_t partition =
        (int32_t)dl_lake_get_bounded(in, DL_LAKE_PARTITIONS_MAX - 1);
    dl_lake_position position = {.source = ""};
    size_t len = 0;
    const uint8_t *source = dl_lake_get_text(&len, in);
    int place;

    position.epoch = dl_lake_get_bounded(in, INT64_MAX);
    position.position = dl_lake_get_bounded(in, INT64_MAX);
    if (in->bad || len > DL_POSITION_SOURCE) {
        in->bad = true;
        return;
    }
    position.source = (const char *)source;
    position.source_len = len;
    if (dl_lake_marks_has(marks, partition, &position) ||
        (marks->n == DL_LAKE_MARKS_MAX &&
         !find(&place, marks, partition, &position))) {
        in->bad = true;
        return;
    }
    (void)dl_lake_marks_raise(marks, partition, &position);
}

void dl_lake_marks_get(dl_lake_marks *marks, dl_lake_in *in)
{
    uint64_t n;

    if (in->bad || in->p == in->end) {
        return;
    }
    n = dl_lake_get_bounded(in, DL_LAKE_MARKS_MAX);
    if (n == 0) {
        in->bad = true;
    }
    for (; n > 0 && !in->bad; n--) {
        get_mark(marks, in);
    }
    dl_lake_marks_commit(marks);
}
