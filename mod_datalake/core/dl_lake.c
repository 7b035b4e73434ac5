/* dl_lake.c - The lake handle, its cache of published states, snapshots.
 *
 * FORMAT.md 14, steps 1 to 3.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_opened.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_tables.h>

int dl_coord_compare(const dl_coord *a, const dl_coord *b)
{
    if (a->time != b->time) {
        return a->time < b->time ? -1 : 1;
    }
    return dl_coord_compare_place(a, b);
}

int dl_coord_compare_place(const dl_coord *a, const dl_coord *b)
{
    if (a->generation != b->generation) {
        return a->generation < b->generation ? -1 : 1;
    }
    if (a->partition != b->partition) {
        return a->partition < b->partition ? -1 : 1;
    }
    return (a->offset > b->offset) - (a->offset < b->offset);
}

/* Sums a handle remembers; the oldest place is reused. */
#define SUMS 256

/* One remembered sum. */
typedef struct sum_place {
    const dl_lake_dataset *dataset; /* whose, NULL: free */
    dl_day day;                     /* of which day */
    dl_lake_known_sum known;        /* the sum */
} sum_place;

struct dl_lake {
    const dl_lake_io *io;  /* system calls */
    apr_pool_t *pool;      /* lives as long as the handle */
    int root;              /* folder of the lake */
    bool own_root;         /* whether ROOT is closed with the handle */
    pthread_mutex_t mutex; /* guards all below */
    apr_hash_t *datasets;  /* name -> dl_lake_dataset */
    sum_place sums[SUMS];  /* remembered sums */
    int next_sum;          /* place to reuse next */
    dl_lake_cache *parts;  /* open for reading; its own mutex */
};

const dl_lake_io *dl_lake_calls(const dl_lake *lake)
{
    return lake->io;
}

dl_lake_cache *dl_lake_open_parts(const dl_lake *lake)
{
    return lake->parts;
}

void dl_lake_tidy(dl_lake *lake)
{
    dl_lake_cache_tidy(lake->parts);
}

/* --- References; the caller holds the mutex ------------------------------- */

static void release_sealed(dl_lake_sealed *sealed)
{
    if (sealed != NULL && --sealed->references == 0) {
        apr_pool_destroy(sealed->pool);
    }
}

static void release_shared(dl_lake_shared *shared)
{
    if (shared != NULL && --shared->references == 0) {
        release_sealed(shared->sealed);
        apr_pool_destroy(shared->pool);
    }
}

/* --- Datasets ------------------------------------------------------------- */

static apr_status_t close_dataset(void *context)
{
    dl_lake_dataset *dataset = context;

    release_shared(dataset->shared);
    release_sealed(dataset->sealed);
    if (dataset->place.manifests >= 0) {
        dataset->place.io->close(dataset->place.manifests);
    }
    if (dataset->data >= 0) {
        dataset->place.io->close(dataset->data);
    }
    if (dataset->meta >= 0) {
        dataset->place.io->close(dataset->meta);
    }
    return APR_SUCCESS;
}

static dl_status open_dataset_folders(dl_lake_dataset *dataset, dl_lake *lake,
                                      dl_error *err)
{
    const dl_lake_io *io = lake->io;
    dl_status status;
    int above;

    DL_TRY(dl_lake_dir_open(&above, io, lake->root, DL_LAKE_META, 0, err));
    status = dl_lake_dir_open(&dataset->meta, io, above, dataset->name, 0, err);
    io->close(above);
    DL_TRY(status);
    DL_TRY(dl_lake_dir_open(&dataset->data, io, lake->root, dataset->name, 0,
                            err));
    DL_TRY(dl_lake_dir_open(&dataset->place.manifests, io, dataset->meta,
                            DL_LAKE_MANIFESTS, 0, err));
    dataset->place.meta = dataset->meta;
    return DL_OK;
}

