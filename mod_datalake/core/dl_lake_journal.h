/* dl_lake_journal.h - The state of a dataset and the records that change it.
 *
 * A journal is a checkpoint and what happened since (FORMAT.md 6).  The
 * writer encodes records; recovery and fsck replay them into a
 * dl_lake_state.
 *
 * Thread: the owner of the object.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_JOURNAL_H
#define DL_LAKE_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "dl_lake.h"
#include "dl_lake_bytes.h"
#include "dl_lake_format.h"
#include "dl_lake_marks.h"
#include "dl_lake_part.h"

/* Where the quarantine ends. */
typedef struct dl_lake_quarantine {
    uint64_t number; /* of the current file, 0: none yet */
    uint64_t length; /* its committed bytes */
    uint64_t frames; /* records in it */
} dl_lake_quarantine;

/* Everything that is committed, but for sealed parts. */
typedef struct dl_lake_state {
    uint64_t id;                           /* of the dataset, random */
    uint64_t journal;                      /* number of the journal */
    uint64_t lsn;                          /* newest log number */
    int64_t last_commit_ms;                /* of the newest commit, or 0 */
    char cluster[DL_LAKE_CLUSTER_MAX + 1]; /* Kafka cluster, "" unknown */
    int32_t generation;                    /* life of the topic */
    uint64_t next_uid;                     /* of the next part */
    uint64_t commits;                      /* since the beginning */
    uint64_t rejects[DL_LAKE_REASONS];     /* set aside, by reason */
    dl_lake_quarantine quarantine;         /* where it ends */
    int64_t next[DL_LAKE_PARTITIONS_MAX];  /* next offset, -1: none */
    dl_lake_marks marks;                   /* how far each source has come */
    int n_parts;                           /* parts not in the manifest */
    int size;                              /* room in PARTS */
    dl_lake_part **parts;                  /* by day, one a day; malloc */
} dl_lake_state;

/* Make *STATE that of a new dataset with ID; its array is freed with POOL. */
void dl_lake_state_begin(dl_lake_state *state, uint64_t id, apr_pool_t *pool);

/* The place of DAY in state->parts, or where it would be. */
int dl_lake_state_place(const dl_lake_state *state, dl_day day);

/* The part of DAY that is not in the manifest, or NULL. */
dl_lake_part *dl_lake_state_find(const dl_lake_state *state, dl_day day);

/* Put PART, whose day has none, into STATE, which points to it from now on. */
void dl_lake_state_put(dl_lake_state *state, dl_lake_part *part);

/* Take the part of DAY out of STATE. */
void dl_lake_state_take(dl_lake_state *state, dl_day day);

/* --- Writing -------------------------------------------------------------- */

/* A part that a commit changes. */
typedef struct dl_lake_change {
    dl_lake_part after;   /* the part as it is after the commit */
    uint64_t trail_at;    /* where its trail grows */
    const uint8_t *trail; /* what it grows by */
    size_t trail_len;     /* bytes of that */
} dl_lake_change;

/* A commit, as what is different after it. */
typedef struct dl_lake_commit {
    int64_t ms;                    /* its time */
    const int64_t *next;           /* next offsets after it */
    dl_lake_quarantine quarantine; /* after it */
    const uint64_t *rejects;       /* after it */
    int n_changes;                 /* parts it changes */
    const dl_lake_change *changes; /* they */
} dl_lake_commit;

/* Add a header frame of KIND ('J', 'M', 'Q') and NUMBER for the dataset NAME
 * with ID. */
void dl_lake_header_add(dl_lake_bytes *bytes, char kind, uint64_t id,
                        uint64_t number, const char *name);

/* Add a checkpoint of STATE. */
void dl_lake_checkpoint_add(dl_lake_bytes *bytes, const dl_lake_state *state);

/* Add the commit C, which follows STATE; the marks that moved are STATE's. */
void dl_lake_commit_add(dl_lake_bytes *bytes, const dl_lake_state *state,
                        const dl_lake_commit *c);

/* Add a record of TYPE, seal or listed, about the N PARTS; it follows STATE. */
void dl_lake_uids_add(dl_lake_bytes *bytes, uint8_t type,
                      const dl_lake_state *state, dl_lake_part *const *parts,
                      int n);

/* --- Reading -------------------------------------------------------------- */

/* Told of each stretch of a trail that a commit holds.  The bytes are dead
 * when the call returns. */
typedef dl_status
dl_lake_trail_seen(void *context, const dl_lake_change *change, dl_error *err);

/* Check the payload IN of a header frame against KIND and NAME; set *ID and
 * *NUMBER.  DL_CORRUPT, DL_UNSUPPORTED. */
DL_MUSTCHECK dl_status dl_lake_header_get(uint64_t *id, uint64_t *number,
                                          dl_lake_in in, char kind,
                                          const char *name, dl_error *err);

/* Replay the journal in *IN of the dataset NAME into *STATE, which
 * dl_lake_state_begin has made and whose parts live in POOL; *IN stands behind
 * its last whole frame then.  DL_CORRUPT: it is damaged before its end. */
DL_MUSTCHECK dl_status dl_lake_journal_replay(dl_lake_state *state,
                                              dl_lake_in *in, const char *name,
                                              dl_error *err, apr_pool_t *pool);

/* Tell SEEN, with CONTEXT, of every stretch of trail in the journal in DATA,
 * which was replayed before.  Stops at the first failure. */
DL_MUSTCHECK dl_status dl_lake_journal_trails(const uint8_t *data, size_t len,
                                              dl_lake_trail_seen *seen,
                                              void *context, dl_error *err);

#endif
