/* mdl_api_audit.c - GET /api/audit/ and /api/audit/access-log/: the audit log,
 * newest first.
 *
 * Both are lists by id; the id of the last row shown is the position of the
 * next page.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "dl_csv.h"
#include "dl_wh_audit.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_http.h"
#include "mdl_page.h"
#include "mdl_site.h"

/* No answer is larger: the texts of a page (DL_WH_AUDIT_BYTES and one more
 * row), each byte an escape, and 1,000 rows without them. */
#define ANSWER_MAX ((size_t)8 * DL_WH_AUDIT_BYTES)
#define ENTRY_MAX  ((size_t)256 * 1024)

enum {
    USER,
    RESOURCE,
    METHOD,
    FROM,
    TO,
    LIMIT,
    CURSOR
};

static const char *const methods[] = {"GET",   "HEAD",   "POST", "PUT",
                                      "PATCH", "DELETE", NULL};

const mdl_param mdl_api_audit_params[] = {
    [USER] = {.name = "user",
              .type = MDL_PARAM_TEXT,
              .min = 1,
              .max = 100,
              .summary = "Only entries of this account's name"},
    [RESOURCE] = {.name = "resource",
                  .type = MDL_PARAM_TEXT,
                  .min = 1,
                  .max = 255,
                  .summary = "Only entries of exactly this resource"},
    [METHOD] = {.name = "method",
                .type = MDL_PARAM_ENUM,
                .choices = methods,
                .summary = "Only entries with this method"},
    [FROM] = {.name = "from",
              .type = MDL_PARAM_TIME,
              .summary = "Only entries from this time on"},
    [TO] = {.name = "to",
            .type = MDL_PARAM_TIME,
            .end = true,
            .summary = "Only entries before this time; a date: to its end"},
    MDL_PAGE_LIMIT(LIMIT, "100"),
    MDL_PAGE_CURSOR(CURSOR),
    {.name = NULL}};

/* One of the two lists. */
typedef struct audit_list {
    const char *route;          /* binds its cursors */
    bool with_resource;         /* only entries with a resource */
    bool bare;                  /* JSON is a bare array */
    const char *const *columns; /* of CSV, ends in NULL */
    void (*write)(dl_json_writer *w,
                  const dl_wh_audit_row *row); /* one entry */
} audit_list;

/* One page. */
typedef struct audit_page {
    mdl_request *q;             /* the request */
    const audit_list *list;     /* of which list */
    mdl_cursor_binding binding; /* of its cursors */
    dl_wh_audit_query query;    /* what is read */
    dl_wh_audit_page found;     /* what came */
    const char *cursor;         /* of the next page, or NULL */
} audit_page;

static dl_status read_page(struct dl_wh *wh, void *context, dl_error *err)
{
    audit_page *page = context;

    return dl_wh_audit_list(&page->found, wh, &page->query, err,
                            page->q->r->pool);
}

static const char *sent(const mdl_request *q, int i)
{
    return q->values[i].given ? q->values[i].text : NULL;
}

/* Set what PAGE asks for, and where it begins. */
static int parse(audit_page *page)
{
    mdl_request *q = page->q;
    const mdl_value *values = q->values;
    const char *parameters = "";
    const char *position;
    int status;
    int i;

    for (i = 0; i < CURSOR; i++) {
        parameters = apr_pstrcat(q->r->pool, parameters, "\x1f",
                                 values[i].given ? values[i].text : "", NULL);
    }
    page->binding = (mdl_cursor_binding){page->list->route, parameters};
    page->query = (dl_wh_audit_query){
        .user = sent(q, USER),
        .resource = sent(q, RESOURCE),
        .method = sent(q, METHOD),
        .from = values[FROM].given ? values[FROM].time : DL_TIME_NONE,
        .to = values[TO].given ? values[TO].time : DL_TIME_NONE,
        .with_resource = page->list->with_resource,
        .limit = (int)values[LIMIT].number};
    status = mdl_page_open(&position, q, &page->binding, CURSOR);
    if (status == OK && position != NULL) {
        page->query.before = apr_atoi64(position);
    }
    return status;
}

