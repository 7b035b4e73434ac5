/* dl_lake_index_build.c - From lines to blocks to segments.
 *
 * The grams of a block are marked in 32 KiB, a byte a row, which is a store and
 * no more; packed they are one of 64 bitmaps of 4 KiB, 64 of which become one
 * plane of rows, a word for each row; up to 16 planes become the rows of a
 * segment.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_index_build.h"

#include <stdlib.h>
#include <string.h>

#include "dl_crc.h"
#include "dl_fold.h"
#include "dl_gram.h"
#include "dl_lake_index_file.h"
#include "dl_lake_index_keys.h"
#include "dl_lake_index_zone.h"

/* Blocks of a plane, and planes of a segment. */
#define PLANE  64
#define PLANES (DL_LAKE_INDEX_BLOCKS / PLANE)

/* Words from one bitmap to the next: not a multiple of what a cache folds. */
#define STRIDE (DL_GRAM_WORDS + 8)

/* Memory that grows with the longest line. */
typedef struct room {
    char *data;  /* malloc */
    size_t size; /* bytes */
} room;

struct dl_lake_index_builder {
    dl_lake_index_plan plan;    /* what to make; bytes, lines, crc move on */
    uint8_t *marks;             /* rows of the block being filled */
    uint64_t *maps;             /* bitmaps of the blocks of a plane */
    uint64_t *planes[PLANES];   /* rows of earlier blocks; made as needed */
    int n;                      /* complete blocks of the segment */
    uint64_t bytes;             /* of them and the block being filled */
    uint32_t lines;             /* lines of them */
    uint32_t block_at;          /* bytes before the block being filled */
    uint32_t block_line;        /* lines before it */
    uint32_t block_crc;         /* of its bytes so far */
    uint32_t crc;               /* of the part up to it */
    dl_lake_index_entry *table; /* the blocks */
    dl_lake_zone *zones;        /* a row of plan.blocks for each column */
    dl_lake_keys *keys;         /* one for each column */
    dl_lake_keys sorted;        /* room */
    dl_json_slice *slots;       /* of a line */
    room folded;                /* a line */
    room scratch;               /* a line */
    dl_lake_bytes out;          /* the segment */
};

/* --- Begin and end --------------------------------------------------------- */

static apr_status_t free_builder(void *data)
{
    dl_lake_index_builder *b = data;
    int n = b->plan.columns == NULL ? 0 : b->plan.columns->n;

    for (int i = 0; i < n; i++) {
        dl_lake_keys_free(&b->keys[i]);
    }
    for (int i = 0; i < PLANES; i++) {
        free(b->planes[i]);
    }
    dl_lake_keys_free(&b->sorted);
    free(b->marks);
    free(b->maps);
    free(b->folded.data);
    free(b->scratch.data);
    return APR_SUCCESS;
}

static void *need(void *memory)
{
    if (memory == NULL) {
        abort();
    }
    return memory;
}

/* Return the zones of column I of B, one for each block. */
static dl_lake_zone *zones_of(const dl_lake_index_builder *b, int i)
{
    return b->zones + (size_t)i * (size_t)b->plan.blocks;
}

/* Let the block that begins now hold nothing. */
static void begin_block(dl_lake_index_builder *b)
{
    int n = b->plan.columns == NULL ? 0 : b->plan.columns->n;

    b->block_at = (uint32_t)b->bytes;
    b->block_line = b->lines;
    b->block_crc = 0;
    memset(b->marks, 0, DL_GRAM_ROWS);
    for (int i = 0; i < n; i++) {
        dl_lake_zone_clear(&zones_of(b, i)[b->n]);
    }
}

