/* mdl_change.h - What PUT and DELETE of the multi-source lake share: one
 * transaction that changes rows and leaves an event for the lake.
 *
 *   mdl_api_logs_change.c     /v1/logs/{ip}
 *   mdl_api_posts_change.c    /v1/social/{post_id}
 *   mdl_api_clients_change.c  /v1/transactions/{client_id}
 *
 * In this order: the rows with the key are locked; what the warehouse has
 * loaded is read; If-Match is judged; the event is made, applied by the code a
 * rebuild applies it with (dl_change.h), and stored beside.  Changes wait for
 * each other, and for the loader, only when they meet in a row: the relay
 * numbers the events later (dl_outbox.h).
 *
 * Thread: the request's, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_CHANGE_H
#define MDL_CHANGE_H

#include "dl_error.h"
#include "dl_json_write.h"
#include "mdl_answer.h"
#include "mdl_request.h"

struct dl_wh;
struct mdl_change;

/* Most bytes of a key as JSON, however it is escaped. */
#define MDL_CHANGE_KEY 2048

/* What one resource does its own way.  TRY counts the keys that were tried. */
typedef struct mdl_change_kind {
    const char *dataset; /* to whose topic the event goes */
    const char *also;    /* dataset whose rows change, too; NULL: none */
    const char *missing; /* said when there are no such rows */

    /* Write the members of the key to W, whose object is open; the rows may be
     * looked at by WH.  DL_NOT_FOUND: there is none, or not another one. */
    dl_status (*key)(dl_json_writer *w, const struct mdl_change *change,
                     struct dl_wh *wh, int try, dl_error *err);

    /* Set ETAG to the validator that GET gives now for that key. */
    dl_status (*etag)(char etag[MDL_ETAG_TEXT], const struct mdl_change *change,
                      struct dl_wh *wh, int try, dl_error *err);
} mdl_change_kind;

/* One change. */
typedef struct mdl_change {
    mdl_request *q;              /* who asks */
    const mdl_change_kind *kind; /* how */
    const void *context;         /* of the calls of KIND */
    const char *record_key;      /* key of the event's message; ends in NUL */
    const dl_buf *changes;       /* an object of members that change; NULL: the
                                    rows are deleted */
    bool also;                   /* rows of the other dataset change, too */
} mdl_change;

/* Begin the object of members that change, for a body of Q, and return its
 * buffer; W writes to it until mdl_change_judge. */
dl_buf *mdl_change_begin(dl_json_writer *w, mdl_request *q);

/* End W and judge what BUF holds as members of DATASET, by the declaration.
 * Returns OK or the status of Q's problem: 422, with the member's name. */
int mdl_change_judge(dl_json_writer *w, mdl_request *q, const dl_buf *buf,
                     const char *dataset);

/* Make CHANGE and answer it: {"updated":N} or {"deleted":N}, 404, 412.
 * Returns OK or the status of a problem. */
int mdl_change_run(const mdl_change *change);

/* Write member NAME with the text of member I of Q, if it was sent. */
void mdl_change_text(dl_json_writer *w, const mdl_request *q, int i,
                     const char *name);

#endif
