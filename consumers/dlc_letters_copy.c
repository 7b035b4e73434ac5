/* dlc_letters_copy.c - From table dead_letter to the topics dlq.TOPIC.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_letters_copy.h"

#include <inttypes.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>

#include "dl_dataset.h"
#include "dl_lake_message.h"
#include "dl_letter.h"
#include "dl_log.h"
#include "dl_statements.h"
#include "dl_time.h"
#include "dlc_chore.h"
#include "dlc_link.h"
#include "dlc_producer.h"

/* Between two looks; while something is away; and at a topic that is not
 * there. */
#define LOOK_US    INT64_C(1000000)
#define AWAY_US    INT64_C(2000000)
#define MISSING_US INT64_C(5000000)

/* A message without the broker's word is given up after so long. */
#define SEND_MS 15000

/* No larger message is sent whole: the broker's limit, less its headers. */
#define WHOLE_MAX ((size_t)10485760 - 65536)

/* After so many batches of one topic it is another one's turn. */
#define BATCHES 20

/* Headers of a message, at most. */
#define HEADERS 5

/* One dead letter in hand. */
typedef struct letter {
    int64_t id;                     /* its number */
    dl_coord coord;                 /* where it came from */
    dl_lake_quarantine_place place; /* where the lake has it */
    const char *reason;             /* why it is one */
    bool cut;                       /* its first bytes alone are sent */
    dl_status status;               /* the broker's word */
} letter;

/* One dataset. */
typedef struct copied {
    const dl_dataset *ds; /* what */
    const char *topic;    /* where to */
    int64_t again_us;     /* not before, monotonic */
    bool missing;         /* the topic is not there: logged once */
} copied;

/* All. */
typedef struct copies {
    const dl_config *cfg;
    dl_lake *lake;             /* NULL: not opened yet */
    dlc_link *link;            /* the connection */
    dlc_producer *producer;    /* to the broker */
    apr_pool_t *pool;          /* of these: the thread's */
    copied *list;              /* a row for each dataset */
    int n;                     /* how many */
    apr_array_header_t *batch; /* letter, in hand */
    bool away;                 /* something was, at the last turn */
} copies;

/* A message in the making. */
typedef struct making {
    dlc_producer_record record;           /* what is sent */
    dlc_producer_header headers[HEADERS]; /* of it */
    apr_pool_t *pool;                     /* its texts */
} making;

static letter *letter_at(const copies *all, int i)
{
    return &APR_ARRAY_IDX(all->batch, i, letter);
}

/* --- Rows ----------------------------------------------------------------- */

/* Read the next rows of TOPIC that were not sent. */
static dl_status read_batch(copies *all, dl_wh *wh, const char *topic,
                            dl_error *err, apr_pool_t *pool)
{
    bool more = false;
    dl_wh_stmt *st;

    all->batch = apr_array_make(pool, 100, sizeof(letter));
    DL_TRY(dl_wh_prepare(&st, wh, STMT_LETTER_UNCOPIED, err));
    dl_wh_bind_str(st, 0, topic);
    DL_TRY(dl_wh_run(st, err));
    for (;;) {
        letter *l;

        DL_TRY(dl_wh_fetch(&more, st, err));
        if (!more) {
            return DL_OK;
        }
        l = apr_array_push(all->batch);
        memset(l, 0, sizeof *l);
        l->id = dl_wh_int(st, 0);
        l->coord.generation = (int32_t)dl_wh_int(st, 1);
        l->coord.partition = (int32_t)dl_wh_int(st, 2);
        l->coord.offset = dl_wh_int(st, 3);
        l->reason = apr_pstrdup(pool, dl_wh_text(st, 4, NULL));
        l->place.lake = (uint64_t)dl_wh_int(st, 5);
        l->place.number = (uint64_t)dl_wh_int(st, 6);
        l->place.at = (uint64_t)dl_wh_int(st, 7);
        l->status = DL_UNAVAILABLE;
    }
}

