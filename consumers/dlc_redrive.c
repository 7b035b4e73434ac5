/* dlc_redrive.c - Take, read, send, mark; wait for what is in doubt.
 *
 * What a later attempt has to know, the job's state, {"last":N,"total":N,
 * "discarded":N}: the largest id it is about, how many were open at its
 * beginning, and how many of those that it could be about were discarded then.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_redrive.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <apr_strings.h>

#include "dl_dataset.h"
#include "dl_json_values.h"
#include "dl_lake_message.h"
#include "dl_log.h"
#include "dlc_producer.h"
#include "dlc_redrive_pick.h"

/* A message without the broker's word is given up after so long, which is well
 * before others look for it (DL_LETTER_DOUBT_US). */
#define SEND_MS 15000

/* How long after it was taken a message can be sent: who is stopped in between
 * must not send what others have found unsent. */
#define SENDABLE_US (DL_LETTER_DOUBT_US - INT64_C(1000) * (SEND_MS + 1000))

/* Between two looks at what is in doubt. */
#define PAUSE_NS 300000000

/* One run. */
typedef struct redriving {
    dlc_work *work;            /* its job */
    dlc_redrive_wish wish;     /* what it is about */
    int64_t total;             /* open ones at its beginning */
    int64_t discarded;         /* discarded ones then */
    int64_t sent;              /* by this attempt */
    int64_t failed;            /* in this pass, for good */
    int64_t taken_us;          /* monotonic: the batch is ours from here */
    dl_dataset_set *set;       /* topics and their datasets */
    dl_lake *lake;             /* where the whole of them is */
    dlc_producer *producer;    /* to the broker */
    apr_array_header_t *batch; /* dlc_redrive_letter, in hand */
} redriving;

/* --- Beginning ------------------------------------------------------------ */

/* Set *NUMBER to member NAME of ALL. */
static bool read_number(int64_t *number, const dl_json_values *all,
                        const char *name)
{
    uint32_t at = dl_json_values_member(all, 0, name);

    if (at == 0 || all->values[at].kind != DL_JSON_NUMBER) {
        return false;
    }
    *number = apr_atoi64(all->values[at].text);
    return true;
}

/* Set what a former attempt has found out; false: there was none. */
static bool resume(redriving *d, apr_pool_t *pool)
{
    const char *text = dlc_work_claim(d->work)->state_text;
    dl_json_values all;

    return text != NULL &&
           dl_json_values_read(&all, text, strlen(text), pool) ==
               DL_JSON_FINE &&
           read_number(&d->wish.last, &all, "last") &&
           read_number(&d->total, &all, "total") &&
           read_number(&d->discarded, &all, "discarded");
}

/* Find out what D is about and keep it for later attempts. */
static dl_status begin(redriving *d, dl_wh *wh, dl_error *err, apr_pool_t *pool)
{
    const dl_job_claim *claim = dlc_work_claim(d->work);
    dl_job_progress progress = {.done = 0};
    dlc_redrive_left left;
    bool cancelled;

    DL_TRY(dlc_redrive_wish_parse(&d->wish, claim->parameters, err, pool));
    if (resume(d, pool)) {
        return DL_OK;
    }
    DL_TRY(dlc_redrive_last(&d->wish.last, wh, err));
    DL_TRY(dlc_redrive_count(&left, wh, &d->wish, err));
    d->total = left.open;
    d->discarded = left.discarded;
    progress.total = d->total;
    progress.state_text =
        apr_psprintf(pool,
                     "{\"last\":%" PRId64 ",\"total\":%" PRId64
                     ",\"discarded\":%" PRId64 "}",
                     d->wish.last, d->total, d->discarded);
    dlc_work_tell(d->work, 0, d->total);
    return dl_job_tell(&cancelled, wh, claim, &progress, dl_time_now(), err);
}

/* --- A batch -------------------------------------------------------------- */

static dlc_redrive_letter *letter_at(const redriving *d, int i)
{
    return &APR_ARRAY_IDX(d->batch, i, dlc_redrive_letter);
}

/* Receives the broker's word. */
static void delivered(void *context, const dlc_delivery *delivery)
{
    redriving *d = context;
    dlc_redrive_letter *l = letter_at(d, (int)delivery->tag);

    l->status = delivery->status;
    l->maybe = delivery->maybe;
}

