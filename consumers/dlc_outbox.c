/* dlc_outbox.c - Read, send, wait, note.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_outbox.h"

#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_json_values.h"
#include "dl_log.h"
#include "dl_outbox.h"
#include "dl_time.h"
#include "dl_token.h"
#include "dlc_chore.h"
#include "dlc_link.h"
#include "dlc_producer.h"

/* Bytes of one turn; one event may have as many. */
#define BATCH_BYTES ((size_t)8 << 20)

/* Between turns, in microseconds: while all is well, so that events share
 * commits; while something is away; while another program sends. */
#define LOOK_US  INT64_C(200000)
#define AWAY_US  INT64_C(1000000)
#define OTHER_US INT64_C(500000)

/* The lease is so long and is taken anew so often. */
#define LEASE_US INT64_C(4000000)
#define RENEW_US INT64_C(1000000)

/* Old events are removed so often. */
#define TIDY_US INT64_C(60000000)

/* Topics that one producer has confirmed a record of. */
#define TOPICS 64

/* What became of an event. */
typedef enum fate {
    WAITS, /* no report yet */
    SENT,  /* the broker has it */
    FAILED /* it has not, or nobody knows */
} fate;

/* One event of a turn; texts in the pool of the turn. */
typedef struct item {
    dl_outbox_event event;  /* it */
    const char *kind;       /* header dl-event */
    const char *request_id; /* header dl-request-id */
    fate fate;              /* what became of it */
} item;

typedef struct relay {
    const dl_config *cfg;        /* settings */
    dl_stats *stats;             /* numbers of the producer */
    dlc_link *link;              /* to the warehouse */
    apr_pool_t *parent;          /* of POOL */
    apr_pool_t *pool;            /* of the producer, NULL: there is none */
    dlc_producer *producer;      /* likewise */
    char owner[64];              /* our name in the lease */
    int64_t lease_us;            /* when it is due, monotonic */
    bool mine;                   /* we hold it */
    int64_t tidy_us;             /* when old events are removed, monotonic */
    bool away;                   /* it was said that events wait */
    const char *topics[TOPICS];  /* that PRODUCER sent to, in POOL */
    int n_topics;                /* how many */
    item items[DL_OUTBOX_BATCH]; /* of this turn */
    int n;                       /* how many */
    size_t bytes;                /* of their texts */
    bool full;                   /* what comes next waits for the next turn */
    apr_pool_t *scratch;         /* of the turn */
} relay;

/* --- The producer --------------------------------------------------------- */

static void delivered(void *context, const dlc_delivery *delivery)
{
    relay *r = context;

    if (delivery->tag < (uint64_t)r->n) {
        r->items[delivery->tag].fate =
            delivery->status == DL_OK ? SENT : FAILED;
    }
}

static void drop_producer(relay *r)
{
    r->n = 0; /* reports that still come are of no turn */
    if (r->pool != NULL) {
        apr_pool_destroy(r->pool);
    }
    r->pool = NULL;
    r->producer = NULL;
    r->n_topics = 0;
}

static dl_status need_producer(relay *r, dl_error *err)
{
    const dlc_producer_options options = {.client = "datalake-jobs-outbox",
                                          .delivered = delivered,
                                          .context = r,
                                          .stats = r->stats,
                                          .ordered = true};

    if (r->producer != NULL) {
        return DL_OK;
    }
    apr_pool_create(&r->pool, r->parent);
    return dlc_producer_create(&r->producer, r->cfg, &options, err, r->pool);
}

static bool is_known(const relay *r, const char *topic)
{
    int i = 0;

    while (i < r->n_topics && strcmp(r->topics[i], topic) != 0) {
        i++;
    }
    return i < r->n_topics;
}

/* --- Reading -------------------------------------------------------------- */

/* The text of member NAME of the event VALUES. */
static const char *member_text(const dl_json_values *values, const char *name)
{
    uint32_t at = dl_json_values_member(values, 0, name);

    return at == 0 || values->values[at].text == NULL ? ""
                                                      : values->values[at].text;
}

