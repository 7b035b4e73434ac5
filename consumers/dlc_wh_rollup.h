/* dlc_wh_rollup.h - Bring the rollups forward, on a connection of their own.
 *
 * A rollup is exact below its watermark, the row of sink_offset with sink
 * 'rollup'.  Three kinds of transaction keep it so; each moves or respects
 * the watermark in the same commit as the rollup rows:
 *
 *   advance   the sums of committed batches, collected in memory, are added
 *             and the watermark moves to the end of those batches
 *   recover   what lies between watermark and facts is read from the facts
 *             (after a crash, or when a partition came from elsewhere).  Rows
 *             superseded meanwhile are not among them, so adjustments inside
 *             the gap are deleted without effect
 *   adjust    adjustments whose row lies below the watermark are added and
 *             deleted
 *
 * An adjustment counts exactly when its row lies below the watermark: before,
 * the row's old values are nowhere (readers see the table, which has the new
 * ones), afterwards they are in the rollup.  So each of the three leaves
 * rollup + tail + adjustments unchanged, and readers are exact at every
 * moment.
 *
 * Thread: one of its own; the functions may be called by any, but create and
 * stop by the owner alone.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_WH_ROLLUP_H
#define DLC_WH_ROLLUP_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_config.h"
#include "dl_error.h"
#include "dl_stats.h"
#include "dlc_spend.h"
#include "dlc_wh_table.h"

/* What of one partition is handed over. */
typedef struct dlc_wh_end {
    const dlc_wh_table *table; /* where its rows are */
    const char *topic;         /* lives with the process */
    int32_t partition;         /* its number */
    int32_t generation;        /* life of the topic */
    int64_t from;              /* first offset of the sums */
    int64_t to;                /* first offset behind them */
} dlc_wh_end;

/* The thread and what waits for it. */
typedef struct dlc_wh_rollup dlc_wh_rollup;

/* Start the thread; COMMITS is raised after each of its commits, DURATION
 * gets how long they took.  DL_INTERNAL: no thread.  Lives in POOL until
 * dlc_wh_rollup_stop. */
DL_MUSTCHECK dl_status dlc_wh_rollup_start(dlc_wh_rollup **rollup,
                                           const dl_config *cfg,
                                           dl_stats_value *commits,
                                           dl_stats_value *duration,
                                           dl_error *err, apr_pool_t *pool);

/* What is told about a batch. */
enum {
    DLC_WH_ADJUSTED = 1, /* it wrote adjustments */
    DLC_WH_MORE = 2      /* its loader has more to store */
};

/* Hand over SPEND, which is freed here, the sums of a committed batch that
 * brought N partitions from ENDS[i].from to ENDS[i].to.  Waits while more
 * than 24 MiB are waiting.  FLAGS tell about the batch. */
void dlc_wh_rollup_add(dlc_wh_rollup *rollup, dlc_spend *spend,
                       const dlc_wh_end *ends, int n, unsigned flags);

/* The partition of END is ours from now on, its facts reach to END->to: bring
 * the rollups there (from is not used). */
void dlc_wh_rollup_take(dlc_wh_rollup *rollup, const dlc_wh_end *end);

/* The partition is not ours any more. */
void dlc_wh_rollup_drop(dlc_wh_rollup *rollup, const char *topic,
                        int32_t partition);

/* Return whether nothing is waiting and nothing under way. */
bool dlc_wh_rollup_is_idle(dlc_wh_rollup *rollup);

/* Return DL_OK while the thread works; else what made it give up. */
DL_MUSTCHECK dl_status dlc_wh_rollup_check(dlc_wh_rollup *rollup,
                                           dl_error *err);

/* Finish what is waiting, when the database answers, and end the thread. */
void dlc_wh_rollup_stop(dlc_wh_rollup *rollup);

#endif
