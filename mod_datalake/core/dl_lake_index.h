/* dl_lake_index.h - The index beside a part: which of its blocks can hold
 * what is looked for.
 *
 * FORMAT.md 18.  An index is a row of segments, each of which describes up to
 * DL_LAKE_INDEX_BLOCKS blocks; a block is some whole lines of the part, about
 * 80 KiB.  It is mapped and never changes below its length; all of it that is
 * used is compared with a checksum when it is used, so that damage makes a
 * reader look at more, never at less.
 *
 * Memory: the mapping, and a copy of the block tables (12 bytes a block, 0.02 %
 * of the data); a descriptor is not kept.
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
 * in RESULT_POOL.  UID.index is taken if it is good, else UID.grow, whatever
 * state PART is in; it may describe more of the part than PART, as an older
 * snapshot knows it, has.  DL_NOT_FOUND: there is none; DL_CORRUPT: it is
 * damaged, or of another part; DL_UNSUPPORTED: of another version of format or
 * folding.  Each of them means: read without. */
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

/* Set *BLOCK to block I of SEGMENT. */
void dl_lake_index_block(dl_lake_block *block, const dl_lake_index *index,
                         int segment, int i);

/* Set *SEGMENT and *I to the block with line LINE (from 0) of the part, which
 * is one of those described. */
void dl_lake_index_find(int *segment, int *i, const dl_lake_index *index,
                        uint64_t line);

/* Set in BITS the blocks of SEGMENT that can hold a line that fulfils HINT,
 * clear the others, and return how many can.  What is damaged counts as
 * fulfilled. */
int dl_lake_index_candidates(uint64_t bits[DL_LAKE_INDEX_WORDS],
                             const dl_lake_index *index, int segment,
                             const dl_lake_hint *hint);

/* Which lines of a segment may have a key. */
typedef struct dl_lake_key_lines {
    uint64_t first;  /* line of the part before which the segment begins */
    uint32_t *lines; /* the lines, counted from there, rising */
    uint32_t n;      /* how many */
} dl_lake_key_lines;

/* Set *FOUND to the lines of SEGMENT in which the column NAME
 * (dl_lake_column.h) may be the LEN bytes at TEXT, and no line of it that is
 * so is missing; they live in RESULT_POOL.  Each must be looked at.  The
 * return is false when the index cannot tell: no such column, damage. */
bool dl_lake_index_key_lines(dl_lake_key_lines *found,
                             const dl_lake_index *index, int segment,
                             const char *name, const dl_lake_hint_text *text,
                             apr_pool_t *result_pool);

#endif
