/* dl_lake_writer.c - Opening a writer, appending to it, asking it.
 *
 * FORMAT.md 10.  Buffers and files are dl_lake_part_open.c, the commit is
 * dl_lake_commit.c.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_writing.h"

#include "dl_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* --- Opening -------------------------------------------------------------- */

static void close_fd(const dl_lake_io *io, int *fd)
{
    if (*fd >= 0) {
        io->close(*fd);
    }
    *fd = -1;
}

static apr_status_t close_writer(void *context)
{
    dl_lake_writer *w = context;

    while (w->state.n_parts > 0) {
        dl_lake_open_part_drop(w, (dl_lake_open_part *)w->state.parts[0]);
    }
    dl_lake_behind_destroy(w->behind);
    w->behind = NULL;
    free(w->dirty);
    close_fd(w->io, &w->aside.fd);
    close_fd(w->io, &w->journal);
    close_fd(w->io, &w->place.manifests);
    close_fd(w->io, &w->compact);
    close_fd(w->io, &w->quarantine);
    close_fd(w->io, &w->idx);
    close_fd(w->io, &w->open);
    close_fd(w->io, &w->data);
    close_fd(w->io, &w->lock);
    close_fd(w->io, &w->meta);
    close_fd(w->io, &w->root);
    return APR_SUCCESS;
}

static dl_lake_writer *make_writer(const dl_lake_options *o, apr_pool_t *pool)
{
    dl_lake_writer *w = apr_pcalloc(pool, sizeof *w);

    w->io = o->io != NULL ? o->io : &dl_lake_io_real;
    w->pool = pool;
    w->dataset = o->dataset;
    w->seal_age_ms =
        1000 * (o->seal_age_s > 0 ? o->seal_age_s : DL_LAKE_SEAL_AGE_S);
    w->seal_size = o->seal_size > 0 ? o->seal_size : DL_LAKE_SEAL_SIZE;
    w->buffer_size = o->buffer_size > 0 ? o->buffer_size : DL_LAKE_BUFFER_PART;
    w->behind = dl_lake_behind_create(w->io, w->buffer_size);
    w->root = w->lock = w->data = w->meta = w->open = w->idx = -1;
    w->quarantine = w->compact = w->place.manifests = w->journal = -1;
    w->aside.fd = -1;
    dl_lake_bytes_own(&w->record, pool);
    dl_lake_bytes_own(&w->changes, pool);
    dl_lake_bytes_own(&w->aside.buffer, pool);
    dl_lake_manifest_begin(&w->manifest, pool);
    dl_lake_state_begin(&w->state, 0, pool);
    apr_pool_cleanup_register(pool, w, close_writer, apr_pool_cleanup_null);
    return w;
}

static dl_status open_root(dl_lake_writer *w, const char *root, dl_error *err)
{
    w->root =
        w->io->openat(AT_FDCWD, root, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (w->root < 0) {
        return dl_fail(err, dl_lake_errno_status(errno), errno,
                       "cannot open lake %s", root);
    }
    return DL_OK;
}

/* Say in LOCK whose it is, for people and for datalakectl seal. */
static void sign_lock(const dl_lake_writer *w)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());

    if (dl_lake_file_cut(w->io, w->lock, 0, NULL) != DL_OK ||
        dl_lake_file_write(w->io, w->lock, text, (size_t)len, 0, NULL) !=
            DL_OK) {
        dl_log(DL_LOG_WARNING, "DL0306 %s: LOCK does not name its owner",
               w->dataset);
    }
}

static dl_status take_lock(dl_lake_writer *w, dl_error *err)
{
    DL_TRY(dl_lake_file_open(&w->lock, w->io, w->meta, DL_LAKE_LOCK,
                             O_RDWR | O_CREAT, err));
    DL_TRY(dl_lake_lock(w->io, w->lock, LOCK_EX | LOCK_NB, w->dataset, err));
    sign_lock(w);
    return DL_OK;
}

