/* dl_lake_marks.h - How far each source of a dataset has come.
 *
 * A source numbers its messages; the mark of a source in a partition is the
 * greatest number the dataset has.  What comes again is at or below it
 * (FORMAT.md 6).  A mark has two values: what is committed, and what it will
 * be with what is uncommitted.
 *
 * Memory: about 110 bytes a mark, at most DL_LAKE_MARKS_MAX of them.
 *
 * Thread: the owner of the object.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_MARKS_H
#define DL_LAKE_MARKS_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_lake_bytes.h"
#include "dl_line_note.h"

/* One mark. */
typedef struct dl_lake_mark {
    int32_t partition;               /* of the topic */
    uint8_t source_len;              /* bytes of SOURCE */
    char source[DL_POSITION_SOURCE]; /* name, not ended by NUL */
    uint64_t epoch;                  /* with what is uncommitted */
    uint64_t position;               /* likewise */
    uint64_t old_epoch;              /* committed, unless fresh */
    uint64_t old_position;           /* likewise */
    bool moved;                      /* the two differ */
    bool fresh;                      /* nothing is committed of it */
} dl_lake_mark;

/* The marks of a dataset.  All zero: none. */
typedef struct dl_lake_marks {
    dl_lake_mark *items; /* by partition and source; malloc */
    int n;               /* how many */
    int size;            /* room */
    int n_moved;         /* of them, uncommitted */
} dl_lake_marks;

/* Make *MARKS empty; its memory is freed with POOL. */
void dl_lake_marks_own(dl_lake_marks *marks, apr_pool_t *pool);

/* Let TO, which is owned, have the marks of FROM. */
void dl_lake_marks_copy(dl_lake_marks *to, const dl_lake_marks *from);

/* Whether MARKS have POSITION of PARTITION or one behind it, committed or
 * not. */
bool dl_lake_marks_has(const dl_lake_marks *marks, int32_t partition,
                       const dl_lake_position *position);

/* Let MARKS have POSITION (NULL: nothing to do) of PARTITION, uncommitted.
 * When they are full a new source is left out; then, and only then, return
 * false. */
bool dl_lake_marks_raise(dl_lake_marks *marks, int32_t partition,
                         const dl_lake_position *position);

/* What was uncommitted in MARKS is committed. */
void dl_lake_marks_commit(dl_lake_marks *marks);

/* Forget what is uncommitted in MARKS. */
void dl_lake_marks_forget(dl_lake_marks *marks);

/* Add MARKS, those that moved alone if MOVED, with their number before them;
 * nothing at all when there are none. */
void dl_lake_marks_add(dl_lake_bytes *bytes, const dl_lake_marks *marks,
                       bool moved);

/* Get marks, if anything is left of IN, into MARKS; they are committed.  IN is
 * bad when one does not rise. */
void dl_lake_marks_get(dl_lake_marks *marks, dl_lake_in *in);

#endif
