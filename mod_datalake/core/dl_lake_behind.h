/* dl_lake_behind.h - The thread that writes whole blocks while more are made.
 *
 * Under backlog a part's buffer is full many times a second, and who writes it
 * waits for the disk.  So it is handed over here and written in order, beside
 * fetching and judging; dl_lake_behind_wait tells before a commit whether all
 * of it is in the files (FORMAT.md 10: written, then synced, then journalled).
 * The thread never syncs, cuts or closes anything.
 *
 * Memory: DL_LAKE_BEHIND buffers wait to be written or to be used again, and
 * one more is being handed over.  The thread starts with the first block.
 *
 * Thread: all functions are called by the owner of the writer.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_BEHIND_H
#define DL_LAKE_BEHIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dl_lake_io.h"

typedef struct dl_lake_behind dl_lake_behind; /* thread and queue */

/* Return a queue for buffers of SIZE bytes that are written through IO; both
 * live until dl_lake_behind_destroy.  No thread runs yet. */
dl_lake_behind *dl_lake_behind_create(const dl_lake_io *io, size_t size);

/* Wait, end the thread, free B; NULL is nothing. */
void dl_lake_behind_destroy(dl_lake_behind *b);

/* Return a buffer of the queue's size at a block's edge, one that was written
 * or a new one; the caller's. */
char *dl_lake_behind_buffer(dl_lake_behind *b);

/* Have BLOCK written, in order, waiting while the queue is full.  Its data is
 * B's from here on, whatever comes back: the failure of an earlier block,
 * after which nothing is written until dl_lake_behind_clear. */
DL_MUSTCHECK dl_status dl_lake_behind_put(dl_lake_behind *b,
                                          const dl_lake_aligned *block,
                                          dl_error *err);

/* Wait until nothing is under way; the descriptors may be closed then.
 * Return the first failure since the last clear, as dl_lake_file_write; ERR
 * may be NULL. */
DL_MUSTCHECK dl_status dl_lake_behind_wait(dl_lake_behind *b, dl_error *err);

/* Wait, and forget a failure: what was handed over counts no more. */
void dl_lake_behind_clear(dl_lake_behind *b);

/* Whether the file system has refused to write past the page cache. */
bool dl_lake_behind_cached(dl_lake_behind *b);

/* Give the memory of buffers that nobody uses back, when no block came since
 * the last call. */
void dl_lake_behind_trim(dl_lake_behind *b);

#endif
