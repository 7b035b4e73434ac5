/* dlc_ctl_index.c - datalakectl index build, verify, drop.
 *
 * Each takes names of datasets and means all of the lake without one.  The
 * daemon may run: one builder of a dataset waits for the other.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_config.h"
#include "dl_dataset.h"
#include "dl_lake.h"
#include "dl_lake_indexing.h"
#include "dlc_ctl.h"
#include "dlc_progress.h"

#include <stdio.h>
#include <string.h>

/* How long the daemon may take for the part it has in hand. */
#define WAIT_US (120 * (int64_t)DL_SECOND_US)

/* What is to be done, with what. */
typedef struct index_run {
    dlc_ctl *ctl;         /* the run */
    const dl_config *cfg; /* [lake] */
    dl_json_writer *w;    /* the answer in JSON */
    bool all;             /* --all: make those anew that are there */
    const char *dataset;  /* in hand */
    dl_lake_indexing *x;  /* it, opened */
    dlc_progress bar;     /* over its bytes */
    uint64_t before;      /* bytes of parts that are done */
    int damaged;          /* problems in all datasets */
} index_run;

/* What came of one dataset. */
typedef struct index_sums {
    int done;        /* indexes made, or good ones */
    int equal;       /* of them, compared with one made anew */
    int kept;        /* there already */
    int small;       /* parts that need none */
    int missing;     /* parts without */
    int damaged;     /* parts or indexes that are not right */
    uint64_t bytes;  /* of parts that were read */
    int64_t took_us; /* for it */
} index_sums;

static bool go_on(void *context, uint64_t bytes)
{
    index_run *r = context;

    dlc_progress_update(&r->bar, (int64_t)((r->before + bytes) >> 20));
    return true;
}

/* Set *COLUMNS to those of the declaration of NAME, NULL without one. */
static dl_status columns_of(const dl_lake_columns **columns, dlc_ctl *ctl,
                            const char *name, dl_error *err)
{
    const dl_dataset_set *set;
    const dl_dataset *ds;

    *columns = NULL;
    DL_TRY(dlc_ctl_datasets(&set, ctl, err));
    ds = dl_dataset_find(set, name);
    return ds == NULL ? DL_OK
                      : dl_lake_columns_create(columns, ds, err, ctl->pool);
}

static dl_status open_dataset(index_run *r, const char *name, dl_error *err,
                              apr_pool_t *pool)
{
    dl_lake_indexing_options o = {.root = r->cfg->lake.path,
                                  .dataset = name,
                                  .block_bytes =
                                      r->cfg->lake.index_bytes == 0
                                          ? DL_LAKE_INDEX_NORMAL
                                          : (uint32_t)r->cfg->lake.index_bytes,
                                  .wait_us = WAIT_US,
                                  .go_on = go_on,
                                  .context = r};

    r->dataset = name;
    r->before = 0;
    DL_TRY(columns_of(&o.columns, r->ctl, name, err));
    return dl_lake_indexing_open(&r->x, &o, err, pool);
}

/* Say what is wrong with PART. */
static void tell(index_run *r, const dl_lake_part *part, const dl_error *err)
{
    char folder[DL_LAKE_PATH_MAX];
    char name[DL_LAKE_PATH_MAX];

    r->damaged++;
    dl_lake_day_folder(folder, part->day);
    dl_lake_part_name(name, part);
    if (!r->ctl->json) {
        bool shown = r->bar.shown;

        dlc_progress_end(&r->bar);
        printf("%s/%s/%s (%016llx): %s\n", r->dataset, folder, name,
               (unsigned long long)part->uid, err->text);
        r->bar.shown = shown;
        return;
    }
    dl_json_write_object_begin(r->w);
    dl_json_write_key(r->w, "dataset");
    dl_json_write_text(r->w, r->dataset);
    dl_json_write_key(r->w, "part");
    dl_json_write_text(r->w, name);
    dl_json_write_key(r->w, "problem");
    dl_json_write_text(r->w, err->text);
    dl_json_write_object_end(r->w);
}

static double per_second(const index_sums *s)
{
    return s->took_us == 0 ? 0 : (double)s->bytes / (double)s->took_us;
}

/* What is done with PART. */
typedef dl_status part_step(index_sums *s, index_run *r,
                            const dl_lake_indexed *part, dl_error *err,
                            apr_pool_t *pool);

/* Some parts. */
typedef struct part_list {
    dl_lake_indexed *all; /* they */
    int n;                /* how many */
    uint64_t bytes;       /* of those that take time */
} part_list;

/* Do STEP with each part of LIST, with a bar. */
static dl_status each_part(index_sums *s, index_run *r, const part_list *list,
                           part_step *step, dl_error *err, apr_pool_t *pool)
{
    dl_status status = DL_OK;

    dlc_progress_begin(&r->bar, "MB", (int64_t)(list->bytes >> 20),
                       r->ctl->json);
    for (int i = 0; i < list->n && status == DL_OK; i++) {
        status = step(s, r, &list->all[i], err, pool);
    }
    dlc_progress_end(&r->bar);
    return status;
}

