/* dl_outbox.h - Change events on their way from the warehouse to their topic.
 *
 * A request puts its event in the transaction of its change, without a number
 * and without waiting for any other change.  Who holds the lease numbers what
 * is there (dl_outbox_number), and sends it in the order of the numbers.
 *
 * That order is enough.  A change locks every row it touches before it adds its
 * event, until it is committed; so of two changes with a row in common the
 * second adds its event when that of the first is committed: the server counts
 * it higher, and nobody sees it without the other.  Events are numbered as they
 * were counted.  One that was counted lower and comes to light later is
 * numbered later; it has no row in common with any that is numbered already,
 * and the order of such two makes no difference to a rebuild, which applies each
 * to its own rows.
 *
 * A number is given once, by compare and set, under the lock of the lease's
 * row: a program that was stopped for long and wakes up without the lease
 * numbers nothing.  What gets a number is durable, as the transaction that gives
 * it comes later.  Numbers are made of the time, so that they rise even when the
 * database is put back to an older state.
 *
 * A backup has numbers of all its events: else one that is sent behind it, and
 * sent again when the database is put back, would be another message for the
 * lake, which tells what comes again by its number.  Nobody gives numbers from
 * before the backup's moment (dl_outbox_hold) until those have one that have
 * none in it (dl_outbox_number_seen); what they get goes into the backup beside
 * the rows.
 *
 * Thread: that of the connection, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_OUTBOX_H
#define DL_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>
#include <apr_tables.h>

#include "dl_error.h"
#include "dl_time.h"
#include "dl_wh.h"

/* Bytes a key of an event may have. */
#define DL_OUTBOX_KEY_MAX 255

/* Events that are numbered, and read, at a time. */
#define DL_OUTBOX_BATCH 256

/* One event. */
typedef struct dl_outbox_event {
    int64_t id;         /* its number, increasing in its topic */
    const char *topic;  /* where it goes */
    const char *key;    /* of its message, ends in NUL */
    const char *value;  /* a JSON object */
    size_t len;         /* bytes of it */
    dl_time created_at; /* when the change was made */
} dl_outbox_event;

/* Put EVENT, whose number is not looked at, in the transaction of WH, as its
 * last statement: all rows that it changes are locked. */
DL_MUSTCHECK dl_status dl_outbox_add(dl_wh *wh, const dl_outbox_event *event,
                                     dl_error *err);

/* Give numbers at NOW to up to DL_OUTBOX_BATCH events that have none, when
 * OWNER holds the lease; committed when it returns.  DL_RETRY: another one
 * does, or did; nothing was numbered. */
DL_MUSTCHECK dl_status dl_outbox_number(dl_wh *wh, const char *owner,
                                        dl_time now, dl_error *err,
                                        apr_pool_t *scratch_pool);

/* An event that got a number. */
typedef struct dl_outbox_numbered {
    int64_t row; /* its place in the table */
    int64_t id;  /* its number */
} dl_outbox_numbered;

/* Begin a transaction of WH; until it ends nobody else gives numbers.  Whoever
 * sends them waits, requests do not. */
DL_MUSTCHECK dl_status dl_outbox_hold(dl_wh *wh, dl_error *err);

/* Give numbers at NOW to all events that have none in the snapshot of SEEN,
 * which was begun since WH holds; add each to NUMBERS, of dl_outbox_numbered;
 * commit WH. */
DL_MUSTCHECK dl_status dl_outbox_number_seen(apr_array_header_t *numbers,
                                             dl_wh *wh, dl_wh *seen,
                                             dl_time now, dl_error *err,
                                             apr_pool_t *scratch_pool);

/* Give the events of a database that was put back the N NUMBERS that they had
 * got, unless they have one; let each topic go on behind all of its numbers.
 * Nobody else is at it. */
DL_MUSTCHECK dl_status dl_outbox_number_again(const dl_outbox_numbered *numbers,
                                              int n, dl_wh *wh, dl_error *err);

/* Receives an event, which lives during the call. */
typedef dl_status dl_outbox_taker(void *context, const dl_outbox_event *event,
                                  dl_error *err);

/* Give up to DL_OUTBOX_BATCH events that have a number and wait to TAKER with
 * CONTEXT, in the order of the numbers. */
DL_MUSTCHECK dl_status dl_outbox_read(dl_wh *wh, dl_outbox_taker *taker,
                                      void *context, dl_error *err);

/* Events of a topic that were sent. */
typedef struct dl_outbox_sent {
    const char *topic;   /* whose */
    int64_t first, last; /* numbers; all between them were sent, too */
} dl_outbox_sent;

/* Note that SENT are with the broker since NOW. */
DL_MUSTCHECK dl_status dl_outbox_mark(dl_wh *wh, const dl_outbox_sent *sent,
                                      dl_time now, dl_error *err);

/* Remove some events that were sent before BEFORE; set *REMOVED to how
 * many. */
DL_MUSTCHECK dl_status dl_outbox_remove(uint64_t *removed, dl_wh *wh,
                                        dl_time before, dl_error *err);

/* Set *MINE to whether OWNER sends events until UNTIL: it did already, or
 * nobody does at NOW. */
DL_MUSTCHECK dl_status dl_outbox_lease(bool *mine, dl_wh *wh, const char *owner,
                                       dl_time now, dl_time until,
                                       dl_error *err);

#endif
