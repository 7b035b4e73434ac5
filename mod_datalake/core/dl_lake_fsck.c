/* dl_lake_fsck.c - Head, journal and manifest, and all that hangs on them.
 *
 * FORMAT.md 16.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_fsck.h"

#include "dl_lake_checking.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

void dl_lake_complain(dl_lake_checking *c, const char *file, const char *format,
                      ...)
{
    char text[DL_ERROR_TEXT];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    c->found->problems++;
    if (c->check->problem != NULL) {
        c->check->problem(c->check->context, file, text);
    }
}

/* Complain about NAME in the dataset's own folder. */
static void complain_meta(dl_lake_checking *c, const char *name,
                          const char *text)
{
    char path[DL_LAKE_NAME_MAX + DL_LAKE_PATH_MAX];

    snprintf(path, sizeof path, DL_LAKE_META "/%s/%s", c->check->dataset, name);
    dl_lake_complain(c, path, "%s", text);
}

/* Bytes between two calls of progress. */
#define PROGRESS_STEP (16u << 20)

void dl_lake_check_step(dl_lake_checking *c, uint64_t len)
{
    c->done_bytes += len;
    if (c->check->progress != NULL &&
        c->done_bytes - c->told_bytes >= PROGRESS_STEP) {
        c->told_bytes = c->done_bytes;
        c->check->progress(c->check->context, c->done_bytes, c->all_bytes);
    }
}

/* --- Opening -------------------------------------------------------------- */

static dl_status open_all(dl_lake_checking *c, dl_error *err)
{
    char path[DL_LAKE_NAME_MAX + 16];

    if (!dl_lake_name_valid(c->check->dataset)) {
        return dl_fail(err, DL_NOT_FOUND, 0, "no such dataset");
    }
    c->root = c->io->openat(AT_FDCWD, c->check->root,
                            O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (c->root < 0) {
        return dl_fail(err, dl_lake_errno_status(errno), errno,
                       "cannot open lake %s", c->check->root);
    }
    snprintf(path, sizeof path, "%s/%s", DL_LAKE_META, c->check->dataset);
    DL_TRY(dl_lake_dir_open(&c->meta, c->io, c->root, path, 0, err));
    DL_TRY(
        dl_lake_dir_open(&c->data, c->io, c->root, c->check->dataset, 0, err));
    DL_TRY(dl_lake_dir_open(&c->place.manifests, c->io, c->meta,
                            DL_LAKE_MANIFESTS, 0, err));
    c->place.io = c->io;
    c->place.meta = c->meta;
    c->place.dataset = c->check->dataset;
    return DL_OK;
}

static void close_all(const dl_lake_checking *c)
{
    int fds[] = {c->root, c->data, c->meta, c->place.manifests};
    size_t i;

    for (i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0) {
            c->io->close(fds[i]);
        }
    }
}

/* Whether a writer lives: its lock cannot be shared. */
static bool writer_lives(const dl_lake_checking *c)
{
    dl_error err = {.status = DL_OK};
    bool lives;
    int fd;

    if (dl_lake_file_open(&fd, c->io, c->meta, DL_LAKE_LOCK, O_RDONLY, &err) !=
        DL_OK) {
        return false;
    }
    lives = c->io->flock(fd, LOCK_SH | LOCK_NB) != 0;
    c->io->close(fd);
    return lives;
}

/* --- Head ----------------------------------------------------------------- */

static void check_head(dl_lake_checking *c, apr_pool_t *pool)
{
    dl_lake_head *head;
    dl_error err = {.status = DL_OK};
    dl_status status = dl_lake_head_open(&head, c->io, c->meta, &err, pool);

    if (status == DL_OK) {
        status = dl_lake_head_read(&c->view, head, &err, pool);
    }
    if (status != DL_OK) {
        complain_meta(c, DL_LAKE_HEAD, err.text);
        return;
    }
    c->has_view = true;
    if (!c->alive && dl_lake_head_strays(head) > 0) {
        complain_meta(c, DL_LAKE_HEAD, "unused words are not 0");
    }
    if (!c->alive && dl_lake_head_torn(head) &&
        !(c->has_state && c->state->lsn > c->view.lsn)) {
        complain_meta(c, DL_LAKE_HEAD, "the copy not in force is damaged");
    }
}

