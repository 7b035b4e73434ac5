/* dlc_repush.c - The job "repush-all": window by window.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_repush.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_dataset.h"
#include "dl_log.h"
#include "dl_replay.h"
#include "dl_repush.h"
#include "dlc_producer.h"
#include "dlc_repush_ledger.h"
#include "dlc_repush_window.h"
#include "dlc_topic_scan.h"

/* What an attempt that died has sent last is in the topic after this time. */
#define SETTLE_US INT64_C(500000)

/* The clocks of those who worked on a job differ by less. */
#define CLOCKS_US INT64_C(60000000)

/* A record without the broker's word after this time: an outage. */
#define REPORT_MS 20000

/* How long a job has to be ours behind the sending of a record. */
#define HOLD_US (INT64_C(1000) * REPORT_MS + INT64_C(1000000))

/* Between two looks at whether the job ends, while waiting. */
#define LOOK_US INT64_C(50000)

/* A sender that is so far behind its rate does not make up for it. */
#define BEHIND_US INT64_C(1000000)

/* Where a record lies in the lake: day and line. */
#define POSITION_HEADER "repush-position"
#define POSITION_TEXT   40

/* One attempt. */
typedef struct repush {
    dlc_work *work;            /* the job */
    dl_repush asked;           /* what it is to do */
    const dl_dataset *ds;      /* whose records */
    dlc_repush_source source;  /* the pinned lake */
    dlc_repush_ledger ledger;  /* how far it is */
    dlc_repush_window *window; /* in hand */
    dl_replay *replay;         /* makes records */
    dlc_producer *producer;    /* sends them; NULL in a dry run */
    int64_t began_us;          /* monotonic: the rate counts from here */
    int64_t paced;             /* records since then */
    int64_t sent;              /* of the window, confirmed */
    int64_t failed;            /* of the window, refused for good */
    bool away;                 /* the broker has not answered */
    bool left;                 /* not all of the window was sent */
    apr_pool_t *pool;          /* of a step: cleared again and again */
} repush;

/* --- Sending ---------------------------------------------------------------- */

static void delivered(void *context, const dlc_delivery *delivery)
{
    repush *r = context;

    if (delivery->status == DL_OK) {
        r->sent++;
    }
    else if (delivery->status == DL_INVALID) {
        r->failed++;
        dl_log(DL_LOG_WARNING,
               "DL0870 repush %s: the broker refuses line %" PRIu64,
               dlc_work_claim(r->work)->id, delivery->tag);
    }
    else {
        r->away = true;
    }
}

/* Wait until the next record is due; serve reports meanwhile. */
static void keep_rate(repush *r)
{
    int64_t due;

    if (r->asked.rate == 0) {
        return;
    }
    due = r->began_us + r->paced * INT64_C(1000000) / r->asked.rate;
    while (!r->away && !dlc_work_ends(r->work)) {
        int64_t left = due - dl_time_monotonic_us();

        if (left < -BEHIND_US) {
            r->began_us -= left;
        }
        if (left <= 0) {
            return;
        }
        dlc_producer_poll(r->producer,
                          (int)((left < LOOK_US ? left : LOOK_US) / 1000));
        if (left < 1000) {
            return;
        }
    }
}

/* Wait until a record that is sent now is stored or given up before anybody
 * else can take the job: who was stopped in between must not send what its
 * successor has found unsent. */
static void await_hold(repush *r)
{
    while (!dlc_work_holds(r->work, HOLD_US) && !dlc_work_ends(r->work)) {
        dlc_producer_poll(r->producer, (int)(LOOK_US / 1000));
    }
}

static dl_status send_entry(repush *r, const dlc_repush_entry *entry,
                            dl_error *err)
{
    char position[POSITION_TEXT];
    const dlc_producer_header headers[] = {
        {DL_REPLAY_ORIGIN_HEADER, DL_REPLAY_ORIGIN, strlen(DL_REPLAY_ORIGIN)},
        {DL_REPLAY_ID_HEADER, r->asked.replay_id, strlen(r->asked.replay_id)},
        {POSITION_HEADER, position,
         (size_t)snprintf(position, sizeof position, "%" PRId32 " %" PRIu64,
                          entry->day, entry->line)}};
    dlc_producer_record record = {.topic = r->ds->topic,
                                  .n_headers = 3,
                                  .headers = headers,
                                  .tag = entry->line};
    dl_replay_record made;

    DL_TRY(dl_replay_line(&made, r->replay, r->window->text + entry->at,
                          entry->len, dl_time_now(), err));
    record.key = made.key;
    record.key_len = made.key_len;
    record.value = made.value->data;
    record.len = made.value->len;
    return dlc_producer_send(r->producer, &record, err);
}

/* Send ENTRY; what is refused for good is counted. */
static dl_status try_entry(repush *r, const dlc_repush_entry *entry,
                           dl_error *err)
{
    dl_status status = send_entry(r, entry, err);

    if (status != DL_INVALID && status != DL_LIMIT && status != DL_CORRUPT) {
        return status;
    }
    r->failed++;
    dl_log(DL_LOG_WARNING, "DL0873 repush %s: line %" PRIu64 ": %s",
           dlc_work_claim(r->work)->id, entry->line, err->text);
    return DL_OK;
}

