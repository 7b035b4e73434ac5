/* dl_lake_fsck_part.c - Checking one part: its lines, its trail.
 *
 * FORMAT.md 3, 4 and 16.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_checking.h"

#include "dl_crc.h"
#include "dl_lake_index_build.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* --- Where it is ---------------------------------------------------------- */

static dl_status open_data(int *fd, char *path, size_t size,
                           const dl_lake_checking *c, const dl_lake_part *part,
                           dl_error *err)
{
    char folder[DL_LAKE_PATH_MAX];
    char name[DL_LAKE_PATH_MAX];
    dl_status status = DL_NOT_FOUND;

    dl_lake_day_folder(folder, part->day);
    dl_lake_part_name(name, part);
    if (part->state <= DL_LAKE_PART_SEALED) {
        snprintf(path, size, DL_LAKE_META "/%s/" DL_LAKE_OPEN "/%s",
                 c->check->dataset, name);
        status = dl_lake_file_open(fd, c->io, c->root, path, O_RDONLY, err);
    }
    if (status == DL_NOT_FOUND && dl_lake_part_is_whole(part)) {
        uint64_t bytes;

        snprintf(path, size, DL_LAKE_META "/%s/" DL_LAKE_COMPACT "/%s/%s",
                 c->check->dataset, folder, name);
        status = dl_lake_file_open(fd, c->io, c->root, path, O_RDONLY, err);
        if (status == DL_OK &&
            (dl_lake_file_size(&bytes, c->io, *fd, err) != DL_OK ||
             bytes != dl_lake_part_file_bytes(part))) {
            c->io->close(*fd);
            status = DL_NOT_FOUND;
        }
    }
    if (status == DL_NOT_FOUND && part->state != DL_LAKE_PART_OPEN) {
        snprintf(path, size, "%s/%s/%s", c->check->dataset, folder, name);
        status = dl_lake_file_open(fd, c->io, c->root, path, O_RDONLY, err);
    }
    return status;
}

/* Whether PART, whose files are gone, has moved on since the check began: a
 * living writer has sealed it, or a compaction has joined it. */
static bool has_moved(const dl_lake_checking *c, const dl_lake_part *part,
                      apr_pool_t *pool)
{
    dl_lake_manifest *m = apr_palloc(pool, sizeof *m);
    dl_error err = {.status = DL_OK};
    const dl_lake_part *now;
    uint64_t number;

    if (part->state == DL_LAKE_PART_OPEN) {
        return c->alive;
    }
    dl_lake_manifest_begin(m, pool);
    if (dl_lake_manifest_current(&number, &c->place, &err) != DL_OK ||
        number == 0 ||
        dl_lake_manifest_load(m, &c->place, number, 0, &err, pool) != DL_OK) {
        return false;
    }
    now = dl_lake_manifest_covers(m, part->day, part->number);
    return now != NULL && (now->uid != part->uid || now->state != part->state);
}

/* --- Lines ---------------------------------------------------------------- */

/* What has been seen of the lines of a part. */
typedef struct lines_seen {
    uint32_t crc;    /* running */
    uint64_t lines;  /* newlines */
    uint64_t blanks; /* empty lines */
    char last;       /* newest byte, a newline before the first */
} lines_seen;

static void see_lines(lines_seen *seen, const char *data, size_t len)
{
    size_t i;

    seen->crc = dl_crc32c(seen->crc, data, len);
    for (i = 0; i < len;) {
        const char *end = memchr(data + i, '\n', len - i);
        size_t stop = end == NULL ? len : (size_t)(end - data);

        if (end != NULL) {
            seen->lines++;
            seen->blanks += stop == i && (i > 0 || seen->last == '\n');
        }
        i = stop + 1;
    }
    if (len > 0) {
        seen->last = data[len - 1];
    }
}

static void judge_lines(dl_lake_checking *c, const char *path,
                        const lines_seen *seen, const dl_lake_part *part)
{
    if (seen->crc != part->crc) {
        dl_lake_complain(c, path, "the lines have a wrong checksum");
    }
    if (seen->lines != part->records || seen->blanks != 0 ||
        seen->last != '\n') {
        dl_lake_complain(
            c, path, "%llu lines, %llu of them empty; %llu were committed",
            (unsigned long long)seen->lines, (unsigned long long)seen->blanks,
            (unsigned long long)part->records);
    }
}

