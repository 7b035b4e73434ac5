/* dl_lake_commit.c - The commit: data, then the journal record, then readers.
 *
 * FORMAT.md 10.  Until the journal record is durable nothing of the writer's
 * committed state has changed, so that any failure can forget.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_writing.h"

#include "dl_log.h"

#include <fcntl.h>
#include <string.h>

/* --- Forgetting ----------------------------------------------------------- */

dl_status dl_lake_forget(dl_lake_writer *w, dl_status status)
{
    dl_lake_behind_clear(w->behind);
    while (w->n_dirty > 0) {
        dl_lake_open_part_forget(w, w->dirty[--w->n_dirty]);
    }
    dl_lake_aside_forget(w);
    dl_lake_marks_forget(&w->state.marks);
    memcpy(w->next, w->state.next, sizeof w->next);
    w->next_uid = w->state.next_uid;
    w->advanced = false;
    w->pending = w->book = 0;
    w->last = NULL;
    return status;
}

/* --- Journal -------------------------------------------------------------- */

dl_status dl_lake_journal_append(dl_lake_writer *w, dl_error *err)
{
    dl_status status = dl_lake_file_write(w->io, w->journal, w->record.data,
                                          w->record.len, w->journal_len, err);

    if (status != DL_OK) {
        if (dl_lake_file_cut(w->io, w->journal, w->journal_len, NULL) !=
            DL_OK) {
            dl_log(DL_LOG_WARNING, "DL0303 %s: journal keeps a torn tail",
                   w->dataset);
        }
        return status;
    }
    DL_LAKE_CRASH("journal-written");
    dl_lake_file_sync(w->io, w->journal, DL_LAKE_JOURNAL);
    DL_LAKE_CRASH("journal-synced");
    w->journal_len += w->record.len;
    return DL_OK;
}

static void sync_trails(dl_lake_writer *w)
{
    dl_error err = {.status = DL_OK};
    int i;

    if (w->state.n_parts > DL_LAKE_SYNC_EACH) {
        dl_lake_all_sync(w->io, w->root, "trails");
        return;
    }
    for (i = 0; i < w->state.n_parts; i++) {
        dl_lake_open_part *op = (dl_lake_open_part *)w->state.parts[i];

        if (op->part.state == DL_LAKE_PART_OPEN) {
            if (dl_lake_open_part_files(w, op, &err) == DL_OK) {
                dl_lake_file_sync(w->io, op->trail_fd, "trail");
            }
            else {
                dl_lake_all_sync(w->io, w->root, "trails");
            }
        }
    }
    dl_lake_dir_sync(w->io, w->idx, DL_LAKE_IDX);
}

static dl_status write_journal(int *fd, dl_lake_writer *w, dl_error *err)
{
    dl_status status;

    DL_TRY(dl_lake_file_open(fd, w->io, w->meta, DL_LAKE_JOURNAL ".new",
                             O_RDWR | O_CREAT | O_TRUNC, err));
    status =
        dl_lake_file_write(w->io, *fd, w->record.data, w->record.len, 0, err);
    if (status == DL_OK) {
        dl_lake_file_sync(w->io, *fd, DL_LAKE_JOURNAL ".new");
        DL_LAKE_CRASH("rotate-written");
        status = dl_lake_rename(w->io, w->meta, DL_LAKE_JOURNAL ".new", w->meta,
                                DL_LAKE_JOURNAL, err);
    }
    if (status != DL_OK) {
        w->io->close(*fd);
        return status;
    }
    DL_LAKE_CRASH("rotate-renamed");
    dl_lake_dir_sync(w->io, w->meta, DL_LAKE_JOURNAL);
    return DL_OK;
}

dl_status dl_lake_journal_rotate(dl_lake_writer *w, dl_error *err)
{
    int fd;

    sync_trails(w);
    w->record.len = 0;
    dl_lake_header_add(&w->record, 'J', w->state.id, w->state.journal + 1,
                       w->dataset);
    dl_lake_checkpoint_add(&w->record, &w->state);
    DL_TRY(write_journal(&fd, w, err));
    if (w->journal >= 0) {
        w->io->close(w->journal);
    }
    w->journal = fd;
    w->journal_len = w->record.len;
    w->state.journal++;
    DL_LAKE_CRASH("rotate-done");
    return DL_OK;
}

/* --- Writing what is uncommitted ------------------------------------------ */

static void add_change(dl_lake_writer *w, dl_lake_open_part *op, int64_t ms)
{
    dl_lake_change change;

    memset(&change, 0, sizeof change);
    change.after = op->part;
    change.trail_at = op->part.trail_len;
    dl_lake_trail_commit(&op->trail, &change.after, ms);
    change.after.first_time = op->first_time;
    change.after.last_time = op->last_time;
    change.trail = op->trail.out.data;
    change.trail_len = op->trail.out.len;
    dl_lake_add_raw(&w->changes, &change, sizeof change);
}

static dl_lake_change *change_at(dl_lake_writer *w, int i)
{
    return (dl_lake_change *)(void *)w->changes.data + i;
}

/* Hand all whole blocks over and wait until they are written. */
static dl_status push_parts(dl_lake_writer *w, dl_error *err)
{
    int i;

    for (i = 0; i < w->n_dirty; i++) {
        DL_TRY(dl_lake_open_part_push(w, w->dirty[i], err));
    }
    return dl_lake_behind_wait(w->behind, err);
}

