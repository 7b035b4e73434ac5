/* dl_csv_walk.h - The inside of dl_csv: the values of an object, by column.
 *
 * Records of a dataset look alike: behind the value of one member stands
 * nearly always the same text before the next value, punctuation and name
 * (,"location":{"city":).  A walker remembers such texts, from which member
 * to which they lead, and compares instead of parsing; a record with anything
 * new is parsed, and teaches its texts.  Both ways fill the same cells.
 *
 * Bounds: DL_CSV_LEAVES members, DL_CSV_EDGES texts; what goes beyond is
 * parsed each time.
 *
 * Thread: the owner.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_CSV_WALK_H
#define DL_CSV_WALK_H

#include <stdbool.h>
#include <stddef.h>

#include <apr_pools.h>

#include "dl_csv.h"
#include "dl_error.h"

/* Most members, and texts between them, that are remembered. */
#define DL_CSV_LEAVES 2000
#define DL_CSV_EDGES  8000

/* What is to be done with a value. */
typedef enum dl_csv_kind {
    DL_CSV_NOTHING, /* there is none, or null */
    DL_CSV_AS_IS,   /* copied as it is */
    DL_CSV_QUOTED,  /* copied between quotation marks */
    DL_CSV_OTHER,   /* no text, but not known to be free of quotes */
    DL_CSV_TEXT     /* a text that may need a quotation mark or a guard */
} dl_csv_kind;

/* A value: a part of the object's text, of a text without its quotation
 * marks. */
typedef struct dl_csv_cell {
    const char *text; /* its first byte */
    size_t len;       /* its bytes */
    dl_csv_kind kind; /* what it is */
} dl_csv_cell;

/* How a column is found by name. */
typedef struct dl_csv_columns {
    /* Return the column of the LEN bytes at NAME, -1: none. */
    int (*find)(void *context, const char *name, size_t len);
    /* Add it unless it is there.  DL_LIMIT: too many. */
    dl_status (*add)(void *context, const char *name, size_t len,
                     dl_error *err);
    void *context; /* of both */
} dl_csv_columns;

/* One object to walk through. */
typedef struct dl_csv_object {
    const char *json;   /* its text, without white space outside strings */
    size_t len;         /* its bytes */
    dl_csv_cell *cells; /* to be filled, by column, all 0 before; NULL: add
                           columns instead */
    bool whole;         /* take every object apart, also one whose own name
                           is a column */
} dl_csv_object;

/* A walker. */
typedef struct dl_csv_walker dl_csv_walker;

/* Return a walker over objects whose columns are COLUMNS, in POOL. */
dl_csv_walker *dl_csv_walker_create(const dl_csv_columns *columns,
                                    apr_pool_t *pool);

/* Walk through OBJECT.  DL_LIMIT: too many columns, or a name too long. */
DL_MUSTCHECK dl_status dl_csv_walk(dl_csv_walker *walker,
                                   const dl_csv_object *object, dl_error *err);

#endif
