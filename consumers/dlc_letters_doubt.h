/* dlc_letters_doubt.h - Dead letters of which nobody knows whether they were
 * sent again.
 *
 * Who takes one and dies before the broker's word, or does not hear it, leaves
 * it taken (dl_letter_send.h).  When its time is over, its topic is looked
 * through from that time on for the id of the attempt: what is there was sent,
 * the rest is open again.
 *
 * Thread: the connection's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_LETTERS_DOUBT_H
#define DLC_LETTERS_DOUBT_H

#include <apr_pools.h>

#include "dl_config.h"
#include "dl_error.h"
#include "dl_wh.h"

/* Find out about all that are in doubt.  Costs one look at an index when there
 * are none.  DL_UNAVAILABLE: broker or warehouse is away; they stay taken. */
DL_MUSTCHECK dl_status dlc_letters_doubt(dl_wh *wh, const dl_config *cfg,
                                         dl_error *err,
                                         apr_pool_t *scratch_pool);

#endif
