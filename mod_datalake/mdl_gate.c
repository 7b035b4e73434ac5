/* mdl_gate.c - Routing, access decision and checks before a handler.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_gate.h"

#include <limits.h>
#include <string.h>

#include <httpd.h>

#include <http_core.h>
#include <http_protocol.h>

#include <apr_strings.h>

#include "mdl_answer.h"
#include "mdl_audit.h"
#include "mdl_auth.h"
#include "mdl_body.h"
#include "mdl_config.h"
#include "mdl_cors.h"
#include "mdl_format.h"
#include "mdl_framing.h"
#include "mdl_grant.h"
#include "mdl_idempotency.h"
#include "mdl_metrics.h"
#include "mdl_param.h"
#include "mdl_problem.h"
#include "mdl_quota.h"
#include "mdl_request.h"
#include "mdl_site.h"

int mdl_gate_read(request_rec *r)
{
    mdl_request *q;

    if (mdl_config_get(r->server)->engine != 1) {
        return DECLINED;
    }
    q = mdl_request_create(r, mdl_site_get(r->server));
    r->log_id = q->id;
    apr_table_setn(r->err_headers_out, "X-Request-Id", q->id);
    return mdl_framing_check(q);
}

/* --- Route ---------------------------------------------------------------- */

static int refuse_method(mdl_request *q)
{
    return mdl_problem(q, MDL_PROBLEM_METHOD_NOT_ALLOWED,
                       "%s is not a method of this resource.", q->r->method);
}

/* The request of R for routing; an ErrorDocument that names a route of ours
 * arrives here as a request of its own, under the id of the first. */
static mdl_request *request_for_route(request_rec *r)
{
    mdl_request *q = mdl_request_peek(r);
    mdl_request *first;

    if (q != NULL || r->prev == NULL) {
        return q;
    }
    first = mdl_request_peek(r->prev);
    if (first == NULL) {
        return NULL;
    }
    q = mdl_request_create(r, first->site);
    memcpy(q->id, first->id, sizeof q->id);
    return q;
}

static int route_unknown(mdl_request *q, mdl_path_verdict verdict)
{
    if (q->r->method_number == M_TRACE) {
        return refuse_method(q);
    }
    /* httpd decodes what we decline, and answers 400 or 404 itself. */
    if (verdict == MDL_PATH_MALFORMED) {
        return mdl_problem(q, MDL_PROBLEM_MALFORMED_REQUEST,
                           "The path holds a %% that begins no escape.");
    }
    return DECLINED;
}

int mdl_gate_route(request_rec *r)
{
    mdl_request *q = request_for_route(r);
    mdl_path_verdict verdict;

    if (q == NULL || r->main != NULL || r->proxyreq != PROXYREQ_NONE) {
        return DECLINED;
    }
    verdict = mdl_path_split(&q->path, r->uri, r->pool);
    if (verdict == MDL_PATH_OK) {
        q->resource = mdl_route_find(&q->path);
    }
    if (q->resource == NULL) {
        return route_unknown(q, verdict);
    }
    if (q->site == NULL || !q->site->open) {
        return mdl_problem(q, MDL_PROBLEM_OVERLOADED,
                           "This process could not be started.");
    }
    r->filename = r->uri;
    r->handler = "datalake";
    mdl_cors_apply(r);
    q->route = mdl_route_method(q->resource, r->method_number);
    if (q->route == NULL && r->method_number != M_OPTIONS) {
        return refuse_method(q);
    }
    return DONE;
}

int mdl_gate_claim(request_rec *r)
{
    return mdl_request_get(r) != NULL ? OK : DECLINED;
}

/* Whether R is left to httpd, in a server where the module is on. */
static bool is_foreign(request_rec *r)
{
    return mdl_config_get(r->server)->engine == 1 && r->main == NULL &&
           mdl_request_get(r) == NULL && r->proxyreq == PROXYREQ_NONE;
}

int mdl_gate_fileless(request_rec *r)
{
    const char *segment = r->uri;

    if (!is_foreign(r) || segment == NULL) {
        return DECLINED;
    }
    if (strlen(ap_document_root(r)) + strlen(segment) >= PATH_MAX) {
        return HTTP_NOT_FOUND;
    }
    while (segment != NULL && *segment != '\0') {
        if (strcspn(segment + 1, "/") > NAME_MAX) {
            return HTTP_NOT_FOUND;
        }
        segment = strchr(segment + 1, '/');
    }
    return DECLINED;
}

/* --- Access --------------------------------------------------------------- */

static bool may_scrape(const mdl_request *q)
{
    const mdl_config *config = q->site->config;
    int i;

    for (i = 0; i < config->n_metrics_allow; i++) {
        if (apr_ipsubnet_test(config->metrics_allow[i], q->r->useragent_addr) !=
            0) {
            return true;
        }
    }
    return false;
}