static void check_size(dl_lake_checking *c, const char *path, int fd,
                       uint64_t want, bool exact)
{
    dl_error err = {.status = DL_OK};
    uint64_t size;

    if (dl_lake_file_size(&size, c->io, fd, &err) != DL_OK) {
        dl_lake_complain(c, path, "%s", err.text);
    }
    else if (size < want || (exact && size != want)) {
        dl_lake_complain(c, path, "%llu bytes, %llu were committed",
                         (unsigned long long)size, (unsigned long long)want);
    }
}

static void check_text(dl_lake_checking *c, const char *path,
                       const dl_lake_text *text, const dl_lake_part *part)
{
    lines_seen seen = {.last = '\n'};
    dl_error err = {.status = DL_OK};
    uint64_t at = 0;

    while (at < part->bytes) {
        uint64_t rest = part->bytes - at;
        size_t len =
            rest < DL_LAKE_CHECK_BLOCK ? (size_t)rest : DL_LAKE_CHECK_BLOCK;

        if (dl_lake_text_read(text, c->block, len, at, &err) != DL_OK) {
            dl_lake_complain(c, path, "%s", err.text);
            return;
        }
        see_lines(&seen, c->block, len);
        dl_lake_check_step(c, len);
        at += len;
    }
    judge_lines(c, path, &seen, part);
}

/* Check the frames of TEXT; its directory may be missing. */
static void check_frames(dl_lake_checking *c, const char *path,
                         const dl_lake_text *text, const dl_lake_part *part)
{
    char other[DL_LAKE_NAME_MAX + 2 * DL_LAKE_PATH_MAX];
    char name[DL_LAKE_PATH_MAX];
    dl_error err = {.status = DL_OK};
    bool directory;

    if (dl_lake_frames_verify(&directory, text->frames, &err) == DL_OK) {
        return;
    }
    dl_lake_frames_name(name, part->uid);
    snprintf(other, sizeof other, DL_LAKE_META "/%s/" DL_LAKE_IDX "/%s",
             c->check->dataset, name);
    dl_lake_complain(c, directory ? other : path, "%s", err.text);
}

static void check_data(dl_lake_checking *c, const char *path, int fd,
                       const dl_lake_part *part)
{
    dl_lake_text text;

    dl_lake_text_open(&text, c->io, c->meta, fd, part);
    if (text.frames != NULL) {
        check_frames(c, path, &text, part);
    }
    else {
        check_size(c, path, fd, part->bytes, part->state != DL_LAKE_PART_OPEN);
    }
    check_text(c, path, &text, part);
    dl_lake_text_close(&text);
}

/* --- Trail ---------------------------------------------------------------- */

static dl_status check_trail_crc(dl_lake_checking *c, int fd,
                                 const dl_lake_part *part, dl_error *err)
{
    uint32_t crc = 0;
    uint64_t at = 0;

    while (at < part->trail_len) {
        uint64_t rest = part->trail_len - at;
        size_t len =
            rest < DL_LAKE_CHECK_BLOCK ? (size_t)rest : DL_LAKE_CHECK_BLOCK;

        DL_TRY(dl_lake_file_read(c->io, fd, c->block, len, at, err));
        crc = dl_crc32c(crc, c->block, len);
        at += len;
    }
    if (crc != part->trail_crc) {
        return dl_fail(err, DL_CORRUPT, 0, "the trail has a wrong checksum");
    }
    return DL_OK;
}

static dl_status check_coords(const dl_lake_trail_entry *entry,
                              dl_lake_noted *noted, dl_error *err)
{
    dl_lake_coords coords;
    dl_coord coord;
    uint64_t i;

    dl_lake_coords_begin(&coords, entry);
    for (i = 0; i < entry->records; i++) {
        if (!dl_lake_coords_next(&coord, &coords)) {
            return dl_fail(err, DL_CORRUPT, 0,
                           "an entry has %llu lines and %llu coordinates",
                           (unsigned long long)entry->records,
                           (unsigned long long)i);
        }
    }
    dl_lake_noted_begin(noted, coords.in, entry->records);
    for (i = 0; i < entry->records; i++) {
        (void)dl_lake_noted_next(noted);
    }
    if (!dl_lake_noted_at_end(noted)) {
        return dl_fail(err, DL_CORRUPT, 0,
                       "an entry has notes that are not of its %llu lines",
                       (unsigned long long)entry->records);
    }
    return DL_OK;
}

