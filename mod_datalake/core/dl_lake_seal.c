/* dl_lake_seal.c - From an open part to a file of its day's folder.
 *
 * FORMAT.md 11.  The seal record in the journal decides; everything behind it
 * may find its work done and is repeated until it succeeds.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_writing.h"

#include "dl_lake_compact_roll.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

/* --- Steps 1 to 3: up to the seal record ---------------------------------- */

static dl_status settle_part(dl_lake_writer *w, dl_lake_open_part *op,
                             bool each, dl_error *err)
{
    DL_TRY(dl_lake_open_part_files(w, op, err));
    if (op->tail) {
        DL_TRY(dl_lake_file_cut(w->io, op->data_fd, op->part.bytes, err));
        DL_TRY(dl_lake_file_cut(w->io, op->trail_fd, op->part.trail_len, err));
        op->tail = false;
    }
    if (each) {
        dl_lake_file_sync(w->io, op->data_fd, "part");
        dl_lake_file_sync(w->io, op->trail_fd, "trail");
    }
    return DL_OK;
}

static dl_status make_day(dl_lake_writer *w, dl_day day, dl_error *err)
{
    char folder[DL_LAKE_PATH_MAX];
    int fd;

    dl_lake_day_folder(folder, day);
    DL_TRY(dl_lake_dir_open(&fd, w->io, w->data, folder, 1, err));
    w->io->close(fd);
    return DL_OK;
}

static dl_status record_seal(dl_lake_writer *w, uint8_t type,
                             dl_lake_part *const *parts, int n, dl_error *err)
{
    w->record.len = 0;
    dl_lake_uids_add(&w->record, type, &w->state, parts, n);
    DL_TRY(dl_lake_journal_append(w, err));
    w->state.lsn++;
    return DL_OK;
}

static dl_status seal_chosen(dl_lake_writer *w, dl_lake_part **chosen, int n,
                             dl_error *err)
{
    bool each = n <= DL_LAKE_SYNC_EACH;
    int i;

    DL_LAKE_CRASH("seal-begin");
    for (i = 0; i < n; i++) {
        DL_TRY(settle_part(w, (dl_lake_open_part *)chosen[i], each, err));
        DL_TRY(make_day(w, chosen[i]->day, err));
    }
    if (!each) {
        dl_lake_all_sync(w->io, w->root, "parts");
    }
    dl_lake_dir_sync(w->io, w->idx, DL_LAKE_IDX);
    dl_lake_dir_sync(w->io, w->data, w->dataset);
    DL_TRY(record_seal(w, DL_LAKE_TYPE_SEAL, chosen, n, err));
    for (i = 0; i < n; i++) {
        chosen[i]->state = DL_LAKE_PART_SEALED;
        dl_lake_open_part_close(w, (dl_lake_open_part *)chosen[i]);
    }
    DL_LAKE_CRASH("seal-journaled");
    return DL_OK;
}

dl_status dl_lake_seal_parts(dl_lake_writer *w, dl_lake_open_part **ops, int n,
                             dl_error *err)
{
    dl_lake_part **chosen;
    dl_status status;
    int n_chosen = 0;
    int i;

    if (n == 0) {
        return DL_OK;
    }
    chosen = calloc((size_t)n, sizeof *chosen);
    if (chosen == NULL) {
        abort();
    }
    for (i = 0; i < n; i++) {
        if (!ops[i]->dirty && ops[i]->part.state == DL_LAKE_PART_OPEN) {
            chosen[n_chosen++] = &ops[i]->part;
        }
    }
    status = n_chosen == 0 ? DL_OK : seal_chosen(w, chosen, n_chosen, err);
    free(chosen);
    DL_TRY(status);
    return dl_lake_seal_finish(w, err);
}

/* --- Steps 4 and 5: folder, manifest, listed ------------------------------ */

