/* mdl_places.h - A few places in shared memory, each owned by a process.
 *
 * What only so many requests of a whole server may do at once takes a place
 * first.  A place is a word: 0 when it is free, else the pid of its holder and
 * the monotonic second of its taking.  It is free again when its holder has
 * died, or has held it for too long.
 *
 * Thread: any, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_PLACES_H
#define MDL_PLACES_H

#include <stdbool.h>
#include <stdint.h>

/* A place that was taken; its members are private. */
typedef struct mdl_held {
    _Atomic uint64_t *place; /* the word in shared memory */
    uint64_t value;          /* what its holder wrote there */
} mdl_held;

/* Take one of the N PLACES for at most HELD_S seconds; false: all are taken. */
bool mdl_places_take(mdl_held *mine, _Atomic uint64_t *places, int n,
                     int held_s);

/* Return whether PLACE is held by a process that lives. */
bool mdl_places_taken(const _Atomic uint64_t *place);

/* Give MINE back, unless it was taken from us. */
void mdl_places_give(const mdl_held *mine);

#endif