/* --- build ---------------------------------------------------------------- */

static bool to_build(const index_run *r, const dl_lake_indexed *part)
{
    return part->state == DL_LAKE_INDEX_MISSING ||
           (r->all && part->state == DL_LAKE_INDEX_THERE);
}

static dl_status build_part(index_sums *s, index_run *r,
                            const dl_lake_indexed *part, dl_error *err,
                            apr_pool_t *pool)
{
    dl_status status;

    if (!to_build(r, part)) {
        s->kept += part->state == DL_LAKE_INDEX_THERE;
        s->small += part->state == DL_LAKE_INDEX_NEEDLESS;
        return DL_OK;
    }
    status = dl_lake_indexing_make(r->x, &part->part, err, pool);
    if (status == DL_CORRUPT) {
        s->damaged++;
        tell(r, &part->part, err);
        return DL_OK;
    }
    if (status == DL_NOT_FOUND) {
        return DL_OK; /* joined meanwhile, with its own index */
    }
    DL_TRY(status);
    s->done++;
    s->bytes += part->part.bytes;
    r->before += part->part.bytes;
    return DL_OK;
}

static dl_status build(index_sums *s, index_run *r, dl_error *err,
                       apr_pool_t *pool)
{
    part_list list = {.bytes = 0};
    int removed;

    DL_TRY(dl_lake_indexing_sweep(&removed, r->x, err, pool));
    DL_TRY(dl_lake_indexing_list(&list.all, &list.n, r->x, true, err, pool));
    for (int i = 0; i < list.n; i++) {
        list.bytes += to_build(r, &list.all[i]) ? list.all[i].part.bytes : 0;
    }
    return each_part(s, r, &list, build_part, err, pool);
}

static void say_built(const index_run *r, const index_sums *s)
{
    printf("%s: %d indexes of %llu MB made in %.1f s, %.0f MB/s; %d were "
           "there, %d parts need none, %d are damaged\n",
           r->dataset, s->done, (unsigned long long)(s->bytes / 1000000),
           (double)s->took_us / 1e6, per_second(s), s->kept, s->small,
           s->damaged);
}

/* --- verify --------------------------------------------------------------- */

static dl_status verify_part(index_sums *s, index_run *r,
                             const dl_lake_indexed *part, dl_error *err,
                             apr_pool_t *pool)
{
    bool equal = false;
    dl_status status =
        dl_lake_indexing_verify(&equal, r->x, &part->part, err, pool);

    r->before += part->part.bytes;
    if (status == DL_NOT_FOUND) {
        s->small += part->state == DL_LAKE_INDEX_NEEDLESS;
        s->missing += part->state == DL_LAKE_INDEX_MISSING;
        return DL_OK;
    }
    if (status == DL_CORRUPT || status == DL_UNSUPPORTED) {
        s->damaged++;
        tell(r, &part->part, err);
        return DL_OK;
    }
    DL_TRY(status);
    s->done++;
    s->equal += equal;
    s->bytes += part->part.bytes;
    return DL_OK;
}

static dl_status verify(index_sums *s, index_run *r, dl_error *err,
                        apr_pool_t *pool)
{
    part_list list = {.bytes = 0};

    DL_TRY(dl_lake_indexing_list(&list.all, &list.n, r->x, false, err, pool));
    for (int i = 0; i < list.n; i++) {
        list.bytes += list.all[i].part.bytes;
    }
    return each_part(s, r, &list, verify_part, err, pool);
}

static void say_verified(const index_run *r, const index_sums *s)
{
    printf("%s: %d indexes are good, %d of them as if made anew; %d damaged, "
           "%d missing, %d parts need none; %.0f MB/s\n",
           r->dataset, s->done, s->equal, s->damaged, s->missing, s->small,
           per_second(s));
}

/* --- drop ----------------------------------------------------------------- */

static dl_status drop(index_sums *s, index_run *r, dl_error *err,
                      apr_pool_t *pool)
{
    (void)pool;
    return dl_lake_indexing_drop(&s->done, r->x, err);
}

static void say_dropped(const index_run *r, const index_sums *s)
{
    printf("%s: %d files removed\n", r->dataset, s->done);
}

/* --- All ------------------------------------------------------------------ */

/* A word behind "index". */
typedef struct verb {
    const char *word; /* as typed */
    dl_status (*run)(index_sums *s, index_run *r, dl_error *err,
                     apr_pool_t *pool); /* for the dataset in hand */
    void (*say)(const index_run *r, const index_sums *s); /* for people */
} verb;