static dl_status take(void *context, const dl_outbox_event *event,
                      dl_error *err)
{
    relay *r = context;
    item *it = &r->items[r->n];
    dl_json_values values;

    r->full = r->full || (r->n > 0 && r->bytes + event->len > BATCH_BYTES);
    if (r->full) {
        return DL_OK;
    }
    *it = (item){.event = *event};
    it->event.topic = apr_pstrdup(r->scratch, event->topic);
    it->event.key = apr_pstrdup(r->scratch, event->key);
    it->event.value = apr_pstrmemdup(r->scratch, event->value, event->len);
    if (dl_json_values_read(&values, it->event.value, event->len, r->scratch) !=
        DL_JSON_FINE) {
        return dl_fail(err, DL_CORRUPT, 0,
                       "change_outbox: the event %lld is no JSON object",
                       (long long)event->id);
    }
    it->kind = member_text(&values, "_event");
    it->request_id = member_text(&values, "request_id");
    r->bytes += event->len;
    r->n++;
    return DL_OK;
}

/* --- Sending -------------------------------------------------------------- */

static dl_status send_item(relay *r, int i, dl_error *err)
{
    const item *it = &r->items[i];
    char id[24];
    int len = snprintf(id, sizeof id, "%lld", (long long)it->event.id);
    const dlc_producer_header headers[] = {
        {"dl-origin", "api", 3},
        {"dl-event", it->kind, strlen(it->kind)},
        {"dl-change-id", id, (size_t)len},
        {"dl-request-id", it->request_id, strlen(it->request_id)}};
    const dlc_producer_record record = {.topic = it->event.topic,
                                        .key = it->event.key,
                                        .key_len = strlen(it->event.key),
                                        .value = it->event.value,
                                        .len = it->event.len,
                                        .n_headers = 4,
                                        .headers = headers,
                                        .tag = (uint64_t)i};

    return dlc_producer_send(r->producer, &record, err);
}

/* Send what was read.  A topic that this producer has not reached yet gets one
 * event first: if the topic is not there, none may overtake it later. */
static dl_status send_all(relay *r, dl_error *err)
{
    for (int i = 0; i < r->n; i++) {
        const char *topic = r->items[i].event.topic;

        DL_TRY(send_item(r, i, err));
        if (!is_known(r, topic) && r->n_topics < TOPICS) {
            r->topics[r->n_topics++] = apr_pstrdup(r->pool, topic);
            r->n = i + 1;
        }
    }
    return DL_OK;
}

static dl_status keep_lease(relay *r, dl_wh *wh, dl_error *err)
{
    int64_t now_us = dl_time_monotonic_us();
    dl_time now = dl_time_now();

    if (now_us < r->lease_us) {
        return DL_OK;
    }
    r->mine = false;
    DL_TRY(dl_outbox_lease(&r->mine, wh, r->owner, now, now + LEASE_US, err));
    r->lease_us = now_us + (r->mine ? RENEW_US : OTHER_US);
    return DL_OK;
}

/* Say once that events wait, and why. */
static void say_away(relay *r, const char *why)
{
    dl_log(DL_LOG_WARNING, "DL0950 outbox: change events wait: %s", why);
    r->away = true;
}

/* Wait for the reports of all that was sent. */
static dl_status wait_all(relay *r, dl_wh *wh, dlc_chore *chore, dl_error *err)
{
    int64_t told_us = dl_time_monotonic_us() + 5 * RENEW_US;

    while (dlc_producer_waiting(r->producer) > 0) {
        dlc_producer_poll(r->producer, 100);
        if (dlc_chore_stopping(chore)) {
            return dl_fail(err, DL_RETRY, 0, "the program ends");
        }
        if (!r->away && dl_time_monotonic_us() > told_us) {
            say_away(r, "the broker does not confirm them");
        }
        DL_TRY(keep_lease(r, wh, err));
    }
    return DL_OK;
}

/* --- Noting --------------------------------------------------------------- */

/* Note what the broker has of the topic of event FIRST, which is the first of
 * it in the turn, up to the first that failed. */
static dl_status note_topic(relay *r, dl_wh *wh, int first, dl_error *err)
{
    dl_outbox_sent sent = {.topic = r->items[first].event.topic};

    for (int i = first; i < r->n; i++) {
        if (strcmp(r->items[i].event.topic, sent.topic) != 0) {
            continue;
        }
        if (r->items[i].fate != SENT) {
            break;
        }
        sent.first = sent.first == 0 ? r->items[i].event.id : sent.first;
        sent.last = r->items[i].event.id;
    }
    return sent.first == 0 ? DL_OK
                           : dl_outbox_mark(wh, &sent, dl_time_now(), err);
}

