/* dl_wh_clients.h - Clients and their payments as the warehouse has them.
 *
 * Thread: the connection's, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_WH_CLIENTS_H
#define DL_WH_CLIENTS_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>
#include <apr_tables.h>

#include "dl_decimal.h"
#include "dl_wh.h"

/* One payment. */
typedef struct dl_payment {
    int64_t transaction_id;   /* key */
    bool has_montant;         /* its amount is known */
    dl_decimal montant;       /* its amount */
    dl_time date_transaction; /* when, UTC */
} dl_payment;

/* A page of the payments of a client. */
typedef struct dl_client_page {
    int64_t client_id; /* whose */
    dl_time before;    /* older than this; DL_TIME_NONE: the newest */
    int64_t before_id; /* ... or as old, with an id below this one */
    int max;           /* at most so many */
} dl_client_page;

/* A client and a page of its payments. */
typedef struct dl_client_view {
    int64_t count;                /* payments, all of them */
    const char *nom;              /* name, NULL: unknown */
    const char *email;            /* e-mail address, NULL: unknown */
    const char *date_inscription; /* since when, as received, NULL: unknown */
    dl_payment newest;            /* the newest payment of all */
    apr_array_header_t *rows;     /* the page, of dl_payment, by time and id,
                                     both falling */
    bool more;                    /* there are others behind it */
} dl_client_view;

/* Set *VIEW to what PAGE asks for, in RESULT_POOL.  All of it comes from one
 * statement and so is of one moment.  DL_NOT_FOUND: the client has no payment. */
DL_MUSTCHECK dl_status dl_wh_client_read(dl_client_view *view, dl_wh *wh,
                                         const dl_client_page *page,
                                         dl_error *err,
                                         apr_pool_t *result_pool);

/* Set *TRANSACTION_ID to the newest payment of the client CLIENT_ID, which is
 * newest of its view.  DL_NOT_FOUND: it has none. */
DL_MUSTCHECK dl_status dl_wh_client_newest(int64_t *transaction_id, dl_wh *wh,
                                           int64_t client_id, dl_error *err);

#endif
