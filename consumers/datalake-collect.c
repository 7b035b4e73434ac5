/* datalake-collect.c - The collector: the sources that datalake.ini declares
 * into Kafka.
 *
 * Each source has a thread (dlc_collect_run.h); the main one waits for them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_collect_record.h"
#include "dlc_collect_run.h"
#include "dlc_daemon.h"
#include "dlc_progress.h"

#include <pthread.h>
#include <string.h>

#include "dl_dataset.h"
#include "dl_log.h"
#include "dl_thread.h"
#include "dl_time.h"

/* Between two looks at the threads, and at whether they have ended when
 * somebody waits for that. */
#define TURN_US INT64_C(100000)
#define SOON_US INT64_C(5000)

/* jemalloc looks for this where it is linked: one heap for all threads, since
 * one makes what another gives back; what is free for a second goes back to the
 * system, for the peak must not depend on how long the broker takes (0.2 s is
 * 3 MB less and twice as many pages to fetch again). */
extern const char *malloc_conf;
const char *malloc_conf = "narenas:1,dirty_decay_ms:1000,muzzy_decay_ms:0";

/* What the command line says. */
static struct {
    bool once;             /* --once */
    bool follow;           /* --follow */
    bool dry;              /* --dry-run */
    dlc_positionals names; /* of sources */
} wanted;

/* One source and its thread. */
typedef struct worker {
    dlc_collect_run run; /* what it does */
    apr_pool_t *pool;    /* its own, with an allocator of its own */
    pthread_t thread;    /* at work, when STARTED */
    bool started;        /* the thread is there */
    _Atomic bool ended;  /* it has nothing more to do */
    dl_status status;    /* how it ended */
    dl_error err;        /* why */
} worker;

/* All of them. */
typedef struct workers {
    worker *items; /* by section */
    int n;         /* how many */
} workers;

static void *be_worker(void *data)
{
    worker *w = data;

    w->status = wanted.dry ? dlc_collect_run_print(&w->run, &w->err, w->pool)
                           : dlc_collect_run_go(&w->run, &w->err, w->pool);
    apr_pool_clear(w->pool);
    if (w->status != DL_OK) {
        dl_log(DL_LOG_ERROR, "DL0920 source %s ends: %s", w->run.source->name,
               w->err.text);
    }
    w->ended = true;
    return NULL;
}

/* Return whether this run ends by itself. */
static bool is_short(void)
{
    return wanted.once || wanted.dry;
}

/* Return whether source NAME is wanted. */
static bool is_wanted(const char *name)
{
    for (int i = 0; i < wanted.names.n; i++) {
        if (strcmp(wanted.names.text[i], name) == 0) {
            return true;
        }
    }
    return wanted.names.n == 0;
}

/* Check the sources of CFG, and that those that are named are there. */
static dl_status check(const dl_config *cfg, dl_error *err, apr_pool_t *pool)
{
    dl_dataset_set *set;

    if (wanted.once && wanted.follow) {
        return dl_fail(err, DL_INVALID, 0,
                       "--once and --follow exclude each other");
    }
    for (int i = 0; i < wanted.names.n; i++) {
        if (dl_config_source_find(cfg, wanted.names.text[i]) == NULL) {
            return dl_fail(
                err, DL_INVALID, 0, "%.60s: %s has no section [source %.60s]",
                wanted.names.text[i], cfg->file, wanted.names.text[i]);
        }
    }
    DL_TRY(dl_dataset_load_all(&set, cfg, err, pool));
    for (int i = 0; i < cfg->sources.n; i++) {
        const dl_config_source *source = &cfg->sources.items[i];
        const dl_dataset *ds = dl_dataset_find(set, source->dataset);
        dlc_collect_maker *maker;

        if (ds == NULL) {
            return dl_fail(err, DL_INVALID, 0,
                           "%s:%d: [source %s] dataset = %s: is not declared "
                           "in %s",
                           cfg->file, source->line, source->name,
                           source->dataset, cfg->datasets.dir);
        }
        if (dlc_collect_maker_create(&maker, source, ds, err, pool) != DL_OK) {
            return dl_wrap(err, "%s:%d", cfg->file, source->line);
        }
    }
    return DL_OK;
}

