/* dl_lake_index.c - Opening an index and asking it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_index.h"

#include <string.h>

#include "dl_crc.h"
#include "dl_gram.h"
#include "dl_lake_column.h"
#include "dl_lake_index_file.h"
#include "dl_lake_index_keys.h"
#include "dl_lake_index_zone.h"

/* Rows that are looked at for one text, and those of them that are read ahead
 * when they may still be on the disk: seldom are more needed to leave out all
 * blocks. */
#define ROWS_MAX   128
#define ROWS_AHEAD 8

/* --- Opening -------------------------------------------------------------- */

/* Open the index at PLACE, which is to be one of PART. */
static dl_status open_one(dl_lake_index **index,
                          const dl_lake_index_place *place,
                          const dl_lake_part *part, dl_error *err,
                          apr_pool_t *pool)
{
    const dl_lake_index_segment *last;
    dl_lake_index *made;
    uint64_t bytes;

    DL_TRY(dl_lake_index_load(&made, place, err, pool));
    last = &made->segments[made->n - 1];
    bytes = last->at + last->bytes;
    if ((bytes == part->bytes && last->crc != part->crc) ||
        (bytes > part->bytes && part->state != DL_LAKE_PART_OPEN)) {
        return dl_fail(err, DL_CORRUPT, 0, "the %s is of another part",
                       place->suffix);
    }
    *index = made;
    return DL_OK;
}

dl_status dl_lake_index_open(dl_lake_index **index, const dl_lake_io *io,
                             int meta, const dl_lake_part *part, dl_error *err,
                             apr_pool_t *result_pool)
{
    dl_lake_index_place place = {
        .io = io, .meta = meta, .uid = part->uid, .suffix = "index"};
    dl_status status = open_one(index, &place, part, err, result_pool);
    dl_error other;

    place.suffix = "grow";
    if (status != DL_OK &&
        open_one(index, &place, part, &other, result_pool) == DL_OK) {
        return DL_OK;
    }
    return status;
}

/* --- Blocks ---------------------------------------------------------------- */

int dl_lake_index_segments(uint64_t *bytes, uint64_t *lines,
                           const dl_lake_index *index)
{
    const dl_lake_index_segment *last = &index->segments[index->n - 1];

    *bytes = last->at + last->bytes;
    *lines = last->line + last->lines;
    return index->n;
}

int dl_lake_index_blocks(const dl_lake_index *index, int segment)
{
    return index->segments[segment].n;
}

void dl_lake_index_block(dl_lake_block *block, const dl_lake_index *index,
                         int segment, int i)
{
    const dl_lake_index_segment *s = &index->segments[segment];
    const dl_lake_index_entry *entry = &s->table[i];
    bool last = i == s->n - 1;

    block->at = s->at + entry->at;
    block->line = s->line + entry->line;
    block->bytes = (last ? s->bytes : entry[1].at) - entry->at;
    block->lines = (last ? s->lines : entry[1].line) - entry->line;
    block->crc = entry->crc;
}

/* Return the block of S with its line LINE. */
static int block_of(const dl_lake_index_segment *s, uint64_t line)
{
    int low = 0;
    int high = s->n;

    while (high - low > 1) {
        int middle = (low + high) / 2;

        if (s->table[middle].line <= line) {
            low = middle;
        }
        else {
            high = middle;
        }
    }
    return low;
}

void dl_lake_index_find(int *segment, int *i, const dl_lake_index *index,
                        uint64_t line)
{
    int low = 0;
    int high = index->n;

    while (high - low > 1) {
        int middle = (low + high) / 2;

        if (index->segments[middle].line <= line) {
            low = middle;
        }
        else {
            high = middle;
        }
    }
    *segment = low;
    *i = block_of(&index->segments[low], line - index->segments[low].line);
}

/* --- Candidates ------------------------------------------------------------ */

