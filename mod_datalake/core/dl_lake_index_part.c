/* dl_lake_index_part.c - The index of a part: made, grown, dropped.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_index_part.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dl_crc.h"
#include "dl_lake_index_file.h"
#include "dl_log.h"

/* How often go_on is asked, in bytes. */
#define ASKED (1u << 20)

/* Bytes beyond a segment's blocks that lines make it longer by, about. */
#define SPARE 65536u

void dl_lake_index_name(char out[DL_LAKE_PATH_MAX], uint64_t uid,
                        const char *suffix)
{
    snprintf(out, DL_LAKE_PATH_MAX, "%016" PRIx64 ".%s", uid, suffix);
}

/* --- Reading the part ------------------------------------------------------ */

static apr_status_t free_buffer(void *data)
{
    dl_lake_index_reading *r = data;

    free(r->buffer);
    r->buffer = NULL;
    if (r->trail_fd >= 0) {
        dl_lake_text_close(&r->text);
        r->job->io->close(r->trail_fd);
    }
    r->trail_fd = -1;
    return APR_SUCCESS;
}

dl_status dl_lake_index_reading_begin(dl_lake_index_reading *r,
                                      const dl_lake_index_job *job,
                                      uint64_t lines, dl_error *err,
                                      apr_pool_t *pool)
{
    char name[DL_LAKE_PATH_MAX];
    char path[sizeof DL_LAKE_IDX + DL_LAKE_PATH_MAX];

    memset(r, 0, sizeof *r);
    r->job = job;
    r->trail_fd = -1;
    r->skip = lines;
    dl_lake_trail_name(name, job->part->uid);
    snprintf(path, sizeof path, DL_LAKE_IDX "/%s", name);
    DL_TRY(dl_lake_file_open(&r->trail_fd, job->io, job->meta, path, O_RDONLY,
                             err));
    dl_lake_text_open(&r->text, job->io, job->meta, job->data_fd, job->part);
    apr_pool_cleanup_register(pool, r, free_buffer, apr_pool_cleanup_null);
    dl_lake_trail_begin(&r->walk, job->io, r->trail_fd, job->part, pool);
    return lines == 0 ? DL_OK
                      : dl_lake_trail_seek(&r->walk, DL_LAKE_BY_RECORDS,
                                           lines + 1, err);
}

/* Read the lines of ENTRY, which end where the walk stands, into the buffer. */
static dl_status read_entry(dl_lake_index_reading *r,
                            const dl_lake_trail_entry *entry, dl_error *err)
{
    uint64_t at = r->walk.bytes - entry->bytes;

    if (r->size < entry->bytes) {
        free(r->buffer);
        r->size = (size_t)entry->bytes + ASKED;
        r->buffer = malloc(r->size);
        if (r->buffer == NULL) {
            abort();
        }
    }
    DL_TRY(
        dl_lake_text_read(&r->text, r->buffer, (size_t)entry->bytes, at, err));
    if (dl_crc32c(0, r->buffer, (size_t)entry->bytes) != entry->crc) {
        return dl_fail(err, DL_CORRUPT, 0,
                       "lines at %" PRIu64 " have a wrong checksum", at);
    }
    return DL_OK;
}

/* Set *DATA and *LEN to what is in the buffer behind the first N lines. */
static void skip_lines(const char **data, size_t *len, uint64_t n)
{
    for (; n > 0 && *len > 0; n--) {
        const char *stop = memchr(*data, '\n', *len);

        if (stop == NULL) {
            *len = 0;
            return;
        }
        *len -= (size_t)(stop + 1 - *data);
        *data = stop + 1;
    }
}

dl_status dl_lake_index_reading_next(const char **data, size_t *len,
                                     dl_lake_index_reading *r, dl_error *err)
{
    const dl_lake_index_job *job = r->job;
    dl_lake_trail_entry entry;
    uint64_t before;
    bool found = true;

    *data = NULL;
    *len = 0;
    if (r->walk.bytes >= r->ask_at) {
        r->ask_at = r->walk.bytes + ASKED;
        if (job->go_on != NULL && !job->go_on(job->context, r->walk.bytes)) {
            return dl_fail(err, DL_BUSY, 0, "stopped");
        }
    }
    while (*len == 0 && found) {
        before = r->walk.records;
        DL_TRY(dl_lake_trail_next(&entry, &found, &r->walk, err));
        if (!found || r->walk.records <= r->skip) {
            continue;
        }
        DL_TRY(read_entry(r, &entry, err));
        *data = r->buffer;
        *len = (size_t)entry.bytes;
        if (r->skip > before) {
            skip_lines(data, len, r->skip - before);
        }
    }
    return DL_OK;
}