/* Start a thread for each source that is wanted. */
static dl_status start(workers *all, const dlc_service *service, dl_error *err,
                       apr_pool_t *pool)
{
    const dl_config *cfg = service->cfg;
    dl_dataset_set *set;

    DL_TRY(dl_dataset_load_all(&set, cfg, err, pool));
    all->items =
        apr_pcalloc(pool, ((size_t)cfg->sources.n + 1) * sizeof *all->items);
    for (int i = 0; i < cfg->sources.n; i++) {
        const dl_config_source *source = &cfg->sources.items[i];
        worker *w = &all->items[all->n];

        if (!is_wanted(source->name)) {
            continue;
        }
        w->run.cfg = cfg;
        w->run.source = source;
        w->run.ds = dl_dataset_find(set, source->dataset);
        w->run.stats = service->stats;
        w->run.stop = &service->wishes->stop;
        w->run.follow = !is_short();
        dlc_collect_run_slots(&w->run, pool);
        apr_pool_create_unmanaged_ex(&w->pool, NULL, NULL);
        DL_TRY(dl_thread_start(&w->thread, be_worker, w, "collects", err));
        w->started = true;
        all->n++;
    }
    return DL_OK;
}

/* Return whether one of ALL is at work. */
static bool is_busy(const workers *all)
{
    for (int i = 0; i < all->n; i++) {
        if (!all->items[i].ended) {
            return true;
        }
    }
    return false;
}

/* Draw how far all of them are; return whether one is at work. */
static bool look(const workers *all, dlc_progress *bar)
{
    int64_t done = 0;
    int64_t total = 0;

    for (int i = 0; i < all->n; i++) {
        done += all->items[i].run.done;
        total += all->items[i].run.total;
    }
    bar->total = total;
    if (total > 0) {
        dlc_progress_update(bar, done);
    }
    return is_busy(all);
}

/* Let a turn pass; less when all threads end. */
static void rest(const workers *all)
{
    int64_t step_us = is_short() ? SOON_US : TURN_US;

    for (int64_t us = 0; us < TURN_US && is_busy(all); us += step_us) {
        dl_thread_sleep(step_us);
    }
}

/* Wait for the threads; fail as the first that did. */
static dl_status join(workers *all, dl_error *err)
{
    dl_status status = DL_OK;

    for (int i = 0; i < all->n; i++) {
        worker *w = &all->items[i];

        pthread_join(w->thread, NULL);
        apr_pool_destroy(w->pool);
        if (w->status != DL_OK && status == DL_OK) {
            status = dl_fail(err, w->status, 0, "source %s: %s",
                             w->run.source->name, w->err.text);
        }
    }
    return status;
}

static dl_status serve(const dlc_service *service, dl_error *err,
                       apr_pool_t *pool)
{
    workers all = {.n = 0};
    dlc_progress bar;
    dl_error later = {0};
    dl_status status = start(&all, service, err, pool);
    dl_status ended;

    dlc_progress_begin(&bar, "bytes", 0, !wanted.once);
    if (status != DL_OK) {
        service->wishes->stop = 1;
    }
    while (look(&all, &bar)) {
        service->alive(service->context, "collecting");
        rest(&all);
    }
    while (all.n == 0 && !is_short() && service->wishes->stop == 0) {
        service->alive(service->context, "no source is declared");
        dl_thread_sleep(TURN_US);
    }
    dlc_progress_end(&bar);
    ended = join(&all, status == DL_OK ? err : &later);
    return status == DL_OK ? ended : status;
}

int main(int argc, char **argv)
{
    static const dlc_option more[] = {
        {"once", 0, DLC_OPTION_FLAG, &wanted.once, 0, 0, NULL,
         "collect what is there, then end"},
        {"follow", 0, DLC_OPTION_FLAG, &wanted.follow, 0, 0, NULL,
         "collect what comes, until a signal; the default"},
        {"dry-run", 0, DLC_OPTION_FLAG, &wanted.dry, 0, 0, NULL,
         "print the records that are there as KEY<TAB>VALUE, send nothing"},
        {.name = NULL}};
    static const dlc_program program = {
        .name = "datalake-collect",
        .sink = "collect",
        .sentence = "bring files, tables and network lines into Kafka",
        .more = more,
        .words = &wanted.names,
        .words_are = "SOURCE",
        .serve = serve,
        .beside = is_short,
        .check = check};

    return dlc_daemon_main(&program, argc, (const char *const *)argv);
}
