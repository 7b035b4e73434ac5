/* dl_lake_aside.c - The writer's side of quarantine.
 *
 * FORMAT.md 7.  Frames gather in a buffer and become part of the next commit;
 * only the length in the journal makes them count.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_writing.h"

#include "dl_log.h"

#include <fcntl.h>
#include <string.h>

/* --- Files ---------------------------------------------------------------- */

static void close_file(dl_lake_writer *w)
{
    if (w->aside.fd >= 0) {
        w->io->close(w->aside.fd);
    }
    w->aside.fd = -1;
}

static dl_status open_file(dl_lake_writer *w, dl_error *err)
{
    const dl_lake_quarantine *after = &w->aside.after;
    bool made = after->number > w->state.quarantine.number;
    char name[DL_LAKE_PATH_MAX];

    if (w->aside.fd >= 0 && w->aside.fd_number == after->number) {
        return DL_OK;
    }
    close_file(w);
    dl_lake_number_name(name, after->number);
    DL_TRY(dl_lake_file_open(&w->aside.fd, w->io, w->quarantine, name,
                             O_RDWR | (made ? O_CREAT | O_TRUNC : 0), err));
    w->aside.fd_number = after->number;
    w->aside.fresh = w->aside.fresh || made;
    return DL_OK;
}

/* Make a frame of the repeats that follow one another. */
static void end_repeats(dl_lake_aside *a)
{
    dl_lake_repeats *r = &a->repeats;
    size_t frame;

    if (r->n == 0) {
        return;
    }
    frame = dl_lake_frame_begin(&a->buffer);
    dl_lake_add_u8(&a->buffer, DL_LAKE_TYPE_REPEAT);
    dl_lake_add_varint(&a->buffer, (uint64_t)r->first.generation);
    dl_lake_add_varint(&a->buffer, (uint64_t)r->first.partition);
    dl_lake_add_varint(&a->buffer, (uint64_t)r->first.offset);
    dl_lake_add_varint(&a->buffer, r->n);
    dl_lake_add_text(&a->buffer, r->source, r->source_len);
    dl_lake_add_varint(&a->buffer, r->epoch);
    dl_lake_add_varint(&a->buffer, r->position);
    dl_lake_frame_end(&a->buffer, frame);
    a->after.frames++;
    r->n = 0;
}

dl_status dl_lake_aside_flush(dl_lake_writer *w, dl_error *err)
{
    dl_lake_aside *a = &w->aside;

    end_repeats(a);
    if (a->buffer.len == 0) {
        return DL_OK;
    }
    DL_TRY(open_file(w, err));
    DL_TRY(dl_lake_file_write(w->io, a->fd, a->buffer.data, a->buffer.len,
                              a->after.length, err));
    a->after.length += a->buffer.len;
    a->buffer.len = 0;
    if (a->buffer.size > (size_t)2 * DL_LAKE_BUFFER_PART) {
        dl_lake_bytes_free(&a->buffer);
    }
    return DL_OK;
}

static dl_status end_file(dl_lake_writer *w, dl_error *err)
{
    dl_lake_aside *a = &w->aside;
    size_t frame;

    end_repeats(a);
    frame = dl_lake_frame_begin(&a->buffer);
    dl_lake_add_u8(&a->buffer, DL_LAKE_TYPE_END);
    dl_lake_add_varint(&a->buffer, a->after.frames);
    dl_lake_frame_end(&a->buffer, frame);
    DL_TRY(dl_lake_aside_flush(w, err));
    dl_lake_file_sync(w->io, a->fd, DL_LAKE_QUARANTINE);
    return DL_OK;
}

static dl_status begin_file(dl_lake_writer *w, dl_error *err)
{
    dl_lake_aside *a = &w->aside;

    if (a->after.number > 0) {
        DL_TRY(end_file(w, err));
    }
    a->after.number++;
    a->after.length = a->after.frames = 0;
    dl_lake_header_add(&a->buffer, 'Q', w->state.id, a->after.number,
                       w->dataset);
    return DL_OK;
}

/* --- Records -------------------------------------------------------------- */

