/* dl_lake_index_file.c - Mapping an index and reading what its segments say of
 * themselves.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_index_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <apr_strings.h>

#include "dl_crc.h"
#include "dl_fold.h"
#include "dl_gram.h"
#include "dl_lake_index_build.h"

/* Most columns of a segment, most bytes of their directory. */
#define COLUMNS_MAX   256
#define DIRECTORY_MAX 65536

/* Bytes of header and block table of a full segment. */
#define HEAD_BYTES                                                             \
    (DL_LAKE_INDEX_HEADER + (size_t)DL_LAKE_INDEX_BLOCKS * DL_LAKE_INDEX_ENTRY)

/* Questions to each segment that find an index cold which the disk had to be
 * waited for when it was opened. */
#define COLD 16

/* Least bytes of a column's entry: kind, no name, offset, length. */
#define ENTRY_LEAST 4

/* --- Mapping --------------------------------------------------------------- */

static apr_status_t unmap(void *data)
{
    dl_lake_index *index = data;

    if (index->map != NULL) {
        munmap((void *)(uintptr_t)index->map, index->size);
    }
    index->map = NULL;
    return APR_SUCCESS;
}

/* Map the file FD as that of INDEX. */
static dl_status map_file(dl_lake_index *index, const dl_lake_io *io, int fd,
                          dl_error *err)
{
    void *map;

    DL_TRY(dl_lake_file_size(&index->size, io, fd, err));
    if (index->size < DL_LAKE_INDEX_HEADER) {
        return dl_fail(err, DL_CORRUPT, 0, "no segment");
    }
    map = mmap(NULL, index->size, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        return dl_fail(err, dl_lake_errno_status(errno), errno,
                       "cannot map an index");
    }
    /* Rows lie far apart: what the disk would read around one is not wanted. */
    (void)madvise(map, index->size, MADV_RANDOM);
    index->map = map;
    return DL_OK;
}

/* --- Segments -------------------------------------------------------------- */

unsigned dl_lake_index_width(unsigned *unit, int n)
{
    unsigned bytes = ((unsigned)n + 7) / 8;
    unsigned width = 1;
    unsigned rounded;

    while (width < bytes && width < 8) {
        width *= 2;
    }
    width = bytes > 8 ? (bytes + 7) / 8 * 8 : width;
    for (rounded = 1; rounded < width; rounded *= 2) {
    }
    *unit = DL_LAKE_INDEX_UNIT / rounded;
    return width;
}

/* The fields of a header that segments do not keep. */
typedef struct header {
    uint32_t table_crc; /* of the block table */
    uint32_t directory; /* where the columns' directory begins */
    uint32_t len;       /* bytes of it */
    uint32_t crc;       /* of it */
} header;

/* Read the header of S, whose data are there; LEFT bytes of them. */
static dl_status read_header(dl_lake_index_segment *s, header *h, uint64_t uid,
                             uint64_t left, dl_error *err)
{
    dl_lake_in in = dl_lake_in_make(s->data, DL_LAKE_INDEX_HEADER);
    uint32_t magic = dl_lake_get_u32(&in);
    uint16_t version = dl_lake_get_u16(&in);
    const uint8_t *folding;
    uint8_t wanted[DL_LAKE_INDEX_FOLDING] = {0};

    s->width = dl_lake_get_u16(&in);
    uid ^= dl_lake_get_u64(&in);
    s->at = dl_lake_get_u64(&in);
    s->line = dl_lake_get_u64(&in);
    s->bytes = dl_lake_get_u64(&in);
    s->lines = dl_lake_get_u64(&in);
    s->size = dl_lake_get_u64(&in);
    s->n = (int)dl_lake_get_u32(&in);
    s->block_bytes = dl_lake_get_u32(&in);
    s->crc = dl_lake_get_u32(&in);
    h->table_crc = dl_lake_get_u32(&in);
    h->directory = dl_lake_get_u32(&in);
    h->len = dl_lake_get_u32(&in);
    h->crc = dl_lake_get_u32(&in);
    folding = dl_lake_get_raw(&in, sizeof wanted);
    in.p = s->data + DL_LAKE_INDEX_HEADER - 4;
    if (magic != DL_LAKE_INDEX_MAGIC ||
        dl_lake_get_u32(&in) !=
            dl_crc32c(0, s->data, DL_LAKE_INDEX_HEADER - 4) ||
        uid != 0) {
        return dl_fail(err, DL_CORRUPT, 0,
                       "no header of a segment of this part");
    }
    memcpy(wanted, dl_fold_version(),
           strnlen(dl_fold_version(), sizeof wanted));
    if (version != DL_LAKE_VERSION ||
        memcmp(folding, wanted, sizeof wanted) != 0) {
        return dl_fail(err, DL_UNSUPPORTED, 0,
                       "another version of format or folding");
    }
    if (s->size > left || s->size < DL_LAKE_INDEX_HEADER) {
        return dl_fail(err, DL_CORRUPT, 0, "a segment is cut off");
    }
    return DL_OK;
}

