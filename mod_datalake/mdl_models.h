/* mdl_models.h - The trained models as requests see them: each read once by a
 * child, and asked without a system call but one stat.
 *
 * The current model of a target is read again when another file is current.
 * A few named ones are kept, the least recently used goes.
 *
 * Thread: any.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_MODELS_H
#define MDL_MODELS_H

#include <apr_pools.h>

#include "dl_error.h"
#include "dl_model.h"

/* Named models that a child keeps. */
#define MDL_MODELS_NAMED 8

/* The models of one child. */
typedef struct mdl_models mdl_models;

/* A model in use. */
typedef struct mdl_models_held mdl_models_held;

/* Return this child's models, of the lake whose root is behind LAKE_FD, which
 * stays the caller's; -1: it could not be opened at start.  Nothing is read
 * yet.  Freed with CHILD_POOL.  Thread: child start only. */
mdl_models *mdl_models_create(int lake_fd, apr_pool_t *child_pool);

/* Set *HELD to the current model of TARGET.  DL_NOT_FOUND: there is none;
 * DL_UNAVAILABLE: it cannot be read. */
DL_MUSTCHECK dl_status mdl_models_current(mdl_models_held **held,
                                          mdl_models *models, dl_target target,
                                          dl_error *err);

/* Set *HELD to the model called ID, likewise. */
DL_MUSTCHECK dl_status mdl_models_find(mdl_models_held **held,
                                       mdl_models *models, const char *id,
                                       dl_error *err);

/* Return the model of HELD, which stays until mdl_models_release. */
const dl_model *mdl_models_of(const mdl_models_held *held);

/* Let go of HELD. */
void mdl_models_release(mdl_models *models, mdl_models_held *held);

#endif
