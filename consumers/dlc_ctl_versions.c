/* dlc_ctl_versions.c - datalakectl versions: the states a day went through.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "dl_lake_history.h"
#include "dlc_ctl_read.h"

/* What is printed. */
typedef struct versions {
    const dlc_ctl *ctl; /* the run */
    dlc_target target;  /* which day */
    dl_time since;      /* the oldest, DL_TIME_NONE: all */
    int64_t limit;      /* at most so many */
    int64_t n;          /* printed so far */
    dl_json_writer w;   /* one of them */
} versions;

static void print_json(versions *v, const dl_lake_day_version *commit)
{
    dl_json_write_object_begin(&v->w);
    dlc_read_write_number(&v->w, "version", commit->version);
    dl_json_write_key(&v->w, "time");
    dl_json_write_time(&v->w, commit->time);
    dlc_read_write_number(&v->w, "records", commit->records);
    dlc_read_write_number(&v->w, "bytes", commit->bytes);
    dl_json_write_object_end(&v->w);
    dlc_read_flush(&v->w, v->n == 0 ? "[" : ",\n");
}

static void print_commit(versions *v, const dl_lake_day_version *commit)
{
    char time[DL_TIME_TEXT];

    if (v->ctl->json) {
        print_json(v, commit);
    }
    else {
        if (v->n == 0) {
            printf("%9s  %-27s %12s %14s\n", "version", "time", "records",
                   "bytes");
        }
        dl_time_format(time, commit->time);
        printf("%9" PRIu64 "  %s %12" PRIu64 " %14" PRIu64 "\n",
               commit->version, time, commit->records, commit->bytes);
    }
    v->n++;
}

static dl_status print_all(versions *v, dl_lake *lake, dl_error *err)
{
    dl_lake_history *history;
    dl_lake_snapshot *snap;
    dl_lake_day_version commit;
    bool found = true;

    DL_TRY(dl_lake_snapshot_open(&snap, lake, v->target.dataset, err,
                                 v->ctl->pool));
    DL_TRY(dl_lake_history_open(&history, snap, v->target.day, v->since, err,
                                v->ctl->pool));
    while (found && v->n < v->limit && ferror(stdout) == 0) {
        DL_TRY(dl_lake_history_next(&commit, &found, history, err));
        if (found) {
            print_commit(v, &commit);
        }
    }
    if (v->ctl->json) {
        puts(v->n == 0 ? "[]" : "]");
    }
    return DL_OK;
}

int dlc_ctl_versions(dlc_ctl *ctl, int argc, const char *const *argv)
{
    versions v = {.ctl = ctl, .since = DL_TIME_NONE, .limit = INT64_MAX};
    const char *since = NULL;
    const dlc_option table[] = {{"limit", 0, DLC_OPTION_INT, &v.limit, 1,
                                 INT64_MAX, "N", "print at most N"},
                                {"since", 0, DLC_OPTION_TEXT, &since, 0, 0,
                                 "TIME",
                                 "only what was committed then or later"},
                                {.name = NULL}};
    dl_error err = {.status = DL_OK};
    dl_lake *lake;
    int status = dlc_read_day(&lake, &v.target, ctl, table, argc, argv);

    if (status < 0 && since != NULL) {
        status = dlc_read_time(&v.since, ctl, "since", since);
    }
    if (status >= 0) {
        return status;
    }
    v.w = dlc_ctl_json(ctl);
    return print_all(&v, lake, &err) == DL_OK
               ? DLC_CTL_OK
               : dlc_read_fail(ctl, v.target.text, &err);
}
