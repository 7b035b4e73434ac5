/* dlc_indexer.c - Which part is indexed next, and what is told.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_indexer.h"

#include "dl_lake_indexing.h"
#include "dl_log.h"
#include "dl_time.h"
#include "dlc_chore.h"

#include <stdlib.h>
#include <string.h>

/* Between two looks at a dataset. */
#define LOOK_US ((int64_t)DL_SECOND_US)

/* Parts are listed again after so long: a new one goes first. */
#define PASS_US (5 * (int64_t)DL_SECOND_US)

/* A dataset in which something failed rests so long. */
#define REST_US (60 * (int64_t)DL_SECOND_US)

/* What lines may make a segment longer. */
#define SPARE 65536u

/* Parts whose index cannot be made that are remembered, a dataset. */
#define BAD_MAX 64

/* How much of an open part is indexed. */
typedef struct grown {
    uint64_t uid;   /* of the part */
    uint64_t bytes; /* of it that its .grow describes */
} grown;

/* One dataset. */
typedef struct watch {
    const char *name;      /* of the dataset */
    const dl_dataset *ds;  /* its columns are those of this declaration */
    dl_lake_indexing *x;   /* NULL until it could be opened */
    apr_pool_t *pool;      /* holds x */
    apr_pool_t *ds_pool;   /* holds its columns */
    bool looked;           /* its indexes have been opened once */
    bool unfinished;       /* there is more to do */
    bool said;             /* that it rests */
    int64_t rest_us;       /* monotonic time until which it rests, or 0 */
    int waiting;           /* parts without index at the last listing */
    int n_bad;             /* entries of bad */
    uint64_t bad[BAD_MAX]; /* uids of parts that are left alone */
    int n_grown;           /* entries of grown */
    grown *growths;        /* open parts at the last listing; malloc */
    struct watch *next;    /* list */
} watch;

struct dlc_indexer {
    const dl_config *cfg;    /* [lake] */
    dlc_chore *chore;        /* the thread */
    apr_pool_t *pool;        /* the thread's, as all below */
    watch *watches;          /* datasets seen so far */
    dl_stats_value *queued;  /* parts that wait */
    dl_stats_value *running; /* 1: one is being made */
    dl_stats_value *seconds; /* histogram, a part */
};

/* --- Datasets ------------------------------------------------------------- */

static bool go_on(void *context, uint64_t bytes)
{
    const dlc_indexer *ix = context;

    (void)bytes;
    return !dlc_chore_stopping(ix->chore);
}

static watch *find_watch(dlc_indexer *ix, const char *name)
{
    watch *w;

    for (w = ix->watches; w != NULL; w = w->next) {
        if (strcmp(w->name, name) == 0) {
            return w;
        }
    }
    w = apr_pcalloc(ix->pool, sizeof *w);
    w->name = name;
    apr_pool_create(&w->pool, ix->pool);
    apr_pool_create(&w->ds_pool, ix->pool);
    w->next = ix->watches;
    ix->watches = w;
    return w;
}

/* Open W, and remove what a kill has left there. */
static dl_status open_watch(dlc_indexer *ix, watch *w, dl_error *err)
{
    const dl_lake_indexing_options o = {.root = ix->cfg->lake.path,
                                        .dataset = w->name,
                                        .block_bytes =
                                            (uint32_t)ix->cfg->lake.index_bytes,
                                        .go_on = go_on,
                                        .context = ix};
    dl_lake_indexing *x;
    dl_status status;
    int removed;

    apr_pool_clear(w->pool);
    DL_TRY(dl_lake_indexing_open(&x, &o, err, w->pool));
    status = dl_lake_indexing_sweep(&removed, x, err, w->pool);
    if (status != DL_OK && status != DL_BUSY) {
        return status;
    }
    w->x = x;
    return DL_OK;
}

static dl_status use_declaration(watch *w, const dl_dataset *ds, dl_error *err)
{
    const dl_lake_columns *columns;

    if (w->ds == ds) {
        return DL_OK;
    }
    w->ds = ds;
    dl_lake_indexing_columns(w->x, NULL);
    apr_pool_clear(w->ds_pool);
    DL_TRY(dl_lake_columns_create(&columns, ds, err, w->ds_pool));
    dl_lake_indexing_columns(w->x, columns);
    return DL_OK;
}

/* --- Sealed parts --------------------------------------------------------- */

static bool is_bad(const watch *w, uint64_t uid)
{
    for (int i = 0; i < w->n_bad; i++) {
        if (w->bad[i] == uid) {
            return true;
        }
    }
    return false;
}

