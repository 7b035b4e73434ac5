/* mdl_framing.c - Refusing what httpd would let pass.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_framing.h"

#include <string.h>
#include <strings.h>

#include <httpd.h>

#include <http_config.h>
#include <http_protocol.h>
#include <http_vhost.h>

#include <apr_strings.h>

#include "mdl_body.h"
#include "mdl_problem.h"

bool mdl_framing_has_body(const request_rec *r)
{
    const char *length = apr_table_get(r->headers_in, "Content-Length");

    return apr_table_get(r->headers_in, "Transfer-Encoding") != NULL ||
           (length != NULL && strspn(length, "0") != strlen(length));
}

void mdl_framing_leave_body(request_rec *r)
{
    const char *length = apr_table_get(r->headers_in, "Content-Length");
    apr_off_t announced = 0;
    bool far = apr_table_get(r->headers_in, "Transfer-Encoding") != NULL;

    if (!far && length != NULL) {
        far = !ap_parse_strict_length(&announced, length) ||
              announced > MDL_BODY_LARGE;
    }
    if (far && r->connection->master == NULL) {
        r->connection->keepalive = AP_CONN_CLOSE;
    }
}

/* A request of HTTP/2 hangs under the connection that carries its stream. */
static bool version_is_known(const request_rec *r)
{
    if (r->connection->master != NULL) {
        return true;
    }
    return !r->assbackwards && (r->proto_num == HTTP_VERSION(1, 0) ||
                                r->proto_num == HTTP_VERSION(1, 1));
}

/* httpd has already dropped the Content-Length of a request that had both;
 * the mark it leaves is a connection that must close before any answer. */
static bool is_framed_twice(const request_rec *r)
{
    return apr_table_get(r->headers_in, "Transfer-Encoding") != NULL &&
           (r->connection->keepalive == AP_CONN_CLOSE ||
            apr_table_get(r->headers_in, "Content-Length") != NULL);
}

/* Whether R's absolute form, if it has one, names this server. */
static bool host_is_ours(request_rec *r)
{
    const char *host = r->parsed_uri.hostname;
    apr_port_t port = r->connection->local_addr->port;

    if (r->parsed_uri.scheme != NULL &&
        strcasecmp(r->parsed_uri.scheme, "http") != 0 &&
        strcasecmp(r->parsed_uri.scheme, "https") != 0) {
        return false;
    }
    if (host == NULL || r->connection->master != NULL) {
        return true;
    }
    return strcasecmp(host, "localhost") == 0 ||
           (r->connection->local_ip != NULL &&
            strcmp(host, r->connection->local_ip) == 0) ||
           ap_matches_request_vhost(r, host, port);
}

static bool method_is_known(const request_rec *r)
{
    switch (r->method_number) {
    case M_GET:
    case M_POST:
    case M_PUT:
    case M_PATCH:
    case M_DELETE:
    case M_OPTIONS:
    case M_TRACE:
        return true;
    default:
        return false;
    }
}

static int refuse(mdl_request *q, mdl_slug slug, const char *sentence)
{
    q->r->connection->keepalive = AP_CONN_CLOSE;
    return mdl_problem(q, slug, "%s", sentence);
}

int mdl_framing_check(mdl_request *q)
{
    request_rec *r = q->r;

    if (!version_is_known(r)) {
        r->assbackwards = 0;
        return refuse(q, MDL_PROBLEM_HTTP_VERSION,
                      "The server speaks HTTP/1.0, HTTP/1.1 and, over TLS, "
                      "HTTP/2.");
    }
    if (is_framed_twice(r)) {
        return refuse(q, MDL_PROBLEM_MALFORMED_REQUEST,
                      "A request has Content-Length or Transfer-Encoding, not "
                      "both.");
    }
    if (!host_is_ours(r)) {
        return refuse(q, MDL_PROBLEM_MALFORMED_REQUEST,
                      "The request line names another host.");
    }
    if (!method_is_known(r)) {
        return mdl_problem(q, MDL_PROBLEM_METHOD_NOT_IMPLEMENTED, "%s",
                           "The server knows " MDL_FRAMING_METHODS ".");
    }
    return OK;
}
