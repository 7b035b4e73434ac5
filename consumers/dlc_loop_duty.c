/* dlc_loop_duty.c - What a loop does by the clock and at signals.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_log.h"
#include "dl_time.h"
#include "dlc_loop_state.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* How often things are done, in microseconds. */
#define TICK_US    INT64_C(100000)
#define TOPICS_US  INT64_C(60000000)
#define MISSING_US INT64_C(5000000)

/* --- Duties by the clock and by signals ----------------------------------- */

static int64_t end_of(void *context, const dlc_part *part)
{
    dlc_loop *l = context;

    return l->source->calls->end(l->source, part);
}

static void publish(dlc_loop *l, int64_t now)
{
    bool stopped = false;

    for (int i = 0; i < l->table->n_lanes; i++) {
        const dlc_lane *lane = l->table->lanes[i];

        stopped = stopped || (lane->given && lane->stopped != NULL);
    }
    dlc_table_publish(l->table, end_of, l,
                      l->away_us == 0 ? 0 : now - l->away_us, dl_time_now());
    dl_stats_set(l->degraded, l->away_us != 0 || stopped ? 1 : 0);
    dl_stats_process_update(l->o->stats);
}

/* Ask the sink what is durable and tell Kafka, for lag displays.  An outage is
 * over when something became durable, or when nothing waits to be and nothing
 * has failed for two seconds. */
static void show_offsets(dlc_loop *l, int64_t now)
{
    int n = dlc_table_select(l->parts, l->table, true);
    int changed = 0;
    bool behind = false;

    for (int i = 0; i < n; i++) {
        dlc_lane *lane = (dlc_lane *)l->parts[i];

        if (l->sink->calls->durable != NULL) {
            lane->durable = l->sink->calls->durable(l->sink, &lane->part);
        }
        behind = behind || lane->durable < lane->part.next;
        if (lane->durable > lane->shown) {
            lane->shown = lane->durable;
            l->parts[changed] = l->parts[i];
            l->next[changed++] = lane->durable;
        }
    }
    if (changed > 0) {
        l->source->calls->show(l->source, l->parts, l->next, changed);
    }
    if (changed > 0 || (!behind && now - l->read_us > 2 * DLC_SECOND_US)) {
        dlc_loop_recovered(l);
    }
}

/* Look for new topics and partitions; read them too.  Returns when to look
 * again, in microseconds from now: a look that failed has not told that none
 * is missing. */
static int64_t look_for_partitions(dlc_loop *l)
{
    bool new_lanes;

    if (l->o->group) {
        return TOPICS_US;
    }
    if (dlc_loop_learn_partitions(l, &new_lanes) != DL_OK) {
        return MISSING_US;
    }
    if (new_lanes) {
        dlc_loop_decide(l, dlc_loop_flush(l), NULL);
        if (l->state == DLC_LOOP_READING) {
            dlc_loop_again(l, 0);
        }
    }
    return l->missing ? MISSING_US : TOPICS_US;
}

/* Do what is due. */
void dlc_loop_clock(dlc_loop *l)
{
    int64_t now = dl_time_monotonic_us();

    if (now >= l->tick_us && l->state == DLC_LOOP_READING) {
        l->tick_us = now + TICK_US;
        dlc_loop_decide(l, l->sink->calls->tick(l->sink, &l->err), NULL);
    }
    if (now >= l->second_us) {
        l->second_us = now + DLC_SECOND_US;
        if (l->state == DLC_LOOP_READING) {
            show_offsets(l, now);
            dlc_loop_reopen(l, false);
        }
        publish(l, now);
        if (l->o->alive != NULL) {
            l->o->alive(l->o->context, l->state == DLC_LOOP_READING,
                        l->caught_up);
        }
    }
    if (now >= l->topics_us && l->state == DLC_LOOP_READING) {
        l->topics_us = now + look_for_partitions(l);
    }
}

/* An operator accepts what stopped the partitions of TOPIC: a log that was
 * made anew goes on as the next generation, deleted messages are given up. */
