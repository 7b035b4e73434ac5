/* dlc_loop_parts.c - The table of topics and partitions of a loop.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_loop_parts.h"

#include "dl_config.h"
#include "dl_dataset.h"
#include "dl_log.h"
#include "dl_time.h"

#include <string.h>

#include <apr_strings.h>

dlc_table *dlc_table_create(const char *sink, dl_stats *stats, apr_pool_t *pool)
{
    dlc_table *table = apr_pcalloc(pool, sizeof *table);

    table->pool = pool;
    table->stats = stats;
    table->sink = sink;
    return table;
}

dlc_topic *dlc_table_find(dlc_table *table, const char *name)
{
    for (int i = 0; i < table->n_topics; i++) {
        if (strcmp(table->topics[i]->name, name) == 0) {
            return table->topics[i];
        }
    }
    return NULL;
}

/* Return the number NAME of TOPIC with labels sink and topic. */
static dl_stats_value *number(dlc_table *table, const char *topic,
                              dl_stats_type type, const char *name)
{
    const char *labels = apr_psprintf(table->pool, "sink=\"%s\",topic=\"%s\"",
                                      table->sink, topic);

    return dl_stats_slot(table->stats, type, name, labels);
}

static dlc_topic *add_topic(dlc_table *table, const char *name)
{
    dlc_topic *topic = apr_pcalloc(table->pool, sizeof *topic);
    dlc_topic **grown = apr_palloc(table->pool, ((size_t)table->n_topics + 1) *
                                                    sizeof(dlc_topic *));

    topic->name = apr_pstrdup(table->pool, name);
    topic->since_us = dl_time_now();
    topic->messages =
        number(table, name, DL_STATS_COUNTER, "datalake_kafka_messages_total");
    topic->bytes =
        number(table, name, DL_STATS_COUNTER, "datalake_kafka_bytes_total");
    topic->stopped = number(table, name, DL_STATS_GAUGE,
                            "datalake_kafka_partitions_stopped");
    topic->freshness = number(table, name, DL_STATS_GAUGE_US,
                              "datalake_ingest_freshness_seconds");
    topic->partitions =
        dl_stats_slot(table->stats, DL_STATS_GAUGE, "datalake_kafka_partitions",
                      apr_psprintf(table->pool, "topic=\"%s\"", name));
    if (table->n_topics > 0) {
        memcpy(grown, table->topics,
               (size_t)table->n_topics * sizeof(dlc_topic *));
    }
    grown[table->n_topics] = topic;
    table->topics = grown;
    table->n_topics++;
    return topic;
}

void dlc_table_set(dlc_table *table, const dl_dataset_set *set)
{
    for (int i = 0; i < table->n_topics; i++) {
        table->topics[i]->dataset = NULL;
    }
    for (int i = 0; i < set->n; i++) {
        const dl_dataset *ds = set->datasets[i];
        dlc_topic *topic = dlc_table_find(table, ds->topic);

        if (topic == NULL) {
            topic = add_topic(table, ds->topic);
        }
        topic->dataset = ds;
    }
    for (int i = 0; i < table->n_lanes; i++) {
        dlc_lane *lane = table->lanes[i];

        lane->part.dataset = lane->topic->dataset;
        lane->given = lane->given && lane->part.dataset != NULL;
    }
}

static dlc_lane *add_lane(dlc_table *table, dlc_topic *topic)
{
    dlc_lane *lane = apr_pcalloc(table->pool, sizeof *lane);

    if (topic->n == topic->room) {
        int32_t room = topic->room == 0 ? 8 : 2 * topic->room;
        dlc_lane **grown =
            apr_palloc(table->pool, (size_t)room * sizeof(dlc_lane *));

        if (topic->n > 0) {
            memcpy(grown, topic->lanes, (size_t)topic->n * sizeof(dlc_lane *));
        }
        topic->lanes = grown;
        topic->room = room;
    }
    lane->topic = topic;
    lane->part.dataset = topic->dataset;
    lane->part.topic = topic->name;
    lane->part.partition = topic->n;
    lane->part.next = -1;
    lane->durable = -1;
    lane->shown = -1;
    lane->lag = dl_stats_slot(
        table->stats, DL_STATS_GAUGE, "datalake_kafka_lag_records",
        apr_psprintf(table->pool, "sink=\"%s\",topic=\"%s\",partition=\"%d\"",
                     table->sink, topic->name, topic->n));
    dl_stats_set(lane->lag, DL_STATS_ABSENT);
    topic->lanes[topic->n++] = lane;
    table->lanes[table->n_lanes++] = lane;
    return lane;
}

