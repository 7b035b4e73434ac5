/* dlc_ctl_rebuild.c - datalakectl rebuild-warehouse: the warehouse from the
 * lake alone.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_config.h"
#include "dl_dataset.h"
#include "dlc_ctl.h"
#include "dlc_progress.h"
#include "dlc_rebuild.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

/* How often the lake is looked at until it has what a rebuild needs, and how
 * long each time is waited. */
#define TRIES   20
#define WAIT_MS 500

/* What is to be done. */
typedef struct rebuild_run {
    dlc_ctl *ctl;              /* the run */
    const char *name;          /* --dataset, or NULL: all that have a table */
    bool without_lost;         /* --without-lost */
    const dl_config *cfg;      /* settings */
    const dl_dataset_set *set; /* declarations */
    dl_lake *lake;             /* where the records are */
    dl_json_writer w;          /* the answer in JSON */
    dlc_progress bar;          /* over the records of a dataset */
} rebuild_run;

static void progress(void *context, uint64_t records)
{
    rebuild_run *r = context;

    dlc_progress_update(&r->bar, (int64_t)records);
}

/* A day of the lake that is being read keeps a file open. */
static void raise_files(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

static void tell(rebuild_run *r, const dl_dataset *ds, const dlc_rebuilt *done)
{
    double took_s = (double)done->took_us / 1e6;

    if (!r->ctl->json) {
        printf("%s: %" PRIu64 " records into %s in %.1f s, %.0f a second; "
               "%" PRIu64 " are no rows, %" PRIu64 " changes.\n",
               ds->name, done->records, ds->table, took_s,
               took_s > 0 ? (double)done->records / took_s : 0, done->refused,
               done->changes);
        if (done->lost > 0) {
            printf("%s: %" PRIu64 " changes were made of records that the lake "
                   "has lost.\n",
                   ds->name, done->lost);
        }
        return;
    }
    dl_json_write_object_begin(&r->w);
    dl_json_write_key(&r->w, "dataset");
    dl_json_write_text(&r->w, ds->name);
    dl_json_write_key(&r->w, "table");
    dl_json_write_text(&r->w, ds->table);
    dl_json_write_key(&r->w, "records");
    dl_json_write_int(&r->w, (int64_t)done->records);
    dl_json_write_key(&r->w, "refused");
    dl_json_write_int(&r->w, (int64_t)done->refused);
    dl_json_write_key(&r->w, "changes");
    dl_json_write_int(&r->w, (int64_t)done->changes);
    dl_json_write_key(&r->w, "lost");
    dl_json_write_int(&r->w, (int64_t)done->lost);
    dl_json_write_key(&r->w, "took_ms");
    dl_json_write_int(&r->w, done->took_us / 1000);
    dl_json_write_object_end(&r->w);
}

/* Set in WHAT where the change events about its dataset are. */
static dl_status find_changes(dlc_rebuild *what, rebuild_run *r, dl_error *err,
                              apr_pool_t *pool)
{
    dl_status status;

    what->changes_of = what->dataset->name;
    what->changes = what->snap;
    if (what->dataset->changes_in == NULL) {
        return DL_OK;
    }
    what->changes_of = what->dataset->changes_in;
    what->changes = NULL;
    status = dl_lake_snapshot_open(&what->changes, r->lake, what->changes_of,
                                   err, pool);
    return status == DL_NOT_FOUND ? DL_OK : status;
}

/* Rebuild the table of DS from the lake as it is; *BEGUN: it was emptied.
 * LAST: what the lake has not by now is lost, if that is allowed. */
static dl_status rebuild_now(bool *begun, rebuild_run *r, const dl_dataset *ds,
                             bool last, dl_error *err, apr_pool_t *pool)
{
    dlc_rebuild what = {.cfg = r->cfg,
                        .set = r->set,
                        .dataset = ds,
                        .without_lost = last && r->without_lost,
                        .progress = progress,
                        .context = r};
    dlc_rebuilt done = {.begun = false};
    dl_status status;

    *begun = false;
    DL_TRY(dl_lake_snapshot_open(&what.snap, r->lake, ds->name, err, pool));
    DL_TRY(find_changes(&what, r, err, pool));
    dlc_progress_begin(&r->bar, "records",
                       (int64_t)dl_lake_snapshot_totals(what.snap)->records,
                       r->ctl->json);
    status = dlc_rebuild_run(&done, &what, err, pool);
    dlc_progress_end(&r->bar);
    *begun = done.begun;
    if (status != DL_OK) {
        return dl_wrap(err, "dataset %s", ds->name);
    }
    tell(r, ds, &done);
    return DL_OK;
}

/* The same; a lake that is behind for a moment is waited for. */
static dl_status rebuild(rebuild_run *r, const dl_dataset *ds, dl_error *err,
                         apr_pool_t *pool)
{
    dl_status status = DL_BUSY;
    bool begun = false;

    for (int i = 0; i < TRIES && status == DL_BUSY && !begun; i++) {
        (void)poll(NULL, 0, i == 0 ? 0 : WAIT_MS);
        apr_pool_clear(pool);
        status = rebuild_now(&begun, r, ds, i == TRIES - 1, err, pool);
    }
    return status;
}

/* Refuse while the loader runs here; one elsewhere is found by the offsets. */
static dl_status check_alone(rebuild_run *r, dl_error *err)
{
    dl_error ignored = {0};
    pid_t pid;

    if (dlc_ctl_daemon_pid(&pid, r->ctl, "datalake-warehouse", &ignored) ==
        DL_OK) {
        return dl_fail(err, DL_BUSY, 0,
                       "datalake-warehouse runs (process %ld): stop it first",
                       (long)pid);
    }
    return DL_OK;
}

static dl_status rebuild_all(rebuild_run *r, dl_error *err)
{
    int n = 0;

    DL_TRY(check_alone(r, err));
    DL_TRY(dl_lake_open(&r->lake, r->cfg->lake.path, err, r->ctl->pool));
    raise_files();
    for (int i = 0; i < r->set->n; i++) {
        const dl_dataset *ds = r->set->datasets[i];
        apr_pool_t *pool;
        dl_status status;

        if (ds->table == NULL ||
            (r->name != NULL && strcmp(ds->name, r->name) != 0)) {
            continue;
        }
        apr_pool_create(&pool, r->ctl->pool);
        status = rebuild(r, ds, err, pool);
        apr_pool_destroy(pool);
        if (status == DL_NOT_FOUND && r->name == NULL) {
            continue; /* nothing of it is in the lake */
        }
        DL_TRY(status);
        n++;
    }
    return n == 0 ? dl_fail(err, DL_NOT_FOUND, 0,
                            "no dataset that is asked for has a table")
                  : DL_OK;
}

int dlc_ctl_rebuild(dlc_ctl *ctl, int argc, const char *const *argv)
{
    rebuild_run r = {.ctl = ctl, .w = dlc_ctl_json(ctl)};
    const dlc_option table[] = {
        {"dataset", 0, DLC_OPTION_TEXT, &r.name, 0, 0, "NAME",
         "rebuild the table of this dataset alone"},
        {"without-lost", 0, DLC_OPTION_FLAG, &r.without_lost, 0, 0, NULL,
         "go on without records that changes name and "
         "the lake has lost"},
        {.name = NULL}};
    dl_error err = {0};
    dlc_positionals rest;
    dl_status status;
    int exit_status = dlc_ctl_parse(&rest, ctl, table, argc, argv);

    if (exit_status < 0) {
        exit_status = dlc_ctl_want(ctl, &rest, 0, 0);
    }
    if (exit_status >= 0) {
        return exit_status;
    }
    if (ctl->json) {
        dl_json_write_array_begin(&r.w);
    }
    status = dlc_ctl_config(&r.cfg, ctl, &err);
    if (status == DL_OK) {
        status = dlc_ctl_datasets(&r.set, ctl, &err);
    }
    if (status == DL_OK) {
        status = rebuild_all(&r, &err);
    }
    if (status != DL_OK) {
        return dlc_ctl_fail(ctl, &err);
    }
    if (ctl->json) {
        dl_json_write_array_end(&r.w);
        return dlc_ctl_print_json(ctl, &r.w);
    }
    return DLC_CTL_OK;
}
