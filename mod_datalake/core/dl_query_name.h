/* dl_query_name.h - What a filter is called: field, field__op, or, for three
 * fields as an old client writes them, field_gt, field_lt, field_eq.
 *
 * Thread: the pool's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_QUERY_NAME_H
#define DL_QUERY_NAME_H

#include <apr_pools.h>

#include "dl_dataset.h"
#include "dl_query.h"

/* Return the path that NAME stands for in DS: country and rating are short
 * for two others where DS has these. */
const char *dl_query_name_path(const dl_dataset *ds, const char *name);

/* Set *PATH and *OP to what the filter NAME asks of DS; *PATH lives in POOL or
 * is NAME. */
void dl_query_name_read(const char **path, dl_query_op *op,
                        const dl_dataset *ds, const char *name,
                        apr_pool_t *pool);

#endif
