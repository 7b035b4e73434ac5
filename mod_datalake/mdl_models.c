/* mdl_models.c - Models in a child's memory, counted while they are in use.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_models.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "dl_model_store.h"

struct mdl_models_held {
    apr_pool_t *pool;      /* of its own, holds everything of it, this too */
    const dl_model *model; /* the model */
    dl_model_stamp stamp;  /* of its file, for a current one */
    int users;             /* requests that use it */
    bool is_kept;          /* it has a place below */
    uint64_t used;         /* when it was asked for, in turns */
};

struct mdl_models {
    int lake_fd;                              /* the lake's root; -1: none */
    pthread_mutex_t mutex;                    /* guards what follows, and
                                                  users and is_kept of all */
    mdl_models_held *current[DL_TARGETS];     /* NULL: not read */
    mdl_models_held *named[MDL_MODELS_NAMED]; /* NULL: free */
    uint64_t turn;                            /* counts requests */
};

static apr_status_t models_close(void *data)
{
    mdl_models *models = data;
    int i;

    for (i = 0; i < DL_TARGETS; i++) {
        if (models->current[i] != NULL) {
            apr_pool_destroy(models->current[i]->pool);
        }
    }
    for (i = 0; i < MDL_MODELS_NAMED; i++) {
        if (models->named[i] != NULL) {
            apr_pool_destroy(models->named[i]->pool);
        }
    }
    pthread_mutex_destroy(&models->mutex);
    return APR_SUCCESS;
}

mdl_models *mdl_models_create(int lake_fd, apr_pool_t *child_pool)
{
    mdl_models *models = apr_pcalloc(child_pool, sizeof *models);

    models->lake_fd = lake_fd;
    pthread_mutex_init(&models->mutex, NULL);
    apr_pool_cleanup_register(child_pool, models, models_close,
                              apr_pool_cleanup_null);
    return models;
}

const dl_model *mdl_models_of(const mdl_models_held *held)
{
    return held->model;
}

/* Free HELD when nobody needs it any more.  The mutex is held. */
static void free_idle(mdl_models_held *held)
{
    if (held->users == 0 && !held->is_kept) {
        apr_pool_destroy(held->pool);
    }
}

void mdl_models_release(mdl_models *models, mdl_models_held *held)
{
    pthread_mutex_lock(&models->mutex);
    held->users--;
    free_idle(held);
    pthread_mutex_unlock(&models->mutex);
}

/* Use HELD once more, now.  The mutex is held. */
static mdl_models_held *use(mdl_models *models, mdl_models_held *held)
{
    held->users++;
    held->used = ++models->turn;
    return held;
}

/* Keep HELD at PLACE and use it; what was there goes. */
static void keep(mdl_models *models, mdl_models_held **place,
                 mdl_models_held *held)
{
    mdl_models_held *old = *place;

    held->is_kept = true;
    *place = use(models, held);
    if (old != NULL) {
        old->is_kept = false;
        free_idle(old);
    }
}

/* Set *HELD to an empty one. */
static dl_status make_held(mdl_models_held **held, dl_error *err)
{
    apr_pool_t *pool = NULL;

    if (apr_pool_create_unmanaged_ex(&pool, NULL, NULL) != APR_SUCCESS) {
        return dl_fail(err, DL_UNAVAILABLE, 0, "no memory for a model");
    }
    *held = apr_pcalloc(pool, sizeof **held);
    (*held)->pool = pool;
    return DL_OK;
}

/* What STATUS of reading a file means to a request. */
static dl_status judge(dl_status status, mdl_models_held *held, dl_error *err)
{
    if (status == DL_OK) {
        return DL_OK;
    }
    apr_pool_destroy(held->pool);
    if (status != DL_NOT_FOUND) {
        err->status = DL_UNAVAILABLE;
    }
    return err->status;
}

static dl_status check_folder(const mdl_models *models, dl_error *err)
{
    return models->lake_fd >= 0
               ? DL_OK
               : dl_fail(err, DL_UNAVAILABLE, 0,
                         "the lake's folder was not there at start");
}

dl_status mdl_models_current(mdl_models_held **held, mdl_models *models,
                             dl_target target, dl_error *err)
{
    mdl_models_held *fresh = NULL;
    mdl_models_held *old;
    dl_model_stamp stamp;
    dl_status status;

    DL_TRY(check_folder(models, err));
    DL_TRY(dl_model_store_stamp(&stamp, models->lake_fd, target, err));
    *held = NULL;
    pthread_mutex_lock(&models->mutex);
    old = models->current[target];
    if (old != NULL && old->stamp.inode == stamp.inode &&
        old->stamp.size == stamp.size &&
        old->stamp.written_ns == stamp.written_ns) {
        *held = use(models, old);
    }
    pthread_mutex_unlock(&models->mutex);
    if (*held != NULL) {
        return DL_OK;
    }
    DL_TRY(make_held(&fresh, err));
    status = dl_model_store_current(&fresh->model, &fresh->stamp,
                                    models->lake_fd, target, err, fresh->pool);
    DL_TRY(judge(status, fresh, err));
    pthread_mutex_lock(&models->mutex);
    keep(models, &models->current[target], fresh);
    pthread_mutex_unlock(&models->mutex);
    *held = fresh;
    return DL_OK;
}

/* The place of the named model ID, or the one for it.  The mutex is held. */
static mdl_models_held **place_of(mdl_models *models, const char *id)
{
    mdl_models_held **oldest = &models->named[0];

    for (int i = 0; i < MDL_MODELS_NAMED; i++) {
        mdl_models_held **at = &models->named[i];

        if (*at != NULL && strcmp((*at)->model->id, id) == 0) {
            return at;
        }
        if (*oldest != NULL && (*at == NULL || (*at)->used < (*oldest)->used)) {
            oldest = at;
        }
    }
    return oldest;
}

dl_status mdl_models_find(mdl_models_held **held, mdl_models *models,
                          const char *id, dl_error *err)
{
    mdl_models_held *fresh = NULL;
    mdl_models_held **place;
    dl_status status;

    DL_TRY(check_folder(models, err));
    *held = NULL;
    pthread_mutex_lock(&models->mutex);
    place = place_of(models, id);
    if (*place != NULL && strcmp((*place)->model->id, id) == 0) {
        *held = use(models, *place);
    }
    pthread_mutex_unlock(&models->mutex);
    if (*held != NULL) {
        return DL_OK;
    }
    DL_TRY(make_held(&fresh, err));
    status = dl_model_store_find(&fresh->model, models->lake_fd, id, err,
                                 fresh->pool);
    DL_TRY(judge(status, fresh, err));
    pthread_mutex_lock(&models->mutex);
    keep(models, place_of(models, id), fresh);
    pthread_mutex_unlock(&models->mutex);
    *held = fresh;
    return DL_OK;
}
