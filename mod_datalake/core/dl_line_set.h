/* dl_line_set.h - A set of line numbers that grows at its end.
 *
 * The lines up to a bound have been looked at and either are in the set or
 * are not; what lies behind is not known yet.  Lines are kept in chunks of
 * 65,536: up to 4,096 of them as two bytes each, more as one bit for each line
 * of the chunk, all of them as nothing.  A set of every second of 16 million
 * lines has 2 MB.
 *
 * Lines count from 0.  Memory is malloc's.
 *
 * Thread: the owner, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LINE_SET_H
#define DL_LINE_SET_H

#include <stddef.h>
#include <stdint.h>

/* A set. */
typedef struct dl_line_set dl_line_set;

/* Return an empty set whose bound is 0.  Out of memory ends the process, here
 * and below. */
dl_line_set *dl_line_set_create(void);

/* Free SET. */
void dl_line_set_free(dl_line_set *set);

/* Put LINE, which is at or behind the bound and behind all lines of SET, into
 * it.  To be followed by dl_line_set_cover. */
void dl_line_set_add(dl_line_set *set, uint64_t line);

/* Let all lines below BOUND have been looked at. */
void dl_line_set_cover(dl_line_set *set, uint64_t bound);

/* Return the bound of SET. */
uint64_t dl_line_set_covered(const dl_line_set *set);

/* Return how many bytes SET takes. */
size_t dl_line_set_bytes(const dl_line_set *set);

/* Return how many lines below LINE are in SET. */
uint64_t dl_line_set_rank(const dl_line_set *set, uint64_t line);

/* Write up to MAX lines of SET below TO to LINES, from the one before which
 * RANK others stand; return how many. */
int dl_line_set_take(uint64_t *lines, int max, const dl_line_set *set,
                     uint64_t rank, uint64_t to);

#endif