static dl_status mark_sent(const copies *all, dl_wh *wh, dl_error *err)
{
    dl_time now = dl_time_now();
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_LETTER_COPIED, err));
    for (int i = 0; i < all->batch->nelts; i++) {
        if (letter_at(all, i)->status == DL_OK) {
            dl_wh_bind_time(st, 0, now);
            dl_wh_bind_int(st, 1, letter_at(all, i)->id);
            DL_TRY(dl_wh_run(st, err));
        }
    }
    return DL_OK;
}

/* The same in one transaction. */
static dl_status mark_batch(const copies *all, dl_wh *wh, dl_error *err)
{
    dl_status status;

    DL_TRY(dl_wh_begin(wh, err));
    status = mark_sent(all, wh, err);
    if (status == DL_OK) {
        return dl_wh_commit(wh, err);
    }
    dl_wh_rollback(wh);
    return status;
}

/* --- A message ------------------------------------------------------------ */

static void add_header(making *m, const char *name, const char *value)
{
    m->headers[m->record.n_headers++] =
        (dlc_producer_header){name, value, strlen(value)};
}

/* Receives the row of a dead letter whose bytes there are all there is. */
static dl_status take_row(void *context, const dl_letter *row, dl_error *err)
{
    making *m = context;

    (void)err;
    if (row->key != NULL) {
        m->record.key = apr_pstrdup(m->pool, row->key);
        m->record.key_len = strlen(row->key);
    }
    m->record.value = apr_pmemdup(m->pool, row->value, row->value_len);
    m->record.len = row->value_len;
    if (row->size != (int64_t)row->value_len) {
        add_header(m, DLC_LETTERS_SIZE,
                   apr_psprintf(m->pool, "%" PRId64, row->size));
    }
    return DL_OK;
}

/* Set key and value of M to the whole of L, from the lake; DL_NOT_FOUND: it is
 * not there, or too large. */
static dl_status take_whole(making *m, copies *all, const copied *c,
                            const letter *l, dl_error *err)
{
    dl_lake_message message;
    dl_lake_snapshot *snap;

    DL_TRY(dl_lake_snapshot_open(&snap, all->lake, c->ds->name, err, m->pool));
    DL_TRY(dl_lake_message_find(&message, snap, &l->place, &l->coord, err,
                                m->pool));
    if (message.len > WHOLE_MAX) {
        return dl_fail(err, DL_NOT_FOUND, 0, "the message is too large");
    }
    m->record.key = message.key;
    m->record.key_len = message.key_len;
    m->record.value = message.value;
    m->record.len = message.len;
    return DL_OK;
}

/* Whether STATUS says that the lake will not give the whole of it later
 * either. */
static bool is_gone(dl_status status)
{
    return status == DL_NOT_FOUND || status == DL_CORRUPT || status == DL_IO ||
           status == DL_INVALID;
}

/* Queue dead letter I of the batch. */
static dl_status send_one(copies *all, dl_wh *wh, const copied *c, int i,
                          dl_error *err, apr_pool_t *pool)
{
    letter *l = letter_at(all, i);
    making m = {.record = {.topic = c->topic, .tag = (uint64_t)i},
                .pool = pool};
    dl_status status;

    m.record.headers = m.headers;
    add_header(&m, DLC_LETTERS_REASON, l->reason);
    add_header(&m, DLC_LETTERS_TOPIC, c->ds->topic);
    add_header(&m, DLC_LETTERS_PARTITION,
               apr_psprintf(pool, "%" PRId32, l->coord.partition));
    add_header(&m, DLC_LETTERS_OFFSET,
               apr_psprintf(pool, "%" PRId64, l->coord.offset));
    status = l->cut ? DL_NOT_FOUND : take_whole(&m, all, c, l, err);
    if (is_gone(status)) {
        l->cut = true;
        status = dl_letter_find(wh, l->id, take_row, &m, err);
    }
    DL_TRY(status);
    return dlc_producer_send(all->producer, &m.record, err);
}

