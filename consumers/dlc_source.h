/* dlc_source.h - Where messages come from: Kafka, or a file in tests.
 *
 * A source gives messages of the partitions it was told to read, from the
 * offsets it was told, in offset order within a partition.  It has no opinion
 * about offsets: every change of plan (retry, new partitions, a partition
 * stopped) is one call of assign(), which replaces all that went before and
 * forgets what was fetched ahead.
 *
 * Thread: all functions are called on the consuming thread.  The group
 * callbacks are called on it too, from inside take().
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_SOURCE_H
#define DLC_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_error.h"
#include "dlc_sink.h"

typedef struct dlc_source dlc_source;

/* One partition of a topic by name, as a group hands it out. */
typedef struct dlc_place {
    const char *topic; /* dead after the call */
    int32_t partition; /* number in the topic */
} dlc_place;

/* What a source tells beside messages; CONTEXT is dlc_source.context. */
typedef struct dlc_source_events {
    /* The group gave us exactly the N PLACES; assign() follows from inside or
     * later. */
    void (*given)(void *context, const dlc_place *places, int n);

    /* The group takes all partitions back.  LOST: it already has, nothing may
     * be committed.  They are no longer read when this returns. */
    void (*taken)(void *context, bool lost);

    /* The offset asked for is not in the log of PART any more (rule E3). */
    void (*out_of_range)(void *context, dlc_part *part);
} dlc_source_events;

/* What a source does. */
typedef struct dlc_source_calls {
    /* Set *ID to the id of the cluster, which lives with the source.
     * DL_UNAVAILABLE: not reached within about a second. */
    dl_status (*cluster)(const char **id, dlc_source *source, dl_error *err);

    /* Set *COUNT to the number of partitions of TOPIC now.  DL_NOT_FOUND: no
     * such topic.  DL_UNAVAILABLE: as cluster(). */
    dl_status (*partitions)(int32_t *count, dlc_source *source,
                            const char *topic, dl_error *err);

    /* Ask the broker for the first offset in the log of PART and the one
     * behind its last.  DL_UNAVAILABLE: as cluster(). */
    dl_status (*watermarks)(int64_t *low, int64_t *high, dlc_source *source,
                            const dlc_part *part, dl_error *err);

    /* Return the end of PART as last seen, without asking; -1: not known. */
    int64_t (*end)(dlc_source *source, const dlc_part *part);

    /* Read the N PARTS from their next offsets, and nothing else; N may be
     * 0.  What was fetched ahead is forgotten. */
    dl_status (*assign)(dlc_source *source, dlc_part *const *parts, int n,
                        dl_error *err);

    /* Join the group for the N TOPICS; NULL: the source knows no groups. */
    dl_status (*subscribe)(dlc_source *source, const char *const *topics, int n,
                           dl_error *err);

    /* Set MESSAGES[0..*N) to the next messages, at most MAX, waiting up to
     * TIMEOUT_MS for them; one with END set tells that its partition is read
     * up to OFFSET.  Messages of partitions not assigned are left out.
     * Their bytes live until release().
     * DL_UNAVAILABLE: the client had a fatal error and is replaced by a new
     * one, which reads nothing until assign() or the group says so.
     * DL_INTERNAL: it is broken, and no new one can be made. */
    dl_status (*take)(int *n, dlc_source *source, dlc_message *messages,
                      int max, int timeout_ms, dl_error *err);

    /* Give the messages of the last take() back. */
    void (*release)(dlc_source *source);

    /* Tell Kafka, for lag displays alone, that the N PARTS are durable up to
     * NEXT[i].  Asynchronous, never fails. */
    void (*show)(dlc_source *source, dlc_part *const *parts,
                 const int64_t *next, int n);

    /* Leave the group and close; bounded by the caller's alarm. */
    void (*close)(dlc_source *source);
} dlc_source_calls;

/* A source. */
struct dlc_source {
    const dlc_source_calls *calls;   /* what it does */
    const dlc_source_events *events; /* set by the loop before the first call */
    void *context;                   /* first argument of the events */
};

/* What a program wants of its source. */
typedef struct dlc_source_options {
    const char *program; /* "lake" or "warehouse": part of client and group */
    bool group;          /* join a group; else assign() alone */
    int part;            /* use [kafka] buffer_size / PART, at least 1 */
} dlc_source_options;

/* Create the source that [kafka] of CFG names, as OPTIONS say: `brokers =
 * file:PATH` gives the file source of tests (dlc_source_file.c), all else a
 * Kafka consumer.  DL_INVALID: a setting that librdkafka refuses.  Lives in
 * POOL. */
DL_MUSTCHECK dl_status dlc_source_create(dlc_source **source,
                                         const dl_config *cfg,
                                         const dlc_source_options *options,
                                         dl_error *err, apr_pool_t *pool);

/* Create the file source: PATH is one file for all topics, or a folder with a
 * file named as each topic.  A line is `partition offset time_ms key`, a tab
 * and the value; behind the key may stand headers, each as a byte 0x1F and
 * `name=value`.  Lives in POOL. */
DL_MUSTCHECK dl_status dlc_source_file_create(dlc_source **source,
                                              const char *path, dl_error *err,
                                              apr_pool_t *pool);

#endif