static dl_status open_folders(dl_lake_writer *w, const char *root,
                              dl_error *err)
{
    dl_status status;
    int above;

    DL_TRY(open_root(w, root, err));
    DL_TRY(dl_lake_dir_open(&above, w->io, w->root, DL_LAKE_META, 1, err));
    status = dl_lake_dir_open(&w->meta, w->io, above, w->dataset, 1, err);
    if (status == DL_OK) {
        status = take_lock(w, err);
    }
    if (status == DL_OK) {
        dl_lake_dir_sync(w->io, above, DL_LAKE_META);
    }
    w->io->close(above);
    DL_TRY(status);
    DL_TRY(dl_lake_dir_open(&w->data, w->io, w->root, w->dataset, 1, err));
    dl_lake_dir_sync(w->io, w->root, "lake");
    DL_TRY(dl_lake_dir_open(&w->open, w->io, w->meta, DL_LAKE_OPEN, 1, err));
    DL_TRY(dl_lake_dir_open(&w->idx, w->io, w->meta, DL_LAKE_IDX, 1, err));
    DL_TRY(dl_lake_dir_open(&w->quarantine, w->io, w->meta, DL_LAKE_QUARANTINE,
                            1, err));
    DL_TRY(
        dl_lake_dir_open(&w->compact, w->io, w->meta, DL_LAKE_COMPACT, 1, err));
    DL_TRY(dl_lake_dir_open(&w->place.manifests, w->io, w->meta,
                            DL_LAKE_MANIFESTS, 1, err));
    dl_lake_dir_sync(w->io, w->meta, w->dataset);
    return DL_OK;
}

dl_status dl_lake_writer_open(dl_lake_writer **result,
                              const dl_lake_options *options, dl_error *err,
                              apr_pool_t *result_pool)
{
    apr_pool_t *scratch;
    dl_lake_writer *w;
    dl_status status;

    if (!dl_lake_name_valid(options->dataset)) {
        return dl_fail(err, DL_INVALID, 0,
                       "'%.100s' cannot be the name of a dataset",
                       options->dataset);
    }
    dl_lake_crash_arm();
    apr_pool_create(&scratch, NULL);
    w = make_writer(options, result_pool);
    status = open_folders(w, options->root, err);
    if (status == DL_OK) {
        w->place.io = w->io;
        w->place.meta = w->meta;
        w->place.dataset = w->dataset;
        status =
            dl_lake_head_create(&w->head, w->io, w->meta, err, result_pool);
    }
    if (status == DL_OK) {
        status = dl_lake_recover(w, err, scratch);
    }
    apr_pool_destroy(scratch);
    if (status != DL_OK) {
        apr_pool_cleanup_run(result_pool, w, close_writer);
        return status;
    }
    *result = w;
    return DL_OK;
}

/* --- Appending ------------------------------------------------------------ */

static dl_status check_place(const dl_lake_writer *w, const dl_coord *c,
                             dl_error *err)
{
    if (c->partition < 0 || c->partition >= DL_LAKE_PARTITIONS_MAX ||
        c->offset < 0) {
        return dl_fail(err, DL_INVALID, 0,
                       "partition %d offset %lld is outside the lake's bounds",
                       c->partition, (long long)c->offset);
    }
    if (c->offset < w->next[c->partition]) {
        return dl_fail(err, DL_INVALID, 0,
                       "partition %d offset %lld is below %lld", c->partition,
                       (long long)c->offset, (long long)w->next[c->partition]);
    }
    return DL_OK;
}

static size_t pending_notes(const dl_lake_open_part *op)
{
    return op->trail.notes == NULL ? 0
                                   : dl_lake_noting_pending(op->trail.notes);
}

static void put_line(dl_lake_writer *w, dl_lake_open_part *op, const char *line,
                     uint32_t len, const dl_lake_message *m)
{
    char *to = op->buffer + op->len;
    size_t noted = pending_notes(op);
    dl_coord own = m->coord;

    memcpy(to, line, len);
    to[len] = '\n';
    op->len += len + 1u;
    own.generation = w->state.generation;
    dl_lake_trail_append(&op->trail, &op->part, to, len + 1, &own, m->note);
    w->pending += len + 1u;
    w->book += 8;
    if (pending_notes(op) > noted) {
        w->book += pending_notes(op) - noted;
    }
}

