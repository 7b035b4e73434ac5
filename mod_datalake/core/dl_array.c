/* dl_array.c - Growing by half.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_array.h"

#include <stdint.h>
#include <stdlib.h>

#define LEAST 16 /* elements of the first room */

void *dl_array_room(void *array, size_t *room, size_t wanted, size_t size)
{
    size_t more = *room + *room / 2;

    if (wanted <= *room) {
        return array;
    }
    more = more < LEAST ? LEAST : more;
    more = more < wanted ? wanted : more;
    array = more > SIZE_MAX / size ? NULL : realloc(array, more * size);
    if (array == NULL) {
        abort();
    }
    *room = more;
    return array;
}
