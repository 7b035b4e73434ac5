/* dl_record_rows.h - The objects in an array of a record, each judged as a row
 * of a table of its own.
 *
 * An object without its required members, or with one of another type, is no
 * row: it is kept in the lake as it is.  A text that is longer than its column
 * is different: the judge of the record refuses the whole of it (schema), as it
 * does where the record itself has such a text.
 *
 * Thread: the owner of the judge, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_RECORD_ROWS_H
#define DL_RECORD_ROWS_H

#include <stdbool.h>

#include "dl_record.h"

/* A walk over such an array. */
typedef struct dl_record_rows {
    const char *at;         /* begin of the next element; NULL: none */
    const char *end;        /* of the array */
    struct dl_judge *judge; /* of its objects */
} dl_record_rows;

/* Begin to walk over the array of child CHILD of the record REC; there are no
 * rows when it is absent or no array. */
void dl_record_rows_begin(dl_record_rows *rows, const dl_record *rec,
                          int child);

/* Set *ROW to the next object, judged, good or not; false: none is left.  ROW
 * is valid until the next call. */
bool dl_record_rows_each(dl_record *row, dl_record_rows *rows);

/* The same, good ones only. */
bool dl_record_rows_next(dl_record *row, dl_record_rows *rows);

#endif