void dl_lake_index_builder_create(dl_lake_index_builder **builder,
                                  const dl_lake_index_plan *plan,
                                  apr_pool_t *result_pool)
{
    dl_lake_index_builder *b = apr_pcalloc(result_pool, sizeof *b);
    size_t columns = plan->columns == NULL ? 0 : (size_t)plan->columns->n;
    size_t slots = columns == 0 ? 0 : (size_t)plan->columns->n_slots;
    size_t blocks = (size_t)plan->blocks;

    b->plan = *plan;
    b->crc = plan->crc;
    b->table = apr_palloc(result_pool, blocks * sizeof *b->table);
    b->zones =
        apr_palloc(result_pool, (columns * blocks + 1) * sizeof *b->zones);
    b->keys = apr_pcalloc(result_pool, (columns + 1) * sizeof *b->keys);
    b->slots = apr_pcalloc(result_pool, (slots + 1) * sizeof *b->slots);
    b->marks = need(malloc(DL_GRAM_ROWS));
    b->maps = need(malloc((size_t)PLANE * STRIDE * sizeof *b->maps));
    dl_lake_bytes_own(&b->out, result_pool);
    apr_pool_cleanup_register(result_pool, b, free_builder,
                              apr_pool_cleanup_null);
    begin_block(b);
    *builder = b;
}

uint64_t dl_lake_index_builder_done(uint64_t *lines, uint32_t *crc,
                                    const dl_lake_index_builder *builder)
{
    *lines = builder->plan.lines;
    *crc = builder->plan.crc;
    return builder->plan.bytes;
}

/* --- Planes ---------------------------------------------------------------- */

/* Exchange rows and columns of the 64 by 64 bits at M. */
static void transpose(uint64_t m[PLANE])
{
    uint64_t mask = UINT64_C(0x00000000ffffffff);

    for (unsigned j = PLANE / 2; j != 0; j >>= 1, mask ^= mask << j) {
        for (unsigned k = 0; k < PLANE; k = (k + j + 1) & ~j) {
            uint64_t swap = (m[k] >> j ^ m[k + j]) & mask;

            m[k] ^= swap << j;
            m[k + j] ^= swap;
        }
    }
}

/* Turn the marks of the last N blocks into their plane. */
static void make_plane(dl_lake_index_builder *b, int n)
{
    uint64_t **plane = &b->planes[(b->n - 1) / PLANE];

    if (*plane == NULL) {
        *plane = need(malloc(DL_GRAM_ROWS * sizeof **plane));
    }
    for (size_t word = 0; word < DL_GRAM_WORDS; word++) {
        uint64_t *rows = *plane + word * PLANE;

        for (int i = 0; i < PLANE; i++) {
            rows[i] = i < n ? b->maps[(size_t)i * STRIDE + word] : 0;
        }
        transpose(rows);
    }
}

/* --- Segments -------------------------------------------------------------- */

/* Add the rows to b->out. */
static void add_rows(dl_lake_index_builder *b)
{
    unsigned unit;
    unsigned width = dl_lake_index_width(&unit, b->n);
    unsigned words = (width + 7) / 8;
    uint8_t *p =
        dl_lake_bytes_room(&b->out, (size_t)DL_GRAM_ROWS * width +
                                        (size_t)DL_GRAM_ROWS / unit * 4 + 8);
    uint8_t *first = p;

    for (unsigned row = 0; row < DL_GRAM_ROWS; row += unit) {
        uint8_t *rows = p;
        uint8_t number[4];
        uint32_t crc;

        for (unsigned i = 0; i < unit; i++) {
            for (unsigned k = 0; k < words; k++) {
                dl_lake_put_u64(p + (size_t)8 * k, b->planes[k][row + i]);
            }
            p += width;
        }
        dl_lake_put_u32(number, row / unit);
        crc = dl_crc32c(0, number, sizeof number);
        crc = dl_crc32c(crc, rows, (size_t)(p - rows));
        p = dl_lake_put_u32(p, crc);
    }
    b->out.len += (size_t)(p - first);
}

