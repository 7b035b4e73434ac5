/* dl_buf.c - The growing byte buffer.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_buf.h"

#include <stdlib.h>

static apr_status_t free_data(void *context)
{
    dl_buf *buf = context;

    free(buf->data);
    buf->data = NULL;
    buf->len = buf->size = 0;
    return APR_SUCCESS;
}

dl_buf *dl_buf_create(size_t max, apr_pool_t *pool)
{
    dl_buf *buf = apr_pcalloc(pool, sizeof *buf);

    buf->max = max;
    apr_pool_cleanup_register(pool, buf, free_data, apr_pool_cleanup_null);
    return buf;
}

static size_t grown_size(const dl_buf *buf, size_t need)
{
    size_t size = buf->size < 256 ? 256 : buf->size;

    while (size < need) {
        size *= 2;
    }
    return size < buf->max ? size : buf->max;
}

dl_status dl_buf_reserve(dl_buf *buf, size_t more, dl_error *err)
{
    size_t size;
    char *data;

    if (buf->data != NULL && more <= buf->size - buf->len) {
        return DL_OK;
    }
    if (more > buf->max - buf->len) {
        return dl_fail(err, DL_LIMIT, 0, "%zu bytes do not fit into %zu",
                       buf->len + more, buf->max);
    }
    size = grown_size(buf, buf->len + more);
    data = realloc(buf->data, size);
    if (data == NULL) {
        abort();
    }
    buf->data = data;
    buf->size = size;
    return DL_OK;
}

void *dl_buf_memory(size_t size, apr_pool_t *pool)
{
    dl_buf *buf = dl_buf_create(size, pool);

    if (dl_buf_reserve(buf, size, NULL) != DL_OK) {
        abort(); /* cannot be: it may hold that much */
    }
    return buf->data;
}
