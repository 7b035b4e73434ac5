/* dl_lake_recover.c - What a writer does before it writes.
 *
 * FORMAT.md 13, step by step.  Every step may be cut short by a kill; the next
 * recovery does it again with the same result.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_writing.h"

#include "dl_lake_compact_roll.h"
#include "dl_log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

/* --- 1 Journal ------------------------------------------------------------ */

static dl_status read_journal(dl_lake_bytes *file, dl_lake_writer *w,
                              dl_error *err)
{
    dl_status status;
    uint64_t size;
    int fd;

    DL_TRY(
        dl_lake_file_open(&fd, w->io, w->meta, DL_LAKE_JOURNAL, O_RDONLY, err));
    status = dl_lake_file_size(&size, w->io, fd, err);
    if (status == DL_OK) {
        status = dl_lake_file_read(
            w->io, fd, dl_lake_bytes_room(file, size + 1), size, 0, err);
        file->len = size;
    }
    w->io->close(fd);
    return status;
}

static dl_status make_id(uint64_t *id, dl_error *err)
{
    if (getrandom(id, sizeof *id, 0) != (ssize_t)sizeof *id) {
        return dl_fail(err, DL_IO, errno, "no random number");
    }
    return DL_OK;
}

/* Refuse a journal that ends before what the head has published. */
static dl_status check_published(dl_lake_writer *w, uint64_t lsn, dl_error *err,
                                 apr_pool_t *scratch_pool)
{
    dl_lake_view view;
    dl_error ignored = {.status = DL_OK};

    if (dl_lake_head_read(&view, w->head, &ignored, scratch_pool) == DL_OK &&
        view.lsn > lsn) {
        return dl_fail(err, DL_CORRUPT, 0,
                       "journal of %s ends at %llu, but %llu was published",
                       w->dataset, (unsigned long long)lsn,
                       (unsigned long long)view.lsn);
    }
    return DL_OK;
}

static dl_status replay(dl_lake_state *state, dl_lake_bytes *file,
                        dl_lake_writer *w, dl_error *err,
                        apr_pool_t *scratch_pool)
{
    dl_status status = read_journal(file, w, err);
    dl_lake_in in;

    dl_lake_state_begin(state, 0, scratch_pool);
    if (status == DL_NOT_FOUND) {
        DL_TRY(make_id(&state->id, err));
    }
    else {
        DL_TRY(status);
        in = dl_lake_in_make(file->data, file->len);
        DL_TRY(
            dl_lake_journal_replay(state, &in, w->dataset, err, scratch_pool));
        file->len = (size_t)(in.p - file->data);
    }
    DL_LAKE_CRASH("recover-read");
    return check_published(w, state->lsn, err, scratch_pool);
}

/* --- 2 Manifest ----------------------------------------------------------- */

static dl_status roll_locked(dl_lake_writer *w, dl_error *err,
                             apr_pool_t *scratch_pool)
{
    uint64_t number;
    dl_lake_view view;
    dl_error ignored = {.status = DL_OK};
    uint64_t word = 0;

    if (dl_lake_head_read(&view, w->head, &ignored, scratch_pool) == DL_OK) {
        word = view.manifest;
    }
    DL_TRY(dl_lake_manifest_current(&number, &w->place, err));
    if (number != 0) {
        DL_TRY(dl_lake_manifest_load(&w->manifest, &w->place, number, 0, err,
                                     scratch_pool));
    }
    if (number != 0 &&
        (w->state.journal == 0 || w->manifest.id != w->state.id)) {
        return dl_fail(err, DL_CORRUPT, 0,
                       "journal and manifest of %s do not belong together",
                       w->dataset);
    }
    w->manifest.id = w->state.id;
    if (dl_lake_manifest_word(number, w->manifest.length) < word) {
        return dl_fail(err, DL_CORRUPT, 0,
                       "manifest of %s is shorter than published", w->dataset);
    }
    return dl_lake_compact_roll(&w->manifest, &w->place, w->data, w->compact,
                                err);
}

/* Read the manifest and finish the compactions that it has.  One may be under
 * way in another process: what it has prepared in compact/ is not to be judged
 * by a manifest of before its record. */
