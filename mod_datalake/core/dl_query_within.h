/* dl_query_within.h - The inside of a query, for its own files.
 *
 *   dl_query.c        putting it together, judging lines
 *   dl_query_value.c  values by the type of their column
 *   dl_query_hint.c   what its matches have in common
 *
 * Thread: the owner of the query.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_QUERY_WITHIN_H
#define DL_QUERY_WITHIN_H

#include "dl_member_walk.h"
#include "dl_query.h"
#include "dl_query_value.h"

/* One filter. */
typedef struct dl_query_condition {
    int column;                 /* what is compared */
    dl_query_op op;             /* how */
    int n;                      /* operands; 1 but for a list */
    dl_query_operand *operands; /* with what */
} dl_query_condition;

struct dl_query {
    const dl_dataset *ds;                         /* whose records */
    apr_pool_t *pool;                             /* where it lives */
    int n_columns;                                /* columns */
    dl_query_member columns[DL_QUERY_COLUMNS];    /* the columns */
    int n_filters;                                /* filters */
    dl_query_condition filters[DL_QUERY_FILTERS]; /* the filters */
    const dl_json_shape *shape;                   /* of all slots */
    dl_json_slice *slots;                         /* of the line read last */
    dl_member_walk *walk; /* over lines like those before; NULL: none */
    char *scratch;        /* two lines, one of which is being unescaped */
    char *text;           /* half of it */
};

#endif
