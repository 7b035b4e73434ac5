/* dl_lake_manifest.c - Meaning and reading of manifests.
 *
 * FORMAT.md 8.  The writing half is dl_lake_manifest_writer.c.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_manifest.h"
#include "dl_lake_manifest_apply.h"

#include "dl_lake_journal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static apr_status_t free_arrays(void *context)
{
    dl_lake_manifest *m = context;

    free(m->parts);
    free(m->sums);
    free(m->removed);
    m->parts = NULL;
    m->sums = NULL;
    m->removed = NULL;
    return APR_SUCCESS;
}

void dl_lake_manifest_begin(dl_lake_manifest *m, apr_pool_t *pool)
{
    memset(m, 0, sizeof *m);
    apr_pool_cleanup_register(pool, m, free_arrays, apr_pool_cleanup_null);
}

/* --- Finding -------------------------------------------------------------- */

static int part_place(const dl_lake_manifest *m, dl_day day)
{
    int low = 0;
    int high = m->n_parts;

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (m->parts[middle].day < day) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return low;
}

int dl_lake_manifest_day(const dl_lake_part **first, const dl_lake_manifest *m,
                         dl_day day)
{
    int place;
    int n = 0;

    *first = NULL;
    if (m->parts == NULL) {
        return 0; /* no array to point into */
    }
    place = part_place(m, day);
    *first = m->parts + place;
    while (place + n < m->n_parts && m->parts[place + n].day == day) {
        n++;
    }
    return n;
}

const dl_lake_part *dl_lake_manifest_covers(const dl_lake_manifest *m,
                                            dl_day day, uint32_t number)
{
    const dl_lake_part *part;
    int n = dl_lake_manifest_day(&part, m, day);

    for (; n > 0; n--, part++) {
        if (part->first <= number && number <= part->number) {
            return part;
        }
    }
    return NULL;
}

static int sum_place(const dl_lake_manifest *m, dl_day day)
{
    int low = 0;
    int high = m->n_sums;

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (m->sums[middle].day < day) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return low;
}

const dl_lake_sum *dl_lake_manifest_sum(const dl_lake_manifest *m, dl_day day)
{
    int place = sum_place(m, day);

    return place < m->n_sums && m->sums[place].day == day ? &m->sums[place]
                                                          : NULL;
}

static int removed_place(const dl_lake_manifest *m, dl_day day)
{
    int low = 0;
    int high = m->n_removed;

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (m->removed[middle].day < day) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return low;
}

const dl_lake_removed *dl_lake_manifest_removed(const dl_lake_manifest *m,
                                                dl_day day)
{
    int place = removed_place(m, day);

    return place < m->n_removed && m->removed[place].day == day
               ? &m->removed[place]
               : NULL;
}

uint64_t dl_lake_manifest_joined_uid(const dl_lake_manifest *m)
{
    uint64_t uid = DL_LAKE_JOINED_UID;
    int i;

    for (i = 0; i < m->n_parts; i++) {
        if (m->parts[i].uid >= uid) {
            uid = m->parts[i].uid + 1;
        }
    }
    for (i = 0; i < m->n_removed; i++) {
        if (DL_LAKE_JOINED_UID + m->removed[i].joined > uid) {
            uid = DL_LAKE_JOINED_UID + m->removed[i].joined;
        }
    }
    return uid;
}

/* --- Applying ------------------------------------------------------------- */

static void *grown(void *array, int *size, size_t element)
{
    void *bigger;

    *size = *size == 0 ? 16 : 2 * *size;
    bigger = realloc(array, (size_t)*size * element);
    if (bigger == NULL) {
        abort();
    }
    return bigger;
}

static void remove_parts(dl_lake_manifest *m, int place, int n)
{
    int i;

    for (i = place; i < place + n; i++) {
        m->bytes -= m->parts[i].bytes;
        m->records -= m->parts[i].records;
    }
    memmove(m->parts + place, m->parts + place + n,
            (size_t)(m->n_parts - place - n) * sizeof *m->parts);
    m->n_parts -= n;
}

void dl_lake_manifest_apply_part(dl_lake_manifest *m, const dl_lake_part *part)
{
    int place = part_place(m, part->day);
    int n = 0;

    while (place < m->n_parts && m->parts[place].day == part->day &&
           m->parts[place].number < part->first) {
        place++;
    }
    while (place + n < m->n_parts && m->parts[place + n].day == part->day &&
           m->parts[place + n].first <= part->number) {
        n++;
    }
    if (n > 0) {
        remove_parts(m, place, n);
    }
    if (m->n_parts == m->parts_size) {
        m->parts = grown(m->parts, &m->parts_size, sizeof *m->parts);
    }
    memmove(m->parts + place + 1, m->parts + place,
            (size_t)(m->n_parts - place) * sizeof *m->parts);
    m->parts[place] = *part;
    m->n_parts++;
    m->bytes += part->bytes;
    m->records += part->records;
}

