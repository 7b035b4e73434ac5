/* mdl_events.h - Answers that go on: server-sent events (contract 7.2).
 *
 * A stream holds a thread, so there are DataLakeStreamThreads of them in a
 * server and at most MDL_EVENTS_ACCOUNT of one account, counted in shared
 * memory.  Who streams takes turns:
 *
 *     status = mdl_events_begin(&events, q);       503, 429
 *     while ((end = mdl_events_wait(events)) == MDL_EVENTS_GO_ON) {
 *         look; DL_OK from mdl_events_send(events, "job", data, len, &err)
 *     }
 *     return mdl_events_end(events, end);
 *
 * The wait looks at what ends a stream: the client is gone, httpd restarts or
 * stops, the token would not be taken any more.  Whoever is told an end that
 * is not the client's own gets the event "bye" before the close.
 *
 * Thread: the request's, unless a function says otherwise.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_EVENTS_H
#define MDL_EVENTS_H

#include <stddef.h>

#include <httpd.h>

#include "dl_error.h"
#include "dl_stats.h"
#include "mdl_request.h"

/* Streams of one account at once (contract 7.1). */
#define MDL_EVENTS_ACCOUNT 50

/* Most streams of a server: DataLakeStreamThreads is not larger. */
#define MDL_EVENTS_MOST 1024

/* Why a stream ends. */
typedef enum mdl_events_reason {
    MDL_EVENTS_GO_ON,     /* it does not */
    MDL_EVENTS_DONE,      /* there is nothing more to tell */
    MDL_EVENTS_GONE,      /* the client is gone */
    MDL_EVENTS_RESTART,   /* this child of httpd ends */
    MDL_EVENTS_NO_ACCESS, /* the caller may not see it any more */
    MDL_EVENTS_REASONS    /* how many there are */
} mdl_events_reason;

/* A stream. */
typedef struct mdl_events mdl_events;

/* Make the places in shared memory.  DL_IO: the system refuses.  Thread: start
 * only. */
DL_MUSTCHECK dl_status mdl_events_open(const server_rec *server, dl_error *err);

/* Begin the stream *EVENTS as the answer to Q, in r->pool.  Returns OK, or the
 * status of the problem that was named: 503 overloaded, 429
 * too-many-connections. */
int mdl_events_begin(mdl_events **events, mdl_request *q);

/* Send the event NAME (static) with the LEN bytes of JSON at DATA.  DL_IO: the
 * client is gone. */
DL_MUSTCHECK dl_status mdl_events_send(mdl_events *events, const char *name,
                                       const char *data, size_t len,
                                       dl_error *err);

/* Send a comment, so that all on the way know that EVENTS lives.  Failures as
 * above. */
DL_MUSTCHECK dl_status mdl_events_beat(mdl_events *events, dl_error *err);

/* Wait for half a second and return whether the stream goes on. */
mdl_events_reason mdl_events_wait(mdl_events *events);

/* End EVENTS for REASON and give its place back; returns OK. */
int mdl_events_end(mdl_events *events, mdl_events_reason reason);

/* Add how many streams there are, and how many events they sent, to SAMPLES.
 * Thread: the owner of SAMPLES. */
void mdl_events_collect(dl_stats_samples *samples);

#endif
