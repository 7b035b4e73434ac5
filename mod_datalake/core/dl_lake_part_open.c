/* dl_lake_part_open.c - Parts being written: buffers, files, descriptors.
 *
 * The bounds of FORMAT.md 17: all buffers together, parts with descriptors,
 * open parts.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_writing.h"

#include "dl_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* --- Descriptors ---------------------------------------------------------- */

static void close_longest_unused(dl_lake_writer *w)
{
    dl_lake_open_part *oldest = NULL;
    int i;

    for (i = 0; i < w->state.n_parts; i++) {
        dl_lake_open_part *op = (dl_lake_open_part *)w->state.parts[i];

        if (op->data_fd >= 0 && (oldest == NULL || op->used < oldest->used)) {
            oldest = op;
        }
    }
    if (oldest != NULL) {
        dl_lake_open_part_close(w, oldest);
    }
}

void dl_lake_open_part_close(dl_lake_writer *w, dl_lake_open_part *op)
{
    if (op->data_fd >= 0) {
        /* A failure is told to the next commit too. */
        (void)!dl_lake_behind_wait(w->behind, NULL);
        w->io->close(op->data_fd);
        w->n_fds--;
    }
    if (op->direct_fd >= 0) {
        w->io->close(op->direct_fd);
    }
    if (op->trail_fd >= 0) {
        w->io->close(op->trail_fd);
    }
    op->data_fd = op->direct_fd = op->trail_fd = -1;
}

static dl_status open_files(dl_lake_writer *w, dl_lake_open_part *op,
                            dl_error *err)
{
    int flags = O_RDWR | (op->exists ? 0 : O_CREAT | O_TRUNC);
    char name[DL_LAKE_PATH_MAX];
    dl_status status;

    dl_lake_part_name(name, &op->part);
    DL_TRY(dl_lake_file_open(&op->data_fd, w->io, w->open, name, flags, err));
    dl_lake_trail_name(name, op->part.uid);
    status = dl_lake_file_open(&op->trail_fd, w->io, w->idx, name, flags, err);
    if (status != DL_OK) {
        w->io->close(op->data_fd);
        op->data_fd = -1;
        return status;
    }
    w->n_fds++;
    return DL_OK;
}

dl_status dl_lake_open_part_files(dl_lake_writer *w, dl_lake_open_part *op,
                                  dl_error *err)
{
    op->used = ++w->uses;
    if (op->data_fd >= 0) {
        return DL_OK;
    }
    if (w->n_fds >= DL_LAKE_FDS_MAX) {
        close_longest_unused(w);
    }
    DL_TRY(open_files(w, op, err));
    if (!op->exists) {
        op->exists = op->fresh = true;
    }
    return DL_OK;
}

/* --- Buffers -------------------------------------------------------------- */

static void free_buffer(dl_lake_writer *w, dl_lake_open_part *op)
{
    w->buffers -= op->size;
    free(op->buffer);
    op->buffer = NULL;
    op->size = op->len = 0;
}

/* Write the first LEN bytes of OP's buffer through the page cache. */
static dl_status write_cached(dl_lake_writer *w, const dl_lake_open_part *op,
                              size_t len, dl_error *err)
{
    return dl_lake_file_write(w->io, op->data_fd, op->buffer, len, op->file_len,
                              err);
}

/* Take the first LEN bytes, which are in the file, out of OP's buffer. */
static void take_out(dl_lake_open_part *op, size_t len)
{
    op->file_len += len;
    op->len -= len;
    memmove(op->buffer, op->buffer + len, op->len);
}

/* Have a descriptor of OP for writes past the page cache: a backlog would fill
 * it with fresh pages, which costs more than all else that is done to a line.
 * A file system that has none, or no descriptor left: through the cache. */
static void open_direct(dl_lake_writer *w, dl_lake_open_part *op)
{
    char name[DL_LAKE_PATH_MAX];
    dl_status status;

    if (op->direct_fd >= 0 || w->cached) {
        return;
    }
    dl_lake_part_name(name, &op->part);
    status = dl_lake_file_open(&op->direct_fd, w->io, w->open, name,
                               O_WRONLY | O_DIRECT, NULL);
    w->cached = status != DL_OK && status != DL_NO_SPACE;
}

/* Hand the whole blocks that OP's buffer begins with, at a block's edge of the
 * file, to the thread; OP goes on in another buffer. */
