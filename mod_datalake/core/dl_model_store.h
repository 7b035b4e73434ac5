/* dl_model_store.h - The folder of models below the lake (MODEL.md 1).
 *
 * A model file never changes; which one is current is a name that is renamed
 * over.  All calls begin at LAKE_FD, the opened root of the lake.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_MODEL_STORE_H
#define DL_MODEL_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_error.h"
#include "dl_model.h"

/* The folder, below the lake's root. */
#define DL_MODEL_FOLDER "_models"

/* Tells one file from another: two that differ have other stamps. */
typedef struct dl_model_stamp {
    uint64_t inode;     /* of the file */
    int64_t size;       /* its bytes */
    int64_t written_ns; /* when it was written */
} dl_model_stamp;

/* Return whether ID is the text of a UUID, lower case.  Thread: any. */
bool dl_model_id_ok(const char *id);

/* Set *STAMP to that of the current model of TARGET.  DL_NOT_FOUND: there is
 * none.  Thread: any. */
DL_MUSTCHECK dl_status dl_model_store_stamp(dl_model_stamp *stamp, int lake_fd,
                                            dl_target target, dl_error *err);

/* Set *MODEL to the current one of TARGET and *STAMP to its stamp; it lives in
 * RESULT_POOL.  DL_NOT_FOUND: there is none; DL_CORRUPT: the file is damaged.
 * Thread: any. */
DL_MUSTCHECK dl_status dl_model_store_current(const dl_model **model,
                                              dl_model_stamp *stamp,
                                              int lake_fd, dl_target target,
                                              dl_error *err,
                                              apr_pool_t *result_pool);

/* Set *MODEL to the one called ID, likewise.  Thread: any. */
DL_MUSTCHECK dl_status dl_model_store_find(const dl_model **model, int lake_fd,
                                           const char *id, dl_error *err,
                                           apr_pool_t *result_pool);

/* Keep MODEL, and NATIVE, the NATIVE_LEN bytes as which XGBoost writes it, and
 * read it back; it is not current yet.  DL_CORRUPT: what came back is not what
 * was written.  Thread: any, one for each model. */
DL_MUSTCHECK dl_status dl_model_store_put(int lake_fd, const dl_model *model,
                                          const char *native, size_t native_len,
                                          dl_error *err,
                                          apr_pool_t *scratch_pool);

/* Let the model ID, which is checked before, be the current one of its
 * target.  DL_NOT_FOUND: there is none of this name; DL_CORRUPT as above.
 * Thread: any. */
DL_MUSTCHECK dl_status dl_model_store_use(int lake_fd, const char *id,
                                          dl_error *err,
                                          apr_pool_t *scratch_pool);

#endif
