/* dlc_letters.c - From the quarantine of each dataset to its rows.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_letters.h"

#include <string.h>

#include <apr_strings.h>

#include "dl_dataset.h"
#include "dl_log.h"
#include "dlc_chore.h"
#include "dlc_letters_doubt.h"
#include "dlc_letters_store.h"
#include "dlc_link.h"

/* Between two looks at all datasets; while the warehouse is away; between two
 * counts. */
#define LOOK_US  INT64_C(1000000)
#define AWAY_US  INT64_C(2000000)
#define COUNT_US INT64_C(5000000)

/* Bounds of a transaction. */
#define BATCH_ROWS  500
#define BATCH_BYTES 4194304

/* After so many batches of one dataset it is another one's turn. */
#define BATCHES 20

/* One dataset. */
typedef struct listed {
    const dl_dataset *ds;          /* what */
    dlc_letters_position position; /* how far, as this program knows */
    bool read;                     /* POSITION was read */
    bool broken;                   /* it cannot be read: logged once */
    dl_stats_value *open;          /* its open dead letters */
    int64_t counted;               /* how many the last count found */
} listed;

/* All. */
typedef struct letters {
    const dl_config *cfg;
    dl_lake *lake;    /* NULL: not opened yet */
    dlc_link *link;   /* the connection */
    apr_pool_t *pool; /* of the lake: the thread's */
    listed *list;     /* a row for each dataset */
    int n;            /* how many */
    bool away;        /* the warehouse was, at the last turn */
    int64_t count_us; /* when to count again, monotonic */
    bool doubt_away;  /* the broker was, at the last look for doubts */
} letters;

/* --- One dataset ---------------------------------------------------------- */

/* Store what WALK gives, up to the bounds of a batch, and set *N to how many
 * messages that were and *NEXT to the place behind them. */
static dl_status store(int *n, dl_lake_quarantine_place *next, dl_wh *wh,
                       const listed *l, dl_lake_quarantine_walk *walk,
                       dl_error *err)
{
    size_t bytes = 0;

    *n = 0;
    while (*n < BATCH_ROWS && bytes < BATCH_BYTES) {
        dl_lake_set_aside q;

        DL_TRY(dl_lake_quarantine_next(&q, walk, err));
        if (q.payload == NULL) {
            return DL_OK;
        }
        DL_TRY(dlc_letters_add(wh, l->ds->topic, &q, err));
        *next = q.next;
        bytes += q.len;
        ++*n;
    }
    return DL_OK;
}

/* The same with the position, all of it or nothing. */
static dl_status store_batch(int *n, dl_wh *wh, listed *l,
                             dl_lake_quarantine_walk *walk, dl_error *err)
{
    dl_lake_quarantine_place next = l->position.place;
    dl_status status;

    DL_TRY(dl_wh_begin(wh, err));
    status = store(n, &next, wh, l, walk, err);
    if (status == DL_OK && *n > 0) {
        status = dlc_letters_position_move(wh, &l->position, &next, err);
    }
    if (status != DL_OK || *n == 0) {
        dl_wh_rollback(wh);
        return status;
    }
    l->read = false; /* until it is known that it is so */
    DL_TRY(dl_wh_commit(wh, err));
    l->position.place = next;
    l->position.known = l->read = true;
    return DL_OK;
}

/* List what is new in L; *MORE: there is more than that. */
static dl_status list_new(bool *more, letters *all, listed *l, dl_wh *wh,
                          dl_error *err, apr_pool_t *pool)
{
    dl_lake_quarantine_walk *walk;
    dl_lake_snapshot *snap;
    dl_status status;
    int n = 1;

    *more = false;
    status = dl_lake_snapshot_open(&snap, all->lake, l->ds->name, err, pool);
    if (status == DL_NOT_FOUND || status == DL_UNAVAILABLE) {
        return DL_OK; /* it has no record yet, or is being recovered */
    }
    DL_TRY(status);
    if (!l->read) {
        DL_TRY(dlc_letters_position_read(&l->position, wh, err));
        l->read = true;
    }
    DL_TRY(dl_lake_quarantine_open(&walk, snap, &l->position.place, err, pool));
    for (int i = 0; i < BATCHES && n > 0; i++) {
        DL_TRY(store_batch(&n, wh, l, walk, err));
    }
    *more = n > 0;
    return DL_OK;
}

/* Whether STATUS says that the quarantine itself cannot be listed. */
static bool is_damage(dl_status status)
{
    return status == DL_CORRUPT || status == DL_IO || status == DL_NOT_FOUND ||
           status == DL_INVALID;
}

