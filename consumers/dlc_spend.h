/* dlc_spend.h - The rollups "spend": what transactions add up to.
 *
 * A dlc_spend collects, in memory, what some transactions add to the tables
 * spend_user, spend_second, product_sale and product_total and to the names
 * of products, and writes it as sorted multi-row upserts.  Adding is linear:
 * a transaction added with sign -1 is as if it had never been added.
 *
 * Keys follow sql/0004-spend.sql: a missing currency or status is "", a
 * missing type or category "unknown", currency is upper case.
 *
 * Thread: one at a time for each object.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_SPEND_H
#define DLC_SPEND_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_error.h"
#include "dl_lake.h"
#include "dl_time.h"
#include "dlc_tally.h"

struct dl_wh;

/* Some characters; NULL: the column is NULL. */
typedef struct dlc_text {
    const char *text; /* not terminated */
    size_t len;       /* bytes */
} dlc_text;

/* One transaction as the rollups see it. */
typedef struct dlc_spend_row {
    dl_time time;          /* event time */
    dlc_text user_id;      /* NULL: in no user's spend */
    dlc_text product_id;   /* NULL: in no product's sales */
    dlc_text product_name; /* NULL: says nothing about the name */
    dlc_text currency;     /* as received */
    dlc_text type;         /* transaction_type */
    dlc_text status;       /* status */
    dlc_text category;     /* product_category */
    dlc_sums sums;         /* n 1 and its amounts */
    dl_coord coord;        /* where it came from */
} dlc_spend_row;

/* What some transactions add up to. */
typedef struct dlc_spend dlc_spend;

/* Return an empty collection from malloc. */
dlc_spend *dlc_spend_create(void);

/* Free SPEND; NULL is nothing. */
void dlc_spend_destroy(dlc_spend *spend);

/* Add SIGN (1 or -1) times ROW to SPEND; with 1 its product's name too, when
 * it is the newest. */
void dlc_spend_add(dlc_spend *spend, const dlc_spend_row *row, int sign);

/* Add all of FROM to SPEND. */
void dlc_spend_merge(dlc_spend *spend, const dlc_spend *from);

/* Return the bytes of memory SPEND holds. */
size_t dlc_spend_bytes(const dlc_spend *spend);

/* Return whether nothing was added to SPEND. */
bool dlc_spend_is_empty(const dlc_spend *spend);

/* Writes collections on one connection. */
typedef struct dlc_spend_writer dlc_spend_writer;

/* Return a writer for the connection WH, in POOL. */
dlc_spend_writer *dlc_spend_writer_create(struct dl_wh *wh, apr_pool_t *pool);

/* Add SPEND to the rollup tables, inside the caller's transaction.  A failure
 * may leave part of it done: the caller rolls back. */
DL_MUSTCHECK dl_status dlc_spend_write(dlc_spend_writer *writer,
                                       const dlc_spend *spend, dl_error *err);

#endif