static dl_status note_topics(relay *r, dl_wh *wh, dl_error *err)
{
    for (int i = 0; i < r->n; i++) {
        int k = 0;

        while (strcmp(r->items[k].event.topic, r->items[i].event.topic) != 0) {
            k++;
        }
        if (k == i) {
            DL_TRY(note_topic(r, wh, i, err));
        }
    }
    return DL_OK;
}

/* Note what the broker has, in one transaction. */
static dl_status note_all(relay *r, dl_wh *wh, dl_error *err)
{
    bool failed = false;
    dl_status status;

    DL_TRY(dl_wh_begin(wh, err));
    status = note_topics(r, wh, err);
    if (status != DL_OK) {
        dl_wh_rollback(wh);
        return status;
    }
    DL_TRY(dl_wh_commit(wh, err));
    for (int i = 0; i < r->n; i++) {
        failed = failed || r->items[i].fate != SENT;
    }
    return failed ? dl_fail(err, DL_UNAVAILABLE, 0,
                            "the broker did not take all change events")
                  : DL_OK;
}

/* --- Turns ---------------------------------------------------------------- */

static dl_status tidy(relay *r, dl_wh *wh, dl_error *err)
{
    int64_t now_us = dl_time_monotonic_us();
    uint64_t removed = 0;

    if (now_us < r->tidy_us) {
        return DL_OK;
    }
    DL_TRY(dl_outbox_remove(
        &removed, wh, dl_time_now() - DLC_OUTBOX_KEPT_S * DL_SECOND_US, err));
    r->tidy_us = now_us + (removed > 0 ? 0 : TIDY_US);
    return DL_OK;
}

/* Send what waits; set *PAUSE to how long to rest then. */
static dl_status relay_all(int64_t *pause, relay *r, dlc_chore *chore,
                           dl_error *err)
{
    dl_wh *wh;

    *pause = OTHER_US;
    DL_TRY(dlc_link_open(&wh, r->link, err));
    DL_TRY(keep_lease(r, wh, err));
    if (!r->mine) {
        return DL_OK;
    }
    *pause = LOOK_US;
    r->n = 0;
    r->bytes = 0;
    r->full = false;
    DL_TRY(dl_outbox_number(wh, r->owner, dl_time_now(), err, r->scratch));
    DL_TRY(tidy(r, wh, err));
    DL_TRY(dl_outbox_read(wh, take, r, err));
    if (r->n == 0) {
        return DL_OK;
    }
    DL_TRY(need_producer(r, err));
    DL_TRY(send_all(r, err));
    DL_TRY(wait_all(r, wh, chore, err));
    DL_TRY(note_all(r, wh, err));
    *pause = r->full || r->n == DL_OUTBOX_BATCH ? 0 : LOOK_US;
    return DL_OK;
}

static int64_t turn(void *context, dlc_chore *chore, apr_pool_t *scratch_pool)
{
    relay *r = context;
    dl_error err = {.status = DL_OK};
    int64_t pause;
    dl_status status;

    r->scratch = scratch_pool;
    status = relay_all(&pause, r, chore, &err);
    if (status == DL_OK) {
        if (r->away && r->n > 0) {
            dl_log(DL_LOG_NOTICE, "DL0951 outbox: change events are sent "
                                  "again");
            r->away = false;
        }
        return pause;
    }
    if (!r->away && status != DL_RETRY) {
        say_away(r, err.text);
    }
    drop_producer(r);
    dlc_link_close(r->link);
    r->lease_us = 0;
    return AWAY_US;
}

dl_status dlc_outbox_create(const dl_config *cfg, dl_stats *stats,
                            dl_error *err, apr_pool_t *pool)
{
    relay *r = apr_pcalloc(pool, sizeof *r);
    char id[DL_TOKEN_ID_MAX + 1];
    dlc_chore *chore;

    r->cfg = cfg;
    r->stats = stats;
    apr_pool_create(&r->parent, pool);
    dl_token_new_id(id);
    snprintf(r->owner, sizeof r->owner, "%.60s", id);
    DL_TRY(dlc_link_create(&r->link, cfg, err, pool));
    return dlc_chore_create(&chore, turn, r, LOOK_US, err, pool);
}
