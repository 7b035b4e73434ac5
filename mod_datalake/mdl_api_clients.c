/* mdl_api_clients.c - GET /v1/transactions/{client_id}: a client and its
 * payments.
 *
 * The newest payment, the number of all and the client stand on every page.
 * The validator is of all but next_cursor, which differs each time.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "dl_json_write.h"
#include "dl_wh_clients.h"
#include "mdl_api.h"
#include "mdl_http.h"
#include "mdl_kept.h"
#include "mdl_multi.h"
#include "mdl_page.h"
#include "mdl_problem.h"
#include "mdl_site.h"
#include "mdl_spend.h"
#include "mdl_wh.h"

/* No answer is larger: a client, and 1,000 payments of 200 bytes. */
#define ANSWER_MAX ((size_t)1024 * 1024)

/* What date_transaction is without its fraction: 2023-01-20 11:37:58. */
#define WHOLE_SECONDS 19

enum {
    CLIENT,
    LIMIT,
    CURSOR,
    DECIMALS
};

const mdl_param mdl_api_client_params[] = {
    [CLIENT] = {.name = "client_id",
                .type = MDL_PARAM_INT,
                .in_path = true,
                .min = INT64_MIN,
                .max = INT64_MAX,
                .summary = "Key of the client"},
    MDL_PAGE_LIMIT(LIMIT, MDL_MULTI_LIMIT_TEXT),
    MDL_PAGE_CURSOR(CURSOR),
    MDL_SPEND_DECIMALS(DECIMALS),
    {.name = NULL}};

/* A client that is shown. */
typedef struct client_page {
    dl_client_page page;   /* what is read */
    bool decimals_as_text; /* decimals=string */
    dl_buf *buf;           /* the answer, but for its end */
    dl_json_writer w;      /* into it */
    dl_client_view view;   /* what was found */
    apr_pool_t *pool;      /* its texts */
} client_page;

/* Write DATE as it was produced: whole seconds have no fraction. */
static void write_date(dl_json_writer *w, dl_time date)
{
    char text[DL_TIME_SQL];

    dl_time_format_sql(text, date);
    dl_json_write_key(w, "date_transaction");
    dl_json_write_string(
        w, text, date % DL_SECOND_US == 0 ? WHOLE_SECONDS : strlen(text));
}

/* Write the members of PAYMENT, one of the client of PAGE. */
static void write_payment(client_page *page, const dl_payment *payment)
{
    dl_json_writer *w = &page->w;

    dl_json_write_int_member(w, "transaction_id", payment->transaction_id);
    dl_json_write_int_member(w, "client_id", page->page.client_id);
    dl_json_write_key(w, "montant");
    if (!payment->has_montant) {
        dl_json_write_null(w);
    }
    else if (page->decimals_as_text) {
        dl_json_write_decimal_text(w, payment->montant);
    }
    else {
        dl_json_write_decimal(w, payment->montant);
    }
    write_date(w, payment->date_transaction);
}

/* Write all of PAGE but its end. */
static void write_page(client_page *page)
{
    const dl_client_view *view = &page->view;
    dl_json_writer *w = &page->w;
    int i;

    dl_json_writer_begin(w, page->buf);
    dl_json_write_object_begin(w);
    write_payment(page, &view->newest);
    dl_json_write_text_member(w, "nom", view->nom);
    dl_json_write_text_member(w, "email", view->email);
    dl_json_write_text_member(w, "date_inscription", view->date_inscription);
    dl_json_write_int_member(w, "count", view->count);
    dl_json_write_key(w, "transactions");
    dl_json_write_array_begin(w);
    for (i = 0; i < view->rows->nelts; i++) {
        dl_json_write_object_begin(w);
        write_payment(page, &APR_ARRAY_IDX(view->rows, i, dl_payment));
        dl_json_write_object_end(w);
    }
    dl_json_write_array_end(w);
}

static dl_status read_page(struct dl_wh *wh, void *context, dl_error *err)
{
    client_page *page = context;

    page->buf->len = 0;
    DL_TRY(dl_wh_client_read(&page->view, wh, &page->page, err, page->pool));
    write_page(page);
    return DL_OK;
}

/* Answer PAGE, which is to be kept as KEPT. */
static int answer_page(client_page *page, mdl_kept *kept)
{
    const apr_array_header_t *rows = page->view.rows;
    const char *cursor = NULL;
    char etag[MDL_ETAG_TEXT];
    dl_error err;

    mdl_answer_etag(etag, page->buf->data, page->buf->len);
    if (page->view.more) {
        const dl_payment *last =
            &APR_ARRAY_IDX(rows, rows->nelts - 1, dl_payment);

        cursor = mdl_kept_next(
            kept, last->date_transaction,
            apr_psprintf(page->pool, "%" PRId64, last->transaction_id));
    }
    dl_json_write_text_member(&page->w, "next_cursor", cursor);
    dl_json_write_object_end(&page->w);
    if (dl_json_writer_finish(&page->w, &err) != DL_OK) {
        mdl_kept_forget(kept);
        return mdl_http_fail(kept->q, MDL_OURSELVES, &err);
    }
    return mdl_kept_keep(kept, etag, page->buf->data, page->buf->len, cursor);
}

/* Make PAGE, answer it, and keep it as KEPT. */
static int make_page(client_page *page, mdl_kept *kept)
{
    mdl_request *q = kept->q;
    dl_error err;
    dl_status found;

    page->page.before = kept->before;
    page->page.before_id = apr_atoi64(kept->before_id);
    page->buf = mdl_answer_buf(q, ANSWER_MAX);
    found = mdl_wh_read(q->site->wh, read_page, page, &err);
    if (found != DL_OK) {
        mdl_kept_forget(kept);
        return found == DL_NOT_FOUND
                   ? mdl_problem(q, MDL_PROBLEM_NOT_FOUND,
                                 "The client has no transaction.")
                   : mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    return answer_page(page, kept);
}

int mdl_api_client(mdl_request *q)
{
    const mdl_value *v = q->values;
    client_page page = {
        .page = {.client_id = v[CLIENT].number, .max = (int)v[LIMIT].number},
        .decimals_as_text = v[DECIMALS].choice == 1,
        .pool = q->r->pool};
    mdl_cursor_binding binding = {
        "/v1/transactions/{client_id}",
        apr_psprintf(q->r->pool, "%" PRId64 "\x1f%s\x1f%s", v[CLIENT].number,
                     v[LIMIT].text, v[DECIMALS].text)};
    mdl_kept kept;
    int status = mdl_kept_begin(&kept, q, &binding, CURSOR);

    if (status != OK) {
        return status;
    }
    return mdl_kept_find(&kept) ? mdl_kept_send(&kept)
                                : make_page(&page, &kept);
}

dl_status mdl_multi_client_etag(char etag[MDL_ETAG_TEXT], struct dl_wh *wh,
                                int64_t client_id, dl_error *err,
                                apr_pool_t *pool)
{
    client_page page = {.page = {.client_id = client_id,
                                 .before = DL_TIME_NONE,
                                 .max = MDL_MULTI_LIMIT},
                        .buf = dl_buf_create(ANSWER_MAX, pool),
                        .pool = pool};

    DL_TRY(read_page(wh, &page, err));
    mdl_answer_etag(etag, page.buf->data, page.buf->len);
    return DL_OK;
}
