/* mdl_data_query.c - From the parameters of /api/data/ to a query.
 *
 * A filter is named field, field__op, or, for three fields as an old client
 * writes them, field_gt, field_lt, field_eq.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_data.h"

#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "dl_config.h"
#include "dl_grant.h"
#include "dl_query_hint.h"
#include "dl_zone.h"
#include "mdl_http.h"
#include "mdl_lake.h"
#include "mdl_problem.h"
#include "mdl_site.h"

/* One way to write an operator. */
typedef struct suffix {
    const char *text;
    dl_query_op op;
} suffix;

static const suffix SUFFIXES[] = {{"__gt", DL_QUERY_GT},
                                  {"__gte", DL_QUERY_GTE},
                                  {"__lt", DL_QUERY_LT},
                                  {"__lte", DL_QUERY_LTE},
                                  {"__ne", DL_QUERY_NE},
                                  {"__in", DL_QUERY_IN},
                                  {"__contains", DL_QUERY_CONTAINS}};

/* How some fields may be written as well. */
static const suffix OLD_SUFFIXES[] = {
    {"_gt", DL_QUERY_GT}, {"_lt", DL_QUERY_LT}, {"_eq", DL_QUERY_EQ}};
static const char *const OLD_FIELDS[] = {"amount", "customer_rating", "rating"};

/* Short names of fields. */
static const struct {
    const char *name;
    const char *path;
} ALIASES[] = {{"country", "location.country"}, {"rating", "customer_rating"}};

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* The path that NAME stands for in DS. */
static const char *path_of(const dl_dataset *ds, const char *name)
{
    size_t i;

    for (i = 0; i < N(ALIASES) && dl_dataset_field(ds, name) < 0; i++) {
        if (strcmp(ALIASES[i].name, name) == 0 &&
            dl_dataset_field(ds, ALIASES[i].path) >= 0) {
            return ALIASES[i].path;
        }
    }
    return name;
}

/* Set *NAME to NAME without one of the N SUFFIXES, and *OP to what it says;
 * false when it has none. */
static bool cut_suffix(const char **name, dl_query_op *op,
                       const suffix *suffixes, size_t n, apr_pool_t *pool)
{
    size_t len = strlen(*name);
    size_t i;

    for (i = 0; i < n; i++) {
        size_t tail = strlen(suffixes[i].text);

        if (len > tail && strcmp(*name + len - tail, suffixes[i].text) == 0) {
            *name = apr_pstrmemdup(pool, *name, len - tail);
            *op = suffixes[i].op;
            return true;
        }
    }
    return false;
}

/* Set *PATH and *OP to what NAME, a parameter, asks of DS. */
static void read_name(const char **path, dl_query_op *op, const dl_dataset *ds,
                      const char *name, apr_pool_t *pool)
{
    const char *old = name;
    dl_query_op old_op = DL_QUERY_EQ;
    size_t i;

    *op = DL_QUERY_EQ;
    *path = name;
    if (dl_dataset_field(ds, name) < 0 &&
        !cut_suffix(path, op, SUFFIXES, N(SUFFIXES), pool) &&
        cut_suffix(&old, &old_op, OLD_SUFFIXES, N(OLD_SUFFIXES), pool)) {
        for (i = 0; i < N(OLD_FIELDS); i++) {
            if (strcmp(OLD_FIELDS[i], old) == 0) {
                *path = old;
                *op = old_op;
            }
        }
    }
    *path = path_of(ds, *path);
}

/* Add the filter PAIR to DATA. */
static int read_filter(mdl_data_query *data, mdl_request *q,
                       const mdl_param_pair *pair)
{
    dl_query_fault fault;
    const char *path;
    dl_query_op op;
    int column;

    read_name(&path, &op, data->ds, pair->name, q->r->pool);
    if (q->values[MDL_DATA_FILTERS].lenient &&
        dl_query_column(&column, data->query, path, &fault) != DL_OK) {
        return OK;
    }
    if (pair->fault != NULL) {
        return mdl_param_refuse_named(q, pair->name, pair->fault,
                                      MDL_PARAM_FILTER_TAKES);
    }
    if (dl_query_filter(data->query, path, op, pair->value, pair->len,
                        &fault) != DL_OK) {
        return mdl_param_refuse_named(q, pair->name, fault.code,
                                      apr_pstrdup(q->r->pool, fault.detail));
    }
    return OK;
}

