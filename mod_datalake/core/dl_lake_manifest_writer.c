/* dl_lake_manifest_writer.c - Appending to manifests, writing them anew.
 *
 * FORMAT.md 8.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_manifest.h"
#include "dl_lake_manifest_apply.h"

#include "dl_lake_journal.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static void add_part(dl_lake_bytes *bytes, const dl_lake_part *part)
{
    dl_lake_add_u8(bytes, DL_LAKE_TYPE_PART);
    dl_lake_add_zigzag(bytes, part->day);
    dl_lake_add_varint(bytes, part->first);
    dl_lake_add_varint(bytes, part->number);
    dl_lake_add_u8(bytes, dl_lake_part_is_whole(part)
                              ? (uint8_t)(part->state - DL_LAKE_PART_LISTED)
                              : 0);
    dl_lake_add_varint(bytes, part->uid);
    dl_lake_add_varint(bytes, part->bytes);
    dl_lake_add_varint(bytes, part->records);
    dl_lake_add_varint(bytes, part->commits);
    dl_lake_add_varint(bytes, (uint64_t)part->first_commit_ms);
    dl_lake_add_varint(bytes, (uint64_t)part->last_commit_ms);
    dl_lake_add_zigzag(bytes, part->first_time);
    dl_lake_add_zigzag(bytes, part->last_time);
    dl_lake_add_u32(bytes, part->crc);
    dl_lake_add_varint(bytes, part->trail_len);
    dl_lake_add_u32(bytes, part->trail_crc);
    if (part->state == DL_LAKE_PART_COLD) {
        dl_lake_add_varint(bytes, part->stored_bytes);
        dl_lake_add_u32(bytes, part->stored_crc);
    }
}

static void add_sum(dl_lake_bytes *bytes, const dl_lake_sum *sum)
{
    dl_lake_add_u8(bytes, DL_LAKE_TYPE_SUM);
    dl_lake_add_zigzag(bytes, sum->day);
    dl_lake_add_varint(bytes, sum->number);
    dl_lake_add_raw(bytes, sum->digest, sizeof sum->digest);
    dl_lake_add_text(bytes, sum->state, sum->has_state ? sizeof sum->state : 0);
}

static void add_removed(dl_lake_bytes *bytes, const dl_lake_removed *removed)
{
    dl_lake_add_u8(bytes, DL_LAKE_TYPE_REMOVED);
    dl_lake_add_zigzag(bytes, removed->day);
    dl_lake_add_varint(bytes, removed->number);
    dl_lake_add_varint(bytes, removed->joined);
}

/* --- Anew ----------------------------------------------------------------- */

/* Write LEN bytes of DATA to NAME in the folder DIR by way of NAME.new. */
static dl_status put_file(const dl_lake_io *io, int dir, const char *name,
                          const void *data, size_t len, dl_error *err)
{
    char temporary[DL_LAKE_PATH_MAX];
    dl_status status;
    int fd;

    snprintf(temporary, sizeof temporary, "%s.new", name);
    DL_TRY(dl_lake_file_open(&fd, io, dir, temporary,
                             O_RDWR | O_CREAT | O_TRUNC, err));
    status = dl_lake_file_write(io, fd, data, len, 0, err);
    if (status == DL_OK) {
        dl_lake_file_sync(io, fd, temporary);
    }
    io->close(fd);
    DL_TRY(status);
    DL_TRY(dl_lake_rename(io, dir, temporary, dir, name, err));
    dl_lake_dir_sync(io, dir, name);
    return DL_OK;
}

/* Removals stand first: parts of a day that came again stand behind its. */
static void add_all(dl_lake_bytes *bytes, const dl_lake_manifest *m)
{
    int i;

    for (i = 0; i < m->n_removed; i++) {
        add_removed(bytes, &m->removed[i]);
    }
    for (i = 0; i < m->n_parts; i++) {
        add_part(bytes, &m->parts[i]);
    }
    for (i = 0; i < m->n_sums; i++) {
        add_sum(bytes, &m->sums[i]);
    }
}

static dl_status write_anew(dl_lake_manifest *m,
                            const dl_lake_manifest_place *place,
                            const dl_lake_bytes *bytes, dl_error *err)
{
    char name[DL_LAKE_PATH_MAX];
    char old[DL_LAKE_PATH_MAX];
    char text[24];

    dl_lake_number_name(old, m->number);
    dl_lake_number_name(name, m->number + 1);
    DL_TRY(put_file(place->io, place->manifests, name, bytes->data, bytes->len,
                    err));
    DL_LAKE_CRASH("manifest-written");
    snprintf(text, sizeof text, "%llu\n", (unsigned long long)m->number + 1);
    DL_TRY(put_file(place->io, place->meta, DL_LAKE_CURRENT, text, strlen(text),
                    err));
    DL_LAKE_CRASH("manifest-current");
    m->number++;
    m->length = bytes->len;
    if (m->number > 1 &&
        dl_lake_remove(place->io, place->manifests, old, 0, err) != DL_OK) {
        return DL_OK; /* the old file costs room, nothing else */
    }
    return DL_OK;
}

