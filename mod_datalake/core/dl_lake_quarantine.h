/* dl_lake_quarantine.h - Reading what was set aside.
 *
 * Records come in the order of their commits, whole, with reason and
 * coordinates; only committed ones are seen.  A place remembered from one
 * walk lets a later one go on behind it.  FORMAT.md 7.
 *
 * Thread: the one of the snapshot.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_QUARANTINE_H
#define DL_LAKE_QUARANTINE_H

#include "dl_lake.h"
#include "dl_line_note.h"

/* Where a walk stands.  All zero: at the beginning. */
typedef struct dl_lake_quarantine_place {
    uint64_t lake;   /* id of the dataset it is a place of */
    uint64_t number; /* of the file, 0: the first one there is */
    uint64_t at;     /* byte in it, 0: its first record */
} dl_lake_quarantine_place;

/* One record that was set aside. */
typedef struct dl_lake_set_aside {
    const void *payload;   /* the bytes as received; NULL at the end; dead at
                              the next call on the walk */
    size_t len;            /* how many */
    dl_lake_reason reason; /* why */
    const char *detail;    /* sentence for people, dead likewise */
    const void *key;       /* key of the message, NULL: it had none */
    size_t key_len;        /* bytes of it */
    dl_coord coord;        /* where it came from */
    dl_lake_quarantine_place here; /* its own place */
    dl_lake_quarantine_place next; /* the place behind it */
    uint64_t repeats;      /* no record: so many messages from COORD on, their
                              offsets without a gap, were dropped as repeats
                              (FORMAT.md 6); 0 of a record.  PAYLOAD is not
                              NULL and LEN is 0 then, COORD has no time */
    dl_lake_position last; /* of repeats: what the last one said of itself;
                              dead likewise */
} dl_lake_set_aside;

typedef struct dl_lake_quarantine_walk dl_lake_quarantine_walk; /* a walk */

/* Set *WALK to a walk over what SNAP has set aside, from FROM on (NULL: from
 * the beginning); it lives in RESULT_POOL, which must not outlive SNAP's.  A
 * place of another life of the dataset, or behind what is committed, is none:
 * the walk begins at the beginning.
 * Thread: the owner of SNAP. */
DL_MUSTCHECK dl_status
dl_lake_quarantine_open(dl_lake_quarantine_walk **walk, dl_lake_snapshot *snap,
                        const dl_lake_quarantine_place *from, dl_error *err,
                        apr_pool_t *result_pool);

/* Let WALK give the repeats that were dropped, too; it leaves them out else.
 * Thread: the owner. */
void dl_lake_quarantine_with_repeats(dl_lake_quarantine_walk *walk);

/* Set *Q to the next record; q->payload is NULL at the end.  DL_CORRUPT: a
 * frame is damaged; DL_NOT_FOUND: a file that is not the first is missing.
 * Thread: the owner. */
DL_MUSTCHECK dl_status dl_lake_quarantine_next(dl_lake_set_aside *q,
                                               dl_lake_quarantine_walk *walk,
                                               dl_error *err);

#endif
