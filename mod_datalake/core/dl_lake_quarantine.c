/* dl_lake_quarantine.c - Walking the frames of quarantine.
 *
 * FORMAT.md 7.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_quarantine.h"

#include "dl_lake_reading.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

struct dl_lake_quarantine_walk {
    const dl_lake_io *io;           /* system calls */
    const char *dataset;            /* name */
    uint64_t id;                    /* of the dataset */
    dl_lake_quarantine end;         /* where it ends */
    dl_lake_quarantine_place place; /* the next frame */
    int folder;                     /* quarantine/, -1: there is none */
    int fd;                         /* the current file, -1: closed */
    dl_lake_bytes frame;            /* one frame */
    dl_lake_bytes detail;           /* its detail, with NUL */
    bool repeats;                   /* are asked for */
};

static apr_status_t close_walk(void *context)
{
    dl_lake_quarantine_walk *walk = context;

    if (walk->fd >= 0) {
        walk->io->close(walk->fd);
    }
    if (walk->folder >= 0) {
        walk->io->close(walk->folder);
    }
    return APR_SUCCESS;
}

/* Set *NUMBER to the smallest file there is. */
static dl_status find_first(uint64_t *number, dl_lake_quarantine_walk *walk,
                            dl_error *err)
{
    struct dirent *entry;
    DIR *dir;
    int fd;

    DL_TRY(dl_lake_dir_open(&fd, walk->io, walk->folder, ".", 0, err));
    dir = fdopendir(fd);
    if (dir == NULL) {
        walk->io->close(fd);
        return dl_fail(err, DL_IO, errno, "cannot list quarantine");
    }
    *number = walk->end.number;
    while ((entry = readdir(dir)) != NULL) { /* NOLINT: DIR is ours alone */
        uint64_t found = strtoull(entry->d_name, NULL, 10);

        if (found > 0 && found < *number) {
            *number = found;
        }
    }
    closedir(dir);
    return DL_OK;
}

/* Whether FROM is a place of what WALK goes over. */
static bool is_ours(const dl_lake_quarantine_walk *walk,
                    const dl_lake_quarantine_place *from)
{
    return from->lake == walk->id &&
           (from->number < walk->end.number ||
            (from->number == walk->end.number && from->at <= walk->end.length));
}

dl_status dl_lake_quarantine_open(dl_lake_quarantine_walk **result,
                                  dl_lake_snapshot *snap,
                                  const dl_lake_quarantine_place *from,
                                  dl_error *err, apr_pool_t *result_pool)
{
    dl_lake_quarantine_walk *walk = apr_pcalloc(result_pool, sizeof *walk);

    walk->io = dl_lake_calls(snap->lake);
    walk->dataset = snap->dataset->name;
    walk->id = snap->shared->view.id;
    walk->end = snap->shared->view.quarantine;
    walk->folder = walk->fd = -1;
    dl_lake_bytes_own(&walk->frame, result_pool);
    dl_lake_bytes_own(&walk->detail, result_pool);
    apr_pool_cleanup_register(result_pool, walk, close_walk,
                              apr_pool_cleanup_null);
    if (from != NULL && is_ours(walk, from)) {
        walk->place = *from;
    }
    walk->place.lake = walk->id;
    if (walk->end.number > 0) {
        DL_TRY(dl_lake_dir_open(&walk->folder, walk->io, snap->dataset->meta,
                                DL_LAKE_QUARANTINE, 0, err));
        if (walk->place.number == 0) {
            DL_TRY(find_first(&walk->place.number, walk, err));
        }
    }
    *result = walk;
    return DL_OK;
}

/* --- Frames --------------------------------------------------------------- */

static dl_status damaged(const dl_lake_quarantine_walk *walk, dl_error *err)
{
    return dl_fail(err, DL_CORRUPT, 0, "quarantine %llu is damaged at %llu",
                   (unsigned long long)walk->place.number,
                   (unsigned long long)walk->place.at);
}

/* Read the frame at the walk's place and step behind it. */
static dl_status read_frame(const uint8_t **payload, size_t *len,
                            dl_lake_quarantine_walk *walk, dl_error *err)
{
    dl_lake_bytes *frame = &walk->frame;
    dl_lake_in in;
    uint32_t size;

    frame->len = 0;
    DL_TRY(dl_lake_file_read(walk->io, walk->fd,
                             dl_lake_bytes_room(frame, DL_LAKE_FRAME_HEADER),
                             DL_LAKE_FRAME_HEADER, walk->place.at, err));
    in = dl_lake_in_make(frame->data + 4, 4);
    size = dl_lake_get_u32(&in);
    if (size == 0 || size > DL_LAKE_FRAME_MAX) {
        return damaged(walk, err);
    }
    frame->len = DL_LAKE_FRAME_HEADER;
    DL_TRY(dl_lake_file_read(walk->io, walk->fd,
                             dl_lake_bytes_room(frame, size), size,
                             walk->place.at + DL_LAKE_FRAME_HEADER, err));
    frame->len += size;
    in = dl_lake_in_make(frame->data, frame->len);
    if (!dl_lake_get_frame(payload, len, &in)) {
        return damaged(walk, err);
    }
    walk->place.at += frame->len;
    return DL_OK;
}