static int read_filters(mdl_data_query *data, mdl_request *q)
{
    const mdl_value *filters = &q->values[MDL_DATA_FILTERS];
    int status = OK;
    int i;

    for (i = 0; status == OK && i < filters->n_pairs; i++) {
        status = read_filter(data, q, &filters->pairs[i]);
    }
    return status;
}

/* Set *COLUMN to the column NAME of DATA for the parameter at place N. */
static int read_column(int *column, mdl_data_query *data, mdl_request *q, int n,
                       const char *name)
{
    dl_query_fault fault;

    if (dl_query_column(column, data->query, path_of(data->ds, name), &fault) !=
        DL_OK) {
        return mdl_param_refuse(q, &q->route->params[n], fault.code,
                                apr_pstrdup(q->r->pool, fault.detail));
    }
    return OK;
}

static int read_fields(mdl_data_query *data, mdl_request *q)
{
    const mdl_value *fields = &q->values[MDL_DATA_FIELDS];
    int status = OK;
    int i;

    for (i = 0; status == OK && i < fields->n_items; i++) {
        if (data->n_fields == DL_QUERY_COLUMNS) {
            return mdl_param_refuse(q, &q->route->params[MDL_DATA_FIELDS],
                                    "too-many", "it takes at most 64 fields");
        }
        status = read_column(&data->fields[data->n_fields++], data, q,
                             MDL_DATA_FIELDS, fields->items[i]);
    }
    return status;
}

static int read_sort(mdl_data_query *data, mdl_request *q)
{
    const mdl_value *sort = &q->values[MDL_DATA_SORT];

    data->sort = -1;
    if (!sort->given) {
        return OK;
    }
    data->descending = sort->text[0] == '-';
    return read_column(&data->sort, data, q, MDL_DATA_SORT,
                       sort->text + (data->descending ? 1 : 0));
}

/* Set DATA's dataset and days from the resource. */
static int read_resource(mdl_data_query *data, mdl_request *q)
{
    const mdl_value *value = &q->values[MDL_DATA_RESOURCE];
    dl_resource resource;
    dl_lake_snapshot *snap;
    const dl_zone *zone;
    dl_error err;
    const char *name;

    if (dl_resource_parse(&resource, value->text, value->len, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_OURSELVES, &err);
    }
    name = apr_pstrmemdup(q->r->pool, resource.text, resource.name_len);
    data->first = INT32_MIN + 1;
    data->last = INT32_MAX;
    if (resource.kind == DL_RESOURCE_DAY &&
        dl_day_parse(&data->first, resource.text + resource.name_len + 1,
                     DL_DAY_TEXT - 1)) {
        data->last = data->first;
    }
    data->ds = dl_dataset_find(q->site->datasets, name);
    if (data->ds != NULL) {
        return OK;
    }
    /* Nobody declares it any more, but the lake may have it. */
    if (mdl_lake_snapshot(&snap, q->site->lake, name, &err, q->r->pool) !=
            DL_OK ||
        dl_zone_load(&zone, q->site->ini->datasets.event_zone, &err,
                     q->r->pool) != DL_OK ||
        dl_dataset_create_untyped(&data->ds, name, zone, &err, q->r->pool) !=
            DL_OK) {
        return mdl_problem(q, MDL_PROBLEM_NOT_FOUND, "%s",
                           "There is no such dataset.");
    }
    return OK;
}

int mdl_data_query_read(mdl_data_query *data, mdl_request *q)
{
    dl_error err = {DL_OK, 0, ""};
    int status;

    memset(data, 0, sizeof *data);
    status = read_resource(data, q);
    if (status != OK) {
        return status;
    }
    dl_query_create(&data->query, data->ds, q->r->pool);
    status = read_filters(data, q);
    if (status == OK) {
        status = read_fields(data, q);
    }
    if (status == OK) {
        status = read_sort(data, q);
    }
    if (status == OK && dl_query_prepare(data->query, &err) != DL_OK) {
        status = mdl_param_refuse_named(q, "filter", "unknown-field",
                                        "a field is no path of members");
    }
    if (status == OK) {
        dl_query_days(&data->first, &data->last, data->query);
        data->hint = dl_query_hint(data->query, q->r->pool);
    }
    return status;
}
