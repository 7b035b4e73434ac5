/* dlc_wh_table.h - A dataset's table, and the statements that load it.
 *
 * Everything is derived from the declaration and from what the database says
 * about the table: the column list, the staging table, the join by the unique
 * columns.  A new dataset with a table is a declaration and a migration.
 *
 * Columns the loader fills by itself: src_generation, src_partition,
 * src_offset and src_time always, and those the declaration names for an event
 * time in two fields, a hash and a number; origin (header dl-origin) and
 * amount_base (the converted amount) when the table has them.
 *
 * Thread: a made dlc_wh_table never changes, any thread may read it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_WH_TABLE_H
#define DLC_WH_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_dataset.h"
#include "dl_error.h"

struct dl_wh;

/* Most columns a table has here. */
#define DLC_WH_COLUMNS 256

/* Most columns of a unique key. */
#define DLC_WH_UNIQUE 8

/* Where the value of a column comes from. */
typedef enum dlc_wh_origin {
    DLC_WH_FIELD,       /* a field of the record */
    DLC_WH_GENERATION,  /* coordinates of the record ... */
    DLC_WH_PARTITION,   /* */
    DLC_WH_OFFSET,      /* */
    DLC_WH_TIME,        /* ... and its Kafka timestamp */
    DLC_WH_ORIGIN,      /* header dl-origin */
    DLC_WH_AMOUNT_BASE, /* amount in the base currency */
    DLC_WH_EVENT,       /* the event time, when no field alone is it */
    DLC_WH_HASH,        /* hash of declared fields, see dlc_wh_row_hash */
    DLC_WH_ID,          /* number made of the coordinates, dlc_wh_row_id */
    DLC_WH_PARENT       /* a field of the record whose array a row stands in */
} dlc_wh_origin;

/* One column. */
typedef struct dlc_wh_column {
    const char *name;     /* of the column */
    dlc_wh_origin origin; /* what it holds */
    int field;            /* index in the dataset, or, DLC_WH_PARENT, in
                           * that of the parent */
} dlc_wh_column;

/* Columns the rollups "spend" look at, as indexes; -1: not there. */
typedef struct dlc_wh_spend_columns {
    int time, user_id, product_id, product_name, currency, type, status,
        category, amount, amount_base, quantity;
} dlc_wh_spend_columns;

/* A dataset's table. */
typedef struct dlc_wh_table {
    const dl_dataset *dataset;    /* its declaration */
    int n;                        /* columns */
    const dlc_wh_column *columns; /* in loading order */
    int n_unique;                 /* columns of the key */
    const int *unique;            /* their indexes */
    bool spend;                   /* feeds the rollups "spend" */
    dlc_wh_spend_columns at;      /* where they find their values */
    int n_children;               /* tables of objects in arrays */
    const struct dlc_wh_table *children[DL_DATASET_CHILDREN]; /* they; of them
                                     * only what stands above, sql_load,
                                     * sql_insert and sql_clear are set */
    const char *staging;            /* name of the session's own table */
    const char *sql_load;           /* LOAD DATA into the table */
    const char *sql_load_staging;   /* LOAD DATA into the staging table */
    const char *sql_insert;         /* INSERT INTO table (...) VALUES */
    const char *sql_insert_staging; /* the same, staging table */
    const char *sql_create_staging; /* CREATE TEMPORARY TABLE */
    const char *sql_drop_staging;   /* DROP TEMPORARY TABLE */
    const char *sql_empty_staging;  /* DELETE FROM */
    const char *sql_repeats;        /* which staged keys are known */
    const char *sql_adjust;         /* old values to rollup_adjust */
    const char *sql_supersede;      /* later rows replace known keys */
    const char *sql_add;            /* unknown keys are inserted */
    const char *sql_clear;          /* of a child: rows go whose record in the
                                     * staging table is stored now */
    const char *sql_spend_range;    /* rows of an offset range, for rollups */
    const char *sql_rate_day;       /* next day with rows */
    const char *sql_rate_rows;      /* rows of a day */
    const char *sql_rate_apply;     /* convert a day's rows of a currency */
} dlc_wh_table;

/* Set *TABLE to the table of DATASET as the database WH has it; in POOL.
 * DL_UNSUPPORTED: the table or a declared column is not there, or the unique
 * columns have no values. */
DL_MUSTCHECK dl_status dlc_wh_table_load(const dlc_wh_table **table,
                                         struct dl_wh *wh,
                                         const dl_dataset *dataset,
                                         dl_error *err, apr_pool_t *pool);

#endif
