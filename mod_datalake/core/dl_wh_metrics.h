/* dl_wh_metrics.h - The spend metrics, exact at every moment.
 *
 * A rollup is behind the facts by a watermark.  Each function reads, in one
 * snapshot of the database, the rollup, the fact rows past the watermark (the
 * tail) and the adjustments that count already, and adds them up:
 *
 *     answer = rollup + tail + adjustments below the watermark
 *
 * so it never matters when the loader last brought the rollups forward.  All
 * sums are exact.  A group whose number of transactions is 0 is left out.
 *
 * What is selected: lists are texts joined by commas, compared byte for byte;
 * "*" is everything.  A missing type is selected by "unknown" or "*", a missing
 * status by "*" alone.  Records without user_id are in no user's total, records
 * without product_id in no ranking.
 *
 * Thread: that of the connection.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_WH_METRICS_H
#define DL_WH_METRICS_H

#include <stdint.h>

#include <apr_pools.h>

#include "dl_decimal.h"
#include "dl_error.h"
#include "dl_time.h"

struct dl_wh;

/* Which transactions count. */
typedef struct dl_wh_selection {
    const char *topic;            /* "transaction_log" */
    const char *status;           /* "completed", a list, or "*" */
    const char *transaction_type; /* "purchase,payment", a list, or "*" */
    const char *currency;         /* three letters in any case: only these,
                                   * sums in it; NULL: all, converted */
} dl_wh_selection;

/* The contract's selection when no parameter overrides it. */
#define DL_WH_SELECT_STATUS "completed"
#define DL_WH_SELECT_TYPE   "purchase,payment"

/* One product of the ranking. */
typedef struct dl_wh_product {
    const char *product_id; /* never NULL */
    const char *name;       /* newest name, or the id */
    int64_t quantity;       /* pieces */
    int64_t total;          /* transactions */
} dl_wh_product;

/* A ranking of products. */
typedef struct dl_wh_products {
    dl_wh_product *rows; /* best first */
    int n;               /* their number */
} dl_wh_products;

/* Set *RANKING to the X first products of SELECTION by quantity descending,
 * then product_id; in RESULT_POOL.  At most X. */
DL_MUSTCHECK dl_status dl_wh_top_products(dl_wh_products *ranking,
                                          struct dl_wh *wh,
                                          const dl_wh_selection *selection,
                                          int x, dl_error *err,
                                          apr_pool_t *result_pool);

/* A sum under a name. */
typedef struct dl_wh_share {
    const char *name;    /* type or category; missing ones "unknown" */
    dl_decimal total;    /* sum of what could be converted */
    int64_t unconverted; /* amounts left out of it */
} dl_wh_share;

/* One user's spend. */
typedef struct dl_wh_user {
    const char *user_id;            /* never NULL */
    dl_decimal total;               /* sum of what could be converted */
    int64_t unconverted;            /* amounts left out of it */
    int n_types, n_categories;      /* lengths of the lists */
    const dl_wh_share *by_type;     /* by name */
    const dl_wh_share *by_category; /* by name */
} dl_wh_user;

/* Users in order. */
typedef struct dl_wh_users {
    dl_wh_user *rows; /* in the order asked for */
    int n;            /* their number; fewer than the limit: the end */
} dl_wh_users;

/* Which part of a list: at most LIMIT rows behind the key of the last row of
 * the page before. */
typedef struct dl_wh_page {
    int limit;                    /* rows wanted */
    const char *user_id;          /* that row's user, NULL: from the start */
    dl_decimal total;             /* that row's total; by total only */
    const char *transaction_type; /* that row's type; by type only */
} dl_wh_page;

/* Set *USERS to PAGE of the users of SELECTION by total descending, then
 * user_id; in RESULT_POOL.  Memory is bounded by the limit and the tail, not
 * by the number of users. */
DL_MUSTCHECK dl_status dl_wh_users_by_total(
    dl_wh_users *users, struct dl_wh *wh, const dl_wh_selection *selection,
    const dl_wh_page *page, dl_error *err, apr_pool_t *result_pool);

/* One user's spend in one type. */
typedef struct dl_wh_user_type {
    const char *user_id;          /* never NULL */
    const char *transaction_type; /* missing ones "unknown" */
    dl_decimal total;             /* sum of what could be converted */
    int64_t unconverted;          /* amounts left out of it */
} dl_wh_user_type;

/* Users and types in order. */
typedef struct dl_wh_user_types {
    dl_wh_user_type *rows; /* by user_id, transaction_type */
    int n;                 /* their number; fewer than the limit: the end */
} dl_wh_user_types;

/* Set *ROWS to PAGE of the users and types of SELECTION by user_id, then
 * transaction_type; in RESULT_POOL. */
DL_MUSTCHECK dl_status dl_wh_users_by_type(
    dl_wh_user_types *rows, struct dl_wh *wh, const dl_wh_selection *selection,
    const dl_wh_page *page, dl_error *err, apr_pool_t *result_pool);

/* The spend of a window of event time. */
typedef struct dl_wh_window {
    int64_t transactions; /* selected ones, converted or not */
    dl_decimal total;     /* sum of what could be converted */
    int64_t unconverted;  /* amounts left out of it */
} dl_wh_window;

/* Set *WINDOW to what of SELECTION happened in [FROM, TO), both whole
 * seconds. */
DL_MUSTCHECK dl_status dl_wh_window_sum(dl_wh_window *window, struct dl_wh *wh,
                                        const dl_wh_selection *selection,
                                        dl_time from, dl_time to,
                                        dl_error *err);

/* Set *POSITION to a number that differs whenever an answer of this file may
 * differ: for caches when the loader's page cannot be read. */
DL_MUSTCHECK dl_status dl_wh_position(uint64_t *position, struct dl_wh *wh,
                                      const char *topic, dl_error *err);

#endif