bool dl_lake_index_row(const uint8_t **row,
                       const dl_lake_index_segment *segment, unsigned number)
{
    size_t len = (size_t)segment->unit * segment->width;
    uint32_t unit = number / segment->unit;
    const uint8_t *rows = segment->rows + unit * (len + 4);
    dl_lake_in crc = dl_lake_in_make(rows + len, 4);
    uint8_t bytes[4];

    dl_lake_put_u32(bytes, unit);
    *row = rows + (size_t)(number % segment->unit) * segment->width;
    return dl_crc32c(dl_crc32c(0, bytes, sizeof bytes), rows, len) ==
           dl_lake_get_u32(&crc);
}

/* Keep in BITS what row NUMBER of S has; return whether anything is left. */
static bool keep_row(uint64_t *bits, const dl_lake_index_segment *s,
                     unsigned number)
{
    const uint8_t *row;
    uint64_t any = 0;

    if (!dl_lake_index_row(&row, s, number)) {
        return true;
    }
    for (unsigned at = 0, i = 0; at < s->width; at += 8, i++) {
        unsigned len = s->width - at < 8 ? s->width - at : 8;
        uint64_t word = 0;

        for (unsigned k = 0; k < len; k++) {
            word |= (uint64_t)row[at + k] << (8 * k);
        }
        bits[i] &= word;
        any |= bits[i];
    }
    return any != 0;
}

/* Keep in BITS the blocks of S that can hold one of the texts of CONDITION. */
static void ask_texts(uint64_t *bits, const dl_lake_index_segment *s,
                      const dl_lake_condition *condition)
{
    uint64_t found[DL_LAKE_INDEX_WORDS] = {0};
    uint64_t some[DL_LAKE_INDEX_WORDS];
    uint16_t rows[ROWS_MAX];

    for (int i = 0; i < condition->n_texts; i++) {
        const dl_lake_hint_text *text = &condition->texts[i];
        int n = dl_gram_rows(rows, ROWS_MAX, text->text, text->len);
        bool any = true;

        if (n == 0) {
            return;
        }
        memcpy(some, bits, sizeof some);
        for (int k = 0; k < n && any; k++) {
            any = keep_row(some, s, rows[k]);
        }
        for (int k = 0; k < DL_LAKE_INDEX_WORDS && any; k++) {
            found[k] |= some[k];
        }
    }
    memcpy(bits, found, sizeof found);
}

/* Return the column of KIND called NAME in S, or NULL. */
static const dl_lake_index_column *find_column(const dl_lake_index_segment *s,
                                               int kind, const char *name)
{
    for (int i = 0; i < s->n_columns; i++) {
        if (s->columns[i].kind == kind &&
            strcmp(s->columns[i].name, name) == 0) {
            return &s->columns[i];
        }
    }
    return NULL;
}

/* Blocks with lines that were found. */
typedef struct marking {
    const dl_lake_index_segment *segment; /* whose blocks */
    uint64_t *bits;                       /* of them */
} marking;

static bool mark_line(void *context, uint32_t line)
{
    const marking *m = context;
    int i = block_of(m->segment, line);

    m->bits[i >> 6] |= UINT64_C(1) << (i & 63);
    return true;
}

/* Keep in BITS the blocks of S in which a key of CONDITION can be. */
static void ask_keys(uint64_t *bits, const dl_lake_index_segment *s,
                     const dl_lake_condition *condition)
{
    const dl_lake_index_column *column =
        find_column(s, DL_LAKE_COLUMN_KEYS, condition->path);
    uint64_t found[DL_LAKE_INDEX_WORDS] = {0};
    marking m = {.segment = s, .bits = found};

    for (int i = 0; i < condition->n_texts; i++) {
        const dl_lake_hint_text *text = &condition->texts[i];

        if (column == NULL ||
            !dl_lake_keys_find(column->data, column->len, (uint32_t)s->lines,
                               dl_lake_key_hash(text->text, text->len),
                               mark_line, &m)) {
            return;
        }
    }
    for (int i = 0; i < DL_LAKE_INDEX_WORDS; i++) {
        bits[i] &= found[i];
    }
}

