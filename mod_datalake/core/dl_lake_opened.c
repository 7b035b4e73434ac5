/* dl_lake_opened.c - The cache of open parts.
 *
 * The table is a row of places that is searched from its beginning: 256 uids
 * are 2 KiB.  What an entry opens is opened when it is first asked for, and
 * then never changes: an entry whose index has become old is replaced by a
 * new one and lives on for those who have it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_opened.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An entry that nobody read for so long is closed; one that is older is
 * opened anew. */
#define LIFE_US 60000000

/* Between two looks at what nobody reads. */
#define TIDY_US 10000000

/* After so long an index that was missing is looked for again; that of an
 * open part when it lacks so many bytes. */
#define AGAIN_US      1000000
#define AGAIN_OPEN_US 250000
#define AGAIN_BYTES   4194304

/* Answers of the trail that are remembered, a part. */
#define POINTS 8

/* One of them. */
typedef struct known_point {
    bool used;           /* there is one */
    int64_t ms;          /* the bound */
    dl_lake_point point; /* what lies below it */
} known_point;

struct dl_lake_opened {
    dl_lake_cache *cache;           /* whose it is */
    dl_lake_opened *next;           /* of those that are to be closed */
    const dl_lake_dataset *dataset; /* of which dataset */
    dl_lake_part part;              /* as it was when it was first taken */
    int64_t opened_us;              /* when that was */
    int64_t used_us;                /* when it was taken last; cache's mutex */
    int references;                 /* cache's mutex */
    bool listed;                    /* is in the table; cache's mutex */
    pthread_mutex_t mutex;          /* guards opening, and the points */
    dl_lake_text text;              /* of DATA_FD, once that is open */
    atomic_int data_fd;             /* -1: not open */
    atomic_int trail_fd;            /* -1: not open */
    atomic_bool looked;             /* for an index; then these stay: */
    apr_pool_t *pool;               /* of the index */
    dl_lake_index *index;           /* NULL: none */
    uint64_t indexed_bytes;         /* of the part, by it */
    uint64_t indexed_lines;         /* likewise */
    known_point points[POINTS];     /* answers */
    int next_point;                 /* place to reuse next */
};

struct dl_lake_cache {
    const dl_lake_io *io;              /* system calls */
    dl_lake_kept *kept;                /* blocks read last; their own mutex */
    atomic_int_fast64_t tidied_us;     /* last look */
    pthread_mutex_t mutex;             /* guards all below */
    int n;                             /* used of the table */
    uint64_t uids[DL_LAKE_OPENED_MAX]; /* of the entries */
    dl_lake_opened *entries[DL_LAKE_OPENED_MAX]; /* the table */
};

/* --- Entries --------------------------------------------------------------- */

static dl_lake_opened *make_entry(dl_lake_cache *cache,
                                  const dl_lake_dataset *dataset,
                                  const dl_lake_part *part)
{
    dl_lake_opened *entry = calloc(1, sizeof *entry);

    if (entry == NULL) {
        abort();
    }
    entry->cache = cache;
    entry->dataset = dataset;
    entry->part = *part;
    entry->opened_us = entry->used_us = dl_time_monotonic_us();
    pthread_mutex_init(&entry->mutex, NULL);
    atomic_init(&entry->data_fd, -1);
    atomic_init(&entry->trail_fd, -1);
    atomic_init(&entry->looked, false);
    return entry;
}

static void close_entry(dl_lake_opened *entry)
{
    const dl_lake_io *io = entry->cache->io;
    int data = atomic_load(&entry->data_fd);
    int trail = atomic_load(&entry->trail_fd);

    if (data >= 0) {
        dl_lake_text_close(&entry->text);
        io->close(data);
    }
    if (trail >= 0) {
        io->close(trail);
    }
    if (entry->pool != NULL) {
        apr_pool_destroy(entry->pool);
    }
    pthread_mutex_destroy(&entry->mutex);
    free(entry);
}

/* Close DOOMED and those behind it; the mutex is free, for giving back the
 * space of a large file takes long. */
static void close_entries(dl_lake_opened *doomed)
{
    while (doomed != NULL) {
        dl_lake_opened *next = doomed->next;

        close_entry(doomed);
        doomed = next;
    }
}

/* --- The table; the caller holds the mutex --------------------------------- */

/* Take the entry at I out of the table, to DOOMED if nobody has it; else
 * whoever has it last closes it. */
