/* dlc_deep.h - Comparing every record of the lake with the broker's value.
 *
 * Every line of the lake is read, which compares its checksum; of each a sum
 * is kept by partition and offset, and compared with that of the message that
 * the broker still has, brought into the stored form.
 *
 * Memory: 8 bytes an offset, at most 128 MiB at a time; for more offsets the
 * lake is read again.
 *
 * Thread: the caller's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_DEEP_H
#define DLC_DEEP_H

#include "dl_lake.h"
#include "dl_reconcile.h"
#include "dlc_broker.h"

/* What came of it. */
typedef struct dlc_deep {
    uint64_t lines;     /* of the lake that were read, their checksums right */
    uint64_t compared;  /* with a message of the broker */
    uint64_t different; /* of them that are not the same record */
    int n_named;        /* used of NAMED */
    dl_reconcile_place named[DL_RECONCILE_NAMED]; /* the first of these */
} dlc_deep;

/* Fill *DEEP for the lake's state SNAP and the comparison SHALLOW of it, with
 * the records of BROKER.  DL_CORRUPT: a line of the lake has a wrong checksum;
 * else as dlc_broker_read and dl_lake_scan_next. */
DL_MUSTCHECK dl_status dlc_deep_compare(dlc_deep *deep, dl_lake_snapshot *snap,
                                        const dl_reconcile *shallow,
                                        dlc_broker *broker, dl_error *err,
                                        apr_pool_t *scratch_pool);

#endif
