/* dl_split.h - Where the rows of a text begin and end: lines, rows of CSV,
 * elements of JSON.
 *
 * A text comes piece by piece.  What is found depends on its bytes alone, not
 * on where a piece ends: who begins again at the end of a row finds the same
 * rows.  Nothing is decoded but the quotes of CSV.
 *
 * Line ends are LF or CR LF.  Lines and rows that are empty are passed over.
 * A row that is longer than DL_SPLIT_MAX is cut there; dl_split_skip finds
 * where to go on.
 *
 * CSV is RFC 4180 with any separator.  A quotation mark opens a field only at
 * its beginning, elsewhere it is a character.  A row whose quotation mark is
 * not closed ends with its first line, and is broken.
 *
 * JSON is one array of objects, or objects one after another: outside of them
 * blanks, commas and brackets are passed over, and what is no object is a row
 * up to the next comma or line end.  An object is what stands between its
 * braces; whether it is right is not looked at.
 *
 * Thread: any; the cells belong to one.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_SPLIT_H
#define DL_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_cell.h"

/* Most bytes of a row. */
#define DL_SPLIT_MAX ((size_t)1280 * 1024)

/* Most fields of a row of CSV. */
#define DL_SPLIT_FIELDS 1000

/* What is there of a text, from where the last row ended. */
typedef struct dl_split_input {
    const char *text; /* its bytes */
    size_t len;       /* how many */
    bool whole;       /* it ends here, else more may come */
} dl_split_input;

/* What was found. */
typedef struct dl_split_row {
    const char *text;   /* the row, without its line end; in the input */
    size_t len;         /* bytes of it */
    size_t used;        /* bytes of the input up to the end of the row, with
                         * its line end; without a row: what needs not be
                         * looked at again */
    uint64_t before;    /* line ends before the row */
    uint64_t lines;     /* line ends among USED */
    const char *broken; /* what is wrong with it, static; NULL: nothing */
    bool cut;           /* it is longer: skip the rest of it */
} dl_split_row;

/* The fields of a row of CSV. */
typedef struct dl_split_cells {
    dl_cell *cells; /* DL_CELL_TEXT each; in the input or in SCRATCH */
    int n;          /* how many */
    char separator; /* the byte between them */
    char *scratch;  /* DL_SPLIT_MAX bytes: fields that had quotes in them */
} dl_split_cells;

/* Kinds of texts. */
typedef enum dl_split_kind {
    DL_SPLIT_LINES, /* a row a line */
    DL_SPLIT_CSV,   /* rows of CSV */
    DL_SPLIT_JSON   /* elements of JSON */
} dl_split_kind;

/* Make *CELLS ready for rows with SEPARATOR; its memory goes with POOL. */
void dl_split_cells_create(dl_split_cells *cells, char separator,
                           apr_pool_t *pool);

/* Set *ROW to the next row of INPUT, a text of KIND, and *CELLS to the fields
 * of a good row of CSV (else unused, may be NULL).  False: there is none yet,
 * or, when INPUT is whole, none any more; *ROW then has USED and LINES. */
bool dl_split_next(dl_split_row *row, dl_split_cells *cells, dl_split_kind kind,
                   const dl_split_input *input);

/* Behind a row that was cut: set *USED and *LINES to the bytes and line ends
 * of INPUT to pass over; true: rows go on there, false: more has to be passed
 * over. */
bool dl_split_skip(size_t *used, uint64_t *lines, dl_split_kind kind,
                   const dl_split_input *input);

#endif
