/* dlc_lake_order.h - The records of a dataset in the order of their commits.
 *
 * A day has its lines in the order in which they came; what one commit put
 * into several days belongs together.  This reads a snapshot commit by commit,
 * each one's records by partition and offset: the order in which Kafka gave
 * them.
 *
 * Memory: the records of one commit, some 64 MB at most; for each day that
 * has commits before and after the one at hand 64 KB, and 400 KB for each of
 * the 64 read last.  Each of these days keeps a file open.
 *
 * Thread: the one of the snapshot.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_LAKE_ORDER_H
#define DLC_LAKE_ORDER_H

#include "dl_lake.h"
#include "dl_line_note.h"

/* One record. */
typedef struct dlc_lake_record {
    const char *text;         /* the line, without newline */
    size_t len;               /* bytes of it */
    dl_coord coord;           /* where it came from */
    const dl_line_note *note; /* its headers dl-origin and dl-event; NULL:
                               * neither */
} dlc_lake_record;

typedef struct dlc_lake_order dlc_lake_order; /* a walk */

/* Set *ORDER to a walk over all of SNAP, in POOL, which must not outlive
 * SNAP's. */
DL_MUSTCHECK dl_status dlc_lake_order_open(dlc_lake_order **order,
                                           dl_lake_snapshot *snap,
                                           dl_error *err, apr_pool_t *pool);

/* Set *RECORDS to the N records of the next commit, by partition and offset;
 * they live until the next call.  N is 0 at the end.  DL_CORRUPT, DL_IO: as of
 * a scan. */
DL_MUSTCHECK dl_status dlc_lake_order_next(const dlc_lake_record **records,
                                           size_t *n, dlc_lake_order *order,
                                           dl_error *err);

#endif