/* Find the parts of S and check that they fill it. */
static dl_status place_parts(dl_lake_index_segment *s, const header *h,
                             dl_error *err)
{
    size_t table;
    uint64_t rows;

    if (s->n < 1 || s->n > DL_LAKE_INDEX_BLOCKS ||
        s->width != dl_lake_index_width(&s->unit, s->n) ||
        s->bytes > UINT32_MAX || s->lines > DL_LAKE_INDEX_LINES ||
        s->bytes == 0 || s->lines == 0) {
        return dl_fail(err, DL_CORRUPT, 0, "a header out of bounds");
    }
    table = (size_t)s->n * DL_LAKE_INDEX_ENTRY;
    rows = (uint64_t)DL_GRAM_ROWS * s->width +
           (uint64_t)DL_GRAM_ROWS / s->unit * 4;
    s->rows = s->data + DL_LAKE_INDEX_HEADER + table;
    if (h->directory < DL_LAKE_INDEX_HEADER + table + rows ||
        h->len > DIRECTORY_MAX || (uint64_t)h->directory + h->len != s->size ||
        dl_crc32c(0, s->data + DL_LAKE_INDEX_HEADER, table) != h->table_crc ||
        dl_crc32c(0, s->data + h->directory, h->len) != h->crc) {
        return dl_fail(err, DL_CORRUPT, 0, "a segment's tables are damaged");
    }
    return DL_OK;
}

/* Copy the block table of S. */
static dl_status read_table(dl_lake_index_segment *s, dl_error *err,
                            apr_pool_t *pool)
{
    size_t size = (size_t)s->n * sizeof(dl_lake_index_entry);
    dl_lake_in in = dl_lake_in_make(s->data + DL_LAKE_INDEX_HEADER,
                                    (size_t)s->n * DL_LAKE_INDEX_ENTRY);
    dl_lake_index_entry *table = apr_palloc(pool, size);

    for (int i = 0; i < s->n; i++) {
        table[i].at = dl_lake_get_u32(&in);
        table[i].line = dl_lake_get_u32(&in);
        table[i].crc = dl_lake_get_u32(&in);
        if (i == 0 ? table[i].at != 0 || table[i].line != 0
                   : table[i].at <= table[i - 1].at ||
                         table[i].line <= table[i - 1].line) {
            return dl_fail(err, DL_CORRUPT, 0, "blocks out of order");
        }
    }
    if (table[s->n - 1].at >= s->bytes || table[s->n - 1].line >= s->lines) {
        return dl_fail(err, DL_CORRUPT, 0, "blocks past their segment");
    }
    s->table = table;
    return DL_OK;
}

