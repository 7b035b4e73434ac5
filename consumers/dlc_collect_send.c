/* dlc_collect_send.c - Blocks of records, their headers, their reports.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_collect_send.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dl_log.h"
#include "dl_time.h"
#include "dlc_producer.h"

/* Blocks that may wait; when all do, the last one grows. */
#define BLOCKS 64

/* Bytes that wait at the producer, in KiB. */
#define QUEUE_KIB 4096

/* Room for a header: name of the source, two numbers. */
#define POSITION_MAX (DL_SOURCE_NAME + 2 * 21 + 1)

/* Room for the place of a broken row. */
#define PLACE_MAX 400

/* Records between two marks. */
typedef struct block {
    int64_t sent;            /* records */
    int64_t reported;        /* of them */
    dlc_collect_place place; /* behind the last of them, once marked */
} block;

struct dlc_collect_sender {
    dlc_collect_sender_plan plan; /* as given */
    dlc_producer *producer;       /* to the broker */
    block blocks[BLOCKS];         /* a ring */
    uint64_t first;               /* the oldest block */
    uint64_t last;                /* the one that is filled */
    dlc_collect_place safe;       /* see the header */
    bool fresh;                   /* SAFE has not been asked for */
    int64_t waiting;              /* records without report */
    bool told;                    /* a report came, or the first record went,
                                   * since the silence was asked for */
    int64_t told_us;              /* monotonic time when that was seen */
    dl_status failed;             /* see the header */
    char position[POSITION_MAX];  /* "NAME TURN " */
    size_t prefix;                /* bytes of it */
};

static void delivered(void *context, const dlc_delivery *delivery)
{
    dlc_collect_sender *s = context;

    s->blocks[delivery->tag % BLOCKS].reported++;
    s->waiting--;
    s->told = true;
    if (delivery->status == DL_OK) {
        dl_stats_add(s->plan.records, 1);
    }
    else if (s->failed == DL_OK) {
        s->failed = delivery->status;
    }
    if (delivery->status == DL_INVALID) {
        dl_stats_add(s->plan.refused, 1);
    }
}

dl_status dlc_collect_sender_create(dlc_collect_sender **sender,
                                    const dlc_collect_sender_plan *plan,
                                    dl_error *err, apr_pool_t *pool)
{
    dlc_collect_sender *s = apr_pcalloc(pool, sizeof *s);
    const dlc_producer_options options = {.client = "datalake-collect",
                                          .delivered = delivered,
                                          .context = s,
                                          .stats = plan->stats,
                                          .timeout_ms = -1,
                                          .queue_kib = QUEUE_KIB,
                                          .gather = plan->gather,
                                          .max_bytes = plan->max_bytes};

    s->plan = *plan;
    dlc_collect_sender_turn(s, 0);
    DL_TRY(dlc_producer_create(&s->producer, plan->cfg, &options, err, pool));
    *sender = s;
    return DL_OK;
}

void dlc_collect_sender_turn(dlc_collect_sender *sender, int64_t turn)
{
    sender->prefix =
        (size_t)snprintf(sender->position, sizeof sender->position,
                         "%s %" PRId64 " ", sender->plan.source, turn);
    /* What was safe of the turn before is stored with its end. */
    sender->fresh = false;
    sender->first = sender->last;
    memset(&sender->blocks[sender->last % BLOCKS], 0, sizeof(block));
}

/* Write NUMBER behind the prefix; return the bytes of all. */
static size_t write_number(dlc_collect_sender *s, uint64_t number)
{
    char digits[20];
    size_t n = 0;

    do {
        digits[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    for (size_t i = 0; i < n; i++) {
        s->position[s->prefix + i] = digits[n - 1 - i];
    }
    return s->prefix + n;
}

dl_status dlc_collect_sender_send(dlc_collect_sender *sender,
                                  const dlc_collect_record *record,
                                  const dlc_collect_row *row, dl_error *err)
{
    char place[PLACE_MAX];
    dl_status status;
    dlc_producer_header headers[4] = {{"dl-origin", "collector", 9}};
    dlc_producer_record sent = {.topic = sender->plan.topic,
                                .key = record->key,
                                .key_len = record->key_len,
                                .value = record->value,
                                .len = record->len,
                                .n_headers = 1,
                                .headers = headers,
                                .tag = sender->last};

    if (row->number > 0) {
        headers[sent.n_headers++] =
            (dlc_producer_header){"dl-source-pos", sender->position,
                                  write_number(sender, row->number)};
    }
    if (record->fault != NULL) {
        size_t len = (size_t)snprintf(place, sizeof place, "%.360s:%" PRIu64,
                                      row->place, row->line);

        headers[sent.n_headers++] =
            (dlc_producer_header){"dl-source-line", place, len};
        headers[sent.n_headers++] = (dlc_producer_header){
            "dl-source-fault", record->fault, strlen(record->fault)};
    }
    status = dlc_producer_send(sender->producer, &sent, err);
    if (status == DL_NOT_FOUND) {
        sender->failed = status;
        return dlc_collect_sender_failed(sender, err);
    }
    DL_TRY(status);
    sender->told = sender->told || sender->waiting == 0;
    sender->waiting++;
    sender->blocks[sender->last % BLOCKS].sent++;
    return DL_OK;
}

/* Go on behind blocks of which all is known. */
static void advance(dlc_collect_sender *s)
{
    while (s->first < s->last && s->failed == DL_OK) {
        const block *b = &s->blocks[s->first % BLOCKS];

        if (b->reported < b->sent) {
            return;
        }
        s->safe = b->place;
        s->fresh = true;
        s->first++;
    }
}

void dlc_collect_sender_mark(dlc_collect_sender *sender,
                             const dlc_collect_place *place)
{
    advance(sender);
    if (sender->last - sender->first == BLOCKS - 1) {
        return;
    }
    sender->blocks[sender->last % BLOCKS].place = *place;
    sender->last++;
    memset(&sender->blocks[sender->last % BLOCKS], 0, sizeof(block));
}

void dlc_collect_sender_poll(dlc_collect_sender *sender, int timeout_ms)
{
    dlc_producer_poll(sender->producer, timeout_ms);
}

const dlc_collect_place *dlc_collect_sender_safe(dlc_collect_sender *sender)
{
    advance(sender);
    if (!sender->fresh) {
        return NULL;
    }
    sender->fresh = false;
    return &sender->safe;
}

void dlc_collect_sender_again(dlc_collect_sender *sender)
{
    sender->fresh = true;
}

bool dlc_collect_sender_idle(const dlc_collect_sender *sender)
{
    return sender->waiting == 0;
}

int64_t dlc_collect_sender_silence(dlc_collect_sender *sender)
{
    int64_t now = dl_time_monotonic_us();

    if (sender->told || sender->waiting == 0) {
        sender->told = false;
        sender->told_us = now;
    }
    return now - sender->told_us;
}

dl_status dlc_collect_sender_failed(const dlc_collect_sender *sender,
                                    dl_error *err)
{
    if (sender->failed == DL_OK) {
        return DL_OK;
    }
    return dl_fail(err, DL_UNAVAILABLE, 0, "topic %s: %s", sender->plan.topic,
                   sender->failed == DL_NOT_FOUND
                       ? "it does not exist: run datalakectl topics"
                   : sender->failed == DL_INVALID
                       ? "the broker refuses records: what it takes at most "
                         "is asked again"
                       : "the broker has not stored a record");
}
