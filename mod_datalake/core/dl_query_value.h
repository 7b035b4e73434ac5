/* dl_query_value.h - Values of a query's columns: reading and comparing them.
 *
 * For dl_query.c alone.  Thread: the owner of the query.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_QUERY_VALUE_H
#define DL_QUERY_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "dl_fold.h"
#include "dl_query.h"
#include "dl_time.h"

/* One member that a query looks at. */
typedef struct dl_query_member {
    const char *path;    /* its name */
    dl_field_type type;  /* what it is; DL_FIELD_ANY: what is found */
    unsigned formats;    /* TIME, DATE: bits of dl_time_format */
    const dl_zone *zone; /* of times without one */
    int n_slots;         /* 1, and one for each alternate */
    int slot;            /* the first of them in the shape */
} dl_query_member;

/* A value to compare with. */
typedef struct dl_query_operand {
    dl_query_op op;    /* how; set by the caller of dl_query_operand_read */
    const char *text;  /* its text, ends in NUL */
    size_t len;        /* bytes of text */
    bool number;       /* text is in number syntax */
    bool flag;         /* BOOL */
    dl_time time;      /* TIME, DATE */
    dl_needle *needle; /* contains */
} dl_query_operand;

/* Fill OPERAND, zeroed but for its op, from the LEN bytes at TEXT for MEMBER;
 * it lives in POOL.  False: it is not of the type; FAULT says what is. */
bool dl_query_operand_read(dl_query_operand *operand,
                           const dl_query_member *member, const char *text,
                           size_t len, dl_query_fault *fault, apr_pool_t *pool);

/* Set *ORDER below, at or above 0 as the value SLICE of MEMBER is less than,
 * equal to or above OPERAND.  SCRATCH has room for SLICE.  False: they cannot
 * be compared. */
bool dl_query_order(int *order, const dl_query_member *member,
                    dl_json_slice slice, const dl_query_operand *operand,
                    char *scratch);

/* Return whether the string SLICE of MEMBER holds OPERAND's needle.  SCRATCH
 * has room for SLICE. */
bool dl_query_holds(dl_json_slice slice, const dl_query_operand *operand,
                    char *scratch);

/* Return the order of the values A and B of MEMBER.  SCRATCH has room for
 * both. */
int dl_query_order_values(const dl_query_member *member, dl_json_slice a,
                          dl_json_slice b, char *scratch);

#endif
