/* mdl_brigade.c - APR's ring macros, expanded once.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_brigade.h"

/* APR_RING_SENTINEL casts away the volatile of its own links. */
#pragma GCC diagnostic ignored "-Wcast-qual"

void mdl_brigade_append(apr_bucket_brigade *bb, apr_bucket *b)
{
    APR_BRIGADE_INSERT_TAIL(bb, b);
}

void mdl_brigade_prepend(apr_bucket_brigade *bb, apr_bucket *b)
{
    APR_BRIGADE_INSERT_HEAD(bb, b);
}

void mdl_brigade_drop_data(apr_bucket_brigade *bb)
{
    apr_bucket *b = APR_BRIGADE_FIRST(bb);

    while (b != APR_BRIGADE_SENTINEL(bb)) {
        apr_bucket *next = APR_BUCKET_NEXT(b);

        if (!APR_BUCKET_IS_METADATA(b)) {
            apr_bucket_delete(b);
        }
        b = next;
    }
}

apr_bucket *mdl_brigade_take(apr_bucket_brigade *bb)
{
    apr_bucket *b = APR_BRIGADE_FIRST(bb);

    if (b == APR_BRIGADE_SENTINEL(bb)) {
        return NULL;
    }
    APR_BUCKET_REMOVE(b);
    return b;
}

bool mdl_brigade_is_empty(const apr_bucket_brigade *bb)
{
    return APR_BRIGADE_EMPTY(bb);
}
