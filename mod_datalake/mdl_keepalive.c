/* mdl_keepalive.c - Taking "Connection: close" out of the head of a problem.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_keepalive.h"

#include <string.h>

#include <httpd.h>

#include <http_config.h>
#include <http_core.h>
#include <http_protocol.h>
#include <util_filter.h>

#include "mdl_brigade.h"
#include "mdl_framing.h"
#include "mdl_problem_body.h"

/* A head of ours is far shorter; a longer one is sent as it is. */
#define HEAD_MAX 16384

static ap_filter_rec_t *filter;

/* Take the LEN bytes at FROM out of the text TEXT. */
static void cut(char *from, size_t len)
{
    memmove(from, from + len, strlen(from + len) + 1);
}

/* Take "close" out of HEAD; false when it is not where we expect it. */
static bool edit_head(char *head)
{
    static const char alone[] = "\r\nConnection: close\r\n";
    static const char behind[] = ", close\r\n";
    char *line = strstr(head, alone);
    char *end;

    if (line != NULL) {
        cut(line, sizeof alone - 3);
        return true;
    }
    line = strstr(head, "\r\nConnection: ");
    end = line == NULL ? NULL : strstr(line + 2, "\r\n");
    if (end == NULL || end - line < (long)sizeof behind ||
        strncmp(end - 7, behind, sizeof behind - 1) != 0) {
        return false;
    }
    cut(end - 7, 7);
    return true;
}

/* The head comes alone, in the first brigade that has any bytes. */
static apr_status_t filter_head(ap_filter_t *f, apr_bucket_brigade *bb)
{
    request_rec *r = f->r;
    apr_size_t len = HEAD_MAX;
    char *head;

    if (mdl_brigade_is_empty(bb)) {
        return APR_SUCCESS;
    }
    ap_remove_output_filter(f);
    head = apr_palloc(r->pool, HEAD_MAX + 1);
    if (apr_brigade_flatten(bb, head, &len) == APR_SUCCESS && len > 0 &&
        len < HEAD_MAX) {
        head[len] = '\0';
        if (strlen(head) == len && edit_head(head)) {
            mdl_brigade_drop_data(bb);
            mdl_brigade_prepend(bb, apr_bucket_pool_create(head, strlen(head),
                                                           r->pool,
                                                           f->c->bucket_alloc));
            r->connection->keepalive = AP_CONN_KEEPALIVE;
        }
    }
    return ap_pass_brigade(f->next, bb);
}

/* Whether Q's problem says nothing about where the next request begins. */
static bool is_safe(const mdl_request *q)
{
    const request_rec *r = q->r;

    if (q->problem == NULL || q->resource == NULL ||
        r->connection->master != NULL || r->proto_num != HTTP_VERSION(1, 1) ||
        mdl_framing_has_body(r)) {
        return false;
    }
    switch (r->status) {
    case HTTP_BAD_REQUEST:
        return q->problem->slug == MDL_PROBLEM_INVALID_PARAMETER;
    case HTTP_INTERNAL_SERVER_ERROR:
    case HTTP_SERVICE_UNAVAILABLE:
        return true;
    default:
        return false; /* httpd keeps it, or has its reasons */
    }
}

void mdl_keepalive_apply(mdl_request *q)
{
    request_rec *r = q->r;
    int status = r->status;
    int kept;

    if (!is_safe(q)) {
        return;
    }
    r->connection->keepalive = AP_CONN_UNKNOWN;
    r->status = HTTP_OK;
    kept = ap_set_keepalive(r);
    r->status = status;
    if (kept) {
        ap_add_output_filter_handle(filter, NULL, r, r->connection);
    }
}

void mdl_keepalive_register(void)
{
    filter = ap_register_output_filter("DATALAKE_KEEPALIVE", filter_head, NULL,
                                       AP_FTYPE_TRANSCODE);
}
