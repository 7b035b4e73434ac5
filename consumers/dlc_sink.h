/* dlc_sink.h - Where messages go: one interface for lake and warehouse.
 *
 * A sink is the only truth about offsets (rule E1): it tells where each of
 * its partitions continues, and moves that point in the same commit as the
 * data.  The loop (dlc_loop.h) owns Kafka and time, a sink owns its storage.
 *
 * The life of a partition in a sink:
 *
 *     take()    the sink says where it continues
 *     put()*    messages in offset order, gaps allowed; nothing durable yet
 *     commit()  all that was put since the last commit, at once, or nothing
 *     drop()    the partition goes; what was not committed is forgotten
 *
 * After a commit() or put() that did not return DL_OK (or DL_INVALID), the
 * sink has forgotten what it had to forget, and the loop reads again from
 * next() of every partition, which is where the sink continues.
 *
 * What a status means to the loop (the one switch of dlc_loop.c):
 *
 *     DL_OK           done
 *     DL_INVALID      put: this message is a dead letter and was set aside;
 *                     it counts as put
 *     DL_LIMIT        as DL_INVALID
 *     DL_RETRY        lost a race: forget, read again at once
 *     DL_UNAVAILABLE, DL_NO_SPACE, DL_BUSY, DL_TIMEOUT
 *                     an outage: forget, wait 1 to 30 s, read again
 *     DL_CONFLICT     another program owns the partition now: forget, give
 *                     the assignment up and ask for a new one
 *     all others      end the program
 *
 * Thread: all functions are called on the consuming thread, one at a time.
 * A sink may use threads of its own behind them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_SINK_H
#define DLC_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_error.h"
#include "dl_line_note.h"

typedef struct dl_config dl_config;
typedef struct dl_dataset dl_dataset;
typedef struct dl_dataset_set dl_dataset_set;
typedef struct dl_stats dl_stats;
typedef struct dlc_sink dlc_sink;

/* One partition of one dataset, as loop and sink both see it.  Lives from
 * take() to drop(); the address is stable meanwhile. */
typedef struct dlc_part {
    const dl_dataset *dataset; /* whose topic it is; changes by a reload */
    const char *topic;         /* dataset->topic, lives with the process */
    int32_t partition;         /* number in the topic */
    int32_t generation;        /* set by take(): life of the topic */
    int64_t next;              /* loop: offset expected next, or -1 */
    void *sink_data;           /* the sink's own, untouched by the loop */
} dlc_part;

/* One message; payload and key are dead when put() returns. */
typedef struct dlc_message {
    dlc_part *part;           /* where it came from */
    bool end;                 /* no message, seen by the loop only: nothing
                          * readable lies before offset */
    int64_t offset;           /* >= part->next */
    int64_t time_us;          /* Kafka timestamp, microseconds since 1970 */
    const void *payload;      /* value, or NULL for a tombstone */
    size_t len;               /* bytes of payload */
    const void *key;          /* key, or NULL */
    size_t key_len;           /* bytes of key */
    void *native;             /* rd_kafka_message_t for headers, or NULL */
    const dl_line_note *note; /* headers of one that is not from Kafka, or
                               * NULL */
} dlc_message;

/* Set *VALUE and *LEN to the value of the last header NAME of MSG; return
 * false when it has none.  Dead with the message. */
bool dlc_message_header(const dlc_message *msg, const char *name,
                        const char **value, size_t *len);

/* Set the headers of NOTE to those of MSG that the lake keeps, and its key to
 * the line's own.  Dead with the message. */
void dlc_message_note(dl_line_note *note, const dlc_message *msg);