/* Read the directory of S, which H describes. */
static dl_status read_directory(dl_lake_index_segment *s, const header *h,
                                dl_error *err, apr_pool_t *pool)
{
    dl_lake_in in = dl_lake_in_make(s->data + h->directory, h->len);
    int most = h->len / ENTRY_LEAST < COLUMNS_MAX
                   ? (int)(h->len / ENTRY_LEAST) + 1
                   : COLUMNS_MAX;
    dl_lake_index_column *columns =
        apr_pcalloc(pool, (size_t)most * sizeof *columns);

    while (in.p < in.end && !in.bad && s->n_columns < most) {
        dl_lake_index_column *column = &columns[s->n_columns++];
        const uint8_t *name;
        uint64_t at;
        size_t len;

        column->kind = dl_lake_get_u8(&in);
        name = dl_lake_get_text(&len, &in);
        column->name =
            apr_pstrmemdup(pool, in.bad ? "" : (const char *)name, len);
        at = dl_lake_get_bounded(&in, h->directory);
        column->len =
            (size_t)dl_lake_get_bounded(&in, h->directory - (in.bad ? 0 : at));
        column->data = s->data + at;
    }
    if (in.bad || in.p < in.end) {
        return dl_fail(err, DL_CORRUPT, 0, "a directory of columns is wrong");
    }
    s->columns = columns;
    return DL_OK;
}

/* Have the LEN bytes at DATA of INDEX, which may lie beyond its end, read from
 * the disk at once: nobody waits for them yet. */
static void want(const dl_lake_index *index, const uint8_t *data, size_t len)
{
    const size_t page = 4096;
    size_t from = (size_t)(data - index->map) / page * page;
    size_t left = (size_t)index->size - from;

    len += (size_t)(data - index->map) - from;
    (void)madvise((void *)(uintptr_t)(index->map + from),
                  len < left ? len : left, MADV_WILLNEED);
}

void dl_lake_index_want_rows(const dl_lake_index *index,
                             const dl_lake_index_segment *segment,
                             const uint16_t *rows, int n)
{
    size_t len = (size_t)segment->unit * segment->width + 4;

    for (int i = 0; i < n; i++) {
        want(index, segment->rows + rows[i] / segment->unit * len, len);
    }
}

/* Return how often this thread has waited for a page from the disk. */
static long waits(void)
{
    struct rusage use;

    return getrusage(RUSAGE_THREAD, &use) == 0 ? use.ru_majflt : 0;
}

/* Add to INDEX the segment behind the last one. */
static dl_status add_segment(dl_lake_index *index, uint64_t uid, dl_error *err,
                             apr_pool_t *pool)
{
    dl_lake_index_segment *s = &index->segments[index->n];
    uint64_t left = index->size - index->used;
    header h;

    memset(s, 0, sizeof *s);
    s->data = index->map + index->used;
    if (left < DL_LAKE_INDEX_HEADER) {
        return dl_fail(err, DL_CORRUPT, 0, "a segment is cut off");
    }
    DL_TRY(read_header(s, &h, uid, left, err));
    want(index, s->data, HEAD_BYTES);
    DL_TRY(place_parts(s, &h, err));
    DL_TRY(read_table(s, err, pool));
    DL_TRY(read_directory(s, &h, err, pool));
    if (s->at != (index->n == 0 ? 0 : s[-1].at + s[-1].bytes) ||
        s->line != (index->n == 0 ? 0 : s[-1].line + s[-1].lines)) {
        return dl_fail(err, DL_CORRUPT, 0, "segments do not follow each other");
    }
    index->used += s->size;
    index->n++;
    return DL_OK;
}

/* Whether a header of a segment of the part UID is at DATA; *SIZE: the bytes of
 * that segment, *AT: those of the part before it. */
