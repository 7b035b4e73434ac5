/* dlc_collect_state.h - What a source's collector remembers: table
 * collector_state.
 *
 * A row for each item, and one named "turn" that holds the number of the turn
 * and the item it is of.  All that changes together is stored in one
 * transaction; storing the same twice changes nothing, so that a commit whose
 * answer was lost is simply made again.
 *
 * Thread: the owner of the state.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_COLLECT_STATE_H
#define DLC_COLLECT_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_config.h"
#include "dl_error.h"
#include "dlc_collect.h"

/* The state of one source. */
typedef struct dlc_collect_state dlc_collect_state;

/* An item and its position, as texts of their own. */
typedef struct dlc_collect_place {
    char item[DLC_COLLECT_ITEM];     /* "" : none */
    char text[DLC_COLLECT_POSITION]; /* its position */
} dlc_collect_place;

/* Set *STATE to that of the source NAME, in POOL; nothing is asked yet.  Fails
 * as dlc_link_create. */
DL_MUSTCHECK dl_status dlc_collect_state_create(dlc_collect_state **state,
                                                const dl_config *cfg,
                                                const char *name, dl_error *err,
                                                apr_pool_t *pool);

/* Set *MEMORY and the number of the *TURN (0: none ever) to what is stored, in
 * POOL.  DL_UNAVAILABLE and so on: as dl_wh.h; the connection is made anew at
 * the next call. */
DL_MUSTCHECK dl_status dlc_collect_state_load(dlc_collect_memory *memory,
                                              int64_t *turn,
                                              dlc_collect_state *state,
                                              dl_error *err, apr_pool_t *pool);

/* Store how far PLACE is with the broker.  Fails likewise. */
DL_MUSTCHECK dl_status dlc_collect_state_save(dlc_collect_state *state,
                                              const dlc_collect_place *place,
                                              dl_error *err);

/* Store how far LEFT (item "": none) is, and that TURN, of NEXT, begins.  Fails
 * likewise. */
DL_MUSTCHECK dl_status dlc_collect_state_turn(dlc_collect_state *state,
                                              const dlc_collect_place *left,
                                              const dlc_collect_place *next,
                                              int64_t turn, dl_error *err);

/* Forget ITEM.  Fails likewise. */
DL_MUSTCHECK dl_status dlc_collect_state_forget(dlc_collect_state *state,
                                                const char *item,
                                                dl_error *err);

#endif
