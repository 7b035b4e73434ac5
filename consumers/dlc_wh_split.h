/* dlc_wh_split.h - Store a chunk whose keys are partly known, or that the
 * database objects to.  Part of the fact transaction, see dlc_wh_fact.h.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_WH_SPLIT_H
#define DLC_WH_SPLIT_H

#include "dlc_wh_fact.h"

/* Which lines of a chunk. */
typedef struct dlc_wh_range {
    const dlc_wh_chunk *chunk; /* of which chunk */
    size_t from, to;           /* its lines [from, to) that are not out */
    bool staging;              /* to the staging table, not to the table */
} dlc_wh_range;

/* Rows to be stored. */
typedef struct dlc_wh_rows {
    const dlc_wh_table *table; /* whose columns they have */
    const char *sql_load;      /* LOAD DATA into where they belong */
    const char *sql_insert;    /* the same where that is off */
    const char *data;          /* one behind the other */
    size_t len;                /* bytes of them */
} dlc_wh_rows;

/* Send ROWS to the database; *RESULT as of dlc_wh_send. */
DL_MUSTCHECK dl_status dlc_wh_send_rows(dl_wh_load_result *result,
                                        dlc_wh_fact *fact,
                                        const dlc_wh_rows *rows, dl_error *err);

/* Send RANGE to the database; *RESULT tells what it made of it.  After a data
 * error or a repeated key its warnings are at least 1. */
DL_MUSTCHECK dl_status dlc_wh_send(dl_wh_load_result *result, dlc_wh_fact *fact,
                                   const dlc_wh_range *range, dl_error *err);

/* Store CHUNK of BATCH by way of the staging table. */
DL_MUSTCHECK dl_status dlc_wh_split(dlc_wh_fact *fact, dlc_wh_batch *batch,
                                    dlc_wh_chunk *chunk, dl_error *err);

#endif
