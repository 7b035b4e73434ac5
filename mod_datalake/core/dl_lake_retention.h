/* dl_lake_retention.h - Removing days, and files of quarantine, that were kept
 * for long enough.
 *
 * A day goes as a whole, by the date in its name (FORMAT.md, Removing a day):
 * its folder, trails, indexes.  Whoever reads it then gets DL_NOT_FOUND.  What
 * of it is not sealed yet stays until it is.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_RETENTION_H
#define DL_LAKE_RETENTION_H

#include <stdbool.h>

#include "dl_lake.h"

/* What is removed, and what it was. */
typedef struct dl_lake_gone {
    const char *dataset; /* of which dataset */
    dl_day day;          /* which day */
    uint64_t records;    /* lines it had */
    uint64_t bytes;      /* bytes they had */
} dl_lake_gone;

/* What to remove. */
typedef struct dl_lake_retiring {
    const char *root;    /* folder of the lake */
    const char *dataset; /* which dataset */
    dl_day before;       /* days before this one */
    bool dry_run;        /* tell, but change nothing */
    void *context;       /* first argument of GONE; of each day told */
    void (*gone)(void *context, const dl_lake_gone *gone); /* or NULL */
} dl_lake_retiring;

/* Remove as JOB says.  A day that cannot be removed is as it was; days before
 * it are gone.  DL_NOT_FOUND: no such dataset; DL_BUSY: a compaction or a
 * backup runs, nothing was changed; DL_CORRUPT, DL_NO_SPACE, DL_IO.
 * Thread: any. */
DL_MUSTCHECK dl_status dl_lake_retire(const dl_lake_retiring *job,
                                      dl_error *err, apr_pool_t *scratch_pool);

/* Files of quarantine: which are to go, and what has gone. */
typedef struct dl_lake_gone_aside {
    dl_time before;   /* all their records have a Kafka time before this */
    bool dry_run;     /* tell, but change nothing */
    uint64_t files;   /* set by the call: how many */
    uint64_t records; /* set by the call: what was set aside in them */
} dl_lake_gone_aside;

/* Remove the first files of DATASET's quarantine as GONE says, up to one with a
 * record that is not old; the current one stays.  DL_NOT_FOUND: LAKE has no
 * such dataset; DL_CORRUPT, DL_IO.  Thread: the owner of LAKE. */
DL_MUSTCHECK dl_status dl_lake_retire_aside(dl_lake_gone_aside *gone,
                                            dl_lake *lake, const char *dataset,
                                            dl_error *err,
                                            apr_pool_t *scratch_pool);

#endif