/* Add the columns and their directory to b->out; return where that begins. */
static uint32_t add_columns(dl_lake_index_builder *b)
{
    dl_lake_bytes directory = {0};
    int n = b->plan.columns == NULL ? 0 : b->plan.columns->n;
    uint32_t at;

    for (int i = 0; i < n; i++) {
        const dl_lake_column *column = &b->plan.columns->columns[i];

        at = (uint32_t)b->out.len;
        if (column->kind == DL_LAKE_COLUMN_KEYS) {
            dl_lake_keys_add(&b->out, &b->keys[i], &b->sorted);
        }
        else {
            dl_lake_zones_add(&b->out, column->kind, zones_of(b, i), b->n);
        }
        dl_lake_add_u8(&directory, (uint8_t)column->kind);
        dl_lake_add_text(&directory, column->name, strlen(column->name));
        dl_lake_add_varint(&directory, at);
        dl_lake_add_varint(&directory, b->out.len - at);
    }
    at = (uint32_t)b->out.len;
    dl_lake_add_raw(&b->out, directory.data, directory.len);
    dl_lake_bytes_free(&directory);
    return at;
}

/* Write the header before the rest of b->out, whose directory begins at
 * DIRECTORY. */
static void put_header(dl_lake_index_builder *b, uint32_t directory)
{
    const char *folding = dl_fold_version();
    uint8_t *out = b->out.data;
    size_t table = (size_t)b->n * DL_LAKE_INDEX_ENTRY;
    uint32_t len = (uint32_t)b->out.len - directory;
    unsigned unit;
    uint8_t *p = out;

    memset(out, 0, DL_LAKE_INDEX_HEADER);
    p = dl_lake_put_u32(p, DL_LAKE_INDEX_MAGIC);
    p = dl_lake_put_u16(p, DL_LAKE_VERSION);
    p = dl_lake_put_u16(p, (uint16_t)dl_lake_index_width(&unit, b->n));
    p = dl_lake_put_u64(p, b->plan.uid);
    p = dl_lake_put_u64(p, b->plan.bytes);
    p = dl_lake_put_u64(p, b->plan.lines);
    p = dl_lake_put_u64(p, b->bytes);
    p = dl_lake_put_u64(p, b->lines);
    p = dl_lake_put_u64(p, b->out.len);
    p = dl_lake_put_u32(p, (uint32_t)b->n);
    p = dl_lake_put_u32(p, b->plan.block_bytes);
    p = dl_lake_put_u32(p, b->crc);
    p = dl_lake_put_u32(p, dl_crc32c(0, out + DL_LAKE_INDEX_HEADER, table));
    p = dl_lake_put_u32(p, directory);
    p = dl_lake_put_u32(p, len);
    p = dl_lake_put_u32(p, dl_crc32c(0, out + directory, len));
    memcpy(p, folding, strnlen(folding, DL_LAKE_INDEX_FOLDING));
    dl_lake_put_u32(out + DL_LAKE_INDEX_HEADER - 4,
                    dl_crc32c(0, out, DL_LAKE_INDEX_HEADER - 4));
}

/* Hand over the segment of the complete blocks. */
static dl_status end_segment(dl_lake_index_builder *b, dl_error *err)
{
    if (b->n % PLANE != 0) {
        make_plane(b, b->n % PLANE);
    }
    dl_lake_bytes_room(&b->out, DL_LAKE_INDEX_HEADER);
    b->out.len = DL_LAKE_INDEX_HEADER;
    for (int i = 0; i < b->n; i++) {
        dl_lake_add_u32(&b->out, b->table[i].at);
        dl_lake_add_u32(&b->out, b->table[i].line);
        dl_lake_add_u32(&b->out, b->table[i].crc);
    }
    add_rows(b);
    put_header(b, add_columns(b));
    DL_TRY(b->plan.sink(b->plan.context, b->out.data, b->out.len, err));
    b->plan.bytes += b->bytes;
    b->plan.lines += b->lines;
    b->plan.crc = b->crc;
    b->out.len = 0;
    b->bytes = 0;
    b->lines = 0;
    b->n = 0;
    return DL_OK;
}

