/* mdl_filter_error.c - Replacing httpd's error page by a problem.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_filter_error.h"

#include <httpd.h>

#include <http_config.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_core.h>
#include <util_filter.h>

#include "dl_buf.h"
#include "mdl_audit.h"
#include "mdl_brigade.h"
#include "mdl_config.h"
#include "mdl_framing.h"
#include "mdl_keepalive.h"
#include "mdl_problem.h"
#include "mdl_problem_body.h"
#include "mdl_request.h"
#include "mdl_require.h"
#include "mdl_site.h"

/* More than a problem with all its errors ever needs. */
#define BODY_MAX 65536

static ap_filter_rec_t *filter;

/* httpd has put its own idea of Allow there. */
static void set_allow(request_rec *r, const mdl_request *q)
{
    if (r->status == HTTP_NOT_IMPLEMENTED) {
        apr_table_setn(r->headers_out, "Allow", MDL_FRAMING_METHODS);
    }
    else if (r->status == HTTP_METHOD_NOT_ALLOWED) {
        apr_table_setn(r->headers_out, "Allow",
                       q->resource != NULL ? q->resource->allow
                                           : "GET, HEAD, OPTIONS");
    }
}

static void set_headers(request_rec *r, const mdl_request *q)
{
    ap_set_content_type(r, "application/problem+json");
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    apr_table_setn(r->headers_out, "X-Request-Id", q->id);
    apr_table_unset(r->headers_out, "ETag");
    apr_table_unset(r->headers_out, "Last-Modified");
    set_allow(r, q);
}

/* Put the body of Q's problem in front of BB. */
static void put_body(mdl_request *q, apr_bucket_brigade *bb)
{
    request_rec *r = q->r;
    dl_buf *body = dl_buf_create(BODY_MAX, r->pool);

    if (!mdl_audit_admit(q, r->status)) {
        r->status = mdl_problem(q, MDL_PROBLEM_STORAGE_FULL,
                                "There is no room for the audit entry.");
        r->status_line = NULL;
    }
    if (r->status != mdl_require_explain(q, r->status)) {
        r->status = HTTP_FORBIDDEN;
        r->status_line = NULL;
    }
    set_headers(r, q);
    if (!mdl_problem_write(body, r->status, q->problem, q->id)) {
        ap_set_content_length(r, 0);
        return;
    }
    mdl_audit_answer(q, r->status, (apr_off_t)body->len);
    ap_set_content_length(r, (apr_off_t)body->len);
    mdl_brigade_prepend(bb, apr_bucket_pool_create(body->data, body->len,
                                                   r->pool, bb->bucket_alloc));
    mdl_keepalive_apply(q);
}

static apr_status_t filter_problem(ap_filter_t *f, apr_bucket_brigade *bb)
{
    request_rec *r = f->r;
    mdl_request *q = mdl_request_peek(r);

    mdl_brigade_drop_data(bb);
    if (f->ctx == NULL) {
        f->ctx = f;
        if (q == NULL) {
            q = mdl_request_create(r, mdl_site_get(r->server));
        }
        put_body(q, bb);
    }
    return mdl_brigade_is_empty(bb) ? APR_SUCCESS
                                    : ap_pass_brigade(f->next, bb);
}

void mdl_filter_error_insert(request_rec *r)
{
    const mdl_config *config = mdl_config_get(r->server);
    bool document_failed = r->next != NULL;

    if (config->engine != 1 || r->main != NULL ||
        !ap_is_HTTP_ERROR(r->status)) {
        return;
    }
    if (!document_failed &&
        ap_response_code_string(r, ap_index_of_response(r->status)) != NULL) {
        return;
    }
    ap_add_output_filter_handle(filter, NULL, r, r->connection);
}

void mdl_filter_error_register(void)
{
    mdl_keepalive_register();
    filter = ap_register_output_filter("DATALAKE_PROBLEM", filter_problem, NULL,
                                       AP_FTYPE_RESOURCE);
}
