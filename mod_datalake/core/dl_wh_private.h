/* dl_wh_private.h - What the dl_wh_*.c files share; nobody else includes it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_WH_PRIVATE_H
#define DL_WH_PRIVATE_H

#include "dl_wh.h"

#include <mysql.h>

struct dl_secret;
struct dl_config_warehouse;
struct dl_config_account;

/* Where and as whom to connect. */
struct dl_wh_target {
    dl_wh_role role;                         /* as whom */
    const struct dl_config_warehouse *where; /* host, port, database */
    const struct dl_config_account *account; /* name */
    const struct dl_secret *password;        /* NULL: none */
};

/* One connection. */
struct dl_wh {
    MYSQL *mysql;        /* NULL when closed */
    dl_wh_role role;     /* as whom */
    dl_wh_engine engine; /* what the server is */
    bool lost;           /* a call found the connection dead */
    int64_t until_us;    /* text statements are answered by then, monotonic
                            clock; 0: the connection's own time-outs */
    apr_pool_t *pool;    /* statements live here */
    dl_wh_stmt *first;   /* prepared statements, a list */
    dl_wh_stmt *active;  /* the one with unread rows, or NULL */
    const char *data;    /* what LOAD DATA may read now, NULL: nothing */
    size_t data_len;     /* its bytes */
    size_t data_read;    /* bytes handed over */
};

/* Fill ERR from the last failure of WH, remember a lost connection, and
 * return the status of dl_wh.h.  WHAT names what was tried. */
dl_status dl_wh_fail(dl_wh *wh, dl_error *err, const char *what);

/* The same for the error NUMBER with the server's TEXT. */
dl_status dl_wh_fail_number(dl_wh *wh, dl_error *err, const char *what,
                            unsigned number, const char *text);

/* Return TEMPLATE with {table} or {into} replaced by TABLE between backticks
 * and {columns} by COLUMNS, in POOL. */
const char *dl_wh_dump_fill(const char *template, const char *table,
                            const char *columns, apr_pool_t *pool);

/* Close all statements of WH; part of dl_wh_close. */
void dl_wh_stmt_close_all(dl_wh *wh);

#endif
