/* dl_lake_opened.h - Parts that are open for reading, shared by all scans.
 *
 * A handle keeps descriptors, mapped indexes and some answers of the trail of
 * the parts it read last, by dataset, uid and state, so that a scan in a lake
 * that has not changed opens and searches nothing.  A descriptor stays good
 * for the bytes below the committed length wherever the file moves
 * (FORMAT.md 14); a state has its own entry because its index is another
 * file.
 *
 * It also has the few blocks that were read last (dl_lake_kept.h).
 *
 * Bound: DL_LAKE_OPENED_MAX parts, two descriptors each and of cold ones a third,
 * least recently used ones closed.  A part that a newer manifest no longer names, or that nobody
 * read for a minute, is closed, and no part stays open longer than a minute
 * without being opened anew: the space of removed files comes back.
 *
 * Thread: any; an entry lives as long as somebody has a reference to it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_OPENED_H
#define DL_LAKE_OPENED_H

#include "dl_lake_index.h"
#include "dl_lake_kept.h"
#include "dl_lake_reading.h"
#include "dl_lake_text.h"

/* Most parts that are kept open by one handle. */
#define DL_LAKE_OPENED_MAX 256

typedef struct dl_lake_opened dl_lake_opened; /* a part open for reading */

/* How much of a part lies below a bound in time. */
typedef struct dl_lake_point {
    uint64_t commits; /* that ended */
    uint64_t bytes;   /* of their lines */
    uint64_t records; /* their lines */
} dl_lake_point;

/* Return an empty cache over IO; the caller destroys it. */
dl_lake_cache *dl_lake_cache_create(const dl_lake_io *io);

/* Close all parts of CACHE, to which there is no reference any more. */
void dl_lake_cache_destroy(dl_lake_cache *cache);

/* Return PART of DATASET, with a reference; nothing is opened yet.  DATASET
 * outlives the reference. */
dl_lake_opened *dl_lake_cache_take(dl_lake_cache *cache,
                                   const dl_lake_dataset *dataset,
                                   const dl_lake_part *part);

/* Let CACHE forget the parts of DATASET that SHARED does not name. */
void dl_lake_cache_keep(dl_lake_cache *cache, const dl_lake_dataset *dataset,
                        const dl_lake_shared *shared);

/* Let CACHE forget the parts that nobody read for a minute; looks at most
 * once in ten seconds. */
void dl_lake_cache_tidy(dl_lake_cache *cache);

/* Add a reference to PART. */
void dl_lake_opened_hold(dl_lake_opened *part);

/* Give a reference to PART, which may be NULL, back. */
void dl_lake_opened_release(dl_lake_opened *part);

/* The system calls of PART. */
const dl_lake_io *dl_lake_opened_calls(const dl_lake_opened *part);

/* Return the blocks that are kept of the cache of PART, and set in *KEY what
 * names PART there. */
dl_lake_kept *dl_lake_opened_kept(dl_lake_kept_key *key,
                                  const dl_lake_opened *part);

/* Set *TEXT to the lines of PART, open as long as the reference lives.
 * DL_NOT_FOUND: its file has moved on (FORMAT.md 14, step 5). */
DL_MUSTCHECK dl_status dl_lake_opened_text(const dl_lake_text **text,
                                           dl_lake_opened *part, dl_error *err);

/* Set *FD to the trail of PART likewise. */
DL_MUSTCHECK dl_status dl_lake_opened_trail(int *fd, dl_lake_opened *part,
                                            dl_error *err);

/* Return the index of PART, which lives as long as the reference, and set
 * *LINES to how many lines of the part it describes; NULL and 0: there is
 * none that can be used. */
const dl_lake_index *dl_lake_opened_index(uint64_t *lines,
                                          dl_lake_opened *part);

/* Set *POINT to what was remembered about PART at MS; false: nothing. */
bool dl_lake_opened_recall(dl_lake_point *point, dl_lake_opened *part,
                           int64_t ms);

/* Remember POINT of PART at MS, which is before its newest commit, so that
 * POINT stays true. */
void dl_lake_opened_remember(dl_lake_opened *part, int64_t ms,
                             const dl_lake_point *point);

#endif