static bool is_wanted(const watch *w, const dl_lake_indexed *part)
{
    return part->state == DL_LAKE_INDEX_MISSING && !is_bad(w, part->part.uid);
}

/* Leave the part UID of W alone from now on, and say why. */
static void give_up(watch *w, uint64_t uid, const dl_error *err)
{
    if (w->n_bad < BAD_MAX) {
        w->bad[w->n_bad++] = uid;
    }
    dl_log(DL_LOG_WARNING,
           "DL0810 %s: no index for part %016llx, it is read without: %s",
           w->name, (unsigned long long)uid, err->text);
}

/* What a failure STATUS with the part UID means to W: a status that ends the
 * pass, or DL_OK. */
static dl_status judge(watch *w, uint64_t uid, dl_status status,
                       const dl_error *err)
{
    if (status == DL_CORRUPT || status == DL_UNSUPPORTED) {
        give_up(w, uid, err);
        return DL_OK;
    }
    /* It has moved on: the next listing knows where. */
    return status == DL_NOT_FOUND ? DL_OK : status;
}

static dl_status make(dlc_indexer *ix, watch *w, const dl_lake_part *part,
                      dl_error *err, apr_pool_t *pool)
{
    int64_t began = dl_time_monotonic_us();
    int64_t took;
    dl_status status;

    dl_stats_set(ix->running, 1);
    status = dl_lake_indexing_make(w->x, part, err, pool);
    dl_stats_set(ix->running, 0);
    if (status != DL_OK) {
        return judge(w, part->uid, status, err);
    }
    took = dl_time_monotonic_us() - began;
    dl_stats_observe(ix->seconds, took);
    dl_log(DL_LOG_DEBUG, "DL0811 %s: index of %llu MB made in %lld ms", w->name,
           (unsigned long long)(part->bytes >> 20), (long long)(took / 1000));
    return DL_OK;
}

/* --- Open parts ----------------------------------------------------------- */

/* How much of the part UID was indexed when W was last looked at. */
static uint64_t grown_before(const watch *w, uint64_t uid)
{
    for (int i = 0; i < w->n_grown; i++) {
        if (w->growths[i].uid == uid) {
            return w->growths[i].bytes;
        }
    }
    return 0;
}

static dl_status grow_part(dlc_indexer *ix, watch *w, grown *g,
                           const dl_lake_part *part, dl_error *err,
                           apr_pool_t *pool)
{
    uint64_t segment =
        (uint64_t)ix->cfg->lake.index_bytes * DL_LAKE_INDEX_GROWTH;
    uint64_t bytes = 0;
    dl_status status;

    g->uid = part->uid;
    g->bytes = grown_before(w, part->uid);
    if (part->bytes < g->bytes + segment + SPARE || is_bad(w, part->uid)) {
        return DL_OK;
    }
    status = dl_lake_indexing_grow(&bytes, w->x, part, err, pool);
    if (status != DL_OK) {
        return judge(w, part->uid, status, err);
    }
    g->bytes = bytes;
    return DL_OK;
}

static dl_status grow_all(dlc_indexer *ix, watch *w, const dl_lake_indexed *all,
                          int n, dl_error *err, apr_pool_t *pool)
{
    grown *now = calloc((size_t)n + 1, sizeof *now);
    dl_status status = DL_OK;
    int n_now = 0;

    if (now == NULL) {
        abort();
    }
    for (int i = 0; i < n && status == DL_OK; i++) {
        if (all[i].state == DL_LAKE_INDEX_GROWING) {
            status = grow_part(ix, w, &now[n_now++], &all[i].part, err, pool);
        }
    }
    free(w->growths);
    w->growths = now;
    w->n_grown = n_now;
    return status;
}

/* --- A pass --------------------------------------------------------------- */

/* Make what the listing ALL says is missing, for PASS_US at most. */
static dl_status make_missing(dlc_indexer *ix, watch *w,
                              const dl_lake_indexed *all, int n, dl_error *err,
                              apr_pool_t *pool)
{
    int64_t until = dl_time_monotonic_us() + PASS_US;

    w->waiting = 0;
    for (int i = 0; i < n; i++) {
        w->waiting += is_wanted(w, &all[i]);
    }
    for (int i = 0; i < n; i++) {
        if (!is_wanted(w, &all[i])) {
            continue;
        }
        if (dl_time_monotonic_us() >= until) {
            w->unfinished = true;
            return DL_OK;
        }
        DL_TRY(make(ix, w, &all[i].part, err, pool));
        w->waiting--;
    }
    return DL_OK;
}