/* Keep in BITS the blocks of S that can fulfil CONDITION. */
static void ask(uint64_t *bits, const dl_lake_index_segment *s,
                const dl_lake_condition *condition)
{
    bool times = condition->kind == DL_LAKE_HINT_TIMES;
    const dl_lake_index_column *column;

    if (condition->kind == DL_LAKE_HINT_TEXTS_OF) {
        ask_texts(bits, s, condition);
        return;
    }
    if (condition->path == NULL) {
        return;
    }
    if (condition->kind == DL_LAKE_HINT_KEYS) {
        ask_keys(bits, s, condition);
        return;
    }
    column =
        find_column(s, times ? DL_LAKE_COLUMN_TIMES : DL_LAKE_COLUMN_NUMBERS,
                    condition->path);
    if (column != NULL) {
        dl_lake_zones_ask(bits, column->data, column->len, s->n, condition);
    }
}

/* Have the disk read what S of INDEX is asked first for HINT. */
static void read_ahead(const dl_lake_index *index,
                       const dl_lake_index_segment *s, const dl_lake_hint *hint)
{
    uint16_t rows[ROWS_AHEAD];

    if (atomic_load_explicit(index->cold, memory_order_relaxed) <= 0) {
        return;
    }
    atomic_fetch_sub_explicit(index->cold, 1, memory_order_relaxed);
    for (int i = 0; i < hint->n; i++) {
        const dl_lake_condition *condition = &hint->conditions[i];

        if (condition->kind == DL_LAKE_HINT_TEXTS_OF) {
            const dl_lake_hint_text *text = &condition->texts[0];

            dl_lake_index_want_rows(
                index, s, rows,
                dl_gram_rows(rows, ROWS_AHEAD, text->text, text->len));
            return;
        }
    }
}

int dl_lake_index_candidates(uint64_t bits[DL_LAKE_INDEX_WORDS],
                             const dl_lake_index *index, int segment,
                             const dl_lake_hint *hint)
{
    const dl_lake_index_segment *s = &index->segments[segment];
    int n = 0;

    memset(bits, 0, DL_LAKE_INDEX_WORDS * sizeof *bits);
    for (int i = 0; i < s->n; i++) {
        bits[i >> 6] |= UINT64_C(1) << (i & 63);
    }
    read_ahead(index, s, hint);
    for (int i = 0; i < hint->n; i++) {
        ask(bits, s, &hint->conditions[i]);
    }
    for (int i = 0; i < DL_LAKE_INDEX_WORDS; i++) {
        n += __builtin_popcountll(bits[i]);
    }
    return n;
}

/* --- Lines of a key -------------------------------------------------------- */

static bool add_line(void *context, uint32_t line)
{
    dl_lake_keys_note(context, 0, line);
    return true;
}

bool dl_lake_index_key_lines(dl_lake_key_lines *found,
                             const dl_lake_index *index, int segment,
                             const char *name, const dl_lake_hint_text *text,
                             apr_pool_t *result_pool)
{
    const dl_lake_index_segment *s = &index->segments[segment];
    const dl_lake_index_column *column =
        find_column(s, DL_LAKE_COLUMN_KEYS, name);
    dl_lake_keys lines = {0};
    bool good;

    if (column == NULL) {
        return false;
    }
    good = dl_lake_keys_find(column->data, column->len, (uint32_t)s->lines,
                             dl_lake_key_hash(text->text, text->len), add_line,
                             &lines);
    if (good) {
        found->first = s->line;
        found->n = (uint32_t)lines.n;
        found->lines =
            apr_palloc(result_pool, (lines.n + 1) * sizeof *found->lines);
        for (size_t i = 0; i < lines.n; i++) {
            found->lines[i] = (uint32_t)lines.entries[i];
        }
    }
    dl_lake_keys_free(&lines);
    return good;
}