static void note_time(dl_lake_open_part *op, dl_time event_time)
{
    if (op->part.commits == 0 && !op->dirty) {
        op->first_time = op->last_time = event_time;
    }
    if (event_time < op->first_time) {
        op->first_time = event_time;
    }
    if (event_time > op->last_time) {
        op->last_time = event_time;
    }
}

static dl_status append(dl_lake_writer *w, dl_day day, uint32_t len,
                        dl_error *err)
{
    if (w->book > 4 * (size_t)DL_LAKE_BOOK_MAX) {
        DL_TRY(dl_lake_writer_commit(w, w->io->now(), err));
    }
    if (w->last == NULL || w->last->part.day != day) {
        DL_TRY(dl_lake_open_part_get(&w->last, w, day, err));
    }
    return dl_lake_open_part_room(w, w->last, (size_t)len + 1, err);
}

/* Let the partition of C go on behind it. */
static void done_with(dl_lake_writer *w, const dl_coord *c)
{
    w->next[c->partition] = c->offset + 1;
    w->advanced = true;
}

dl_status dl_lake_writer_append(dl_lake_writer *w, dl_time event_time,
                                const char *line, uint32_t len,
                                const dl_coord *c, dl_error *err)
{
    const dl_lake_message plain = {.coord = *c};

    return dl_lake_writer_append_message(w, event_time, line, len, &plain, err);
}

/* Remember POSITION of the message at C; when there is no room for its source,
 * say so, once. */
static void raise_mark(dl_lake_writer *w, const dl_coord *c,
                       const dl_lake_position *position)
{
    if (!dl_lake_marks_raise(&w->state.marks, c->partition, position) &&
        position != NULL && !w->marks_full) {
        w->marks_full = true;
        dl_log(DL_LOG_WARNING,
               "DL0320 %s: source %.*s is one too many: what it sends again is "
               "stored again",
               w->dataset, (int)position->source_len, position->source);
    }
}

dl_status dl_lake_writer_append_message(dl_lake_writer *w, dl_time event_time,
                                        const char *line, uint32_t len,
                                        const dl_lake_message *m, dl_error *err)
{
    const dl_coord *c = &m->coord;
    dl_status status;

    DL_TRY(check_place(w, c, err));
    if (len == 0 || len >= DL_LAKE_FRAME_MAX) {
        return dl_fail(err, DL_INVALID, 0, "a line has 1 to 2^30 bytes");
    }
    status = append(w, dl_time_day(event_time), len, err);
    if (status != DL_OK) {
        return dl_lake_forget(w, status);
    }
    note_time(w->last, event_time);
    if (!w->last->dirty) {
        dl_lake_open_part_dirty(w, w->last);
    }
    put_line(w, w->last, line, len, m);
    if (m->position != NULL) {
        raise_mark(w, c, m->position);
    }
    done_with(w, c);
    return DL_OK;
}

dl_status dl_lake_writer_reject(dl_lake_writer *w, const dl_lake_reject *q,
                                const dl_coord *c, dl_error *err)
{
    dl_status status;

    DL_TRY(check_place(w, c, err));
    status = dl_lake_aside_add(w, q, c, err);
    if (status != DL_OK) {
        return dl_lake_forget(w, status);
    }
    raise_mark(w, c, q->position);
    done_with(w, c);
    return DL_OK;
}

bool dl_lake_writer_has(const dl_lake_writer *w, int32_t partition,
                        const dl_lake_position *position)
{
    return dl_lake_marks_has(&w->state.marks, partition, position);
}

dl_status dl_lake_writer_repeat(dl_lake_writer *w,
                                const dl_lake_position *position,
                                const dl_coord *c, dl_error *err)
{
    dl_status status;

    DL_TRY(check_place(w, c, err));
    status = dl_lake_aside_repeat(w, position, c, err);
    if (status != DL_OK) {
        return dl_lake_forget(w, status);
    }
    done_with(w, c);
    return DL_OK;
}

