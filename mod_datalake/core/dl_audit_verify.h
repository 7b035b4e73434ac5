/* dl_audit_verify.h - Checking the audit log (AUDIT.md 9).
 *
 * Every chain is computed again from its name on, every text compared with its
 * hash, and what the warehouse remembers of the chains (heads) compared with
 * the files.  Nothing is changed.
 *
 * Thread: the owner, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_AUDIT_VERIFY_H
#define DL_AUDIT_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_audit.h"
#include "dl_error.h"

/* Where a chain stood once, as the warehouse remembers it. */
typedef struct dl_audit_head {
    char chain[DL_AUDIT_CHAIN];          /* which */
    int64_t length;                      /* its lines then */
    unsigned char value[DL_AUDIT_VALUE]; /* its value then */
} dl_audit_head;

/* What a check needs. */
typedef struct dl_audit_check {
    int dir_fd;                 /* the folder */
    const dl_audit_key *key;    /* of its chains */
    const dl_audit_head *heads; /* by chain and length, read before */
    int n_heads;                /* how many */
    void *context;              /* first argument of what follows */

    /* Told of each fault: WHERE (a file or a chain), LINE of the file (0: the
     * whole), WHAT in a sentence. */
    void (*fault)(void *context, const char *where, int64_t line,
                  const char *what);

    /* Whether the warehouse has no entry among the first LENGTH lines of CHAIN
     * that is too young to be removed; NULL: nothing may be gone that has a
     * head. */
    bool (*is_old)(void *context, const char *chain, int64_t length);

    /* Told now and then how many bytes are done; may be NULL. */
    void (*progress)(void *context, int64_t bytes);
} dl_audit_check;

/* What a check has seen. */
typedef struct dl_audit_checked {
    int chains;      /* with files */
    int files;       /* read */
    int open;        /* chains a living process writes */
    int cuts;        /* chains whose first files were kept for long enough */
    int gone;        /* chains of which nothing is left, rightly */
    int64_t lines;   /* read */
    int64_t entries; /* among them */
    int64_t heads;   /* compared */
    int64_t faults;  /* told */
    int64_t bytes;   /* read */
} dl_audit_checked;

/* Set *BYTES to what the files of the folder DIR_FD hold together.  DL_IO: it
 * cannot be read. */
DL_MUSTCHECK dl_status dl_audit_folder_bytes(int64_t *bytes, int dir_fd,
                                             dl_error *err,
                                             apr_pool_t *scratch_pool);

/* Check all that CHECK names and count in *SEEN.  DL_OK also with faults;
 * DL_IO: the folder or a file cannot be read. */
DL_MUSTCHECK dl_status dl_audit_verify(dl_audit_checked *seen,
                                       const dl_audit_check *check,
                                       dl_error *err, apr_pool_t *scratch_pool);

#endif
