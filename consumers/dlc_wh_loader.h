/* dlc_wh_loader.h - The thread that stores batches while more are put.
 *
 * The consuming thread fills chunks; this one stores them, in the order they
 * were handed over, and commits where the putting thread ended a batch.  Its
 * connection may be used by the consuming thread too, but only between
 * dlc_wh_loader_wait and the next chunk or commit.
 *
 * A failure stops the work: all that is waiting is thrown away, and nothing
 * more is taken until dlc_wh_loader_clear.
 *
 * Thread: the functions are called by the consuming thread.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_WH_LOADER_H
#define DLC_WH_LOADER_H

#include "dlc_wh_fact.h"
#include "dlc_wh_rollup.h"

/* The thread and its queue. */
typedef struct dlc_wh_loader dlc_wh_loader;

/* What the thread works with and counts in. */
typedef struct dlc_wh_loader_options {
    dlc_wh_fact *fact;        /* the connection */
    dlc_wh_rollup *rollup;    /* gets the sums of what is committed */
    dl_stats_value *commits;  /* raised after each commit */
    dl_stats_value *duration; /* histogram of transactions */
    dl_stats_value *refused;  /* rows the database refused */
} dlc_wh_loader_options;

/* Start the thread.  DL_INTERNAL: no thread.  Lives in POOL until
 * dlc_wh_loader_stop. */
DL_MUSTCHECK dl_status dlc_wh_loader_start(dlc_wh_loader **loader,
                                           const dlc_wh_loader_options *options,
                                           dl_error *err, apr_pool_t *pool);

/* Store CHUNK as part of BATCH; CHUNK is freed here. */
void dlc_wh_loader_store(dlc_wh_loader *loader, dlc_wh_batch *batch,
                         dlc_wh_chunk *chunk);

/* Commit BATCH, which is freed here.  Waits while another one waits. */
void dlc_wh_loader_commit(dlc_wh_loader *loader, dlc_wh_batch *batch);

/* Return the bytes of chunks that are waiting or under way. */
size_t dlc_wh_loader_bytes(dlc_wh_loader *loader);

/* Return the number of batches that are to be committed. */
int dlc_wh_loader_batches(dlc_wh_loader *loader);

/* Wait until fewer than BYTES are waiting. */
void dlc_wh_loader_wait_below(dlc_wh_loader *loader, size_t bytes);

/* Wait until nothing is waiting nor under way. */
void dlc_wh_loader_wait(dlc_wh_loader *loader);

/* Return DL_OK, or the failure that stopped the work. */
DL_MUSTCHECK dl_status dlc_wh_loader_check(dlc_wh_loader *loader,
                                           dl_error *err);

/* Wait, give an open transaction up, and be ready to work again. */
void dlc_wh_loader_clear(dlc_wh_loader *loader);

/* Wait, and end the thread. */
void dlc_wh_loader_stop(dlc_wh_loader *loader);

#endif
