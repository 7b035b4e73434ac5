/* mdl_openapi.h - The description of the API: OpenAPI 3.1 in JSON.
 *
 * Made once, when the server starts, of the route table with its parameters
 * and bodies, the words of openapi/ and the declared datasets; then it is one
 * constant text of some hundred KB with a strong validator.
 *
 * Thread: made at start, constant afterwards.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_OPENAPI_H
#define MDL_OPENAPI_H

#include <stddef.h>

#include <apr_pools.h>

#include "dl_error.h"
#include "mdl_answer.h"

struct dl_dataset_set;

/* The description. */
typedef struct mdl_openapi {
    const char *text;         /* the document */
    size_t len;               /* its bytes */
    char etag[MDL_ETAG_TEXT]; /* of its content */
} mdl_openapi;

/* Set *DOCUMENT to the description of all routes, with the record schemas of
 * DATASETS.  DL_INTERNAL: a row without words; DL_LIMIT: longer than 4 MiB.
 * Lives in POOL.  Thread: start only. */
DL_MUSTCHECK dl_status mdl_openapi_make(mdl_openapi **document,
                                        const struct dl_dataset_set *datasets,
                                        dl_error *err, apr_pool_t *pool);

#endif