/* Wait for every report of what was sent. */
static dl_status await_reports(repush *r, dl_error *err)
{
    DL_TRY(dlc_producer_flush(r->producer, REPORT_MS * 2, err));
    return r->away ? dl_fail(err, DL_UNAVAILABLE, 0,
                             "the broker has not confirmed all records")
                   : DL_OK;
}

/* Send what of the window was not sent yet. */
static dl_status send_window(repush *r, dl_error *err)
{
    size_t i;

    dlc_repush_window_sort(r->window);
    for (i = 0; i < r->window->n && !r->away && !dlc_work_ends(r->work); i++) {
        if (r->window->entries[i].sent) {
            continue;
        }
        keep_rate(r);
        await_hold(r);
        if (dlc_work_ends(r->work)) {
            break;
        }
        r->paced++;
        DL_TRY(try_entry(r, &r->window->entries[i], err));
        dlc_producer_poll(r->producer, 0);
    }
    return await_reports(r, err);
}

/* --- What a former attempt has sent ------------------------------------------ */

/* Whether the header NAME of MESSAGE is TEXT. */
static bool has(const dlc_topic_message *message, const char *name,
                const char *text)
{
    size_t len;
    const char *value = dlc_topic_header(&len, message, name);

    return value != NULL && len == strlen(text) &&
           memcmp(value, text, len) == 0;
}

/* Mark what MESSAGE is in the window. */
static dl_status mark_sent(void *context, const dlc_topic_message *message,
                           dl_error *err)
{
    repush *r = context;
    char text[POSITION_TEXT] = "";
    dlc_repush_entry *entry;
    const char *value;
    char *end;
    dl_day day;
    size_t len;

    (void)err;
    if (!has(message, DL_REPLAY_ID_HEADER, r->asked.replay_id)) {
        return DL_OK;
    }
    value = dlc_topic_header(&len, message, POSITION_HEADER);
    if (value == NULL || len >= sizeof text) {
        return DL_OK;
    }
    memcpy(text, value, len);
    day = (dl_day)apr_strtoi64(text, &end, 10);
    entry = dlc_repush_window_find(r->window, day,
                                   (uint64_t)apr_strtoi64(end, NULL, 10));
    if (entry != NULL && !entry->sent) {
        entry->sent = true;
        r->sent++;
    }
    return DL_OK;
}

/* Find out what a former attempt has sent of the window. */
static dl_status find_sent(repush *r, dl_error *err)
{
    const dlc_topic_range range = {.topic = r->ds->topic,
                                   .from = r->ledger.since - CLOCKS_US};

    apr_sleep(SETTLE_US);
    apr_pool_clear(r->pool);
    DL_TRY(dlc_topic_scan(dlc_work_config(r->work), &range, mark_sent, r, err,
                          r->pool));
    dl_log(DL_LOG_NOTICE,
           "DL0871 repush %s: attempt %lld finds %lld of %zu records sent",
           dlc_work_claim(r->work)->id,
           (long long)dlc_work_claim(r->work)->attempt, (long long)r->sent,
           r->window->n);
    return DL_OK;
}

/* --- Windows ------------------------------------------------------------------ */

/* Load the window between the moments of the ledger. */
static dl_status load_window(repush *r, dl_error *err)
{
    r->sent = 0;
    r->failed = 0;
    r->window->behind = r->ledger.behind;
    r->window->to = r->ledger.to;
    return dlc_repush_window_load(r->window, &r->source, err, r->pool);
}

/* Add the window to the ledger.  One of which not all was sent, since the job
 * is to end, stays in hand; what is left of it has matched, but is not done. */
static void count_window(repush *r)
{
    int64_t rest = (int64_t)r->window->n - r->sent - r->failed;

    r->left = r->producer != NULL && rest > 0;
    r->ledger.matched += rest;
    r->ledger.sent += r->sent;
    r->ledger.failed += r->failed;
    r->ledger.replays += (int64_t)r->window->replays;
    r->ledger.lines += (int64_t)r->window->lines - (r->left ? rest : 0);
    if (!r->left) {
        r->ledger.behind = r->ledger.to;
    }
    dlc_work_tell(r->work, r->ledger.lines, r->ledger.total);
}

/* Take up the window in the ledger, which a former attempt had in hand. */
static dl_status resume_window(repush *r, dl_error *err)
{
    if (r->ledger.to == r->ledger.behind) {
        return DL_OK;
    }
    DL_TRY(load_window(r, err));
    if (r->producer != NULL) {
        DL_TRY(find_sent(r, err));
        DL_TRY(send_window(r, err));
    }
    count_window(r);
    return DL_OK;
}

