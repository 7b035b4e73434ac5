/* dlc_daemon.h - What makes a program a daemon: arguments, signals, manners.
 *
 * A daemon stays in the foreground, writes its log to standard error (the
 * journal adds the time), tells systemd its state when it was started by it,
 * and leaves RUN/INSTANCE.pid while it lives.  One process has a name: it
 * holds RUN/INSTANCE.lock.
 *
 *     SIGTERM, SIGINT   drain, commit, leave; after 10 s at any price
 *     SIGHUP            read the declarations again
 *     SIGUSR1           seal open parts
 *
 * Exit status: 0 stopped as asked; 1 failed; 2 wrong arguments or settings.
 *
 * Thread: the main thread.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_DAEMON_H
#define DLC_DAEMON_H

#include <stdbool.h>

#include <apr_pools.h>

#include "dl_config.h"
#include "dl_dataset.h"
#include "dl_stats.h"
#include "dlc_loop.h"
#include "dlc_options.h"

/* What a program without Kafka serves with. */
typedef struct dlc_service {
    const dl_config *cfg; /* settings */
    dl_stats *stats;      /* its numbers, or NULL: nobody looks */
    dlc_wishes *wishes;   /* what signals ask for */
    void *context;        /* first argument of ALIVE */

    /* Tell systemd that we live and, in a word, what we DO; at least every
     * 10 s.  The first call says that we are ready. */
    void (*alive)(void *context, const char *doing);
} dlc_service;

/* What a program is. */
typedef struct dlc_program {
    const char *name;       /* as installed; default of --name */
    const char *sink;       /* "lake" or "warehouse" */
    const char *sentence;   /* first line of the help */
    const dlc_option *more; /* options of its own, or NULL */
    dlc_positionals *words; /* gets what is no option; NULL: nothing may be */
    const char *words_are;  /* what these are, for the help: "SOURCE" */
    int buffer_part;        /* share of [kafka] buffer_size: one over this */
    bool grouped;           /* reads as a member of a group ... */
    const bool *alone;      /* ... unless this option says no; or NULL */

    /* Create its sink, as dlc_sink_..._create. */
    dl_status (*sink_create)(dlc_sink **sink, const dl_config *cfg,
                             const dl_dataset_set *set, dl_stats *stats,
                             dl_error *err, apr_pool_t *pool);

    /* Return whether it reads DS at all, or NULL: it reads every one. */
    bool (*wants)(const dl_dataset *ds);

    /* Work until SERVICE->wishes->stop, instead of consuming; NULL: it
     * consumes.  sink_create is not called then. */
    dl_status (*serve)(const dlc_service *service, dl_error *err,
                       apr_pool_t *pool);

    /* Return whether this run is a short one beside the daemon: without a
     * --name it has no lock, no pid file and no page of numbers.  NULL: none
     * is. */
    bool (*beside)(void);

    /* Check what SERVE needs of CFG beyond its own checks, for
     * --check-config and at start; NULL: nothing. */
    dl_status (*check)(const dl_config *cfg, dl_error *err, apr_pool_t *pool);
} dlc_program;

/* Be PROGRAM with the arguments of main: parse them, load settings and
 * declarations, consume until a signal.  Return main's exit status. */
int dlc_daemon_main(const dlc_program *program, int argc,
                    const char *const *argv);

#endif
