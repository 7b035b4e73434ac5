/* dlc_loop_state.h - What the files of the loop share; nobody else.
 *
 *     dlc_loop.c       the page: take, put, commit; what a failure means
 *     dlc_loop_seek.c  from nothing to an assignment; what a group tells
 *     dlc_loop_duty.c  what is due by the clock, and what signals ask for
 *     dlc_loop_parts.c the table of topics and partitions
 *
 * `epoch` rises with each change of plan.  A batch that was taken under
 * another epoch is thrown away unread, because its messages may lie behind
 * offsets the sink has meanwhile forgotten.
 *
 * Thread: the consuming thread.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_LOOP_STATE_H
#define DLC_LOOP_STATE_H

#include "dl_stats.h"
#include "dlc_loop.h"
#include "dlc_loop_parts.h"

/* What the loop is at. */
typedef enum dlc_loop_state {
    DLC_LOOP_SEEKING, /* no partition is read */
    DLC_LOOP_READING, /* partitions are read */
    DLC_LOOP_ENDING   /* leave */
} dlc_loop_state;

/* Messages of one take().  The client gathers up to DLC_TAKE_MS for a full
 * batch, so that time bounds the delay of a single message. */
#define DLC_TAKE_MAX 2048
#define DLC_TAKE_MS  20

/* A second of the monotonic clock. */
#define DLC_SECOND_US INT64_C(1000000)

/* One loop. */
typedef struct dlc_loop {
    const dlc_loop_options *o; /* what the program gave */
    apr_pool_t *pool;          /* where declarations of reloads lie */
    dlc_source *source;        /* o->source */
    dlc_sink *sink;            /* o->sink */
    dlc_table *table;          /* topics and partitions */
    dlc_loop_state state;      /* see above */
    unsigned epoch;            /* rises with each change of plan */
    const char *cluster;       /* id, NULL until learned */
    bool subscribed;           /* the group was joined */
    bool caught_up;            /* no message waits */
    bool missing;              /* a topic does not exist yet */
    dl_status verdict;         /* what dlc_loop_run returns */
    dl_error err;              /* why */
    int64_t retry_us;          /* monotonic time of the next seek */
    int64_t wait_us;           /* the wait of this outage, 0: none */
    int64_t read_us;           /* monotonic begin of this reading */
    int64_t away_us;           /* monotonic begin of the outage, 0: none */
    int64_t tick_us;           /* monotonic times of the next duties */
    int64_t second_us;         /* numbers, watchdog */
    int64_t topics_us;         /* partition counts */
    uint32_t random;           /* state of the jitter */
    dl_stats_value *degraded;  /* datalake_sink_degraded */
    dlc_message batch[DLC_TAKE_MAX]; /* messages in hand */
    dlc_part *parts[DLC_LANES_MAX];  /* scratch: a selection */
    int64_t next[DLC_LANES_MAX];     /* scratch: offsets beside parts */
} dlc_loop;

/* Give reading up and seek again after WAIT_US microseconds. */
void dlc_loop_again(dlc_loop *l, int64_t wait_us);

/* Make what was put durable; DL_OK also when nothing was. */
DL_MUSTCHECK dl_status dlc_loop_flush(dlc_loop *l);

/* Note that the outage, if there was one, is over. */
void dlc_loop_recovered(dlc_loop *l);

/* Give STATUS, told by l->err, its meaning: go on, set aside, retry, give the
 * assignment up, stop.  LANE is the partition of a put(), else NULL. */
void dlc_loop_decide(dlc_loop *l, dl_status status, dlc_lane *lane);

/* Commit, stop LANE for the reason WHY (static text), and go on with the
 * others. */
void dlc_loop_stop_lane(dlc_loop *l, dlc_lane *lane, const char *why);

/* Try to begin reading when it is time to. */
void dlc_loop_seek(dlc_loop *l);

/* Learn which partitions the topics have now; set *NEW_LANES when one came.
 * DL_UNAVAILABLE: the broker was not reached. */
DL_MUSTCHECK dl_status dlc_loop_learn_partitions(dlc_loop *l, bool *new_lanes);

/* Offer the sink again what it could not store half a minute ago, or, with
 * ALL, what it cannot store at all. */
void dlc_loop_reopen(dlc_loop *l, bool all);

/* What a source tells, from inside take(). */
extern const dlc_source_events dlc_loop_events;

/* Do what is due by the clock. */
void dlc_loop_clock(dlc_loop *l);

/* Do what signals ask for. */
void dlc_loop_wishes(dlc_loop *l);

#endif
