/* mdl_route.c - Preparing the table of routes and finding a path in it.
 *
 * Rows of one template become one resource.  Resources are kept by number of
 * segments, those with more literal segments first, so the first one that
 * matches is the right one.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_route.h"

#include <string.h>

#include <httpd.h>

#include <apr_strings.h>
#include <apr_tables.h>

#include "mdl_api.h"
#include "mdl_grant.h"

/* Resources by number of segments; written by mdl_route_compile alone. */
static apr_array_header_t *resources_of[MDL_PATH_SEGMENTS + 1];
static const char **templates;

static const struct {
    unsigned bit;      /* of mdl_method */
    int number;        /* httpd's M_... */
    const char *allow; /* as Allow names it */
} methods[] = {{MDL_METHOD_GET, M_GET, "GET, HEAD"},
               {MDL_METHOD_POST, M_POST, "POST"},
               {MDL_METHOD_PUT, M_PUT, "PUT"},
               {MDL_METHOD_PATCH, M_PATCH, "PATCH"},
               {MDL_METHOD_DELETE, M_DELETE, "DELETE"}};

#define N_METHODS (sizeof methods / sizeof methods[0])

static bool is_parameter(const char *segment)
{
    return segment[0] == '{';
}

static bool segment_matches(const char *want, const mdl_segment *got)
{
    if (!is_parameter(want)) {
        return strcmp(want, got->text) == 0;
    }
    return !got->slash || strcmp(want, "{pair}") == 0;
}

static bool resource_matches(const mdl_resource *resource, const mdl_path *path)
{
    int i;

    for (i = 0; i < path->n; i++) {
        if (!segment_matches(resource->segments[i], &path->segment[i])) {
            return false;
        }
    }
    return true;
}

const mdl_resource *mdl_route_find(const mdl_path *path)
{
    const apr_array_header_t *list = resources_of[path->n];
    int i;

    for (i = 0; list != NULL && i < list->nelts; i++) {
        const mdl_resource *resource =
            APR_ARRAY_IDX(list, i, const mdl_resource *);

        if (resource_matches(resource, path)) {
            return resource;
        }
    }
    return NULL;
}

const mdl_route *mdl_route_method(const mdl_resource *resource, int method)
{
    unsigned wanted = 0;
    size_t m;
    int i;

    for (m = 0; m < N_METHODS; m++) {
        if (methods[m].number == method) {
            wanted = methods[m].bit;
        }
    }
    for (i = 0; i < resource->n_routes; i++) {
        if ((resource->routes[i]->methods & wanted) != 0) {
            return resource->routes[i];
        }
    }
    return NULL;
}

int mdl_route_index(const mdl_route *route)
{
    return route == NULL ? -1 : (int)(route - mdl_route_table);
}

const char *const *mdl_route_templates(void)
{
    return templates;
}

/* --- Preparing ------------------------------------------------------------ */

static const char *allow_of(unsigned bits, apr_pool_t *pool)
{
    const char *allow = "";
    size_t m;

    for (m = 0; m < N_METHODS; m++) {
        if ((bits & methods[m].bit) != 0) {
            allow = apr_pstrcat(pool, allow, methods[m].allow, ", ", NULL);
        }
    }
    return apr_pstrcat(pool, allow, "OPTIONS", NULL);
}

static bool has_parameter(const mdl_resource *resource, const char *name)
{
    size_t len = strlen(name);
    int i;

    for (i = 0; i < resource->n_segments; i++) {
        const char *segment = resource->segments[i];

        if (is_parameter(segment) && strncmp(segment + 1, name, len) == 0 &&
            strcmp(segment + 1 + len, "}") == 0) {
            return true;
        }
    }
    return false;
}

