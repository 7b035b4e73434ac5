/* dlc_night.c - When the days of the lake are compacted, and what is told.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_night.h"

#include "dl_lake_compact.h"
#include "dl_log.h"
#include "dlc_chore.h"

#include <string.h>

/* The first run when nobody knows of the last night, and another try when the
 * volume was full. */
#define CATCH_UP_US (INT64_C(600) * DL_SECOND_US)

/* The wall clock is looked at this often: it may be set meanwhile. */
#define LOOK_US (INT64_C(30) * DL_SECOND_US)

struct dlc_night {
    const dl_config *cfg;    /* [lake] */
    dlc_chore *chore;        /* the thread */
    int64_t slot;            /* days whose time of compaction has come */
    int64_t extra_us;        /* monotonic time of a run out of turn, or 0 */
    dl_stats_value *queued;  /* days that wait */
    dl_stats_value *running; /* 1: one is being joined */
    dl_stats_value *seconds; /* histogram of whole runs */
    dl_stats_value *success; /* when all went well last */
    const char *dataset;     /* in hand */
    dl_day day;              /* in hand, or DL_DAY_NONE */
};

/* Return how often the time of the day has come since 1970. */
static int64_t slot_of(const dlc_night *n, dl_time now)
{
    return (now - n->cfg->lake.compact_s * DL_SECOND_US) / DL_DAY_US;
}

static void apart(void *context, void (*step)(void *), void *data)
{
    (void)context;
    dlc_chore_apart(step, data);
}

static bool stop(void *context)
{
    const dlc_night *n = context;

    return dlc_chore_stopping(n->chore);
}

static void progress(void *context, const dl_lake_compacting *at)
{
    dlc_night *n = context;
    char text[DL_DAY_TEXT];

    dl_stats_set(n->queued, at->days_left - 1);
    if (n->day == at->day) {
        return;
    }
    n->day = at->day;
    dl_day_format(text, at->day);
    dl_log(DL_LOG_DEBUG, "DL0800 %s: joining the parts of %s, %llu MB",
           n->dataset, text, (unsigned long long)(at->bytes >> 20));
}

/* Say what came of DATASET; return whether all is well. */
static bool tell(dlc_night *n, const dl_lake_compacted *done, dl_status status,
                 const dl_error *err)
{
    if (done->days > 0) {
        dl_log(DL_LOG_INFO,
               "DL0801 %s: %d days of %d parts are one file each, %llu MB",
               n->dataset, done->days, done->parts,
               (unsigned long long)(done->bytes >> 20));
    }
    if (status == DL_NO_SPACE) {
        n->extra_us = dl_time_monotonic_us() + CATCH_UP_US;
    }
    /* Another compaction does it; or we were asked to end. */
    if (status == DL_OK || status == DL_BUSY || status == DL_UNAVAILABLE) {
        return status == DL_OK;
    }
    dl_log(DL_LOG_WARNING, "DL0802 %s: compaction: %s%s", n->dataset, err->text,
           status == DL_NO_SPACE ? "; tried again in 10 min" : "");
    return false;
}

static void run_all(dlc_night *n, apr_pool_t *pool)
{
    int64_t began = dl_time_monotonic_us();
    bool well = true;

    n->extra_us = 0;
    dl_stats_set(n->running, 1);
    for (int i = 0; !dlc_chore_stopping(n->chore); i++) {
        dl_lake_compaction job = {.root = n->cfg->lake.path,
                                  .before = DL_DAY_NONE,
                                  .only = DL_DAY_NONE,
                                  .block_bytes =
                                      (uint32_t)n->cfg->lake.index_bytes,
                                  .context = n,
                                  .apart = apart,
                                  .stop = stop,
                                  .progress = progress};
        dl_lake_compacted done;
        dl_error err = {.status = DL_OK};
        const dl_dataset *ds;
        dl_status status;

        n->dataset = dlc_chore_dataset(&ds, n->chore, i);
        if (n->dataset == NULL) {
            break;
        }
        n->day = DL_DAY_NONE;
        job.dataset = n->dataset;
        memset(&done, 0, sizeof done);
        status = dl_lake_columns_create(&job.columns, ds, &err, pool);
        if (status == DL_OK) {
            status = dl_lake_compact(&done, &job, &err, pool);
        }
        well = tell(n, &done, status, &err) && well;
    }
    dl_stats_set(n->queued, 0);
    dl_stats_set(n->running, 0);
    dl_stats_observe(n->seconds, dl_time_monotonic_us() - began);
    if (well && !dlc_chore_stopping(n->chore)) {
        dl_stats_set(n->success, dl_time_now() / DL_SECOND_US);
    }
}

/* Return how long to sleep until the next slot, LOOK_US at most. */
static int64_t pause_of(const dlc_night *n, dl_time now)
{
    int64_t next =
        (n->slot + 1) * DL_DAY_US + n->cfg->lake.compact_s * DL_SECOND_US;

    return next - now < LOOK_US ? next - now : LOOK_US;
}

static int64_t turn(void *context, dlc_chore *chore, apr_pool_t *scratch_pool)
{
    dlc_night *n = context;
    int64_t slot = slot_of(n, dl_time_now());

    (void)chore;
    if (slot > n->slot ||
        (n->extra_us != 0 && dl_time_monotonic_us() >= n->extra_us)) {
        run_all(n, scratch_pool);
    }
    /* A clock that was set back does not make the night come twice. */
    n->slot = slot > n->slot ? slot : n->slot;
    return pause_of(n, dl_time_now());
}

dl_status dlc_night_create(dlc_night **night, const dl_config *cfg,
                           dl_stats *stats, dl_error *err, apr_pool_t *pool)
{
    dlc_night *n;

    *night = NULL;
    if (cfg->lake.compact_s < 0) {
        return DL_OK;
    }
    n = apr_pcalloc(pool, sizeof *n);
    n->cfg = cfg;
    n->slot = slot_of(n, dl_time_now());
    n->extra_us = dl_time_monotonic_us() + CATCH_UP_US;
    n->queued = dl_stats_slot(stats, DL_STATS_GAUGE, "datalake_jobs",
                              "kind=\"compact\",state=\"queued\"");
    n->running = dl_stats_slot(stats, DL_STATS_GAUGE, "datalake_jobs",
                               "kind=\"compact\",state=\"running\"");
    n->seconds =
        dl_stats_slot(stats, DL_STATS_HISTOGRAM,
                      "datalake_job_duration_seconds", "kind=\"compact\"");
    n->success =
        dl_stats_slot(stats, DL_STATS_GAUGE,
                      "datalake_schedule_last_success_timestamp_seconds",
                      "schedule=\"compact\"");
    dl_stats_set(n->success, DL_STATS_ABSENT);
    DL_TRY(dlc_chore_create(&n->chore, turn, n, 0, err, pool));
    *night = n;
    return DL_OK;
}

void dlc_night_add(dlc_night *night, const char *name, const dl_dataset *ds)
{
    if (night != NULL) {
        dlc_chore_add(night->chore, name, ds);
    }
}