/* Run CHANGE for the batch in one transaction. */
static dl_status in_transaction(redriving *d, dl_wh *wh,
                                dl_status (*change)(redriving *d, dl_wh *wh,
                                                    dl_error *err),
                                dl_error *err)
{
    dl_status status;

    DL_TRY(dl_wh_begin(wh, err));
    status = change(d, wh, err);
    if (status == DL_OK) {
        return dl_wh_commit(wh, err);
    }
    dl_wh_rollback(wh);
    return status;
}

/* Take the batch; one that another was faster with leaves it. */
static dl_status take_all(redriving *d, dl_wh *wh, dl_error *err)
{
    dl_time now = dl_time_now();
    int n = 0;

    for (int i = 0; i < d->batch->nelts; i++) {
        dl_status status =
            dl_letter_take(wh, &letter_at(d, i)->attempt, now, err);

        if (status != DL_OK && status != DL_CONFLICT) {
            return status;
        }
        if (status == DL_OK) {
            *letter_at(d, n++) = *letter_at(d, i);
        }
    }
    d->batch->nelts = n;
    return DL_OK;
}

/* Mark the batch by what became of it; what is in doubt stays taken. */
static dl_status mark_all(redriving *d, dl_wh *wh, dl_error *err)
{
    for (int i = 0; i < d->batch->nelts; i++) {
        const dlc_redrive_letter *l = letter_at(d, i);

        if (l->status == DL_OK) {
            DL_TRY(dl_letter_sent(wh, &l->attempt, err));
        }
        else if (!l->maybe) {
            DL_TRY(dl_letter_back(wh, &l->attempt, err));
        }
    }
    return DL_OK;
}

/* Read all of letter I and send it. */
static dl_status send_one(redriving *d, int i, dl_error *err, apr_pool_t *pool)
{
    dlc_redrive_letter *l = letter_at(d, i);
    const dl_dataset *ds = dl_dataset_find_topic(d->set, l->topic);
    dlc_producer_header headers[] = {{DL_LETTER_ORIGIN_HEADER, DL_LETTER_ORIGIN,
                                      sizeof DL_LETTER_ORIGIN - 1},
                                     {DL_LETTER_REPLAY_HEADER,
                                      l->attempt.replay_id,
                                      strlen(l->attempt.replay_id)}};
    dlc_producer_record record = {.topic = l->topic,
                                  .n_headers = 2,
                                  .headers = headers,
                                  .tag = (uint64_t)i};
    dl_lake_message message;
    dl_lake_snapshot *snap;

    if (ds == NULL) {
        return dl_fail(err, DL_NOT_FOUND, 0, "topic %s is no dataset",
                       l->topic);
    }
    DL_TRY(dl_lake_snapshot_open(&snap, d->lake, ds->name, err, pool));
    DL_TRY(
        dl_lake_message_find(&message, snap, &l->place, &l->coord, err, pool));
    record.key = message.key;
    record.key_len = message.key_len;
    record.value = message.value;
    record.len = message.len;
    if (dl_time_monotonic_us() - d->taken_us > SENDABLE_US) {
        return dl_fail(err, DL_UNAVAILABLE, 0,
                       "it was in hand for too long: others may look for it");
    }
    l->maybe = true; /* until the broker's word */
    return dlc_producer_send(d->producer, &record, err);
}

/* Send the batch and wait for the broker's word about each. */
static void send_all(redriving *d, apr_pool_t *pool)
{
    apr_pool_t *iterpool;
    dl_error err;

    apr_pool_create(&iterpool, pool);
    for (int i = 0; i < d->batch->nelts; i++) {
        dlc_redrive_letter *l = letter_at(d, i);
        dl_status status;

        apr_pool_clear(iterpool);
        status = send_one(d, i, &err, iterpool);
        if (status != DL_OK) {
            l->status = status;
            l->maybe = false; /* then there is no word of it */
            dl_log(DL_LOG_WARNING, "DL0863 dead letter %lld is not sent: %s",
                   (long long)l->attempt.id, err.text);
        }
    }
    apr_pool_destroy(iterpool);
    if (dlc_producer_flush(d->producer, 2 * SEND_MS, &err) != DL_OK) {
        dl_log(DL_LOG_WARNING, "DL0864 redrive: %s", err.text);
    }
}

/* Count the batch; DL_UNAVAILABLE: the broker was not there for some. */
static dl_status judge_all(redriving *d, dl_error *err)
{
    dl_status status = DL_OK;

    for (int i = 0; i < d->batch->nelts; i++) {
        dl_status one = letter_at(d, i)->status;

        d->sent += one == DL_OK;
        d->failed += one != DL_OK && one != DL_UNAVAILABLE;
        if (one == DL_UNAVAILABLE) {
            status = one;
        }
    }
    dlc_work_tell(d->work, d->sent, d->total);
    return status == DL_OK
               ? DL_OK
               : dl_fail(err, status, 0, "the broker does not answer");
}