static dl_status open_dataset(dl_lake_dataset **result, dl_lake *lake,
                              const char *name, dl_error *err)
{
    apr_pool_t *pool;
    dl_lake_dataset *dataset;
    dl_status status;

    apr_pool_create(&pool, lake->pool);
    dataset = apr_pcalloc(pool, sizeof *dataset);
    dataset->name = apr_pstrdup(pool, name);
    dataset->data = dataset->meta = dataset->place.manifests = -1;
    dataset->place.io = lake->io;
    dataset->place.dataset = dataset->name;
    apr_pool_cleanup_register(pool, dataset, close_dataset,
                              apr_pool_cleanup_null);
    status = open_dataset_folders(dataset, lake, err);
    if (status == DL_OK) {
        status = dl_lake_head_open(&dataset->head, lake->io, dataset->meta, err,
                                   pool);
    }
    if (status != DL_OK) {
        apr_pool_destroy(pool);
        return status;
    }
    *result = dataset;
    apr_hash_set(lake->datasets, dataset->name, APR_HASH_KEY_STRING, dataset);
    return DL_OK;
}

static dl_status find_dataset(dl_lake_dataset **dataset, dl_lake *lake,
                              const char *name, dl_error *err)
{
    *dataset = apr_hash_get(lake->datasets, name, APR_HASH_KEY_STRING);
    if (*dataset != NULL && !dl_lake_head_gone((*dataset)->head)) {
        return DL_OK;
    }
    if (!dl_lake_name_valid(name)) {
        return dl_fail(err, DL_NOT_FOUND, 0, "no such dataset");
    }
    return open_dataset(dataset, lake, name, err);
}

/* --- Published states ----------------------------------------------------- */

static void sum_up(dl_lake_shared *shared)
{
    const dl_lake_manifest *m = &shared->sealed->manifest;
    int i;

    shared->records = m->records;
    shared->bytes = m->bytes;
    shared->oldest_open = DL_TIME_NONE;
    for (i = 0; i < shared->view.n_parts; i++) {
        const dl_lake_part *part = &shared->view.parts[i];

        if (dl_lake_manifest_covers(m, part->day, part->number) == NULL) {
            shared->records += part->records;
            shared->bytes += part->bytes;
            shared->open_parts++;
            if (shared->oldest_open == DL_TIME_NONE ||
                part->first_commit_ms * 1000 < shared->oldest_open) {
                shared->oldest_open = part->first_commit_ms * 1000;
            }
        }
    }
}

static dl_status read_sealed(dl_lake_sealed **result, dl_lake_dataset *dataset,
                             uint64_t word, dl_error *err)
{
    uint64_t number = word >> DL_LAKE_LENGTH_BITS;
    uint64_t length = word & ((1ull << DL_LAKE_LENGTH_BITS) - 1);
    apr_pool_t *pool;
    apr_pool_t *scratch;
    dl_lake_sealed *sealed;
    dl_status status = DL_OK;

    apr_pool_create(&pool, NULL);
    sealed = apr_pcalloc(pool, sizeof *sealed);
    sealed->pool = pool;
    sealed->word = word;
    sealed->references = 1;
    dl_lake_manifest_begin(&sealed->manifest, pool);
    if (number > 0) {
        apr_pool_create(&scratch, pool);
        status = dl_lake_manifest_load(&sealed->manifest, &dataset->place,
                                       number, length, err, scratch);
        apr_pool_destroy(scratch);
    }
    if (status != DL_OK) {
        apr_pool_destroy(pool);
        return status;
    }
    *result = sealed;
    return DL_OK;
}

static dl_status read_shared(dl_lake_dataset *dataset, dl_error *err)
{
    apr_pool_t *pool;
    dl_lake_shared *shared;
    dl_lake_sealed *sealed = dataset->sealed;
    dl_status status;

    apr_pool_create(&pool, NULL);
    shared = apr_pcalloc(pool, sizeof *shared);
    shared->pool = pool;
    shared->references = 1;
    status = dl_lake_head_read(&shared->view, dataset->head, err, pool);
    if (status == DL_OK &&
        (sealed == NULL || sealed->word != shared->view.manifest)) {
        status = read_sealed(&sealed, dataset, shared->view.manifest, err);
        if (status == DL_OK) {
            release_sealed(dataset->sealed);
            dataset->sealed = sealed;
        }
    }
    if (status != DL_OK) {
        apr_pool_destroy(pool);
        return status;
    }
    shared->sealed = sealed;
    sealed->references++;
    sum_up(shared);
    release_shared(dataset->shared);
    dataset->shared = shared;
    return DL_OK;
}