/* What a sink does.  STATE is the sink's own. */
typedef struct dlc_sink_calls {
    /* Take the N partitions PARTS: set generation, next (-1: no row yet,
     * begin at the start) and sink_data of each.  CLUSTER is the id of the
     * Kafka cluster the offsets count in; when the sink remembers another one
     * for a partition, it leaves that one's next at DLC_PART_FOREIGN.
     * Called again with more partitions, never twice for the same without a
     * drop() between. */
    dl_status (*take)(dlc_sink *sink, dlc_part *const *parts, int n,
                      const char *cluster, dl_error *err);

    /* Add MSG to what the next commit makes durable. */
    dl_status (*put)(dlc_sink *sink, const dlc_message *msg, dl_error *err);

    /* The offsets of PART below NEXT are done: nothing readable is left there
     * (compaction, transaction markers).  As put() without data. */
    dl_status (*advance)(dlc_sink *sink, dlc_part *part, int64_t next,
                         dl_error *err);

    /* Return whether it is time to commit.  NOW_US is monotonic; CAUGHT_UP:
     * no message is waiting.  False while nothing is pending. */
    bool (*wants_commit)(dlc_sink *sink, int64_t now_us, bool caught_up);

    /* Make all that was put durable, with its offsets.  A sink may hand the
     * batch to a thread of its own and return before that is done; then a
     * failure comes out of the next call, and drop() waits for it. */
    dl_status (*commit)(dlc_sink *sink, dl_error *err);

    /* Forget all that was put since the last commit: the partitions were
     * lost.  Cannot fail.  NULL in a sink that never joins a group. */
    void (*forget)(dlc_sink *sink);

    /* Return where PART continues: one above the last offset that was put or
     * advanced over and is not forgotten; -1: no row yet. */
    int64_t (*next)(dlc_sink *sink, const dlc_part *part);

    /* Return the first offset of PART that is not durable yet, for lag
     * displays; NULL: the loop takes next() right after a commit(). */
    int64_t (*durable)(dlc_sink *sink, const dlc_part *part);

    /* Give the N partitions PARTS up, after a commit() or forget(). */
    void (*drop)(dlc_sink *sink, dlc_part *const *parts, int n);

    /* Background duty, called about every 100 ms: sealing, rollups, numbers.
     * May commit its own housekeeping, never pending messages. */
    dl_status (*tick)(dlc_sink *sink, dl_error *err);

    /* Bring open work to a readable end now (lake: seal all open parts);
     * NULL when there is nothing of the kind. */
    dl_status (*seal)(dlc_sink *sink, dl_error *err);

    /* Use the declarations SET from now on; the old ones live until the
     * process ends.  Nothing is pending. */
    dl_status (*reload)(dlc_sink *sink, const dl_dataset_set *set,
                        dl_error *err);

    /* An operator accepts that the topic of the N PARTS, all it has, was made
     * anew: begin the next generation on CLUSTER, without offsets; generation
     * and next of each part are set as by take().  Nothing is pending. */
    dl_status (*renew)(dlc_sink *sink, dlc_part *const *parts, int n,
                       const char *cluster, dl_error *err);

    /* Release files and connections; nothing is pending. */
    void (*close)(dlc_sink *sink);
} dlc_sink_calls;

/* take(): the stored offset counts in another Kafka cluster. */
#define DLC_PART_FOREIGN INT64_C(-2)

/* take(): the sink cannot store this one now (its table is missing, or waits
 * for a rebuild) and has said so; the loop leaves it out and offers it again
 * half a minute later. */
#define DLC_PART_CLOSED INT64_C(-3)

/* A sink. */
struct dlc_sink {
    const char *name;            /* "lake" or "warehouse": label of numbers */
    const dlc_sink_calls *calls; /* what it does */
    size_t pending_bytes;        /* put, not committed; kept by the sink */
    int64_t dead_letters;        /* set aside since the start; by the sink */
};

/* Create the sink that writes the lake.  The lock of a dataset is taken, and
 * its last writer's traces are recovered, by the first take() that names it:
 * a second process is told DL_BUSY there and waits.  Numbers go to STATS (may
 * be NULL).  Closed with POOL. */
DL_MUSTCHECK dl_status dlc_sink_lake_create(dlc_sink **sink,
                                            const dl_config *cfg,
                                            dl_stats *stats, dl_error *err,
                                            apr_pool_t *pool);

/* Create the sink that loads the warehouse.  Connects lazily: an absent
 * database is DL_UNAVAILABLE of take().  Closed with POOL. */
DL_MUSTCHECK dl_status dlc_sink_warehouse_create(dlc_sink **sink,
                                                 const dl_config *cfg,
                                                 const dl_dataset_set *set,
                                                 dl_stats *stats, dl_error *err,
                                                 apr_pool_t *pool);

/* SINK, a warehouse's, fills tables for a rebuild: it takes partitions of topics
 * that are marked as not complete (dlc_rebuild.h), too. */
void dlc_sink_warehouse_refill(dlc_sink *sink);

#endif
