/* dl_lake_indexing.c - The indexes of a dataset: list, make, grow, verify.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_indexing.h"

#include "dl_lake_idx.h"
#include "dl_lake_indexing_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <apr_strings.h>

/* Between two looks at a lock that another builder holds. */
#define LOOK_US 20000

/* --- Opening -------------------------------------------------------------- */

static apr_status_t close_all(void *data)
{
    dl_lake_indexing *x = data;
    int fds[] = {x->data, x->meta, x->idx, x->place.manifests};
    size_t i;

    for (i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0) {
            x->io->close(fds[i]);
        }
    }
    return APR_SUCCESS;
}

static dl_status open_folders(dl_lake_indexing *x, int root, dl_error *err)
{
    char path[DL_LAKE_NAME_MAX + 16];

    snprintf(path, sizeof path, "%s/%s", DL_LAKE_META, x->o.dataset);
    DL_TRY(dl_lake_dir_open(&x->meta, x->io, root, path, 0, err));
    DL_TRY(dl_lake_dir_open(&x->data, x->io, root, x->o.dataset, 0, err));
    DL_TRY(dl_lake_dir_open(&x->idx, x->io, x->meta, DL_LAKE_IDX, 0, err));
    return dl_lake_dir_open(&x->place.manifests, x->io, x->meta,
                            DL_LAKE_MANIFESTS, 0, err);
}

