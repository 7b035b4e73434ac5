/* dlc_letters.h - Listing what the lake set aside in table dead_letter.
 *
 * A thread looks each second at the quarantine of every declared dataset and
 * stores what is new together with its position, in one transaction.  Several
 * programs may do so: one of them moves the position, the others find that
 * and read it anew.  A message is listed once, by its coordinates, whatever
 * happens to programs, database or lake meanwhile.
 *
 * Thread: the main thread.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_LETTERS_H
#define DLC_LETTERS_H

#include <apr_pools.h>

#include "dl_config.h"
#include "dl_error.h"
#include "dl_stats.h"

/* Start the thread for the lake and the datasets of CFG, with its numbers in
 * STATS; it ends before POOL.  Fails as dl_dataset_load_all, dlc_link_create
 * and dlc_chore_create. */
DL_MUSTCHECK dl_status dlc_letters_create(const dl_config *cfg, dl_stats *stats,
                                          dl_error *err, apr_pool_t *pool);

#endif
