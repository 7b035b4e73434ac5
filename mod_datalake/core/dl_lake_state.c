/* dl_lake_state.c - The parts of a dataset that are not in its manifest.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_journal.h"

#include <stdlib.h>
#include <string.h>

static apr_status_t free_parts(void *context)
{
    dl_lake_state *state = context;

    free(state->parts);
    state->parts = NULL;
    state->n_parts = state->size = 0;
    return APR_SUCCESS;
}

void dl_lake_state_begin(dl_lake_state *state, uint64_t id, apr_pool_t *pool)
{
    int i;

    memset(state, 0, sizeof *state);
    state->id = id;
    state->next_uid = 1;
    for (i = 0; i < DL_LAKE_PARTITIONS_MAX; i++) {
        state->next[i] = -1;
    }
    dl_lake_marks_own(&state->marks, pool);
    apr_pool_cleanup_register(pool, state, free_parts, apr_pool_cleanup_null);
}

int dl_lake_state_place(const dl_lake_state *state, dl_day day)
{
    int low = 0;
    int high = state->n_parts;

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (state->parts[middle]->day < day) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return low;
}

dl_lake_part *dl_lake_state_find(const dl_lake_state *state, dl_day day)
{
    int place = dl_lake_state_place(state, day);

    if (place < state->n_parts && state->parts[place]->day == day) {
        return state->parts[place];
    }
    return NULL;
}

void dl_lake_state_put(dl_lake_state *state, dl_lake_part *part)
{
    int place = dl_lake_state_place(state, part->day);

    if (state->n_parts == state->size) {
        state->size = state->size == 0 ? 16 : 2 * state->size;
        state->parts =
            realloc(state->parts, (size_t)state->size * sizeof *state->parts);
        if (state->parts == NULL) {
            abort();
        }
    }
    memmove(state->parts + place + 1, state->parts + place,
            (size_t)(state->n_parts - place) * sizeof *state->parts);
    state->parts[place] = part;
    state->n_parts++;
}

void dl_lake_state_take(dl_lake_state *state, dl_day day)
{
    int place = dl_lake_state_place(state, day);

    if (place < state->n_parts && state->parts[place]->day == day) {
        state->n_parts--;
        memmove(state->parts + place, state->parts + place + 1,
                (size_t)(state->n_parts - place) * sizeof *state->parts);
    }
}
