/* dlc_ctl_lake.c - datalakectl fsck, seal, compact.
 *
 * Each takes names of datasets and means all of the lake without one.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_config.h"
#include "dl_dataset.h"
#include "dl_lake_compact.h"
#include "dl_lake_fsck.h"
#include "dl_lake_writer.h"
#include "dlc_ctl.h"
#include "dlc_progress.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

/* The datasets a subcommand is about. */
typedef struct chosen {
    const dl_config *cfg;     /* where the lake is */
    dl_lake *lake;            /* opened for reading */
    const char *const *names; /* of the datasets */
    int n;                    /* how many */
} chosen;

static dl_status choose(chosen *c, dlc_ctl *ctl, const dlc_positionals *rest,
                        dl_error *err)
{
    DL_TRY(dlc_ctl_config(&c->cfg, ctl, err));
    DL_TRY(dl_lake_open(&c->lake, c->cfg->lake.path, err, ctl->pool));
    c->names = rest->text;
    c->n = rest->n;
    if (rest->n > 0) {
        return DL_OK;
    }
    return dl_lake_datasets(&c->names, &c->n, c->lake, err, ctl->pool);
}

/* Read the options and the names; -1: go on with *C. */
static int begin(chosen *c, dlc_positionals *rest, dlc_ctl *ctl,
                 const dlc_option *table, int argc, const char *const *argv)
{
    dl_error err = {.status = DL_OK};
    int exit_status = dlc_ctl_parse(rest, ctl, table, argc, argv);

    if (exit_status < 0 && choose(c, ctl, rest, &err) != DL_OK) {
        exit_status = dlc_ctl_fail(ctl, &err);
    }
    return exit_status;
}

/* --- fsck ----------------------------------------------------------------- */

/* What the check tells to. */
typedef struct fsck_output {
    const dlc_ctl *ctl;  /* the run */
    dl_json_writer *w;   /* the answer in JSON */
    dlc_progress bar;    /* on a terminal */
    bool begun;          /* the bar */
    const char *dataset; /* being checked */
} fsck_output;

static void tell_problem(void *context, const char *file, const char *text)
{
    fsck_output *out = context;

    if (out->ctl->json) {
        dl_json_write_object_begin(out->w);
        dl_json_write_key(out->w, "dataset");
        dl_json_write_text(out->w, out->dataset);
        dl_json_write_key(out->w, "file");
        dl_json_write_text(out->w, file);
        dl_json_write_key(out->w, "problem");
        dl_json_write_text(out->w, text);
        dl_json_write_object_end(out->w);
        return;
    }
    if (out->begun) {
        dlc_progress_end(&out->bar);
        out->begun = false;
    }
    printf("%s: %s\n", file, text);
}

static void tell_progress(void *context, uint64_t done, uint64_t all)
{
    fsck_output *out = context;

    if (!out->begun) {
        dlc_progress_begin(&out->bar, "MB", (int64_t)(all >> 20),
                           out->ctl->json);
        out->begun = true;
    }
    dlc_progress_update(&out->bar, (int64_t)(done >> 20));
}

static void add_found(dl_lake_findings *sum, const dl_lake_findings *found)
{
    sum->problems += found->problems;
    sum->days += found->days;
    sum->parts += found->parts;
    sum->records += found->records;
    sum->bytes += found->bytes;
    sum->rejects += found->rejects;
}

static dl_status check_all(dl_lake_findings *sum, const chosen *c,
                           fsck_output *out, dl_error *err)
{
    for (int i = 0; i < c->n; i++) {
        dl_lake_check check = {.root = c->cfg->lake.path,
                               .dataset = c->names[i],
                               .problem = tell_problem,
                               .progress = tell_progress,
                               .context = out};
        dl_lake_findings found;

        out->dataset = c->names[i];
        DL_TRY(dl_lake_fsck(&found, &check, err, out->ctl->pool));
        if (out->begun) {
            dlc_progress_end(&out->bar);
            out->begun = false;
        }
        add_found(sum, &found);
    }
    return DL_OK;
}

static void write_number(dl_json_writer *w, const char *name, uint64_t value)
{
    dl_json_write_key(w, name);
    dl_json_write_int(w, (int64_t)value);
}