static void unlist(dl_lake_opened **doomed, dl_lake_cache *cache, int i)
{
    dl_lake_opened *entry = cache->entries[i];

    cache->n--;
    cache->uids[i] = cache->uids[cache->n];
    cache->entries[i] = cache->entries[cache->n];
    entry->listed = false;
    if (entry->references == 0) {
        entry->next = *doomed;
        *doomed = entry;
    }
}

static int find_place(const dl_lake_cache *cache,
                      const dl_lake_dataset *dataset, const dl_lake_part *part)
{
    int i;

    for (i = 0; i < cache->n; i++) {
        if (cache->uids[i] == part->uid &&
            cache->entries[i]->dataset == dataset &&
            cache->entries[i]->part.state == part->state) {
            return i;
        }
    }
    return -1;
}

/* Whether ENTRY, asked for as PART, is to be opened anew at NOW. */
static bool is_old(const dl_lake_opened *entry, const dl_lake_part *part,
                   int64_t now)
{
    int64_t age = now - entry->opened_us;
    uint64_t missing;

    if (age > LIFE_US) {
        return true;
    }
    if (!atomic_load_explicit(&entry->looked, memory_order_acquire) ||
        entry->indexed_bytes >= part->bytes) {
        return false;
    }
    missing = part->bytes - entry->indexed_bytes;
    return part->state == DL_LAKE_PART_OPEN
               ? missing >= AGAIN_BYTES && age > AGAIN_OPEN_US
               : age > AGAIN_US;
}

/* Have room for one more; false: all entries are being read. */
static bool make_room(dl_lake_opened **doomed, dl_lake_cache *cache)
{
    int oldest = -1;
    int i;

    if (cache->n < DL_LAKE_OPENED_MAX) {
        return true;
    }
    for (i = 0; i < cache->n; i++) {
        const dl_lake_opened *entry = cache->entries[i];

        if (entry->references == 0 &&
            (oldest < 0 || entry->used_us < cache->entries[oldest]->used_us)) {
            oldest = i;
        }
    }
    if (oldest < 0) {
        return false;
    }
    unlist(doomed, cache, oldest);
    return true;
}

static dl_lake_opened *add_entry(dl_lake_opened **doomed, dl_lake_cache *cache,
                                 const dl_lake_dataset *dataset,
                                 const dl_lake_part *part)
{
    dl_lake_opened *entry = make_entry(cache, dataset, part);

    if (make_room(doomed, cache)) {
        cache->uids[cache->n] = part->uid;
        cache->entries[cache->n++] = entry;
        entry->listed = true;
    }
    return entry;
}

/* --- Taking and releasing -------------------------------------------------- */

dl_lake_opened *dl_lake_cache_take(dl_lake_cache *cache,
                                   const dl_lake_dataset *dataset,
                                   const dl_lake_part *part)
{
    int64_t now = dl_time_monotonic_us();
    dl_lake_opened *doomed = NULL;
    dl_lake_opened *entry;
    int i;

    pthread_mutex_lock(&cache->mutex);
    i = find_place(cache, dataset, part);
    if (i >= 0 && is_old(cache->entries[i], part, now)) {
        unlist(&doomed, cache, i);
        i = -1;
    }
    entry =
        i >= 0 ? cache->entries[i] : add_entry(&doomed, cache, dataset, part);
    entry->references++;
    entry->used_us = now;
    pthread_mutex_unlock(&cache->mutex);
    close_entries(doomed);
    return entry;
}

void dl_lake_opened_hold(dl_lake_opened *part)
{
    pthread_mutex_lock(&part->cache->mutex);
    part->references++;
    pthread_mutex_unlock(&part->cache->mutex);
}

void dl_lake_opened_release(dl_lake_opened *part)
{
    dl_lake_cache *cache;
    bool last;

    if (part == NULL) {
        return;
    }
    cache = part->cache;
    pthread_mutex_lock(&cache->mutex);
    last = --part->references == 0 && !part->listed;
    pthread_mutex_unlock(&cache->mutex);
    if (last) {
        close_entry(part);
    }
}

/* --- Forgetting ------------------------------------------------------------ */

