/* dlc_letters_store.h - Dead letters and the positions of their lists in the
 * warehouse.
 *
 * Thread: the connection's, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_LETTERS_STORE_H
#define DLC_LETTERS_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "dl_error.h"
#include "dl_lake_quarantine.h"
#include "dl_wh.h"

/* How far the quarantine of a dataset is listed. */
typedef struct dlc_letters_position {
    const char *dataset;            /* which */
    bool known;                     /* it has a row */
    dl_lake_quarantine_place place; /* behind what is listed */
} dlc_letters_position;

/* Read the position of POSITION's dataset into it. */
DL_MUSTCHECK dl_status dlc_letters_position_read(dlc_letters_position *position,
                                                 dl_wh *wh, dl_error *err);

/* Move POSITION to NEXT; part of the caller's transaction, after which
 * POSITION is the caller's to change.  DL_CONFLICT: another program has moved
 * it. */
DL_MUSTCHECK dl_status
dlc_letters_position_move(dl_wh *wh, const dlc_letters_position *position,
                          const dl_lake_quarantine_place *next, dl_error *err);

/* List Q, a message of TOPIC; what is listed already gets its new place
 * alone. */
DL_MUSTCHECK dl_status dlc_letters_add(dl_wh *wh, const char *topic,
                                       const dl_lake_set_aside *q,
                                       dl_error *err);

/* Receives how many dead letters of TOPIC are open. */
typedef void dlc_letters_each(void *context, const char *topic, int64_t open);

/* Call EACH with every topic that has open dead letters. */
DL_MUSTCHECK dl_status dlc_letters_open(dl_wh *wh, dlc_letters_each *each,
                                        void *context, dl_error *err);

#endif
