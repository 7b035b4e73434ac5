/* dl_array.h - Arrays of malloc that grow.
 *
 * Thread: the array's owner.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_ARRAY_H
#define DL_ARRAY_H

#include <stddef.h>

/* Return ARRAY, which is of malloc or NULL and has room for *ROOM elements of
 * SIZE bytes, with room for WANTED, and set *ROOM: at least half as much again,
 * so that one by one costs little.  Out of memory ends the process. */
void *dl_array_room(void *array, size_t *room, size_t wanted, size_t size);

#endif
