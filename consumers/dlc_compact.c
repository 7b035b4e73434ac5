/* dlc_compact.c - Compacting all datasets, idle and in the way of nobody.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_compact.h"

#include <stdio.h>
#include <string.h>

#include "dl_dataset.h"
#include "dl_lake_compact.h"
#include "dl_log.h"
#include "dlc_chore.h"

/* One run. */
typedef struct compacting {
    dlc_work *work;            /* its job */
    const dl_config *cfg;      /* [lake] */
    const dl_dataset_set *set; /* declarations, for columns of indexes */
    const char *dataset;       /* in hand */
    dl_day day;                /* in hand, or DL_DAY_NONE */
    dl_lake_compacted all;     /* sums over datasets */
} compacting;

static void apart(void *context, void (*step)(void *), void *data)
{
    (void)context;
    dlc_chore_apart(step, data);
}

static bool stop(void *context)
{
    const compacting *c = context;

    return dlc_work_ends(c->work);
}

static void progress(void *context, const dl_lake_compacting *at)
{
    compacting *c = context;
    char text[DL_DAY_TEXT];

    if (c->day == at->day) {
        return;
    }
    c->day = at->day;
    dl_day_format(text, at->day);
    dl_log(DL_LOG_DEBUG, "DL0800 %s: joining the parts of %s, %llu MB",
           c->dataset, text, (unsigned long long)(at->bytes >> 20));
}

static dl_status compact(compacting *c, dl_error *err, apr_pool_t *pool)
{
    dl_lake_compaction job = {.root = c->cfg->lake.path,
                              .dataset = c->dataset,
                              .before = DL_DAY_NONE,
                              .only = DL_DAY_NONE,
                              .cold_after = (int32_t)c->cfg->lake.zstd_after,
                              .block_bytes = (uint32_t)c->cfg->lake.index_bytes,
                              .context = c,
                              .apart = apart,
                              .stop = stop,
                              .progress = progress};
    const dl_dataset *ds = dl_dataset_find(c->set, c->dataset);
    dl_lake_compacted done;
    dl_status status;

    if (ds != NULL) {
        DL_TRY(dl_lake_columns_create(&job.columns, ds, err, pool));
    }
    c->day = DL_DAY_NONE;
    status = dl_lake_compact(&done, &job, err, pool);
    c->all.days += done.days;
    c->all.parts += done.parts;
    c->all.bytes += done.bytes;
    c->all.cold_days += done.cold_days;
    c->all.cold_bytes += done.cold_bytes;
    c->all.stored_bytes += done.stored_bytes;
    if (done.days > 0) {
        dl_log(DL_LOG_INFO,
               "DL0801 %s: %d days of %d parts are one file each, %llu MB",
               c->dataset, done.days, done.parts,
               (unsigned long long)(done.bytes >> 20));
    }
    if (done.cold_days > 0) {
        dl_log(DL_LOG_INFO, "DL0803 %s: %d days are cold now, %llu MB of %llu",
               c->dataset, done.cold_days,
               (unsigned long long)(done.stored_bytes >> 20),
               (unsigned long long)(done.cold_bytes >> 20));
    }
    return status;
}

/* What STATUS of the dataset in hand means to the run: one that goes into its
 * end, or DL_OK. */
static dl_status judge(const compacting *c, dl_status status, dl_error *err)
{
    /* Somebody compacts by hand; or we were asked to end. */
    if (status == DL_OK || status == DL_BUSY || dlc_work_ends(c->work)) {
        return DL_OK;
    }
    dl_log(DL_LOG_WARNING, "DL0802 %s: compaction: %s", c->dataset, err->text);
    return dl_wrap(err, "%s", c->dataset);
}

static dl_status compact_all(compacting *c, const char *const *names, int n,
                             dl_error *err, apr_pool_t *pool)
{
    dl_status first = DL_OK;
    apr_pool_t *iterpool;

    apr_pool_create(&iterpool, pool);
    for (int i = 0; i < n && !dlc_work_ends(c->work); i++) {
        dl_error other = {.status = DL_OK};
        dl_status status;

        apr_pool_clear(iterpool);
        dlc_work_tell(c->work, i, n);
        c->dataset = names[i];
        status = judge(c, compact(c, &other, iterpool), &other);
        if (status != DL_OK && first == DL_OK) {
            first = status;
            *err = other;
        }
    }
    apr_pool_destroy(iterpool);
    return first;
}

dl_status dlc_compact_run(dlc_work *work, dlc_work_outcome *outcome,
                          dl_error *err, apr_pool_t *scratch_pool)
{
    compacting c = {.work = work, .cfg = dlc_work_config(work)};
    const char *const *names;
    dl_dataset_set *set;
    dl_lake *lake;
    dl_status status;
    int n;

    DL_TRY(dl_dataset_load_all(&set, c.cfg, err, scratch_pool));
    c.set = set;
    DL_TRY(dl_lake_open(&lake, c.cfg->lake.path, err, scratch_pool));
    DL_TRY(dl_lake_datasets(&names, &n, lake, err, scratch_pool));
    status = compact_all(&c, names, n, err, scratch_pool);
    if (status == DL_OK && !dlc_work_ends(work)) {
        dlc_work_tell(work, n, n);
    }
    snprintf(outcome->result, sizeof outcome->result,
             "{\"days\":%d,\"parts\":%d,\"bytes\":%llu,\"cold_days\":%d,"
             "\"cold_bytes\":%llu,\"stored_bytes\":%llu}",
             c.all.days, c.all.parts, (unsigned long long)c.all.bytes,
             c.all.cold_days, (unsigned long long)c.all.cold_bytes,
             (unsigned long long)c.all.stored_bytes);
    snprintf(outcome->detail, sizeof outcome->detail,
             "%d days of %d datasets, %d cold", c.all.days, n, c.all.cold_days);
    return status;
}
