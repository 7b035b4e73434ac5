/* dl_mapping_inside.h - Inside a mapping: its rules and the tree of a record.
 *
 * For dl_mapping.c (making both), dl_mapping_write.c (rows) and
 * dl_mapping_json.c (objects) only.
 *
 * Thread: the owner of the mapping.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_MAPPING_INSIDE_H
#define DL_MAPPING_INSIDE_H

#include <stdbool.h>
#include <stddef.h>

#include "dl_json.h"
#include "dl_mapping.h"
#include "dl_transform.h"

/* Most objects inside each other. */
#define DL_MAPPING_DEPTH 16

/* Room for the name of a leaf with all around it; what is longer is none. */
#define DL_MAPPING_PREFIX 48

/* Bytes that transforms of one row may make. */
#define DL_MAPPING_ROOM ((size_t)8 << 20)

/* What is known of one member. */
typedef struct dl_mapping_rule {
    const char *member;            /* its dotted name */
    const char *column;            /* where it comes from, NULL: nowhere */
    const dl_transform *transform; /* or NULL */
    bool seen;                     /* in the object that is being written */
} dl_mapping_rule;

/* A member of a record, or an object in it. */
typedef struct dl_mapping_node dl_mapping_node;
struct dl_mapping_node {
    const char *name;              /* its own, last name */
    const char *prefix;            /* that in quotes, a comma before it and a
                                      colon behind it */
    size_t prefix_len;             /* bytes of it */
    int column;                    /* where it comes from; -1: nowhere */
    const dl_transform *transform; /* or NULL */
    dl_mapping_node *child;        /* the first in it; NULL: it is a value */
    dl_mapping_node *next;         /* beside it */
};

struct dl_mapping {
    bool equal;             /* there is no list */
    int n;                  /* rules */
    dl_mapping_rule *rules; /* those of the list; else those of transforms */
    dl_buf *room;           /* what transforms make */
    dl_buf *scratch;        /* of scans */
    const dl_json_shape *shape; /* of the columns, or of nothing */
    int n_columns;              /* slots of it */
    dl_json_slice *slots;       /* they */
    dl_cell *cells;             /* the same as cells */
    dl_mapping_plan *plan;      /* for them; NULL when equal */
};

/* A member of a record that is one column, unchanged. */
typedef struct dl_mapping_leaf {
    char prefix[DL_MAPPING_PREFIX]; /* a comma, the name in quotes, a colon and
                                       the quotation mark that opens a text */
    size_t prefix_len;              /* bytes of it */
    int column;                     /* where it comes from */
} dl_mapping_leaf;

struct dl_mapping_plan {
    dl_mapping *mapping;     /* whose */
    dl_mapping_node *first;  /* members of the record */
    dl_mapping_leaf *leaves; /* the same, when all are leaves of short names;
                                else NULL */
    int n_leaves;            /* how many */
    size_t fixed;            /* bytes of a record beside its texts, and room
                                for copying at once */
    int pick;                /* the leaf that is picked out; -1: none */
    bool can_pick;           /* what is picked out can be told */
    bool told;               /* of the last record it is: */
    size_t picked;           /* where its text begins in the output */
    size_t picked_len;       /* bytes of it */
};

/* Append CELL to OUT as a JSON value, which is no absent one.  DL_INVALID: it
 * is not UTF-8.  DL_LIMIT: OUT is full. */
DL_MUSTCHECK dl_status dl_mapping_put(dl_buf *out, const dl_cell *cell,
                                      dl_error *err);

/* Append the LEN bytes at PREFIX, a comma, a name in quotes and a colon, to
 * OUT; the first member of an object without the comma.  DL_LIMIT: OUT is
 * full. */
DL_MUSTCHECK dl_status dl_mapping_put_name(dl_buf *out, const char *prefix,
                                           size_t len, dl_error *err);

/* Append the record of the row CELLS to OUT as dl_mapping_write, but leave
 * what was written when it fails. */
DL_MUSTCHECK dl_status dl_mapping_write_row(dl_buf *out,
                                            const dl_mapping_plan *plan,
                                            const dl_cell *cells,
                                            dl_error *err);

#endif
