/* dl_lake_stretch.c - The bytes of a planned stretch.
 *
 * FORMAT.md 14, step 4.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_stretch.h"

#include "dl_crc.h"
#include "dl_lake_kept.h"
#include "dl_lake_opened.h"
#include "dl_lake_trail.h"

#include <stdlib.h>
#include <string.h>

/* --- Room ------------------------------------------------------------------ */

/* Have SIZE bytes in ROOM and keep the first KEEP of them. */
static void need_room(dl_lake_room *room, size_t size, size_t keep)
{
    char *data;

    if (size <= room->size) {
        return;
    }
    data = malloc(size);
    if (data == NULL) {
        abort();
    }
    if (keep > 0) {
        memcpy(data, room->data, keep);
    }
    free(room->data);
    room->data = data;
    room->size = size;
}

/* Let ROOM have no block. */
static void empty_room(dl_lake_room *room)
{
    dl_lake_kept_release(room->kept);
    room->kept = NULL;
}

void dl_lake_room_free(dl_lake_room *room)
{
    empty_room(room);
    free(room->data);
    room->data = NULL;
    room->size = 0;
}

/* --- Lines ----------------------------------------------------------------- */

/* Return what lies behind the first N lines of FROM..END; NULL: there are not
 * so many. */
static const char *behind_lines(const char *from, const char *end, uint64_t n)
{
    for (; n > 0; n--) {
        const char *newline =
            from == end ? NULL : memchr(from, '\n', (size_t)(end - from));

        if (newline == NULL) {
            return NULL;
        }
        from = newline + 1;
    }
    return from;
}

/* Set *DATA and *LEN to the lines that STRETCH asks for, whose bytes are at
 * FROM and end with a newline. */
static dl_status cut(const char **data, size_t *len,
                     const dl_lake_stretch *stretch, const char *from,
                     dl_error *err)
{
    const char *end = from + stretch->bytes;
    const char *first = behind_lines(from, end, stretch->skip);

    if (first != NULL && stretch->skip + stretch->lines < stretch->all) {
        end = behind_lines(first, end, stretch->lines);
    }
    if (first == NULL || end == NULL || first == end) {
        return dl_fail(err, DL_CORRUPT, 0, "there are too few lines at %llu",
                       (unsigned long long)stretch->line);
    }
    *data = first;
    *len = (size_t)(end - first);
    return DL_OK;
}

/* --- By the trail, one entry after the other ------------------------------- */

/* Read the lines of the entry that WALK passed last, which is ENTRY, into ROOM
 * behind *USED bytes. */
static dl_status read_entry(size_t *used, dl_lake_room *room,
                            const dl_lake_text *text,
                            const dl_lake_trail_walk *walk,
                            const dl_lake_trail_entry *entry, dl_error *err)
{
    char *to;

    need_room(room, *used + (size_t)entry->bytes, *used);
    to = room->data + *used;
    DL_TRY(dl_lake_text_read(text, to, (size_t)entry->bytes,
                             walk->bytes - entry->bytes, err));
    if (dl_crc32c(0, to, (size_t)entry->bytes) != entry->crc ||
        to[entry->bytes - 1] != '\n') {
        return dl_fail(
            err, DL_CORRUPT, 0,
            "lines of part %016llx before %llu have a wrong checksum",
            (unsigned long long)walk->part.uid,
            (unsigned long long)walk->records);
    }
    *used += (size_t)entry->bytes;
    return DL_OK;
}

/* Read into ROOM the entries over which WALK goes that have the lines of
 * STRETCH, and let it say what is there now. */
static dl_status read_entries(dl_lake_stretch *stretch, dl_lake_room *room,
                              dl_lake_trail_walk *walk, dl_error *err)
{
    uint64_t first = stretch->before + stretch->skip;
    dl_lake_trail_entry entry;
    size_t used = 0;
    const dl_lake_text *text;
    bool found;

    DL_TRY(dl_lake_opened_text(&text, stretch->part, err));
    DL_TRY(dl_lake_trail_seek(walk, DL_LAKE_BY_RECORDS, first + 1, err));
    while (walk->records < first + stretch->lines) {
        DL_TRY(dl_lake_trail_next(&entry, &found, walk, err));
        if (!found) {
            return dl_fail(err, DL_CORRUPT, 0, "trail ends before line %llu",
                           (unsigned long long)stretch->line);
        }
        if (walk->records <= first) {
            continue;
        }
        if (used == 0) {
            stretch->before = walk->records - entry.records;
        }
        DL_TRY(read_entry(&used, room, text, walk, &entry, err));
    }
    stretch->bytes = used;
    stretch->skip = first - stretch->before;
    stretch->all = walk->records - stretch->before;
    return DL_OK;
}