static dl_status resume_topic(dlc_loop *l, dlc_topic *topic)
{
    bool anew = false;
    int n = 0;

    for (int32_t i = 0; i < topic->n; i++) {
        dlc_part *part = &topic->lanes[i]->part;
        int64_t low = 0;
        int64_t high = 0;

        if (!topic->lanes[i]->held) {
            continue;
        }
        l->parts[n++] = part;
        DL_TRY(l->source->calls->watermarks(&low, &high, l->source, part,
                                            &l->err));
        anew = anew || part->next == DLC_PART_FOREIGN || part->next > high;
        l->next[n - 1] = low;
    }
    if (anew) {
        DL_TRY(
            l->sink->calls->renew(l->sink, l->parts, n, l->cluster, &l->err));
    }
    for (int i = 0; i < n; i++) {
        dlc_lane *lane = (dlc_lane *)l->parts[i];

        if (!anew && lane->stopped != NULL && lane->part.next < l->next[i]) {
            DL_TRY(l->sink->calls->advance(l->sink, &lane->part, l->next[i],
                                           &l->err));
        }
        lane->stopped = NULL;
        lane->window_messages = 0;
        lane->window_dead = 0;
        lane->shown = -1;
        lane->durable = -1;
    }
    dl_log(DL_LOG_NOTICE, "DL0714 %s: %s resumed%s", l->sink->name, topic->name,
           anew ? " as the next generation" : "");
    return DL_OK;
}

/* Read the file of accepted topics, if there is one, and resume them. */
static void resume_topics(dlc_loop *l)
{
    char line[256];
    FILE *file =
        l->o->resume_path == NULL ? NULL : fopen(l->o->resume_path, "re");

    if (file == NULL) {
        return;
    }
    while (fgets(line, sizeof line, file) != NULL &&
           l->state != DLC_LOOP_ENDING) {
        dlc_topic *topic;

        line[strcspn(line, "\r\n")] = '\0';
        topic = dlc_table_find(l->table, line);
        if (topic == NULL) {
            dl_log(DL_LOG_WARNING, "DL0715 %s: resume names no topic of ours",
                   l->sink->name);
            continue;
        }
        dlc_loop_decide(l, resume_topic(l, topic), NULL);
    }
    fclose(file);
    (void)unlink(l->o->resume_path);
}

/* Use the declarations as they are now; a bad set keeps the old one. */
static dl_status load_declarations(dlc_loop *l)
{
    const dl_dataset_set *set;
    dl_error err = {0};

    if (l->o->load(&set, l->o->context, &err, l->pool) != DL_OK) {
        dl_log(DL_LOG_ERROR, "DL0704 %s keeps the old declarations: %s",
               l->sink->name, err.text);
        return DL_OK;
    }
    DL_TRY(l->sink->calls->reload(l->sink, set, &l->err));
    dlc_table_set(l->table, set);
    l->subscribed = false;
    dl_log(DL_LOG_NOTICE, "DL0705 %s: declarations loaded", l->sink->name);
    return DL_OK;
}

/* SIGHUP: commit, then read again what an operator may have changed. */
static void loop_reload(dlc_loop *l)
{
    dl_status status = l->state == DLC_LOOP_READING ? dlc_loop_flush(l) : DL_OK;

    if (l->o->reloading != NULL) {
        l->o->reloading(l->o->context, true);
    }
    if (status == DL_OK) {
        dlc_loop_again(l, l->wait_us);
        status = load_declarations(l);
    }
    if (status == DL_OK) {
        resume_topics(l);
        dlc_loop_reopen(l, true);
    }
    dlc_loop_decide(l, status, NULL);
    if (l->o->reloading != NULL) {
        l->o->reloading(l->o->context, false);
    }
}

static void loop_seal(dlc_loop *l)
{
    dl_status status = dlc_loop_flush(l);

    if (status == DL_OK && l->sink->calls->seal != NULL) {
        status = l->sink->calls->seal(l->sink, &l->err);
    }
    dlc_loop_decide(l, status, NULL);
}

/* Do what signals ask for. */
void dlc_loop_wishes(dlc_loop *l)
{
    dlc_wishes *wishes = l->o->wishes;

    if (wishes->stop != 0) {
        if (l->state == DLC_LOOP_READING && dlc_loop_flush(l) != DL_OK) {
            dl_log(DL_LOG_WARNING, "DL0706 %s: last commit: %s", l->sink->name,
                   l->err.text);
        }
        l->state = DLC_LOOP_ENDING;
        return;
    }
    if (wishes->reload != 0) {
        wishes->reload = 0;
        loop_reload(l);
    }
    if (wishes->seal != 0 && l->state == DLC_LOOP_READING) {
        wishes->seal = 0;
        loop_seal(l);
    }
}
