/* dl_lake_trail_reader.c - Walking and searching a trail.
 *
 * FORMAT.md 4.  A page is held in memory at a time; each entry is checked
 * against its own crc before it is believed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_trail.h"

#include "dl_crc.h"

#include <stdlib.h>
#include <string.h>

static dl_status damaged(const dl_lake_trail_walk *walk, const char *what,
                         dl_error *err)
{
    unsigned long long uid = walk->part.uid;
    unsigned long long at = walk->page_at + walk->at;

    return dl_fail(err, DL_CORRUPT, 0, "trail %016llx at %llu: %s", uid, at,
                   what);
}

static apr_status_t free_page(void *context)
{
    free(context);
    return APR_SUCCESS;
}

void dl_lake_trail_begin(dl_lake_trail_walk *walk, const dl_lake_io *io, int fd,
                         const dl_lake_part *part, apr_pool_t *pool)
{
    memset(walk, 0, sizeof *walk);
    walk->io = io;
    walk->fd = fd;
    walk->part = *part;
    walk->page = calloc(1, DL_LAKE_PAGE);
    if (walk->page == NULL) {
        abort();
    }
    apr_pool_cleanup_register(pool, walk->page, free_page,
                              apr_pool_cleanup_null);
}

/* --- Page header ---------------------------------------------------------- */

static dl_status get_page_header(dl_lake_trail_walk *walk,
                                 const uint8_t *header, dl_error *err)
{
    dl_lake_in in = dl_lake_in_make(header, DL_LAKE_PAGE_HEADER);
    bool same = dl_lake_get_u32(&in) == DL_LAKE_TRAIL_MAGIC;

    if (dl_crc32c(0, header, DL_LAKE_PAGE_HEADER - 4) !=
        (header[60] | (uint32_t)header[61] << 8 | (uint32_t)header[62] << 16 |
         (uint32_t)header[63] << 24)) {
        return damaged(walk, "page header has a wrong checksum", err);
    }
    if (dl_lake_get_u16(&in) != DL_LAKE_VERSION) {
        return dl_fail(err, DL_UNSUPPORTED, 0, "trail of another version");
    }
    same = dl_lake_get_u16(&in) == 0 && same;
    same = dl_lake_get_u32(&in) == (uint32_t)walk->part.day && same;
    same = dl_lake_get_u32(&in) == walk->part.number && same;
    same = dl_lake_get_u64(&in) == walk->part.uid && same;
    if (!same) {
        return damaged(walk, "page header belongs to another part", err);
    }
    walk->commits = dl_lake_get_u64(&in);
    walk->bytes = dl_lake_get_u64(&in);
    walk->records = dl_lake_get_u64(&in);
    walk->ms = (int64_t)dl_lake_get_u64(&in);
    return DL_OK;
}

static dl_status load_page(dl_lake_trail_walk *walk, uint64_t at, dl_error *err)
{
    uint64_t rest = walk->part.trail_len - at;

    walk->page_at = at;
    walk->page_len = rest < DL_LAKE_PAGE ? (size_t)rest : DL_LAKE_PAGE;
    walk->at = 0;
    if (walk->page_len < DL_LAKE_PAGE_HEADER) {
        return damaged(walk, "page header is cut", err);
    }
    DL_TRY(dl_lake_file_read(walk->io, walk->fd, walk->page, walk->page_len, at,
                             err));
    DL_TRY(get_page_header(walk, walk->page, err));
    walk->at = DL_LAKE_PAGE_HEADER;
    return DL_OK;
}

/* --- Entry ---------------------------------------------------------------- */

