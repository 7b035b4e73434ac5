/* dl_lake_joining.h - The inside of a compaction, for its own files.
 *
 * dl_lake_compact.c finds the days, records and exchanges them;
 * dl_lake_compact_join.c prepares the folder of one.
 *
 * Thread: one at a time; preparing may run in another one while the owner
 * waits.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_JOINING_H
#define DL_LAKE_JOINING_H

#include "dl_lake_compact.h"
#include "dl_lake_head.h"
#include "dl_lake_manifest.h"
#include "dl_lake_text.h"
#include "dl_lake_trail.h"

/* Bytes copied at once. */
#define DL_LAKE_JOIN_BLOCK (1u << 20)

/* One compaction under way. */
typedef struct dl_lake_joiner {
    const dl_lake_compaction *job; /* what was asked for */
    const dl_lake_io *io;          /* system calls */
    int root;                      /* folder of the lake */
    int data;                      /* folder DATASET */
    int meta;                      /* folder _lake/DATASET */
    int idx;                       /* its idx/ */
    int compact;                   /* its compact/, locked */
    dl_lake_manifest_place place;  /* its m/ */
    dl_lake_head *head;            /* mapped, for the manifest's word */
    dl_lake_manifest *manifest;    /* as it was when the day began */
    dl_lake_compacted *done;       /* numbers */
    bool cooling;                  /* days become cold now, else one file */
    dl_lake_compacting at;         /* how far it is */
    uint64_t next_uid;             /* of the next joined file */
    char *block;                   /* DL_LAKE_JOIN_BLOCK bytes */
} dl_lake_joiner;

/* One day being joined. */
typedef struct dl_lake_joining {
    char folder[DL_LAKE_PATH_MAX]; /* dt=D */
    char fresh[DL_LAKE_PATH_MAX];  /* new.D */
    int from;                      /* folder dt=D of the dataset */
    int to;                        /* folder new.D */
    const dl_lake_part *parts;     /* the day's entries */
    int n;                         /* how many */
    dl_lake_part joined;           /* what becomes of them */
    dl_lake_trail trail;           /* its trail, growing */
    int data_fd;                   /* its file */
    int trail_fd;                  /* its trail file; of a day that becomes
                                      cold, the directory of its frames */
    bool cold;                     /* its only file becomes cold */
    dl_lake_frames_writer *frames; /* meanwhile; else NULL */
    dl_sha256 *sum;                /* over its bytes */
    bool recorded;                 /* the manifest may have it */
} dl_lake_joining;

/* Fill *J for the dataset of JOB, its folders open and compact/ locked.  Close
 * it whatever comes of it.  DL_NOT_FOUND: no such dataset; DL_BUSY: another
 * process has the lock. */
DL_MUSTCHECK dl_status dl_lake_joiner_open(dl_lake_joiner *j,
                                           const dl_lake_compaction *job,
                                           dl_error *err, apr_pool_t *pool);

/* Close the folders of J. */
void dl_lake_joiner_close(const dl_lake_joiner *j);

/* Set *M, in POOL, to the manifest as it is; number 0: there is none. */
DL_MUSTCHECK dl_status dl_lake_joiner_manifest(dl_lake_manifest **m,
                                               const dl_lake_joiner *j,
                                               dl_error *err, apr_pool_t *pool);

/* Finish what an earlier run left, and set j->manifest, in POOL. */
DL_MUSTCHECK dl_status dl_lake_joiner_roll(dl_lake_joiner *j, dl_error *err,
                                           apr_pool_t *pool);

/* Do step 1 of FORMAT.md 12 for the day of D, whose folders are open: write
 * or link its file, its trail and its index, and sync them.  Fails as
 * dl_lake_compact. */
DL_MUSTCHECK dl_status dl_lake_join_prepare(dl_lake_joiner *j,
                                            dl_lake_joining *d, dl_error *err,
                                            apr_pool_t *scratch_pool);

/* Take away what preparing D has left: others need the room.  Best effort;
 * the next compaction does it too. */
void dl_lake_join_give_up(dl_lake_joiner *j, const dl_lake_joining *d);

#endif