static dl_status move_part(dl_lake_writer *w, const dl_lake_part *part,
                           bool each, dl_error *err)
{
    char folder[DL_LAKE_PATH_MAX];
    char name[DL_LAKE_PATH_MAX];
    dl_status status;
    struct stat st;
    int dir;
    int fd;

    dl_lake_day_folder(folder, part->day);
    dl_lake_part_name(name, part);
    DL_TRY(dl_lake_dir_open(&dir, w->io, w->data, folder, 1, err));
    status = dl_lake_rename(w->io, w->open, name, dir, name, err);
    if (status == DL_NOT_FOUND) {
        status = dl_lake_file_open(&fd, w->io, dir, name, O_RDONLY, err);
        if (status == DL_OK) {
            if (w->io->fstat(fd, &st) != 0 ||
                (uint64_t)st.st_size != part->bytes) {
                status = dl_fail(err, DL_CORRUPT, 0,
                                 "sealed part %s has a wrong length", name);
            }
            w->io->close(fd);
        }
        else if (status == DL_NOT_FOUND) {
            status =
                dl_fail(err, DL_CORRUPT, 0, "sealed part %s is missing", name);
        }
    }
    if (status == DL_OK && each) {
        dl_lake_dir_sync(w->io, dir, folder);
    }
    w->io->close(dir);
    return status;
}

static int count_sealed(const dl_lake_writer *w)
{
    int n = 0;
    int i;

    for (i = 0; i < w->state.n_parts; i++) {
        n += w->state.parts[i]->state == DL_LAKE_PART_SEALED;
    }
    return n;
}

/* Move the sealed parts that the manifest does not have; list them in LISTED,
 * *N of them. */
static dl_status move_parts(dl_lake_part *listed, int *n, dl_lake_writer *w,
                            dl_error *err)
{
    bool each = count_sealed(w) <= DL_LAKE_SYNC_EACH;
    int i;

    *n = 0;
    for (i = 0; i < w->state.n_parts; i++) {
        const dl_lake_part *part = w->state.parts[i];

        if (part->state != DL_LAKE_PART_SEALED ||
            dl_lake_manifest_covers(&w->manifest, part->day, part->number) !=
                NULL) {
            continue;
        }
        DL_TRY(move_part(w, part, each, err));
        listed[*n] = *part;
        listed[(*n)++].state = DL_LAKE_PART_LISTED;
    }
    if (!each) {
        dl_lake_all_sync(w->io, w->root, "day folders");
    }
    if (*n > 0) {
        dl_lake_dir_sync(w->io, w->data, w->dataset);
        dl_lake_dir_sync(w->io, w->open, DL_LAKE_OPEN);
    }
    return DL_OK;
}

/* Read the manifest again: a compaction may have changed it. */
static dl_status refresh_manifest(dl_lake_writer *w, dl_error *err)
{
    dl_lake_manifest fresh;
    dl_lake_manifest old = w->manifest;
    apr_pool_t *scratch;
    dl_status status;
    uint64_t number;

    DL_TRY(dl_lake_manifest_current(&number, &w->place, err));
    if (number == 0) {
        return DL_OK;
    }
    apr_pool_create(&scratch, w->pool);
    dl_lake_manifest_begin(&fresh, scratch);
    status = dl_lake_manifest_load(&fresh, &w->place, number, 0, err, scratch);
    if (status == DL_OK) {
        w->manifest = fresh;
        fresh = old;
    }
    apr_pool_destroy(scratch);
    return status;
}

static dl_status list_parts(dl_lake_writer *w, dl_lake_part *listed,
                            dl_error *err)
{
    int n;

    DL_TRY(refresh_manifest(w, err));
    DL_TRY(dl_lake_compact_roll(&w->manifest, &w->place, w->data, w->compact,
                                err));
    DL_TRY(move_parts(listed, &n, w, err));
    DL_LAKE_CRASH("seal-renamed");
    if (n > 0) {
        DL_TRY(dl_lake_manifest_append(&w->manifest, &w->place, listed, n, NULL,
                                       err));
    }
    DL_LAKE_CRASH("seal-listed");
    dl_lake_head_set_manifest(
        w->head, dl_lake_manifest_word(w->manifest.number, w->manifest.length));
    return DL_OK;
}

