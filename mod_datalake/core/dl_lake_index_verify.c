/* dl_lake_index_verify.c - Checking an index against its part.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "dl_crc.h"
#include "dl_gram.h"
#include "dl_lake_column.h"
#include "dl_lake_index_file.h"
#include "dl_lake_index_keys.h"
#include "dl_lake_index_part.h"

/* A check under way. */
typedef struct check {
    const dl_lake_index_job *job; /* which part */
    const dl_lake_index *index;   /* as it is */
    uint64_t at;                  /* bytes of it that were compared */
    int segment;                  /* of the block that is being read */
    int block;                    /* that block */
    dl_lake_block wanted;         /* what is known of it */
    uint64_t bytes, lines;        /* of it so far */
    uint32_t crc;                 /* of these */
} check;

/* --- By itself ------------------------------------------------------------- */

/* Whether the column C of N blocks has right checksums. */
static bool column_sound(const dl_lake_index_column *c, int n)
{
    size_t zones = (size_t)n * DL_LAKE_INDEX_ZONE;
    dl_lake_in in;

    if (c->kind == DL_LAKE_COLUMN_KEYS) {
        return dl_lake_keys_sound(c->data, c->len);
    }
    if (c->len != zones + 4) {
        return false;
    }
    in = dl_lake_in_make(c->data + zones, 4);
    return dl_crc32c(0, c->data, zones) == dl_lake_get_u32(&in);
}

static dl_status check_segment(const dl_lake_index_segment *s, dl_error *err)
{
    const uint8_t *row;

    for (unsigned i = 0; i < DL_GRAM_ROWS; i += s->unit) {
        if (!dl_lake_index_row(&row, s, i)) {
            return dl_fail(err, DL_CORRUPT, 0,
                           "rows from %u of the segment at %" PRIu64
                           " have a wrong checksum",
                           i, s->at);
        }
    }
    for (int i = 0; i < s->n_columns; i++) {
        if (!column_sound(&s->columns[i], s->n)) {
            return dl_fail(err, DL_CORRUPT, 0,
                           "the column %.60s of the segment at %" PRIu64
                           " is damaged",
                           s->columns[i].name, s->at);
        }
    }
    return DL_OK;
}

/* --- Against the part ------------------------------------------------------ */

/* Look at the next block from its beginning. */
static void begin_block(check *c)
{
    if (c->segment < c->index->n) {
        dl_lake_index_block(&c->wanted, c->index, c->segment, c->block);
    }
    c->bytes = 0;
    c->lines = 0;
    c->crc = 0;
}

static dl_status end_block(check *c, dl_error *err)
{
    if (c->lines != c->wanted.lines || c->crc != c->wanted.crc) {
        return dl_fail(err, DL_CORRUPT, 0,
                       "the block at %" PRIu64 " is not what is described",
                       c->wanted.at);
    }
    if (++c->block == c->index->segments[c->segment].n) {
        c->block = 0;
        c->segment++;
    }
    begin_block(c);
    return DL_OK;
}

/* Compare the LEN bytes at DATA, whole lines, with the block table. */
static dl_status check_lines(check *c, const char *data, size_t len,
                             dl_error *err)
{
    while (len > 0 && c->segment < c->index->n) {
        uint64_t left = c->wanted.bytes - c->bytes;
        size_t n = left < len ? (size_t)left : len;
        const char *end = data + n;

        c->crc = dl_crc32c(c->crc, data, n);
        c->bytes += n;
        len -= n;
        while (data < end) {
            const char *stop = memchr(data, '\n', (size_t)(end - data));

            c->lines += stop != NULL ? 1 : 0;
            data = stop != NULL ? stop + 1 : end;
        }
        if (c->bytes == c->wanted.bytes) {
            DL_TRY(end_block(c, err));
        }
    }
    return DL_OK;
}

/* Compare a segment that was built anew with what is there. */
static dl_status compare(void *context, const uint8_t *data, size_t len,
                         dl_error *err)
{
    check *c = context;
    uint64_t at = c->at;

    if (at >= c->index->used) {
        return DL_OK;
    }
    if (len > c->index->used - at ||
        memcmp(c->index->map + at, data, len) != 0) {
        return dl_fail(err, DL_CORRUPT, 0,
                       "the segment at %" PRIu64
                       " of the index is not what its lines give",
                       at);
    }
    c->at += len;
    return DL_OK;
}

