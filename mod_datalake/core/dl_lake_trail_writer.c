/* dl_lake_trail_writer.c - Building the bytes a trail grows by.
 *
 * FORMAT.md 4.  An entry is built in COORDS until it is full or its commit
 * ends; then it goes, with a page header where one is due, to OUT.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_trail.h"

#include "dl_crc.h"

#include <string.h>

/* --- Page header ---------------------------------------------------------- */

static void add_page_header(dl_lake_trail *t, const dl_lake_part *p)
{
    uint8_t *start = dl_lake_bytes_room(&t->out, DL_LAKE_PAGE_HEADER);
    uint8_t *at = start;

    at = dl_lake_put_u32(at, DL_LAKE_TRAIL_MAGIC);
    at = dl_lake_put_u16(at, DL_LAKE_VERSION);
    at = dl_lake_put_u16(at, 0);
    at = dl_lake_put_u32(at, (uint32_t)p->day);
    at = dl_lake_put_u32(at, p->number);
    at = dl_lake_put_u64(at, p->uid);
    at = dl_lake_put_u64(at, p->commits);
    at = dl_lake_put_u64(at, p->bytes + t->bytes);
    at = dl_lake_put_u64(at, p->records + t->records);
    at = dl_lake_put_u64(at, (uint64_t)p->last_commit_ms);
    at = dl_lake_put_u32(at, 0);
    dl_lake_put_u32(at, dl_crc32c(0, start, DL_LAKE_PAGE_HEADER - 4));
    t->out.len += DL_LAKE_PAGE_HEADER;
}

static void make_room_in_page(dl_lake_trail *t, const dl_lake_part *p,
                              size_t need)
{
    size_t used = (size_t)((p->trail_len + t->out.len) % DL_LAKE_PAGE);
    size_t rest = DL_LAKE_PAGE - used;

    if (used != 0 && need <= rest) {
        return;
    }
    if (used != 0) {
        memset(dl_lake_bytes_room(&t->out, rest), 0, rest);
        t->out.len += rest;
    }
    add_page_header(t, p);
}

/* --- Entry ---------------------------------------------------------------- */

/* Lines are summed when there are this many bytes of them: dl_crc32c is three
 * times as quick on long runs, and these are still near. */
#define LATE_BYTES 12288

/* Bytes of an entry besides coordinates: size, two sums, three numbers. */
#define ENTRY_OVERHEAD (10 + 4 + 4 + 10 + 10 + 10)

static void add_entry(dl_lake_trail *t, const dl_lake_part *p, uint64_t when,
                      const dl_lake_trail_entry *entry)
{
    uint8_t head[ENTRY_OVERHEAD];
    uint8_t *at = dl_lake_put_u32(head, entry->crc);
    uint32_t crc;
    size_t len;

    at = dl_lake_put_varint(at, when);
    at = dl_lake_put_varint(at, entry->bytes);
    at = dl_lake_put_varint(at, entry->records);
    len = (size_t)(at - head);
    crc = dl_crc32c(0, head, len);
    crc = dl_crc32c(crc, entry->coords, entry->coords_len);
    make_room_in_page(t, p, ENTRY_OVERHEAD + entry->coords_len);
    dl_lake_add_varint(&t->out, 4 + len + entry->coords_len);
    dl_lake_add_u32(&t->out, crc);
    dl_lake_add_raw(&t->out, head, len);
    dl_lake_add_raw(&t->out, entry->coords, entry->coords_len);
    t->bytes += entry->bytes;
    t->records += entry->records;
}

void dl_lake_trail_settle(dl_lake_trail *t)
{
    if (t->late_len > 0) {
        t->entry_crc = dl_crc32c(t->entry_crc, t->late, t->late_len);
    }
    t->late = NULL;
    t->late_len = 0;
}

/* Note that LEN bytes at DATA have still to be summed. */
static void add_late(dl_lake_trail *t, const char *data, uint32_t len)
{
    if (t->late == NULL || t->late_len >= LATE_BYTES ||
        data != t->late + t->late_len) {
        dl_lake_trail_settle(t);
        t->late = data;
    }
    t->late_len += len;
}

static void close_entry(dl_lake_trail *t, const dl_lake_part *p, uint64_t when)
{
    dl_lake_trail_entry entry = {.bytes = t->entry_bytes,
                                 .records = t->entry_lines};

    dl_lake_noting_close(t->notes, t->entry_lines, &t->coords);
    entry.coords = t->coords.data;
    entry.coords_len = t->coords.len;
    dl_lake_trail_settle(t);
    entry.crc = t->entry_crc;
    add_entry(t, p, when, &entry);
    t->data_crc = dl_lake_crc_join(t->data_crc, t->entry_crc, t->entry_bytes);
    t->entry_bytes = t->entry_lines = t->entry_crc = 0;
    t->coords.len = 0;
    t->n_sources = 0;
}

/* --- Coordinates ---------------------------------------------------------- */

static int find_source(const dl_lake_trail *t, const dl_coord *c)
{
    int i;

    for (i = 0; i < t->n_sources; i++) {
        if (t->sources[i].partition == c->partition &&
            t->sources[i].generation == c->generation) {
            return i;
        }
    }
    return -1;
}

static int64_t coord_ms(const dl_coord *c)
{
    return c->time < 0 ? -1 : c->time / 1000;
}

