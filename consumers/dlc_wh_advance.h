/* dlc_wh_advance.h - The three transactions of dlc_wh_rollup.h.
 *
 * Each function is one transaction (adjust and recover: as many as needed) on
 * WH and leaves none open.  DL_CONFLICT: the watermark is not where it should
 * be, nothing was changed.
 *
 * Thread: that of the connection.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_WH_ADVANCE_H
#define DLC_WH_ADVANCE_H

#include "dl_wh.h"
#include "dlc_spend.h"
#include "dlc_wh_rollup.h"

/* Add SPEND and move the watermarks of the N ENDS. */
DL_MUSTCHECK dl_status dlc_wh_advance(dl_wh *wh, dlc_spend_writer *writer,
                                      const dlc_spend *spend,
                                      const dlc_wh_end *ends, int n,
                                      dl_error *err);

/* Bring the rollups from the watermark of END's partition to END->to by
 * reading the facts.  A missing watermark begins at 0. */
DL_MUSTCHECK dl_status dlc_wh_recover(dl_wh *wh, dlc_spend_writer *writer,
                                      const dlc_wh_end *end, dl_error *err);

/* Consume all adjustments of END's partition below END->to, which the
 * watermark has reached. */
DL_MUSTCHECK dl_status dlc_wh_adjust(dl_wh *wh, dlc_spend_writer *writer,
                                     const dlc_wh_end *end, dl_error *err);

/* Set *NEXT and *GENERATION to the watermark of END's partition; *NEXT -1:
 * there is none. */
DL_MUSTCHECK dl_status dlc_wh_watermark(int64_t *next, int32_t *generation,
                                        dl_wh *wh, const dlc_wh_end *end,
                                        dl_error *err);

#endif
