/* mdl_api_data.c - GET /api/data/: records of a dataset, filtered, in pages.
 *
 * First the places of the page's records are found (mdl_data_page.c), then
 * they are read and sent one by one, so that a page of a thousand records of
 * 1 MiB needs no more memory than one of ten small ones: one record and one
 * brigade.
 *
 * A cursor names the state of the first page by the time of its last commit,
 * so the pages behind it neither repeat nor skip a record while others are
 * written.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <httpd.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_json_write.h"
#include "dl_lake.h"
#include "dl_log.h"
#include "dl_project.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_data.h"
#include "mdl_http.h"
#include "mdl_lake.h"
#include "mdl_page.h"
#include "mdl_problem.h"
#include "mdl_record.h"
#include "mdl_site.h"

/* Room for one record with _dl, as it is sent. */
#define RECORD_MAX ((size_t)2 * 1048576)

static const char *const COUNTS[] = {"auto", "exact", "none", NULL};

const mdl_param mdl_api_data_params[] = {
    [MDL_DATA_RESOURCE] = {.name = "resource",
                           .type = MDL_PARAM_RESOURCE,
                           .resource = true,
                           .fallback = "transaction_log",
                           .summary = "A dataset or one of its days"},
    [MDL_DATA_PAGE] = {.name = "page",
                       .type = MDL_PARAM_INT,
                       .min = 1,
                       .max = INT32_MAX,
                       .fallback = "1",
                       .summary = "Which page; page times page_size is at most "
                                  "10000, beyond that a cursor leads on"},
    [MDL_DATA_PAGE_SIZE] = {.name = "page_size",
                            .alias = "limit",
                            .type = MDL_PARAM_INT,
                            .min = 1,
                            .max = 1000,
                            .fallback = "10",
                            .summary = "Records of a page"},
    MDL_PAGE_CURSOR(MDL_DATA_CURSOR),
    [MDL_DATA_FIELDS] = {.name = "fields",
                         .type = MDL_PARAM_LIST,
                         .min = 1,
                         .summary = "Dotted names of the members to answer"},
    [MDL_DATA_SORT] = {.name = "sort",
                       .type = MDL_PARAM_TEXT,
                       .min = 1,
                       .summary = "A field, or -field for the other order; "
                                  "else by date and line"},
    [MDL_DATA_COUNT] = {.name = "count",
                        .type = MDL_PARAM_ENUM,
                        .choices = COUNTS,
                        .fallback = "auto",
                        .summary = "Whether to count all matches"},
    [MDL_DATA_META] = {.name = "meta",
                       .type = MDL_PARAM_BOOL,
                       .fallback = "false",
                       .summary = "Add _dl, where each record came from"},
    [MDL_DATA_FILTERS] = {.name = "filter",
                          .type = MDL_PARAM_FILTERS,
                          .summary = "field=value, or field__op=value with gt, "
                                     "gte, lt, lte, ne, in, contains"},
    {.name = NULL}};

/* One request. */
typedef struct data_request {
    mdl_request *q;             /* httpd's side of it */
    mdl_data_query what;        /* what is asked for */
    mdl_data_find find;         /* how the page is found */
    mdl_data_page page;         /* the page */
    mdl_cursor_binding binding; /* of its cursors */
    mdl_record form;            /* how records are written */
    dl_time as_of;              /* the state that the pages are of */
    mdl_walk *walk;             /* where records are read */
    dl_lake_line line;          /* the record read last */
    mdl_stream *out;            /* the answer */
    dl_buf *buf;                /* one record */
} data_request;

/* --- Cursors --------------------------------------------------------------- */

static void bind_cursor(data_request *d)
{
    mdl_request *q = d->q;
    const mdl_value *filters = &q->values[MDL_DATA_FILTERS];
    const mdl_value *sort = &q->values[MDL_DATA_SORT];
    const mdl_value *fields = &q->values[MDL_DATA_FIELDS];
    const char *text = apr_pstrcat(
        q->r->pool, q->values[MDL_DATA_RESOURCE].text, "\x1f",
        q->values[MDL_DATA_PAGE_SIZE].text, "\x1f",
        fields->given ? fields->text : "", "\x1f",
        sort->given ? sort->text : "", "\x1f", q->values[MDL_DATA_COUNT].text,
        "\x1f", q->values[MDL_DATA_META].text, NULL);
    int i;

    for (i = 0; i < filters->n_pairs; i++) {
        text = apr_pstrcat(q->r->pool, text, "\x1f", filters->pairs[i].name,
                           "=", filters->pairs[i].value, NULL);
    }
    d->binding = (mdl_cursor_binding){"/api/data/", text};
}

