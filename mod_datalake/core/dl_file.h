/* dl_file.h - Read a whole small file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_FILE_H
#define DL_FILE_H

#include <stddef.h>

#include <apr_pools.h>

#include "dl_error.h"

/* Set *TEXT and *LEN to what the regular file PATH holds; a NUL stands behind
 * the last byte.  The memory comes from malloc and is freed with RESULT_POOL.
 * DL_NOT_FOUND: there is no such file; DL_LIMIT: it has more than MAX bytes;
 * DL_IO: it cannot be read.  Thread: the owner of the pool. */
DL_MUSTCHECK dl_status dl_file_load(const char **text, size_t *len,
                                    const char *path, size_t max, dl_error *err,
                                    apr_pool_t *result_pool);

#endif
