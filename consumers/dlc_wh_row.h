/* dlc_wh_row.h - A judged record as the row that LOAD DATA reads.
 *
 * A row is its columns in the order of dlc_wh_table, separated by tabs and
 * ended by a newline; in a text, tab, newline, backslash and NUL are escaped
 * by a backslash; NULL is \N.  Values are bent nowhere: times have exactly
 * six fraction digits in UTC, decimals at most ten, rounded half away from
 * zero.  An absent, null or ill-typed optional field is NULL.
 *
 * Thread: any.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_WH_ROW_H
#define DLC_WH_ROW_H

#include <stdbool.h>
#include <stddef.h>

#include "dl_record.h"
#include "dl_sha256.h"
#include "dl_wh_rates.h"
#include "dlc_spend.h"
#include "dlc_wh_table.h"

/* What a row is made from. */
typedef struct dlc_wh_input {
    const dl_record *rec;     /* a good one */
    const dl_record *parent;  /* of a child's row: the record it stands in */
    dl_coord coord;           /* where it came from */
    dlc_text origin;          /* header dl-origin, NULL: none */
    const dl_wh_rates *rates; /* for amount_base */
    dl_sha256 *sum;           /* over nothing, for hashes */
} dlc_wh_input;

/* Write the hash of the declared fields of REC, of the dataset DS, to OUT: the
 * SHA-256 of, for each, its length in UTF-8 in decimal, ':', its text, ','; of
 * one that is absent, null or no string, '-', ','.  SUM is over nothing before
 * and after. */
void dlc_wh_row_hash(char out[DL_SHA256_TEXT], dl_sha256 *sum,
                     const dl_dataset *ds, const dl_record *rec);

/* Return the number of the record at COORD, the same in every rebuild: 12 bits
 * of generation, 11 of partition and 40 of offset. */
int64_t dlc_wh_row_id(const dl_coord *coord);

/* Return how many bytes a row of TABLE made from INPUT needs at most. */
size_t dlc_wh_row_bound(const dlc_wh_table *table, const dlc_wh_input *input);

/* Write the row of INPUT at OUT, which has room for dlc_wh_row_bound; return
 * its end. */
char *dlc_wh_row_format(char *out, const dlc_wh_table *table,
                        const dlc_wh_input *input);

/* Set COLUMNS[0..table->n) to the columns of the row ROW of LEN bytes with its
 * newline, still escaped; NULL is a NULL text. */
void dlc_wh_row_split(dlc_text *columns, const dlc_wh_table *table,
                      const char *row, size_t len);

/* Set *SPEND to what the row with COLUMNS at COORD adds to the rollups.  Texts
 * that are escaped are copied to SCRATCH, which has room for the row. */
void dlc_wh_row_spend(dlc_spend_row *spend, const dlc_wh_table *table,
                      const dlc_text *columns, const dl_coord *coord,
                      char *scratch);

/* Write the row with COLUMNS as "('a', NULL)" at OUT, which has room for 2
 * times the row and 4 bytes a column; return its end. */
char *dlc_wh_row_literal(char *out, const dlc_wh_table *table,
                         const dlc_text *columns);

#endif
