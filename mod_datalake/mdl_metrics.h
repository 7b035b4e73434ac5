/* mdl_metrics.h - What the module counts about itself, in shared memory.
 *
 * One block for all children, kept over graceful restarts: per route a counter
 * for each method and status, a histogram of durations and the bytes sent.
 * Counting is a few relaxed additions, no lock.  The block is a plain array of
 * 64-bit atomics; its layout depends on the number of routes alone, so a
 * restart that changes the route table starts it anew.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_METRICS_H
#define MDL_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "dl_buf.h"
#include "dl_error.h"

/* One finished request. */
typedef struct mdl_metrics_request {
    int route;           /* row of the route table; -1: no route of ours */
    const char *method;  /* as sent; unknown ones count as "OTHER" */
    int status;          /* HTTP status; unknown ones count as 0 */
    int64_t duration_us; /* from the request line to the last byte given on */
    uint64_t bytes;      /* body bytes sent */
} mdl_metrics_request;

/* Counters that are not about one request. */
typedef enum mdl_metrics_counter {
    MDL_METRICS_QUERIES_OK,     /* warehouse reads that answered */
    MDL_METRICS_QUERIES_FAILED, /* warehouse reads that failed */
    MDL_METRICS_CACHE_HITS,     /* answers taken from the answer cache */
    MDL_METRICS_CACHE_MISSES,   /* answers made */
    MDL_METRICS_SHED_USER,      /* requests sent away by overload */
    MDL_METRICS_COUNTERS        /* how many there are */
} mdl_metrics_counter;

/* Return how many bytes of shared memory N_ROUTES routes need.
 * Thread: start only. */
size_t mdl_metrics_size(int n_routes);

/* Use the zeroed or kept block MEMORY of mdl_metrics_size(N_ROUTES) bytes from
 * now on; until then nothing is counted.  Thread: start only. */
void mdl_metrics_attach(void *memory, int n_routes);

/* A request came in; mdl_metrics_finish ends it.  Thread: any. */
void mdl_metrics_start(void);

/* Count REQUEST, which mdl_metrics_start announced.  Thread: any. */
void mdl_metrics_finish(const mdl_metrics_request *request);

/* Add N to COUNTER.  Thread: any. */
void mdl_metrics_add(mdl_metrics_counter counter, uint64_t n);

/* Append everything counted to OUT in Prometheus text; TEMPLATES holds the
 * path template of each route.  DL_LIMIT: OUT is full.  Thread: any. */
DL_MUSTCHECK dl_status mdl_metrics_render(dl_buf *out,
                                          const char *const *templates,
                                          dl_error *err);

#endif
