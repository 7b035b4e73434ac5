/* dlc_indexer.h - Makes the indexes that searches and filters use.
 *
 * A thread looks once a second at the datasets this process writes.  Each
 * sealed part that has no index gets one, the newest first; each open part
 * that has gained a segment (5 MB) behind its commits gets that put behind
 * its .grow.  It computes in a thread that is idle to scheduler and disk,
 * holds no lock the writer wants, and needs one builder's memory
 * (dl_lake_index_build.h: 36 MiB and two lines at most).
 *
 * An index is a remark: whatever fails here is said once and tried again
 * later, and readers read on without.  A full volume is left alone for a
 * minute.  What a kill has left is removed when the dataset is first looked
 * at.
 *
 * Numbers: datalake_jobs{kind="index",state}: "queued" parts that wait,
 * "running" 1 while one is made; datalake_job_duration_seconds{kind="index"}.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_INDEXER_H
#define DLC_INDEXER_H

#include "dl_config.h"
#include "dl_dataset.h"
#include "dl_stats.h"

typedef struct dlc_indexer dlc_indexer; /* the thread and what it knows */

/* Start the thread and set *INDEXER, or set it to NULL when [lake] index is
 * off.  It ends before POOL.  DL_INTERNAL: no thread.  Thread: the owner of
 * STATS (may be NULL). */
DL_MUSTCHECK dl_status dlc_indexer_create(dlc_indexer **indexer,
                                          const dl_config *cfg, dl_stats *stats,
                                          dl_error *err, apr_pool_t *pool);

/* Let INDEXER (may be NULL) look after the dataset NAME, too, whose
 * declaration is DS; or tell it another one.  Thread: the owner. */
void dlc_indexer_add(dlc_indexer *indexer, const char *name,
                     const dl_dataset *ds);

#endif
