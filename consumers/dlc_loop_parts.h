/* dlc_loop_parts.h - The topics and partitions of a loop, and their numbers.
 *
 * A table of what the loop reads: one dlc_topic per dataset, one dlc_lane per
 * partition.  Rows are added and marked, never moved or freed while the
 * program runs, so that a dlc_part keeps its address.
 *
 * Thread: the consuming thread.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_LOOP_PARTS_H
#define DLC_LOOP_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_stats.h"
#include "dlc_sink.h"

/* Partitions a loop can read, of all topics together. */
#define DLC_LANES_MAX 4096

struct dlc_topic;

/* One partition with the loop's notes. */
typedef struct dlc_lane {
    dlc_part part;           /* first member: a dlc_part is a dlc_lane */
    struct dlc_topic *topic; /* its topic */
    bool given;              /* ours to read: by the group, or it exists */
    bool held;               /* the sink has taken it */
    const char *stopped;     /* why it waits for an operator, or NULL */
    int64_t closed_us;       /* when the sink could not store it, 0: it can */
    int64_t durable;         /* first offset that is not, -1: not known */
    int64_t shown;           /* offset last shown to Kafka */
    int64_t window_messages; /* put since the window began */
    int64_t window_dead;     /* of these set aside */
    dl_stats_value *lag;     /* datalake_kafka_lag_records */
} dlc_lane;

/* One topic with the loop's notes. */
typedef struct dlc_topic {
    const dl_dataset *dataset;  /* whose topic; NULL: no longer declared */
    const char *name;           /* of the topic, lives with the process */
    int32_t n;                  /* lanes */
    dlc_lane **lanes;           /* by partition */
    int32_t room;               /* allocated places in lanes */
    bool missing_logged;        /* DL0712 was said */
    int64_t since_us;           /* wall clock when it was added */
    int64_t put_messages;       /* put, not yet counted as durable */
    int64_t put_bytes;          /* their value bytes */
    int64_t put_time_us;        /* largest Kafka timestamp put */
    int64_t time_us;            /* the same, durable; 0: none yet */
    dl_stats_value *messages;   /* datalake_kafka_messages_total */
    dl_stats_value *bytes;      /* datalake_kafka_bytes_total */
    dl_stats_value *partitions; /* datalake_kafka_partitions */
    dl_stats_value *stopped;    /* datalake_kafka_partitions_stopped */
    dl_stats_value *freshness;  /* datalake_ingest_freshness_seconds */
} dlc_topic;

/* All of them. */
typedef struct dlc_table {
    apr_pool_t *pool; /* where rows live */
    dl_stats *stats;  /* where numbers go, or NULL */
    const char *sink; /* label of the numbers */
    int n_topics;     /* topics */
    dlc_topic **topics;
    int n_lanes; /* lanes of all topics */
    dlc_lane *lanes[DLC_LANES_MAX];
} dlc_table;

/* Return an empty table in POOL for the sink named SINK. */
dlc_table *dlc_table_create(const char *sink, dl_stats *stats,
                            apr_pool_t *pool);

/* Make the topics of TABLE those of SET: new ones are added, known ones get
 * the new declaration, others lose theirs (dataset NULL, lanes not given). */
void dlc_table_set(dlc_table *table, const dl_dataset_set *set);

/* Return the topic NAME, or NULL. */
dlc_topic *dlc_table_find(dlc_table *table, const char *name);

/* Return lane PARTITION of TOPIC, adding it and all below it; NULL: the table
 * is full, or PARTITION is negative. */
dlc_lane *dlc_topic_lane(dlc_table *table, dlc_topic *topic, int32_t partition);

/* Set OUT (DLC_LANES_MAX places) to the parts of the lanes that are given,
 * not stopped, and held or not as HELD says; return their number. */
int dlc_table_select(dlc_part **out, const dlc_table *table, bool held);

/* Stop LANE for the reason WHY (static text). */
void dlc_lane_stop(dlc_lane *lane, const char *why);

/* Count one message of LANE as put and set aside (others: window_messages++).
 * Return whether the share of dead letters in the window of CFG is above its
 * limit now. */
bool dlc_lane_count_dead(dlc_lane *lane, const dl_config *cfg);

/* What was put was committed by SINK: move the numbers of all topics. */
void dlc_table_committed(dlc_table *table, dlc_sink *sink);

/* What was put is forgotten. */
void dlc_table_forgotten(dlc_table *table);

/* Returns the end of PART in Kafka's log, -1 when it is not known. */
typedef int64_t dlc_end_of(void *context, const dlc_part *part);

/* Bring lag, stopped and freshness of all topics up to date.  END is called
 * with CONTEXT; AWAY_US is for how long nothing could be read, 0: reading.
 * NOW_US is the wall clock. */
void dlc_table_publish(dlc_table *table, dlc_end_of *end, void *context,
                       int64_t away_us, int64_t now_us);

#endif
