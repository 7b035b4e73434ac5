/* dlc_simulate.h - Seeded, realistic records of transaction_log.
 *
 * Every record is a pure function of (plan, thread, number): the same plan
 * gives the same bytes on every machine, however the threads are scheduled.
 * Amounts are whole hundredths from the draw to the text; no double is near.
 *
 *   dlc_simulate_draw.c   which transaction it is: the tables of values
 *   dlc_simulate_value.c  its JSON
 *   dlc_simulate_bad.c    records that must become dead letters
 *   dlc_simulate.c        the order: good, resent and bad ones of a thread
 *   dlc_simulate_kafka.c  threads, producer, delivery reports
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_SIMULATE_H
#define DLC_SIMULATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_error.h"
#include "dl_time.h"

/* Forms in which the member timestamp is written; a set of bits. */
enum dlc_simulate_times {
    DLC_TIMES_ZULU = 1,    /* 2026-05-18T09:30:00.123456Z */
    DLC_TIMES_OFFSET = 2,  /* 2026-05-18T11:30:00.123456+02:00 */
    DLC_TIMES_LOCAL = 4,   /* 2026-05-18 09:30:00.123456, meant as UTC */
    DLC_TIMES_UNIX = 8,    /* 1779096600.123456 */
    DLC_TIMES_MISSING = 16 /* no member: Kafka's timestamp counts */
};

/* How the JSON is written. */
typedef enum dlc_simulate_style {
    DLC_STYLE_COMPACT, /* no white space, UTF-8 */
    DLC_STYLE_PYTHON,  /* as json.dumps: blanks, \uXXXX */
    DLC_STYLE_MIXED    /* every fifth as json.dumps */
} dlc_simulate_style;

/* The kinds of dead letters, in the order in which they are made. */
enum dlc_bad_kind {
    DLC_BAD_NOT_JSON,   /* not-json */
    DLC_BAD_NOT_OBJECT, /* not-object */
    DLC_BAD_ENCODING,   /* encoding */
    DLC_BAD_TOO_BIG,    /* too-big */
    DLC_BAD_SCHEMA,     /* schema */
    DLC_BAD_TIME,       /* bad-time */
    DLC_BAD_KINDS       /* how many there are */
};

/* What is to be made. */
typedef struct dlc_simulate_plan {
    uint64_t seed;            /* of all randomness */
    int threads;              /* 1 to 256, each with numbers of its own */
    int64_t count;            /* good and resent records of all threads */
    int64_t bad;              /* further records of each dead-letter kind */
    int64_t users;            /* different users */
    int64_t resend;           /* millionths of records with an earlier id */
    dl_time until;            /* end of the event times */
    int64_t span_us;          /* they lie this far before until */
    unsigned times;           /* bits of dlc_simulate_times, not 0 */
    dlc_simulate_style style; /* of the JSON */
} dlc_simulate_plan;

/* One record; the bytes live until the next call with the same simulator. */
typedef struct dlc_simulated {
    const char *key;   /* the Kafka key */
    size_t key_len;    /* its bytes */
    const char *value; /* the Kafka value */
    size_t len;        /* its bytes, may be 0 */
    int bad;           /* a dlc_bad_kind, or -1 */
    bool resent;       /* its id came before */
} dlc_simulated;

/* Makes the records of one thread.  Thread: its own. */
typedef struct dlc_simulator dlc_simulator;

/* Return the simulator of THREAD (from 0) of PLAN, which must outlive it.
 * Out of memory ends the process.  Freed with POOL. */
dlc_simulator *dlc_simulator_create(const dlc_simulate_plan *plan, int thread,
                                    apr_pool_t *pool);

/* Set *OUT to the next record of SIM; false when it has made all. */
bool dlc_simulator_next(dlc_simulated *out, dlc_simulator *sim);

/* Records that THREAD of PLAN makes, bad ones too.  Thread: any. */
int64_t dlc_simulate_share(const dlc_simulate_plan *plan, int thread);

/* The name of a dlc_bad_kind as in the contract.  Static.  Thread: any. */
const char *dlc_bad_name(int kind);

#endif