static bool is_header(uint64_t *size, uint64_t *at, const uint8_t *data,
                      uint64_t uid)
{
    dl_lake_in in = dl_lake_in_make(data, DL_LAKE_INDEX_HEADER);
    bool magic = dl_lake_get_u32(&in) == DL_LAKE_INDEX_MAGIC;

    dl_lake_get_u32(&in); /* version and width */
    if (!magic || dl_lake_get_u64(&in) != uid) {
        return false;
    }
    *at = dl_lake_get_u64(&in);
    in.p = data + 48;
    *size = dl_lake_get_u64(&in);
    in.p = data + DL_LAKE_INDEX_HEADER - 4;
    return dl_lake_get_u32(&in) == dl_crc32c(0, data, DL_LAKE_INDEX_HEADER - 4);
}

/* Whether DATA is what was a header of the part UID: it has the first word or
 * the uid of one, and something for a checksum. */
static bool was_header(const uint8_t *data, uint64_t uid)
{
    dl_lake_in in = dl_lake_in_make(data, DL_LAKE_INDEX_HEADER);
    bool magic = dl_lake_get_u32(&in) == DL_LAKE_INDEX_MAGIC;

    dl_lake_get_u32(&in);
    magic = dl_lake_get_u64(&in) == uid || magic;
    in.p = data + DL_LAKE_INDEX_HEADER - 4;
    return magic && dl_lake_get_u32(&in) != 0;
}

bool dl_lake_index_torn(const dl_lake_index *index, uint64_t uid)
{
    const dl_lake_index_segment *last =
        index->n > 0 ? &index->segments[index->n - 1] : NULL;
    uint64_t left = index->size - index->used;
    const uint8_t *data;
    uint64_t size;
    uint64_t at;

    if (index->map == NULL || left < DL_LAKE_INDEX_HEADER) {
        return true;
    }
    data = index->map + index->used;
    if (is_header(&size, &at, data, uid)) {
        /* One that does not follow was written over in part. */
        return size > left || at != (last != NULL ? last->at + last->bytes : 0);
    }
    if (was_header(data, uid)) {
        return false;
    }
    for (uint64_t i = 1; i + DL_LAKE_INDEX_HEADER <= left; i++) {
        if (is_header(&size, &at, data + i, uid)) {
            return false;
        }
    }
    return true;
}

dl_status dl_lake_index_read(dl_lake_index *index, uint64_t uid, dl_error *err,
                             apr_pool_t *result_pool)
{
    long before = waits();
    int size = 0;
    dl_status status = DL_OK;

    while (status == DL_OK && index->used < index->size) {
        if (index->n == size) {
            dl_lake_index_segment *more;

            size = size == 0 ? 16 : 2 * size;
            more = apr_palloc(result_pool, (size_t)size * sizeof *more);
            if (index->n > 0) {
                memcpy(more, index->segments, (size_t)index->n * sizeof *more);
            }
            index->segments = more;
        }
        status = add_segment(index, uid, err, result_pool);
    }
    index->cold = apr_palloc(result_pool, sizeof *index->cold);
    atomic_init(index->cold, waits() > before ? COLD * index->n : 0);
    return index->n > 0 ? DL_OK : status;
}

dl_status dl_lake_index_load(dl_lake_index **index,
                             const dl_lake_index_place *place, dl_error *err,
                             apr_pool_t *result_pool)
{
    char name[DL_LAKE_PATH_MAX];
    char path[sizeof DL_LAKE_IDX + DL_LAKE_PATH_MAX];
    dl_lake_index *made = apr_pcalloc(result_pool, sizeof *made);
    dl_status status;
    int fd;

    dl_lake_index_name(name, place->uid, place->suffix);
    apr_snprintf(path, sizeof path, DL_LAKE_IDX "/%s", name);
    DL_TRY(dl_lake_file_open(&fd, place->io, place->meta, path, O_RDONLY, err));
    *index = made;
    apr_pool_cleanup_register(result_pool, made, unmap, apr_pool_cleanup_null);
    status = map_file(made, place->io, fd, err);
    place->io->close(fd);
    DL_TRY(status);
    return dl_lake_index_read(made, place->uid, err, result_pool);
}