static dl_status hand_over(dl_lake_writer *w, dl_lake_open_part *op,
                           dl_error *err)
{
    size_t rest = op->len % DL_LAKE_BLOCK;
    dl_lake_aligned block = {.fd = op->data_fd,
                             .direct_fd = op->direct_fd,
                             .data = op->buffer,
                             .size = op->size,
                             .len = op->len - rest,
                             .at = op->file_len};

    if (dl_lake_behind_cached(w->behind)) {
        block.direct_fd = -1;
    }
    op->buffer = dl_lake_behind_buffer(w->behind);
    memcpy(op->buffer, block.data + block.len, rest);
    w->buffers = w->buffers - op->size + w->buffer_size;
    op->size = w->buffer_size;
    op->file_len += block.len;
    op->len = rest;
    return dl_lake_behind_put(w->behind, &block, err);
}

dl_status dl_lake_open_part_push(dl_lake_writer *w, dl_lake_open_part *op,
                                 dl_error *err)
{
    size_t edge = (size_t)(-op->file_len % DL_LAKE_BLOCK);

    DL_TRY(dl_lake_open_part_files(w, op, err));
    if (op->len < w->buffer_size / 2) {
        return DL_OK;
    }
    dl_lake_trail_settle(&op->trail);
    op->tail = true;
    if (edge > 0) {
        DL_TRY(write_cached(w, op, edge, err));
        take_out(op, edge);
    }
    open_direct(w, op);
    return hand_over(w, op, err);
}

dl_status dl_lake_open_part_flush(dl_lake_writer *w, dl_lake_open_part *op,
                                  dl_error *err)
{
    DL_TRY(dl_lake_open_part_push(w, op, err));
    if (op->len == 0) {
        return DL_OK;
    }
    dl_lake_trail_settle(&op->trail);
    op->tail = true;
    DL_TRY(write_cached(w, op, op->len, err));
    op->file_len += op->len;
    op->len = 0;
    DL_LAKE_CRASH("append-flushed");
    return DL_OK;
}

static dl_status flush_all(dl_lake_writer *w, dl_error *err)
{
    int i;

    for (i = 0; i < w->state.n_parts; i++) {
        dl_lake_open_part *op = (dl_lake_open_part *)w->state.parts[i];

        if (op->len > 0) {
            DL_TRY(dl_lake_open_part_flush(w, op, err));
        }
        free_buffer(w, op);
    }
    return DL_OK;
}

static size_t grown_size(const dl_lake_writer *w, const dl_lake_open_part *op,
                         size_t need)
{
    size_t size = op->size == 0 ? DL_LAKE_BUFFER_FIRST : 2 * op->size;

    if (size > w->buffer_size) {
        size = w->buffer_size;
    }
    size = size < need ? need : size;
    return (size + DL_LAKE_BLOCK - 1) / DL_LAKE_BLOCK * DL_LAKE_BLOCK;
}

/* Return SIZE bytes at a block's edge that begin with OP's lines; the old
 * buffer is gone. */
static char *bigger_buffer(const dl_lake_open_part *op, size_t size)
{
    char *buffer = aligned_alloc(DL_LAKE_BLOCK, size);

    if (buffer == NULL) {
        abort();
    }
    if (op->len > 0) {
        memcpy(buffer, op->buffer, op->len);
    }
    free(op->buffer);
    return buffer;
}

dl_status dl_lake_open_part_room(dl_lake_writer *w, dl_lake_open_part *op,
                                 size_t len, dl_error *err)
{
    size_t size;
    char *buffer;

    if (op->size - op->len >= len) {
        return DL_OK;
    }
    dl_lake_trail_settle(&op->trail);
    if (op->len > 0 && op->len + len > w->buffer_size) {
        DL_TRY(dl_lake_open_part_push(w, op, err));
    }
    if (op->size - op->len >= len) {
        return DL_OK;
    }
    size = grown_size(w, op, op->len + len);
    if (w->buffers + size - op->size > DL_LAKE_BUFFERS_MAX) {
        DL_TRY(flush_all(w, err));
        size = grown_size(w, op, len);
    }
    buffer = bigger_buffer(op, size);
    w->buffers += size - op->size;
    op->buffer = buffer;
    op->size = size;
    return DL_OK;
}

/* --- Life ----------------------------------------------------------------- */

static dl_lake_open_part *make_part(dl_lake_writer *w, const dl_lake_part *part)
{
    dl_lake_open_part *op = calloc(1, sizeof *op);

    if (op == NULL) {
        abort();
    }
    op->part = *part;
    op->file_len = part->bytes;
    op->first_time = part->first_time;
    op->last_time = part->last_time;
    op->data_fd = op->direct_fd = op->trail_fd = -1;
    dl_lake_state_put(&w->state, &op->part);
    return op;
}

dl_lake_open_part *dl_lake_open_part_adopt(dl_lake_writer *w,
                                           const dl_lake_part *part)
{
    dl_lake_open_part *op = make_part(w, part);

    op->exists = true;
    return op;
}