dl_status dl_lake_indexing_open(dl_lake_indexing **out,
                                const dl_lake_indexing_options *options,
                                dl_error *err, apr_pool_t *result_pool)
{
    dl_lake_indexing *x;
    dl_status status;
    int root;

    if (!dl_lake_name_valid(options->dataset)) {
        return dl_fail(err, DL_NOT_FOUND, 0, "no such dataset");
    }
    x = apr_pcalloc(result_pool, sizeof *x);
    x->o = *options;
    x->o.root = apr_pstrdup(result_pool, options->root);
    x->o.dataset = apr_pstrdup(result_pool, options->dataset);
    x->io = options->io == NULL ? &dl_lake_io_real : options->io;
    x->data = x->meta = x->idx = x->place.manifests = -1;
    apr_pool_cleanup_register(result_pool, x, close_all, apr_pool_cleanup_null);
    root = x->io->openat(AT_FDCWD, x->o.root,
                         O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (root < 0) {
        return dl_fail(err, dl_lake_errno_status(errno), errno,
                       "cannot open lake %s", x->o.root);
    }
    status = open_folders(x, root, err);
    x->io->close(root);
    DL_TRY(status);
    x->place.io = x->io;
    x->place.meta = x->meta;
    x->place.dataset = x->o.dataset;
    apr_pool_create(&x->view_pool, result_pool);
    *out = x;
    return dl_lake_head_open(&x->head, x->io, x->meta, err, result_pool);
}

void dl_lake_indexing_columns(dl_lake_indexing *x,
                              const dl_lake_columns *columns)
{
    x->o.columns = columns;
}

bool dl_lake_indexing_changed(const dl_lake_indexing *x)
{
    return !x->has_list || !dl_lake_head_same(x->head, &x->listed);
}

/* --- What is published ---------------------------------------------------- */

dl_status dl_lake_indexing_read(dl_lake_manifest **m, dl_lake_indexing *x,
                                dl_error *err, apr_pool_t *pool)
{
    uint64_t number;

    /* The head first: what it no longer has, the manifest has. */
    apr_pool_clear(x->view_pool);
    DL_TRY(dl_lake_head_read(&x->view, x->head, err, x->view_pool));
    *m = apr_palloc(pool, sizeof **m);
    dl_lake_manifest_begin(*m, pool);
    DL_TRY(dl_lake_manifest_current(&number, &x->place, err));
    return number == 0
               ? DL_OK
               : dl_lake_manifest_load(*m, &x->place, number, 0, err, pool);
}

bool dl_lake_indexing_names(const dl_lake_indexing *x,
                            const dl_lake_manifest *m, uint64_t uid)
{
    int i;

    for (i = 0; i < x->view.n_parts; i++) {
        if (x->view.parts[i].uid == uid) {
            return true;
        }
    }
    for (i = 0; i < m->n_parts; i++) {
        if (m->parts[i].uid == uid) {
            return true;
        }
    }
    return false;
}

/* --- Listing -------------------------------------------------------------- */

static int by_age(const void *a, const void *b)
{
    const dl_lake_part *x = &((const dl_lake_indexed *)a)->part;
    const dl_lake_part *y = &((const dl_lake_indexed *)b)->part;

    if (x->day != y->day) {
        return x->day < y->day ? 1 : -1;
    }
    return x->number < y->number ? 1 : x->number > y->number ? -1 : 0;
}

/* Fill in what is there of the index of ENTRY. */
static void look_into(dl_lake_indexed *entry, const dl_lake_indexing *x,
                      apr_pool_t *pool)
{
    dl_error err = {.status = DL_OK};
    dl_lake_index *index;
    uint64_t lines;

    if (dl_lake_index_open(&index, x->io, x->meta, &entry->part, &err, pool) !=
        DL_OK) {
        return;
    }
    (void)dl_lake_index_segments(&entry->bytes, &lines, index);
}

static void judge(dl_lake_indexed *entry, const dl_lake_indexing *x,
                  const dl_lake_idx *idx, bool look, apr_pool_t *pool)
{
    bool open = entry->part.state == DL_LAKE_PART_OPEN;
    bool there = dl_lake_idx_has(idx, entry->part.uid, DL_LAKE_IDX_INDEX);

    if (look) {
        look_into(entry, x, pool);
        there = there && entry->bytes >= entry->part.bytes;
    }
    if (open) {
        entry->state = DL_LAKE_INDEX_GROWING;
    }
    else if (there) {
        entry->state = DL_LAKE_INDEX_THERE;
    }
    else {
        entry->state = entry->part.bytes < DL_LAKE_INDEX_LEAST
                           ? DL_LAKE_INDEX_NEEDLESS
                           : DL_LAKE_INDEX_MISSING;
    }
}

dl_status dl_lake_indexing_list(dl_lake_indexed **all, int *n,
                                dl_lake_indexing *x, bool look, dl_error *err,
                                apr_pool_t *result_pool)
{
    dl_lake_idx idx;
    dl_lake_manifest *m;
    apr_pool_t *iterpool;
    int i;

    /* The files last: an index that is made meanwhile is seen. */
    DL_TRY(dl_lake_indexing_read(&m, x, err, result_pool));
    x->listed = x->view;
    x->has_list = true;
    DL_TRY(dl_lake_idx_read(&idx, x->io, x->meta, err, result_pool));
    *all = apr_pcalloc(result_pool, (size_t)(m->n_parts + x->view.n_parts + 1) *
                                        sizeof **all);
    *n = 0;
    for (i = 0; i < m->n_parts; i++) {
        (*all)[(*n)++].part = m->parts[i];
    }
    for (i = 0; i < x->view.n_parts; i++) {
        const dl_lake_part *part = &x->view.parts[i];

        if (dl_lake_manifest_covers(m, part->day, part->number) == NULL) {
            (*all)[(*n)++].part = *part;
        }
    }
    qsort(*all, (size_t)*n, sizeof **all, by_age);
    apr_pool_create(&iterpool, result_pool);
    for (i = 0; i < *n; i++) {
        apr_pool_clear(iterpool);
        judge(&(*all)[i], x, &idx, look, iterpool);
    }
    apr_pool_destroy(iterpool);
    return DL_OK;
}

/* --- One part ------------------------------------------------------------- */

/* Open the file of PART where it lies, or has moved to. */
static dl_status open_part(int *fd, const dl_lake_indexing *x,
                           const dl_lake_part *part, dl_error *err)
{
    char folder[DL_LAKE_PATH_MAX];
    char name[DL_LAKE_PATH_MAX];
    char path[3 * DL_LAKE_PATH_MAX];
    dl_status status = DL_NOT_FOUND;

    dl_lake_day_folder(folder, part->day);
    dl_lake_part_name(name, part);
    if (part->state <= DL_LAKE_PART_SEALED) {
        snprintf(path, sizeof path, DL_LAKE_OPEN "/%s", name);
        status = dl_lake_file_open(fd, x->io, x->meta, path, O_RDONLY, err);
    }
    if (status == DL_NOT_FOUND) {
        snprintf(path, sizeof path, "%s/%s", folder, name);
        status = dl_lake_file_open(fd, x->io, x->data, path, O_RDONLY, err);
    }
    if (status == DL_NOT_FOUND) {
        snprintf(path, sizeof path, DL_LAKE_COMPACT "/%s/%s", folder, name);
        status = dl_lake_file_open(fd, x->io, x->meta, path, O_RDONLY, err);
    }
    return status;
}

static dl_lake_index_job job_of(const dl_lake_indexing *x,
                                const dl_lake_part *part, int fd)
{
    dl_lake_index_job job = {.io = x->io,
                             .meta = x->meta,
                             .data_fd = fd,
                             .part = part,
                             .columns = x->o.columns,
                             .block_bytes = x->o.block_bytes,
                             .go_on = x->o.go_on,
                             .context = x->o.context};

    return job;
}

dl_status dl_lake_indexing_lock(const dl_lake_indexing *x, dl_error *err)
{
    int64_t until = dl_time_monotonic_us() + x->o.wait_us;
    dl_status status;

    for (;;) {
        status =
            dl_lake_lock(x->io, x->idx, LOCK_EX | LOCK_NB, DL_LAKE_IDX, err);
        if (status != DL_BUSY || dl_time_monotonic_us() >= until) {
            return status;
        }
        usleep(LOOK_US);
    }
}

void dl_lake_indexing_unlock(const dl_lake_indexing *x)
{
    x->io->flock(x->idx, LOCK_UN);
}

/* Remove the index of UID again when a compaction has removed the part: it
 * looked for one before we had it, or will find it. */
static dl_status drop_if_gone(dl_lake_indexing *x, uint64_t uid, dl_error *err,
                              apr_pool_t *pool)
{
    dl_lake_manifest *m;

    DL_TRY(dl_lake_indexing_read(&m, x, err, pool));
    if (dl_lake_indexing_names(x, m, uid)) {
        return DL_OK;
    }
    DL_TRY(dl_lake_index_drop(x->io, x->meta, uid, err));
    return dl_fail(err, DL_NOT_FOUND, 0, "the part was joined meanwhile");
}

/* Refuse to fill the volume: the writer needs it more. */
static dl_status check_room(const dl_lake_indexing *x, const dl_lake_part *part,
                            dl_error *err)
{
    uint64_t want = DL_LAKE_INDEXING_FREE + part->bytes / 8;
    struct statvfs volume;

    if (x->io->fstatvfs(x->idx, &volume) == 0 &&
        (uint64_t)volume.f_bavail * volume.f_frsize < want) {
        return dl_fail(err, DL_NO_SPACE, 0, "indexes need %llu MB free",
                       (unsigned long long)(want >> 20));
    }
    return DL_OK;
}

/* What is done with one part, and what came of it. */
typedef struct work {
    dl_lake_indexing *x;      /* whose */
    const dl_lake_part *part; /* which */
    bool grow;                /* its .grow, not its .index */
    uint64_t bytes;           /* described then, of a .grow */
} work;

static dl_status work_locked(work *w, dl_error *err, apr_pool_t *pool)
{
    dl_lake_indexing *x = w->x;
    dl_lake_index_job job;
    dl_status status;
    int fd;

    DL_TRY(check_room(x, w->part, err));
    DL_TRY(open_part(&fd, x, w->part, err));
    job = job_of(x, w->part, fd);
    status = w->grow ? dl_lake_index_grow(&w->bytes, &job, err, pool)
                     : dl_lake_index_make(&job, err, pool);
    x->io->close(fd);
    DL_TRY(status);
    return w->grow ? DL_OK : drop_if_gone(x, w->part->uid, err, pool);
}

static dl_status work_on(work *w, dl_error *err, apr_pool_t *scratch_pool)
{
    apr_pool_t *own;
    dl_status status;

    DL_TRY(dl_lake_indexing_lock(w->x, err));
    apr_pool_create(&own, scratch_pool);
    status = work_locked(w, err, own);
    apr_pool_destroy(own);
    dl_lake_indexing_unlock(w->x);
    return status;
}

dl_status dl_lake_indexing_make(dl_lake_indexing *x, const dl_lake_part *part,
                                dl_error *err, apr_pool_t *scratch_pool)
{
    work w = {.x = x, .part = part, .grow = false};

    return work_on(&w, err, scratch_pool);
}

dl_status dl_lake_indexing_grow(uint64_t *bytes, dl_lake_indexing *x,
                                const dl_lake_part *part, dl_error *err,
                                apr_pool_t *scratch_pool)
{
    work w = {.x = x, .part = part, .grow = true};
    dl_status status = work_on(&w, err, scratch_pool);

    *bytes = w.bytes;
    return status;
}

dl_status dl_lake_indexing_verify(bool *rebuilt, dl_lake_indexing *x,
                                  const dl_lake_part *part, dl_error *err,
                                  apr_pool_t *scratch_pool)
{
    dl_lake_index_job job;
    apr_pool_t *own;
    dl_status status;
    int fd;

    DL_TRY(open_part(&fd, x, part, err));
    job = job_of(x, part, fd);
    apr_pool_create(&own, scratch_pool);
    status = dl_lake_index_verify(rebuilt, &job, err, own);
    apr_pool_destroy(own);
    x->io->close(fd);
    return status;
}