static bool is_named(const dl_lake_shared *shared, const dl_lake_part *part)
{
    const dl_lake_part *open = dl_lake_view_find(&shared->view, part->day);
    const dl_lake_part *sealed;
    int n = dl_lake_manifest_day(&sealed, &shared->sealed->manifest, part->day);

    for (; n > 0; n--, sealed++) {
        if (sealed->uid == part->uid) {
            return sealed->state == part->state;
        }
    }
    return open != NULL && open->uid == part->uid && open->state == part->state;
}

void dl_lake_cache_keep(dl_lake_cache *cache, const dl_lake_dataset *dataset,
                        const dl_lake_shared *shared)
{
    dl_lake_opened *doomed = NULL;
    int i;

    pthread_mutex_lock(&cache->mutex);
    for (i = cache->n - 1; i >= 0; i--) {
        if (cache->entries[i]->dataset == dataset &&
            !is_named(shared, &cache->entries[i]->part)) {
            unlist(&doomed, cache, i);
        }
    }
    pthread_mutex_unlock(&cache->mutex);
    close_entries(doomed);
}

/* Forget the entries of CACHE that nobody has and that were taken before
 * USED_US. */
static void forget_unused(dl_lake_cache *cache, int64_t used_us)
{
    dl_lake_opened *doomed = NULL;
    int i;

    pthread_mutex_lock(&cache->mutex);
    for (i = cache->n - 1; i >= 0; i--) {
        if (cache->entries[i]->references == 0 &&
            cache->entries[i]->used_us < used_us) {
            unlist(&doomed, cache, i);
        }
    }
    pthread_mutex_unlock(&cache->mutex);
    close_entries(doomed);
}

void dl_lake_cache_tidy(dl_lake_cache *cache)
{
    int64_t now = dl_time_monotonic_us();
    int_fast64_t last = atomic_load(&cache->tidied_us);

    if (now - last > TIDY_US &&
        atomic_compare_exchange_strong(&cache->tidied_us, &last, now)) {
        forget_unused(cache, now - LIFE_US);
    }
}

/* --- Opening; the caller holds the mutex of the part ----------------------- */

static dl_status open_under(int *fd, const dl_lake_io *io, int dir,
                            const char *folder, const char *name, dl_error *err)
{
    char path[3 * DL_LAKE_PATH_MAX];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return dl_lake_file_open(fd, io, dir, path, O_RDONLY, err);
}

static dl_status open_file(int *fd, const dl_lake_io *io,
                           const dl_lake_opened *entry, dl_error *err)
{
    const dl_lake_dataset *dataset = entry->dataset;
    const dl_lake_part *part = &entry->part;
    char folder[DL_LAKE_PATH_MAX];
    char prepared[DL_LAKE_PATH_MAX + 8];
    char name[DL_LAKE_PATH_MAX];
    dl_status status = DL_NOT_FOUND;

    dl_lake_day_folder(folder, part->day);
    dl_lake_part_name(name, part);
    if (part->state <= DL_LAKE_PART_SEALED) {
        status = open_under(fd, io, dataset->meta, DL_LAKE_OPEN, name, err);
    }
    if (status == DL_NOT_FOUND) {
        status = open_under(fd, io, dataset->data, folder, name, err);
    }
    if (status == DL_NOT_FOUND) {
        /* A compaction exchanges first and publishes then. */
        snprintf(prepared, sizeof prepared, "%s/%s", DL_LAKE_COMPACT, folder);
        status = open_under(fd, io, dataset->meta, prepared, name, err);
    }
    return status;
}

static dl_status open_data(int *fd, const dl_lake_io *io, dl_lake_opened *entry,
                           dl_error *err)
{
    DL_TRY(open_file(fd, io, entry, err));
    dl_lake_text_open(&entry->text, io, entry->dataset->meta, *fd,
                      &entry->part);
    return DL_OK;
}

static dl_status open_trail(int *fd, const dl_lake_io *io,
                            dl_lake_opened *entry, dl_error *err)
{
    char name[DL_LAKE_PATH_MAX];

    dl_lake_trail_name(name, entry->part.uid);
    return open_under(fd, io, entry->dataset->meta, DL_LAKE_IDX, name, err);
}

static void open_index(dl_lake_opened *entry)
{
    dl_error ignored;
    dl_status status;

    apr_pool_create(&entry->pool, NULL);
    status = dl_lake_index_open(&entry->index, entry->cache->io,
                                entry->dataset->meta, &entry->part, &ignored,
                                entry->pool);
    if (status == DL_OK) {
        (void)dl_lake_index_segments(&entry->indexed_bytes,
                                     &entry->indexed_lines, entry->index);
    }
    else {
        entry->index = NULL;
        apr_pool_destroy(entry->pool);
        entry->pool = NULL;
    }
}