/* Tries when the manifest that was named is replaced at that moment. */
#define TRIES 20

/* Have the newest state of DATASET; *RENEWED: with another manifest. */
static dl_status newest(bool *renewed, dl_lake_dataset *dataset, dl_error *err)
{
    const dl_lake_sealed *before = dataset->sealed;
    dl_status status = DL_NOT_FOUND;
    int tries;

    *renewed = false;
    if (dataset->shared != NULL &&
        dl_lake_head_same(dataset->head, &dataset->shared->view)) {
        return DL_OK;
    }
    for (tries = 0; tries < TRIES && status == DL_NOT_FOUND; tries++) {
        status = read_shared(dataset, err);
    }
    *renewed = dataset->sealed != before;
    return status;
}

/* --- Snapshots ------------------------------------------------------------ */

static apr_status_t close_snapshot(void *context)
{
    dl_lake_snapshot *snap = context;

    pthread_mutex_lock(&snap->lake->mutex);
    release_shared(snap->shared);
    pthread_mutex_unlock(&snap->lake->mutex);
    return APR_SUCCESS;
}

static void fill_totals(dl_lake_totals *totals, const dl_lake_shared *shared)
{
    totals->records = shared->records;
    totals->bytes = shared->bytes;
    totals->commits = shared->view.commits;
    totals->last_commit = shared->view.last_commit;
    totals->generation = shared->view.generation;
    memcpy(totals->rejects, shared->view.rejects, sizeof totals->rejects);
    totals->open_parts = shared->open_parts;
    totals->oldest_open = shared->oldest_open;
    totals->n_next = shared->view.n_next;
    totals->next = shared->view.next;
}

dl_status dl_lake_snapshot_open(dl_lake_snapshot **result, dl_lake *lake,
                                const char *name, dl_error *err,
                                apr_pool_t *result_pool)
{
    dl_lake_dataset *dataset;
    dl_lake_snapshot *snap;
    bool renewed = false;
    dl_status status;

    dl_lake_cache_tidy(lake->parts);
    pthread_mutex_lock(&lake->mutex);
    status = find_dataset(&dataset, lake, name, err);
    if (status == DL_OK) {
        status = newest(&renewed, dataset, err);
    }
    if (status != DL_OK) {
        pthread_mutex_unlock(&lake->mutex);
        return status;
    }
    snap = apr_pcalloc(result_pool, sizeof *snap);
    snap->lake = lake;
    snap->dataset = dataset;
    snap->shared = dataset->shared;
    snap->shared->references++;
    pthread_mutex_unlock(&lake->mutex);
    if (renewed) {
        dl_lake_cache_keep(lake->parts, dataset, snap->shared);
    }
    snap->pool = result_pool;
    fill_totals(&snap->totals, snap->shared);
    apr_pool_cleanup_register(result_pool, snap, close_snapshot,
                              apr_pool_cleanup_null);
    *result = snap;
    return DL_OK;
}

const dl_lake_totals *dl_lake_snapshot_totals(const dl_lake_snapshot *snap)
{
    return &snap->totals;
}

void dl_lake_need_days(dl_lake_snapshot *snap)
{
    if (snap->days == NULL) {
        pthread_mutex_lock(&snap->lake->mutex);
        dl_lake_make_days(snap->shared);
        snap->days = snap->shared->days;
        pthread_mutex_unlock(&snap->lake->mutex);
    }
}

/* --- Remembered sums ------------------------------------------------------ */

static sum_place *find_sum(dl_lake *lake, const dl_lake_dataset *dataset,
                           dl_day day)
{
    int i;

    for (i = 0; i < SUMS; i++) {
        if (lake->sums[i].dataset == dataset && lake->sums[i].day == day) {
            return &lake->sums[i];
        }
    }
    return NULL;
}

