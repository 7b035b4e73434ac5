/* mdl_wh_pool.h - Inside the pool of warehouse connections: what mdl_wh.c
 * (requests) and mdl_wh_keeper.c (the keeper) share, and nobody else sees.
 *
 *   slot     FREE -> CONNECTING (keeper) -> IDLE -> BUSY (request) -> IDLE
 *            CONNECTING -> FREE on failure, BUSY -> FREE when it was lost
 *
 * One mutex guards the pool.  The keeper is the only thread that connects;
 * requests borrow, run and give back.  The waits use the monotonic clock, so
 * a jump of the wall clock neither ends nor prolongs one.
 *
 * The keeper cuts connections of requests in flight by shutting a duplicate
 * of their socket: the library closes its own descriptor by itself on an
 * error, and its number may then be a client's of httpd.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_WH_POOL_H
#define MDL_WH_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "dl_wh.h"
#include "mdl_wh.h"

#define MDL_WH_SLOTS  64    /* more connections than this are never useful */
#define MDL_WH_NO_CUT DL_OK /* the keeper has not shut the socket */

/* What a place for a connection is doing. */
typedef enum mdl_wh_slot_state {
    MDL_WH_SLOT_FREE,       /* no connection */
    MDL_WH_SLOT_CONNECTING, /* the keeper is at it */
    MDL_WH_SLOT_IDLE,       /* waits for a request */
    MDL_WH_SLOT_BUSY        /* a request has it */
} mdl_wh_slot_state;

/* One place for a connection. */
typedef struct mdl_wh_slot {
    mdl_wh_slot_state state; /* changed under the mutex */
    dl_wh *wh;               /* the connection, in pool */
    apr_pool_t *pool;        /* the connection's own pool and allocator */
    int socket;              /* a duplicate of its socket, -1: none */
    int64_t since_us;        /* when the state began */
    unsigned era;            /* the pool's era when it was connected */
    dl_status cut; /* why the keeper shut the socket, else MDL_WH_NO_CUT */
} mdl_wh_slot;

/* States of the breaker; mdl_wh.h says what they mean. */
typedef enum mdl_wh_breaker {
    MDL_WH_BREAKER_CLOSED, /* requests pass */
    MDL_WH_BREAKER_OPEN,   /* requests fail at once */
    MDL_WH_BREAKER_PROBING /* they still do, and the keeper is connecting */
} mdl_wh_breaker;

/* What came of a question to the server. */
typedef enum mdl_wh_answer {
    MDL_WH_ANSWERED, /* as it should be */
    MDL_WH_REFUSED,  /* the server said no: too many connections, a wrong
                        password; it lives */
    MDL_WH_SILENT,   /* nothing, in the time that is given */
    MDL_WH_LATE      /* nothing, and the end of that time came late: the machine
                        is slow */
} mdl_wh_answer;

struct mdl_wh_pool {
    mdl_wh_pool *next;          /* the next pool of this child */
    const dl_wh_target *target; /* where to connect */
    pthread_mutex_t mutex;      /* guards everything below */
    pthread_cond_t available;   /* an idle slot, or the breaker opened */
    pthread_cond_t work;        /* the keeper has something to do */
    pthread_t keeper;           /* the thread that connects and looks */
    int stop;                   /* 1: the child ends */
    int max;                    /* slots in use, at most MDL_WH_SLOTS */
    int wanted;                 /* requests that wait for a connection */
    mdl_wh_breaker state;       /* of the breaker */
    int failures;               /* in a row */
    unsigned era;               /* raised when connections were lost: what is
                                   idle since before is not used again */
    int64_t next_try_us;        /* the keeper connects not before this */
    int late;                   /* failures that came late, not counted */
    int64_t alive_us;           /* the server last answered then */
    int asked;                  /* 1: somebody waits for a sign of life */
    int64_t asking_us;          /* it is being asked since then, 0: it is not */
    int64_t next_watch_us;      /* no try for the keeper's own before this */
    mdl_wh_slot watch;          /* the keeper's own connection, for questions
                                   alone; no other thread looks at it */
    unsigned long waits;        /* for mdl_wh_state */
    unsigned long refused;      /* for mdl_wh_state */
    mdl_wh_slot slot[MDL_WH_SLOTS]; /* the connections */
};

/* Count a failure WHY; MDL_WH_FAILURES in a row open the breaker.  The mutex
 * is held.  Thread: any. */
void mdl_wh_failed(mdl_wh_pool *pool, const char *why);

/* Note that the server answered just now.  The mutex is held.  Thread: any. */
void mdl_wh_alive(mdl_wh_pool *pool);

/* Put S into STATE, now.  The mutex is held.  Thread: any. */
void mdl_wh_slot_set(mdl_wh_slot *s, mdl_wh_slot_state state);

/* Close what S holds; it is CONNECTING, so nobody else looks at it.  The mutex
 * is not held.  Thread: the one that made it CONNECTING. */
void mdl_wh_slot_close(mdl_wh_slot *s);

/* Return how many slots of POOL are in STATE.  The mutex is held. */
int mdl_wh_count(const mdl_wh_pool *pool, mdl_wh_slot_state state);

/* Return the idle slot used last, or -1.  The mutex is held. */
int mdl_wh_idle_slot(const mdl_wh_pool *pool);

/* Connect S, which is CONNECTING or the keeper's own, to TARGET; *HEARD as
 * dl_wh_connect_heard says.  The mutex is not held.  Thread: the keeper. */
DL_MUSTCHECK dl_status mdl_wh_slot_connect(mdl_wh_slot *s, bool *heard,
                                           const dl_wh_target *target,
                                           dl_error *err);

/* Shut the sockets of the requests that are inside the server since before
 * BEFORE_US; they return with CUT.  The mutex is held.  Thread: the keeper. */
void mdl_wh_cut_since(mdl_wh_pool *pool, int64_t before_us, dl_status cut);

/* Return whether a request waits for the server for MDL_WH_STALL_MS, and
 * nothing was heard of it in that time.  The mutex is held.  Thread: the
 * keeper. */
int mdl_wh_stalled(const mdl_wh_pool *pool, int64_t now_us);

/* Connect S as mdl_wh_slot_connect and say what came of it.  The mutex is not
 * held.  Thread: the keeper. */
mdl_wh_answer mdl_wh_connect(mdl_wh_slot *s, mdl_wh_pool *pool, dl_error *err);

/* Count ANSWER: a sign of life or a failure WHY, or neither.  The mutex is
 * held.  Thread: the keeper. */
void mdl_wh_heard(mdl_wh_pool *pool, mdl_wh_answer answer, const char *why);

/* Ask the server until there is a sign of life, of any connection, or the
 * breaker is open; then all requests in flight return.  The mutex is held, but
 * not while asking.  Thread: the keeper. */
void mdl_wh_ask(mdl_wh_pool *pool);

/* The keeper's life; DATA is its pool.  Ends when stop is set. */
void *mdl_wh_keeper(void *data);

#endif
