/* mdl_data_query.c - From the parameters of /api/data/ to a query.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_data.h"

#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "dl_config.h"
#include "dl_grant.h"
#include "dl_query_hint.h"
#include "dl_query_name.h"
#include "dl_zone.h"
#include "mdl_http.h"
#include "mdl_lake.h"
#include "mdl_problem.h"
#include "mdl_site.h"

/* Add the filter PAIR to DATA. */
static int read_filter(mdl_data_query *data, mdl_request *q,
                       const mdl_param_pair *pair)
{
    dl_query_fault fault;
    const char *path;
    dl_query_op op;
    int column;

    dl_query_name_read(&path, &op, data->ds, pair->name, q->r->pool);
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

    if (dl_query_column(column, data->query, dl_query_name_path(data->ds, name),
                        &fault) != DL_OK) {
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
