/* mdl_http.h - The one place that turns a dl_status into an HTTP answer.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_HTTP_H
#define MDL_HTTP_H

#include "dl_error.h"

struct mdl_request;

/* What a call that failed was asking. */
typedef enum mdl_dependency {
    MDL_WAREHOUSE, /* DL_UNAVAILABLE is warehouse-unavailable */
    MDL_LAKE,      /* DL_UNAVAILABLE is lake-unavailable */
    MDL_BROKER,    /* DL_UNAVAILABLE is broker-unavailable */
    MDL_OURSELVES  /* nothing outside: DL_UNAVAILABLE is overloaded */
} mdl_dependency;

/* Make ERR, which a call to DEPENDENCY returned, the problem of Q and return
 * its HTTP status.  The sentence of ERR goes to the log only (ours at error,
 * a client's at info, once); the client gets a fixed one.  A handler that
 * knows better words for DL_NOT_FOUND or DL_INVALID uses mdl_problem().
 * Thread: the request's. */
int mdl_http_fail(struct mdl_request *q, mdl_dependency dependency,
                  const dl_error *err);

#endif
