/* mdl_request.h - One request of a route of ours, from routing to the answer.
 *
 * Made in post_read_request, kept in the request configuration, gone with
 * r->pool.  It is a request of ours when resource is set.  Stages fill it in
 * the order below; a handler sees all of it checked.
 *
 *   post_read_request    id                             400 501 505
 *   pre_translate_name   route, path                       404 405
 *   access_checker       identity, resource parameters 401 429 403
 *   handler hook         values, format, body, members 400 406 415 413 422
 *   the row's handler    the answer
 *
 * Thread: the one that serves the request.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_REQUEST_H
#define MDL_REQUEST_H

#include <stdbool.h>

#include <httpd.h>

#include "mdl_body.h"
#include "mdl_identity.h"
#include "mdl_param.h"
#include "mdl_path.h"
#include "mdl_request_id.h"
#include "mdl_route.h"

struct mdl_idempotency;
struct mdl_quota_ticket;
struct mdl_site;
struct mdl_audit_state;
struct mdl_problem_state;

/* What the audit log is to say beyond what every request says. */
typedef struct mdl_subject {
    const char *user;     /* name a log-in was tried with; NULL: the caller */
    const char *resource; /* what was accessed; NULL: the row's resource */
    const char *action;   /* static: grant, login, export...; NULL: read,
                             write or delete by the method */
} mdl_subject;

/* The request. */
typedef struct mdl_request {
    request_rec *r;                /* httpd's; r->pool is the result pool */
    const struct mdl_site *site;   /* settings and connections (mdl_site.h);
                                          never NULL in a handler */
    const mdl_resource *resource;  /* what the path names */
    const mdl_route *route;        /* the row; NULL for OPTIONS */
    mdl_path path;                 /* decoded segments */
    mdl_identity identity;         /* the caller; known is false on public
                                          routes */
    mdl_value *values;             /* one per row of route->params */
    mdl_member_value *members;     /* one per row of route->body */
    mdl_body_text body;            /* the body as it was sent */
    mdl_subject subject;           /* for the audit log; handlers fill it */
    struct mdl_audit_state *audit; /* mdl_audit.c's; NULL: nothing yet */
    uint64_t rows;                 /* rows of the answer, for quotas in
                                          rows; streams set it, for
                                          whole answers it is counted */
    struct mdl_idempotency *idempotency; /* mdl_idempotency.c's; NULL: no claim
                                            is to be answered */
    struct mdl_quota_ticket *quota;    /* mdl_quota.c's; NULL: neither rows nor
                                          bytes are limited */
    const char *lacking;               /* right that a Require missed, in
                                          r->pool; NULL: none */
    unsigned format;                   /* the one bit of mdl_format to answer */
    apr_time_t deadline;               /* when the request must have ended */
    struct mdl_problem_state *problem; /* mdl_problem.c's; NULL: none named */
    char id[MDL_REQUEST_ID_TEXT];      /* X-Request-Id and request_id */
} mdl_request;

/* Make the structure of R, of a server whose DataLakeEngine is on, and keep it
 * there; SITE may be NULL before the site is made.  Every request of such a
 * server has one, ours or not, because every answer has an id. */
mdl_request *mdl_request_create(request_rec *r, const struct mdl_site *site);

/* Return the structure of R, or NULL: another server's, or httpd gave up on
 * the request before it could be made. */
mdl_request *mdl_request_peek(request_rec *r);

/* Return the request of R when its path names a route of ours, else NULL. */
mdl_request *mdl_request_get(request_rec *r);

/* Return the text of the segment that fills {NAME} of Q's template; "" when
 * there is no such name. */
const char *mdl_request_segment(const mdl_request *q, const char *name);

#endif
