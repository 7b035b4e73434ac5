/* dl_outbox.h - Change events on their way from the warehouse to their topic.
 *
 * A request puts its event in the transaction of its change; a relay sends
 * what is there.  The ids of a topic are taken one after another, under a lock
 * that is held until the change is committed: whoever reads the events by id
 * misses none that comes later, and what the event says was loaded never goes
 * back.  An id is made of the time, so that it rises even when the database is
 * put back to an older state.
 *
 * Thread: that of the connection, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_OUTBOX_H
#define DL_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dl_error.h"
#include "dl_time.h"
#include "dl_wh.h"

/* Bytes a key of an event may have. */
#define DL_OUTBOX_KEY_MAX 255

/* One event. */
typedef struct dl_outbox_event {
    int64_t id;         /* increasing in its topic */
    const char *topic;  /* where it goes */
    const char *key;    /* of its message, ends in NUL */
    const char *value;  /* a JSON object */
    size_t len;         /* bytes of it */
    dl_time created_at; /* when the change was made */
} dl_outbox_event;

/* Set *ID to the id of the next event of TOPIC at NOW, and hold all others of
 * the topic back until the transaction of WH ends. */
DL_MUSTCHECK dl_status dl_outbox_number(int64_t *id, dl_wh *wh,
                                        const char *topic, dl_time now,
                                        dl_error *err);

/* Put EVENT in the transaction of WH.  DL_RETRY: another topic has the id. */
DL_MUSTCHECK dl_status dl_outbox_add(dl_wh *wh, const dl_outbox_event *event,
                                     dl_error *err);

/* Receives an event, which lives during the call. */
typedef dl_status dl_outbox_taker(void *context, const dl_outbox_event *event,
                                  dl_error *err);

/* Give up to MAX events that wait to TAKER with CONTEXT, by id. */
DL_MUSTCHECK dl_status dl_outbox_read(dl_wh *wh, int max,
                                      dl_outbox_taker *taker, void *context,
                                      dl_error *err);

/* Events of a topic that were sent. */
typedef struct dl_outbox_sent {
    const char *topic;   /* whose */
    int64_t first, last; /* ids; all between them were sent, too */
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
