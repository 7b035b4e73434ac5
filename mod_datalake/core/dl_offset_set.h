/* dl_offset_set.h - A set of offsets of one partition: which of them are
 * somewhere, and where the gaps are.
 *
 * One bit an offset, in chunks of DL_OFFSET_CHUNK that are there only where
 * something is; a chunk with all of its offsets takes no memory any more.  So
 * a partition that was stored without a gap costs next to nothing, and the
 * worst one an eighth of a byte an offset.
 *
 * Thread: the owner of the set.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_OFFSET_SET_H
#define DL_OFFSET_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_error.h"

/* Offsets of a chunk: 16 KiB of bits. */
#define DL_OFFSET_CHUNK 131072

/* A set of offsets. */
typedef struct dl_offset_set dl_offset_set;

/* Return an empty set whose bits take at most MAX_BYTES; its memory is freed
 * with POOL. */
dl_offset_set *dl_offset_set_create(size_t max_bytes, apr_pool_t *pool);

/* Add the offsets FIRST..NEXT-1 (0 <= FIRST < NEXT) to SET and set *AGAIN to
 * how many of them it had.  DL_LIMIT: there is no room for their bits; then
 * some of them may have been added. */
DL_MUSTCHECK dl_status dl_offset_set_add(uint64_t *again, dl_offset_set *set,
                                         int64_t first, int64_t next,
                                         dl_error *err);

/* Return how many offsets of FIRST..NEXT-1 are in SET. */
uint64_t dl_offset_set_count(const dl_offset_set *set, int64_t first,
                             int64_t next);

/* Set *FIRST and *NEXT to the first row of offsets from FROM on that are not
 * in SET, cut at END; false: all up to END are. */
bool dl_offset_set_gap(int64_t *first, int64_t *next, const dl_offset_set *set,
                       int64_t from, int64_t end);

#endif
