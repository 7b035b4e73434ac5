/* dl_lake_fsck.h - Is every byte of a dataset what was committed?
 *
 * The check reads everything FORMAT.md names: head, journal, manifests,
 * parts, trails, quarantine, and compares checksums, counts and lengths with
 * each other.  It changes nothing and may run beside the writer, whose
 * uncommitted bytes it leaves alone.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_FSCK_H
#define DL_LAKE_FSCK_H

#include "dl_lake.h"

/* Told about each problem: FILE is relative to the lake's root, TEXT a
 * sentence; both are dead when the call returns. */
typedef void dl_lake_problem(void *context, const char *file, const char *text);

/* Told now and then how far the check is. */
typedef void dl_lake_progress(void *context, uint64_t done_bytes,
                              uint64_t all_bytes);

/* What to check, and whom to tell. */
typedef struct dl_lake_check {
    const char *root;           /* folder of the lake */
    const char *dataset;        /* which dataset */
    dl_lake_problem *problem;   /* called for each problem, or NULL */
    dl_lake_progress *progress; /* called about once per 16 MB, or NULL */
    void *context;              /* passed to both */
} dl_lake_check;

/* What was found. */
typedef struct dl_lake_findings {
    int problems;     /* calls of problem */
    int days;         /* days looked at */
    int parts;        /* parts, sealed and open */
    uint64_t records; /* lines in them */
    uint64_t bytes;   /* bytes in them */
    uint64_t rejects; /* records in quarantine */
} dl_lake_findings;

/* Check as CHECK says and fill *FOUND.  DL_OK also when there are problems;
 * DL_NOT_FOUND: no such dataset.  Thread: any. */
DL_MUSTCHECK dl_status dl_lake_fsck(dl_lake_findings *found,
                                    const dl_lake_check *check, dl_error *err,
                                    apr_pool_t *scratch_pool);

#endif