static dl_status read_manifest(dl_lake_writer *w, dl_error *err,
                               apr_pool_t *scratch_pool)
{
    dl_status status;

    DL_TRY(dl_lake_lock(w->io, w->place.manifests, LOCK_EX, DL_LAKE_MANIFESTS,
                        err));
    status = roll_locked(w, err, scratch_pool);
    w->io->flock(w->place.manifests, LOCK_UN);
    return status;
}

/* --- 3 and 4 Parts -------------------------------------------------------- */

static dl_status rewrite_trail(void *context, const dl_lake_change *change,
                               dl_error *err)
{
    dl_lake_writer *w = context;
    dl_lake_part *part = dl_lake_state_find(&w->state, change->after.day);
    dl_lake_open_part *op = (dl_lake_open_part *)part;

    if (part == NULL || part->uid != change->after.uid ||
        part->state != DL_LAKE_PART_OPEN) {
        return DL_OK;
    }
    DL_TRY(dl_lake_open_part_files(w, op, err));
    return dl_lake_file_write(w->io, op->trail_fd, change->trail,
                              change->trail_len, change->trail_at, err);
}

static dl_status cut_file(dl_lake_writer *w, int fd, uint64_t len,
                          const char *what, const dl_lake_part *part,
                          dl_error *err)
{
    char name[DL_LAKE_PATH_MAX];
    uint64_t size;

    DL_TRY(dl_lake_file_size(&size, w->io, fd, err));
    if (size < len) {
        dl_lake_part_name(name, part);
        return dl_fail(err, DL_CORRUPT, 0,
                       "%s of %s has %llu bytes, %llu were committed", what,
                       name, (unsigned long long)size, (unsigned long long)len);
    }
    return size > len ? dl_lake_file_cut(w->io, fd, len, err) : DL_OK;
}

static dl_status settle_parts(dl_lake_writer *w, dl_error *err)
{
    int i;

    for (i = 0; i < w->state.n_parts; i++) {
        dl_lake_open_part *op = (dl_lake_open_part *)w->state.parts[i];

        if (op->part.state != DL_LAKE_PART_OPEN) {
            continue;
        }
        if (dl_lake_open_part_files(w, op, err) != DL_OK) {
            return err->status == DL_NOT_FOUND
                       ? dl_fail(err, DL_CORRUPT, 0,
                                 "a committed part of %s or its trail is gone",
                                 w->dataset)
                       : err->status;
        }
        DL_TRY(
            cut_file(w, op->data_fd, op->part.bytes, "part", &op->part, err));
        DL_TRY(cut_file(w, op->trail_fd, op->part.trail_len, "trail", &op->part,
                        err));
    }
    DL_LAKE_CRASH("recover-cut");
    return DL_OK;
}

/* Have the trails that the journal will write to: a power cut may have taken
 * their folder entries with it. */
static dl_status make_trails(dl_lake_writer *w, dl_error *err)
{
    int i;

    for (i = 0; i < w->state.n_parts; i++) {
        char name[DL_LAKE_PATH_MAX];
        int fd;

        if (w->state.parts[i]->state == DL_LAKE_PART_OPEN) {
            dl_lake_trail_name(name, w->state.parts[i]->uid);
            DL_TRY(dl_lake_file_open(&fd, w->io, w->idx, name, O_RDWR | O_CREAT,
                                     err));
            w->io->close(fd);
        }
    }
    return DL_OK;
}

static bool is_named(const dl_lake_writer *w, const char *name)
{
    char own[DL_LAKE_PATH_MAX];
    dl_day day;
    const dl_lake_part *part;

    if (strlen(name) < 10 || !dl_day_parse(&day, name, 10)) {
        return false;
    }
    part = dl_lake_state_find(&w->state, day);
    if (part == NULL) {
        return false;
    }
    dl_lake_part_name(own, part);
    return strcmp(own, name) == 0;
}

static dl_status remove_strays(dl_lake_writer *w, dl_error *err)
{
    struct dirent *entry;
    dl_status status;
    DIR *dir;
    int fd;

    DL_TRY(dl_lake_dir_open(&fd, w->io, w->meta, DL_LAKE_OPEN, 1, err));
    dir = fdopendir(fd);
    if (dir == NULL) {
        w->io->close(fd);
        return dl_fail(err, DL_IO, errno, "cannot list %s", DL_LAKE_OPEN);
    }
    status = DL_OK;
    while (status == DL_OK &&
           (entry = readdir(dir)) != NULL) { /* NOLINT: DIR is ours alone */
        if (entry->d_name[0] != '.' && !is_named(w, entry->d_name)) {
            status = dl_lake_remove(w->io, w->open, entry->d_name, 0, err);
        }
    }
    closedir(dir);
    return status;
}

