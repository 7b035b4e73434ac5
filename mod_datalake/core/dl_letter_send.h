/* dl_letter_send.h - Who sends a dead letter again: taking it, and saying what
 * became of it.
 *
 *     take   it is open, and nobody else's until it is given back
 *     sent   the broker has it: it is redriven
 *     back   the broker does not have it: it is open for everybody
 *
 * Between take and one of the others lies the broker's answer.  Who dies
 * there, or hears nothing, leaves a dead letter in doubt: nobody may take it
 * until its time is over and datalake-jobs has looked in the topic whether a
 * message with the header dl-replay-id of that attempt is there.  So no dead
 * letter reaches its topic twice.
 *
 * Thread: the connection's, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LETTER_SEND_H
#define DL_LETTER_SEND_H

#include <stdint.h>

#include "dl_error.h"
#include "dl_time.h"
#include "dl_token.h"

struct dl_wh;

/* What tells a dead letter that is sent again from other messages. */
#define DL_LETTER_ORIGIN_HEADER "dl-origin"
#define DL_LETTER_ORIGIN        "redrive"
#define DL_LETTER_REPLAY_HEADER "dl-replay-id"

/* How long after it was taken nobody looks for it: longer than the broker may
 * take to store what was sent to it. */
#define DL_LETTER_DOUBT_US (INT64_C(30) * DL_SECOND_US)

/* One attempt. */
typedef struct dl_letter_attempt {
    int64_t id;                          /* of the dead letter */
    char replay_id[DL_TOKEN_ID_MAX + 1]; /* of this attempt, a new UUID */
} dl_letter_attempt;

/* Take ATTEMPT's dead letter at NOW.  DL_CONFLICT: it is not open, or another
 * has it. */
DL_MUSTCHECK dl_status dl_letter_take(struct dl_wh *wh,
                                      const dl_letter_attempt *attempt,
                                      dl_time now, dl_error *err);

/* The broker has it. */
DL_MUSTCHECK dl_status dl_letter_sent(struct dl_wh *wh,
                                      const dl_letter_attempt *attempt,
                                      dl_error *err);

/* The broker does not have it and will not get it. */
DL_MUSTCHECK dl_status dl_letter_back(struct dl_wh *wh,
                                      const dl_letter_attempt *attempt,
                                      dl_error *err);

/* A dead letter in doubt; texts are dead after the call that got them. */
typedef struct dl_letter_doubt {
    dl_letter_attempt attempt; /* the last one */
    const char *topic;         /* where it was sent to */
    dl_time taken;             /* when */
} dl_letter_doubt;

/* Receives one; as dl_letter_each. */
typedef dl_status dl_letter_doubt_each(void *context,
                                       const dl_letter_doubt *doubt,
                                       dl_error *err);

/* Call EACH with the dead letters that are in doubt at NOW, those taken first
 * first, at most 1,000. */
DL_MUSTCHECK dl_status dl_letter_doubts(struct dl_wh *wh, dl_time now,
                                        dl_letter_doubt_each *each,
                                        void *context, dl_error *err);

#endif