/* --- Journal -------------------------------------------------------------- */

static dl_status read_journal(dl_lake_bytes *file, const dl_lake_checking *c,
                              dl_error *err)
{
    dl_status status;
    uint64_t size;
    int fd;

    DL_TRY(
        dl_lake_file_open(&fd, c->io, c->meta, DL_LAKE_JOURNAL, O_RDONLY, err));
    status = dl_lake_file_size(&size, c->io, fd, err);
    if (status == DL_OK) {
        status = dl_lake_file_read(
            c->io, fd, dl_lake_bytes_room(file, size + 1), size, 0, err);
        file->len = size;
    }
    c->io->close(fd);
    return status;
}

static void check_journal(dl_lake_checking *c, apr_pool_t *pool)
{
    dl_lake_bytes *file = apr_palloc(pool, sizeof *file);
    dl_error err = {.status = DL_OK};
    dl_status status;
    dl_lake_in in;

    dl_lake_bytes_own(file, pool);
    c->state = apr_palloc(pool, sizeof *c->state);
    dl_lake_state_begin(c->state, 0, pool);
    status = read_journal(file, c, &err);
    if (status == DL_OK) {
        in = dl_lake_in_make(file->data, file->len);
        status = dl_lake_journal_replay(c->state, &in, c->check->dataset, &err,
                                        pool);
    }
    if (status != DL_OK) {
        complain_meta(c, DL_LAKE_JOURNAL, err.text);
        return;
    }
    c->has_state = true;
}

static bool same_next(const dl_lake_checking *c)
{
    int n = 0;
    int i;

    for (i = 0; i < DL_LAKE_PARTITIONS_MAX; i++) {
        if (c->state->next[i] < 0) {
            continue;
        }
        if (n >= c->view.n_next || c->view.next[n].partition != i ||
            c->view.next[n].next != c->state->next[i]) {
            return false;
        }
        n++;
    }
    return n == c->view.n_next;
}

static bool same_parts(const dl_lake_checking *c)
{
    int i;

    for (i = 0; i < c->view.n_parts && i < c->state->n_parts; i++) {
        const dl_lake_part *a = &c->view.parts[i];
        const dl_lake_part *b = c->state->parts[i];

        if (a->uid != b->uid || a->day != b->day || a->number != b->number ||
            a->bytes != b->bytes || a->records != b->records ||
            a->commits != b->commits || a->crc != b->crc ||
            a->trail_len != b->trail_len || a->trail_crc != b->trail_crc ||
            a->first_commit_ms != b->first_commit_ms ||
            a->last_commit_ms != b->last_commit_ms ||
            a->first_time != b->first_time || a->last_time != b->last_time) {
            return false;
        }
    }
    return c->view.n_parts == c->state->n_parts;
}

/* Compare what was published with what is committed. */
static void check_published(dl_lake_checking *c)
{
    if (!c->has_view || !c->has_state) {
        return;
    }
    if (c->view.id != c->state->id) {
        complain_meta(c, DL_LAKE_HEAD, "the head is of another dataset");
    }
    if (c->view.lsn > c->state->lsn && !c->alive) {
        complain_meta(c, DL_LAKE_JOURNAL,
                      "the journal ends before what was published");
    }
    if (c->view.lsn != c->state->lsn) {
        return; /* a commit between the looks, or a kill before publishing */
    }
    if (!same_next(c) || !same_parts(c) ||
        c->view.generation != c->state->generation ||
        c->view.commits != c->state->commits ||
        memcmp(c->view.rejects, c->state->rejects, sizeof c->view.rejects) !=
            0 ||
        memcmp(&c->view.quarantine, &c->state->quarantine,
               sizeof c->view.quarantine) != 0) {
        complain_meta(c, DL_LAKE_HEAD, "the head is not what was committed");
    }
}

/* --- Manifest ------------------------------------------------------------- */

