/* mdl_lake.c - Opens the lake for a child and keeps it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_lake.h"

#include <pthread.h>

#include "dl_lake.h"
#include "dl_match_cache.h"
#include "dl_time.h"
#include "mdl_turns.h"

/* Between two attempts to open a lake that fails. */
#define AGAIN_US 1000000

/* Between two looks at files that nobody reads any more. */
#define TIDY_MS 15000

struct mdl_lake {
    int dirfd;               /* the lake's root, -1: was not there */
    apr_pool_t *child_pool;  /* parent of each attempt's pool */
    pthread_mutex_t mutex;   /* guards the members below */
    dl_lake *lake;           /* NULL until it could be opened */
    int64_t next_us;         /* no attempt before this */
    dl_error failure;        /* what the last attempt said */
    dl_match_cache *matches; /* of all its datasets; has its own mutex */
};

static apr_status_t lake_cleanup(void *data)
{
    mdl_lake *lake = data;

    pthread_mutex_destroy(&lake->mutex);
    return APR_SUCCESS;
}

mdl_lake *mdl_lake_create(int dirfd, apr_pool_t *child_pool)
{
    mdl_lake *lake = apr_pcalloc(child_pool, sizeof(*lake));

    lake->dirfd = dirfd;
    lake->child_pool = child_pool;
    lake->matches = dl_match_cache_create(MDL_LAKE_MATCHES_BYTES, child_pool);
    pthread_mutex_init(&lake->mutex, NULL);
    apr_pool_cleanup_register(child_pool, lake, lake_cleanup,
                              apr_pool_cleanup_null);
    return lake;
}

static void tidy(void *context)
{
    mdl_lake *lake = context;
    dl_lake *open;

    pthread_mutex_lock(&lake->mutex);
    open = lake->lake;
    pthread_mutex_unlock(&lake->mutex);
    if (open != NULL) {
        dl_lake_tidy(open);
    }
}

dl_status mdl_lake_keep_tidy(mdl_lake *lake, dl_error *err,
                             apr_pool_t *child_pool)
{
    mdl_turns_work work = {.name = "closes files of the lake",
                           .every_ms = TIDY_MS,
                           .turn = tidy,
                           .context = lake};

    return mdl_turns_start(&work, err, child_pool);
}

/* Try to open LAKE, if it is time to.  The mutex is held. */
static void lake_try(mdl_lake *lake)
{
    int64_t now_us = dl_time_monotonic_us();
    apr_pool_t *pool = NULL;

    if (lake->dirfd < 0) {
        dl_fail(&lake->failure, DL_UNAVAILABLE, 0,
                "the lake's folder was not there at start");
        return;
    }
    if (now_us < lake->next_us) {
        return;
    }
    lake->next_us = now_us + AGAIN_US;
    if (apr_pool_create_unmanaged_ex(&pool, NULL, NULL) != APR_SUCCESS) {
        return;
    }
    if (dl_lake_open_at(&lake->lake, lake->dirfd, &lake->failure, pool) !=
        DL_OK) {
        lake->lake = NULL;
        apr_pool_destroy(pool);
    }
}

dl_match_cache *mdl_lake_matches(const mdl_lake *lake)
{
    return lake->matches;
}

/* Set *OPEN to the opened lake. */
static dl_status lake_get(dl_lake **open, mdl_lake *lake, dl_error *err)
{
    pthread_mutex_lock(&lake->mutex);
    if (lake->lake == NULL) {
        lake_try(lake);
    }
    *open = lake->lake;
    if (*open == NULL && err != NULL) {
        *err = lake->failure;
        err->status = DL_UNAVAILABLE;
    }
    pthread_mutex_unlock(&lake->mutex);
    return *open != NULL ? DL_OK : DL_UNAVAILABLE;
}

dl_status mdl_lake_snapshot(dl_lake_snapshot **snap, mdl_lake *lake,
                            const char *dataset, dl_error *err,
                            apr_pool_t *result_pool)
{
    dl_lake *open;
    dl_status status;

    DL_TRY(lake_get(&open, lake, err));
    status = dl_lake_snapshot_open(snap, open, dataset, err, result_pool);
    if (status != DL_OK && status != DL_NOT_FOUND) {
        status = DL_UNAVAILABLE;
        if (err != NULL) {
            err->status = status;
        }
    }
    return status;
}

dl_status mdl_lake_datasets(const char *const **names, int *n, mdl_lake *lake,
                            dl_error *err, apr_pool_t *result_pool)
{
    dl_lake *open;

    DL_TRY(lake_get(&open, lake, err));
    if (dl_lake_datasets(names, n, open, err, result_pool) != DL_OK) {
        return DL_UNAVAILABLE;
    }
    return DL_OK;
}

dl_status mdl_lake_check(mdl_lake *lake, dl_error *err,
                         apr_pool_t *scratch_pool)
{
    const char *const *names;
    int n;

    return mdl_lake_datasets(&names, &n, lake, err, scratch_pool);
}