void dl_lake_manifest_apply_sum(dl_lake_manifest *m, const dl_lake_sum *sum)
{
    int place = sum_place(m, sum->day);

    if (place == m->n_sums || m->sums[place].day != sum->day) {
        if (m->n_sums == m->sums_size) {
            m->sums = grown(m->sums, &m->sums_size, sizeof *m->sums);
        }
        memmove(m->sums + place + 1, m->sums + place,
                (size_t)(m->n_sums - place) * sizeof *m->sums);
        m->n_sums++;
    }
    m->sums[place] = *sum;
}

void dl_lake_manifest_apply_removed(dl_lake_manifest *m,
                                    const dl_lake_removed *removed)
{
    int part = part_place(m, removed->day);
    int sum = sum_place(m, removed->day);
    int place = removed_place(m, removed->day);
    int n = 0;

    while (part + n < m->n_parts && m->parts[part + n].day == removed->day &&
           m->parts[part + n].number <= removed->number) {
        n++;
    }
    if (n > 0) {
        remove_parts(m, part, n);
    }
    if (sum < m->n_sums && m->sums[sum].day == removed->day &&
        m->sums[sum].number <= removed->number) {
        memmove(m->sums + sum, m->sums + sum + 1,
                (size_t)(m->n_sums - sum - 1) * sizeof *m->sums);
        m->n_sums--;
    }
    if (place == m->n_removed || m->removed[place].day != removed->day) {
        if (m->n_removed == m->removed_size) {
            m->removed =
                grown(m->removed, &m->removed_size, sizeof *m->removed);
        }
        memmove(m->removed + place + 1, m->removed + place,
                (size_t)(m->n_removed - place) * sizeof *m->removed);
        m->n_removed++;
    }
    m->removed[place] = *removed;
}

/* --- Reading -------------------------------------------------------------- */

static void get_part(dl_lake_manifest *m, dl_lake_in *in)
{
    dl_lake_part part = {.state = DL_LAKE_PART_LISTED};
    int64_t day = dl_lake_get_zigzag(in);
    uint8_t form;

    part.day = (dl_day)day;
    part.first = (uint32_t)dl_lake_get_bounded(in, UINT32_MAX);
    part.number = (uint32_t)dl_lake_get_bounded(in, UINT32_MAX);
    form = dl_lake_get_u8(in);
    part.uid = dl_lake_get_varint(in);
    part.bytes = dl_lake_get_bounded(in, INT64_MAX);
    part.records = dl_lake_get_bounded(in, INT64_MAX);
    part.commits = dl_lake_get_bounded(in, INT64_MAX);
    part.first_commit_ms = (int64_t)dl_lake_get_bounded(in, INT64_MAX);
    part.last_commit_ms = (int64_t)dl_lake_get_bounded(in, INT64_MAX);
    part.first_time = dl_lake_get_zigzag(in);
    part.last_time = dl_lake_get_zigzag(in);
    part.crc = dl_lake_get_u32(in);
    part.trail_len = dl_lake_get_bounded(in, INT64_MAX);
    part.trail_crc = dl_lake_get_u32(in);
    if (form > DL_LAKE_PART_COLD - DL_LAKE_PART_LISTED || day != part.day ||
        part.first == 0 || part.first > part.number) {
        in->bad = true;
        return;
    }
    part.state = (dl_lake_part_state)(DL_LAKE_PART_LISTED + form);
    if (part.state == DL_LAKE_PART_COLD) {
        part.stored_bytes = dl_lake_get_bounded(in, INT64_MAX);
        part.stored_crc = dl_lake_get_u32(in);
    }
    if (!in->bad) {
        dl_lake_manifest_apply_part(m, &part);
    }
}

static void get_sum(dl_lake_manifest *m, dl_lake_in *in)
{
    dl_lake_sum sum = {.day = 0};
    int64_t day = dl_lake_get_zigzag(in);
    const uint8_t *digest;
    const uint8_t *state;
    size_t len;

    sum.day = (dl_day)day;
    sum.number = (uint32_t)dl_lake_get_bounded(in, UINT32_MAX);
    digest = dl_lake_get_raw(in, sizeof sum.digest);
    state = dl_lake_get_text(&len, in);
    if (in->bad || day != sum.day || (len != 0 && len != sizeof sum.state)) {
        in->bad = true;
        return;
    }
    memcpy(sum.digest, digest, sizeof sum.digest);
    sum.has_state = len != 0;
    if (sum.has_state) {
        memcpy(sum.state, state, sizeof sum.state);
    }
    dl_lake_manifest_apply_sum(m, &sum);
}

static void get_removed(dl_lake_manifest *m, dl_lake_in *in)
{
    dl_lake_removed removed;
    int64_t day = dl_lake_get_zigzag(in);

    removed.day = (dl_day)day;
    removed.number = (uint32_t)dl_lake_get_bounded(in, UINT32_MAX);
    removed.joined = dl_lake_get_bounded(in, DL_LAKE_JOINED_UID - 1);
    if (day != removed.day || removed.number == 0) {
        in->bad = true;
    }
    if (!in->bad) {
        dl_lake_manifest_apply_removed(m, &removed);
    }
}

