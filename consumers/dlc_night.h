/* dlc_night.h - Nightly, the parts of past days become one file each.
 *
 * A thread compacts the datasets that this process writes, one after another,
 * at [lake] compact_at (UTC) of each day, and once ten minutes after the
 * start, for nights in which nothing ran; a day that is one file already costs
 * nothing.  What arrives late for a day is joined in the night after.
 *
 * The writer never waits for it: bytes are copied by a thread that is idle to
 * scheduler and disk, at most 8 MiB of them wait for the disk, and the lock
 * that both want is held for a rename, an exchange and a few syncs.  A volume
 * that would get too full is left as it is, and tried again.
 *
 * Numbers: datalake_jobs{kind="compact",state}: "queued" days that wait,
 * "running" 1 while one is joined; datalake_job_duration_seconds{kind};
 * datalake_schedule_last_success_timestamp_seconds{schedule="compact"}.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_NIGHT_H
#define DLC_NIGHT_H

#include "dl_config.h"
#include "dl_dataset.h"
#include "dl_stats.h"

typedef struct dlc_night dlc_night; /* the thread and its clock */

/* Start the thread and set *NIGHT, or set it to NULL when [lake] compact_at
 * is off.  It ends before POOL.  DL_INTERNAL: no thread.  Thread: the owner
 * of STATS (may be NULL). */
DL_MUSTCHECK dl_status dlc_night_create(dlc_night **night, const dl_config *cfg,
                                        dl_stats *stats, dl_error *err,
                                        apr_pool_t *pool);

/* Let NIGHT (may be NULL) look after the dataset NAME, too, whose declaration
 * is DS; or tell it another one.  Thread: the owner. */
void dlc_night_add(dlc_night *night, const char *name, const dl_dataset *ds);

#endif