/* Receives the broker's word. */
static void delivered(void *context, const dlc_delivery *delivery)
{
    const copies *all = context;

    letter_at(all, (int)delivery->tag)->status = delivery->status;
}

/* --- A batch -------------------------------------------------------------- */

/* Queue those of the batch that are in STATUS and await the broker's word. */
static dl_status send_those(dl_status which, copies *all, dl_wh *wh,
                            const copied *c, dl_error *err, apr_pool_t *pool)
{
    dl_status status = DL_OK;
    apr_pool_t *iterpool;

    apr_pool_create(&iterpool, pool);
    for (int i = 0; i < all->batch->nelts && status == DL_OK; i++) {
        letter *l = letter_at(all, i);

        apr_pool_clear(iterpool);
        if (l->status == which) {
            l->cut = l->cut || which == DL_INVALID;
            status = send_one(all, wh, c, i, err, iterpool);
            if (status == DL_INVALID && !l->cut) {
                l->status = status; /* next time its first bytes alone */
                status = DL_OK;
            }
        }
    }
    apr_pool_destroy(iterpool);
    DL_TRY(dlc_producer_flush(all->producer, 2 * SEND_MS, err));
    return status;
}

/* Set *WORST to the broker's word that says most about the batch. */
static void judge(dl_status *worst, const copies *all)
{
    *worst = DL_OK;
    for (int i = 0; i < all->batch->nelts; i++) {
        dl_status one = letter_at(all, i)->status;

        if (one != DL_OK && *worst != DL_NOT_FOUND) {
            *worst = one;
        }
    }
}

/* Send the next of C; *N: how many there were. */
static dl_status send_batch(int *n, copies *all, dl_wh *wh, const copied *c,
                            dl_error *err, apr_pool_t *pool)
{
    dl_status worst;
    dl_status status;

    DL_TRY(read_batch(all, wh, c->ds->topic, err, pool));
    *n = all->batch->nelts;
    if (*n == 0) {
        return DL_OK;
    }
    status = send_those(DL_UNAVAILABLE, all, wh, c, err, pool);
    judge(&worst, all);
    if (status == DL_OK && worst == DL_INVALID) {
        status = send_those(DL_INVALID, all, wh, c, err, pool);
        judge(&worst, all);
    }
    DL_TRY(mark_batch(all, wh, err));
    DL_TRY(status);
    return worst == DL_OK ? DL_OK
                          : dl_fail(err, worst, 0,
                                    "topic %s: the broker does not take "
                                    "messages",
                                    c->topic);
}

/* Send what is new of C; *MORE: there is more than that. */
static dl_status send_new(bool *more, copies *all, dl_wh *wh, const copied *c,
                          dl_error *err, apr_pool_t *pool)
{
    apr_pool_t *iterpool;
    dl_status status = DL_OK;
    int n = 1;

    apr_pool_create(&iterpool, pool);
    for (int i = 0; i < BATCHES && n > 0 && status == DL_OK; i++) {
        apr_pool_clear(iterpool);
        status = send_batch(&n, all, wh, c, err, iterpool);
    }
    apr_pool_destroy(iterpool);
    *more = status == DL_OK && n > 0;
    return status;
}

/* What STATUS of C means to the turn: one that ends it, or DL_OK. */
static dl_status judge_topic(copied *c, dl_status status, const dl_error *err)
{
    bool missing = status == DL_NOT_FOUND || status == DL_INVALID;

    if (missing && !c->missing) {
        dl_log(DL_LOG_ERROR, "DL0897 dead letters of %s wait: %s", c->ds->topic,
               err->text);
    }
    else if (status == DL_OK && c->missing) {
        dl_log(DL_LOG_NOTICE, "DL0898 dead letters of %s go to %s again",
               c->ds->topic, c->topic);
    }
    if (missing) {
        c->again_us = dl_time_monotonic_us() + MISSING_US;
    }
    if (missing || status == DL_OK) {
        c->missing = missing;
        return DL_OK;
    }
    return status;
}

