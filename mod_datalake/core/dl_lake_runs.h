/* dl_lake_runs.h - Which offsets of its topic a dataset has, by the trails.
 *
 * A run is a row of offsets of one partition that lie one behind another in
 * the lines of a part (other partitions' lines may lie between), all of one
 * day of Kafka's clock.  Nothing of the data is read for it.
 *
 * Thread: the owner of the snapshot.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_RUNS_H
#define DL_LAKE_RUNS_H

#include <stdint.h>

#include "dl_lake.h"

/* Takes LINE, from 1, of a day, which came from C; a return other than DL_OK
 * ends the walk and is passed on. */
typedef dl_status dl_lake_coord_taker(void *context, uint64_t line,
                                      const dl_coord *c, dl_error *err);

/* Call TAKE with CONTEXT for each line of DAY of SNAP, in order.  DL_NOT_FOUND:
 * no such day; DL_CORRUPT, DL_IO: a trail is damaged or unreadable. */
DL_MUSTCHECK dl_status dl_lake_coords_walk(dl_lake_snapshot *snap, dl_day day,
                                           dl_lake_coord_taker *take,
                                           void *context, dl_error *err,
                                           apr_pool_t *scratch_pool);

/* Some offsets of one partition. */
typedef struct dl_lake_run {
    int32_t generation; /* life of the topic */
    int32_t partition;  /* of the topic */
    int64_t first;      /* the first offset */
    int64_t next;       /* one past the last; all between are there */
    dl_day day;         /* of the lake, where they are */
    dl_day broker_day;  /* of Kafka's timestamps; DL_DAY_NONE: they have none */
} dl_lake_run;

/* Takes RUN; a return other than DL_OK ends the walk and is passed on. */
typedef dl_status dl_lake_run_taker(void *context, const dl_lake_run *run,
                                    dl_error *err);

/* Call TAKE with CONTEXT for runs that together are all lines of SNAP; an
 * offset that is stored twice is in two of them.  Their order is that of the
 * days.  Fails as dl_lake_coords_walk. */
DL_MUSTCHECK dl_status dl_lake_runs_walk(dl_lake_snapshot *snap,
                                         dl_lake_run_taker *take, void *context,
                                         dl_error *err,
                                         apr_pool_t *scratch_pool);

#endif