dlc_lane *dlc_topic_lane(dlc_table *table, dlc_topic *topic, int32_t partition)
{
    if (partition < 0) {
        return NULL;
    }
    while (topic->n <= partition) {
        if (table->n_lanes == DLC_LANES_MAX) {
            dl_log(DL_LOG_ERROR, "DL0711 %s: more than %d partitions",
                   topic->name, DLC_LANES_MAX);
            return NULL;
        }
        (void)add_lane(table, topic);
    }
    return topic->lanes[partition];
}

int dlc_table_select(dlc_part **out, const dlc_table *table, bool held)
{
    int n = 0;

    for (int i = 0; i < table->n_lanes; i++) {
        dlc_lane *lane = table->lanes[i];

        if (lane->given && lane->stopped == NULL && lane->held == held) {
            out[n++] = &lane->part;
        }
    }
    return n;
}

void dlc_lane_stop(dlc_lane *lane, const char *why)
{
    if (lane->stopped != NULL) {
        return;
    }
    lane->stopped = why;
    dl_log(DL_LOG_ERROR,
           "DL0710 %s/%d stands at offset %lld and waits for datalakectl "
           "resume: %s",
           lane->part.topic, lane->part.partition, (long long)lane->part.next,
           why);
}

bool dlc_lane_count_dead(dlc_lane *lane, const dl_config *cfg)
{
    int64_t window = cfg->kafka.dead_letter_window;
    int64_t share = cfg->kafka.dead_letter_share;

    /* Halving keeps the share and lets old messages fade. */
    while (lane->window_messages >= 2 * window) {
        lane->window_messages /= 2;
        lane->window_dead /= 2;
    }
    lane->window_messages++;
    lane->window_dead++;
    return share < 100 && lane->window_messages >= window &&
           lane->window_dead * 100 > lane->window_messages * share;
}

void dlc_table_committed(dlc_table *table, dlc_sink *sink)
{
    for (int i = 0; i < table->n_lanes; i++) {
        dlc_lane *lane = table->lanes[i];

        if (lane->held) {
            lane->durable = sink->calls->durable == NULL
                                ? lane->part.next
                                : sink->calls->durable(sink, &lane->part);
        }
    }
    for (int i = 0; i < table->n_topics; i++) {
        dlc_topic *topic = table->topics[i];

        if (topic->put_messages == 0) {
            continue;
        }
        dl_stats_add(topic->messages, topic->put_messages);
        dl_stats_add(topic->bytes, topic->put_bytes);
        if (topic->put_time_us > topic->time_us) {
            topic->time_us = topic->put_time_us;
        }
        topic->put_messages = 0;
        topic->put_bytes = 0;
    }
}

void dlc_table_forgotten(dlc_table *table)
{
    for (int i = 0; i < table->n_topics; i++) {
        table->topics[i]->put_messages = 0;
        table->topics[i]->put_bytes = 0;
        table->topics[i]->put_time_us = table->topics[i]->time_us;
    }
}

/* Bring the numbers of TOPIC up to date; see dlc_table_publish. */
static void publish_topic(dlc_topic *topic, dlc_end_of *end, void *context,
                          int64_t away_us, int64_t now_us)
{
    int64_t waiting = 0;
    int64_t stopped = 0;
    int64_t age = 0;

    for (int32_t i = 0; i < topic->n; i++) {
        const dlc_lane *lane = topic->lanes[i];
        int64_t last = lane->given ? end(context, &lane->part) : -1;
        int64_t lag = last - (lane->durable < 0 ? 0 : lane->durable);

        stopped += lane->given && lane->stopped != NULL ? 1 : 0;
        if (last < 0 || !lane->given) {
            dl_stats_set(lane->lag, DL_STATS_ABSENT);
            continue;
        }
        lag = lag < 0 ? 0 : lag;
        dl_stats_set(lane->lag, lag);
        waiting += lag;
    }
    if (waiting > 0) {
        age = now_us - (topic->time_us > 0 ? topic->time_us : topic->since_us);
    }
    dl_stats_set(topic->freshness, age > away_us ? age : away_us);
    dl_stats_set(topic->stopped, stopped);
    dl_stats_set(topic->partitions, topic->n);
}

void dlc_table_publish(dlc_table *table, dlc_end_of *end, void *context,
                       int64_t away_us, int64_t now_us)
{
    for (int i = 0; i < table->n_topics; i++) {
        publish_topic(table->topics[i], end, context, away_us, now_us);
    }
}
