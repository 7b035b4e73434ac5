/* mdl_request.h - One request of a route of ours, from routing to the answer.
 *
 * Made in pre_translate_name when the path names a route, kept in the request
 * configuration, gone with r->pool.  Stages fill it in the order below; a
 * handler sees all of it checked.
 *
 *   pre_translate_name   route, path                       404 405
 *   access_checker       identity, resource parameters     401 403
 *   handler hook         values, format                    400 406 415
 *   the row's handler    the answer
 *
 * Thread: the one that serves the request.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_REQUEST_H
#define MDL_REQUEST_H

#include <stdbool.h>

#include <httpd.h>

#include "mdl_identity.h"
#include "mdl_param.h"
#include "mdl_path.h"
#include "mdl_route.h"

struct mdl_site;
struct mdl_problem_state;

/* The request. */
typedef struct mdl_request {
    request_rec *r;                    /* httpd's; r->pool is the result pool */
    const struct mdl_site *site;       /* settings and connections (mdl_site.h);
                                          never NULL in a handler */
    const mdl_resource *resource;      /* what the path names */
    const mdl_route *route;            /* the row; NULL for OPTIONS */
    mdl_path path;                     /* decoded segments */
    mdl_identity identity;             /* the caller; known is false on public
                                          routes */
    mdl_value *values;                 /* one per row of route->params */
    unsigned format;                   /* the one bit of mdl_format to answer */
    apr_time_t deadline;               /* when the request must have ended */
    struct mdl_problem_state *problem; /* mdl_problem.c's; NULL: none named */
} mdl_request;

/* Return the request of R, or NULL when R is not ours.  Also finds it from a
 * subrequest or an internal redirect's target: those are not ours.
 * Thread: the request's. */
mdl_request *mdl_request_get(request_rec *r);

/* Make the request of R and keep it there.  Thread: the request's. */
mdl_request *mdl_request_create(request_rec *r, const struct mdl_site *site);

/* Return the text of the segment that fills {NAME} of Q's template.  NAME has
 * to be there.  Thread: the request's. */
const char *mdl_request_segment(const mdl_request *q, const char *name);

/* Return the id of R, the value of X-Request-Id and request_id: 32 lower-case
 * hex digits in R's pool, made at the first call.  R need not be ours.
 * Thread: the request's. */
const char *mdl_request_id(request_rec *r);

#endif