static void add_frame(dl_lake_bytes *bytes, const dl_lake_reject *q,
                      const dl_coord *c, int32_t generation)
{
    size_t frame = dl_lake_frame_begin(bytes);

    dl_lake_add_u8(bytes, DL_LAKE_TYPE_REJECT);
    dl_lake_add_varint(bytes, dl_lake_reason_find(q->reason));
    dl_lake_add_text(bytes, q->detail, strlen(q->detail));
    dl_lake_add_varint(bytes, (uint64_t)generation);
    dl_lake_add_varint(bytes, (uint64_t)c->partition);
    dl_lake_add_varint(bytes, (uint64_t)c->offset);
    dl_lake_add_zigzag(bytes, c->time < 0 ? -1 : c->time / 1000);
    dl_lake_add_u8(bytes, q->key != NULL);
    dl_lake_add_text(bytes, q->key, q->key == NULL ? 0 : q->key_len);
    dl_lake_add_text(bytes, q->payload, q->len);
    dl_lake_frame_end(bytes, frame);
}

/* Have a file that the next frame goes to. */
static dl_status have_file(dl_lake_writer *w, dl_error *err)
{
    const dl_lake_aside *a = &w->aside;

    if (a->after.number == 0 || a->after.length > DL_LAKE_QUARANTINE_MAX) {
        return begin_file(w, err);
    }
    return DL_OK;
}

dl_status dl_lake_aside_add(dl_lake_writer *w, const dl_lake_reject *q,
                            const dl_coord *c, dl_error *err)
{
    dl_lake_aside *a = &w->aside;
    size_t before;

    DL_TRY(have_file(w, err));
    end_repeats(a);
    before = a->buffer.len;
    add_frame(&a->buffer, q, c, w->state.generation);
    a->after.frames++;
    a->rejects[dl_lake_reason_find(q->reason)]++;
    a->dirty = true;
    w->pending += a->buffer.len - before;
    if (a->buffer.len > DL_LAKE_BUFFER_PART) {
        return dl_lake_aside_flush(w, err);
    }
    return DL_OK;
}

/* --- Repeats --------------------------------------------------------------- */

/* Whether the repeat from C at POSITION goes on where R ends. */
static bool goes_on(const dl_lake_repeats *r, const dl_coord *c,
                    const dl_lake_position *position)
{
    return r->n > 0 && r->first.partition == c->partition &&
           r->first.offset + (int64_t)r->n == c->offset &&
           r->source_len == position->source_len &&
           memcmp(r->source, position->source, r->source_len) == 0;
}

dl_status dl_lake_aside_repeat(dl_lake_writer *w,
                               const dl_lake_position *position,
                               const dl_coord *c, dl_error *err)
{
    dl_lake_aside *a = &w->aside;
    dl_lake_repeats *r = &a->repeats;

    if (!goes_on(r, c, position)) {
        end_repeats(a);
        DL_TRY(have_file(w, err));
        r->first = *c;
        r->first.generation = w->state.generation;
        r->source_len = position->source_len;
        memcpy(r->source, position->source, r->source_len);
        w->pending += DL_LAKE_FRAME_HEADER;
    }
    r->n++;
    r->epoch = position->epoch;
    r->position = position->position;
    a->dropped++;
    a->dirty = true;
    return a->buffer.len > DL_LAKE_BUFFER_PART ? dl_lake_aside_flush(w, err)
                                               : DL_OK;
}

/* --- Forgetting ----------------------------------------------------------- */

static void cut_back(dl_lake_writer *w)
{
    const dl_lake_quarantine *committed = &w->state.quarantine;
    char name[DL_LAKE_PATH_MAX];
    dl_error err = {.status = DL_OK};
    dl_status status = DL_OK;

    while (w->aside.after.number > committed->number) {
        dl_lake_number_name(name, w->aside.after.number--);
        close_file(w);
        status = dl_lake_remove(w->io, w->quarantine, name, 0, &err);
    }
    if (status == DL_OK && committed->number > 0) {
        status = open_file(w, &err);
    }
    if (status == DL_OK && committed->number > 0) {
        status = dl_lake_file_cut(w->io, w->aside.fd, committed->length, &err);
    }
    if (status != DL_OK) {
        dl_log(DL_LOG_WARNING, "DL0305 %s: quarantine keeps a torn tail: %s",
               w->dataset, err.text);
    }
}

void dl_lake_aside_forget(dl_lake_writer *w)
{
    w->aside.buffer.len = 0;
    w->aside.repeats.n = w->aside.dropped = 0;
    if (w->aside.dirty) {
        cut_back(w);
    }
    w->aside.after = w->state.quarantine;
    memcpy(w->aside.rejects, w->state.rejects, sizeof w->aside.rejects);
    w->aside.dirty = w->aside.fresh = false;
}
