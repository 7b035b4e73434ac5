/* dl_project.h - Some members of a record, as an object of their own.
 *
 * The members keep their text and their nesting: location.city and
 * location.country become {"location":{"city":...,"country":...}}, in the
 * order in which they were asked for.  What a record does not have is left
 * out.
 *
 * Thread: the owner of the projection, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_PROJECT_H
#define DL_PROJECT_H

#include <apr_pools.h>

#include "dl_error.h"
#include "dl_json_write.h"
#include "dl_query.h"

/* A compiled projection. */
typedef struct dl_project dl_project;

/* Set *PROJECT to the projection on the N COLUMNS of QUERY; both live in
 * RESULT_POOL.  A column below another of them is left out, for that one has
 * it already. */
void dl_project_create(dl_project **project, const dl_query *query,
                       const int *columns, int n, apr_pool_t *result_pool);

/* Write the members of the object for the line that QUERY read last to W,
 * into an object the caller opens and closes. */
void dl_project_write(dl_json_writer *w, const dl_project *project);

#endif