/* Whether the first segment is made as JOB makes one. */
static bool same_plan(const dl_lake_index_segment *s,
                      const dl_lake_index_job *job)
{
    int n = job->columns == NULL ? 0 : job->columns->n;

    if (s->block_bytes != job->block_bytes || s->n_columns != n) {
        return false;
    }
    for (int i = 0; i < n; i++) {
        const dl_lake_column *column = &job->columns->columns[i];

        if (s->columns[i].kind != (int)column->kind ||
            strcmp(s->columns[i].name, column->name) != 0) {
            return false;
        }
    }
    return true;
}

/* Read the part and compare; BUILDER, unless NULL, makes the index anew. */
static dl_status check_part(check *c, dl_lake_index_builder *builder,
                            dl_error *err, apr_pool_t *pool)
{
    dl_lake_index_reading *reading = apr_palloc(pool, sizeof *reading);
    const char *data;
    size_t len;

    DL_TRY(dl_lake_index_reading_begin(reading, c->job, 0, err, pool));
    begin_block(c);
    do {
        DL_TRY(dl_lake_index_reading_next(&data, &len, reading, err));
        DL_TRY(check_lines(c, data, len, err));
        if (builder != NULL) {
            DL_TRY(dl_lake_index_builder_add(builder, data, len, err));
        }
    } while (len > 0 && c->segment < c->index->n);
    if (c->segment < c->index->n) {
        return dl_fail(err, DL_CORRUPT, 0, "it describes more than the part");
    }
    return builder == NULL ? DL_OK : dl_lake_index_builder_end(builder, err);
}

/* Check the index C, which is a .grow when GROWS. */
static dl_status check_index(bool *rebuilt, check *c, bool grows, dl_error *err,
                             apr_pool_t *pool)
{
    const dl_lake_index *index = c->index;
    const dl_lake_index_segment *last = &index->segments[index->n - 1];
    dl_lake_index_plan plan = {.uid = c->job->part->uid,
                               .block_bytes = c->job->block_bytes,
                               .blocks = grows ? DL_LAKE_INDEX_GROWTH
                                               : DL_LAKE_INDEX_BLOCKS,
                               .columns = c->job->columns,
                               .sink = compare,
                               .context = c};
    dl_lake_index_builder *builder = NULL;

    if (!grows && (index->used != index->size ||
                   last->at + last->bytes != c->job->part->bytes ||
                   last->line + last->lines != c->job->part->records ||
                   last->crc != c->job->part->crc)) {
        return dl_fail(err, DL_CORRUPT, 0, "it does not end with the part");
    }
    if (grows && !dl_lake_index_torn(index, c->job->part->uid)) {
        return dl_fail(err, DL_CORRUPT, 0,
                       "the segment at %" PRIu64 " of the index is damaged",
                       index->used);
    }
    for (int i = 0; i < index->n; i++) {
        DL_TRY(check_segment(&index->segments[i], err));
    }
    *rebuilt = same_plan(&index->segments[0], c->job);
    if (*rebuilt) {
        dl_lake_index_builder_create(&builder, &plan, pool);
    }
    DL_TRY(check_part(c, builder, err, pool));
    if (*rebuilt && c->at != index->used) {
        return dl_fail(err, DL_CORRUPT, 0, "it has more than its lines give");
    }
    return DL_OK;
}

dl_status dl_lake_index_verify(bool *rebuilt, const dl_lake_index_job *job,
                               dl_error *err, apr_pool_t *scratch_pool)
{
    dl_lake_index_place place = {.io = job->io,
                                 .meta = job->meta,
                                 .uid = job->part->uid,
                                 .suffix = "index"};
    check c = {.job = job};
    dl_lake_index *index = NULL;
    dl_status status;
    apr_pool_t *own;

    *rebuilt = false;
    apr_pool_create(&own, scratch_pool);
    status = dl_lake_index_load(&index, &place, err, own);
    if (status == DL_NOT_FOUND) {
        place.suffix = "grow";
        status = dl_lake_index_load(&index, &place, err, own);
        if (status == DL_CORRUPT && dl_lake_index_torn(index, place.uid)) {
            status =
                dl_fail(err, DL_NOT_FOUND, 0, "a crash left its beginning");
        }
    }
    if (status == DL_OK) {
        c.index = index;
        status = check_index(rebuilt, &c, strcmp(place.suffix, "grow") == 0,
                             err, own);
    }
    apr_pool_destroy(own);
    return status;
}