bool dl_lake_sum_recall(dl_lake_known_sum *known, dl_lake *lake,
                        const dl_lake_dataset *dataset, dl_day day)
{
    const sum_place *place;

    pthread_mutex_lock(&lake->mutex);
    place = find_sum(lake, dataset, day);
    if (place != NULL) {
        *known = place->known;
    }
    pthread_mutex_unlock(&lake->mutex);
    return place != NULL;
}

void dl_lake_sum_remember(dl_lake *lake, const dl_lake_dataset *dataset,
                          dl_day day, const dl_lake_known_sum *known)
{
    sum_place *place;

    pthread_mutex_lock(&lake->mutex);
    place = find_sum(lake, dataset, day);
    if (place == NULL) {
        place = &lake->sums[lake->next_sum];
        lake->next_sum = (lake->next_sum + 1) % SUMS;
    }
    place->dataset = dataset;
    place->day = day;
    place->known = *known;
    pthread_mutex_unlock(&lake->mutex);
}

/* --- The handle ----------------------------------------------------------- */

static apr_status_t close_lake(void *context)
{
    dl_lake *lake = context;

    if (lake->own_root) {
        lake->io->close(lake->root);
    }
    dl_lake_cache_destroy(lake->parts);
    pthread_mutex_destroy(&lake->mutex);
    return APR_SUCCESS;
}

static dl_lake *make_lake(int root, bool own, apr_pool_t *pool)
{
    dl_lake *lake = apr_pcalloc(pool, sizeof *lake);

    lake->io = &dl_lake_io_real;
    lake->root = root;
    lake->own_root = own;
    pthread_mutex_init(&lake->mutex, NULL);
    lake->parts = dl_lake_cache_create(lake->io);
    apr_pool_cleanup_register(pool, lake, close_lake, apr_pool_cleanup_null);
    apr_pool_create(&lake->pool, pool);
    lake->datasets = apr_hash_make(lake->pool);
    return lake;
}

dl_status dl_lake_open(dl_lake **lake, const char *root, dl_error *err,
                       apr_pool_t *result_pool)
{
    int fd = dl_lake_io_real.openat(AT_FDCWD, root,
                                    O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

    if (fd < 0) {
        return dl_fail(err, dl_lake_errno_status(errno), errno,
                       "cannot open lake %s", root);
    }
    *lake = make_lake(fd, true, result_pool);
    return DL_OK;
}

dl_status dl_lake_open_at(dl_lake **lake, int root_fd, dl_error *err,
                          apr_pool_t *result_pool)
{
    if (root_fd < 0) {
        return dl_fail(err, DL_NOT_FOUND, 0, "the lake is not open");
    }
    *lake = make_lake(root_fd, false, result_pool);
    return DL_OK;
}

static int compare_names(const void *a, const void *b)
{
    const char *const *x = a;
    const char *const *y = b;

    return strcmp(*x, *y);
}

dl_status dl_lake_datasets(const char *const **names, int *n, dl_lake *lake,
                           dl_error *err, apr_pool_t *result_pool)
{
    apr_array_header_t *found = apr_array_make(result_pool, 8, sizeof(char *));
    struct dirent *entry;
    dl_status status;
    DIR *dir;
    int fd;

    *n = 0;
    *names = (const char *const *)(void *)found->elts;
    status = dl_lake_dir_open(&fd, lake->io, lake->root, DL_LAKE_META, 0, err);
    if (status == DL_NOT_FOUND) {
        return DL_OK;
    }
    DL_TRY(status);
    dir = fdopendir(fd);
    if (dir == NULL) {
        lake->io->close(fd);
        return dl_fail(err, DL_IO, errno, "cannot list the lake");
    }
    while ((entry = readdir(dir)) != NULL) { /* NOLINT: DIR is ours alone */
        if (dl_lake_name_valid(entry->d_name) &&
            (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN)) {
            APR_ARRAY_PUSH(found, const char *) =
                apr_pstrdup(result_pool, entry->d_name);
        }
    }
    closedir(dir);
    *n = found->nelts;
    *names = (const char *const *)(void *)found->elts;
    if (*n > 0) {
        qsort(found->elts, (size_t)*n, sizeof(char *), compare_names);
    }
    return DL_OK;
}
