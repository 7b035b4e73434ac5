/* dlc_simulate_kafka.h - Sending what a plan makes: to Kafka or to a stream.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_SIMULATE_KAFKA_H
#define DLC_SIMULATE_KAFKA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <apr_pools.h>

#include "dl_config.h"
#include "dl_error.h"
#include "dlc_simulate.h"

/* One run of datalake-simulate.  The counters may be read by any thread. */
typedef struct dlc_simulate_run {
    const dlc_simulate_plan *plan; /* what to make */
    const dl_config *cfg;          /* whose brokers; not needed for print */
    const char *topic;             /* where it goes */
    int64_t rate;                  /* records a second of all threads, 0: any */
    bool quiet;                    /* no progress bar */
    atomic_bool stop;              /* set by a signal: make no more */
    _Atomic int64_t made;          /* records handed over */
    _Atomic int64_t delivered;     /* confirmed by the broker, or printed */
    _Atomic int64_t failed;        /* given up by the client or the broker */
    _Atomic int64_t resent;        /* of those made, with an earlier id */
    _Atomic int64_t bad;           /* of those made, dead letters */
    _Atomic int64_t bytes;         /* of the values made */
    _Atomic int last_error;        /* rd_kafka_resp_err_t of the last failure */
} dlc_simulate_run;

/* Produce all records of RUN with its plan's threads, idempotent, acks=all,
 * lz4, and wait for every delivery report.  DL_NOT_FOUND: no such topic.
 * DL_UNAVAILABLE: no broker answers within 10 s, or records were given up
 * (60 s without an answer); the counters tell.  Thread: main. */
DL_MUSTCHECK dl_status dlc_simulate_produce(dlc_simulate_run *run,
                                            dl_error *err, apr_pool_t *pool);

/* Print all records of RUN to OUT, thread by thread in turns, as
 * "KEY<TAB>VALUE<LF>".  DL_IO: OUT cannot be written.  Thread: main. */
DL_MUSTCHECK dl_status dlc_simulate_print(dlc_simulate_run *run, FILE *out,
                                          dl_error *err, apr_pool_t *pool);

#endif