/* --- Making ---------------------------------------------------------------- */

/* A file that segments are put into. */
typedef struct output {
    const dl_lake_io *io; /* system calls */
    int fd;               /* the file */
    uint64_t at;          /* its end */
} output;

static dl_status put_segment(void *context, const uint8_t *data, size_t len,
                             dl_error *err)
{
    output *out = context;

    DL_TRY(dl_lake_file_write(out->io, out->fd, data, len, out->at, err));
    out->at += len;
    return DL_OK;
}

/* Put the index of the part of JOB into OUT. */
static dl_status make_all(output *out, const dl_lake_index_job *job,
                          dl_error *err, apr_pool_t *pool)
{
    dl_lake_index_plan plan = {.uid = job->part->uid,
                               .block_bytes = job->block_bytes,
                               .blocks = DL_LAKE_INDEX_BLOCKS,
                               .columns = job->columns,
                               .sink = put_segment,
                               .context = out};
    dl_lake_index_reading *reading = apr_palloc(pool, sizeof *reading);
    dl_lake_index_builder *builder;
    const char *data;
    uint64_t lines;
    size_t len;
    uint32_t crc;

    DL_TRY(dl_lake_index_reading_begin(reading, job, 0, err, pool));
    dl_lake_index_builder_create(&builder, &plan, pool);
    do {
        DL_TRY(dl_lake_index_reading_next(&data, &len, reading, err));
        DL_TRY(dl_lake_index_builder_add(builder, data, len, err));
    } while (len > 0);
    DL_TRY(dl_lake_index_builder_end(builder, err));
    if (dl_lake_index_builder_done(&lines, &crc, builder) != job->part->bytes ||
        lines != job->part->records || crc != job->part->crc) {
        return dl_fail(err, DL_CORRUPT, 0,
                       "the part is not what its record says");
    }
    return DL_OK;
}

/* Make NAME in IDX. */
static dl_status make_file(const dl_lake_index_job *job, int idx,
                           const char *name, dl_error *err, apr_pool_t *pool)
{
    output out = {.io = job->io};
    dl_status status;

    DL_TRY(dl_lake_file_open(&out.fd, job->io, idx, name,
                             O_RDWR | O_CREAT | O_TRUNC, err));
    status = make_all(&out, job, err, pool);
    if (status == DL_OK) {
        dl_lake_file_sync(job->io, out.fd, name);
    }
    job->io->close(out.fd);
    return status;
}

/* Make the index of JOB in IDX and put it in its place. */
static dl_status make_in(const dl_lake_index_job *job, int idx, dl_error *err,
                         apr_pool_t *pool)
{
    char fresh[DL_LAKE_PATH_MAX];
    char name[DL_LAKE_PATH_MAX];
    dl_error other;
    dl_status status;

    dl_lake_index_name(fresh, job->part->uid, "index.new");
    dl_lake_index_name(name, job->part->uid, "index");
    status = make_file(job, idx, fresh, err, pool);
    if (status == DL_OK) {
        DL_LAKE_CRASH("index-written");
        status = dl_lake_rename(job->io, idx, fresh, idx, name, err);
    }
    if (status != DL_OK) {
        if (dl_lake_remove(job->io, idx, fresh, 0, &other) != DL_OK) {
            dl_log(DL_LOG_WARNING, "DL0310 %s stays behind: %s", fresh,
                   other.text);
        }
        return status;
    }
    dl_lake_dir_sync(job->io, idx, DL_LAKE_IDX);
    DL_LAKE_CRASH("index-renamed");
    dl_lake_index_name(name, job->part->uid, "grow");
    return dl_lake_remove(job->io, idx, name, 0, err);
}

dl_status dl_lake_index_make(const dl_lake_index_job *job, dl_error *err,
                             apr_pool_t *scratch_pool)
{
    dl_status status;
    apr_pool_t *own;
    int idx;

    DL_TRY(dl_lake_dir_open(&idx, job->io, job->meta, DL_LAKE_IDX, 0, err));
    apr_pool_create(&own, scratch_pool);
    status = make_in(job, idx, err, own);
    apr_pool_destroy(own);
    job->io->close(idx);
    return status;
}

/* --- Growing --------------------------------------------------------------- */

/* Fill PLAN with what the .grow of JOB describes already, and set *AT to its
 * end; one that does not count is removed. */
