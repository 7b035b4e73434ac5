/* dl_lake_index.h - The index beside a part: which of its blocks can hold
 * what is looked for.
 *
 * FORMAT.md 18.  An index is a row of segments, each of which describes up to
 * DL_LAKE_INDEX_BLOCKS blocks; a block is some whole lines of the part, about
 * 64 KiB.  It is mapped and never changes below its length; all of it that is
 * used is compared with a checksum when it is used, so that damage makes a
 * reader look at more, never at less.
 *
 * Memory: the mapping; a descriptor is not kept.
 *
 * Thread: any once opened; nothing in it changes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_INDEX_H
#define DL_LAKE_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "dl_lake_hint.h"
#include "dl_lake_io.h"
#include "dl_lake_part.h"

/* Most blocks of a segment. */
#define DL_LAKE_INDEX_BLOCKS 1024

/* Words of a bitmap of blocks. */
#define DL_LAKE_INDEX_WORDS (DL_LAKE_INDEX_BLOCKS / 64)

/* An index. */
typedef struct dl_lake_index dl_lake_index;

/* Some lines of a part. */
typedef struct dl_lake_block {
    uint64_t at;    /* where they begin in the part */
    uint64_t bytes; /* how long they are, newlines included */
    uint64_t line;  /* lines of the part before them */
    uint64_t lines; /* how many they are */
    uint32_t crc;   /* their checksum */
} dl_lake_block;

/* Set *INDEX to the index of PART in the folder META of its dataset; it lives
 * in RESULT_POOL.  DL_NOT_FOUND: there is none; DL_CORRUPT: it is damaged, or
 * of another part; DL_UNSUPPORTED: of another version of format or folding.
 * All three mean: read without. */
DL_MUSTCHECK dl_status dl_lake_index_open(dl_lake_index **index,
                                          const dl_lake_io *io, int meta,
                                          const dl_lake_part *part,
                                          dl_error *err,
                                          apr_pool_t *result_pool);

/* Return how many segments INDEX has, and set *BYTES and *LINES to how much of
 * the part, from its beginning, they describe. */
int dl_lake_index_segments(uint64_t *bytes, uint64_t *lines,
                           const dl_lake_index *index);

/* Return how many blocks segment SEGMENT has. */
int dl_lake_index_blocks(const dl_lake_index *index, int segment);

/* Set *BLOCK to block I of SEGMENT.  DL_CORRUPT: the table is damaged. */
DL_MUSTCHECK dl_status dl_lake_index_block(dl_lake_block *block,
                                           const dl_lake_index *index,
                                           int segment, int i, dl_error *err);

/* Set *SEGMENT and *I to the block with line LINE (from 0) of the part, which
 * is one of those described. */
DL_MUSTCHECK dl_status dl_lake_index_find(int *segment, int *i,
                                          const dl_lake_index *index,
                                          uint64_t line, dl_error *err);

/* Set in BITS the blocks of SEGMENT that can hold a line that fulfils HINT,
 * clear the others, and return how many can.  What is damaged counts as
 * fulfilled. */
int dl_lake_index_candidates(uint64_t bits[DL_LAKE_INDEX_WORDS],
                             const dl_lake_index *index, int segment,
                             const dl_lake_hint *hint);

#endif
