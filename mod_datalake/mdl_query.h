/* mdl_query.h - A query as pairs of name and value, each decoded once.
 *
 * Pairs are parted by '&', name and value by the first '='; '+' is a space.
 * Empty pairs are skipped.  Nothing here knows httpd: a fuzz target runs it.
 *
 * Thread: any; nothing here has state.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_QUERY_H
#define MDL_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include <apr_pools.h>

/* One pair. */
typedef struct mdl_query_pair {
    const char *name;  /* decoded; NULL: an escape in it is none, or a NUL */
    const char *value; /* decoded, NUL-terminated; '?' for what is not */
    size_t len;        /* bytes of value */
    bool broken;       /* an escape in the value is none, or makes a NUL */
} mdl_query_pair;

/* Fill PAIR with the next pair at *AT and move *AT behind it; false when none
 * is left.  The pair lives in POOL. */
bool mdl_query_next(mdl_query_pair *pair, const char **at, apr_pool_t *pool);

#endif