static dl_status resume(dl_lake_index_plan *plan, uint64_t *at,
                        const dl_lake_index_job *job, int idx, dl_error *err,
                        apr_pool_t *pool)
{
    dl_lake_index_place place = {.io = job->io,
                                 .meta = job->meta,
                                 .uid = job->part->uid,
                                 .suffix = "grow"};
    const dl_lake_index_segment *last;
    char name[DL_LAKE_PATH_MAX];
    dl_lake_index *index;
    dl_status status;

    *at = 0;
    dl_lake_index_name(name, job->part->uid, "grow");
    status = dl_lake_index_load(&index, &place, err, pool);
    if (status == DL_CORRUPT || status == DL_UNSUPPORTED) {
        return dl_lake_remove(job->io, idx, name, 0, err);
    }
    if (status == DL_NOT_FOUND) {
        return DL_OK;
    }
    DL_TRY(status);
    last = &index->segments[index->n - 1];
    if (last->at + last->bytes > job->part->bytes) {
        return dl_lake_remove(job->io, idx, name, 0, err);
    }
    plan->bytes = last->at + last->bytes;
    plan->lines = last->line + last->lines;
    plan->crc = last->crc;
    *at = index->used;
    return DL_OK;
}

/* Feed BUILDER, whose plan began at PLAN, until what is left is less than a
 * segment. */
static dl_status grow_by_lines(dl_lake_index_builder *builder,
                               const dl_lake_index_job *job,
                               const dl_lake_index_plan *plan, dl_error *err,
                               apr_pool_t *pool)
{
    uint64_t enough = (uint64_t)DL_LAKE_INDEX_GROWTH * job->block_bytes + SPARE;
    dl_lake_index_reading *reading = apr_palloc(pool, sizeof *reading);
    uint64_t lines;
    uint32_t crc;

    DL_TRY(dl_lake_index_reading_begin(reading, job, plan->lines, err, pool));
    while (job->part->bytes -
               dl_lake_index_builder_done(&lines, &crc, builder) >=
           enough) {
        const char *data;
        size_t len;

        DL_TRY(dl_lake_index_reading_next(&data, &len, reading, err));
        if (len == 0) {
            break;
        }
        DL_TRY(dl_lake_index_builder_add(builder, data, len, err));
    }
    return DL_OK;
}

/* Put behind the .grow of JOB in IDX what its part has gained. */
static dl_status grow_in(uint64_t *bytes, const dl_lake_index_job *job, int idx,
                         dl_error *err, apr_pool_t *pool)
{
    output out = {.io = job->io, .fd = -1};
    dl_lake_index_plan plan = {.uid = job->part->uid,
                               .block_bytes = job->block_bytes,
                               .blocks = DL_LAKE_INDEX_GROWTH,
                               .columns = job->columns,
                               .sink = put_segment,
                               .context = &out};
    char name[DL_LAKE_PATH_MAX];
    dl_lake_index_builder *builder;
    dl_status status;
    uint64_t lines;
    uint32_t crc;

    DL_TRY(resume(&plan, &out.at, job, idx, err, pool));
    *bytes = plan.bytes;
    if (job->part->bytes - plan.bytes <
        (uint64_t)DL_LAKE_INDEX_GROWTH * job->block_bytes + SPARE) {
        return DL_OK;
    }
    dl_lake_index_name(name, job->part->uid, "grow");
    DL_TRY(
        dl_lake_file_open(&out.fd, job->io, idx, name, O_RDWR | O_CREAT, err));
    dl_lake_index_builder_create(&builder, &plan, pool);
    status = grow_by_lines(builder, job, &plan, err, pool);
    *bytes = dl_lake_index_builder_done(&lines, &crc, builder);
    job->io->close(out.fd);
    DL_LAKE_CRASH("index-grown");
    return status;
}

dl_status dl_lake_index_grow(uint64_t *bytes, const dl_lake_index_job *job,
                             dl_error *err, apr_pool_t *scratch_pool)
{
    dl_status status;
    apr_pool_t *own;
    int idx;

    DL_TRY(dl_lake_dir_open(&idx, job->io, job->meta, DL_LAKE_IDX, 0, err));
    apr_pool_create(&own, scratch_pool);
    status = grow_in(bytes, job, idx, err, own);
    apr_pool_destroy(own);
    job->io->close(idx);
    return status;
}

/* --- Dropping -------------------------------------------------------------- */

dl_status dl_lake_index_drop(const dl_lake_io *io, int meta, uint64_t uid,
                             dl_error *err)
{
    static const char *const suffixes[] = {"index", "grow", "index.new"};

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char name[DL_LAKE_PATH_MAX];
        char path[sizeof DL_LAKE_IDX + DL_LAKE_PATH_MAX];

        dl_lake_index_name(name, uid, suffixes[i]);
        snprintf(path, sizeof path, DL_LAKE_IDX "/%s", name);
        DL_TRY(dl_lake_remove(io, meta, path, 0, err));
    }
    return DL_OK;
}
