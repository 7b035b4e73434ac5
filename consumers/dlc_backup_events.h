/* dlc_backup_events.h - Change events in a backup: all have their numbers.
 *
 * Events that had none at the backup's moment get theirs then, in the database
 * as it runs on; a file of the backup has them, a line "ROW NUMBER" for each.
 * dl_outbox.h says why.
 *
 * Thread: one.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_BACKUP_EVENTS_H
#define DLC_BACKUP_EVENTS_H

#include <apr_pools.h>

#include "dl_buf.h"
#include "dl_error.h"
#include "dl_wh.h"

struct dl_config;

/* The name of the file; a backup of former programs has none. */
#define DLC_BACKUP_EVENTS "change-numbers"

/* Begin the snapshot of WH that is the backup's moment, and set *TEXT to the
 * file, in POOL. */
DL_MUSTCHECK dl_status dlc_backup_events_begin(dl_buf **text, dl_wh *wh,
                                               const struct dl_config *cfg,
                                               dl_error *err, apr_pool_t *pool);

/* Give the events that WH has of the backup in DIR their numbers.  DL_CORRUPT:
 * the file is not of that form. */
DL_MUSTCHECK dl_status dlc_backup_events_restore(dl_wh *wh, const char *dir,
                                                 dl_error *err,
                                                 apr_pool_t *scratch_pool);

#endif
