/* dl_lake_locate.h - Where a record lies in the lake, to the byte, and from
 * which message and commit it came.
 *
 * Thread: the owner of the snapshot.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_LOCATE_H
#define DL_LAKE_LOCATE_H

#include <stdint.h>

#include "dl_lake.h"

/* A line of a dataset. */
typedef struct dl_lake_spot {
    dl_day day;    /* its day */
    uint64_t line; /* its number in the day, from 1 */
} dl_lake_spot;

/* A line, with all that is known of it. */
typedef struct dl_lake_location {
    dl_lake_spot spot;   /* which line */
    uint64_t byte_start; /* where it begins in the text of the day */
    uint64_t byte_end;   /* one past its last byte, without the newline */
    uint64_t version;    /* the first version of the day that has it */
    dl_time committed;   /* when that was committed */
    dl_coord coord;      /* where it came from */
    const char *text;    /* the record, without newline */
    size_t len;          /* bytes of TEXT */
} dl_lake_location;

/* Set *SPOT to the line of SNAP that came from OFFSET of PARTITION of the
 * topic's life GENERATION, as COORD says.  Each part's trail is searched
 * by halves.  DL_NOT_FOUND: there is none; DL_CORRUPT, DL_IO: a trail is damaged or
 * unreadable. */
DL_MUSTCHECK dl_status dl_lake_locate_offset(dl_lake_spot *spot,
                                             dl_lake_snapshot *snap,
                                             const dl_coord *coord,
                                             dl_error *err,
                                             apr_pool_t *scratch_pool);

/* Set *FOUND to what is known of the line SPOT of SNAP, which is there; its
 * text lives in RESULT_POOL.  DL_NOT_FOUND: there is no such line; else as
 * above. */
DL_MUSTCHECK dl_status dl_lake_locate_line(dl_lake_location *found,
                                           dl_lake_snapshot *snap,
                                           const dl_lake_spot *spot,
                                           dl_error *err,
                                           apr_pool_t *result_pool);

#endif
