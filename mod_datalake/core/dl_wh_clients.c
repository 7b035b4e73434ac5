/* dl_wh_clients.c - Reads tables client and client_transaction.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_wh_clients.h"

#include <stdlib.h>

#include <apr_strings.h>

#include "dl_statements.h"

/* Later than any payment (9999-12-31). */
#define FOREVER INT64_C(253402214400000000)

/* Columns of STMT_CLIENT_VIEW. */
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
    ROW_COUNT,  /* how many payments there are */
    ROW_CLIENT, /* the client */
    ROW_NEWEST, /* the newest payment */
    ROW_PAYMENT /* one of the page */
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

static void read_row(dl_client_view *view, const dl_wh_stmt *st,
                     apr_pool_t *pool)
{
    switch (dl_wh_int(st, COLUMN_KIND)) {
    case ROW_COUNT:
        view->count = dl_wh_int(st, COLUMN_ID);
        break;
    case ROW_CLIENT:
        view->nom = copy_text(st, COLUMN_NOM, pool);
        view->email = copy_text(st, COLUMN_EMAIL, pool);
        view->date_inscription = copy_text(st, COLUMN_INSCRIPTION, pool);
        break;
    case ROW_NEWEST:
        view->newest = read_payment(st);
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

dl_status dl_wh_client_read(dl_client_view *view, dl_wh *wh,
                            const dl_client_page *page, dl_error *err,
                            apr_pool_t *result_pool)
{
    dl_wh_stmt *st;
    bool more;

    *view = (dl_client_view){
        .rows = apr_array_make(result_pool, 16, sizeof(dl_payment))};
    DL_TRY(dl_wh_prepare(&st, wh, STMT_CLIENT_VIEW, err));
    bind_page(st, page);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more) {
        read_row(view, st, result_pool);
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    if (view->count == 0) {
        return dl_fail(err, DL_NOT_FOUND, 0, "the client has no payment");
    }
    /* The parts of a UNION have an order each, and no server has to keep it. */
    qsort(view->rows->elts, (size_t)view->rows->nelts, sizeof(dl_payment),
          compare_payments);
    view->more = view->rows->nelts > page->max;
    view->rows->nelts = view->more ? page->max : view->rows->nelts;
    return DL_OK;
}
