/* dl_csv.h - JSON objects as rows of CSV (RFC 4180, CRLF; contract 1.6).
 *
 * Names of nested objects are joined by dots; an array, and an object whose
 * own name was given as a column, is one cell of JSON text; null and what is missing is
 * an empty cell.  A text that begins with = + - @ tab or CR gets a leading ',
 * so that no spreadsheet runs it; numbers stay as they are.
 *
 *     dl_csv_learn for every object, or dl_csv_column for each known name
 *     dl_csv_header, then dl_csv_row for every object
 *
 * Thread: the owner, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_CSV_H
#define DL_CSV_H

#include <stddef.h>

#include <apr_pools.h>

#include "dl_buf.h"
#include "dl_error.h"

/* Most columns of a table. */
#define DL_CSV_COLUMNS 1000

/* The columns of a table, in order. */
typedef struct dl_csv dl_csv;

/* Return a table without columns in POOL. */
dl_csv *dl_csv_create(apr_pool_t *pool);

/* Add the column NAME unless it is there.  DL_LIMIT: too many. */
DL_MUSTCHECK dl_status dl_csv_column(dl_csv *csv, const char *name,
                                     dl_error *err);

/* Add the columns that the LEN bytes at JSON have, one valid JSON object
 * without white space outside of strings.  DL_LIMIT: too many columns, or
 * names too long. */
DL_MUSTCHECK dl_status dl_csv_learn(dl_csv *csv, const char *json, size_t len,
                                    dl_error *err);

/* Append the row of names to OUT.  DL_LIMIT: OUT is full. */
DL_MUSTCHECK dl_status dl_csv_header(dl_buf *out, const dl_csv *csv,
                                     dl_error *err);

/* Append the row of such an object to OUT; what has no column is left out, of
 * a name that comes twice the last counts.  DL_LIMIT: OUT is full. */
DL_MUSTCHECK dl_status dl_csv_row(dl_buf *out, dl_csv *csv, const char *json,
                                  size_t len, dl_error *err);

#endif
