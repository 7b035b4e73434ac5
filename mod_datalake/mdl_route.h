/* mdl_route.h - The one table of routes, and how a path finds its row.
 *
 * A row of mdl_route_table.c is one operation: methods, path template, access
 * class, what is accessed, formats, quota cost, parameters, body, handler,
 * words.  Routing, 405 with Allow, parameter and body checks, the access
 * decision, the route label of /metrics and the OpenAPI description come from
 * this table and from nowhere else.
 *
 * A template is written with a final slash or without; both are served.  A
 * segment in braces, {slug}, matches any one segment; a literal one wins over
 * it.  Only {pair} may hold a decoded slash.
 *
 *   ROUTE(GET, "/api/audit/version/", READ, "{dataset}/{date}", F, 1,
 *         mdl_api_version_params, NULL, mdl_api_version, "day-version"),
 *
 * ROUTE pastes METHODS, CLASS and FORMATS onto their prefixes, so a row
 * without a class does not compile; a row of class 0 would be refused anyway.
 *
 * Thread: the table is made at start and never changes; any thread reads it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_ROUTE_H
#define MDL_ROUTE_H

#include <stdbool.h>

#include <apr_pools.h>

#include "dl_error.h"
#include "mdl_body.h"
#include "mdl_param.h"
#include "mdl_path.h"

struct mdl_request;

/* Methods of a row; a set of bits.  GET answers HEAD too, OPTIONS is answered
 * by the gate. */
enum mdl_method {
    MDL_METHOD_GET = 1,    /* GET and HEAD */
    MDL_METHOD_POST = 2,   /* POST */
    MDL_METHOD_PUT = 4,    /* PUT */
    MDL_METHOD_PATCH = 8,  /* PATCH */
    MDL_METHOD_DELETE = 16 /* DELETE */
};

/* Who may call a row. */
typedef enum mdl_class {
    MDL_CLASS_NONE = 0,  /* nobody: a row that forgot its class */
    MDL_CLASS_PUBLIC,    /* anyone; a token that is sent is not looked at */
    MDL_CLASS_ANONYMOUS, /* anyone; a token that is sent must be valid */
    MDL_CLASS_USER,      /* any valid token of an active account */
    MDL_CLASS_READ,      /* a grant that lets read the row's resource */
    MDL_CLASS_WRITE,     /* a grant that lets write it */
    MDL_CLASS_READ_OR_AUDITOR, /* such a grant to read, or role auditor */
    MDL_CLASS_AUDITOR,         /* role auditor or admin */
    MDL_CLASS_ADMIN,           /* role admin */
    MDL_CLASS_SCRAPER /* role admin, or no token from DataLakeMetricsAllow */
} mdl_class;

/* Representations of a row; a set of bits.  The first of this order that the
 * client accepts is taken when it has no preference. */
enum mdl_format {
    MDL_FORMAT_JSON = 1,    /* application/json */
    MDL_FORMAT_NDJSON = 2,  /* application/x-ndjson */
    MDL_FORMAT_CSV = 4,     /* text/csv; header=present */
    MDL_FORMAT_TEXT = 8,    /* text/plain, for Prometheus */
    MDL_FORMAT_ANY = 16,    /* no content to choose (a redirect) */
    MDL_FORMAT_EVENTS = 32, /* text/event-stream */
    MDL_FORMAT_F = 7        /* a route marked F: JSON, NDJSON, CSV */
};

/* Parse what is special, do, answer.  Runs after the gate: the method, the
 * caller, every parameter and the format are checked.  Returns OK when an
 * answer was given (mdl_answer.h), or the HTTP status that mdl_problem() or
 * mdl_http_fail() returned. */
typedef int mdl_handler(struct mdl_request *q);

/* One operation. */
typedef struct mdl_route {
    unsigned methods;        /* bits of mdl_method */
    const char *template;    /* path, "/problems/{slug}" */
    mdl_class class;         /* who may call it */
    const char *resource;    /* what is accessed, in the grammar of grants;
                                {name} stands for the parameter of that name,
                                which is marked resource; "|table" behind it
                                means or its table, " + " between two means
                                both (mdl_grant.h).  NULL: nothing */
    unsigned formats;        /* bits of mdl_format */
    unsigned cost;           /* units of quota one call takes; 0: not counted */
    const mdl_param *params; /* ends in a row without name; NULL: none */
    const mdl_body *body;    /* what it takes; NULL: no body */
    mdl_handler *handler;    /* what answers */
    const char *doc;         /* key of its words in openapi/; rows of aliases
                                share one */
} mdl_route;

/* A row of the table. */
#define MDL_ROUTE(methods_, template_, class_, resource_, formats_, cost_,     \
                  params_, body_, handler_, doc_)                              \
    {                                                                          \
        MDL_METHOD_##methods_, template_, MDL_CLASS_##class_, resource_,       \
            MDL_FORMAT_##formats_, cost_, params_, body_, handler_, doc_       \
    }

/* The rows, in order of the contract; mdl_route_count of them. */
extern const mdl_route mdl_route_table[];

/* How many rows mdl_route_table has. */
extern const int mdl_route_count;

/* All rows that share one template. */
typedef struct mdl_resource {
    const char *template;           /* their template */
    const char *allow;              /* value of Allow: "GET, HEAD, OPTIONS" */
    int n_segments;                 /* segments of the template */
    const char *const *segments;    /* each one: literal text, or "{name}" */
    int n_literal;                  /* how many are literal */
    int n_routes;                   /* rows */
    const mdl_route *const *routes; /* the rows */
} mdl_resource;

/* Prepare the table for mdl_route_find; everything lives in POOL.
 * DL_INTERNAL: a row without class or handler, two rows for one method and
 * template, or parameters that name no segment.  Thread: start only. */
DL_MUSTCHECK dl_status mdl_route_compile(dl_error *err, apr_pool_t *pool);

/* Return the resource PATH names, or NULL.  Thread: any. */
const mdl_resource *mdl_route_find(const mdl_path *path);

/* Return RESOURCE's row for the httpd method number METHOD, or NULL: 405.
 * Thread: any. */
const mdl_route *mdl_route_method(const mdl_resource *resource, int method);

/* Return the index of ROUTE in mdl_route_table, the route of /metrics; -1 for
 * NULL.  Thread: any. */
int mdl_route_index(const mdl_route *route);

/* Return the templates of all rows by index, for mdl_metrics_render.
 * Thread: any, after mdl_route_compile. */
const char *const *mdl_route_templates(void);

#endif
