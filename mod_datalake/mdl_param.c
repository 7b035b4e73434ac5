/* mdl_param.c - The query against the parameter table of a route.
 *
 * The query is walked twice: before the access check for the rows that name a
 * resource, behind it for the rest.  Most requests have no query at all.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_param.h"

#include <string.h>
#include <strings.h>

#include <httpd.h>

#include <apr_strings.h>

#include "mdl_format.h"
#include "mdl_header.h"
#include "mdl_problem.h"
#include "mdl_query.h"
#include "mdl_request.h"
#include "mdl_value.h"

/* How much of a wrong value is told back. */
#define ECHO_MAX 64

static int find_row(const mdl_param *params, const char *name)
{
    int i;

    for (i = 0; params != NULL && params[i].name != NULL; i++) {
        if (!params[i].in_path && params[i].type != MDL_PARAM_FILTERS &&
            (strcmp(params[i].name, name) == 0 ||
             (params[i].alias != NULL && strcmp(params[i].alias, name) == 0))) {
            return i;
        }
    }
    return -1;
}

/* Whether ROW is parsed before the access check: what may name a resource, as
 * a number, a UUID or an address cannot. */
static bool is_early(const mdl_param *row)
{
    return (row->in_path && row->type != MDL_PARAM_INT &&
            row->type != MDL_PARAM_UUID && row->type != MDL_PARAM_ADDRESS) ||
           row->resource;
}

/* VALUE as it may be told back: cut, and only when it is clean text. */
static const char *echo_of(const mdl_value *value, const char *fault,
                           apr_pool_t *pool)
{
    if (strcmp(fault, "not-utf-8") == 0) {
        return "got bytes that are not text";
    }
    if (value->len > ECHO_MAX) {
        return apr_psprintf(pool, "got %" APR_SIZE_T_FMT " bytes", value->len);
    }
    return apr_psprintf(pool, "got %s", value->text);
}

/* Judge the text of row I and keep its value. */
static void judge(mdl_request *q, int i)
{
    const mdl_param *row = &q->route->params[i];
    mdl_value *value = &q->values[i];
    const char *wanted = "";
    const char *fault = mdl_value_parse(value, &wanted, row, q->r->pool);

    if (fault == NULL) {
        return;
    }
    (void)mdl_problem(q, MDL_PROBLEM_INVALID_PARAMETER,
                      "Parameter %s must be %s.", row->name, wanted);
    mdl_problem_parameter(q, row->name, fault, "%s",
                          strcmp(fault, "empty") == 0
                              ? "got nothing"
                              : echo_of(value, fault, q->r->pool));
}

static void refuse(mdl_request *q, const char *name, const char *code,
                   const char *sentence)
{
    (void)mdl_problem(q, MDL_PROBLEM_INVALID_PARAMETER, "Parameter %s %s.",
                      name, sentence);
    mdl_problem_parameter(q, name, code, "%s", sentence);
}

/* Take PAIR for row I. */
static void take_pair(mdl_request *q, const mdl_query_pair *pair, int i)
{
    const mdl_param *row = &q->route->params[i];
    mdl_value *value = &q->values[i];

    if (value->sent) {
        refuse(q, row->name, "repeated", "may be given once");
        return;
    }
    value->sent = true;
    value->given = true;
    value->text = pair->value;
    value->len = pair->len;
    if (pair->broken) {
        refuse(q, row->name, "bad-escape",
               "holds a % that begins no escape, or a NUL");
        return;
    }
    judge(q, i);
}

/* Fill the rows of one stage that were not sent. */
static void fill_absent(mdl_request *q, bool early)
{
    const mdl_param *params = q->route->params;
    int i;

    for (i = 0; params != NULL && params[i].name != NULL; i++) {
        mdl_value *value = &q->values[i];

        if (is_early(&params[i]) != early || value->given ||
            params[i].type == MDL_PARAM_FILTERS) {
            continue;
        }
        if (params[i].required) {
            refuse(q, params[i].name, "required", "is required");
        }
        else if (params[i].fallback != NULL) {
            value->given = true;
            value->text = params[i].fallback;
            value->len = strlen(value->text);
            judge(q, i);
        }
    }
}

/* The status of what has been found so far. */
static int verdict(const mdl_request *q)
{
    return q->problem == NULL ? OK : HTTP_BAD_REQUEST;
}

/* --- Before the access check ---------------------------------------------- */

/* Judge the segments that are parsed early, or those that are not. */
static void take_segments(mdl_request *q, bool early)
{
    const mdl_param *params = q->route->params;
    int i;

    for (i = 0; params != NULL && params[i].name != NULL; i++) {
        if (params[i].in_path && is_early(&params[i]) == early) {
            q->values[i].sent = true;
            q->values[i].given = true;
            q->values[i].text = mdl_request_segment(q, params[i].name);
            q->values[i].len = strlen(q->values[i].text);
            judge(q, i);
        }
    }
}

static size_t count_rows(const mdl_param *params)
{
    size_t n = 0;

    while (params[n].name != NULL) {
        n++;
    }
    return n;
}

