/* dlc_collect_table.h - A source that is a table: pages of rows by an
 * increasing key.
 *
 * What is common to all kinds: a page is read as a whole, so that the foreign
 * database is done with at once, and its rows are then given one by one.  A
 * backend reads pages.
 *
 * A table is one item, named as it; its position is the key of the last row.
 *
 * Thread: that of the reader, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_COLLECT_TABLE_H
#define DLC_COLLECT_TABLE_H

#include <stdint.h>

#include "dlc_collect.h"

/* Most rows of a page, and the bytes behind which no further row is put. */
#define DLC_COLLECT_PAGE_ROWS  500
#define DLC_COLLECT_PAGE_BYTES ((size_t)1 << 20)

/* A page being filled. */
typedef struct dlc_collect_page dlc_collect_page;

/* What reads pages. */
typedef struct dlc_collect_backend {
    /* Put the rows of the table whose key is greater than AFTER to PAGE, by
     * key, as many as it takes.  The database is let go before the return. */
    dl_status (*read)(struct dlc_collect_backend *backend,
                      dlc_collect_page *page, int64_t after, dl_error *err);

    /* Set *TOP to the greatest key that can be seen now, or leave it alone
     * when the table has no row.  NULL: rows appear in the order of their
     * keys, whoever writes them. */
    dl_status (*top)(int64_t *top, struct dlc_collect_backend *backend,
                     dl_error *err);
} dlc_collect_backend;

/* Tell PAGE the names of its columns, of which number KEY is the key; before
 * the first row.  DL_LIMIT: too many. */
DL_MUSTCHECK dl_status dlc_collect_page_columns(
    dlc_collect_page *page, const dl_mapping_columns *columns, int key,
    dl_error *err);

/* Return how many rows PAGE takes, from 1 to DLC_COLLECT_PAGE_ROWS. */
int dlc_collect_page_most(const dlc_collect_page *page);

/* Add a row of CELLS, whose texts are copied, to PAGE and set *FULL to whether
 * no other fits.  DL_INVALID: its key is no whole number from 0 on above all
 * that were before. */
DL_MUSTCHECK dl_status dlc_collect_page_add(bool *full, dlc_collect_page *page,
                                            const dl_cell *cells,
                                            dl_error *err);

/* Set *TEXT to FORM (a STMT_FOREIGN_ constant) with the table and the key of
 * SOURCE and with COLUMNS, which are SQL already, in POOL.  DL_INVALID: a name
 * has a character that cannot be quoted. */
DL_MUSTCHECK dl_status dlc_collect_page_text(const char **text,
                                             const char *form,
                                             const dl_config_source *source,
                                             const char *columns, dl_error *err,
                                             apr_pool_t *pool);

/* Return NAME between backticks, in POOL; NULL: it has one itself. */
const char *dlc_collect_quote(const char *name, apr_pool_t *pool);

/* Return the reader of PLAN over BACKEND, in POOL. */
dlc_collect_reader *dlc_collect_table_create(dlc_collect_backend *backend,
                                             const dlc_collect_plan *plan,
                                             apr_pool_t *pool);

#endif
