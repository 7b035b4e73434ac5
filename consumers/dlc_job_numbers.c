/* dlc_job_numbers.c - Three questions and their gauges.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_job_numbers.h"

#include <string.h>

#include <apr_strings.h>

#include "dl_statements.h"
#include "dl_time.h"
#include "dl_wh.h"
#include "dlc_link.h"

/* Between two looks. */
#define LOOK_US (INT64_C(5) * DL_SECOND_US)

/* ... at the sizes of tables, which cost the server more. */
#define SIZES_US (INT64_C(60) * DL_SECOND_US)

/* Gauges that are told; kinds times states, and schedules. */
#define GAUGES 128

/* Longest label set. */
#define LABELS 160

/* One gauge. */
typedef struct gauge {
    const char *labels;   /* its labels */
    dl_stats_value *slot; /* in the page */
    int64_t value;        /* as of this look; DL_STATS_ABSENT: not found */
} gauge;

/* The gauges of a name. */
typedef struct gauge_set {
    const char *name;  /* with its prefix */
    int64_t missing;   /* value of one that is found no more */
    gauge all[GAUGES]; /* those that were found once */
    int n;             /* how many */
} gauge_set;

struct dlc_job_numbers {
    dlc_link *link;      /* to the warehouse */
    dl_stats *stats;     /* the page */
    apr_pool_t *pool;    /* of labels */
    int64_t looked_us;   /* monotonic time of the last look; 0: none yet */
    gauge_set jobs;      /* by kind and state */
    gauge_set schedules; /* seconds since 1970 */
    int64_t sized_us;    /* monotonic time of the last look at tables */
    gauge_set tables;    /* bytes */
};

static void begin_look(gauge_set *set)
{
    int i;

    for (i = 0; i < set->n; i++) {
        set->all[i].value = set->missing;
    }
}

/* Set the gauge of LABELS in SET to VALUE; one that is too many is not
 * told. */
static void found(dlc_job_numbers *numbers, gauge_set *set, const char *labels,
                  int64_t value)
{
    int i = 0;

    while (i < set->n && strcmp(set->all[i].labels, labels) != 0) {
        i++;
    }
    if (i == GAUGES) {
        return;
    }
    if (i == set->n) {
        set->all[i].labels = apr_pstrdup(numbers->pool, labels);
        set->all[i].slot = dl_stats_slot(numbers->stats, DL_STATS_GAUGE,
                                         set->name, set->all[i].labels);
        set->n++;
    }
    set->all[i].value = value;
}

static void end_look(const gauge_set *set)
{
    int i;

    for (i = 0; i < set->n; i++) {
        dl_stats_set(set->all[i].slot, set->all[i].value);
    }
}

static dl_status read_jobs(dlc_job_numbers *numbers, dl_wh *wh, dl_error *err)
{
    char labels[LABELS];
    dl_wh_stmt *st;
    bool more;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_JOB_COUNTS, err));
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    begin_look(&numbers->jobs);
    while (more) {
        apr_snprintf(labels, sizeof labels, "kind=\"%.16s\",state=\"%.16s\"",
                     dl_wh_text(st, 0, NULL), dl_wh_text(st, 1, NULL));
        found(numbers, &numbers->jobs, labels, dl_wh_int(st, 2));
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    end_look(&numbers->jobs);
    return DL_OK;
}

static dl_status read_schedules(dlc_job_numbers *numbers, dl_wh *wh,
                                dl_error *err)
{
    char labels[LABELS];
    dl_wh_stmt *st;
    bool more;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_SCHEDULE_SUCCESSES, err));
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    begin_look(&numbers->schedules);
    while (more) {
        apr_snprintf(labels, sizeof labels, "schedule=\"%.64s\"",
                     dl_wh_text(st, 0, NULL));
        found(numbers, &numbers->schedules, labels,
              dl_wh_time(st, 1) / DL_SECOND_US);
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    end_look(&numbers->schedules);
    return DL_OK;
}

static dl_status read_tables(dlc_job_numbers *numbers, dl_wh *wh, dl_error *err)
{
    char labels[LABELS];
    dl_wh_stmt *st;
    bool more;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_TABLE_BYTES, err));
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    begin_look(&numbers->tables);
    while (more) {
        apr_snprintf(labels, sizeof labels, "table=\"%.64s\"",
                     dl_wh_text(st, 0, NULL));
        found(numbers, &numbers->tables, labels, dl_wh_int(st, 1));
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    end_look(&numbers->tables);
    return DL_OK;
}

/* The sizes of tables, when they are due. */
static dl_status look_at_tables(dlc_job_numbers *numbers, dl_wh *wh,
                                int64_t now_us, dl_error *err)
{
    if (numbers->sized_us != 0 && now_us - numbers->sized_us < SIZES_US) {
        return DL_OK;
    }
    numbers->sized_us = now_us;
    return read_tables(numbers, wh, err);
}

dl_status dlc_job_numbers_create(dlc_job_numbers **numbers,
                                 const dl_config *cfg, dl_stats *stats,
                                 dl_error *err, apr_pool_t *pool)
{
    dlc_job_numbers *made = apr_pcalloc(pool, sizeof *made);

    made->stats = stats;
    made->pool = pool;
    made->jobs.name = "datalake_jobs";
    made->schedules.name = "datalake_schedule_last_success_timestamp_seconds";
    made->schedules.missing = DL_STATS_ABSENT;
    made->tables.name = "datalake_warehouse_bytes";
    made->tables.missing = DL_STATS_ABSENT;
    *numbers = made;
    return dlc_link_create(&made->link, cfg, err, pool);
}

void dlc_job_numbers_turn(dlc_job_numbers *numbers)
{
    int64_t now_us = dl_time_monotonic_us();
    dl_status status;
    dl_error err;
    dl_wh *wh;

    if (numbers->looked_us != 0 && now_us - numbers->looked_us < LOOK_US) {
        return;
    }
    numbers->looked_us = now_us;
    status = dlc_link_open(&wh, numbers->link, &err);
    if (status == DL_OK) {
        status = read_jobs(numbers, wh, &err);
    }
    if (status == DL_OK) {
        status = read_schedules(numbers, wh, &err);
    }
    if (status == DL_OK) {
        status = look_at_tables(numbers, wh, now_us, &err);
    }
    if (status != DL_OK) {
        dlc_link_close(numbers->link);
    }
}
