/* dl_wh_clients.c - Reads tables client and client_transaction.
 *
 * Who asks for the newest payments of a client with no more than a page of
 * them, as nearly everybody does, gets all from STMT_CLIENT_NEWEST, a third of
 * the work: they are counted as they come, and the first is the newest.  Only
 * when there are more, and for later pages, STMT_CLIENT_VIEW counts them and
 * brings the newest beside the page.  All of a payment that is shown stands in
 * the index client_transaction_page: its row is not read.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_wh_clients.h"

#include <stdlib.h>

#include <apr_strings.h>

#include "dl_statements.h"

/* No payment is later (the end of 9999). */
#define FOREVER INT64_C(253402300799999999)

/* Columns of both statements. */
enum client_column {
    COLUMN_KIND, /* what the row is, a row_kind */
    COLUMN_ID,   /* how many, or transaction_id */
    COLUMN_MONTANT,
    COLUMN_DATE,
    COLUMN_NOM,
    COLUMN_EMAIL,
    COLUMN_INSCRIPTION
};

/* What a row of it is. */
enum row_kind {
    ROW_COUNT,   /* how many payments there are */
    ROW_CLIENT,  /* the client */
    ROW_NEWEST,  /* the newest payment */
    ROW_PAYMENT, /* one of the page */
    ROW_BOTH     /* one of the page, and the client */
};

/* Return a copy of the text of COL in POOL, NULL for NULL. */
static const char *copy_text(const dl_wh_stmt *st, unsigned col,
                             apr_pool_t *pool)
{
    return dl_wh_is_null(st, col)
               ? NULL
               : apr_pstrdup(pool, dl_wh_text(st, col, NULL));
}

static dl_payment read_payment(const dl_wh_stmt *st)
{
    return (dl_payment){.transaction_id = dl_wh_int(st, COLUMN_ID),
                        .has_montant = !dl_wh_is_null(st, COLUMN_MONTANT),
                        .montant = dl_wh_decimal(st, COLUMN_MONTANT),
                        .date_transaction = dl_wh_time(st, COLUMN_DATE)};
}

static void read_client(dl_client_view *view, const dl_wh_stmt *st,
                        apr_pool_t *pool)
{
    view->nom = copy_text(st, COLUMN_NOM, pool);
    view->email = copy_text(st, COLUMN_EMAIL, pool);
    view->date_inscription = copy_text(st, COLUMN_INSCRIPTION, pool);
}

static void read_row(dl_client_view *view, const dl_wh_stmt *st,
                     apr_pool_t *pool)
{
    switch (dl_wh_int(st, COLUMN_KIND)) {
    case ROW_COUNT:
        view->count = dl_wh_int(st, COLUMN_ID);
        break;
    case ROW_CLIENT:
        read_client(view, st, pool);
        break;
    case ROW_NEWEST:
        view->newest = read_payment(st);
        break;
    case ROW_BOTH:
        if (view->rows->nelts == 0) {
            read_client(view, st, pool);
            view->newest = read_payment(st);
        }
        APR_ARRAY_PUSH(view->rows, dl_payment) = read_payment(st);
        break;
    default:
        APR_ARRAY_PUSH(view->rows, dl_payment) = read_payment(st);
        break;
    }
}

static void bind_page(dl_wh_stmt *st, const dl_client_page *page)
{
    bool first = page->before == DL_TIME_NONE;
    dl_time before = first ? FOREVER : page->before;
    unsigned i;

    for (i = 0; i < 4; i++) {
        dl_wh_bind_int(st, i, page->client_id);
    }
    dl_wh_bind_time(st, 4, before);
    dl_wh_bind_time(st, 5, before);
    dl_wh_bind_int(st, 6, first ? INT64_MAX : page->before_id);
    dl_wh_bind_int(st, 7, page->max + 1);
}

static int compare_payments(const void *a, const void *b)
{
    const dl_payment *left = a;
    const dl_payment *right = b;

    if (left->date_transaction != right->date_transaction) {
        return left->date_transaction > right->date_transaction ? -1 : 1;
    }
    return left->transaction_id > right->transaction_id ? -1 : 1;
}

/* Set VIEW to the rows that ST, whose parameters are bound, returns. */
static dl_status read_rows(dl_client_view *view, dl_wh_stmt *st, dl_error *err,
                           apr_pool_t *pool)
{
    bool more;

    *view =
        (dl_client_view){.rows = apr_array_make(pool, 16, sizeof(dl_payment))};
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more) {
        read_row(view, st, pool);
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    return DL_OK;
}

static dl_status no_payment(dl_error *err)
{
    return dl_fail(err, DL_NOT_FOUND, 0, "the client has no payment");
}

/* Set *ST to the statement for the newest MAX payments of CLIENT_ID, with its
 * parameters. */
static dl_status prepare_newest(dl_wh_stmt **st, dl_wh *wh, int64_t client_id,
                                int max, dl_error *err)
{
    DL_TRY(dl_wh_prepare(st, wh, STMT_CLIENT_NEWEST, err));
    dl_wh_bind_int(*st, 0, client_id);
    dl_wh_bind_int(*st, 1, max);
    return DL_OK;
}

/* Set VIEW to what PAGE, the first one, asks for, and *WHOLE to whether that
 * is all the client has. */
static dl_status read_newest(dl_client_view *view, bool *whole, dl_wh *wh,
                             const dl_client_page *page, dl_error *err,
                             apr_pool_t *pool)
{
    dl_wh_stmt *st;

    DL_TRY(prepare_newest(&st, wh, page->client_id, page->max + 1, err));
    DL_TRY(read_rows(view, st, err, pool));
    view->count = view->rows->nelts;
    *whole = view->rows->nelts <= page->max;
    return DL_OK;
}

dl_status dl_wh_client_read(dl_client_view *view, dl_wh *wh,
                            const dl_client_page *page, dl_error *err,
                            apr_pool_t *result_pool)
{
    bool whole = false;
    dl_wh_stmt *st;

    if (page->before == DL_TIME_NONE) {
        DL_TRY(read_newest(view, &whole, wh, page, err, result_pool));
    }
    if (!whole) {
        DL_TRY(dl_wh_prepare(&st, wh, STMT_CLIENT_VIEW, err));
        bind_page(st, page);
        DL_TRY(read_rows(view, st, err, result_pool));
    }
    if (view->count == 0) {
        return no_payment(err);
    }
    /* The parts of a UNION have an order each, and no server has to keep it. */
    qsort(view->rows->elts, (size_t)view->rows->nelts, sizeof(dl_payment),
          compare_payments);
    view->more = view->rows->nelts > page->max;
    view->rows->nelts = view->more ? page->max : view->rows->nelts;
    return DL_OK;
}

dl_status dl_wh_client_newest(int64_t *transaction_id, dl_wh *wh,
                              int64_t client_id, dl_error *err)
{
    dl_wh_stmt *st;
    bool found;

    DL_TRY(prepare_newest(&st, wh, client_id, 1, err));
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&found, st, err));
    if (!found) {
        return no_payment(err);
    }
    *transaction_id = dl_wh_int(st, COLUMN_ID);
    dl_wh_finish(st);
    return DL_OK;
}
