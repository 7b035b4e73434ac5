/* dlc_collect_send.h - A source's records to the broker, and up to where all of
 * them are there.
 *
 * Records are sent in blocks.  A block that is marked holds the position behind
 * its last record; when the broker has confirmed every record of it and of
 * all blocks before it, that position may be stored.  Records are never given
 * up, so none overtakes another one of its partition: what a new process
 * sends again is what the broker has, in the same order.
 *
 * Thread: the owner.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_COLLECT_SEND_H
#define DLC_COLLECT_SEND_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_config.h"
#include "dl_error.h"
#include "dl_stats.h"
#include "dlc_collect.h"
#include "dlc_collect_record.h"
#include "dlc_collect_state.h"

/* A sender. */
typedef struct dlc_collect_sender dlc_collect_sender;

/* What it needs. */
typedef struct dlc_collect_sender_plan {
    const dl_config *cfg;    /* the brokers */
    const char *source;      /* name in headers */
    const char *topic;       /* where to */
    bool gather;             /* records may wait for others, see dlc_producer.h;
                              * else each goes at once */
    dl_stats *stats;         /* of the producer */
    dl_stats_value *records; /* counts what is with the broker */
    dl_stats_value *refused; /* counts what the broker refuses for good */
    int max_bytes;           /* of a batch, at most: what the topic takes */
} dlc_collect_sender_plan;

/* Set *SENDER to one for PLAN, in POOL.  Fails as dlc_producer_create. */
DL_MUSTCHECK dl_status dlc_collect_sender_create(
    dlc_collect_sender **sender, const dlc_collect_sender_plan *plan,
    dl_error *err, apr_pool_t *pool);

/* Records that follow are of TURN; all before them are with the broker, and how
 * far they came is stored. */
void dlc_collect_sender_turn(dlc_collect_sender *sender, int64_t turn);

/* Send RECORD, made of ROW.  DL_UNAVAILABLE: there is no room now, send it
 * again; DL_INVALID: it is too big; DL_NOT_FOUND: no such topic. */
DL_MUSTCHECK dl_status dlc_collect_sender_send(dlc_collect_sender *sender,
                                               const dlc_collect_record *record,
                                               const dlc_collect_row *row,
                                               dl_error *err);

/* PLACE is behind all that was sent. */
void dlc_collect_sender_mark(dlc_collect_sender *sender,
                             const dlc_collect_place *place);

/* Serve reports, waiting up to TIMEOUT_MS for the first. */
void dlc_collect_sender_poll(dlc_collect_sender *sender, int timeout_ms);

/* Return the newest marked position behind records that are all with the
 * broker, NULL: there is none since the last call.  Valid until the next. */
const dlc_collect_place *dlc_collect_sender_safe(dlc_collect_sender *sender);

/* What dlc_collect_sender_safe returned could not be stored: return it
 * again. */
void dlc_collect_sender_again(dlc_collect_sender *sender);

/* Return whether all that was sent is with the broker, or refused. */
bool dlc_collect_sender_idle(const dlc_collect_sender *sender);

/* Return for how long records have waited without any report, in
 * microseconds, as far as it was called. */
int64_t dlc_collect_sender_silence(dlc_collect_sender *sender);

/* DL_OK, or what became of a record that was not stored, or refused, though
 * records behind it may be stored: nothing more may be sent in this turn. */
DL_MUSTCHECK dl_status
dlc_collect_sender_failed(const dlc_collect_sender *sender, dl_error *err);

#endif