static dl_status get_entry(dl_lake_trail_entry *entry, dl_lake_trail_walk *walk,
                           dl_lake_in *in, dl_error *err)
{
    uint32_t crc = dl_lake_get_u32(in);
    const uint8_t *start = in->p;
    uint64_t when;

    if (in->bad || dl_crc32c(0, start, (size_t)(in->end - start)) != crc) {
        return damaged(walk, "entry has a wrong checksum", err);
    }
    entry->crc = dl_lake_get_u32(in);
    when = dl_lake_get_varint(in);
    entry->bytes = dl_lake_get_varint(in);
    entry->records = dl_lake_get_varint(in);
    entry->coords = in->p;
    entry->coords_len = (size_t)(in->end - in->p);
    entry->ends_commit = (when & 1) != 0;
    entry->ms = walk->ms + (int64_t)(when >> 1);
    if (in->bad || entry->records == 0 || entry->bytes / 2 < entry->records ||
        entry->bytes > walk->part.bytes - walk->bytes ||
        entry->records > walk->part.records - walk->records) {
        return damaged(walk, "entry contradicts its part", err);
    }
    return DL_OK;
}

static void step_over(dl_lake_trail_walk *walk,
                      const dl_lake_trail_entry *entry)
{
    walk->bytes += entry->bytes;
    walk->records += entry->records;
    if (entry->ends_commit) {
        walk->commits++;
        walk->ms = entry->ms;
    }
}

static bool at_padding(const dl_lake_trail_walk *walk)
{
    size_t i;

    for (i = walk->at; i < walk->page_len; i++) {
        if (walk->page[i] != 0) {
            return false;
        }
    }
    return walk->page_len == DL_LAKE_PAGE;
}

static dl_status load_next_page(bool *found, dl_lake_trail_walk *walk,
                                dl_error *err)
{
    dl_lake_trail_walk before = *walk;
    uint64_t next = walk->page_at + walk->page_len;

    *found = next < walk->part.trail_len;
    if (!*found) {
        return walk->bytes == walk->part.bytes &&
                       walk->records == walk->part.records &&
                       walk->commits == walk->part.commits
                   ? DL_OK
                   : damaged(walk, "sums are not those of its part", err);
    }
    DL_TRY(load_page(walk, next, err));
    if (next > 0 &&
        (walk->bytes != before.bytes || walk->records != before.records ||
         walk->commits != before.commits || walk->ms != before.ms)) {
        return damaged(walk, "page header does not follow its page", err);
    }
    return DL_OK;
}

dl_status dl_lake_trail_next(dl_lake_trail_entry *entry, bool *found,
                             dl_lake_trail_walk *walk, dl_error *err)
{
    dl_lake_in in;
    uint64_t size;

    *found = true;
    if (walk->at < walk->page_len && walk->page[walk->at] == 0) {
        if (!at_padding(walk)) {
            return damaged(walk, "padding is not zero", err);
        }
        walk->at = walk->page_len;
    }
    if (walk->at == walk->page_len) {
        DL_TRY(load_next_page(found, walk, err));
        if (!*found) {
            return DL_OK;
        }
    }
    in = dl_lake_in_make(walk->page + walk->at, walk->page_len - walk->at);
    size = dl_lake_get_varint(&in);
    if (in.bad || size > (uint64_t)(in.end - in.p)) {
        return damaged(walk, "entry is cut", err);
    }
    in.end = in.p + size;
    DL_TRY(get_entry(entry, walk, &in, err));
    walk->at = (size_t)(in.end - walk->page);
    step_over(walk, entry);
    return DL_OK;
}

/* --- Finding -------------------------------------------------------------- */

static uint64_t key_of(const dl_lake_trail_walk *walk, dl_lake_trail_key key)
{
    switch (key) {
    case DL_LAKE_BY_COMMITS:
        return walk->commits;
    case DL_LAKE_BY_MS:
        return (uint64_t)walk->ms;
    case DL_LAKE_BY_RECORDS:
        return walk->records;
    }
    return 0;
}

