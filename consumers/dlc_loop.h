/* dlc_loop.h - The one consuming loop of all consumers.
 *
 * It takes messages from a source, puts them into a sink, commits when the
 * sink wants to, and decides, in exactly one switch over dl_status, whether
 * to set a message aside, to retry, to give the assignment up or to stop.
 * Rules E1-E3, E10, E11 and E14 of the product live here.
 *
 * States:
 *
 *     DLC_LOOP_SEEKING  no partition is read: the broker or the sink has not
 *                       been asked yet, or an outage is waited out.  The
 *                       source is still polled.
 *     DLC_LOOP_READING  partitions are read
 *     DLC_LOOP_ENDING   a stop was asked for
 *
 * A stopped partition (dlc_stop) stays out of every assignment until it is
 * resumed or the program starts again; the others go on.
 *
 * Thread: one, the consuming thread; it is also the one that polls Kafka.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_LOOP_H
#define DLC_LOOP_H

#include <signal.h>
#include <stdbool.h>

#include <apr_pools.h>

#include "dl_error.h"
#include "dlc_sink.h"
#include "dlc_source.h"

/* What signals ask for; set by handlers, cleared by the loop. */
typedef struct dlc_wishes {
    volatile sig_atomic_t stop;   /* drain, commit and return */
    volatile sig_atomic_t reload; /* read the declarations again */
    volatile sig_atomic_t seal;   /* seal open parts */
} dlc_wishes;

/* What a loop needs; filled by the program. */
typedef struct dlc_loop_options {
    const dl_config *cfg;      /* [lake] dead_letters: share that stops */
    dlc_source *source;        /* where messages come from */
    dlc_sink *sink;            /* where they go */
    dl_stats *stats;           /* numbers, or NULL */
    dlc_wishes *wishes;        /* what signals ask for */
    bool group;                /* partitions come from the group, else all */
    const char *resume_path;   /* topics an operator accepts, a line each;
                              * read and removed at SIGHUP */
    const dl_dataset_set *set; /* datasets to read */

    /* Set *SET to the declarations as they are now, with the program's
     * choice applied.  A bad set keeps the old one. */
    dl_status (*load)(const dl_dataset_set **set, void *context, dl_error *err,
                      apr_pool_t *pool);
    void *context; /* first argument of the calls here */

    /* Called about once a second.  READING: partitions are read; CAUGHT_UP:
     * no message waits. */
    void (*alive)(void *context, bool reading, bool caught_up);

    /* Called before and after the declarations are read again. */
    void (*reloading)(void *context, bool begins);
} dlc_loop_options;

/* Consume until OPTIONS->wishes->stop: take, put, commit.  On return all that
 * was put is committed or forgotten, and the partitions are given up.  DL_OK:
 * stopped as asked.  Any other status: the sink or the source is broken for
 * good; ERR says how.  Lives in POOL. */
DL_MUSTCHECK dl_status dlc_loop_run(const dlc_loop_options *options,
                                    dl_error *err, apr_pool_t *pool);

#endif
