/* dlc_lake_each.h - All records of a dataset, day by day.
 *
 * For who does not need the order in which they came (dlc_lake_order.h).
 *
 * Thread: the one of the snapshot.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_LAKE_EACH_H
#define DLC_LAKE_EACH_H

#include <apr_pools.h>

#include "dl_lake.h"
#include "dl_lake_reader.h"

/* Told of one LINE, with coordinates and note, which live until it returns. */
typedef dl_status dlc_lake_visit(void *context, const dl_lake_line *line,
                                 dl_error *err);

/* Call VISIT with CONTEXT for each line of SNAP.  DL_CORRUPT, DL_IO: as of a
 * scan; else as VISIT fails, which ends it. */
DL_MUSTCHECK dl_status dlc_lake_each(dl_lake_snapshot *snap,
                                     dlc_lake_visit *visit, void *context,
                                     dl_error *err, apr_pool_t *scratch_pool);

#endif