/* What STATUS of L means to the turn: one that ends it, or DL_OK. */
static dl_status judge(listed *l, dl_status status, const dl_error *err)
{
    bool broken = is_damage(status);

    if (status != DL_OK) {
        l->read = false; /* another program lists, too; or nobody knows */
    }
    if (broken && !l->broken) {
        dl_log(DL_LOG_ERROR, "DL0860 %s: quarantine is not listed: %s",
               l->ds->name, err->text);
    }
    else if (status == DL_OK && l->broken) {
        dl_log(DL_LOG_NOTICE, "DL0861 %s: quarantine is listed again",
               l->ds->name);
    }
    if (broken || status == DL_OK) {
        l->broken = broken;
        return DL_OK;
    }
    return status == DL_CONFLICT || status == DL_RETRY ? DL_OK : status;
}

/* --- Numbers -------------------------------------------------------------- */

static void take_count(void *context, const char *topic, int64_t open)
{
    const letters *all = context;

    for (int i = 0; i < all->n; i++) {
        if (strcmp(all->list[i].ds->topic, topic) == 0) {
            all->list[i].counted = open;
        }
    }
}

static dl_status count(letters *all, dl_wh *wh, dl_error *err)
{
    int64_t now = dl_time_monotonic_us();

    if (now < all->count_us) {
        return DL_OK;
    }
    for (int i = 0; i < all->n; i++) {
        all->list[i].counted = 0;
    }
    DL_TRY(dlc_letters_open(wh, take_count, all, err));
    for (int i = 0; i < all->n; i++) {
        dl_stats_set(all->list[i].open, all->list[i].counted);
    }
    all->count_us = now + COUNT_US;
    return DL_OK;
}

/* --- Turns ---------------------------------------------------------------- */

static dl_status list_all(bool *more, letters *all, dlc_chore *chore,
                          dl_error *err, apr_pool_t *pool)
{
    apr_pool_t *iterpool;
    dl_wh *wh;

    DL_TRY(dlc_link_open(&wh, all->link, err));
    if (all->lake == NULL) {
        DL_TRY(dl_lake_open(&all->lake, all->cfg->lake.path, err, all->pool));
    }
    apr_pool_create(&iterpool, pool);
    for (int i = 0; i < all->n && !dlc_chore_stopping(chore); i++) {
        bool rest = false;

        apr_pool_clear(iterpool);
        DL_TRY(judge(&all->list[i],
                     list_new(&rest, all, &all->list[i], wh, err, iterpool),
                     err));
        *more = *more || rest;
    }
    apr_pool_destroy(iterpool);
    dl_lake_tidy(all->lake);
    return count(all, wh, err);
}

/* Find out about dead letters in doubt; the broker may be away for long. */
static void look_for_doubts(letters *all, apr_pool_t *pool)
{
    dl_error err = {.status = DL_OK};
    dl_status status;
    bool away;
    dl_wh *wh;

    status = dlc_link_open(&wh, all->link, &err);
    if (status == DL_OK) {
        status = dlc_letters_doubt(wh, all->cfg, &err, pool);
    }
    away = status != DL_OK && status != DL_RETRY;
    if (away && !all->doubt_away) {
        dl_log(DL_LOG_WARNING, "DL0866 dead letters in doubt stay so: %s",
               err.text);
    }
    all->doubt_away = away;
}

static int64_t turn(void *context, dlc_chore *chore, apr_pool_t *scratch_pool)
{
    letters *all = context;
    dl_error err = {.status = DL_OK};
    bool more = false;
    dl_status status = list_all(&more, all, chore, &err, scratch_pool);
    bool away = status != DL_OK && status != DL_RETRY;

    if (away) {
        dlc_link_close(all->link);
    }
    if (away != all->away) {
        dl_log(away ? DL_LOG_ERROR : DL_LOG_NOTICE, "DL0862 dead letters: %s",
               away ? err.text : "they are listed again");
    }
    all->away = away;
    if (away) {
        return AWAY_US;
    }
    look_for_doubts(all, scratch_pool);
    return more ? 0 : LOOK_US;
}

dl_status dlc_letters_create(const dl_config *cfg, dl_stats *stats,
                             dl_error *err, apr_pool_t *pool)
{
    letters *all = apr_pcalloc(pool, sizeof *all);
    dl_dataset_set *set;
    dlc_chore *chore;

    all->cfg = cfg;
    apr_pool_create(&all->pool, pool);
    DL_TRY(dl_dataset_load_all(&set, cfg, err, pool));
    DL_TRY(dlc_link_create(&all->link, cfg, err, pool));
    all->n = set->n;
    all->list = apr_pcalloc(pool, (size_t)set->n * sizeof *all->list);
    for (int i = 0; i < set->n; i++) {
        all->list[i].ds = set->datasets[i];
        all->list[i].position.dataset = set->datasets[i]->name;
        all->list[i].open = dl_stats_slot(
            stats, DL_STATS_GAUGE, "datalake_dead_letters_open",
            apr_psprintf(pool, "topic=\"%s\"", set->datasets[i]->topic));
    }
    return dlc_chore_create(&chore, turn, all, LOOK_US, err, pool);
}
