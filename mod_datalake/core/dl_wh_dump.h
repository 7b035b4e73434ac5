/* dl_wh_dump.h - The rows of a table as text, and back.
 *
 * The text is lines of fields between tabs, as LOAD DATA reads it by default:
 * the first line has the names of the columns, then comes a line for each row.
 * A field \N is NULL; in others \\ \t \n \r \0 stand for these bytes.  The
 * bytes of binary columns are hexadecimal digits, their names end in ":hex".
 *
 * Thread: that of the connection.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_WH_DUMP_H
#define DL_WH_DUMP_H

#include "dl_buf.h"
#include "dl_wh.h"

/* A column of a table. */
typedef struct dl_wh_dump_column {
    const char *name; /* of the column */
    bool binary;      /* bytes of no character set */
} dl_wh_dump_column;

/* A table. */
typedef struct dl_wh_dump_table {
    const char *name;                 /* of the table */
    int n;                            /* columns */
    const dl_wh_dump_column *columns; /* they, in order */
    int64_t next_id;                  /* of AUTO_INCREMENT; 0: it has none */
} dl_wh_dump_table;

/* Takes LEN bytes of whole lines at DATA.  A failure ends the dump. */
typedef dl_status dl_wh_dump_take(void *context, const char *data, size_t len,
                                  dl_error *err);

/* Where the text goes. */
typedef struct dl_wh_dump_sink {
    dl_wh_dump_take *take; /* gets each piece */
    void *context;         /* its first argument */
} dl_wh_dump_sink;

/* Set *TABLES to the N tables of WH but schema_version, by name, in POOL. */
DL_MUSTCHECK dl_status dl_wh_dump_tables(const dl_wh_dump_table **tables,
                                         int *n, dl_wh *wh, dl_error *err,
                                         apr_pool_t *pool);

/* Give the names of the columns and all rows of TABLE to SINK, a piece at a
 * time, and set *ROWS to the number of rows. */
DL_MUSTCHECK dl_status dl_wh_dump(uint64_t *rows, dl_wh *wh,
                                  const dl_wh_dump_table *table,
                                  const dl_wh_dump_sink *sink, dl_error *err,
                                  apr_pool_t *scratch_pool);

typedef struct dl_wh_fill dl_wh_fill; /* rows on their way into a table */

/* Set *FILL to the way into TABLE of WH, which is emptied now; it lives in
 * POOL.  Each statement commits by itself.  DL_UNSUPPORTED: no rights. */
DL_MUSTCHECK dl_status dl_wh_fill_begin(dl_wh_fill **fill, dl_wh *wh,
                                        const dl_wh_dump_table *table,
                                        dl_error *err, apr_pool_t *pool);

/* Take LEN bytes at DATA of the text of a dump, cut anywhere.  DL_CORRUPT: it
 * is no such text, or of columns that the table has not. */
DL_MUSTCHECK dl_status dl_wh_fill_put(dl_wh_fill *fill, const char *data,
                                      size_t len, dl_error *err);

/* Store what is left and set *ROWS to the number of all rows.  DL_CORRUPT: the
 * text does not end with a line end. */
DL_MUSTCHECK dl_status dl_wh_fill_end(uint64_t *rows, dl_wh_fill *fill,
                                      dl_error *err);

#endif