/* Write the entries of PAGE as one JSON value. */
static dl_status write_json(dl_buf *out, const audit_page *page, dl_error *err)
{
    dl_json_writer w;
    int i;

    dl_json_writer_begin(&w, out);
    if (!page->list->bare) {
        dl_json_write_object_begin(&w);
        dl_json_write_key(&w, "results");
    }
    dl_json_write_array_begin(&w);
    for (i = 0; i < page->found.n; i++) {
        page->list->write(&w, &page->found.rows[i]);
    }
    dl_json_write_array_end(&w);
    if (!page->list->bare) {
        dl_json_write_key(&w, "next_cursor");
        dl_json_write_text(&w, page->cursor);
        dl_json_write_object_end(&w);
    }
    return dl_json_writer_finish(&w, err);
}

/* Write ROW as JSON, alone, to OUT. */
static dl_status write_line(dl_buf *out, const audit_page *page, int row,
                            dl_error *err)
{
    dl_json_writer w;

    dl_json_writer_begin(&w, out);
    page->list->write(&w, &page->found.rows[row]);
    return dl_json_writer_finish(&w, err);
}

static dl_status write_ndjson(dl_buf *out, const audit_page *page,
                              dl_error *err)
{
    int i;

    for (i = 0; i < page->found.n; i++) {
        DL_TRY(write_line(out, page, i, err));
        DL_TRY(dl_buf_append(out, "\n", 1, err));
    }
    return DL_OK;
}

static dl_status write_csv(dl_buf *out, const audit_page *page, dl_error *err)
{
    apr_pool_t *pool = page->q->r->pool;
    dl_csv *csv = dl_csv_create(pool);
    dl_buf *line = dl_buf_create(ENTRY_MAX, pool);
    int i;

    for (i = 0; page->list->columns[i] != NULL; i++) {
        DL_TRY(dl_csv_column(csv, page->list->columns[i], err));
    }
    DL_TRY(dl_csv_header(out, csv, err));
    for (i = 0; i < page->found.n; i++) {
        line->len = 0;
        DL_TRY(write_line(line, page, i, err));
        DL_TRY(dl_csv_row(out, csv, line->data, line->len, err));
    }
    return DL_OK;
}

static int answer_page(audit_page *page)
{
    mdl_request *q = page->q;
    dl_buf *out = mdl_answer_buf(q, ANSWER_MAX);
    dl_error err;
    dl_status status;

    if (page->found.more) {
        page->cursor = mdl_page_next(
            q, &page->binding,
            apr_psprintf(q->r->pool, "%" APR_INT64_T_FMT,
                         (apr_int64_t)page->found.rows[page->found.n - 1].id));
        mdl_answer_link_next(q, page->cursor);
    }
    q->rows = (uint64_t)page->found.n;
    if (q->format == MDL_FORMAT_NDJSON) {
        status = write_ndjson(out, page, &err);
    }
    else if (q->format == MDL_FORMAT_CSV) {
        status = write_csv(out, page, &err);
    }
    else {
        status = write_json(out, page, &err);
    }
    return status == DL_OK ? mdl_answer_buffer(q, out)
                           : mdl_http_fail(q, MDL_OURSELVES, &err);
}

static int answer(mdl_request *q, const audit_list *list)
{
    audit_page page = {.q = q, .list = list};
    dl_error err;
    int status = parse(&page);

    if (status != OK) {
        return status;
    }
    if (mdl_wh_read(q->site->wh, read_page, &page, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    return answer_page(&page);
}

int mdl_api_audit(mdl_request *q)
{
    static const char *const columns[] = {
        "id",     "timestamp", "user",         "user_id",    "address",
        "method", "endpoint",  "query_params", "body",       "resource",
        "status", "bytes",     "duration_ms",  "request_id", NULL};
    static const audit_list list = {"/api/audit/", false, false, columns,
                                    dl_wh_audit_write};

    return answer(q, &list);
}

int mdl_api_access_log(mdl_request *q)
{
    static const char *const columns[] = {"user", "action", "resource",
                                          "timestamp", NULL};
    static const audit_list list = {"/api/audit/access-log/", true, true,
                                    columns, dl_wh_audit_write_access};

    return answer(q, &list);
}
