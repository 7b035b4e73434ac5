/* mdl_data_send.c - One page of records on its way out.
 *
 * The records are read at their places and sent one by one, so that a page of
 * a thousand records of 1 MiB needs no more memory than one of ten small ones:
 * one record, its row, and one brigade.  CSV reads them twice unless fields=
 * names the columns: they are the union of what the page's records have.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_data.h"

#include <httpd.h>

#include <inttypes.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_csv.h"
#include "dl_json.h"
#include "dl_json_write.h"
#include "dl_log.h"
#include "mdl_answer.h"
#include "mdl_http.h"
#include "mdl_record.h"

/* Room for one record with _dl, and for its row: every byte a quotation
 * mark, and a comma a column. */
#define ROW_MAX ((size_t)2 * DL_JSON_MAX_BYTES + 65536)

/* One page on its way. */
typedef struct sending {
    mdl_request *q;            /* httpd's side of it */
    const mdl_data_sent *sent; /* what is to be sent */
    mdl_record form;           /* how records are written */
    mdl_walk *walk;            /* where they are read */
    dl_lake_line line;         /* the one read last */
    dl_csv *csv;               /* columns; NULL: not CSV */
    mdl_stream *out;           /* the answer */
    dl_buf *buf;               /* one record */
    dl_buf *row;               /* its row, CSV */
} sending;

/* --- Records --------------------------------------------------------------- */

/* Read record I of the page. */
static dl_status read_record(sending *s, int i, dl_error *err)
{
    DL_TRY(mdl_walk_read(&s->line, s->walk, s->sent->page->places[i], err));
    if (s->form.project != NULL) {
        (void)dl_query_match(s->sent->what->query, s->line.text, s->line.len);
    }
    return DL_OK;
}

/* Append record I, which was read last, to the buffer. */
static dl_status write_record(sending *s, int i, dl_error *err)
{
    return mdl_record_write(s->buf, &s->form, &s->line,
                            s->sent->page->places[i].day, err);
}

/* Send what the buffer holds. */
static dl_status flush(sending *s, dl_error *err)
{
    dl_status status = mdl_stream_write(s->out, s->buf->data, s->buf->len, err);

    s->buf->len = 0;
    return status;
}

static dl_status send_record(sending *s, int i, dl_error *err)
{
    bool array = s->q->format == MDL_FORMAT_JSON;

    s->buf->len = 0;
    if (array && i > 0) {
        DL_TRY(dl_buf_append(s->buf, ",", 1, err));
    }
    DL_TRY(write_record(s, i, err));
    if (s->csv != NULL) {
        s->row->len = 0;
        DL_TRY(dl_csv_row(s->row, s->csv, s->buf->data, s->buf->len, err));
        return mdl_stream_write(s->out, s->row->data, s->row->len, err);
    }
    if (!array) {
        DL_TRY(dl_buf_append(s->buf, "\n", 1, err));
    }
    return flush(s, err);
}

/* Send all records; the first one was read already. */
static dl_status send_records(sending *s, dl_error *err)
{
    int i;

    for (i = 0; i < s->sent->page->n; i++) {
        if (i > 0) {
            DL_TRY(read_record(s, i, err));
        }
        DL_TRY(send_record(s, i, err));
    }
    return DL_OK;
}

/* --- CSV ------------------------------------------------------------------- */

/* Take the columns that fields= names, and those of _dl. */
static dl_status take_columns(sending *s, dl_error *err)
{
    static const char *const meta[] = {"_dl.topic",    "_dl.partition",
                                       "_dl.offset",   "_dl.timestamp",
                                       "_dl.resource", "_dl.line"};
    const mdl_data_query *what = s->sent->what;
    size_t k;
    int i;

    for (i = 0; i < what->n_fields; i++) {
        DL_TRY(dl_csv_column(s->csv,
                             dl_query_path(what->query, what->fields[i]), err));
    }
    for (k = 0; s->form.meta && k < sizeof meta / sizeof meta[0]; k++) {
        DL_TRY(dl_csv_column(s->csv, meta[k], err));
    }
    return DL_OK;
}

/* Find the columns of the page; leaves its first record read. */
static dl_status learn_columns(sending *s, dl_error *err)
{
    int i;

    if (s->sent->what->n_fields > 0) {
        return take_columns(s, err);
    }
    for (i = 0; i < s->sent->page->n; i++) {
        DL_TRY(read_record(s, i, err));
        s->buf->len = 0;
        DL_TRY(write_record(s, i, err));
        DL_TRY(dl_csv_learn(s->csv, s->buf->data, s->buf->len, err));
    }
    return i > 1 ? read_record(s, 0, err) : DL_OK;
}

/* Send the names of the columns, if there are any, and the rows. */
static dl_status send_table(sending *s, dl_error *err)
{
    s->row->len = 0;
    DL_TRY(dl_csv_header(s->row, s->csv, err));
    if (s->row->len > strlen("\r\n")) {
        DL_TRY(mdl_stream_write(s->out, s->row->data, s->row->len, err));
    }
    return send_records(s, err);
}

/* --- What stands around them ------------------------------------------------
 */

