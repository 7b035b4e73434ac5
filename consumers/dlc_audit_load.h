/* dlc_audit_load.h - The audit files into the warehouse: audit_entry and
 * audit_head.
 *
 * Lines are taken from all files of the folder, up to a horizon that lets the
 * web server's children catch up with each other, sorted by time and stored
 * with ascending ids, so that newest first is the order of ids.  Rows and the
 * positions of their files are one transaction; positions move by
 * compare-and-set, so of two loaders one gives way.  While the warehouse is
 * away nothing is lost: the files stay.
 *
 * Bounds: a turn holds at most LINES lines or BYTES bytes of them; a file that
 * was seen to its end costs 150 bytes.
 *
 * Thread: the one main thread.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_AUDIT_LOAD_H
#define DLC_AUDIT_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_config.h"
#include "dl_error.h"
#include "dl_stats.h"

/* A loader. */
typedef struct dlc_audit_load dlc_audit_load;

/* Set *LOAD to a loader of the folder DIR for the warehouse of CFG, whose
 * numbers go to STATS.  DL_IO: the folder cannot be opened.  Nothing is
 * connected yet.  Lives in POOL. */
DL_MUSTCHECK dl_status dlc_audit_load_create(dlc_audit_load **load,
                                             const dl_config *cfg,
                                             const char *dir, dl_stats *stats,
                                             dl_error *err, apr_pool_t *pool);

/* Store what is there, at most one turn's worth; *MORE says whether more waits
 * already.  DL_UNAVAILABLE and others: the warehouse is away or refuses; the
 * next turn begins where the last one ended. */
DL_MUSTCHECK dl_status dlc_audit_load_turn(bool *more, dlc_audit_load *load,
                                           dl_error *err);

/* Store the heads of all chains that have grown, before the program ends.
 * Errors as dlc_audit_load_turn. */
DL_MUSTCHECK dl_status dlc_audit_load_finish(dlc_audit_load *load,
                                             dl_error *err);

#endif