static int answer_check(const dlc_ctl *ctl, dl_json_writer *w,
                        const dl_lake_findings *sum)
{
    if (!ctl->json) {
        printf("%s%d problems%s in %d days, %d parts, %llu records, %llu "
               "bytes, %llu set aside\n",
               dlc_colour(stdout, sum->problems == 0 ? DLC_COLOUR_GREEN
                                                     : DLC_COLOUR_RED),
               sum->problems, dlc_colour(stdout, DLC_COLOUR_NONE), sum->days,
               sum->parts, (unsigned long long)sum->records,
               (unsigned long long)sum->bytes,
               (unsigned long long)sum->rejects);
        return sum->problems == 0 ? DLC_CTL_OK : DLC_CTL_FAILED;
    }
    write_number(w, "problem_count", (uint64_t)sum->problems);
    write_number(w, "days", (uint64_t)sum->days);
    write_number(w, "parts", (uint64_t)sum->parts);
    write_number(w, "records", sum->records);
    write_number(w, "bytes", sum->bytes);
    write_number(w, "set_aside", sum->rejects);
    dl_json_write_object_end(w);
    if (dlc_ctl_print_json(ctl, w) != DLC_CTL_OK) {
        return DLC_CTL_FAILED;
    }
    return sum->problems == 0 ? DLC_CTL_OK : DLC_CTL_FAILED;
}

int dlc_ctl_fsck(dlc_ctl *ctl, int argc, const char *const *argv)
{
    dl_json_writer w = dlc_ctl_json(ctl);
    fsck_output out = {.ctl = ctl, .w = &w};
    dl_lake_findings sum = {.problems = 0};
    dl_error err = {.status = DL_OK};
    dlc_positionals rest;
    chosen c;
    int exit_status = begin(&c, &rest, ctl, NULL, argc, argv);

    if (exit_status >= 0) {
        return exit_status;
    }
    dl_json_write_object_begin(&w);
    dl_json_write_key(&w, "problems");
    dl_json_write_array_begin(&w);
    if (check_all(&sum, &c, &out, &err) != DL_OK) {
        return dlc_ctl_fail(ctl, &err);
    }
    dl_json_write_array_end(&w);
    return answer_check(ctl, &w, &sum);
}

/* --- seal ----------------------------------------------------------------- */

/* How long a living writer may take. */
#define SEAL_WAIT_MS 30000
#define SEAL_LOOK_MS 20

