/* mdl_places.c - Taking and giving places by compare-and-set.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_places.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "dl_time.h"

/* Whether the place with VALUE can be taken at SECOND. */
static bool is_free(uint64_t value, uint32_t second, int held_s)
{
    pid_t holder = (pid_t)(value >> 32);

    return value == 0 || second - (uint32_t)value > (uint32_t)held_s ||
           (kill(holder, 0) != 0 && errno == ESRCH);
}

bool mdl_places_take(mdl_held *mine, _Atomic uint64_t *places, int n,
                     int held_s)
{
    uint32_t second = (uint32_t)(dl_time_monotonic_us() / DL_SECOND_US);
    int i;

    mine->value = (uint64_t)(uint32_t)getpid() << 32 | second;
    for (i = 0; i < n; i++) {
        uint64_t value = atomic_load(&places[i]);

        if (is_free(value, second, held_s) &&
            atomic_compare_exchange_strong(&places[i], &value, mine->value)) {
            mine->place = &places[i];
            return true;
        }
    }
    return false;
}

bool mdl_places_taken(const _Atomic uint64_t *place)
{
    uint64_t value = atomic_load(place);

    return value != 0 && (kill((pid_t)(value >> 32), 0) == 0 || errno != ESRCH);
}

void mdl_places_give(const mdl_held *mine)
{
    uint64_t value = mine->value;

    (void)atomic_compare_exchange_strong(mine->place, &value, 0);
}
