/* dl_query.c - Putting a query together, and judging lines by it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_query_within.h"
#include "dl_sha256.h"

/* Most items of one comma list. */
#define ITEMS_MAX 1000

/* Formats in which a time that is not the event time may stand. */
#define ANY_TIME (DL_TIME_UNIX | DL_TIME_RFC3339 | DL_TIME_LOCAL)

void dl_query_create(dl_query **query, const dl_dataset *ds,
                     apr_pool_t *result_pool)
{
    *query = apr_pcalloc(result_pool, sizeof **query);
    (*query)->ds = ds;
    (*query)->pool = result_pool;
}

/* --- Columns --------------------------------------------------------------- */

static dl_status refuse(dl_query_fault *fault, const char *code,
                        const char *path, const char *sentence)
{
    fault->code = code;
    snprintf(fault->detail, sizeof fault->detail, "%.60s %s", path, sentence);
    return DL_INVALID;
}

/* Give COLUMN the type of the field I of DS. */
static void set_field(dl_query_member *column, const dl_dataset *ds, int i)
{
    const dl_field *field = &ds->fields[i];

    column->type = field->type;
    column->n_slots = 1 + field->n_alternates;
    column->zone = ds->zone;
    if (dl_dataset_is_time(ds, i)) {
        column->formats = ds->time_formats;
    }
    else {
        column->formats =
            field->type == DL_FIELD_DATE ? DL_TIME_DATE : ANY_TIME;
    }
}

/* Whether PATH can name members of a record. */
static bool path_ok(const char *path)
{
    size_t len = strlen(path);

    return len > 0 && len <= 255 && path[0] != '.' && path[len - 1] != '.' &&
           strstr(path, "..") == NULL && strpbrk(path, "\"\\") == NULL;
}

dl_status dl_query_column(int *column, dl_query *query, const char *path,
                          dl_query_fault *fault)
{
    dl_query_member *made = &query->columns[query->n_columns];
    int i = dl_dataset_field(query->ds, path);
    int c;

    for (c = 0; c < query->n_columns; c++) {
        if (strcmp(query->columns[c].path, path) == 0) {
            *column = c;
            return DL_OK;
        }
    }
    if ((query->ds->declared && i < 0) || !path_ok(path)) {
        return refuse(fault, "unknown-field", path, "is no field of the data");
    }
    if (query->n_columns == DL_QUERY_COLUMNS) {
        return refuse(fault, "too-many", path, "is one field too many");
    }
    memset(made, 0, sizeof *made);
    made->path = apr_pstrdup(query->pool, path);
    made->type = DL_FIELD_ANY;
    made->n_slots = 1;
    if (i >= 0) {
        set_field(made, query->ds, i);
    }
    *column = query->n_columns++;
    return DL_OK;
}

const char *dl_query_path(const dl_query *query, int column)
{
    return query->columns[column].path;
}

/* --- Filters --------------------------------------------------------------- */

/* Fill FILTER with the items of a comma list. */
static bool read_list(dl_query_condition *f, dl_query *query, const char *text,
                      size_t len, dl_query_fault *fault)
{
    const dl_query_member *column = &query->columns[f->column];
    const char *end = text + len;
    size_t n = 1;
    size_t i;

    for (i = 0; i < len; i++) {
        n += text[i] == ',' ? 1 : 0;
    }
    if (n > ITEMS_MAX) {
        refuse(fault, "too-many", column->path, "takes 1 to 1000 items");
        return false;
    }
    f->operands = apr_pcalloc(query->pool, n * sizeof *f->operands);
    while (text <= end) {
        const char *comma = memchr(text, ',', (size_t)(end - text));
        size_t item = (size_t)((comma != NULL ? comma : end) - text);

        if (item == 0) {
            refuse(fault, "empty", column->path, "takes no empty item");
            return false;
        }
        f->operands[f->n].op = f->op;
        if (!dl_query_operand_read(&f->operands[f->n++], column, text, item,
                                   fault, query->pool)) {
            return false;
        }
        text += item + 1;
    }
    return true;
}

