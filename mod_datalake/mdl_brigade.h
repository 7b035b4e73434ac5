/* mdl_brigade.h - The few things we do with brigades, behind functions.
 *
 * APR's ring macros cast a volatile away, which our warnings forbid; they are
 * expanded in mdl_brigade.c and nowhere else.
 *
 * Thread: the request's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_BRIGADE_H
#define MDL_BRIGADE_H

#include <stdbool.h>

#include <apr_buckets.h>

/* Put B behind the last bucket of BB. */
void mdl_brigade_append(apr_bucket_brigade *bb, apr_bucket *b);

/* Put B before the first bucket of BB. */
void mdl_brigade_prepend(apr_bucket_brigade *bb, apr_bucket *b);

/* Take all data out of BB, so that only EOS, FLUSH and the like remain. */
void mdl_brigade_drop_data(apr_bucket_brigade *bb);

/* Take the first bucket out of BB and return it for the caller to destroy;
 * NULL when BB is empty. */
apr_bucket *mdl_brigade_take(apr_bucket_brigade *bb);

/* Return whether BB holds no bucket. */
bool mdl_brigade_is_empty(const apr_bucket_brigade *bb);

#endif
