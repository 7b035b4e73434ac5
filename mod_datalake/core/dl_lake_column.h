/* dl_lake_column.h - Which members of a dataset's records an index knows.
 *
 * Numbers and times get the least and the greatest value of each block
 * (FORMAT.md 18), declared keys a list of lines.  A column is called by a
 * name that holds all that decides about its values - paths, formats, zone -
 * so that an index made under another declaration is not asked.
 *
 * The value of a column in a line is that of dl_query.h: the first of the
 * field's paths that is there and not null; what is not of the type counts as
 * no value.
 *
 * Thread: any, for what is made.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_COLUMN_H
#define DL_LAKE_COLUMN_H

#include <apr_pools.h>

#include "dl_dataset.h"
#include "dl_error.h"
#include "dl_json.h"

/* Most columns of an index; what a dataset has more is not indexed. */
#define DL_LAKE_COLUMNS 48

/* What a column keeps; the values are those on disk. */
typedef enum dl_lake_column_kind {
    DL_LAKE_COLUMN_NUMBERS = 1, /* least and greatest number of a block */
    DL_LAKE_COLUMN_TIMES = 2,   /* least and greatest time of a block */
    DL_LAKE_COLUMN_KEYS = 3     /* lines by text */
} dl_lake_column_kind;

/* One column. */
typedef struct dl_lake_column {
    dl_lake_column_kind kind; /* what is kept */
    const char *name;         /* what an index and a hint call it */
    int n_slots;              /* paths it takes its value from */
    const int *slots;         /* their slots in the shape, in order */
    unsigned formats;         /* of times: bits of dl_time_format */
    const dl_zone *zone;      /* of times without one */
} dl_lake_column;

/* All of a dataset. */
typedef struct dl_lake_columns {
    int n;                         /* how many */
    const dl_lake_column *columns; /* the columns */
    const dl_json_shape *shape;    /* of their members */
    int n_slots;                   /* of the shape */
} dl_lake_columns;

/* Set *COLUMNS to those of DS: its event time, its keys, then numbers and
 * times in order of the declaration.  They live in RESULT_POOL, which must
 * not outlive DS. */
DL_MUSTCHECK dl_status dl_lake_columns_create(const dl_lake_columns **columns,
                                              const dl_dataset *ds,
                                              dl_error *err,
                                              apr_pool_t *result_pool);

/* Return the name of the column that keeps KIND of the field FIELD of DS, as a
 * hint says it (dl_lake_hint.h), or NULL when there is none.  It lives in
 * RESULT_POOL.  Thread: the owner of the pool. */
const char *dl_lake_column_name(const dl_dataset *ds, int field,
                                dl_lake_column_kind kind,
                                apr_pool_t *result_pool);

/* Return the value of COLUMN among the SLOTS of a line scanned with the shape
 * of its columns. */
dl_json_slice dl_lake_column_value(const dl_lake_column *column,
                                   const dl_json_slice *slots);

#endif