dl_status dl_query_filter(dl_query *query, const char *path, dl_query_op op,
                          const char *text, size_t len, dl_query_fault *fault)
{
    dl_query_condition *f = &query->filters[query->n_filters];
    bool good;

    if (query->n_filters == DL_QUERY_FILTERS) {
        return refuse(fault, "too-many", path, "is one filter too many");
    }
    memset(f, 0, sizeof *f);
    f->op = op;
    DL_TRY(dl_query_column(&f->column, query, path, fault));
    if (op == DL_QUERY_IN) {
        good = read_list(f, query, text, len, fault);
    }
    else {
        f->n = 1;
        f->operands = apr_pcalloc(query->pool, sizeof *f->operands);
        f->operands->op = op;
        good = dl_query_operand_read(f->operands, &query->columns[f->column],
                                     text, len, fault, query->pool);
    }
    query->n_filters += good ? 1 : 0;
    return good ? DL_OK : DL_INVALID;
}

int dl_query_filters(const dl_query *query)
{
    return query->n_filters;
}

/* Add what F says to SUM. */
static void add_filter(dl_sha256 *sum, const dl_query *query,
                       const dl_query_condition *f)
{
    const char *path = query->columns[f->column].path;
    int i;

    dl_sha256_add(sum, path, strlen(path) + 1);
    dl_sha256_add(sum, &f->op, sizeof f->op);
    for (i = 0; i < f->n; i++) {
        dl_sha256_add(sum, &f->operands[i].len, sizeof f->operands[i].len);
        dl_sha256_add(sum, f->operands[i].text, f->operands[i].len);
    }
}

static int compare_digests(const void *a, const void *b)
{
    return memcmp(a, b, DL_SHA256_SIZE);
}

void dl_query_mark(unsigned char mark[DL_QUERY_MARK], const dl_query *query)
{
    unsigned char digests[DL_QUERY_FILTERS][DL_SHA256_SIZE];
    unsigned char digest[DL_SHA256_SIZE];
    dl_sha256 *sum = dl_sha256_create(query->pool);
    size_t n = (size_t)query->n_filters;
    size_t i;

    for (i = 0; i < n; i++) {
        add_filter(sum, query, &query->filters[i]);
        dl_sha256_digest(digests[i], sum);
    }
    qsort(digests, n, sizeof digests[0], compare_digests);
    dl_sha256_add(sum, query->ds->name, strlen(query->ds->name));
    dl_sha256_add(sum, digests, n * sizeof digests[0]);
    dl_sha256_digest(digest, sum);
    memcpy(mark, digest, DL_QUERY_MARK);
}

/* Narrow *FIRST to *LAST to the days on which F can match. */
static void narrow_days(dl_day *first, dl_day *last,
                        const dl_query_condition *f)
{
    dl_day from = INT32_MAX;
    dl_day to = INT32_MIN;
    int i;

    for (i = 0; i < f->n; i++) {
        dl_day day = dl_time_day(f->operands[i].time);

        from = day < from ? day : from;
        to = day > to ? day : to;
    }
    if (f->op != DL_QUERY_LT && f->op != DL_QUERY_LTE && from > *first) {
        *first = from;
    }
    if (f->op != DL_QUERY_GT && f->op != DL_QUERY_GTE && to < *last) {
        *last = to;
    }
}

void dl_query_days(dl_day *first, dl_day *last, const dl_query *query)
{
    const dl_dataset *ds = query->ds;
    int i;

    for (i = 0; i < query->n_filters; i++) {
        const dl_query_condition *f = &query->filters[i];

        if (ds->clock_field < 0 &&
            strcmp(query->columns[f->column].path,
                   ds->fields[ds->time_field].path) == 0 &&
            f->op != DL_QUERY_NE && f->op != DL_QUERY_CONTAINS) {
            narrow_days(first, last, f);
        }
    }
}

/* --- Lines ----------------------------------------------------------------- */

static apr_status_t free_scratch(void *data)
{
    dl_query *query = data;

    free(query->scratch);
    query->scratch = NULL;
    return APR_SUCCESS;
}