dl_status dl_lake_writer_advance(dl_lake_writer *w, int32_t partition,
                                 int64_t next_offset, dl_error *err)
{
    dl_coord c = {.partition = partition, .offset = next_offset};

    DL_TRY(check_place(w, &c, err));
    if (next_offset > w->next[partition]) {
        w->next[partition] = next_offset;
        w->advanced = true;
    }
    return DL_OK;
}

/* --- Identity ------------------------------------------------------------- */

static dl_status save_identity(dl_lake_writer *w, const dl_lake_state *before,
                               dl_error *err)
{
    dl_status status = dl_lake_journal_rotate(w, err);

    if (status != DL_OK) {
        memcpy(w->state.cluster, before->cluster, sizeof before->cluster);
        memcpy(w->state.next, before->next, sizeof before->next);
        w->state.generation = before->generation;
        return status;
    }
    memcpy(w->next, w->state.next, sizeof w->next);
    dl_lake_head_publish(w->head, &w->state);
    return DL_OK;
}

static dl_status set_identity(dl_lake_writer *w, const char *cluster_id,
                              bool next_life, dl_error *err)
{
    dl_lake_state before = w->state;
    int i;

    if (dl_lake_writer_pending(w) > 0) {
        return dl_fail(err, DL_CONFLICT, 0, "records of %s are uncommitted",
                       w->dataset);
    }
    if (strlen(cluster_id) > DL_LAKE_CLUSTER_MAX) {
        return dl_fail(err, DL_INVALID, 0, "cluster id is longer than %d",
                       DL_LAKE_CLUSTER_MAX);
    }
    memcpy(w->state.cluster, cluster_id, strlen(cluster_id) + 1);
    if (next_life) {
        w->state.generation++;
        for (i = 0; i < DL_LAKE_PARTITIONS_MAX; i++) {
            w->state.next[i] = -1;
        }
    }
    return save_identity(w, &before, err);
}

dl_status dl_lake_writer_new_generation(dl_lake_writer *w,
                                        const char *cluster_id, dl_error *err)
{
    return set_identity(w, cluster_id, true, err);
}

dl_status dl_lake_writer_set_cluster(dl_lake_writer *w, const char *cluster_id,
                                     dl_error *err)
{
    if (strcmp(w->state.cluster, cluster_id) == 0) {
        return DL_OK;
    }
    if (w->state.cluster[0] != '\0') {
        return dl_fail(err, DL_CONFLICT, 0,
                       "dataset %s belongs to cluster %s, not %.63s",
                       w->dataset, w->state.cluster, cluster_id);
    }
    return set_identity(w, cluster_id, false, err);
}

/* --- Asking --------------------------------------------------------------- */

int64_t dl_lake_writer_next(const dl_lake_writer *w, int32_t partition)
{
    if (partition < 0 || partition >= DL_LAKE_PARTITIONS_MAX) {
        return -1;
    }
    return w->next[partition];
}

int32_t dl_lake_writer_generation(const dl_lake_writer *w)
{
    return w->state.generation;
}

const char *dl_lake_writer_cluster(const dl_lake_writer *w)
{
    return w->state.cluster;
}

size_t dl_lake_writer_pending(const dl_lake_writer *w)
{
    return w->pending + w->book + (w->advanced ? 1 : 0);
}

const dl_lake_writer_stats *dl_lake_writer_numbers(dl_lake_writer *w)
{
    int64_t oldest = 0;
    int i;

    w->stats.open_parts = (uint64_t)w->state.n_parts;
    for (i = 0; i < w->state.n_parts; i++) {
        int64_t first = w->state.parts[i]->first_commit_ms;

        if (first > 0 && (oldest == 0 || first < oldest)) {
            oldest = first;
        }
    }
    w->stats.oldest_open_us = oldest * 1000;
    return &w->stats;
}