static dl_status pass(dlc_indexer *ix, watch *w, dl_error *err,
                      apr_pool_t *pool)
{
    dl_lake_indexed *all;
    int n;

    w->unfinished = false;
    DL_TRY(dl_lake_indexing_list(&all, &n, w->x, !w->looked, err, pool));
    w->looked = true;
    DL_TRY(grow_all(ix, w, all, n, err, pool));
    return make_missing(ix, w, all, n, err, pool);
}

/* A dataset and its declaration now, for a pass in another thread. */
typedef struct turn_of {
    dlc_indexer *ix;      /* whose */
    watch *w;             /* the dataset */
    const dl_dataset *ds; /* its declaration */
    apr_pool_t *pool;     /* the caller waits meanwhile */
} turn_of;

static dl_status try_pass(const turn_of *t, dl_error *err)
{
    if (t->w->x == NULL) {
        DL_TRY(open_watch(t->ix, t->w, err));
    }
    DL_TRY(use_declaration(t->w, t->ds, err));
    return pass(t->ix, t->w, err, t->pool);
}

static void step(void *data)
{
    const turn_of *t = data;
    dl_error err = {.status = DL_OK};
    dl_status status = try_pass(t, &err);
    watch *w = t->w;

    w->rest_us = 0;
    /* Busy: datalakectl makes them, or we are to end. */
    if (status != DL_OK) {
        w->unfinished = true;
        w->rest_us =
            dl_time_monotonic_us() + (status == DL_BUSY ? LOOK_US : REST_US);
    }
    if (status != DL_OK && status != DL_BUSY && !w->said) {
        dl_log(DL_LOG_WARNING, "DL0812 %s: indexes wait, tried again: %s",
               w->name, err.text);
    }
    w->said = status != DL_OK && status != DL_BUSY;
}

/* Whether there may be something to do for W. */
static bool is_due(const watch *w, const dl_dataset *ds)
{
    /* An operator who says SIGHUP wants to see it now. */
    if (w->x != NULL && w->ds != ds) {
        return true;
    }
    if (dl_time_monotonic_us() < w->rest_us) {
        return false;
    }
    return w->x == NULL || w->unfinished || dl_lake_indexing_changed(w->x);
}

static int64_t turn(void *context, dlc_chore *chore, apr_pool_t *scratch_pool)
{
    dlc_indexer *ix = context;
    const dl_dataset *ds;
    const char *name;
    int64_t waiting = 0;
    bool more = false;

    for (int i = 0; (name = dlc_chore_dataset(&ds, chore, i)) != NULL; i++) {
        turn_of t = {.ix = ix, .ds = ds, .pool = scratch_pool};

        if (dlc_chore_stopping(chore)) {
            break;
        }
        t.w = find_watch(ix, name);
        if (is_due(t.w, ds)) {
            dlc_chore_apart(step, &t);
        }
        more |= t.w->unfinished && t.w->rest_us == 0;
        waiting += t.w->waiting;
    }
    dl_stats_set(ix->queued, waiting);
    return more ? 0 : LOOK_US;
}

static apr_status_t forget(void *data)
{
    dlc_indexer *ix = data;

    for (watch *w = ix->watches; w != NULL; w = w->next) {
        free(w->growths);
    }
    apr_pool_destroy(ix->pool);
    return APR_SUCCESS;
}

dl_status dlc_indexer_create(dlc_indexer **indexer, const dl_config *cfg,
                             dl_stats *stats, dl_error *err, apr_pool_t *pool)
{
    dlc_indexer *ix;

    *indexer = NULL;
    if (cfg->lake.index_bytes == 0) {
        return DL_OK;
    }
    ix = apr_pcalloc(pool, sizeof *ix);
    ix->cfg = cfg;
    ix->queued = dl_stats_slot(stats, DL_STATS_GAUGE, "datalake_jobs",
                               "kind=\"index\",state=\"queued\"");
    ix->running = dl_stats_slot(stats, DL_STATS_GAUGE, "datalake_jobs",
                                "kind=\"index\",state=\"running\"");
    ix->seconds =
        dl_stats_slot(stats, DL_STATS_HISTOGRAM,
                      "datalake_job_duration_seconds", "kind=\"index\"");
    apr_pool_create(&ix->pool, NULL);
    apr_pool_cleanup_register(pool, ix, forget, apr_pool_cleanup_null);
    DL_TRY(dlc_chore_create(&ix->chore, turn, ix, 0, err, pool));
    *indexer = ix;
    return DL_OK;
}

void dlc_indexer_add(dlc_indexer *indexer, const char *name,
                     const dl_dataset *ds)
{
    if (indexer != NULL) {
        dlc_chore_add(indexer->chore, name, ds);
    }
}
