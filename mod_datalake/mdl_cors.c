/* mdl_cors.c - Headers for pages of listed origins.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_cors.h"

#include <string.h>

#include <httpd.h>

#include <apr_tables.h>

#include "mdl_config.h"

/* Contract 1.6. */
#define EXPOSED                                                                \
    "ETag, Link, Location, Retry-After, RateLimit, RateLimit-Policy, "         \
    "X-Request-Id"

/* What a page may send beside the headers every page may. */
#define SENT                                                                   \
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, "  \
    "Prefer"

/* How long a browser remembers a preflight, in seconds. */
#define REMEMBERED "600"

const char *mdl_cors_origin(const request_rec *r)
{
    const apr_array_header_t *origins = mdl_config_get(r->server)->cors_origins;
    const char *origin = apr_table_get(r->headers_in, "Origin");
    int i;

    for (i = 0; origin != NULL && origins != NULL && i < origins->nelts; i++) {
        const char *listed = APR_ARRAY_IDX(origins, i, const char *);

        if (strcmp(listed, origin) == 0) {
            return listed;
        }
    }
    return NULL;
}

void mdl_cors_apply(request_rec *r)
{
    const apr_array_header_t *origins = mdl_config_get(r->server)->cors_origins;
    apr_table_t *out = r->err_headers_out;
    const char *origin = mdl_cors_origin(r);

    if (origins == NULL || origins->nelts == 0) {
        return;
    }
    /* Also without Origin: a cache must not give that answer to a page. */
    apr_table_mergen(out, "Vary", "Origin");
    if (origin != NULL) {
        apr_table_setn(out, "Access-Control-Allow-Origin", origin);
        apr_table_setn(out, "Access-Control-Expose-Headers", EXPOSED);
    }
}

void mdl_cors_preflight(mdl_request *q)
{
    request_rec *r = q->r;

    if (mdl_cors_origin(r) == NULL ||
        apr_table_get(r->headers_in, "Access-Control-Request-Method") == NULL) {
        return;
    }
    apr_table_unset(r->err_headers_out, "Access-Control-Expose-Headers");
    apr_table_setn(r->err_headers_out, "Access-Control-Allow-Methods",
                   q->resource->allow);
    apr_table_setn(r->err_headers_out, "Access-Control-Allow-Headers", SENT);
    apr_table_setn(r->err_headers_out, "Access-Control-Max-Age", REMEMBERED);
}
