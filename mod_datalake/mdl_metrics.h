/* mdl_metrics.h - What the module counts about itself, in shared memory.
 *
 * One block for all children, kept over graceful restarts:
 *
 *   per route     a counter for each method and status, a histogram of
 *                 durations, the bytes sent
 *   counters      one per row of mdl_metrics_counter and per warehouse
 *                 statement and result
 *   children      64 places, each owned by one living child: its gauges
 *
 * Counting is a few relaxed additions, no lock.  A place whose owner is dead
 * is nobody's: it is not added up and the next child takes it.  The layout
 * depends on the number of routes alone; the caller zeroes a new block.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_METRICS_H
#define MDL_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dl_stats.h"

/* One finished request. */
typedef struct mdl_metrics_request {
    int route;           /* row of the route table; negative: not ours */
    const char *method;  /* as sent; unknown ones count as "OTHER" */
    int status;          /* HTTP status; unknown ones count as 0 */
    int64_t duration_us; /* from the request line to the last byte given on */
    uint64_t bytes;      /* body bytes sent */
} mdl_metrics_request;

/* Events that are counted; each is one row of the table in mdl_metrics.c. */
typedef enum mdl_metrics_counter {
    MDL_METRICS_SHED_WAREHOUSE,  /* no warehouse connection in time */
    MDL_METRICS_TOKEN_MISSING,   /* refused: no token sent */
    MDL_METRICS_TOKEN_MALFORMED, /* refused: not a token of ours */
    MDL_METRICS_TOKEN_SIGNATURE, /* refused: the signature does not match */
    MDL_METRICS_TOKEN_CLAIMS,    /* refused: wrong issuer, audience or type */
    MDL_METRICS_TOKEN_EXPIRED,   /* refused: too old or not valid yet */
    MDL_METRICS_TOKEN_ACCOUNT,   /* refused: account unknown or disabled */
    MDL_METRICS_AUDIT_ENTRIES,   /* lines of the audit log */
    MDL_METRICS_ACCESS_ISSUED,   /* access tokens given */
    MDL_METRICS_REFRESH_ISSUED,  /* refresh tokens given */
    MDL_METRICS_COUNTERS         /* how many there are */
} mdl_metrics_counter;

/* What a warehouse read is for; the label `statement`. */
typedef enum mdl_metrics_statement {
    MDL_METRICS_TOP_PRODUCTS,  /* top-products */
    MDL_METRICS_TOTAL_BY_USER, /* total-by-user */
    MDL_METRICS_USER_TYPE,     /* total_by_user */
    MDL_METRICS_WINDOW,        /* last-5min */
    MDL_METRICS_IDENTITY,      /* account look-ups of the gate */
    MDL_METRICS_STATEMENTS     /* how many there are */
} mdl_metrics_statement;

/* What came of a warehouse read; the label `result`. */
typedef enum mdl_metrics_result {
    MDL_METRICS_ANSWERED, /* ok */
    MDL_METRICS_FAILED,   /* failed */
    MDL_METRICS_CACHED,   /* cached: the answer cache had it, no SQL */
    MDL_METRICS_RESULTS   /* how many there are */
} mdl_metrics_result;

/* What a child has at this moment. */
typedef struct mdl_metrics_child {
    int64_t wh_idle;      /* warehouse connections waiting */
    int64_t wh_busy;      /* warehouse connections at work */
    int64_t breaker_open; /* 1: its breaker is open */
} mdl_metrics_child;

/* Return how many bytes of shared memory N_ROUTES routes need.
 * Thread: start only. */
size_t mdl_metrics_size(int n_routes);

/* Use the zeroed or kept block MEMORY of mdl_metrics_size(N_ROUTES) bytes from
 * now on; until then nothing is counted.  Thread: start only. */
void mdl_metrics_attach(void *memory, int n_routes);

/* Count REQUEST.  Thread: any. */
void mdl_metrics_finish(const mdl_metrics_request *request);

/* Count one COUNTER.  Thread: any. */
void mdl_metrics_count(mdl_metrics_counter counter);

/* Count one read for STATEMENT that ended in RESULT.  Thread: any. */
void mdl_metrics_query(mdl_metrics_statement statement,
                       mdl_metrics_result result);

/* Topics whose records are counted one by one. */
#define MDL_METRICS_TOPICS 64

/* Count one record for TOPIC that was stored (OK) or not; with all places
 * taken it is not counted.  Thread: any. */
void mdl_metrics_produced(const char *topic, bool ok);

/* Publish CHILD as the gauges of this process; a place is taken at the first
 * call.  With all 64 places taken nothing is published.  Thread: one per
 * child, the keeper of mdl_wh. */
void mdl_metrics_publish(const mdl_metrics_child *child);

/* Add everything counted to SAMPLES, whose text /metrics is; TEMPLATES holds
 * the path template of each route.  Thread: the owner of SAMPLES. */
void mdl_metrics_collect(dl_stats_samples *samples,
                         const char *const *templates);

#endif
