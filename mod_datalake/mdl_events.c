/* mdl_events.c - Places, frames, and what ends a stream.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_events.h"

#include <limits.h>
#include <stdatomic.h>
#include <string.h>

#include <ap_mpm.h>

#include "dl_thread.h"
#include "dl_time.h"
#include "mdl_answer.h"
#include "mdl_auth.h"
#include "mdl_client.h"
#include "mdl_places.h"
#include "mdl_problem.h"
#include "mdl_shm.h"
#include "mdl_site.h"

/* Between two turns. */
#define TURN_US (INT64_C(500) * 1000)

/* What all streams of a server share. */
typedef struct events_shared {
    _Atomic uint64_t place[MDL_EVENTS_MOST]; /* mdl_places.h */
    _Atomic int64_t owner[MDL_EVENTS_MOST];  /* account of a place's holder */
    _Atomic int64_t frames;                  /* events that were sent */
} events_shared;

struct mdl_events {
    mdl_request *q;  /* what is answered */
    mdl_held held;   /* its place; place is NULL: none */
    mdl_stream *out; /* the answer */
};

/* Set at start, constant in the children. */
static events_shared *shared;

dl_status mdl_events_open(const server_rec *server, dl_error *err)
{
    void *memory;

    DL_TRY(mdl_shm_open(&memory, "streams", sizeof *shared, server, err));
    shared = memory;
    return DL_OK;
}

/* --- Places --------------------------------------------------------------- */

static apr_status_t give_place(void *data)
{
    mdl_events *events = data;

    if (events->held.place != NULL) {
        atomic_store(&shared->owner[events->held.place - shared->place], 0);
        mdl_places_give(&events->held);
        events->held.place = NULL;
    }
    return APR_SUCCESS;
}

/* How many streams the account USER_ID has; 0: any account. */
static int count_streams(int64_t user_id)
{
    int n = 0;
    int i;

    for (i = 0; i < MDL_EVENTS_MOST; i++) {
        int64_t owner = atomic_load(&shared->owner[i]);

        if (owner != 0 && (user_id == 0 || owner == user_id) &&
            mdl_places_taken(&shared->place[i])) {
            n++;
        }
    }
    return n;
}

/* Take a place for EVENTS; OK or the status of a problem. */
static int take_place(mdl_events *events)
{
    mdl_request *q = events->q;
    int most = q->site->config->stream_threads;

    if (!mdl_places_take(&events->held, shared->place, most, INT_MAX)) {
        events->held.place = NULL;
        return mdl_problem(q, MDL_PROBLEM_OVERLOADED,
                           "%d streams are open already.", most);
    }
    atomic_store(&shared->owner[events->held.place - shared->place],
                 q->identity.user_id);
    if (count_streams(q->identity.user_id) > MDL_EVENTS_ACCOUNT) {
        (void)give_place(events);
        return mdl_problem(q, MDL_PROBLEM_TOO_MANY_CONNECTIONS,
                           "The account has %d open streams already.",
                           MDL_EVENTS_ACCOUNT);
    }
    return OK;
}

/* --- Frames --------------------------------------------------------------- */

static dl_status put(mdl_events *events, const char *text, dl_error *err)
{
    return mdl_stream_write(events->out, text, strlen(text), err);
}

int mdl_events_begin(mdl_events **events, mdl_request *q)
{
    mdl_events *made = apr_pcalloc(q->r->pool, sizeof *made);
    int status = OK;

    made->q = q;
    if (!q->r->header_only) {
        status = take_place(made);
    }
    if (status != OK) {
        return status;
    }
    apr_pool_cleanup_register(q->r->pool, made, give_place,
                              apr_pool_cleanup_null);
    made->out = mdl_stream_open(q, NULL);
    /* A client that is gone is seen at the first wait. */
    (void)!put(made, "retry: 3000\n\n", NULL);
    *events = made;
    return OK;
}

/* JSON may hold line ends between its values only, where a blank is as
 * good. */
static dl_status put_line(mdl_events *events, const char *data, size_t len,
                          dl_error *err)
{
    while (len > 0) {
        size_t n = 0;

        while (n < len && data[n] != '\n' && data[n] != '\r') {
            n++;
        }
        DL_TRY(mdl_stream_write(events->out, data, n, err));
        if (n < len) {
            DL_TRY(put(events, " ", err));
            n++;
        }
        data += n;
        len -= n;
    }
    return DL_OK;
}

dl_status mdl_events_send(mdl_events *events, const char *name,
                          const char *data, size_t len, dl_error *err)
{
    DL_TRY(put(events, "event: ", err));
    DL_TRY(put(events, name, err));
    DL_TRY(put(events, "\ndata: ", err));
    DL_TRY(put_line(events, data, len, err));
    DL_TRY(put(events, "\n\n", err));
    atomic_fetch_add(&shared->frames, 1);
    return mdl_stream_flush(events->out, err);
}

dl_status mdl_events_beat(mdl_events *events, dl_error *err)
{
    DL_TRY(put(events, ":\n\n", err));
    return mdl_stream_flush(events->out, err);
}

/* --- The end -------------------------------------------------------------- */

/* Whether this child of httpd is to end: its streams would hold it back. */
static bool is_stopping(void)
{
    int state = AP_MPMQ_RUNNING;

    return ap_mpm_query(AP_MPMQ_MPM_STATE, &state) == APR_SUCCESS &&
           state == AP_MPMQ_STOPPING;
}

mdl_events_reason mdl_events_wait(mdl_events *events)
{
    if (!mdl_stream_wanted(events->out)) {
        return MDL_EVENTS_GONE; /* HEAD, too */
    }
    dl_thread_sleep(TURN_US);
    if (mdl_client_gone(events->q)) {
        return MDL_EVENTS_GONE;
    }
    if (is_stopping()) {
        return MDL_EVENTS_RESTART;
    }
    return mdl_auth_holds(events->q) ? MDL_EVENTS_GO_ON : MDL_EVENTS_NO_ACCESS;
}

int mdl_events_end(mdl_events *events, mdl_events_reason reason)
{
    static const char *const byes[MDL_EVENTS_REASONS] = {
        [MDL_EVENTS_RESTART] = "{\"type\":\"bye\",\"reason\":\"restart\","
                               "\"reconnect_after_s\":1}",
        [MDL_EVENTS_NO_ACCESS] = "{\"type\":\"bye\",\"reason\":\"access lost\","
                                 "\"reconnect_after_s\":0}"};

    if (byes[reason] != NULL) {
        /* Who does not hear it sees the end of the stream. */
        (void)!mdl_events_send(events, "bye", byes[reason],
                               strlen(byes[reason]), NULL);
    }
    (void)give_place(events);
    return mdl_stream_close(events->out, false);
}

void mdl_events_collect(dl_stats_samples *samples)
{
    int64_t streams = count_streams(0);
    int64_t frames = atomic_load(&shared->frames);

    dl_stats_samples_add(samples, DL_STATS_GAUGE, "datalake_streams",
                         "channel=\"jobs\",transport=\"sse\"", &streams);
    dl_stats_samples_add(samples, DL_STATS_COUNTER,
                         "datalake_stream_frames_total", "channel=\"jobs\"",
                         &frames);
}
