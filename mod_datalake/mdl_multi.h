/* mdl_multi.h - The objects of the multi-source lake as GET answers them, for
 * those who read and those who change them.
 *
 * The validator of an object is that of GET on its URL without parameters:
 * what is seen on its first page.  Who changes it asks for the validator
 * inside its transaction, where the rows are locked:
 *
 *   DL_TRY(mdl_multi_post_etag(etag, wh, post_id, err, pool));
 *   stale = !mdl_answer_may_change(q, etag);
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_MULTI_H
#define MDL_MULTI_H

#include <stdint.h>

#include <apr_pools.h>

#include "dl_error.h"
#include "mdl_answer.h"

struct dl_wh;

/* Rows of a page that was not asked to have another number. */
#define MDL_MULTI_LIMIT 50

/* The same as the text of a parameter table. */
#define MDL_MULTI_LIMIT_TEXT "50"

/* Set ETAG to the validator of the log of ADDRESS as it is stored.
 * DL_NOT_FOUND: it has no line.  POOL holds what is made on the way.
 * Thread: WH's. */
DL_MUSTCHECK dl_status mdl_multi_log_etag(char etag[MDL_ETAG_TEXT],
                                          struct dl_wh *wh, const char *address,
                                          dl_error *err, apr_pool_t *pool);

/* Likewise of the post POST_ID. */
DL_MUSTCHECK dl_status mdl_multi_post_etag(char etag[MDL_ETAG_TEXT],
                                           struct dl_wh *wh,
                                           const char *post_id, dl_error *err,
                                           apr_pool_t *pool);

/* Likewise of the client CLIENT_ID with its payments. */
DL_MUSTCHECK dl_status mdl_multi_client_etag(char etag[MDL_ETAG_TEXT],
                                             struct dl_wh *wh,
                                             int64_t client_id, dl_error *err,
                                             apr_pool_t *pool);

#endif