/* --- What is open ---------------------------------------------------------- */

typedef dl_status open_function(int *fd, const dl_lake_io *io,
                                dl_lake_opened *entry, dl_error *err);

/* Set *FD to *KEPT, which OPEN opens if it is not open yet. */
static dl_status get_file(int *fd, atomic_int *kept, dl_lake_opened *part,
                          open_function *open, dl_error *err)
{
    dl_lake_cache *cache = part->cache;
    dl_status status = DL_OK;

    *fd = atomic_load_explicit(kept, memory_order_acquire);
    if (*fd >= 0) {
        return DL_OK;
    }
    pthread_mutex_lock(&part->mutex);
    *fd = atomic_load(kept);
    if (*fd < 0) {
        status = open(fd, cache->io, part, err);
    }
    if (status == DL_NO_SPACE) { /* of descriptors: give back what is unused */
        forget_unused(cache, INT64_MAX);
        status = open(fd, cache->io, part, err);
    }
    if (status == DL_OK) {
        atomic_store_explicit(kept, *fd, memory_order_release);
    }
    pthread_mutex_unlock(&part->mutex);
    return status;
}

dl_lake_kept *dl_lake_opened_kept(dl_lake_kept_key *key,
                                  const dl_lake_opened *part)
{
    *key = (dl_lake_kept_key){.dataset = part->dataset, .uid = part->part.uid};
    return part->cache->kept;
}

const dl_lake_io *dl_lake_opened_calls(const dl_lake_opened *part)
{
    return part->cache->io;
}

dl_status dl_lake_opened_text(const dl_lake_text **text, dl_lake_opened *part,
                              dl_error *err)
{
    int fd;

    DL_TRY(get_file(&fd, &part->data_fd, part, open_data, err));
    *text = &part->text;
    return DL_OK;
}

dl_status dl_lake_opened_trail(int *fd, dl_lake_opened *part, dl_error *err)
{
    return get_file(fd, &part->trail_fd, part, open_trail, err);
}

const dl_lake_index *dl_lake_opened_index(uint64_t *lines, dl_lake_opened *part)
{
    if (!atomic_load_explicit(&part->looked, memory_order_acquire)) {
        pthread_mutex_lock(&part->mutex);
        if (!atomic_load(&part->looked)) {
            open_index(part);
            atomic_store_explicit(&part->looked, true, memory_order_release);
        }
        pthread_mutex_unlock(&part->mutex);
    }
    *lines = part->indexed_lines;
    return part->index;
}

/* --- Answers of the trail -------------------------------------------------- */

bool dl_lake_opened_recall(dl_lake_point *point, dl_lake_opened *part,
                           int64_t ms)
{
    bool found = false;
    int i;

    pthread_mutex_lock(&part->mutex);
    for (i = 0; i < POINTS && !found; i++) {
        const known_point *known = &part->points[i];

        found = known->used && known->ms == ms;
        if (found) {
            *point = known->point;
        }
    }
    pthread_mutex_unlock(&part->mutex);
    return found;
}

void dl_lake_opened_remember(dl_lake_opened *part, int64_t ms,
                             const dl_lake_point *point)
{
    pthread_mutex_lock(&part->mutex);
    part->points[part->next_point] =
        (known_point){.used = true, .ms = ms, .point = *point};
    part->next_point = (part->next_point + 1) % POINTS;
    pthread_mutex_unlock(&part->mutex);
}

/* --- The cache ------------------------------------------------------------- */

dl_lake_cache *dl_lake_cache_create(const dl_lake_io *io)
{
    dl_lake_cache *cache = calloc(1, sizeof *cache);

    if (cache == NULL) {
        abort();
    }
    cache->io = io;
    atomic_init(&cache->tidied_us, dl_time_monotonic_us());
    cache->kept = dl_lake_kept_create();
    pthread_mutex_init(&cache->mutex, NULL);
    return cache;
}

void dl_lake_cache_destroy(dl_lake_cache *cache)
{
    forget_unused(cache, INT64_MAX);
    dl_lake_kept_destroy(cache->kept);
    pthread_mutex_destroy(&cache->mutex);
    free(cache);
}
