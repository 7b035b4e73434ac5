/* dlc_train_read.h - Reading transactions from the lake for a training.
 *
 * Thread: the owner of the rows.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_TRAIN_READ_H
#define DLC_TRAIN_READ_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_config.h"
#include "dl_error.h"
#include "dl_lake.h"
#include "dl_model.h"
#include "dlc_train_rows.h"

/* What is read, and how. */
typedef struct dlc_train_reading {
    const dl_config *cfg;        /* where the lake and the declarations are */
    dl_lake_snapshot *snap;      /* the lake's state */
    dl_day only;                 /* this day alone; DL_DAY_NONE: all days */
    dl_time as_of;               /* as after the last commit at or before */
    const dl_model *rates;       /* exchange rates: nothing else is looked at */
    void *context;               /* of the two below */
    bool (*stop)(void *context); /* whether to leave off */
    void (*progress)(void *context, int64_t lines); /* so many were read */
} dlc_train_reading;

/* Add the transactions of READING to ROWS, or some of them when it stops.
 * DL_INVALID: the dataset has no declaration with the fields of a
 * transaction; DL_CORRUPT, DL_IO: the lake cannot be read. */
DL_MUSTCHECK dl_status dlc_train_read(dlc_train_rows *rows,
                                      const dlc_train_reading *reading,
                                      dl_error *err, apr_pool_t *scratch_pool);

#endif
