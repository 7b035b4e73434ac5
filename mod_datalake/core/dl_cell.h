/* dl_cell.h - One value of a row that a source was read for.
 *
 * A row is an array of cells in the order of its column names.  A cell is a
 * view: its text lives where its maker says.
 *
 * Thread: the owner of the cell.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_CELL_H
#define DL_CELL_H

#include <stddef.h>

/* What a cell holds. */
typedef enum dl_cell_kind {
    DL_CELL_ABSENT = 0, /* nothing: the member is left out */
    DL_CELL_NULL,       /* null */
    DL_CELL_TEXT,       /* a text, UTF-8 if its source keeps the rules */
    DL_CELL_JSON        /* one JSON value that is known to be well-formed */
} dl_cell_kind;

/* One value. */
typedef struct dl_cell {
    const char *text;  /* its bytes, not ended by NUL; of DL_CELL_TEXT and
                          DL_CELL_JSON alone */
    size_t len;        /* how many */
    dl_cell_kind kind; /* what they are */
} dl_cell;

/* Return a cell of the LEN bytes of text at TEXT. */
static inline dl_cell dl_cell_text(const char *text, size_t len)
{
    return (dl_cell){text, len, DL_CELL_TEXT};
}

/* Return a cell of the LEN bytes of JSON at TEXT. */
static inline dl_cell dl_cell_json(const char *text, size_t len)
{
    return (dl_cell){text, len, DL_CELL_JSON};
}

#endif
