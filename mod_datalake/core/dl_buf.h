/* dl_buf.h - A growing byte buffer with a bound.
 *
 * The memory comes from malloc, so that AddressSanitizer sees its edges, and
 * is freed with the pool the buffer was made in.  Thread: one at a time.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_BUF_H
#define DL_BUF_H

#include <stddef.h>
#include <string.h>

#include <apr_pools.h>

#include "dl_error.h"

/* Bytes with a length.  Callers may read the members and lower len. */
typedef struct dl_buf {
    char *data;  /* the bytes; NULL until the first one */
    size_t len;  /* bytes in use */
    size_t size; /* bytes allocated */
    size_t max;  /* bytes it may ever hold */
} dl_buf;

/* Return an empty buffer that may grow to MAX bytes; its memory is freed with
 * POOL.  Thread: the owner. */
dl_buf *dl_buf_create(size_t max, apr_pool_t *pool);

/* Make room for MORE bytes behind len.  DL_LIMIT: past max, nothing changed.
 * Out of memory ends the process.  Thread: the owner. */
DL_MUSTCHECK dl_status dl_buf_reserve(dl_buf *buf, size_t more, dl_error *err);

/* Append LEN bytes of DATA.  DL_LIMIT as dl_buf_reserve.  Inline: answers and
 * audit lines are made of many short pieces.  Thread: the owner. */
DL_MUSTCHECK static inline dl_status
dl_buf_append(dl_buf *buf, const void *data, size_t len, dl_error *err)
{
    if (buf->data == NULL || len > buf->size - buf->len) {
        DL_TRY(dl_buf_reserve(buf, len, err));
    }
    if (len > 0) {
        memcpy(buf->data + buf->len, data, len);
    }
    buf->len += len;
    return DL_OK;
}

/* Return SIZE bytes that are freed with POOL: for bytes from outside.  Of
 * malloc, so that AddressSanitizer sees their edges, and pages that are not
 * needed are never touched.  Thread: the owner. */
void *dl_buf_memory(size_t size, apr_pool_t *pool);

#endif