static dl_status open_file(dl_lake_quarantine_walk *walk, dl_error *err)
{
    char name[DL_LAKE_PATH_MAX];
    uint64_t place = walk->place.at;
    const uint8_t *payload = NULL;
    uint64_t number;
    uint64_t id;
    size_t len = 0;

    dl_lake_number_name(name, walk->place.number);
    DL_TRY(dl_lake_file_open(&walk->fd, walk->io, walk->folder, name, O_RDONLY,
                             err));
    walk->place.at = 0;
    DL_TRY(read_frame(&payload, &len, walk, err));
    DL_TRY(dl_lake_header_get(&id, &number, dl_lake_in_make(payload, len), 'Q',
                              walk->dataset, err));
    if (id != walk->id || number != walk->place.number) {
        return damaged(walk, err);
    }
    if (place > walk->place.at) {
        walk->place.at = place;
    }
    return DL_OK;
}

static void next_file(dl_lake_quarantine_walk *walk)
{
    walk->io->close(walk->fd);
    walk->fd = -1;
    walk->place.number++;
    walk->place.at = 0;
}

/* --- Records -------------------------------------------------------------- */

static bool get_record(dl_lake_set_aside *q, dl_lake_quarantine_walk *walk,
                       dl_lake_in in)
{
    const uint8_t *detail;
    bool has_key;
    size_t len;
    int64_t ms;

    memset(q, 0, sizeof *q);
    q->reason = (dl_lake_reason)dl_lake_get_bounded(&in, DL_LAKE_REASONS - 1);
    detail = dl_lake_get_text(&len, &in);
    walk->detail.len = 0;
    dl_lake_add_raw(&walk->detail, detail, len);
    dl_lake_add_u8(&walk->detail, 0);
    q->detail = (const char *)walk->detail.data;
    q->coord.generation = (int32_t)dl_lake_get_bounded(&in, INT32_MAX);
    q->coord.partition = (int32_t)dl_lake_get_bounded(&in, INT32_MAX);
    q->coord.offset = (int64_t)dl_lake_get_bounded(&in, INT64_MAX);
    ms = dl_lake_get_zigzag(&in);
    q->coord.time = ms < 0 || ms > INT64_MAX / 1000 ? DL_TIME_NONE : ms * 1000;
    has_key = dl_lake_get_u8(&in) != 0;
    q->key = dl_lake_get_text(&q->key_len, &in);
    if (!has_key) {
        q->key = NULL;
    }
    q->payload = dl_lake_get_text(&q->len, &in);
    q->next = walk->place;
    return !in.bad && in.p == in.end;
}

static bool get_repeats(dl_lake_set_aside *q,
                        const dl_lake_quarantine_walk *walk, dl_lake_in in)
{
    memset(q, 0, sizeof *q);
    q->coord.generation = (int32_t)dl_lake_get_bounded(&in, INT32_MAX);
    q->coord.partition = (int32_t)dl_lake_get_bounded(&in, INT32_MAX);
    q->coord.offset = (int64_t)dl_lake_get_bounded(&in, INT64_MAX);
    q->coord.time = DL_TIME_NONE;
    q->repeats =
        dl_lake_get_bounded(&in, (uint64_t)(INT64_MAX - q->coord.offset));
    q->last.source = (const char *)dl_lake_get_text(&q->last.source_len, &in);
    q->last.epoch = dl_lake_get_varint(&in);
    q->last.position = dl_lake_get_varint(&in);
    q->detail = "";
    q->payload = q->detail;
    q->next = walk->place;
    return !in.bad && in.p == in.end && q->repeats > 0 &&
           q->last.source_len <= DL_POSITION_SOURCE;
}

static bool at_end(const dl_lake_quarantine_walk *walk)
{
    return walk->place.number > walk->end.number ||
           (walk->place.number == walk->end.number &&
            walk->place.at >= walk->end.length);
}

void dl_lake_quarantine_with_repeats(dl_lake_quarantine_walk *walk)
{
    walk->repeats = true;
}

dl_status dl_lake_quarantine_next(dl_lake_set_aside *q,
                                  dl_lake_quarantine_walk *walk, dl_error *err)
{
    const uint8_t *payload = NULL;
    dl_lake_quarantine_place here;
    size_t len = 0;

    memset(q, 0, sizeof *q);
    while (walk->end.number > 0) {
        uint8_t type;
        dl_lake_in in;

        if (walk->fd < 0 && !at_end(walk)) {
            DL_TRY(open_file(walk, err));
        }
        if (at_end(walk)) {
            break;
        }
        here = walk->place;
        DL_TRY(read_frame(&payload, &len, walk, err));
        in = dl_lake_in_make(payload, len);
        type = dl_lake_get_u8(&in);
        if (type == DL_LAKE_TYPE_END) {
            next_file(walk);
            continue;
        }
        if (type == DL_LAKE_TYPE_REPEAT
                ? !get_repeats(q, walk, in)
                : type != DL_LAKE_TYPE_REJECT || !get_record(q, walk, in)) {
            return damaged(walk, err);
        }
        q->here = here;
        if (q->repeats == 0 || walk->repeats) {
            return DL_OK;
        }
        memset(q, 0, sizeof *q);
    }
    return DL_OK;
}
