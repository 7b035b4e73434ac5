/* dl_lake_kept.h - The blocks that were read last, checked and ready.
 *
 * Who walks through pages asks for the same block some ten times, and a page
 * behind filters reads its block twice: to find its records and to send them.
 * Bytes below a committed length never change, so what was read and had its
 * checksum stays right.  What becomes of the file meanwhile is not seen: who
 * reads a whole day does without (fresh, in dl_lake_reader.h), so that a
 * damaged day is refused and not answered for as long as it is kept.
 *
 * Bound: DL_LAKE_KEPT blocks a handle, none above DL_LAKE_KEPT_BYTES: 2 MiB,
 * usually 640 KB.  Few on purpose: they stay in the processor's cache.
 *
 * Thread: any; a block lives as long as somebody has a reference to it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_KEPT_H
#define DL_LAKE_KEPT_H

#include <stddef.h>
#include <stdint.h>

/* Blocks that are kept, and the longest of them. */
#define DL_LAKE_KEPT       8
#define DL_LAKE_KEPT_BYTES 262144u

typedef struct dl_lake_kept dl_lake_kept;             /* the blocks */
typedef struct dl_lake_kept_block dl_lake_kept_block; /* one of them */

/* Which block. */
typedef struct dl_lake_kept_key {
    const void *dataset; /* of which dataset; compared only */
    uint64_t uid;        /* of its part */
    uint64_t at;         /* where it begins there */
    uint64_t bytes;      /* how long it is */
} dl_lake_kept_key;

/* Return room for blocks; the caller destroys it. */
dl_lake_kept *dl_lake_kept_create(void);

/* Give the memory of KEPT back; there is no reference any more. */
void dl_lake_kept_destroy(dl_lake_kept *kept);

/* Return the block KEY with a reference, or NULL: it is not kept. */
dl_lake_kept_block *dl_lake_kept_find(dl_lake_kept *kept,
                                      const dl_lake_kept_key *key);

/* Return a block for KEY with a reference, whose bytes are to be read; nobody
 * finds it before dl_lake_kept_ready.  NULL: all are being read, or it is too
 * long. */
dl_lake_kept_block *dl_lake_kept_take(dl_lake_kept *kept,
                                      const dl_lake_kept_key *key);

/* Say that the bytes of BLOCK are right. */
void dl_lake_kept_ready(dl_lake_kept_block *block);

/* Return the bytes of BLOCK, as long as the reference lives. */
char *dl_lake_kept_data(const dl_lake_kept_block *block);

/* Give a reference to BLOCK, which may be NULL, back. */
void dl_lake_kept_release(dl_lake_kept_block *block);

#endif
