/* dlc_collect_record.h - From a row of a source to a record: key and value.
 *
 * The mapping of the source makes the value.  A row that cannot be read or
 * mapped, and one whose value is no JSON object that a dataset could take, is
 * sent as it stands in the source: it becomes a dead letter, with its place
 * and the reason in headers.
 *
 * The key is the text of the dataset's key member.  Where there is none it is
 * the name of the source, so that a row that is sent again goes to the same
 * partition.
 *
 * Thread: the owner.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_COLLECT_RECORD_H
#define DLC_COLLECT_RECORD_H

#include <stddef.h>

#include <apr_pools.h>

#include "dl_dataset.h"
#include "dl_error.h"
#include "dlc_collect.h"

/* Makes the records of one source. */
typedef struct dlc_collect_maker dlc_collect_maker;

/* A record; all of it is valid until the next one is made, or its row ends. */
typedef struct dlc_collect_record {
    const char *key;   /* its bytes */
    size_t key_len;    /* how many */
    const char *value; /* its bytes */
    size_t len;        /* how many */
    const char *fault; /* why it is the row as it stands; NULL: it is not */
} dlc_collect_record;

/* Set *MAKER to one for SOURCE, whose records go to DS; it lives in POOL.
 * DL_INVALID: mapping or transforms make no sense, with file and line. */
DL_MUSTCHECK dl_status dlc_collect_maker_create(dlc_collect_maker **maker,
                                                const dl_config_source *source,
                                                const dl_dataset *ds,
                                                dl_error *err,
                                                apr_pool_t *pool);

/* Set *RECORD to that of ROW.  DL_INVALID: its columns cannot be mapped, so
 * that no row of them can. */
DL_MUSTCHECK dl_status dlc_collect_maker_make(dlc_collect_record *record,
                                              dlc_collect_maker *maker,
                                              const dlc_collect_row *row,
                                              dl_error *err);

#endif