dl_status dl_query_prepare(dl_query *query, dl_error *err)
{
    const char **paths;
    int n = 0;
    int c;

    for (c = 0; c < query->n_columns; c++) {
        query->columns[c].slot = n;
        n += query->columns[c].n_slots;
    }
    paths = apr_pcalloc(query->pool, sizeof *paths * (size_t)(n + 1));
    for (c = 0, n = 0; c < query->n_columns; c++) {
        int i = dl_dataset_field(query->ds, query->columns[c].path);
        int k;

        paths[n++] = query->columns[c].path;
        for (k = 1; k < query->columns[c].n_slots; k++) {
            paths[n++] = query->ds->fields[i].alternates[k - 1];
        }
    }
    DL_TRY(dl_json_shape_create(&query->shape, paths, n, err, query->pool));
    query->walk = dl_member_walk_create(paths, n, query->pool);
    query->slots =
        apr_pcalloc(query->pool, sizeof *query->slots * (size_t)(n + 1));
    query->scratch = malloc((size_t)3 * DL_JSON_MAX_BYTES + DL_JSON_SLACK);
    if (query->scratch == NULL) {
        abort();
    }
    query->text = query->scratch + DL_JSON_MAX_BYTES + DL_JSON_SLACK;
    apr_pool_cleanup_register(query->pool, query, free_scratch,
                              apr_pool_cleanup_null);
    return DL_OK;
}

dl_json_slice dl_query_value(const dl_query *query, int column)
{
    const dl_query_member *member = &query->columns[column];
    dl_json_slice slice = query->slots[member->slot];
    int k;

    for (k = 1; slice.kind <= DL_JSON_NULL && k < member->n_slots; k++) {
        dl_json_slice other = query->slots[member->slot + k];

        slice = other.kind > DL_JSON_NULL ? other : slice;
    }
    return slice;
}

static bool compare(dl_query *query, const dl_query_condition *f,
                    dl_json_slice slice, const dl_query_operand *operand)
{
    int order = 0;

    if (f->op == DL_QUERY_CONTAINS) {
        return dl_query_holds(slice, operand, query->text);
    }
    if (!dl_query_order(&order, &query->columns[f->column], slice, operand,
                        query->text)) {
        return f->op == DL_QUERY_NE;
    }
    switch (f->op) {
    case DL_QUERY_EQ:
    case DL_QUERY_IN:
        return order == 0;
    case DL_QUERY_NE:
        return order != 0;
    case DL_QUERY_GT:
        return order > 0;
    case DL_QUERY_GTE:
        return order >= 0;
    case DL_QUERY_LT:
        return order < 0;
    case DL_QUERY_LTE:
        return order <= 0;
    case DL_QUERY_CONTAINS:
        break;
    }
    return false;
}

static bool filter_matches(dl_query *query, const dl_query_condition *f)
{
    dl_json_slice slice = dl_query_value(query, f->column);
    int i;

    for (i = 0; i < f->n; i++) {
        if (compare(query, f, slice, &f->operands[i])) {
            return true;
        }
    }
    return false;
}

/* Fill the slots from the LEN bytes at TEXT; false: they are no record. */
static bool read_line(dl_query *query, const char *text, size_t len)
{
    dl_json_result result;

    if (query->walk != NULL &&
        dl_member_walk_line(query->slots, query->walk, text, len)) {
        return true;
    }
    if (dl_json_scan(&result, query->slots, query->shape, query->scratch, text,
                     len) != DL_JSON_FINE) {
        return false;
    }
    if (query->walk != NULL && result.line == text && result.line_len == len) {
        dl_member_walk_learn(query->walk, query->slots, text, len);
    }
    return true;
}

bool dl_query_match(dl_query *query, const char *text, size_t len)
{
    int i;

    if (query->n_columns > 0 && !read_line(query, text, len)) {
        return false;
    }
    for (i = 0; i < query->n_filters; i++) {
        if (!filter_matches(query, &query->filters[i])) {
            return false;
        }
    }
    return true;
}

int dl_query_compare(const dl_query *query, int column, dl_json_slice a,
                     dl_json_slice b)
{
    return dl_query_order_values(&query->columns[column], a, b, query->text);
}