static uint8_t *put_new_source(uint8_t *at, dl_lake_trail *t, const dl_coord *c)
{
    dl_lake_source *source = &t->sources[t->n_sources];

    source->partition = c->partition;
    source->generation = c->generation;
    source->offset = c->offset;
    source->ms = coord_ms(c);
    t->current = t->n_sources++;
    at = dl_lake_put_varint(at, 1);
    at = dl_lake_put_varint(at, (uint64_t)c->partition);
    at = dl_lake_put_varint(at, (uint64_t)c->generation);
    at = dl_lake_put_varint(at, (uint64_t)c->offset);
    return dl_lake_put_varint(at, dl_lake_zigzag(source->ms));
}

static uint8_t *put_known_source(uint8_t *at, dl_lake_trail *t, int k,
                                 const dl_coord *c)
{
    dl_lake_source *source = &t->sources[k];
    uint64_t gap = (uint64_t)(c->offset - source->offset - 1);
    int64_t ms = coord_ms(c);

    if (k == t->current) {
        at = dl_lake_put_varint(at, gap << 1);
    }
    else {
        at = dl_lake_put_varint(at, ((uint64_t)(k + 1) << 1) | 1);
        at = dl_lake_put_varint(at, gap);
    }
    at = dl_lake_put_varint(at, dl_lake_zigzag(ms - source->ms));
    source->offset = c->offset;
    source->ms = ms;
    t->current = k;
    return at;
}

static bool entry_is_full(const dl_lake_trail *t, int source, uint32_t len,
                          const dl_line_note *note)
{
    if (t->entry_lines == 0) {
        return false;
    }
    return t->entry_lines >= DL_LAKE_ENTRY_LINES ||
           t->entry_bytes + (uint64_t)len > DL_LAKE_ENTRY_BYTES ||
           t->coords.len > DL_LAKE_ENTRY_COORDS - DL_LAKE_COORD_MAX ||
           (source < 0 && t->n_sources == DL_LAKE_ENTRY_SOURCES) ||
           (t->notes != NULL && dl_lake_noting_full(t->notes, note));
}

void dl_lake_trail_append(dl_lake_trail *t, const dl_lake_part *p,
                          const char *data, uint32_t len, const dl_coord *c,
                          const dl_line_note *note)
{
    int source = find_source(t, c);
    uint8_t *start;
    uint8_t *at;

    if (entry_is_full(t, source, len, note)) {
        close_entry(t, p, 0);
        source = -1;
    }
    start = dl_lake_bytes_room(&t->coords, DL_LAKE_COORD_MAX);
    at = source < 0 ? put_new_source(start, t, c)
                    : put_known_source(start, t, source, c);
    t->coords.len += (size_t)(at - start);
    if (t->notes != NULL || note != NULL) {
        dl_lake_noting_add(&t->notes, t->entry_lines, note);
    }
    add_late(t, data, len);
    t->entry_bytes += len;
    t->entry_lines++;
}

/* --- Commit --------------------------------------------------------------- */

static void move_lines(dl_lake_trail *t, dl_lake_part *p, int64_t ms)
{
    p->crc = dl_lake_crc_join(p->crc, t->data_crc, t->bytes);
    p->bytes += t->bytes;
    p->records += t->records;
    if (p->commits == 0) {
        p->first_commit_ms = ms;
    }
    p->last_commit_ms = ms;
    p->commits++;
}

static void move_trail(const dl_lake_trail *t, dl_lake_part *p)
{
    p->trail_crc = dl_crc32c(p->trail_crc, t->out.data, t->out.len);
    p->trail_len += t->out.len;
}

void dl_lake_trail_commit(dl_lake_trail *t, dl_lake_part *p, int64_t now_ms)
{
    uint64_t since = (uint64_t)(now_ms - p->last_commit_ms);

    close_entry(t, p, since << 1 | 1);
    move_lines(t, p, now_ms);
    move_trail(t, p);
}

void dl_lake_trail_forget(dl_lake_trail *t)
{
    t->out.len = t->coords.len = 0;
    t->bytes = t->records = 0;
    t->entry_bytes = t->entry_lines = t->entry_crc = t->data_crc = 0;
    t->n_sources = t->current = 0;
    t->late = NULL;
    t->late_len = 0;
    dl_lake_noting_free(&t->notes);
}

void dl_lake_trail_free(dl_lake_trail *t)
{
    dl_lake_noting_free(&t->notes);
    dl_lake_bytes_free(&t->out);
    dl_lake_bytes_free(&t->coords);
}

size_t dl_lake_trail_pending(const dl_lake_trail *t)
{
    return t->out.len + t->coords.len + dl_lake_noting_pending(t->notes);
}

/* --- Copying -------------------------------------------------------------- */

void dl_lake_trail_copy(dl_lake_trail *t, dl_lake_part *p,
                        const dl_lake_trail_entry *entry)
{
    uint64_t when = 0;

    if (entry->ends_commit) {
        when = (uint64_t)(entry->ms - p->last_commit_ms) << 1 | 1;
    }
    add_entry(t, p, when, entry);
    t->data_crc = dl_lake_crc_join(t->data_crc, entry->crc, entry->bytes);
    if (entry->ends_commit) {
        move_lines(t, p, entry->ms);
        t->bytes = t->records = 0;
        t->data_crc = 0;
    }
}

void dl_lake_trail_drain(dl_lake_trail *t, dl_lake_part *p)
{
    move_trail(t, p);
    t->out.len = 0;
}