/* End the block being filled, and with it the segment when that is full. */
static dl_status end_block(dl_lake_index_builder *b, dl_error *err)
{
    dl_lake_index_entry *entry = &b->table[b->n];

    entry->at = b->block_at;
    entry->line = b->block_line;
    entry->crc = b->block_crc;
    b->crc = dl_lake_crc_join(b->crc, b->block_crc, b->bytes - b->block_at);
    dl_gram_pack(b->maps + (size_t)(b->n % PLANE) * STRIDE, b->marks);
    b->n++;
    if (b->n % PLANE == 0) {
        make_plane(b, PLANE);
    }
    if (b->n == b->plan.blocks || b->bytes >= DL_LAKE_INDEX_SEGMENT ||
        b->lines == DL_LAKE_INDEX_LINES) {
        DL_TRY(end_segment(b, err));
    }
    begin_block(b);
    return DL_OK;
}

/* --- Lines ----------------------------------------------------------------- */

/* Return room for LEN bytes in R. */
static char *make_room(room *r, size_t len)
{
    if (r->size < len) {
        free(r->data);
        r->size = len + len / 2;
        r->data = need(malloc(r->size));
    }
    return r->data;
}

/* Note the value SLICE of column I. */
static void add_value(dl_lake_index_builder *b, int i, dl_json_slice slice)
{
    const dl_lake_column *column = &b->plan.columns->columns[i];
    const char *text = slice.text;
    size_t len = slice.len;

    if (column->kind != DL_LAKE_COLUMN_KEYS) {
        dl_lake_zone_widen(&zones_of(b, i)[b->n], column, slice);
        return;
    }
    if (slice.kind != DL_JSON_STRING) {
        return;
    }
    if (slice.escaped != 0) {
        char *plain = make_room(&b->folded, len);

        len = dl_json_unescape(plain, slice);
        text = plain;
    }
    dl_lake_keys_note(&b->keys[i], dl_lake_key_hash(text, len), b->lines);
}

/* Take the line of LEN bytes at LINE, without its newline. */
static void add_line(dl_lake_index_builder *b, const char *line, size_t len)
{
    const dl_lake_columns *columns = b->plan.columns;
    char *folded = make_room(&b->folded, dl_gram_room(len));
    dl_json_result result;

    dl_gram_mark(b->marks, folded, dl_gram_fold(folded, line, len));
    if (columns == NULL || len > DL_JSON_MAX_BYTES ||
        dl_json_scan(&result, b->slots, columns->shape,
                     make_room(&b->scratch, len + DL_JSON_SLACK), line,
                     len) != DL_JSON_FINE) {
        return;
    }
    for (int i = 0; i < columns->n; i++) {
        dl_json_slice slice =
            dl_lake_column_value(&columns->columns[i], b->slots);

        if (slice.kind > DL_JSON_NULL) {
            add_value(b, i, slice);
        }
    }
}

dl_status dl_lake_index_builder_add(dl_lake_index_builder *builder,
                                    const char *data, size_t len, dl_error *err)
{
    dl_lake_index_builder *b = builder;
    const char *end = data + len;
    const char *from = data; /* not yet in block_crc */

    while (data < end) {
        const char *stop = memchr(data, '\n', (size_t)(end - data));

        if (stop == NULL) {
            return dl_fail(err, DL_CORRUPT, 0, "a line without an end");
        }
        add_line(b, data, (size_t)(stop - data));
        b->lines++;
        b->bytes += (uint64_t)(stop + 1 - data);
        data = stop + 1;
        if (b->bytes - b->block_at >= b->plan.block_bytes ||
            b->lines == DL_LAKE_INDEX_LINES) {
            b->block_crc = dl_crc32c(b->block_crc, from, (size_t)(data - from));
            from = data;
            DL_TRY(end_block(b, err));
        }
    }
    b->block_crc = dl_crc32c(b->block_crc, from, (size_t)(data - from));
    return DL_OK;
}

dl_status dl_lake_index_builder_end(dl_lake_index_builder *builder,
                                    dl_error *err)
{
    if (builder->bytes > builder->block_at) {
        DL_TRY(end_block(builder, err));
    }
    return builder->n > 0 ? end_segment(builder, err) : DL_OK;
}