/* --- 5 Quarantine --------------------------------------------------------- */

static dl_status settle_quarantine(dl_lake_writer *w, dl_error *err)
{
    const dl_lake_quarantine *q = &w->state.quarantine;
    char name[DL_LAKE_PATH_MAX];
    dl_status status;
    uint64_t size;
    int fd;

    dl_lake_number_name(name, q->number + 1);
    DL_TRY(dl_lake_remove(w->io, w->quarantine, name, 0, err));
    if (q->number == 0) {
        return DL_OK;
    }
    dl_lake_number_name(name, q->number);
    status = dl_lake_file_open(&fd, w->io, w->quarantine, name, O_RDWR, err);
    if (status == DL_NOT_FOUND) {
        return dl_fail(err, DL_CORRUPT, 0, "quarantine %s is missing", name);
    }
    DL_TRY(status);
    status = dl_lake_file_size(&size, w->io, fd, err);
    if (status == DL_OK && size < q->length) {
        status = dl_fail(err, DL_CORRUPT, 0,
                         "quarantine %s is shorter than committed", name);
    }
    if (status == DL_OK && size > q->length) {
        status = dl_lake_file_cut(w->io, fd, q->length, err);
    }
    w->io->close(fd);
    return status;
}

/* --- All ------------------------------------------------------------------ */

static void adopt(dl_lake_writer *w, const dl_lake_state *replayed)
{
    int i;
    dl_lake_part **parts = w->state.parts;
    int size = w->state.size;
    dl_lake_marks marks = w->state.marks;

    w->state = *replayed;
    w->state.marks = marks;
    dl_lake_marks_copy(&w->state.marks, &replayed->marks);
    w->state.parts = parts;
    w->state.size = size;
    w->state.n_parts = 0;
    for (i = 0; i < replayed->n_parts; i++) {
        dl_lake_open_part_adopt(w, replayed->parts[i]);
    }
    memcpy(w->next, w->state.next, sizeof w->next);
    w->next_uid = w->state.next_uid;
    w->aside.after = w->state.quarantine;
    memcpy(w->aside.rejects, w->state.rejects, sizeof w->aside.rejects);
}

/* Drop the sealed parts: after seal_finish the manifest has them. */
static void drop_listed(dl_lake_writer *w)
{
    int i = 0;

    while (i < w->state.n_parts) {
        if (w->state.parts[i]->state == DL_LAKE_PART_SEALED) {
            dl_lake_open_part_drop(w, (dl_lake_open_part *)w->state.parts[i]);
        }
        else {
            i++;
        }
    }
}

dl_status dl_lake_recover(dl_lake_writer *w, dl_error *err,
                          apr_pool_t *scratch_pool)
{
    dl_lake_bytes *file = apr_palloc(scratch_pool, sizeof *file);
    dl_lake_state *replayed = apr_palloc(scratch_pool, sizeof *replayed);

    dl_lake_bytes_own(file, scratch_pool);
    DL_TRY(replay(replayed, file, w, err, scratch_pool));
    adopt(w, replayed);
    DL_TRY(read_manifest(w, err, scratch_pool));
    DL_TRY(dl_lake_seal_finish(w, err));
    drop_listed(w);
    DL_TRY(make_trails(w, err));
    DL_TRY(
        dl_lake_journal_trails(file->data, file->len, rewrite_trail, w, err));
    DL_LAKE_CRASH("recover-trails");
    DL_TRY(settle_parts(w, err));
    DL_TRY(remove_strays(w, err));
    DL_TRY(settle_quarantine(w, err));
    DL_TRY(dl_lake_journal_rotate(w, err));
    DL_LAKE_CRASH("recover-journal");
    DL_TRY(dl_lake_manifest_publish(w, err));
    dl_lake_head_publish(w->head, &w->state);
    return DL_OK;
}
