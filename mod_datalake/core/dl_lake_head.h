/* dl_lake_head.h - The page through which the writer tells lengths.
 *
 * FORMAT.md 9.  Two copies: the writer fills the one that is not in force and
 * switches, so a reader never waits and a writer may die anywhere.
 *
 * Thread: a dl_lake_head may be read by all threads at once; only the writer
 * of the dataset publishes, only the holder of the lock of m/ sets the
 * manifest.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_HEAD_H
#define DL_LAKE_HEAD_H

#include "dl_lake_io.h"
#include "dl_lake_journal.h"

typedef struct dl_lake_head dl_lake_head; /* a mapped head page */

/* What a reader got from a head. */
typedef struct dl_lake_view {
    uint64_t id;                       /* of the dataset */
    uint64_t published;                /* the head's g */
    uint64_t manifest;                 /* the manifest's word */
    uint64_t lsn;                      /* newest log number */
    dl_time last_commit;               /* DL_TIME_NONE: none yet */
    int32_t generation;                /* life of the topic */
    uint64_t commits;                  /* since the beginning */
    uint64_t rejects[DL_LAKE_REASONS]; /* set aside */
    dl_lake_quarantine quarantine;     /* where it ends */
    int n_next;                        /* entries of NEXT */
    dl_lake_next *next;                /* by partition */
    int n_parts;                       /* entries of PARTS */
    dl_lake_part *parts;               /* by day */
} dl_lake_view;

/* Map the head in the folder META into *HEAD for writing, making it if it is
 * missing; unmapped with POOL.  A head that is no head of this format is made
 * anew, as is one that is too short. */
DL_MUSTCHECK dl_status dl_lake_head_create(dl_lake_head **head,
                                           const dl_lake_io *io, int meta,
                                           dl_error *err, apr_pool_t *pool);

/* Map the head in the folder META into *HEAD for reading.  DL_NOT_FOUND:
 * there is none; DL_CORRUPT: it is none. */
DL_MUSTCHECK dl_status dl_lake_head_open(dl_lake_head **head,
                                         const dl_lake_io *io, int meta,
                                         dl_error *err, apr_pool_t *pool);

/* Map as dl_lake_head_open, but so that the manifest can be set. */
DL_MUSTCHECK dl_status dl_lake_head_join(dl_lake_head **head,
                                         const dl_lake_io *io, int meta,
                                         dl_error *err, apr_pool_t *pool);

/* Publish STATE. */
void dl_lake_head_publish(dl_lake_head *head, const dl_lake_state *state);

/* Publish that the manifest is WORD. */
void dl_lake_head_set_manifest(dl_lake_head *head, uint64_t word);

/* The word of manifest NUMBER at LENGTH. */
uint64_t dl_lake_manifest_word(uint64_t number, uint64_t length);

/* Whether nothing was published since VIEW was read from HEAD. */
bool dl_lake_head_same(const dl_lake_head *head, const dl_lake_view *view);

/* Whether the file behind HEAD has been removed. */
bool dl_lake_head_gone(const dl_lake_head *head);

/* Read the state in force into *VIEW, whose arrays live in POOL.
 * DL_NOT_FOUND: nothing was published yet; DL_CORRUPT: it has a wrong
 * checksum. */
DL_MUSTCHECK dl_status dl_lake_head_read(dl_lake_view *view,
                                         const dl_lake_head *head,
                                         dl_error *err, apr_pool_t *pool);

/* The part of VIEW of DAY, or NULL. */
const dl_lake_part *dl_lake_view_find(const dl_lake_view *view, dl_day day);

/* Whether the copy of HEAD that is not in force has a wrong checksum: its
 * writer died while publishing, or a byte was flipped.  For fsck. */
bool dl_lake_head_torn(const dl_lake_head *head);

/* How many words of HEAD that nobody uses are not 0; for fsck. */
int dl_lake_head_strays(const dl_lake_head *head);

#endif