static void check_manifest(dl_lake_checking *c, apr_pool_t *pool)
{
    dl_error err = {.status = DL_OK};
    dl_status status;
    uint64_t number;
    uint64_t word;

    c->manifest = apr_palloc(pool, sizeof *c->manifest);
    dl_lake_manifest_begin(c->manifest, pool);
    status = dl_lake_manifest_current(&number, &c->place, &err);
    if (status == DL_OK && number > 0) {
        status = dl_lake_manifest_load(c->manifest, &c->place, number, 0, &err,
                                       pool);
    }
    if (status != DL_OK) {
        complain_meta(c, DL_LAKE_CURRENT, err.text);
        return;
    }
    c->has_manifest = true;
    word = dl_lake_manifest_word(c->manifest->number, c->manifest->length);
    if (c->has_state && number > 0 && c->manifest->id != c->state->id) {
        complain_meta(c, DL_LAKE_CURRENT, "the manifest is of another dataset");
    }
    if (c->has_view && word < c->view.manifest) {
        complain_meta(c, DL_LAKE_MANIFESTS,
                      "the manifest ends before what was published");
    }
    if (c->has_view && c->has_state && !c->alive &&
        c->view.lsn == c->state->lsn && word != c->view.manifest) {
        complain_meta(c, DL_LAKE_HEAD, "the head names another manifest");
    }
}

/* --- Parts ---------------------------------------------------------------- */

static bool is_listed(const dl_lake_checking *c, const dl_lake_part *part)
{
    return dl_lake_manifest_covers(c->manifest, part->day, part->number) !=
           NULL;
}

static void count_bytes(dl_lake_checking *c)
{
    int i;

    c->all_bytes = c->manifest->bytes;
    for (i = 0; c->has_state && i < c->state->n_parts; i++) {
        c->all_bytes += c->state->parts[i]->bytes;
    }
}

static void check_order(dl_lake_checking *c)
{
    const dl_lake_manifest *m = c->manifest;
    int i;

    for (i = 0; i < m->n_parts; i++) {
        bool first = i == 0 || m->parts[i - 1].day != m->parts[i].day;
        const dl_lake_removed *removed =
            first ? dl_lake_manifest_removed(m, m->parts[i].day) : NULL;
        uint32_t before = removed != NULL ? removed->number
                          : first         ? 0
                                          : m->parts[i - 1].number;

        if (before + 1 != m->parts[i].first) {
            complain_meta(c, DL_LAKE_MANIFESTS,
                          "a day has a gap between its parts");
        }
        c->found->days += first;
    }
}

static void check_parts(dl_lake_checking *c, apr_pool_t *pool)
{
    apr_pool_t *iterpool;
    int i;

    count_bytes(c);
    check_order(c);
    apr_pool_create(&iterpool, pool);
    for (i = 0; i < c->manifest->n_parts; i++) {
        apr_pool_clear(iterpool);
        dl_lake_check_part(c, &c->manifest->parts[i], iterpool);
    }
    for (i = 0; c->has_state && i < c->state->n_parts; i++) {
        const dl_lake_part *part = c->state->parts[i];
        const dl_lake_part *sealed;

        apr_pool_clear(iterpool);
        if (!is_listed(c, part)) {
            c->found->days +=
                dl_lake_manifest_day(&sealed, c->manifest, part->day) == 0;
            dl_lake_check_part(c, part, iterpool);
        }
    }
}

/* --- All ------------------------------------------------------------------ */

static dl_status run(dl_lake_checking *c, dl_error *err, apr_pool_t *pool)
{
    DL_TRY(open_all(c, err));
    c->alive = writer_lives(c);
    check_journal(c, pool);
    check_head(c, pool);
    check_published(c);
    check_manifest(c, pool);
    if (c->has_manifest) {
        check_parts(c, pool);
        dl_lake_check_folders(c, pool);
    }
    if (c->has_state) {
        dl_lake_check_quarantine(c, pool);
    }
    return DL_OK;
}

dl_status dl_lake_fsck(dl_lake_findings *found, const dl_lake_check *check,
                       dl_error *err, apr_pool_t *scratch_pool)
{
    dl_lake_checking c;
    apr_pool_t *pool;
    dl_status status;

    memset(found, 0, sizeof *found);
    memset(&c, 0, sizeof c);
    c.io = &dl_lake_io_real;
    c.check = check;
    c.found = found;
    c.root = c.data = c.meta = c.place.manifests = -1;
    c.block = malloc(DL_LAKE_CHECK_BLOCK);
    if (c.block == NULL) {
        abort();
    }
    apr_pool_create(&pool, scratch_pool);
    status = run(&c, err, pool);
    apr_pool_destroy(pool);
    close_all(&c);
    free(c.block);
    return status;
}