/* Read STRETCH as if there were no index. */
static dl_status read_by_trail(const char **data, size_t *len,
                               const dl_lake_stretch *stretch,
                               dl_lake_room *room, dl_error *err)
{
    dl_lake_stretch by_entries = *stretch;
    dl_lake_trail_walk walk;
    apr_pool_t *pool;
    dl_status status;
    int fd;

    DL_TRY(dl_lake_opened_trail(&fd, stretch->part, err));
    apr_pool_create(&pool, NULL);
    dl_lake_trail_begin(&walk, dl_lake_opened_calls(stretch->part), fd,
                        &stretch->known, pool);
    status = read_entries(&by_entries, room, &walk, err);
    apr_pool_destroy(pool);
    DL_TRY(status);
    return cut(data, len, &by_entries, room->data, err);
}

/* --- As planned ------------------------------------------------------------ */

static dl_status check_sums(const dl_lake_stretch *stretch, const char *data,
                            dl_error *err)
{
    int i;

    for (i = 0; i < stretch->n_sums; i++) {
        const dl_lake_checksum *sum = &stretch->sums[i];

        if (dl_crc32c(0, data, (size_t)sum->bytes) != sum->crc ||
            data[sum->bytes - 1] != '\n') {
            return dl_fail(err, DL_CORRUPT, 0,
                           "lines from %llu on have a wrong checksum",
                           (unsigned long long)stretch->line);
        }
        data += sum->bytes;
    }
    return DL_OK;
}

/* Read the bytes of STRETCH to TO. */
static dl_status read_bytes(char *to, const dl_lake_stretch *stretch,
                            dl_error *err)
{
    const dl_lake_text *text;

    DL_TRY(dl_lake_opened_text(&text, stretch->part, err));
    DL_TRY(
        dl_lake_text_read(text, to, (size_t)stretch->bytes, stretch->at, err));
    return check_sums(stretch, to, err);
}

static dl_status read_as_planned(const char **data, size_t *len,
                                 const dl_lake_stretch *stretch,
                                 dl_lake_room *room, dl_error *err)
{
    need_room(room, (size_t)stretch->bytes, 0);
    DL_TRY(read_bytes(room->data, stretch, err));
    return cut(data, len, stretch, room->data, err);
}

/* Let ROOM have the block of STRETCH, from those that are kept or read into
 * them; without one it does not fit there. */
static dl_status keep_block(dl_lake_room *room, const dl_lake_stretch *stretch,
                            dl_error *err)
{
    dl_lake_kept_key key;
    dl_lake_kept *kept = dl_lake_opened_kept(&key, stretch->part);

    key.at = stretch->at;
    key.bytes = stretch->bytes;
    room->kept = dl_lake_kept_find(kept, &key);
    if (room->kept != NULL || !stretch->keep) {
        return DL_OK;
    }
    room->kept = dl_lake_kept_take(kept, &key);
    if (room->kept == NULL) {
        return DL_OK;
    }
    DL_TRY(read_bytes(dl_lake_kept_data(room->kept), stretch, err));
    dl_lake_kept_ready(room->kept);
    return DL_OK;
}

static dl_status read_block(const char **data, size_t *len,
                            const dl_lake_stretch *stretch, dl_lake_room *room,
                            dl_error *err)
{
    DL_TRY(keep_block(room, stretch, err));
    return room->kept == NULL
               ? read_as_planned(data, len, stretch, room, err)
               : cut(data, len, stretch, dl_lake_kept_data(room->kept), err);
}

dl_status dl_lake_stretch_read(const char **data, size_t *len,
                               const dl_lake_stretch *stretch,
                               dl_lake_room *room, dl_error *err)
{
    dl_error ignored;

    empty_room(room);
    if (stretch->lines == 0) {
        *data = NULL;
        *len = 0;
        return DL_OK;
    }
    if (!stretch->by_block) {
        return read_as_planned(data, len, stretch, room, err);
    }
    if (read_block(data, len, stretch, room, &ignored) == DL_OK) {
        return DL_OK;
    }
    empty_room(room);
    return read_by_trail(data, len, stretch, room, err);
}

int dl_lake_stretch_file(uint64_t *at, const dl_lake_stretch *stretch,
                         const dl_lake_room *room, const char *data)
{
    const dl_lake_text *text;
    dl_error ignored;

    /* What was read by the trail after all lies elsewhere in the room. */
    if (stretch->lines == 0 || stretch->by_block ||
        dl_lake_opened_text(&text, stretch->part, &ignored) != DL_OK ||
        text->frames != NULL) {
        return -1;
    }
    *at = stretch->at + (uint64_t)(data - room->data);
    return text->fd;
}

void dl_lake_stretch_release(dl_lake_stretch *stretch)
{
    if (stretch->lines > 0) {
        dl_lake_opened_release(stretch->part);
        stretch->lines = 0;
    }
}
