/* dlc_collect_run.h - One source, from its rows to Kafka, exactly once.
 *
 * The rules are those of dlc_collect.h.  Whatever is away (source, broker,
 * database) is waited for: 1, 2, 4 ... 60 s with jitter; meanwhile nothing is
 * dropped.
 *
 * Thread: one for each source; what others may read is atomic.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_COLLECT_RUN_H
#define DLC_COLLECT_RUN_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_config_source.h"
#include "dl_dataset.h"
#include "dl_error.h"
#include "dl_stats.h"
#include "dlc_collect.h"

struct dl_config;

/* One source at work. */
typedef struct dlc_collect_run {
    const struct dl_config *cfg;       /* settings */
    const dl_config_source *source;    /* its section */
    const dl_dataset *ds;              /* where its records go */
    dl_stats *stats;                   /* of the program */
    const volatile sig_atomic_t *stop; /* not 0: end soon */
    bool follow;                       /* wait for more, for ever */

    dl_stats_value *records;  /* collector_records_total */
    dl_stats_value *rows;     /* collector_errors_total, cause row */
    dl_stats_value *away;     /* likewise, cause source */
    dl_stats_value *broker;   /* likewise, cause broker */
    dl_stats_value *database; /* likewise, cause database */
    dl_stats_value *lost;     /* likewise, cause lost */
    dl_stats_value *success;  /* collector_last_success_timestamp_seconds */

    _Atomic int64_t done;  /* of TOTAL, as dlc_collect_reader_calls.progress */
    _Atomic int64_t total; /* 0: not known */
} dlc_collect_run;

/* Make the slots of RUN, whose SOURCE and STATS are set.  Thread: that of the
 * statistics. */
void dlc_collect_run_slots(dlc_collect_run *run, apr_pool_t *pool);

/* Collect RUN until its end or a stop.  DL_INVALID: mapping or transforms make
 * no sense; DL_BUSY: another process collects this source; else, not when
 * following: it cannot be read, and why. */
DL_MUSTCHECK dl_status dlc_collect_run_go(dlc_collect_run *run, dl_error *err,
                                          apr_pool_t *pool);

/* Print the records of RUN, a line each: key, tab, value; rows that are broken
 * with the reason to standard error.  Nothing is sent or remembered.  Fails
 * likewise. */
DL_MUSTCHECK dl_status dlc_collect_run_print(dlc_collect_run *run,
                                             dl_error *err, apr_pool_t *pool);

#endif
