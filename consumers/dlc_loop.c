/* dlc_loop.c - The one consuming loop: take, put, commit.
 *
 * dlc_loop_run is its table of contents, dlc_loop_decide its only opinion
 * about failures.  Whenever something is not as it was (an outage, a
 * rebalance, a stopped or new partition) the loop goes back to seeking: it
 * reads nothing, asks the sink where each partition continues, and assigns
 * there.  There is no second way to move an offset.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_loop.h"

#include "dl_config.h"
#include "dl_log.h"
#include "dl_time.h"
#include "dlc_loop_state.h"

#include <stdio.h>

/* Waits of an outage: they double from the first to the last.  A full disk is
 * asked more and more rarely (rule E10); a server that is away comes back at
 * once, and readers wait for us. */
#define WAIT_RETRY_US INT64_C(50000)
#define WAIT_FIRST_US INT64_C(1000000)
#define WAIT_LAST_US  INT64_C(4000000)
#define WAIT_SPACE_US INT64_C(30000000)

/* Give up reading; seek again after WAIT_US microseconds. */
void dlc_loop_again(dlc_loop *l, int64_t wait_us)
{
    dl_error err = {0};

    if (l->state == DLC_LOOP_ENDING) {
        return;
    }
    l->epoch++;
    l->state = DLC_LOOP_SEEKING;
    l->retry_us = dl_time_monotonic_us() + wait_us;
    dlc_table_forgotten(l->table);
    if (l->source->calls->assign(l->source, NULL, 0, &err) != DL_OK) {
        dl_log(DL_LOG_WARNING, "DL0701 %s: %s", l->sink->name, err.text);
    }
}

/* Wait out an outage told by l->err: 1, 2, 4 ... LAST_US with jitter. */
static void loop_wait(dlc_loop *l, int64_t last_us)
{
    int64_t wait = l->wait_us == 0 ? WAIT_FIRST_US : 2 * l->wait_us;

    l->wait_us = wait > last_us ? last_us : wait;
    l->random = l->random * 1664525U + 1013904223U;
    wait = l->wait_us / 2 + (l->wait_us / 2) * (l->random >> 24) / 256;
    if (l->away_us == 0) {
        l->away_us = dl_time_monotonic_us();
    }
    dl_log(DL_LOG_WARNING, "DL0702 %s: %s; trying again in %.1f s",
           l->sink->name, l->err.text, (double)wait / 1e6);
    dlc_loop_again(l, wait);
}

/* The outage is over. */
void dlc_loop_recovered(dlc_loop *l)
{
    if (l->away_us != 0) {
        dl_log(DL_LOG_NOTICE, "DL0703 %s: working again", l->sink->name);
    }
    l->away_us = 0;
    l->wait_us = 0;
}

/* Make what was put durable.  DL_OK also when nothing was. */
dl_status dlc_loop_flush(dlc_loop *l)
{
    DL_TRY(l->sink->calls->commit(l->sink, &l->err));
    dlc_table_committed(l->table, l->sink);
    return DL_OK;
}

static void loop_fail(dlc_loop *l, dl_status status)
{
    l->verdict = status;
    l->state = DLC_LOOP_ENDING;
}

/* The one place where a status gets a meaning: go on, set aside, retry, give
 * the assignment up, stop.  LANE is the partition of a put(), else NULL. */
void dlc_loop_decide(dlc_loop *l, dl_status status, dlc_lane *lane)
{
    switch (status) {
    case DL_OK:
        return;
    case DL_INVALID:
    case DL_LIMIT:
        if (lane == NULL) {
            loop_fail(l, status);
        }
        else if (dlc_lane_count_dead(lane, l->o->cfg)) {
            dlc_loop_stop_lane(l, lane, "too many dead letters");
        }
        return;
    case DL_RETRY:
        dlc_loop_again(l, WAIT_RETRY_US);
        return;
    case DL_NO_SPACE:
        loop_wait(l, WAIT_SPACE_US);
        return;
    case DL_UNAVAILABLE:
    case DL_BUSY:
    case DL_TIMEOUT:
        loop_wait(l, WAIT_LAST_US);
        return;
    case DL_CONFLICT: {
        int n = dlc_table_select(l->parts, l->table, true);

        l->sink->calls->drop(l->sink, l->parts, n);
        for (int i = 0; i < n; i++) {
            ((dlc_lane *)l->parts[i])->held = false;
        }
        loop_wait(l, WAIT_LAST_US);
        return;
    }
    case DL_NOT_FOUND:
    case DL_CORRUPT:
    case DL_IO:
    case DL_UNSUPPORTED:
    case DL_INTERNAL:
        loop_fail(l, status);
        return;
    }
}