/* Return the URL of page PAGE, or NULL when there is none of that number. */
static const char *page_url(const sending *s, int64_t page)
{
    const mdl_value *size = &s->q->values[MDL_DATA_PAGE_SIZE];

    if (s->q->values[MDL_DATA_CURSOR].given || page < 1 ||
        page > MDL_DATA_DEPTH / size->number) {
        return NULL;
    }
    return mdl_answer_url(s->q, "page",
                          apr_psprintf(s->q->r->pool, "%" PRId64, page));
}

/* Write what stands in front of the records. */
static void write_head(dl_json_writer *w, const sending *s, const char *next)
{
    const mdl_data_page *page = s->sent->page;
    int64_t number = s->q->values[MDL_DATA_PAGE].number;
    const char *by_page = page->more ? page_url(s, number + 1) : NULL;

    dl_json_write_object_begin(w);
    dl_json_write_key(w, "count");
    if (page->count < 0) {
        dl_json_write_null(w);
    }
    else {
        dl_json_write_int(w, page->count);
    }
    dl_json_write_key(w, "next");
    dl_json_write_text(w, by_page != NULL ? by_page : next);
    dl_json_write_key(w, "previous");
    dl_json_write_text(w, page_url(s, number - 1));
    dl_json_write_key(w, "results");
    dl_json_write_array_begin(w);
}

/* Send head, records and tail; NEXT is the URL of the next page. */
static dl_status send_all(sending *s, const char *next, dl_error *err)
{
    dl_json_writer w;

    if (s->csv != NULL) {
        return send_table(s, err);
    }
    if (s->q->format != MDL_FORMAT_JSON) {
        return send_records(s, err);
    }
    dl_json_writer_begin(&w, s->buf);
    write_head(&w, s, next);
    DL_TRY(flush(s, err));
    DL_TRY(send_records(s, err));
    s->buf->len = 0;
    dl_json_write_array_end(&w);
    dl_json_write_key(&w, "next_cursor");
    dl_json_write_text(&w, s->sent->cursor);
    dl_json_write_object_end(&w);
    DL_TRY(dl_json_writer_finish(&w, err));
    return flush(s, err);
}

/* --- The answer ------------------------------------------------------------ */

/* Read what is needed before the status line goes out. */
static dl_status prepare(sending *s, dl_error *err)
{
    mdl_request *q = s->q;

    s->buf = mdl_answer_buf(q, ROW_MAX);
    if (s->sent->what->n_fields > 0) {
        dl_project *project;

        dl_project_create(&project, s->sent->what->query, s->sent->what->fields,
                          s->sent->what->n_fields, q->r->pool);
        s->form.project = project;
    }
    if (s->sent->page->n > 0) {
        mdl_walk_range range = s->sent->find->range;

        range.with_coords = s->form.meta;
        range.hint = NULL;
        s->walk = mdl_walk_create(s->sent->find->snap, &range, q->r->pool);
        DL_TRY(read_record(s, 0, err));
    }
    if (q->format == MDL_FORMAT_CSV && q->r->header_only == 0) {
        s->row = mdl_answer_buf(q, ROW_MAX);
        s->csv = dl_csv_create(q->r->pool);
        DL_TRY(learn_columns(s, err));
    }
    return DL_OK;
}

/* Say why the page cannot be sent. */
static int refuse(const sending *s, const dl_error *err)
{
    if (s->csv != NULL && err->status == DL_LIMIT) {
        return mdl_param_refuse_named(
            s->q, "format", "too-many",
            "the records have more than 1000 columns; name some by fields");
    }
    return mdl_http_fail(s->q, MDL_LAKE, err);
}

int mdl_data_send(mdl_request *q, const mdl_data_sent *sent)
{
    sending s = {.q = q,
                 .sent = sent,
                 .form = {.topic = sent->what->ds->name,
                          .meta = q->values[MDL_DATA_META].flag},
                 .line = {.text = NULL}};
    const char *next = NULL;
    dl_error err = {DL_OK, 0, ""};
    dl_status status = prepare(&s, &err);

    if (status != DL_OK) {
        return refuse(&s, &err);
    }
    if (sent->cursor != NULL) {
        next = mdl_answer_link_next(q, sent->cursor);
    }
    if (sent->page->count < 0 && sent->find->count == MDL_DATA_COUNT_AUTO) {
        /* A moment later the count may be known: this answer has no
           validator. */
        mdl_answer_header(q, "X-Count", "unknown");
        apr_table_unset(q->r->headers_out, "ETag");
    }
    q->rows = (uint64_t)sent->page->n;
    s.out = mdl_stream_open(q, NULL);
    if (mdl_stream_wanted(s.out)) {
        status = send_all(&s, next, &err);
    }
    if (status != DL_OK && q->r->connection->aborted == 0) {
        if (!mdl_stream_began(s.out)) {
            return mdl_http_fail(q, MDL_LAKE, &err);
        }
        dl_log(DL_LOG_ERROR, "DL1230 %s: %s", sent->what->ds->name, err.text);
    }
    return mdl_stream_close(s.out, status != DL_OK);
}