/* Apply the records in PAYLOAD, which were written together. */
static bool apply(dl_lake_manifest *m, const uint8_t *payload, size_t len)
{
    dl_lake_in in = dl_lake_in_make(payload, len);

    while (!in.bad && in.p < in.end) {
        switch (dl_lake_get_u8(&in)) {
        case DL_LAKE_TYPE_PART:
            get_part(m, &in);
            break;
        case DL_LAKE_TYPE_SUM:
            get_sum(m, &in);
            break;
        case DL_LAKE_TYPE_REMOVED:
            get_removed(m, &in);
            break;
        default:
            in.bad = true;
        }
    }
    return !in.bad;
}

static dl_status parse(dl_lake_manifest *m, const char *dataset,
                       const dl_lake_bytes *file, dl_error *err)
{
    dl_lake_in in = dl_lake_in_make(file->data, file->len);
    const uint8_t *payload = NULL;
    uint64_t number;
    size_t len;

    if (!dl_lake_get_frame(&payload, &len, &in)) {
        return dl_fail(err, DL_CORRUPT, 0, "manifest has no header");
    }
    DL_TRY(dl_lake_header_get(&m->id, &number, dl_lake_in_make(payload, len),
                              'M', dataset, err));
    if (number != m->number) {
        return dl_fail(err, DL_CORRUPT, 0, "manifest is of another number");
    }
    while (dl_lake_get_frame(&payload, &len, &in)) {
        if (!apply(m, payload, len)) {
            return dl_fail(err, DL_CORRUPT, 0,
                           "manifest record before %zu is malformed",
                           (size_t)(in.p - file->data));
        }
    }
    if (dl_lake_frame_follows(in)) {
        return dl_fail(err, DL_CORRUPT, 0,
                       "manifest record at %zu has a wrong checksum",
                       (size_t)(in.p - file->data));
    }
    m->length = (uint64_t)(in.p - file->data);
    return DL_OK;
}

static dl_status read_all(dl_lake_bytes *file, const dl_lake_io *io, int fd,
                          uint64_t length, dl_error *err)
{
    uint64_t size;

    DL_TRY(dl_lake_file_size(&size, io, fd, err));
    if (length > size) {
        return dl_fail(err, DL_CORRUPT, 0,
                       "manifest is shorter than published");
    }
    size = length == 0 ? size : length;
    DL_TRY(dl_lake_file_read(io, fd, dl_lake_bytes_room(file, size + 1), size,
                             0, err));
    file->len = size;
    return DL_OK;
}

dl_status dl_lake_manifest_load(dl_lake_manifest *m,
                                const dl_lake_manifest_place *place,
                                uint64_t number, uint64_t length, dl_error *err,
                                apr_pool_t *scratch_pool)
{
    dl_lake_bytes *file = apr_palloc(scratch_pool, sizeof *file);
    char name[DL_LAKE_PATH_MAX];
    dl_status status;
    int fd;

    dl_lake_bytes_own(file, scratch_pool);
    dl_lake_number_name(name, number);
    DL_TRY(dl_lake_file_open(&fd, place->io, place->manifests, name, O_RDONLY,
                             err));
    m->number = number;
    status = read_all(file, place->io, fd, length, err);
    place->io->close(fd);
    if (status == DL_OK) {
        status = parse(m, place->dataset, file, err);
    }
    if (status == DL_OK && length != 0 && m->length != length) {
        status = dl_fail(err, DL_CORRUPT, 0,
                         "manifest record at %llu has a wrong checksum",
                         (unsigned long long)m->length);
    }
    return status;
}

dl_status dl_lake_manifest_current(uint64_t *number,
                                   const dl_lake_manifest_place *place,
                                   dl_error *err)
{
    char text[24] = "";
    char *end;
    dl_status status;
    uint64_t size;
    int fd;

    *number = 0;
    status = dl_lake_file_open(&fd, place->io, place->meta, DL_LAKE_CURRENT,
                               O_RDONLY, err);
    if (status == DL_NOT_FOUND) {
        return DL_OK;
    }
    DL_TRY(status);
    status = dl_lake_file_size(&size, place->io, fd, err);
    if (status == DL_OK && size > 0 && size < sizeof text) {
        status = dl_lake_file_read(place->io, fd, text, size, 0, err);
    }
    place->io->close(fd);
    DL_TRY(status);
    *number = strtoull(text, &end, 10);
    if (*number == 0 || text[0] < '1' || text[0] > '9' ||
        strcmp(end, "\n") != 0) {
        return dl_fail(err, DL_CORRUPT, 0, "CURRENT holds no number");
    }
    return DL_OK;
}