/* Set where the page begins from POSITION, the inside of a cursor. */
static bool read_position(data_request *d, const char *position)
{
    mdl_data_find *find = &d->find;
    int64_t as_of;
    int32_t day;
    uint64_t line;
    uint64_t skip;
    int64_t known;

    if (sscanf(position,
               "%" SCNd64 " %" SCNd32 " %" SCNu64 " %" SCNu64 " %" SCNd64,
               &as_of, &day, &line, &skip, &known) != 5) {
        return false;
    }
    find->range.as_of = as_of;
    find->range.behind = (mdl_place){day, line};
    find->skip = skip;
    find->known = known;
    return true;
}

/* Return the cursor that goes on behind the page. */
static const char *next_cursor(const data_request *d)
{
    const mdl_data_page *page = &d->page;
    bool sorted = d->what.sort >= 0;
    mdl_place end = sorted ? (mdl_place){DL_DAY_NONE, 0} : page->end;
    uint64_t skip = sorted ? d->find.skip + (uint64_t)page->n : 0;

    return mdl_page_next(
        d->q, &d->binding,
        apr_psprintf(d->q->r->pool,
                     "%" PRId64 " %" PRId32 " %" PRIu64 " %" PRIu64 " %" PRId64,
                     d->as_of, end.day, end.line, skip, page->count));
}

/* --- Records --------------------------------------------------------------- */

/* Read the record at PLACE. */
static dl_status read_record(data_request *d, mdl_place place, dl_error *err)
{
    DL_TRY(mdl_walk_read(&d->line, d->walk, place, err));
    if (d->form.project != NULL) {
        (void)dl_query_match(d->what.query, d->line.text, d->line.len);
    }
    return DL_OK;
}

static dl_status send_record(data_request *d, int i, dl_error *err)
{
    bool array = d->q->format == MDL_FORMAT_JSON;

    d->buf->len = 0;
    if (array && i > 0) {
        DL_TRY(dl_buf_append(d->buf, ",", 1, err));
    }
    DL_TRY(mdl_record_write(d->buf, &d->form, &d->line, d->page.places[i].day,
                            err));
    if (!array) {
        DL_TRY(dl_buf_append(d->buf, "\n", 1, err));
    }
    return mdl_stream_write(d->out, d->buf->data, d->buf->len, err);
}

/* Send all records; the first one was read already. */
static dl_status send_records(data_request *d, dl_error *err)
{
    int i;

    for (i = 0; i < d->page.n; i++) {
        if (i > 0) {
            DL_TRY(read_record(d, d->page.places[i], err));
        }
        DL_TRY(send_record(d, i, err));
    }
    return DL_OK;
}

/* --- What stands around them ------------------------------------------------
 */

/* Return the URL of page PAGE, or NULL when there is none of that number. */
static const char *page_url(const data_request *d, int64_t page)
{
    if (d->q->values[MDL_DATA_CURSOR].given || page < 1 ||
        page * d->find.size > MDL_DATA_DEPTH) {
        return NULL;
    }
    return mdl_answer_url(d->q, "page",
                          apr_psprintf(d->q->r->pool, "%" PRId64, page));
}

/* Send what was written to d->buf. */
static dl_status flush(data_request *d, dl_error *err)
{
    dl_status status = mdl_stream_write(d->out, d->buf->data, d->buf->len, err);

    d->buf->len = 0;
    return status;
}