int mdl_param_parse_resource(mdl_request *q)
{
    const char *at = q->r->args;
    mdl_query_pair pair;
    int i;

    if (q->route->params == NULL) {
        return OK;
    }
    q->values = apr_pcalloc(q->r->pool,
                            sizeof *q->values * count_rows(q->route->params));
    take_segments(q, true);
    while (at != NULL && mdl_query_next(&pair, &at, q->r->pool)) {
        i = pair.name == NULL ? -1 : find_row(q->route->params, pair.name);
        if (i >= 0 && is_early(&q->route->params[i])) {
            take_pair(q, &pair, i);
        }
    }
    fill_absent(q, true);
    return verdict(q);
}

/* --- Behind the access check ---------------------------------------------- */

/* Whether Q asked that unknown parameters be ignored; says so if it did. */
static bool is_lenient(mdl_request *q)
{
    const char *prefer = apr_table_get(q->r->headers_in, "Prefer");

    if (prefer == NULL || !mdl_header_prefers(prefer, "handling=lenient")) {
        return false;
    }
    apr_table_setn(q->r->err_headers_out, "Preference-Applied",
                   "handling=lenient");
    return true;
}

/* Take format=; false when this route has no such parameter. */
static bool take_format(mdl_request *q, const mdl_query_pair *pair)
{
    if (strcmp(pair->name, "format") != 0 ||
        q->route->class == MDL_CLASS_PUBLIC ||
        (q->route->formats & MDL_FORMAT_JSON) == 0) {
        return false;
    }
    if (q->format != 0) {
        refuse(q, "format", "repeated", "may be given once");
        return true;
    }
    q->format = mdl_format_find(q->route->formats, pair->value);
    if (q->format == 0) {
        refuse(q, "format", pair->len == 0 ? "empty" : "not-a-choice",
               "must be a format of this resource");
    }
    return true;
}

/* The row of filters of PARAMS, or -1. */
static int find_filters(const mdl_param *params)
{
    int i;

    for (i = 0; params != NULL && params[i].name != NULL; i++) {
        if (params[i].type == MDL_PARAM_FILTERS) {
            return i;
        }
    }
    return -1;
}

/* Take PAIR as one of the filters of row I. */
static void take_filter(mdl_request *q, const mdl_query_pair *pair, int i,
                        bool lenient)
{
    static const mdl_param text = {
        .type = MDL_PARAM_TEXT, .min = 1, .max = 8190};
    mdl_value *filters = &q->values[i];
    mdl_value value = {.text = pair->value, .len = pair->len};
    const char *wanted = "";
    const char *fault =
        pair->broken ? "bad-escape"
                     : mdl_value_parse(&value, &wanted, &text, q->r->pool);
    int k;

    for (k = 0; k < filters->n_pairs && fault == NULL; k++) {
        fault =
            strcmp(filters->pairs[k].name, pair->name) == 0 ? "repeated" : NULL;
    }
    if (filters->n_pairs == MDL_PARAM_PAIRS) {
        fault = "too-many";
        lenient = false;
    }
    if (fault != NULL && !lenient) {
        refuse(q, strlen(pair->name) > ECHO_MAX ? "?" : pair->name, fault,
               MDL_PARAM_FILTER_TAKES);
        return;
    }
    if (filters->pairs == NULL) {
        filters->pairs =
            apr_pcalloc(q->r->pool, sizeof *filters->pairs * MDL_PARAM_PAIRS);
    }
    filters->given = filters->sent = true;
    filters->lenient = lenient;
    filters->pairs[filters->n_pairs++] =
        (mdl_param_pair){pair->name, pair->value, pair->len, fault};
}

static void take_late(mdl_request *q, const mdl_query_pair *pair, bool lenient)
{
    int i;

    if (pair->name == NULL) {
        refuse(q, "?", "bad-escape",
               "holds a % that begins no escape, or a NUL");
        return;
    }
    i = find_row(q->route->params, pair->name);
    if (i >= 0) {
        if (!is_early(&q->route->params[i])) {
            take_pair(q, pair, i);
        }
        return;
    }
    if (take_format(q, pair)) {
        return;
    }
    i = find_filters(q->route->params);
    if (i >= 0) {
        take_filter(q, pair, i, lenient);
    }
    else if (!lenient) {
        refuse(q, strlen(pair->name) > ECHO_MAX ? "?" : pair->name, "unknown",
               "is not one of this resource");
    }
}

int mdl_param_parse(mdl_request *q)
{
    const char *at = q->r->args;
    mdl_query_pair pair;

    take_segments(q, false);
    if (at != NULL && *at != '\0') {
        bool lenient = is_lenient(q);

        while (mdl_query_next(&pair, &at, q->r->pool)) {
            take_late(q, &pair, lenient);
        }
    }
    fill_absent(q, false);
    return verdict(q);
}

int mdl_param_refuse_named(mdl_request *q, const char *name, const char *code,
                           const char *detail)
{
    const char *shown = strlen(name) > ECHO_MAX ? "?" : name;

    mdl_problem_parameter(q, shown, code, "%s", detail);
    return mdl_problem(q, MDL_PROBLEM_INVALID_PARAMETER,
                       "Parameter %s is wrong: %s.", shown, detail);
}

int mdl_param_refuse(mdl_request *q, const mdl_param *param, const char *code,
                     const char *detail)
{
    return mdl_param_refuse_named(q, param->name, code, detail);
}