static dl_status check_entries(const dl_lake_checking *c, int fd,
                               const dl_lake_part *part, dl_error *err,
                               apr_pool_t *pool)
{
    dl_lake_noted *noted = dl_lake_noted_create(pool);
    dl_lake_trail_walk walk;
    dl_lake_trail_entry entry;
    uint32_t crc = 0;
    bool found = true;

    dl_lake_trail_begin(&walk, c->io, fd, part, pool);
    DL_TRY(dl_lake_trail_next(&entry, &found, &walk, err));
    while (found) {
        DL_TRY(check_coords(&entry, noted, err));
        crc = dl_lake_crc_join(crc, entry.crc, entry.bytes);
        DL_TRY(dl_lake_trail_next(&entry, &found, &walk, err));
    }
    if (crc != part->crc) {
        return dl_fail(err, DL_CORRUPT, 0,
                       "the sums of the entries are not that of the part");
    }
    return DL_OK;
}

static void check_trail(dl_lake_checking *c, const dl_lake_part *part,
                        apr_pool_t *pool)
{
    char path[DL_LAKE_NAME_MAX + 2 * DL_LAKE_PATH_MAX];
    char name[DL_LAKE_PATH_MAX];
    dl_error err = {.status = DL_OK};
    dl_status status;
    int fd;

    dl_lake_trail_name(name, part->uid);
    snprintf(path, sizeof path, DL_LAKE_META "/%s/" DL_LAKE_IDX "/%s",
             c->check->dataset, name);
    status = dl_lake_file_open(&fd, c->io, c->root, path, O_RDONLY, &err);
    if (status == DL_OK) {
        check_size(c, path, fd, part->trail_len,
                   part->state != DL_LAKE_PART_OPEN);
        status = check_trail_crc(c, fd, part, &err);
        if (status == DL_OK) {
            status = check_entries(c, fd, part, &err, pool);
        }
        c->io->close(fd);
    }
    if (status != DL_OK &&
        (status != DL_NOT_FOUND || !has_moved(c, part, pool))) {
        dl_lake_complain(c, path, "%s", err.text);
    }
}

/* --- Index ---------------------------------------------------------------- */

/* Check the index of PART, whose file is DATA_FD.  None is as good as one, and
 * so is one of another version: readers do without. */
static void check_index(dl_lake_checking *c, int data_fd,
                        const dl_lake_part *part, apr_pool_t *pool)
{
    const dl_lake_index_job job = {.io = c->io,
                                   .meta = c->meta,
                                   .data_fd = data_fd,
                                   .part = part,
                                   .block_bytes = DL_LAKE_INDEX_NORMAL};
    char path[DL_LAKE_NAME_MAX + 2 * DL_LAKE_PATH_MAX];
    char name[DL_LAKE_PATH_MAX];
    dl_error err = {.status = DL_OK};
    bool rebuilt;

    if (c->alive && part->state == DL_LAKE_PART_OPEN) {
        return; /* it may be growing now */
    }
    if (dl_lake_index_verify(&rebuilt, &job, &err, pool) == DL_OK ||
        err.status == DL_NOT_FOUND || err.status == DL_UNSUPPORTED) {
        return;
    }
    dl_lake_index_name(name, part->uid, "*");
    snprintf(path, sizeof path, DL_LAKE_META "/%s/" DL_LAKE_IDX "/%s",
             c->check->dataset, name);
    dl_lake_complain(c, path, "%s", err.text);
}

void dl_lake_check_part(dl_lake_checking *c, const dl_lake_part *part,
                        apr_pool_t *scratch_pool)
{
    char path[DL_LAKE_NAME_MAX + 4 * DL_LAKE_PATH_MAX];
    dl_error err = {.status = DL_OK};
    int fd;

    c->found->parts++;
    c->found->records += part->records;
    c->found->bytes += part->bytes;
    if (open_data(&fd, path, sizeof path, c, part, &err) != DL_OK) {
        if (err.status != DL_NOT_FOUND || !has_moved(c, part, scratch_pool)) {
            dl_lake_complain(c, path, "%s", err.text);
        }
        return;
    }
    check_data(c, path, fd, part);
    check_index(c, fd, part, scratch_pool);
    c->io->close(fd);
    check_trail(c, part, scratch_pool);
}
