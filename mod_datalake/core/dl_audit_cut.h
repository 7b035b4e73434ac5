/* dl_audit_cut.h - Removing the audit files that were kept for long enough
 * (AUDIT.md 11).
 *
 * A chain loses its files from the first on, each as a whole, when its newest
 * entry is old enough; a cut, signed with the key, stands for them as long as
 * the chain has other files.  Before a file goes its lines are verified: what
 * somebody changed, to look old or otherwise, stays and is told.
 *
 * Any number of processes may do it at the same time, and one may die at any
 * moment: the next run ends what it began.
 *
 * Thread: the owner of the folder's descriptor.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_AUDIT_CUT_H
#define DL_AUDIT_CUT_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_audit.h"
#include "dl_error.h"

/* Files are kept for this much longer than their entries, so that clocks and
 * the warehouse's own times may differ a little. */
#define DL_AUDIT_GRACE_US INT64_C(3600000000)

/* What goes of a chain. */
typedef struct dl_audit_gone {
    const char *chain; /* its name */
    int files;         /* how many files */
    int64_t entries;   /* in them */
    dl_time newest;    /* the newest of these */
    bool whole;        /* nothing is left of the chain */
} dl_audit_gone;

/* A run. */
typedef struct dl_audit_retiring {
    int dir_fd;              /* the folder */
    const dl_audit_key *key; /* of its chains */
    dl_time before;          /* entries before this may go */
    bool dry_run;            /* change nothing */
    void *context;           /* first argument of what follows */

    /* Told of what went (or would go) of each chain. */
    void (*gone)(void *context, const dl_audit_gone *gone);

    /* Told of each FILE that is old enough by its chain's name but stays
     * because it is not what was written, and WHY, in a sentence. */
    void (*kept)(void *context, const char *file, const char *why);
} dl_audit_retiring;

/* Remove what RUN names.  DL_IO: the folder cannot be read or changed; what
 * was removed till then is gone in good order.  Costs a listing when nothing
 * is old enough, and reading each file that goes once. */
DL_MUSTCHECK dl_status dl_audit_retire(const dl_audit_retiring *run,
                                       dl_error *err, apr_pool_t *scratch_pool);

/* Fill CUT from the file NAME of the folder DIR_FD and verify it under KEY.
 * DL_NOT_FOUND: it went meanwhile; DL_CORRUPT: it is no cut, or not one that
 * the key signed, or of another file than its name says. */
DL_MUSTCHECK dl_status dl_audit_cut_read(dl_audit_cut *cut, int dir_fd,
                                         const char *name,
                                         const dl_audit_key *key, dl_error *err,
                                         apr_pool_t *scratch_pool);

#endif
