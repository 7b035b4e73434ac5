/* dl_lake_files.h - Which files a day is made of, for people who look.
 *
 * Readers of lines do not need it: they find the files themselves and go on
 * when one moves.  What is told here was true when the snapshot was taken.
 *
 * Thread: the one of the snapshot.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_FILES_H
#define DL_LAKE_FILES_H

#include <stdint.h>

#include "dl_lake.h"
#include "dl_lake_part.h"

/* The files of one part. */
typedef struct dl_lake_files {
    dl_lake_part part;    /* what is known of it */
    const char *data;     /* its lines, below the lake's folder; of a cold day
                             as frames */
    const char *trail;    /* its trail, likewise */
    const char *index;    /* its index, likewise; NULL: there is none */
    uint64_t index_bytes; /* how long the index is */
} dl_lake_files;

/* Set *FILES to the N parts of DAY in SNAP, in order, in RESULT_POOL.
 * DL_NOT_FOUND: no such day. */
DL_MUSTCHECK dl_status dl_lake_day_files(const dl_lake_files **files, int *n,
                                         dl_lake_snapshot *snap, dl_day day,
                                         dl_error *err,
                                         apr_pool_t *result_pool);

/* Return when the first commit of DAY in SNAP was made, which no later commit,
 * sealing or compaction changes: with a version it names a state of the day
 * for ever, also when a removed day comes again.  DL_TIME_NONE: no such day. */
dl_time dl_lake_day_begun(dl_lake_snapshot *snap, dl_day day,
                          apr_pool_t *scratch_pool);

/* Return the word of STATE: "open", "sealed", "listed", "whole" or "cold";
 * static. */
const char *dl_lake_part_state_name(dl_lake_part_state state);

#endif