static const verb verbs[] = {
    {"build", build, say_built},
    {"verify", verify, say_verified},
    {"drop", drop, say_dropped},
    {NULL, NULL, NULL},
};

static void write_number(dl_json_writer *w, const char *name, int64_t value)
{
    dl_json_write_key(w, name);
    dl_json_write_int(w, value);
}

static void write_sums(dl_json_writer *w, const char *dataset,
                       const index_sums *s)
{
    dl_json_write_object_begin(w);
    dl_json_write_key(w, "dataset");
    dl_json_write_text(w, dataset);
    write_number(w, "done", s->done);
    write_number(w, "equal", s->equal);
    write_number(w, "kept", s->kept);
    write_number(w, "needless", s->small);
    write_number(w, "missing", s->missing);
    write_number(w, "damaged", s->damaged);
    write_number(w, "bytes", (int64_t)s->bytes);
    write_number(w, "milliseconds", s->took_us / 1000);
    write_number(w, "bytes_per_s", (int64_t)(per_second(s) * 1e6));
    dl_json_write_object_end(w);
}

static dl_status run_one(index_sums *s, index_run *r, const verb *v,
                         const char *name, dl_error *err)
{
    int64_t began = dl_time_monotonic_us();
    dl_status status;
    apr_pool_t *pool;

    apr_pool_create(&pool, r->ctl->pool);
    status = open_dataset(r, name, err, pool);
    if (status == DL_OK) {
        status = v->run(s, r, err, pool);
    }
    apr_pool_destroy(pool);
    s->took_us = dl_time_monotonic_us() - began;
    return status == DL_OK ? DL_OK : dl_wrap(err, "%s", name);
}

/* Run V for the N datasets NAMES: problems, then sums. */
static dl_status run_all(index_run *r, const verb *v, const char *const *names,
                         int n, dl_error *err)
{
    index_sums *sums =
        apr_pcalloc(r->ctl->pool, ((size_t)n + 1) * sizeof *sums);

    dl_json_write_object_begin(r->w);
    dl_json_write_key(r->w, "problems");
    dl_json_write_array_begin(r->w);
    for (int i = 0; i < n; i++) {
        DL_TRY(run_one(&sums[i], r, v, names[i], err));
        if (!r->ctl->json) {
            v->say(r, &sums[i]);
        }
    }
    dl_json_write_array_end(r->w);
    dl_json_write_key(r->w, "datasets");
    dl_json_write_array_begin(r->w);
    for (int i = 0; i < n; i++) {
        write_sums(r->w, names[i], &sums[i]);
    }
    dl_json_write_array_end(r->w);
    dl_json_write_object_end(r->w);
    return DL_OK;
}

/* Set *NAMES to the N datasets that are named behind the verb, or to all. */
static dl_status choose(const char *const **names, int *n, index_run *r,
                        const dlc_positionals *rest, dl_error *err)
{
    dl_lake *lake;

    *names = rest->text + 1;
    *n = rest->n - 1;
    if (*n > 0) {
        return DL_OK;
    }
    DL_TRY(dl_lake_open(&lake, r->cfg->lake.path, err, r->ctl->pool));
    return dl_lake_datasets(names, n, lake, err, r->ctl->pool);
}

int dlc_ctl_index(dlc_ctl *ctl, int argc, const char *const *argv)
{
    dl_json_writer w = dlc_ctl_json(ctl);
    index_run r = {.ctl = ctl, .w = &w};
    const dlc_option table[] = {{"all", 0, DLC_OPTION_FLAG, &r.all, 0, 0, NULL,
                                 "build: make those anew, too, that are there"},
                                {.name = NULL}};
    dl_error err = {.status = DL_OK};
    const char *const *names;
    const verb *v = verbs;
    dlc_positionals rest;
    int exit_status = dlc_ctl_parse(&rest, ctl, table, argc, argv);
    int n;

    if (exit_status < 0) {
        exit_status = dlc_ctl_want(ctl, &rest, 1, 16);
    }
    if (exit_status >= 0) {
        return exit_status;
    }
    while (v->word != NULL && strcmp(v->word, rest.text[0]) != 0) {
        v++;
    }
    if (v->word == NULL) {
        return dlc_ctl_usage(
            ctl, "must be build, verify or drop, not \"%.60s\"", rest.text[0]);
    }
    if (dlc_ctl_config(&r.cfg, ctl, &err) != DL_OK ||
        choose(&names, &n, &r, &rest, &err) != DL_OK ||
        run_all(&r, v, names, n, &err) != DL_OK) {
        return dlc_ctl_fail(ctl, &err);
    }
    if (ctl->json && dlc_ctl_print_json(ctl, &w) != DLC_CTL_OK) {
        return DLC_CTL_FAILED;
    }
    return r.damaged == 0 ? DLC_CTL_OK : DLC_CTL_FAILED;
}
