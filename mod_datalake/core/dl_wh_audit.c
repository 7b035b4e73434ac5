/* dl_wh_audit.c - Pages of audit_entry, and an entry as JSON.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_wh_audit.h"

#include <string.h>

#include <apr_strings.h>

#include "dl_statements.h"
#include "dl_wh.h"

/* --- Reading -------------------------------------------------------------- */

/* Bind TEXT to I and I + 1, "? IS NULL OR column = ?". */
static void bind_twice(dl_wh_stmt *st, unsigned i, const char *text)
{
    dl_wh_bind_str(st, i, text);
    dl_wh_bind_str(st, i + 1, text);
}

/* Bind the bounds of QUERY to I, I + 1 and I + 2. */
static void bind_bounds(dl_wh_stmt *st, unsigned i,
                        const dl_wh_audit_query *query)
{
    dl_wh_bind_int(st, i, query->before > 0 ? query->before : INT64_MAX);
    dl_wh_bind_time(st, i + 1, query->from == DL_TIME_NONE ? 0 : query->from);
    dl_wh_bind_time(st, i + 2,
                    query->to == DL_TIME_NONE ? DL_TIME_END - 1 : query->to);
}

/* Prepare the statement whose index fits QUERY, and bind it. */
static dl_status prepare(dl_wh_stmt **st, dl_wh *wh,
                         const dl_wh_audit_query *query, dl_error *err)
{
    unsigned i = 0;

    if (query->user != NULL) {
        DL_TRY(dl_wh_prepare(st, wh, STMT_AUDIT_LIST_USER, err));
        dl_wh_bind_str(*st, i++, query->user);
        bind_bounds(*st, i, query);
        bind_twice(*st, i + 3, query->resource);
        i += 5;
    }
    else if (query->resource != NULL) {
        DL_TRY(dl_wh_prepare(st, wh, STMT_AUDIT_LIST_RESOURCE, err));
        dl_wh_bind_str(*st, i++, query->resource);
        bind_bounds(*st, i, query);
        i += 3;
    }
    else {
        DL_TRY(dl_wh_prepare(st, wh, STMT_AUDIT_LIST, err));
        bind_bounds(*st, i, query);
        i += 3;
    }
    bind_twice(*st, i, query->method);
    i += 2;
    if (query->user != NULL || query->resource == NULL) {
        dl_wh_bind_int(*st, i++, query->with_resource ? 1 : 0);
    }
    /* One row more tells whether there is a next page. */
    dl_wh_bind_int(*st, i, query->limit + 1);
    return DL_OK;
}

/* Column COL as a text in POOL, or NULL. */
static const char *text_of(const dl_wh_stmt *st, unsigned col, apr_pool_t *pool)
{
    return dl_wh_is_null(st, col)
               ? NULL
               : apr_pstrdup(pool, dl_wh_text(st, col, NULL));
}

static void take_row(dl_wh_audit_row *row, const dl_wh_stmt *st,
                     apr_pool_t *pool)
{
    row->id = dl_wh_int(st, 0);
    row->timestamp = dl_wh_time(st, 1);
    row->user = text_of(st, 2, pool);
    row->user_id = dl_wh_is_null(st, 3) ? 0 : dl_wh_int(st, 3);
    row->address = text_of(st, 4, pool);
    row->method = text_of(st, 5, pool);
    row->endpoint = text_of(st, 6, pool);
    row->query_params = text_of(st, 7, pool);
    row->body = text_of(st, 8, pool);
    row->resource = text_of(st, 9, pool);
    row->action = text_of(st, 10, pool);
    row->status = dl_wh_int(st, 11);
    row->bytes = dl_wh_int(st, 12);
    row->duration_ms = dl_wh_int(st, 13);
    row->request_id = text_of(st, 14, pool);
}

/* The bytes of the texts of ROW that a client can make long. */
static size_t weigh(const dl_wh_audit_row *row)
{
    return strlen(row->endpoint) + (row->body == NULL ? 0 : strlen(row->body)) +
           (row->query_params == NULL ? 0 : strlen(row->query_params));
}

dl_status dl_wh_audit_list(dl_wh_audit_page *page, struct dl_wh *wh,
                           const dl_wh_audit_query *query, dl_error *err,
                           apr_pool_t *result_pool)
{
    size_t bytes = 0;
    dl_wh_stmt *st;
    bool row;

    page->n = 0;
    page->more = false;
    page->rows =
        apr_palloc(result_pool, sizeof *page->rows * (size_t)query->limit);
    DL_TRY(prepare(&st, wh, query, err));
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&row, st, err));
    while (row && page->n < query->limit && bytes < DL_WH_AUDIT_BYTES) {
        take_row(&page->rows[page->n], st, result_pool);
        bytes += weigh(&page->rows[page->n++]);
        DL_TRY(dl_wh_fetch(&row, st, err));
    }
    page->more = row;
    dl_wh_finish(st);
    return DL_OK;
}

/* --- Writing -------------------------------------------------------------- */

static void write_text(dl_json_writer *w, const char *name, const char *text)
{
    dl_json_write_key(w, name);
    dl_json_write_text(w, text);
}

static void write_int(dl_json_writer *w, const char *name, int64_t value)
{
    dl_json_write_key(w, name);
    dl_json_write_int(w, value);
}

static void write_user_id(dl_json_writer *w, int64_t user_id)
{
    dl_json_write_key(w, "user_id");
    if (user_id > 0) {
        dl_json_write_int(w, user_id);
    }
    else {
        dl_json_write_null(w);
    }
}

void dl_wh_audit_write(dl_json_writer *w, const dl_wh_audit_row *row)
{
    const char *query = row->query_params == NULL ? "{}" : row->query_params;

    dl_json_write_object_begin(w);
    write_int(w, "id", row->id);
    dl_json_write_key(w, "timestamp");
    dl_json_write_time(w, row->timestamp);
    write_text(w, "user", row->user);
    write_user_id(w, row->user_id);
    write_text(w, "address", row->address);
    write_text(w, "method", row->method);
    write_text(w, "endpoint", row->endpoint);
    dl_json_write_key(w, "query_params");
    dl_json_write_raw(w, query, strlen(query));
    write_text(w, "body", row->body);
    write_text(w, "resource", row->resource);
    write_int(w, "status", row->status);
    write_int(w, "bytes", row->bytes);
    write_int(w, "duration_ms", row->duration_ms);
    write_text(w, "request_id", row->request_id);
    dl_json_write_object_end(w);
}

void dl_wh_audit_write_access(dl_json_writer *w, const dl_wh_audit_row *row)
{
    dl_json_write_object_begin(w);
    write_text(w, "user", row->user);
    write_text(w, "action", row->action);
    write_text(w, "resource", row->resource);
    dl_json_write_key(w, "timestamp");
    dl_json_write_time(w, row->timestamp);
    dl_json_write_object_end(w);
}