dl_status dl_lake_manifest_publish(dl_lake_writer *w, dl_error *err)
{
    dl_status status;

    DL_TRY(dl_lake_lock(w->io, w->place.manifests, LOCK_EX, DL_LAKE_MANIFESTS,
                        err));
    status = refresh_manifest(w, err);
    if (status == DL_OK) {
        status = dl_lake_compact_roll(&w->manifest, &w->place, w->data,
                                      w->compact, err);
    }
    if (status == DL_OK) {
        dl_lake_head_set_manifest(
            w->head,
            dl_lake_manifest_word(w->manifest.number, w->manifest.length));
    }
    w->io->flock(w->place.manifests, LOCK_UN);
    return status;
}

/* Note in the journal that the N sealed parts of the state are listed, and
 * forget them. */
static dl_status forget_listed(dl_lake_writer *w, dl_error *err)
{
    dl_lake_part **parts = calloc((size_t)w->state.n_parts, sizeof *parts);
    dl_status status;
    int n = 0;
    int i;

    if (parts == NULL) {
        abort();
    }
    for (i = 0; i < w->state.n_parts; i++) {
        if (w->state.parts[i]->state == DL_LAKE_PART_SEALED) {
            parts[n++] = w->state.parts[i];
        }
    }
    status = record_seal(w, DL_LAKE_TYPE_LISTED, parts, n, err);
    for (i = 0; i < n && status == DL_OK; i++) {
        dl_lake_open_part_drop(w, (dl_lake_open_part *)parts[i]);
    }
    w->stats.sealed += status == DL_OK ? (uint64_t)n : 0;
    free(parts);
    return status;
}

dl_status dl_lake_seal_finish(dl_lake_writer *w, dl_error *err)
{
    dl_lake_part *listed;
    dl_status status;

    if (count_sealed(w) == 0) {
        return DL_OK;
    }
    DL_TRY(dl_lake_lock(w->io, w->place.manifests, LOCK_EX, DL_LAKE_MANIFESTS,
                        err));
    listed = calloc((size_t)w->state.n_parts, sizeof *listed);
    if (listed == NULL) {
        abort();
    }
    status = list_parts(w, listed, err);
    w->io->flock(w->place.manifests, LOCK_UN);
    free(listed);
    DL_TRY(status);
    if (w->journal >= 0) {
        DL_TRY(forget_listed(w, err));
        dl_lake_head_publish(w->head, &w->state);
    }
    DL_LAKE_CRASH("seal-done");
    return DL_OK;
}

/* --- When ----------------------------------------------------------------- */

static bool is_due(const dl_lake_writer *w, const dl_lake_open_part *op,
                   int64_t now_ms)
{
    const dl_lake_part *part = &op->part;
    int64_t day_end = dl_day_start(part->day + 1) / 1000;

    if (op->dirty || part->commits == 0 || part->state != DL_LAKE_PART_OPEN) {
        return false;
    }
    return part->bytes >= w->seal_size ||
           now_ms - part->first_commit_ms >= w->seal_age_ms ||
           (now_ms >= day_end &&
            now_ms - part->last_commit_ms >= DL_LAKE_QUIET_MS);
}

static dl_status seal_where(dl_lake_writer *w, int64_t now_ms, bool all,
                            dl_error *err)
{
    dl_lake_open_part **ops;
    dl_status status;
    int n = 0;
    int i;

    if (w->state.n_parts == 0) {
        return DL_OK;
    }
    ops = calloc((size_t)w->state.n_parts, sizeof(*ops));
    if (ops == NULL) {
        abort();
    }
    for (i = 0; i < w->state.n_parts; i++) {
        dl_lake_open_part *op = (dl_lake_open_part *)w->state.parts[i];

        if (all || is_due(w, op, now_ms)) {
            ops[n++] = op;
        }
    }
    status = dl_lake_seal_parts(w, ops, n, err);
    free(ops);
    return status;
}

dl_status dl_lake_writer_tick(dl_lake_writer *w, dl_time now, dl_error *err)
{
    dl_lake_behind_trim(w->behind);
    DL_TRY(dl_lake_seal_finish(w, err));
    return seal_where(w, now / 1000, false, err);
}

dl_status dl_lake_writer_seal(dl_lake_writer *w, dl_time now, dl_error *err)
{
    DL_TRY(dl_lake_writer_commit(w, now, err));
    DL_TRY(dl_lake_seal_finish(w, err));
    return seal_where(w, now / 1000, true, err);
}