/* Stop LANE for the reason WHY; the others go on. */
void dlc_loop_stop_lane(dlc_loop *l, dlc_lane *lane, const char *why)
{
    dlc_lane_stop(lane, why);
    dlc_loop_decide(l, dlc_loop_flush(l), NULL);
    if (l->state == DLC_LOOP_READING) {
        dlc_loop_again(l, 0);
    }
}

/* --- Reading: take, put, commit ------------------------------------------- */

/* Put one message; E2: what lies below the expected offset is dropped. */
static void put_one(dlc_loop *l, const dlc_message *msg)
{
    dlc_part *part = msg->part;
    dlc_lane *lane = (dlc_lane *)part;
    dl_status status;

    if (msg->offset < part->next || !lane->held) {
        return;
    }
    if (msg->end) {
        if (msg->offset > part->next) {
            status =
                l->sink->calls->advance(l->sink, part, msg->offset, &l->err);
            part->next = msg->offset;
            dlc_loop_decide(l, status, NULL);
        }
        return;
    }
    status = l->sink->calls->put(l->sink, msg, &l->err);
    part->next = msg->offset + 1;
    lane->topic->put_messages++;
    lane->topic->put_bytes += (int64_t)msg->len;
    if (msg->time_us > lane->topic->put_time_us) {
        lane->topic->put_time_us = msg->time_us;
    }
    if (status == DL_OK) {
        lane->window_messages++;
    }
    else {
        dlc_loop_decide(l, status, lane);
    }
}

/* Messages between the one that is put and the one that is fetched from
 * memory, and how much of that one. */
#define AHEAD       3
#define AHEAD_BYTES 1024

/* Let the processor fetch MSG, which another thread has unpacked on another
 * processor. */
static void fetch_ahead(const dlc_message *msg)
{
    const char *at = msg->payload;
    size_t len = msg->len < AHEAD_BYTES ? msg->len : AHEAD_BYTES;

    for (size_t i = 0; at != NULL && i < len; i += 64) {
        __builtin_prefetch(at + i);
    }
}

/* Take what the source has and put it. */
static void loop_take(dlc_loop *l)
{
    unsigned epoch = l->epoch;
    int n = 0;
    dl_status status = l->source->calls->take(
        &n, l->source, l->batch, DLC_TAKE_MAX, DLC_TAKE_MS, &l->err);

    /* A rebalance inside take() has changed the epoch too. */
    for (int i = 0; i < n && l->epoch == epoch && l->state == DLC_LOOP_READING;
         i++) {
        if (i + AHEAD < n) {
            fetch_ahead(&l->batch[i + AHEAD]);
        }
        put_one(l, &l->batch[i]);
    }
    l->source->calls->release(l->source);
    l->caught_up = n < DLC_TAKE_MAX;
    dlc_loop_decide(l, status, NULL);
}

/* Commit when the sink wants to. */
static void loop_commit(dlc_loop *l)
{
    if (l->state == DLC_LOOP_READING &&
        l->sink->calls->wants_commit(l->sink, dl_time_monotonic_us(),
                                     l->caught_up)) {
        dlc_loop_decide(l, dlc_loop_flush(l), NULL);
    }
}

/* --- The page ------------------------------------------------------------- */

static dlc_loop *loop_create(const dlc_loop_options *options, apr_pool_t *pool)
{
    dlc_loop *l = apr_pcalloc(pool, sizeof *l);
    char labels[64];

    l->o = options;
    l->pool = pool;
    l->source = options->source;
    l->sink = options->sink;
    l->table = dlc_table_create(l->sink->name, options->stats, pool);
    l->random = (uint32_t)dl_time_monotonic_us();
    snprintf(labels, sizeof labels, "sink=\"%s\"", l->sink->name);
    l->degraded = dl_stats_slot(options->stats, DL_STATS_GAUGE,
                                "datalake_sink_degraded", labels);
    l->source->events = &dlc_loop_events;
    l->source->context = l;
    dlc_table_set(l->table, options->set);
    return l;
}

/* Give everything up; nothing is pending. */
static dl_status loop_end(dlc_loop *l, dl_error *err)
{
    int n = dlc_table_select(l->parts, l->table, true);

    l->sink->calls->drop(l->sink, l->parts, n);
    for (int i = 0; i < n; i++) {
        ((dlc_lane *)l->parts[i])->held = false;
    }
    if (l->verdict != DL_OK) {
        *err = l->err;
    }
    return l->verdict;
}

dl_status dlc_loop_run(const dlc_loop_options *options, dl_error *err,
                       apr_pool_t *pool)
{
    dlc_loop *l = loop_create(options, pool);

    while (l->state != DLC_LOOP_ENDING) {
        dlc_loop_clock(l);
        dlc_loop_seek(l);
        loop_take(l);
        loop_commit(l);
        dlc_loop_wishes(l);
    }
    return loop_end(l, err);
}
