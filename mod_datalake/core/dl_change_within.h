/* dl_change_within.h - What the dl_change*.c files share; nobody else includes
 * it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_CHANGE_WITHIN_H
#define DL_CHANGE_WITHIN_H

#include <apr_tables.h>

#include "dl_change.h"

#include "dl_json_values.h"
#include "dl_record.h"

/* The event at hand, and what reads it. */
struct dl_change {
    const dl_dataset *ds;     /* whose table is changed */
    bool own;                 /* its topic carries the events */
    dl_judge *key_judge;      /* of the member key */
    dl_judge *changes_judge;  /* of the member changes */
    apr_pool_t *event;        /* of one event */
    const char *text;         /* it */
    dl_json_values values;    /* all values of it */
    bool deletes;             /* or changes */
    bool concerns;            /* it is about this table */
    uint32_t upto;            /* index of that member */
    int32_t generation;       /* in which it counts */
    apr_array_header_t *last; /* dl_coord: the last of the locked rows in each
                                 partition of each life of the topic */
    uint64_t locked;          /* rows that were locked; then, how many of them
                                 were loaded */
    dl_record key;            /* what is changed */
    dl_record changes;        /* how, unless it deletes */
};

/* Return whether field I has a column and REC has it. */
bool dl_change_has(const dl_change *change, const dl_record *rec, int i);

#endif
