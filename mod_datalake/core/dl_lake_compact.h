/* dl_lake_compact.h - One file for each past day.
 *
 * Compaction joins the sealed parts of a day to YYYY-MM-DD.json in a prepared
 * folder and exchanges that with the day's folder in one system call, so that
 * no listing shows a record twice or not at all.  Versions, line numbers and
 * coordinates stay.  It may run beside the writer and beside any reader.
 *
 * Thread: one at a time per dataset (a lock file sees to it).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_COMPACT_H
#define DL_LAKE_COMPACT_H

#include <stdbool.h>

#include "dl_lake.h"
#include "dl_lake_column.h"

/* Bytes of the volume that a compaction leaves to the writer. */
#define DL_LAKE_COMPACT_FREE (64u << 20)

/* How far a compaction is. */
typedef struct dl_lake_compacting {
    dl_day day;     /* the day in hand */
    int days_left;  /* days that wait, with the one in hand */
    uint64_t done;  /* bytes of it that are copied */
    uint64_t bytes; /* bytes it has */
} dl_lake_compacting;

/* What a compaction does.  The functions may be NULL. */
typedef struct dl_lake_compaction {
    const char *root;    /* folder of the lake */
    const char *dataset; /* which dataset */
    dl_day before;       /* days before this one; DL_DAY_NONE: today, UTC */
    dl_day only;         /* just this day, or DL_DAY_NONE */
    int32_t cold_after;  /* whole files of days more than so many days before
                            BEFORE become cold (FORMAT.md 21); 0: none */
    const dl_lake_columns *columns; /* of the index of what is joined, or
                                       NULL: text alone */
    uint32_t block_bytes; /* of that index, DL_LAKE_INDEX_...; 0: it is not
                             made here */
    void *context;        /* first argument of the functions */

    /* Run STEP with DATA, in whichever thread, and return when it has: the
     * long part of a day, which holds no lock that a writer wants. */
    void (*apart)(void *context, void (*step)(void *data), void *data);

    /* Return whether to leave off; asked for each megabyte, by STEP. */
    bool (*stop)(void *context);

    /* Hear how far it is, about each megabyte, by STEP. */
    void (*progress)(void *context, const dl_lake_compacting *at);
} dl_lake_compaction;

/* What it did. */
typedef struct dl_lake_compacted {
    int days;              /* days that are one file now and were not before */
    int parts;             /* parts that were joined */
    uint64_t bytes;        /* bytes that were rewritten */
    int cold_days;         /* days that are cold now and were not before */
    uint64_t cold_bytes;   /* bytes of their lines */
    uint64_t stored_bytes; /* bytes of their files */
} dl_lake_compacted;

/* Compact as JOB says and fill *DONE.  Days with a single whole file and no
 * later part stay as they are, or become cold if they are old enough.  A cold
 * day for which parts have come is joined to a plain file first.  DL_NOT_FOUND: no such dataset; DL_BUSY:
 * another compaction runs; DL_NO_SPACE, DL_IO: the day in hand is unchanged,
 * days before it are done, and nothing of it is left on the disk;
 * DL_UNAVAILABLE: likewise, stop() said so; DL_CORRUPT: a part does not have
 * its checksum.  A day is not begun (DL_NO_SPACE) when joining it would leave
 * less than DL_LAKE_COMPACT_FREE bytes of the volume.  Thread: any. */
DL_MUSTCHECK dl_status dl_lake_compact(dl_lake_compacted *done,
                                       const dl_lake_compaction *job,
                                       dl_error *err, apr_pool_t *scratch_pool);

#endif