dl_status dl_lake_trail_seek(dl_lake_trail_walk *walk, dl_lake_trail_key key,
                             uint64_t value, dl_error *err)
{
    uint8_t header[DL_LAKE_PAGE_HEADER];
    uint64_t low = 0;
    uint64_t high = walk->part.trail_len == 0
                        ? 0
                        : (walk->part.trail_len - 1) / DL_LAKE_PAGE;

    while (low < high) {
        uint64_t middle = high - (high - low) / 2;

        walk->page_at = middle * DL_LAKE_PAGE;
        walk->at = 0;
        DL_TRY(dl_lake_file_read(walk->io, walk->fd, header, sizeof header,
                                 walk->page_at, err));
        DL_TRY(get_page_header(walk, header, err));
        if (key_of(walk, key) < value) {
            low = middle;
        }
        else {
            high = middle - 1;
        }
    }
    return load_page(walk, low * DL_LAKE_PAGE, err);
}

uint64_t dl_lake_trail_pages(const dl_lake_trail_walk *walk)
{
    return (walk->part.trail_len + DL_LAKE_PAGE - 1) / DL_LAKE_PAGE;
}

dl_status dl_lake_trail_turn(dl_lake_trail_walk *walk, uint64_t page,
                             dl_error *err)
{
    return load_page(walk, page * DL_LAKE_PAGE, err);
}

/* --- Coordinates ---------------------------------------------------------- */

void dl_lake_coords_begin(dl_lake_coords *coords,
                          const dl_lake_trail_entry *entry)
{
    memset(coords, 0, sizeof *coords);
    coords->in = dl_lake_in_make(entry->coords, entry->coords_len);
}

static bool get_new_source(dl_lake_coords *coords)
{
    dl_lake_source *source = &coords->sources[coords->n_sources];
    dl_lake_in *in = &coords->in;

    if (coords->n_sources == DL_LAKE_ENTRY_SOURCES) {
        return false;
    }
    source->partition = (int32_t)dl_lake_get_bounded(in, INT32_MAX);
    source->generation = (int32_t)dl_lake_get_bounded(in, INT32_MAX);
    source->offset = (int64_t)dl_lake_get_bounded(in, INT64_MAX);
    source->ms = dl_lake_get_zigzag(in);
    coords->current = coords->n_sources++;
    return !in->bad;
}

static bool get_known_source(dl_lake_coords *coords, uint64_t gap)
{
    dl_lake_source *source = &coords->sources[coords->current];
    int64_t delta = dl_lake_get_zigzag(&coords->in);

    if (coords->in.bad || gap >= (uint64_t)(INT64_MAX - source->offset) ||
        __builtin_add_overflow(source->ms, delta, &source->ms)) {
        return false;
    }
    source->offset += 1 + (int64_t)gap;
    return true;
}

static bool get_coord(dl_lake_coords *coords)
{
    uint64_t h = dl_lake_get_varint(&coords->in);
    uint64_t k = h >> 1;

    if (coords->in.bad) {
        return false;
    }
    if (h == 1) {
        return get_new_source(coords);
    }
    if ((h & 1) == 0) {
        return coords->n_sources > 0 && get_known_source(coords, k);
    }
    if (k > (uint64_t)coords->n_sources) {
        return false;
    }
    coords->current = (int)k - 1;
    return get_known_source(coords, dl_lake_get_varint(&coords->in));
}

bool dl_lake_coords_next(dl_coord *c, dl_lake_coords *coords)
{
    const dl_lake_source *source;

    if (!get_coord(coords)) {
        return false;
    }
    source = &coords->sources[coords->current];
    if (source->ms < -1 || source->ms > INT64_MAX / 1000) {
        return false;
    }
    c->generation = source->generation;
    c->partition = source->partition;
    c->offset = source->offset;
    c->time = source->ms < 0 ? DL_TIME_NONE : source->ms * 1000;
    return true;
}

bool dl_lake_notes_begin(dl_lake_noted *noted, const dl_lake_trail_entry *entry)
{
    dl_lake_coords coords;
    dl_coord passed;

    dl_lake_coords_begin(&coords, entry);
    for (uint64_t i = 0; i < entry->records; i++) {
        if (!dl_lake_coords_next(&passed, &coords)) {
            return false;
        }
    }
    dl_lake_noted_begin(noted, coords.in, entry->records);
    return true;
}
