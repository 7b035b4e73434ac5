/* mdl_wh.h - The warehouse as a request sees it: a bounded pool of
 * connections that never makes a request wait for a dead server.
 *
 * One pool per child and connection setting; virtual hosts with equal
 * settings share it.  A connection belongs to one request at a time; its
 * statements are prepared once.  Requests never connect: a thread of the pool
 * (the keeper) does, because the client library counts time-outs in whole
 * seconds.  A request that finds no idle connection asks the keeper for one
 * and waits at most MDL_WH_WAIT_MS; then it is DL_UNAVAILABLE, which mdl_http.c
 * answers as 503 warehouse-unavailable with Retry-After.
 *
 * The breaker has three states, changed only by breaker_set() in
 * mdl_wh_keeper.c:
 *
 *   closed   requests get connections; each question that was not answered is
 *            a failure, a sign of life sets their count back to 0
 *   open     after MDL_WH_FAILURES failures in a row.  Every request fails at
 *            once, without a system call.  The keeper probes once a second
 *   probing  the keeper's probe is under way; requests still fail at once
 *
 * A sign of life is anything the server says: the answer to a request, to the
 * keeper, a new connection, even "too many connections".  A failure is a lost
 * connection, one that is not to be had, and silence.
 *
 * A server that hangs (SIGSTOP, black hole) answers nothing and refuses
 * nothing; a slow machine looks the same for a while.  So the keeper looks
 * every 100 ms for a request that has been inside the server for longer than
 * MDL_WH_STALL_MS while nothing at all was heard: the first failure.  Then it
 * asks: on a connection of its own, which it keeps for this and which needs
 * neither a log-in nor a lock of the server (700 ms), then by a new one (1 s).
 * Three questions, three roads: a server that answers on none of them is
 * away after 2 s, the breaker opens, and the sockets of all requests in flight
 * are shut, so that they return with DL_UNAVAILABLE.  Whatever is heard
 * meanwhile, on whichever road, ends it: of a server that is busy with one
 * request, or answers a second too late, nobody gets a 503.  The time is
 * counted in ticks of 100 ms of which each counts once, however late it ends,
 * and a time-out that ends late does not count, twice: when the machine
 * itself stood still, so did the server.
 *
 * A server that refuses (killed, no such port) opens the breaker at once.
 * One that is full does not, as long as the pool has connections that work.
 *
 * A request past MDL_WH_LIMIT_MS has its socket shut too: DL_TIMEOUT.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_WH_H
#define MDL_WH_H

#include <apr_pools.h>

#include "dl_error.h"

struct dl_wh;
struct dl_wh_target;

/* How long a request waits for a connection. */
#define MDL_WH_WAIT_MS 200

/* Failures in a row that open the breaker. */
#define MDL_WH_FAILURES 3

/* A request inside the server for this long, nothing being heard, makes the
 * keeper ask. */
#define MDL_WH_STALL_MS 300

/* How often a transaction that met others is tried. */
#define MDL_WH_WRITES 5

/* No read or change takes longer, all its tries together. */
#define MDL_WH_LIMIT_MS 30000

/* The connections of one child to one warehouse. */
typedef struct mdl_wh_pool mdl_wh_pool;

/* One borrowed connection. */
typedef struct mdl_wh {
    struct dl_wh *wh; /* the connection, for dl_wh_* calls */
    int slot;         /* its place in the pool; the pool's business */
} mdl_wh;

/* What a request does with a connection; called again on a fresh one when the
 * connection was lost, so it must only read and must start its output anew.
 * CONTEXT is the caller's. */
typedef dl_status mdl_wh_reader(struct dl_wh *wh, void *context, dl_error *err);

/* The pool's state, for health and /metrics. */
typedef struct mdl_wh_state {
    int idle;              /* connections waiting for a request */
    int busy;              /* connections at work */
    int breaker_open;      /* 1: requests fail at once */
    unsigned long waits;   /* requests that had to wait, since child start */
    unsigned long refused; /* requests sent away, since child start */
} mdl_wh_state;

/* Set *POOL to this child's pool for TARGET (role API, loaded at start), which
 * outlives CHILD_POOL, with at most MAX connections; made with its keeper
 * thread at the first call for this TARGET and closed with CHILD_POOL.  An
 * unreachable warehouse is no failure.  DL_INTERNAL: no thread.  Thread: child
 * start only. */
DL_MUSTCHECK dl_status mdl_wh_pool_open(mdl_wh_pool **pool,
                                        const struct dl_wh_target *target,
                                        int max, dl_error *err,
                                        apr_pool_t *child_pool);

/* Run READER with CONTEXT on a connection of POOL, once more when the
 * connection was lost under it.  DL_UNAVAILABLE: breaker open, no connection
 * within MDL_WH_WAIT_MS, or lost twice; DL_TIMEOUT: past MDL_WH_LIMIT_MS; else
 * what READER returned.  Thread: any. */
DL_MUSTCHECK dl_status mdl_wh_read(mdl_wh_pool *pool, mdl_wh_reader *reader,
                                   void *context, dl_error *err);

/* What a request changes inside a transaction; called again from the start of
 * a new one when the former could not end, so it must set its output anew and
 * neither begin nor end a transaction.  CONTEXT is the caller's. */
typedef dl_status mdl_wh_writer(struct dl_wh *wh, void *context, dl_error *err);

/* Run WRITER with CONTEXT inside a transaction (READ COMMITTED) on a
 * connection of POOL, and commit when it returns DL_OK, else roll back.  Up to
 * MDL_WH_WRITES times when it met a deadlock or a write conflict, and once
 * more when the connection was lost before the commit.  Failures as
 * mdl_wh_read; DL_UNAVAILABLE also when nobody knows whether the commit
 * happened; DL_RETRY: conflicts all the time, nothing changed.
 * Thread: any. */
DL_MUSTCHECK dl_status mdl_wh_write(mdl_wh_pool *pool, mdl_wh_writer *writer,
                                    void *context, dl_error *err);

/* Borrow a connection into *WH, for callers that neither read nor write as
 * above.  Failures as mdl_wh_read.  Thread: any; give it
 * back on the same thread. */
DL_MUSTCHECK dl_status mdl_wh_acquire(mdl_wh *wh, mdl_wh_pool *pool,
                                      dl_error *err);

/* Give WH back; OUTCOME is what the last call on it returned and decides
 * whether it is used again (DL_UNAVAILABLE and DL_TIMEOUT: closed) and what
 * the breaker counts.  Thread: the one that borrowed it. */
void mdl_wh_release(mdl_wh_pool *pool, mdl_wh *wh, dl_status outcome);

/* DL_OK when the warehouse answered within the last second; else the keeper
 * asks it and this waits for at most MDL_WH_WAIT_MS, no longer than the keeper
 * has asked for that time.  DL_UNAVAILABLE: no answer.  For health.
 * Thread: any. */
DL_MUSTCHECK dl_status mdl_wh_check(mdl_wh_pool *pool, dl_error *err);

/* Set *STATE to what POOL is doing; takes no connection.  Thread: any. */
void mdl_wh_pool_state(mdl_wh_state *state, mdl_wh_pool *pool);

#endif