/* Who is calling, where the class of the row wants to know. */
static int identify(mdl_request *q)
{
    switch (q->route->class) {
    case MDL_CLASS_PUBLIC:
        return OK;
    case MDL_CLASS_SCRAPER:
        return !mdl_auth_has_credentials(q) && may_scrape(q)
                   ? OK
                   : mdl_auth_identify(q);
    case MDL_CLASS_ANONYMOUS:
        return mdl_auth_has_credentials(q) || !mdl_grant_is_open(q)
                   ? mdl_auth_identify(q)
                   : OK;
    case MDL_CLASS_USER:
    case MDL_CLASS_READ:
    case MDL_CLASS_WRITE:
    case MDL_CLASS_READ_OR_AUDITOR:
    case MDL_CLASS_AUDITOR:
    case MDL_CLASS_ADMIN:
    case MDL_CLASS_NONE:
        break;
    }
    return mdl_auth_identify(q);
}

int mdl_gate_access(request_rec *r)
{
    mdl_request *q = mdl_request_get(r);
    int status;

    if (q == NULL) {
        return DECLINED;
    }
    if (q->route == NULL) { /* OPTIONS */
        return OK;
    }
    status = mdl_quota_take(q, identify(q));
    if (status == OK) {
        status = mdl_param_parse_resource(q);
    }
    return status == OK ? mdl_grant_decide(q) : status;
}

/* --- Handler -------------------------------------------------------------- */

static int answer_options(mdl_request *q)
{
    request_rec *r = q->r;

    (void)ap_discard_request_body(r);
    r->status = HTTP_NO_CONTENT;
    r->content_type = NULL;
    apr_table_setn(r->headers_out, "Allow", q->resource->allow);
    mdl_cors_preflight(q);
    return OK;
}

static int check_format(mdl_request *q)
{
    if (q->format == 0) {
        q->format = mdl_format_choose(
            q->route->formats, apr_table_get(q->r->headers_in, "Accept"));
    }
    if (q->format != 0) {
        return OK;
    }
    return mdl_problem(q, MDL_PROBLEM_NOT_ACCEPTABLE,
                       "Accept excludes every format of this resource.");
}

static int check_body(mdl_request *q)
{
    if (q->route->body != NULL) {
        return mdl_body_parse(q);
    }
    if (!mdl_framing_has_body(q->r)) {
        return OK;
    }
    if (q->r->connection->master != NULL) {
        /* mod_http2 resets a stream whose body was not read, at times before
         * the answer has gone out.  LimitRequestBody bounds what is read. */
        (void)ap_discard_request_body(q->r);
    }
    return mdl_problem(q, MDL_PROBLEM_UNEXPECTED_BODY,
                       "This resource takes no body with %s.", q->r->method);
}

/* Let the row's handler answer, or give the answer of a former request with
 * the same Idempotency-Key. */
static int answer(mdl_request *q)
{
    bool done;
    int status = mdl_idempotency_begin(&done, q);

    if (status != OK || done) {
        return status;
    }
    status = q->route->handler(q);
    mdl_idempotency_end(q);
    return status;
}

int mdl_gate_handle(request_rec *r)
{
    mdl_request *q = mdl_request_get(r);
    int status;

    if (q == NULL) {
        return DECLINED;
    }
    if (q->route == NULL) {
        return answer_options(q);
    }
    q->deadline = r->request_time +
                  apr_time_from_sec(mdl_config_get(r->server)->read_limit_s);
    status = mdl_param_parse(q);
    if (status == OK) {
        status = check_format(q);
    }
    if (status == OK) {
        status = check_body(q);
    }
    if (status == OK) {
        status = mdl_audit_reserve(q);
    }
    return status == OK ? answer(q) : status;
}

int mdl_gate_miss(request_rec *r)
{
    /* httpd names a handler by the file's type when nobody has. */
    bool by_default = r->handler == NULL || strchr(r->handler, '/') != NULL ||
                      AP_IS_DEFAULT_HANDLER_NAME(r->handler);

    if (!is_foreign(r) || r->finfo.filetype != APR_NOFILE || !by_default) {
        return DECLINED;
    }
    mdl_cors_apply(r);
    mdl_framing_leave_body(r);
    return HTTP_NOT_FOUND;
}

/* --- After the answer ----------------------------------------------------- */

int mdl_gate_log(request_rec *r)
{
    mdl_request *q = mdl_request_get(r);
    mdl_metrics_request finished = {.route = -1};

    if (q == NULL) {
        /* Another's, which may stand behind our Require. */
        q = mdl_request_peek(r);
        if (q != NULL) {
            mdl_audit_finish(q);
        }
        return DECLINED;
    }
    mdl_audit_finish(q);
    finished.route = mdl_route_index(q->resource->routes[0]);
    if (q->route != NULL) {
        finished.route = mdl_route_index(q->route);
    }
    finished.method = r->method;
    finished.status = r->status;
    finished.duration_us = apr_time_now() - r->request_time;
    finished.bytes = r->bytes_sent > 0 ? (uint64_t)r->bytes_sent : 0;
    mdl_metrics_finish(&finished);
    mdl_quota_finish(q, finished.bytes);
    return OK;
}