/* --- Appending ------------------------------------------------------------ */

static dl_status append_bytes(dl_lake_manifest *m,
                              const dl_lake_manifest_place *place,
                              const dl_lake_bytes *bytes, dl_error *err)
{
    char name[DL_LAKE_PATH_MAX];
    dl_status status;
    int fd;

    dl_lake_number_name(name, m->number);
    DL_TRY(
        dl_lake_file_open(&fd, place->io, place->manifests, name, O_RDWR, err));
    status = dl_lake_file_write(place->io, fd, bytes->data, bytes->len,
                                m->length, err);
    if (status == DL_OK) {
        dl_lake_file_sync(place->io, fd, name);
        m->length += bytes->len;
    }
    else if (dl_lake_file_cut(place->io, fd, m->length, NULL) != DL_OK) {
        status = err == NULL ? DL_IO : err->status; /* overwritten later */
    }
    place->io->close(fd);
    return status;
}

static bool has_grown_too_much(const dl_lake_manifest *m)
{
    uint64_t need = (uint64_t)m->n_parts * 100 + (uint64_t)m->n_sums * 180 +
                    (uint64_t)m->n_removed * 16;

    return m->length > DL_LAKE_MANIFEST_MIN && m->length > 2 * need;
}

/* What is written behind a manifest, in one frame. */
typedef struct additions {
    const dl_lake_part *parts;      /* N parts */
    int n;                          /* how many */
    const dl_lake_sum *sum;         /* or NULL */
    const dl_lake_removed *removed; /* or NULL */
} additions;

static void add_additions(dl_lake_bytes *bytes, const additions *a)
{
    for (int i = 0; i < a->n; i++) {
        add_part(bytes, &a->parts[i]);
    }
    if (a->sum != NULL) {
        add_sum(bytes, a->sum);
    }
    if (a->removed != NULL) {
        add_removed(bytes, a->removed);
    }
}

static void apply_additions(dl_lake_manifest *m, const additions *a)
{
    for (int i = 0; i < a->n; i++) {
        dl_lake_manifest_apply_part(m, &a->parts[i]);
    }
    if (a->sum != NULL) {
        dl_lake_manifest_apply_sum(m, a->sum);
    }
    if (a->removed != NULL) {
        dl_lake_manifest_apply_removed(m, a->removed);
    }
}

static dl_status append(dl_lake_manifest *m,
                        const dl_lake_manifest_place *place, const additions *a,
                        dl_error *err)
{
    bool anew = m->number == 0 || has_grown_too_much(m);
    dl_lake_bytes bytes = {.data = NULL};
    dl_status status;
    size_t frame;

    if (anew) {
        dl_lake_header_add(&bytes, 'M', m->id, m->number + 1, place->dataset);
    }
    frame = dl_lake_frame_begin(&bytes);
    if (anew) {
        add_all(&bytes, m);
    }
    add_additions(&bytes, a);
    dl_lake_frame_end(&bytes, frame);
    status = anew ? write_anew(m, place, &bytes, err)
                  : append_bytes(m, place, &bytes, err);
    dl_lake_bytes_free(&bytes);
    if (status == DL_OK) {
        apply_additions(m, a);
    }
    return status;
}

dl_status dl_lake_manifest_append(dl_lake_manifest *m,
                                  const dl_lake_manifest_place *place,
                                  const dl_lake_part *parts, int n,
                                  const dl_lake_sum *sum, dl_error *err)
{
    const additions a = {.parts = parts, .n = n, .sum = sum};

    return append(m, place, &a, err);
}

dl_status dl_lake_manifest_remove(dl_lake_manifest *m,
                                  const dl_lake_manifest_place *place,
                                  dl_day day, dl_error *err)
{
    const dl_lake_part *parts;
    int n = dl_lake_manifest_day(&parts, m, day);
    dl_lake_removed removed = {.day = day,
                               .joined = dl_lake_manifest_joined_uid(m) -
                                         DL_LAKE_JOINED_UID};
    const additions a = {.removed = &removed};

    if (n == 0) {
        return DL_OK;
    }
    removed.number = parts[n - 1].number;
    return append(m, place, &a, err);
}