/* Do the next window, STEP long or as long as it can be. */
static dl_status do_window(repush *r, int64_t *step, dl_error *err)
{
    r->window->behind = r->ledger.behind;
    DL_TRY(dlc_repush_window_size(r->window, step, &r->source, err, r->pool));
    r->ledger.to = r->window->to;
    DL_TRY(load_window(r, err));
    if (r->window->n > 0 && r->producer != NULL) {
        r->ledger.since = dl_time_now();
        DL_TRY(dlc_repush_ledger_keep(&r->ledger, r->work, err));
        DL_TRY(send_window(r, err));
    }
    count_window(r);
    return DL_OK;
}

static dl_status do_windows(repush *r, dl_error *err)
{
    int64_t step = r->ledger.as_of - r->ledger.behind;

    DL_TRY(resume_window(r, err));
    while (!r->left && r->ledger.behind < r->ledger.as_of &&
           !dlc_work_ends(r->work)) {
        DL_TRY(do_window(r, &step, err));
    }
    return DL_OK;
}

/* --- An attempt ----------------------------------------------------------------
 */

/* Pin the lake, if no former attempt did. */
static dl_status pin(repush *r, dl_error *err)
{
    dl_lake_snapshot *snap;
    const dl_lake_totals *totals;

    if (r->ledger.as_of == 0) {
        DL_TRY(dl_lake_snapshot_open(&snap, r->source.lake, r->source.dataset,
                                     err, r->pool));
        totals = dl_lake_snapshot_totals(snap);
        r->ledger.as_of = totals->last_commit == DL_TIME_NONE
                              ? dl_time_now()
                              : totals->last_commit;
    }
    r->source.as_of = r->ledger.as_of;
    if (r->ledger.total == 0) {
        DL_TRY(dlc_repush_lines(&r->ledger.total, &r->source, err, r->pool));
        DL_TRY(dlc_repush_ledger_keep(&r->ledger, r->work, err));
    }
    return DL_OK;
}

static dl_status open_source(repush *r, dl_error *err, apr_pool_t *pool)
{
    const dl_config *cfg = dlc_work_config(r->work);
    dl_dataset_set *set;
    dl_repush_fault fault;

    DL_TRY(dl_dataset_load_all(&set, cfg, err, pool));
    r->ds = dl_dataset_find(set, DL_REPUSH_DATASET);
    if (r->ds == NULL) {
        return dl_fail(err, DL_NOT_FOUND, 0,
                       "there is no dataset " DL_REPUSH_DATASET);
    }
    if (dl_repush_query(&r->source.query, &r->asked, r->ds, &fault, pool) !=
        DL_OK) {
        return dl_fail(err, DL_INVALID, 0, "the filter: %s",
                       fault.fault.detail);
    }
    r->source.dataset = r->ds->name;
    r->source.count_only = r->asked.dry_run;
    return dl_lake_open(&r->source.lake, cfg->lake.path, err, pool);
}

static dl_status open_producer(repush *r, dl_error *err, apr_pool_t *pool)
{
    const dlc_producer_options options = {.client = "datalake-jobs-repush",
                                          .delivered = delivered,
                                          .context = r,
                                          .stats = dlc_work_stats(r->work),
                                          .timeout_ms = REPORT_MS};

    if (r->asked.dry_run) {
        return DL_OK;
    }
    return dlc_producer_create(&r->producer, dlc_work_config(r->work), &options,
                               err, pool);
}

/* Judge what came of R, which ended with STATUS. */
static dl_status conclude(repush *r, dlc_work_outcome *outcome,
                          dl_status status, dl_error *err)
{
    bool over = r->ledger.behind >= r->ledger.as_of;

    if (status == DL_UNAVAILABLE || status == DL_RETRY) {
        dl_log(DL_LOG_WARNING, "DL0872 repush %s waits: %s",
               dlc_work_claim(r->work)->id, err->text);
        apr_sleep(SETTLE_US * 2);
        return status;
    }
    dlc_repush_ledger_result(outcome, &r->ledger);
    if (status == DL_OK && over) {
        outcome->finished = true;
        snprintf(outcome->detail, sizeof outcome->detail,
                 "%" PRId64 " records were sent", r->ledger.sent);
    }
    return status;
}

dl_status dlc_repush_run(dlc_work *work, dlc_work_outcome *outcome,
                         dl_error *err, apr_pool_t *scratch_pool)
{
    repush *r = apr_pcalloc(scratch_pool, sizeof *r);
    dl_status status;

    r->work = work;
    apr_pool_create(&r->pool, scratch_pool);
    DL_TRY(dl_repush_read(&r->asked, dlc_work_claim(work)->parameters, err,
                          scratch_pool));
    DL_TRY(dlc_repush_ledger_load(&r->ledger, work, err, scratch_pool));
    DL_TRY(open_source(r, err, scratch_pool));
    r->window = dlc_repush_window_create(scratch_pool);
    r->replay = dl_replay_create(r->ds, scratch_pool);
    r->began_us = dl_time_monotonic_us();
    status = open_producer(r, err, scratch_pool);
    if (status == DL_OK) {
        status = pin(r, err);
    }
    if (status == DL_NOT_FOUND) {
        status = DL_OK; /* nothing was ever stored */
    }
    else if (status == DL_OK) {
        status = do_windows(r, err);
    }
    return conclude(r, outcome, status, err);
}