static dl_status check_row(const mdl_route *row, const mdl_resource *resource,
                           dl_error *err)
{
    const mdl_param *param;

    if (row->class == MDL_CLASS_NONE || row->handler == NULL ||
        row->formats == 0) {
        return dl_fail(err, DL_INTERNAL, 0,
                       "route %s lacks class, handler or format",
                       row->template);
    }
    if (!mdl_grant_row_ok(row)) {
        return dl_fail(
            err, DL_INTERNAL, 0, "route %s: '%s' is not what its class needs",
            row->template, row->resource != NULL ? row->resource : "");
    }
    for (param = row->params; param != NULL && param->name != NULL; param++) {
        if (param->in_path && !has_parameter(resource, param->name)) {
            return dl_fail(err, DL_INTERNAL, 0, "route %s has no {%s}",
                           row->template, param->name);
        }
    }
    return DL_OK;
}

/* Fill RESOURCE with the segments of its template. */
static void split_template(mdl_resource *resource, apr_pool_t *pool)
{
    const char **segments =
        apr_pcalloc(pool, sizeof *segments * (MDL_PATH_SEGMENTS + 1));
    const char *at = resource->template;

    resource->segments = segments;
    while (*at == '/' && resource->n_segments < MDL_PATH_SEGMENTS) {
        size_t len = strcspn(++at, "/");

        if (len > 0) {
            const char *text = apr_pstrmemdup(pool, at, len);

            resource->n_literal += is_parameter(text) ? 0 : 1;
            segments[resource->n_segments++] = text;
        }
        at += len;
    }
}

/* Insert RESOURCE before the first one with fewer literal segments. */
static void insert_resource(const mdl_resource *resource, apr_pool_t *pool)
{
    apr_array_header_t **list = &resources_of[resource->n_segments];
    int i;

    if (*list == NULL) {
        *list = apr_array_make(pool, 8, sizeof(const mdl_resource *));
    }
    APR_ARRAY_PUSH(*list, const mdl_resource *) = resource;
    for (i = (*list)->nelts - 1;
         i > 0 && APR_ARRAY_IDX(*list, i - 1, const mdl_resource *)->n_literal <
                      resource->n_literal;
         i--) {
        APR_ARRAY_IDX(*list, i, const mdl_resource *) =
            APR_ARRAY_IDX(*list, i - 1, const mdl_resource *);
        APR_ARRAY_IDX(*list, i - 1, const mdl_resource *) = resource;
    }
}

/* Whether a row before FIRST has the same template. */
static bool is_known(int first)
{
    int i;

    for (i = 0; i < first; i++) {
        if (strcmp(mdl_route_table[i].template,
                   mdl_route_table[first].template) == 0) {
            return true;
        }
    }
    return false;
}

/* Make the resource whose first row is FIRST. */
static dl_status add_resource(int first, dl_error *err, apr_pool_t *pool)
{
    mdl_resource *resource = apr_pcalloc(pool, sizeof *resource);
    const mdl_route **rows =
        apr_pcalloc(pool, sizeof *rows * (size_t)mdl_route_count);
    unsigned bits = 0;
    int i;

    resource->template = mdl_route_table[first].template;
    resource->routes = rows;
    split_template(resource, pool);
    for (i = first; i < mdl_route_count; i++) {
        const mdl_route *row = &mdl_route_table[i];

        if (strcmp(row->template, resource->template) != 0) {
            continue;
        }
        DL_TRY(check_row(row, resource, err));
        if ((bits & row->methods) != 0) {
            return dl_fail(err, DL_INTERNAL, 0,
                           "route %s has two rows for one method",
                           row->template);
        }
        bits |= row->methods;
        rows[resource->n_routes++] = row;
    }
    resource->allow = allow_of(bits, pool);
    insert_resource(resource, pool);
    return DL_OK;
}

dl_status mdl_route_compile(dl_error *err, apr_pool_t *pool)
{
    int i;

    memset(resources_of, 0, sizeof resources_of);
    templates = apr_palloc(pool, sizeof *templates * (size_t)mdl_route_count);
    for (i = 0; i < mdl_route_count; i++) {
        templates[i] = mdl_route_table[i].template;
        if (!is_known(i)) {
            DL_TRY(add_resource(i, err, pool));
        }
    }
    return DL_OK;
}