/* Write what stands in front of the records. */
static void write_head(dl_json_writer *w, const data_request *d,
                       const char *next)
{
    int64_t page = d->q->values[MDL_DATA_PAGE].number;
    const char *by_page = d->page.more ? page_url(d, page + 1) : NULL;

    dl_json_write_object_begin(w);
    dl_json_write_key(w, "count");
    if (d->page.count < 0) {
        dl_json_write_null(w);
    }
    else {
        dl_json_write_int(w, d->page.count);
    }
    dl_json_write_key(w, "next");
    dl_json_write_text(w, by_page != NULL ? by_page : next);
    dl_json_write_key(w, "previous");
    dl_json_write_text(w, page_url(d, page - 1));
    dl_json_write_key(w, "results");
    dl_json_write_array_begin(w);
}

/* Send head, records and tail. */
static dl_status send_all(data_request *d, const char *cursor, const char *next,
                          dl_error *err)
{
    dl_json_writer w;

    if (d->q->format != MDL_FORMAT_JSON) {
        return send_records(d, err);
    }
    dl_json_writer_begin(&w, d->buf);
    write_head(&w, d, next);
    DL_TRY(flush(d, err));
    DL_TRY(send_records(d, err));
    d->buf->len = 0;
    dl_json_write_array_end(&w);
    dl_json_write_key(&w, "next_cursor");
    dl_json_write_text(&w, cursor);
    dl_json_write_object_end(&w);
    DL_TRY(dl_json_writer_finish(&w, err));
    return flush(d, err);
}

static int send_page(data_request *d)
{
    const char *cursor = d->page.more ? next_cursor(d) : NULL;
    const char *next = NULL;
    dl_error err = {DL_OK, 0, ""};
    dl_status status = DL_OK;

    if (d->page.n > 0) {
        mdl_walk_range range = d->find.range;

        range.with_coords = d->form.meta;
        d->walk = mdl_walk_create(d->find.snap, &range, d->q->r->pool);
        status = read_record(d, d->page.places[0], &err);
    }
    if (status != DL_OK) {
        return mdl_http_fail(d->q, MDL_LAKE, &err);
    }
    if (cursor != NULL) {
        next = mdl_answer_link_next(d->q, cursor);
    }
    if (d->page.count < 0 && d->find.count == MDL_DATA_COUNT_AUTO) {
        mdl_answer_header(d->q, "X-Count", "unknown");
    }
    d->q->rows = (uint64_t)d->page.n;
    d->out = mdl_stream_open(d->q, NULL);
    if (mdl_stream_wanted(d->out)) {
        status = send_all(d, cursor, next, &err);
    }
    if (status != DL_OK && d->q->r->connection->aborted == 0) {
        dl_log(DL_LOG_ERROR, "DL1230 %s: %s", d->what.ds->name, err.text);
    }
    return mdl_stream_close(d->out, status != DL_OK);
}

/* --- The request ------------------------------------------------------------
 */

/* Say why the page was not found. */
static int refuse(data_request *d, const dl_error *err)
{
    if (err->status == DL_LIMIT) {
        return mdl_param_refuse(
            d->q, &mdl_api_data_params[MDL_DATA_SORT], "sort-too-large",
            "more than 100000 records match; ask for fewer of them");
    }
    return mdl_http_fail(d->q, MDL_LAKE, err);
}

/* Refuse a page that lies too deep, naming the cursor that leads there. */
static int refuse_depth(data_request *d)
{
    mdl_request *q = d->q;
    dl_error err = {DL_OK, 0, ""};

    d->find.size = 0;
    if (mdl_data_page_find(&d->page, &d->find, &err) != DL_OK) {
        return refuse(d, &err);
    }
    return mdl_param_refuse(
        q, &mdl_api_data_params[MDL_DATA_PAGE], "use-cursor",
        apr_pstrcat(q->r->pool, "the page lies too deep, go on with ",
                    mdl_answer_url(q, "cursor", next_cursor(d)), NULL));
}

/* Whether the client has this state of the answer already. */
static bool unchanged(const data_request *d)
{
    const dl_lake_totals *totals = dl_lake_snapshot_totals(d->find.snap);
    const char *args = d->q->r->args;
    char etag[MDL_ETAG_TEXT];
    const char *text = apr_psprintf(
        d->q->r->pool, "%s %" PRIu64 " %" PRIu64 " %s", d->what.ds->name,
        totals->commits, totals->records, args != NULL ? args : "");

    mdl_answer_etag(etag, text, strlen(text));
    return mdl_answer_unchanged(d->q, etag);
}