/* Send what is next behind *AFTER, and move that; *MORE: there was some. */
static dl_status send_batch(bool *more, int64_t *after, redriving *d,
                            dl_error *err, apr_pool_t *pool)
{
    dl_wh *wh;

    DL_TRY(dlc_work_wh(&wh, d->work, err));
    DL_TRY(dlc_redrive_next(&d->batch, wh, &d->wish, *after, err, pool));
    *more = d->batch->nelts > 0;
    if (!*more) {
        return DL_OK;
    }
    *after = letter_at(d, d->batch->nelts - 1)->attempt.id;
    d->taken_us = dl_time_monotonic_us();
    DL_TRY(in_transaction(d, wh, take_all, err));
    send_all(d, pool);
    DL_TRY(in_transaction(d, wh, mark_all, err));
    return judge_all(d, err);
}

/* --- All ------------------------------------------------------------------ */

/* Send all that nobody has, from the first on. */
static dl_status pass(redriving *d, dl_error *err, apr_pool_t *pool)
{
    apr_pool_t *iterpool;
    int64_t after = -1;
    bool more = true;

    d->failed = 0;
    apr_pool_create(&iterpool, pool);
    while (more && !dlc_work_ends(d->work)) {
        apr_pool_clear(iterpool);
        DL_TRY(send_batch(&more, &after, d, err, iterpool));
    }
    apr_pool_destroy(iterpool);
    return DL_OK;
}

/* Wait until nothing of D is in anybody's hands; *AGAIN: more is open than
 * could not be sent. */
static dl_status await_doubts(bool *again, dlc_redrive_left *left, redriving *d,
                              dl_error *err)
{
    const struct timespec pause = {0, PAUSE_NS};
    dl_wh *wh;

    for (;;) {
        DL_TRY(dlc_work_wh(&wh, d->work, err));
        DL_TRY(dlc_redrive_count(left, wh, &d->wish, err));
        *again = left->open > d->failed;
        if (left->taken == 0 || dlc_work_ends(d->work)) {
            return DL_OK;
        }
        (void)nanosleep(&pause, NULL);
    }
}

static dl_status open_all(redriving *d, dl_error *err, apr_pool_t *pool)
{
    const dl_config *cfg = dlc_work_config(d->work);
    const dlc_producer_options options = {.client = "datalake-redrive",
                                          .delivered = delivered,
                                          .context = d,
                                          .stats = dlc_work_stats(d->work),
                                          .timeout_ms = SEND_MS};

    DL_TRY(dl_dataset_load_all(&d->set, cfg, err, pool));
    DL_TRY(dl_lake_open(&d->lake, cfg->lake.path, err, pool));
    return dlc_producer_create(&d->producer, cfg, &options, err, pool);
}

/* Tell what came of D, of which LEFT is left: those that somebody discarded
 * meanwhile were not sent. */
static void conclude(redriving *d, dlc_work_outcome *outcome,
                     const dlc_redrive_left *left)
{
    int64_t discarded = left->discarded - d->discarded;
    int64_t sent = d->total - left->open - discarded;

    dlc_work_tell(d->work, d->total - left->open, d->total);
    outcome->finished = !dlc_work_ends(d->work);
    snprintf(outcome->result, sizeof outcome->result,
             "{\"sent\":%" PRId64 ",\"failed\":%" PRId64 "}", sent,
             outcome->finished ? left->open : d->failed);
    if (outcome->finished) {
        snprintf(outcome->detail, sizeof outcome->detail,
                 "%" PRId64 " of %" PRId64 " dead letters sent again", sent,
                 d->total);
    }
}

dl_status dlc_redrive_run(dlc_work *work, dlc_work_outcome *outcome,
                          dl_error *err, apr_pool_t *scratch_pool)
{
    redriving d = {.work = work};
    dlc_redrive_left left = {0};
    bool again = false;
    dl_wh *wh;

    outcome->code = "redrive-failed";
    DL_TRY(dlc_work_wh(&wh, work, err));
    DL_TRY(begin(&d, wh, err, scratch_pool));
    DL_TRY(open_all(&d, err, scratch_pool));
    do {
        DL_TRY(pass(&d, err, scratch_pool));
        DL_TRY(await_doubts(&again, &left, &d, err));
    } while (again && !dlc_work_ends(work));
    conclude(&d, outcome, &left);
    return DL_OK;
}
