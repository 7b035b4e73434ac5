/* dl_lake_checking.h - The inside of fsck, for its own files.
 *
 * Thread: the one that checks.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_CHECKING_H
#define DL_LAKE_CHECKING_H

#include "dl_lake_fsck.h"
#include "dl_lake_head.h"
#include "dl_lake_io.h"
#include "dl_lake_manifest.h"
#include "dl_lake_text.h"
#include "dl_lake_trail.h"

/* A check under way. */
typedef struct dl_lake_checking {
    const dl_lake_io *io;         /* system calls */
    const dl_lake_check *check;   /* what was asked for */
    dl_lake_findings *found;      /* numbers */
    int root;                     /* folder of the lake */
    int data;                     /* folder DATASET */
    int meta;                     /* folder _lake/DATASET */
    dl_lake_manifest_place place; /* its m/ */
    bool alive;                   /* a writer holds the lock */
    bool has_view;                /* the head could be read */
    dl_lake_view view;            /* what it says */
    bool has_state;               /* the journal could be read */
    dl_lake_state *state;         /* what it says */
    bool has_manifest;            /* the manifest could be read */
    dl_lake_manifest *manifest;   /* what it says */
    uint64_t done_bytes;          /* for the progress */
    uint64_t all_bytes;           /* likewise */
    uint64_t told_bytes;          /* likewise */
    char *block;                  /* DL_LAKE_CHECK_BLOCK bytes */
} dl_lake_checking;

/* Bytes read at once. */
#define DL_LAKE_CHECK_BLOCK (1u << 20)

/* Tell the problem with FILE, a sentence made from FORMAT. */
void dl_lake_complain(dl_lake_checking *c, const char *file, const char *format,
                      ...) __attribute__((format(printf, 3, 4)));

/* Note that LEN bytes were checked. */
void dl_lake_check_step(dl_lake_checking *c, uint64_t len);

/* Check the data, the trail and the index of PART.  The pool is the callee's to litter. */
void dl_lake_check_part(dl_lake_checking *c, const dl_lake_part *part,
                        apr_pool_t *scratch_pool);

/* Check quarantine against the state. */
void dl_lake_check_quarantine(dl_lake_checking *c, apr_pool_t *scratch_pool);

/* Check that the folders of the dataset hold what the manifest says. */
void dl_lake_check_folders(dl_lake_checking *c, apr_pool_t *scratch_pool);

#endif