/* Set *PID to the process that LOCK of DATASET names, 0: none. */
static void lock_owner(long *pid, const chosen *c, const char *dataset,
                       apr_pool_t *pool)
{
    char text[24] = "";
    int fd =
        open(apr_psprintf(pool, "%s/_lake/%s/LOCK", c->cfg->lake.path, dataset),
             O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    *pid = 0;
    if (fd < 0) {
        return;
    }
    if (read(fd, text, sizeof text - 1) > 0) {
        *pid = strtol(text, NULL, 10);
    }
    close(fd);
}

/* Wait until no part that was begun before SINCE is open. */
static dl_status wait_sealed(const chosen *c, const char *dataset,
                             dl_time since, dl_error *err, apr_pool_t *pool)
{
    apr_pool_t *iterpool;

    apr_pool_create(&iterpool, pool);
    for (int waited = 0; waited < SEAL_WAIT_MS; waited += SEAL_LOOK_MS) {
        const dl_lake_totals *totals;
        dl_lake_snapshot *snap;

        apr_pool_clear(iterpool);
        DL_TRY(dl_lake_snapshot_open(&snap, c->lake, dataset, err, iterpool));
        totals = dl_lake_snapshot_totals(snap);
        if (totals->open_parts == 0 || totals->oldest_open > since) {
            return DL_OK;
        }
        usleep(SEAL_LOOK_MS * 1000);
    }
    return dl_fail(err, DL_TIMEOUT, 0, "%s is not sealed after %d s", dataset,
                   SEAL_WAIT_MS / 1000);
}

static dl_status ask_writer(const chosen *c, const char *dataset, dl_error *err,
                            apr_pool_t *pool)
{
    dl_time since = dl_time_now();
    long pid;

    lock_owner(&pid, c, dataset, pool);
    if (pid <= 1 || kill((pid_t)pid, SIGUSR1) != 0) {
        return dl_fail(err, DL_BUSY, 0,
                       "a process that cannot be asked writes %s", dataset);
    }
    return wait_sealed(c, dataset, since, err, pool);
}

static dl_status seal(const chosen *c, const char *dataset, dl_error *err,
                      apr_pool_t *pool)
{
    dl_lake_options o = {.root = c->cfg->lake.path, .dataset = dataset};
    dl_lake_snapshot *snap;
    dl_lake_writer *w;
    apr_pool_t *own;
    dl_status status;

    DL_TRY(dl_lake_snapshot_open(&snap, c->lake, dataset, err, pool));
    apr_pool_create(&own, pool);
    status = dl_lake_writer_open(&w, &o, err, own);
    if (status == DL_OK) {
        status = dl_lake_writer_seal(w, dl_time_now(), err);
    }
    apr_pool_destroy(own);
    return status == DL_BUSY ? ask_writer(c, dataset, err, pool) : status;
}

int dlc_ctl_seal(dlc_ctl *ctl, int argc, const char *const *argv)
{
    dl_error err = {.status = DL_OK};
    dlc_positionals rest;
    chosen c;
    int exit_status = begin(&c, &rest, ctl, NULL, argc, argv);

    for (int i = 0; exit_status < 0 && i < c.n; i++) {
        if (seal(&c, c.names[i], &err, ctl->pool) != DL_OK) {
            return dlc_ctl_fail(ctl, &err);
        }
        if (!ctl->json) {
            printf("%s: sealed\n", c.names[i]);
        }
    }
    return exit_status < 0 ? DLC_CTL_OK : exit_status;
}

/* --- compact -------------------------------------------------------------- */

/* The bar of a compaction, one for each day. */
typedef struct compact_bar {
    dlc_progress bar; /* over the bytes of the day */
    dl_day day;       /* of which day */
    bool quiet;       /* --json */
} compact_bar;

static void tell_compacting(void *context, const dl_lake_compacting *at)
{
    compact_bar *b = context;

    if (b->day != at->day) {
        dlc_progress_end(&b->bar);
        dlc_progress_begin(&b->bar, "MB", (int64_t)(at->bytes >> 20), b->quiet);
        b->day = at->day;
    }
    dlc_progress_update(&b->bar, (int64_t)(at->done >> 20));
}

/* Say what a compaction of DATASET has DONE. */
static void tell_compacted(dl_json_writer *w, const dlc_ctl *ctl,
                           const char *dataset, const dl_lake_compacted *done)
{
    dl_json_write_object_begin(w);
    dl_json_write_key(w, "dataset");
    dl_json_write_text(w, dataset);
    write_number(w, "days", (uint64_t)done->days);
    write_number(w, "parts", (uint64_t)done->parts);
    write_number(w, "bytes", done->bytes);
    write_number(w, "cold_days", (uint64_t)done->cold_days);
    write_number(w, "cold_bytes", done->cold_bytes);
    write_number(w, "stored_bytes", done->stored_bytes);
    dl_json_write_object_end(w);
    if (ctl->json) {
        return;
    }
    printf("%s: %d days of %d parts are one file each, %llu bytes\n", dataset,
           done->days, done->parts, (unsigned long long)done->bytes);
    if (done->cold_days > 0) {
        printf("%s: %d days are cold now, %llu bytes of %llu\n", dataset,
               done->cold_days, (unsigned long long)done->stored_bytes,
               (unsigned long long)done->cold_bytes);
    }
}

static dl_status compact(dl_json_writer *w, dlc_ctl *ctl, const chosen *c,
                         int i, dl_error *err)
{
    compact_bar bar = {.day = DL_DAY_NONE, .quiet = ctl->json};
    dl_lake_compaction job = {.root = c->cfg->lake.path,
                              .dataset = c->names[i],
                              .before = DL_DAY_NONE,
                              .only = DL_DAY_NONE,
                              .cold_after = (int32_t)c->cfg->lake.zstd_after,
                              .block_bytes = (uint32_t)c->cfg->lake.index_bytes,
                              .context = &bar,
                              .progress = tell_compacting};
    const dl_dataset_set *set;
    const dl_dataset *ds;
    dl_lake_compacted done;
    dl_status status;

    DL_TRY(dlc_ctl_datasets(&set, ctl, err));
    ds = dl_dataset_find(set, c->names[i]);
    if (ds != NULL) {
        DL_TRY(dl_lake_columns_create(&job.columns, ds, err, ctl->pool));
    }
    status = dl_lake_compact(&done, &job, err, ctl->pool);
    dlc_progress_end(&bar.bar);
    DL_TRY(status);
    tell_compacted(w, ctl, c->names[i], &done);
    return DL_OK;
}

int dlc_ctl_compact(dlc_ctl *ctl, int argc, const char *const *argv)
{
    dl_json_writer w = dlc_ctl_json(ctl);
    dl_error err = {.status = DL_OK};
    dlc_positionals rest;
    chosen c;
    int exit_status = begin(&c, &rest, ctl, NULL, argc, argv);

    if (exit_status >= 0) {
        return exit_status;
    }
    dl_json_write_array_begin(&w);
    for (int i = 0; i < c.n; i++) {
        if (compact(&w, ctl, &c, i, &err) != DL_OK) {
            return dlc_ctl_fail(ctl, &err);
        }
    }
    dl_json_write_array_end(&w);
    return ctl->json ? dlc_ctl_print_json(ctl, &w) : DLC_CTL_OK;
}