void dl_lake_open_part_drop(dl_lake_writer *w, dl_lake_open_part *op)
{
    dl_lake_open_part_close(w, op);
    free_buffer(w, op);
    dl_lake_trail_free(&op->trail);
    dl_lake_state_take(&w->state, op->part.day);
    if (w->last == op) {
        w->last = NULL;
    }
    free(op);
}

static int compare_used(const void *a, const void *b)
{
    const dl_lake_open_part *const *x = a;
    const dl_lake_open_part *const *y = b;

    return ((*x)->used > (*y)->used) - ((*x)->used < (*y)->used);
}

/* Seal a quarter of the open parts, the longest unused ones. */
static dl_status make_place(dl_lake_writer *w, dl_error *err)
{
    int n = w->state.n_parts;
    dl_lake_open_part **ops = calloc((size_t)n, sizeof *ops);
    dl_status status;

    if (ops == NULL) {
        abort();
    }
    memcpy(ops, w->state.parts, (size_t)n * sizeof *ops);
    qsort(ops, (size_t)n, sizeof *ops, compare_used);
    status = dl_lake_seal_parts(w, ops, n / 4, err);
    free(ops);
    return status;
}

static dl_status make_next_part(dl_lake_open_part **op, dl_lake_writer *w,
                                dl_day day)
{
    dl_lake_part part = {.day = day, .state = DL_LAKE_PART_OPEN};
    const dl_lake_part *sealed;
    int n = dl_lake_manifest_day(&sealed, &w->manifest, day);

    part.first = part.number = n == 0 ? 1 : sealed[n - 1].number + 1;
    part.uid = w->next_uid++;
    *op = make_part(w, &part);
    return DL_OK;
}

dl_status dl_lake_open_part_get(dl_lake_open_part **op, dl_lake_writer *w,
                                dl_day day, dl_error *err)
{
    dl_lake_part *part = dl_lake_state_find(&w->state, day);

    if (part != NULL && part->state == DL_LAKE_PART_OPEN) {
        *op = (dl_lake_open_part *)part;
        return DL_OK;
    }
    if (part != NULL) {
        DL_TRY(dl_lake_seal_finish(w, err));
    }
    if (w->state.n_parts >= DL_LAKE_OPEN_MAX) {
        DL_TRY(dl_lake_writer_commit(w, w->io->now(), err));
        DL_TRY(make_place(w, err));
    }
    return make_next_part(op, w, day);
}

/* --- Uncommitted lines ---------------------------------------------------- */

void dl_lake_open_part_dirty(dl_lake_writer *w, dl_lake_open_part *op)
{
    if (w->n_dirty == w->dirty_size) {
        w->dirty_size = w->dirty_size == 0 ? 16 : 2 * w->dirty_size;
        w->dirty = realloc(w->dirty, (size_t)w->dirty_size * sizeof(*w->dirty));
        if (w->dirty == NULL) {
            abort();
        }
    }
    w->dirty[w->n_dirty++] = op;
    op->dirty = true;
}

static void cut_back(dl_lake_writer *w, dl_lake_open_part *op)
{
    dl_error err = {.status = DL_OK};

    if (op->data_fd < 0 && dl_lake_open_part_files(w, op, &err) != DL_OK) {
        return; /* op->tail: cut before it is sealed */
    }
    if (dl_lake_file_cut(w->io, op->data_fd, op->part.bytes, &err) == DL_OK &&
        dl_lake_file_cut(w->io, op->trail_fd, op->part.trail_len, &err) ==
            DL_OK) {
        op->tail = false;
    }
}

static void remove_files(dl_lake_writer *w, dl_lake_open_part *op)
{
    char name[DL_LAKE_PATH_MAX];
    dl_error err = {.status = DL_OK};

    dl_lake_part_name(name, &op->part);
    if (dl_lake_remove(w->io, w->open, name, 0, &err) != DL_OK) {
        dl_log(DL_LOG_WARNING, "DL0301 %s: %s", w->dataset, err.text);
    }
    dl_lake_trail_name(name, op->part.uid);
    if (dl_lake_remove(w->io, w->idx, name, 0, &err) != DL_OK) {
        dl_log(DL_LOG_WARNING, "DL0302 %s: %s", w->dataset, err.text);
    }
}

void dl_lake_open_part_forget(dl_lake_writer *w, dl_lake_open_part *op)
{
    dl_lake_trail_forget(&op->trail);
    op->len = 0;
    op->dirty = false;
    op->first_time = op->part.first_time;
    op->last_time = op->part.last_time;
    op->file_len = op->part.bytes;
    if (op->part.commits == 0) {
        if (op->exists) {
            remove_files(w, op);
        }
        dl_lake_open_part_drop(w, op);
        return;
    }
    if (op->tail) {
        cut_back(w, op);
    }
}