/* Set how the page is to be found.  Returns OK or the status of a problem. */
static int plan_page(data_request *d)
{
    mdl_request *q = d->q;
    const mdl_value *page = &q->values[MDL_DATA_PAGE];
    const char *position;
    int status;

    d->find.q = q;
    d->find.data = &d->what;
    d->find.size = (int)q->values[MDL_DATA_PAGE_SIZE].number;
    d->find.count = q->values[MDL_DATA_COUNT].choice;
    d->find.known = -1;
    d->find.skip = (uint64_t)(page->number - 1) * (uint64_t)d->find.size;
    d->find.range = (mdl_walk_range){.first = d->what.first,
                                     .last = d->what.last,
                                     .behind = {DL_DAY_NONE, 0},
                                     .as_of = DL_TIME_NONE};
    if (page->sent && q->values[MDL_DATA_CURSOR].sent) {
        return mdl_param_refuse(q, &mdl_api_data_params[MDL_DATA_CURSOR],
                                "exclusive",
                                "page and cursor exclude each other");
    }
    bind_cursor(d);
    status = mdl_page_open(&position, q, &d->binding, MDL_DATA_CURSOR);
    if (status == OK && position != NULL && !read_position(d, position)) {
        status = mdl_page_refuse(q, MDL_DATA_CURSOR);
    }
    return status;
}

/* Open the state that is answered from.  Returns OK or a problem's status. */
static int open_state(data_request *d)
{
    mdl_request *q = d->q;
    dl_error err = {DL_OK, 0, ""};
    dl_lake_day found;
    bool one_day = strchr(q->values[MDL_DATA_RESOURCE].text, '/') != NULL;
    dl_status status = mdl_lake_snapshot(&d->find.snap, q->site->lake,
                                         d->what.ds->name, &err, q->r->pool);

    if (status == DL_OK && one_day) {
        dl_day day = DL_DAY_NONE;

        (void)dl_day_parse(&day,
                           strchr(q->values[MDL_DATA_RESOURCE].text, '/') + 1,
                           DL_DAY_TEXT - 1);
        status = dl_lake_day_find(&found, d->find.snap, day, &err);
    }
    if (status == DL_NOT_FOUND && one_day) {
        return mdl_problem(q, MDL_PROBLEM_NOT_FOUND, "There is no such day.");
    }
    if (status == DL_NOT_FOUND) {
        d->find.snap = NULL;
        return OK;
    }
    if (status != DL_OK) {
        return mdl_http_fail(q, MDL_LAKE, &err);
    }
    d->as_of = d->find.range.as_of != DL_TIME_NONE
                   ? d->find.range.as_of
                   : dl_lake_snapshot_totals(d->find.snap)->last_commit;
    return OK;
}

int mdl_api_data(mdl_request *q)
{
    data_request d = {.q = q, .line = {.text = NULL}};
    dl_error err = {DL_OK, 0, ""};
    int status = mdl_data_query_read(&d.what, q);

    if (status == OK) {
        status = plan_page(&d);
    }
    if (status == OK) {
        status = open_state(&d);
    }
    if (status != OK) {
        return status;
    }
    if (!q->values[MDL_DATA_CURSOR].given &&
        q->values[MDL_DATA_PAGE].number * d.find.size > MDL_DATA_DEPTH) {
        return refuse_depth(&d);
    }
    if (d.find.snap != NULL) {
        if (unchanged(&d)) {
            return mdl_answer_not_modified(q);
        }
        if (mdl_data_page_find(&d.page, &d.find, &err) != DL_OK) {
            return refuse(&d, &err);
        }
    }
    d.form = (mdl_record){.topic = d.what.ds->name,
                          .meta = q->values[MDL_DATA_META].flag};
    if (d.what.n_fields > 0) {
        dl_project *project;

        dl_project_create(&project, d.what.query, d.what.fields,
                          d.what.n_fields, q->r->pool);
        d.form.project = project;
    }
    d.buf = mdl_answer_buf(q, RECORD_MAX);
    return send_page(&d);
}