/* --- Turns ---------------------------------------------------------------- */

static dl_status send_all(bool *more, copies *all, dl_wh *wh, dlc_chore *chore,
                          dl_error *err, apr_pool_t *pool)
{
    for (int i = 0; i < all->n && !dlc_chore_stopping(chore); i++) {
        copied *c = &all->list[i];
        bool rest = false;

        if (dl_time_monotonic_us() >= c->again_us) {
            DL_TRY(judge_topic(c, send_new(&rest, all, wh, c, err, pool), err));
            *more = *more || rest;
        }
    }
    dl_lake_tidy(all->lake);
    return DL_OK;
}

/* The same, unless another program does it. */
static dl_status send_alone(bool *more, copies *all, dlc_chore *chore,
                            dl_error *err, apr_pool_t *pool)
{
    const char *value;
    dl_status status;
    dl_wh *wh;

    DL_TRY(dlc_link_open(&wh, all->link, err));
    if (all->lake == NULL) {
        DL_TRY(dl_lake_open(&all->lake, all->cfg->lake.path, err, all->pool));
    }
    DL_TRY(dl_wh_ask(&value, wh, STMT_LETTER_COPY_LOCK, err, pool));
    if (value == NULL || strcmp(value, "1") != 0) {
        return DL_OK;
    }
    status = send_all(more, all, wh, chore, err, pool);
    if (status == DL_OK || status == DL_RETRY) {
        DL_TRY(dl_wh_ask(&value, wh, STMT_LETTER_COPY_UNLOCK, err, pool));
    }
    return status;
}

static int64_t turn(void *context, dlc_chore *chore, apr_pool_t *scratch_pool)
{
    copies *all = context;
    dl_error err = {.status = DL_OK};
    bool more = false;
    dl_status status = send_alone(&more, all, chore, &err, scratch_pool);
    bool away = status != DL_OK && status != DL_RETRY;

    if (away) {
        dlc_link_close(all->link); /* which ends the lock, too */
    }
    if (away != all->away) {
        dl_log(away ? DL_LOG_ERROR : DL_LOG_NOTICE,
               "DL0896 topics of dead letters: %s",
               away ? err.text : "they are filled again");
    }
    all->away = away;
    if (away) {
        return AWAY_US;
    }
    return more ? 0 : LOOK_US;
}

dl_status dlc_letters_copy_create(const dl_config *cfg, dl_stats *stats,
                                  dl_error *err, apr_pool_t *pool)
{
    copies *all = apr_pcalloc(pool, sizeof *all);
    const dlc_producer_options options = {.client = "datalake-jobs-letters",
                                          .delivered = delivered,
                                          .context = all,
                                          .stats = stats,
                                          .timeout_ms = SEND_MS};
    dl_dataset_set *set;
    dlc_chore *chore;

    if (!cfg->kafka.dead_letter_topics) {
        return DL_OK;
    }
    all->cfg = cfg;
    apr_pool_create(&all->pool, pool);
    DL_TRY(dl_dataset_load_all(&set, cfg, err, pool));
    DL_TRY(dlc_link_create(&all->link, cfg, err, pool));
    DL_TRY(dlc_producer_create(&all->producer, cfg, &options, err, all->pool));
    all->n = set->n;
    all->list = apr_pcalloc(pool, (size_t)set->n * sizeof *all->list);
    for (int i = 0; i < set->n; i++) {
        all->list[i].ds = set->datasets[i];
        all->list[i].topic = apr_pstrcat(pool, DLC_LETTERS_PREFIX,
                                         set->datasets[i]->topic, NULL);
    }
    return dlc_chore_create(&chore, turn, all, LOOK_US, err, pool);
}
