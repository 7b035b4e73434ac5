/* dlc_loop_seek.c - From nothing to an assignment, and what a group tells.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_log.h"
#include "dl_time.h"
#include "dlc_loop_state.h"

/* A partition the sink cannot store is offered again after this. */
#define REOPEN_US (30 * DLC_SECOND_US)

/* --- Seeking: from nothing to an assignment ------------------------------- */

/* Learn which partitions the topics have now; set *NEW when one came. */
dl_status dlc_loop_learn_partitions(dlc_loop *l, bool *new_lanes)
{
    *new_lanes = false;
    l->missing = false;
    for (int i = 0; i < l->table->n_topics; i++) {
        dlc_topic *topic = l->table->topics[i];
        int32_t count = 0;
        dl_status status;

        if (topic->dataset == NULL) {
            continue;
        }
        status = l->source->calls->partitions(&count, l->source, topic->name,
                                              &l->err);
        if (status == DL_NOT_FOUND) {
            l->missing = true;
            if (!topic->missing_logged) {
                dl_log(DL_LOG_WARNING, "DL0712 %s: %s; waiting for it",
                       l->sink->name, l->err.text);
            }
            topic->missing_logged = true;
            continue;
        }
        DL_TRY(status);
        topic->missing_logged = false;
        for (int32_t p = 0; p < count; p++) {
            dlc_lane *lane = dlc_topic_lane(l->table, topic, p);

            *new_lanes = *new_lanes || (lane != NULL && !lane->given);
            if (lane != NULL) {
                lane->given = true;
            }
        }
    }
    return DL_OK;
}

/* Learn the cluster and which partitions there are to read. */
static dl_status learn(dlc_loop *l)
{
    const char *topics[DLC_LANES_MAX];
    bool new_lanes;
    int n = 0;

    DL_TRY(l->source->calls->cluster(&l->cluster, l->source, &l->err));
    if (!l->o->group) {
        return dlc_loop_learn_partitions(l, &new_lanes);
    }
    if (l->subscribed) {
        return DL_OK;
    }
    for (int i = 0; i < l->table->n_topics; i++) {
        if (l->table->topics[i]->dataset != NULL) {
            topics[n++] = l->table->topics[i]->name;
        }
    }
    DL_TRY(l->source->calls->subscribe(l->source, topics, n, &l->err));
    l->subscribed = true;
    return DL_OK;
}

/* Let the sink take the partitions it does not hold yet. */
static dl_status take_parts(dlc_loop *l)
{
    int n = dlc_table_select(l->parts, l->table, false);

    if (n == 0) {
        return DL_OK;
    }
    DL_TRY(l->sink->calls->take(l->sink, l->parts, n, l->cluster, &l->err));
    for (int i = 0; i < n; i++) {
        dlc_lane *lane = (dlc_lane *)l->parts[i];

        lane->held = lane->part.next != DLC_PART_CLOSED;
        if (!lane->held) {
            lane->closed_us = dl_time_monotonic_us();
            lane->stopped = "the sink cannot store its records now";
        }
        if (lane->part.next == DLC_PART_FOREIGN) {
            dlc_lane_stop(lane, "its offsets count in another Kafka cluster");
        }
    }
    return DL_OK;
}

/* Compare where the sink continues with what the log still has (rule E3). */
static dl_status check_offsets(dlc_loop *l)
{
    int n = dlc_table_select(l->parts, l->table, true);

    for (int i = 0; i < n; i++) {
        dlc_part *part = l->parts[i];
        int64_t low = 0;
        int64_t high = 0;

        DL_TRY(l->source->calls->watermarks(&low, &high, l->source, part,
                                            &l->err));
        part->next = l->sink->calls->next(l->sink, part);
        if (part->next < 0) {
            part->next = low;
        }
        if (((dlc_lane *)part)->durable < 0) {
            ((dlc_lane *)part)->durable = part->next;
            ((dlc_lane *)part)->shown = part->next;
        }
        if (part->next < low) {
            dlc_lane_stop((dlc_lane *)part,
                          "Kafka has deleted messages that were not read");
        }
        else if (part->next > high) {
            dlc_lane_stop((dlc_lane *)part,
                          "Kafka's log ends before it: the topic was made "
                          "anew, or the broker lost data");
        }
    }
    return DL_OK;
}

void dlc_loop_reopen(dlc_loop *l, bool all)
{
    int64_t before_us = dl_time_monotonic_us() - (all ? 0 : REOPEN_US);
    bool any = false;

    for (int i = 0; i < l->table->n_lanes; i++) {
        dlc_lane *lane = l->table->lanes[i];

        if (lane->closed_us != 0 && lane->closed_us <= before_us) {
            lane->closed_us = 0;
            lane->stopped = NULL;
            any = true;
        }
    }
    if (any && l->state == DLC_LOOP_READING) {
        dlc_loop_decide(l, dlc_loop_flush(l), NULL);
        dlc_loop_again(l, 0);
    }
}

static dl_status seek_steps(dlc_loop *l)
{
    int n;

    DL_TRY(learn(l));
    DL_TRY(take_parts(l));
    DL_TRY(check_offsets(l));
    n = dlc_table_select(l->parts, l->table, true);
    return l->source->calls->assign(l->source, l->parts, n, &l->err);
}

/* Try to begin reading when it is time to. */
void dlc_loop_seek(dlc_loop *l)
{
    dl_status status;
    unsigned epoch = l->epoch;

    if (l->state != DLC_LOOP_SEEKING || dl_time_monotonic_us() < l->retry_us) {
        return;
    }
    status = seek_steps(l);
    if (status == DL_OK && epoch == l->epoch) {
        l->state = DLC_LOOP_READING;
        l->read_us = dl_time_monotonic_us();
    }
    dlc_loop_decide(l, status, NULL);
}

/* --- What a group tells, from inside take() ------------------------------- */

static void on_given(void *context, const dlc_place *places, int n)
{
    dlc_loop *l = context;

    for (int i = 0; i < n; i++) {
        dlc_topic *topic = dlc_table_find(l->table, places[i].topic);
        dlc_lane *lane = topic == NULL ? NULL
                                       : dlc_topic_lane(l->table, topic,
                                                        places[i].partition);

        if (lane != NULL) {
            lane->given = topic->dataset != NULL;
        }
    }
    l->epoch++;
    l->state = l->state == DLC_LOOP_ENDING ? DLC_LOOP_ENDING : DLC_LOOP_SEEKING;
    l->retry_us = 0;
}

static void on_taken(void *context, bool lost)
{
    dlc_loop *l = context;
    int n;

    if (lost || l->state != DLC_LOOP_READING || dlc_loop_flush(l) != DL_OK) {
        if (l->sink->calls->forget != NULL) {
            l->sink->calls->forget(l->sink);
        }
        dlc_table_forgotten(l->table);
    }
    n = 0;
    for (int i = 0; i < l->table->n_lanes; i++) {
        dlc_lane *lane = l->table->lanes[i];

        if (lane->held) {
            l->parts[n++] = &lane->part;
        }
        lane->held = false;
        lane->given = false;
    }
    l->sink->calls->drop(l->sink, l->parts, n);
    l->epoch++;
    l->state = l->state == DLC_LOOP_ENDING ? DLC_LOOP_ENDING : DLC_LOOP_SEEKING;
}

static void on_out_of_range(void *context, dlc_part *part)
{
    dlc_loop_stop_lane(context, (dlc_lane *)part,
                       "Kafka no longer has its next message");
}

const dlc_source_events dlc_loop_events = {
    .given = on_given, .taken = on_taken, .out_of_range = on_out_of_range};