static dl_status write_parts(dl_lake_writer *w, int64_t ms, dl_error *err)
{
    int i;

    w->changes.len = 0;
    DL_TRY(push_parts(w, err));
    for (i = 0; i < w->n_dirty; i++) {
        dl_lake_open_part *op = w->dirty[i];
        const dl_lake_change *change;

        DL_TRY(dl_lake_open_part_flush(w, op, err));
        add_change(w, op, ms);
        change = change_at(w, i);
        DL_TRY(dl_lake_file_write(w->io, op->trail_fd, change->trail,
                                  change->trail_len, change->trail_at, err));
    }
    DL_LAKE_CRASH("commit-written");
    return DL_OK;
}

static dl_status sync_each(dl_lake_writer *w, dl_error *err)
{
    bool fresh = false;
    int i;

    for (i = 0; i < w->n_dirty; i++) {
        dl_lake_open_part *op = w->dirty[i];

        DL_TRY(dl_lake_open_part_files(w, op, err));
        dl_lake_file_sync(w->io, op->data_fd, "part");
        fresh = fresh || op->fresh;
    }
    if (w->aside.dirty) {
        dl_lake_file_sync(w->io, w->aside.fd, DL_LAKE_QUARANTINE);
    }
    DL_LAKE_CRASH("commit-synced");
    if (fresh) {
        dl_lake_dir_sync(w->io, w->open, DL_LAKE_OPEN);
    }
    if (w->aside.fresh) {
        dl_lake_dir_sync(w->io, w->quarantine, DL_LAKE_QUARANTINE);
    }
    DL_LAKE_CRASH("commit-folders");
    return DL_OK;
}

static dl_status sync_parts(dl_lake_writer *w, dl_error *err)
{
    if (w->n_dirty > DL_LAKE_SYNC_EACH) {
        dl_lake_all_sync(w->io, w->root, "parts");
        return DL_OK;
    }
    return sync_each(w, err);
}

/* --- After the journal record --------------------------------------------- */

static void apply_parts(dl_lake_writer *w)
{
    int i;

    for (i = 0; i < w->n_dirty; i++) {
        dl_lake_open_part *op = w->dirty[i];
        const dl_lake_change *change = change_at(w, i);

        w->stats.records += change->after.records - op->part.records;
        w->stats.bytes += change->after.bytes - op->part.bytes;
        op->part = change->after;
        op->dirty = op->fresh = op->tail = false;
        dl_lake_trail_forget(&op->trail);
    }
    w->n_dirty = 0;
}

static void apply_commit(dl_lake_writer *w, int64_t ms)
{
    int i;

    apply_parts(w);
    for (i = 0; i < DL_LAKE_REASONS; i++) {
        w->stats.rejects[i] += w->aside.rejects[i] - w->state.rejects[i];
    }
    memcpy(w->state.rejects, w->aside.rejects, sizeof w->state.rejects);
    w->stats.repeats += w->aside.dropped;
    w->aside.dropped = 0;
    dl_lake_marks_commit(&w->state.marks);
    w->state.quarantine = w->aside.after;
    w->aside.fresh = w->aside.dirty = false;
    memcpy(w->state.next, w->next, sizeof w->next);
    w->state.next_uid = w->next_uid;
    w->state.lsn++;
    w->state.commits++;
    w->state.last_commit_ms = ms;
    w->advanced = false;
    w->pending = w->book = 0;
    w->stats.commits++;
}

/* --- The commit ----------------------------------------------------------- */

/* A time of its own for each commit: readers name a state by it. */
static int64_t commit_ms(const dl_lake_writer *w, dl_time now)
{
    int64_t ms = (now + 999) / 1000;

    return ms > w->state.last_commit_ms ? ms : w->state.last_commit_ms + 1;
}

static dl_status write_commit(dl_lake_writer *w, int64_t ms, dl_error *err)
{
    dl_lake_commit c;

    DL_TRY(dl_lake_aside_flush(w, err));
    DL_TRY(write_parts(w, ms, err));
    DL_TRY(sync_parts(w, err));
    c.ms = ms;
    c.next = w->next;
    c.quarantine = w->aside.after;
    c.rejects = w->aside.rejects;
    c.n_changes = w->n_dirty;
    c.changes = change_at(w, 0);
    w->record.len = 0;
    dl_lake_commit_add(&w->record, &w->state, &c);
    return dl_lake_journal_append(w, err);
}

static void rotate_when_due(dl_lake_writer *w)
{
    dl_error err = {.status = DL_OK};

    if (w->journal_len > DL_LAKE_JOURNAL_MAX &&
        dl_lake_journal_rotate(w, &err) != DL_OK) {
        dl_log(DL_LOG_WARNING, "DL0304 %s: journal cannot rotate yet: %s",
               w->dataset, err.text);
    }
}

dl_status dl_lake_writer_commit(dl_lake_writer *w, dl_time now, dl_error *err)
{
    int64_t started = dl_time_monotonic_us();
    int64_t ms = commit_ms(w, now);
    dl_status status;

    if (dl_lake_writer_pending(w) == 0) {
        return DL_OK;
    }
    status = write_commit(w, ms, err);
    if (status != DL_OK) {
        return dl_lake_forget(w, status);
    }
    apply_commit(w, ms);
    DL_LAKE_CRASH("commit-unpublished");
    dl_lake_head_publish(w->head, &w->state);
    DL_LAKE_CRASH("commit-published");
    rotate_when_due(w);
    w->stats.last_commit_us = dl_time_monotonic_us() - started;
    return DL_OK;
}
