/* mdl_turns.h - Threads that take turns, one of them for the whole server.
 *
 * Every child has the thread; of all children one works, the others look at
 * each turn whether it still does.  It is the one whose pid stands in the
 * election in shared memory; who has been silent for 5 s, or has gone, loses
 * the place by compare-and-set.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_TURNS_H
#define MDL_TURNS_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_error.h"

/* Who works; in shared memory, zero at first. */
typedef struct mdl_election {
    _Atomic int64_t owner;   /* pid of the working child, 0: none */
    _Atomic int64_t beat_us; /* monotonic time of its last turn */
} mdl_election;

/* Return whether this process works, taking the place of a silent or dead one,
 * and tell the others that it lives.  Thread: any. */
bool mdl_election_hold(mdl_election *election);

/* Give the place up if this process has it.  Thread: any. */
void mdl_election_resign(mdl_election *election);

/* What a thread does. */
typedef struct mdl_turns_work {
    const char *name;            /* what it is for, in an error's sentence */
    int every_ms;                /* pause between two turns, > 0 */
    void (*turn)(void *context); /* one turn */
    void (*stop)(void *context); /* after the last turn; NULL: nothing */
    void *context;               /* first argument of both */
} mdl_turns_work;

/* Start the thread of WORK, whose first turn is now; it is stopped and joined
 * before CHILD_POOL goes.  DL_INTERNAL: no thread.  Thread: child start
 * only. */
DL_MUSTCHECK dl_status mdl_turns_start(const mdl_turns_work *work,
                                       dl_error *err, apr_pool_t *child_pool);

#endif
