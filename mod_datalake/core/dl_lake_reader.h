/* dl_lake_reader.h - Reading the lines of one day of a snapshot.
 *
 * A scan walks the parts of a day in order, below the committed lengths of
 * its snapshot, and checks every stretch of lines against the checksum that
 * was committed with it, or that the index has of it, before handing it out.
 * Where a part has an index (FORMAT.md 18), a scan that begins in its middle
 * reads one block instead of searching the trail, and one with a hint reads
 * the blocks only that can hold what is wanted.  Memory: one stretch, which
 * is at most 256 KB or one line.
 *
 * Thread: a scan belongs to the thread of its snapshot.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_READER_H
#define DL_LAKE_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "dl_lake.h"
#include "dl_lake_hint.h"
#include "dl_line_note.h"

/* Which lines of a day a scan gives. */
typedef struct dl_lake_range {
    dl_day day;         /* the day */
    uint64_t version;   /* as after this commit, from 1; 0: newest */
    dl_time as_of;      /* as after the last commit at or before this time;
                           DL_TIME_NONE: no such bound.  Not both. */
    uint64_t from_line; /* first line to give, from 1; 0 means 1 */
    uint64_t to_line;   /* last line to give; 0: no such bound */
    bool with_coords;   /* decode where each line came from */
    bool with_notes;    /* and what its message had beside it */
    bool fresh;         /* take nothing that was read before: a damage that
                           came since is found; only without HINT */
    const dl_lake_hint *hint; /* lines that cannot fulfil it may be left out;
                                 NULL: none are */
} dl_lake_range;

/* One line of a day. */
typedef struct dl_lake_line {
    const char *text; /* the record, without newline; NULL at the end; dead
                         at the next call on the scan */
    size_t len;       /* bytes of TEXT */
    uint64_t line;    /* number in the whole day, from 1 */
    dl_coord coord;   /* where it came from, when coordinates or notes were
                         asked for */
    const dl_line_note *note; /* what its message had beside it, when asked
                                 for, never NULL then; dead like TEXT */
} dl_lake_line;

typedef struct dl_lake_scan dl_lake_scan; /* a walk over one day */

/* Set *SCAN to a walk over RANGE of SNAP; it lives in RESULT_POOL, which must
 * not outlive SNAP's.  DL_NOT_FOUND: no such day, no such version yet, or
 * nothing committed at as_of.  DL_INVALID: both version and as_of given.
 * Thread: the owner of SNAP. */
DL_MUSTCHECK dl_status dl_lake_scan_open(dl_lake_scan **scan,
                                         dl_lake_snapshot *snap,
                                         const dl_lake_range *range,
                                         dl_error *err,
                                         apr_pool_t *result_pool);

/* The day as SCAN sees it: bytes, records and version after the bound of its
 * range was applied.  Lives with SCAN.  Thread: the owner. */
const dl_lake_day *dl_lake_scan_day(const dl_lake_scan *scan);

/* Set *DATA and *LEN to the next whole lines, each with its newline, as they
 * stand in the file: at most 256 KB, or one longer line.  Without a hint they
 * follow the last ones without a gap.  *DATA is NULL and
 * *LEN 0 at the end; *DATA is dead at the next call.  DL_CORRUPT: the bytes
 * do not have the checksum they were committed with.  Not to be mixed with
 * dl_lake_scan_next on one scan.  Thread: the owner. */
DL_MUSTCHECK dl_status dl_lake_scan_chunk(const char **data, size_t *len,
                                          dl_lake_scan *scan, dl_error *err);

/* The number in the whole day, from 1, of the first line of what
 * dl_lake_scan_chunk gave last; the others follow without a gap.
 * Thread: the owner. */
uint64_t dl_lake_scan_chunk_line(const dl_lake_scan *scan);

/* Set *LINE to the next line; line->text is NULL at the end.  Fails as
 * dl_lake_scan_chunk.  Thread: the owner. */
DL_MUSTCHECK dl_status dl_lake_scan_next(dl_lake_line *line, dl_lake_scan *scan,
                                         dl_error *err);

/* Set *LINE to line NUMBER, from 1, of DAY of SNAP, with coordinates and note,
 * all copied to RESULT_POOL.  Costs a search in the trail and one stretch.
 * DL_NOT_FOUND: no such day or line; fails else as dl_lake_scan_chunk.
 * Thread: the owner of SNAP. */
DL_MUSTCHECK dl_status dl_lake_line_note(dl_lake_line *line,
                                         dl_lake_snapshot *snap, dl_day day,
                                         uint64_t number, dl_error *err,
                                         apr_pool_t *result_pool);

#endif
