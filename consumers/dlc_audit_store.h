/* dlc_audit_store.h - What the loader of the audit log does in the warehouse.
 *
 * Thread: the one main thread.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_AUDIT_STORE_H
#define DLC_AUDIT_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_hash.h>
#include <apr_pools.h>
#include <apr_tables.h>

#include "dl_audit.h"
#include "dl_config.h"
#include "dl_error.h"

/* How far a file is loaded. */
typedef struct dlc_audit_place {
    const char *file;                   /* CHAIN.NNNNNN */
    char chain[DL_AUDIT_CHAIN];         /* its chain */
    int64_t position;                   /* bytes loaded */
    int64_t length;                     /* lines of the chain up to there */
    unsigned char hash[DL_AUDIT_VALUE]; /* value of the chain there */
    bool known;                         /* it has a row */
    bool finished;                      /* its end line was loaded */
    bool broken;                        /* it cannot be read: logged once */
    bool head_due;                      /* it has grown since its last head */
} dlc_audit_place;

/* A move of a place. */
typedef struct dlc_audit_move {
    dlc_audit_place *place;             /* what moves */
    int64_t position;                   /* bytes loaded afterwards */
    int64_t length;                     /* lines afterwards */
    unsigned char hash[DL_AUDIT_VALUE]; /* value afterwards */
    bool finished;                      /* the end line is among them */
} dlc_audit_move;

/* An entry on its way. */
typedef struct dlc_audit_row {
    dl_audit_entry entry;         /* what it says */
    const dlc_audit_place *place; /* where it stands */
    int64_t sequence;             /* its line in the chain, from 1 */
} dlc_audit_row;

/* The warehouse, connected when it is needed. */
typedef struct dlc_audit_store dlc_audit_store;

/* Set *STORE to the warehouse of CFG.  Errors as dl_wh_target_load.  Lives in
 * POOL. */
DL_MUSTCHECK dl_status dlc_audit_store_create(dlc_audit_store **store,
                                              const dl_config *cfg,
                                              dl_error *err, apr_pool_t *pool);

/* Close the connection; the next call makes a new one. */
void dlc_audit_store_close(dlc_audit_store *store);

/* Set *PLACES to where all files stand, dlc_audit_place by file; they live in
 * RESULT_POOL. */
DL_MUSTCHECK dl_status dlc_audit_store_places(apr_hash_t **places,
                                              dlc_audit_store *store,
                                              dl_error *err,
                                              apr_pool_t *result_pool);

/* Store ROWS (dlc_audit_row, by time) and MOVES (dlc_audit_move) in one
 * transaction.  DL_CONFLICT: another loader has moved a place. */
DL_MUSTCHECK dl_status dlc_audit_store_rows(dlc_audit_store *store,
                                            const apr_array_header_t *rows,
                                            const apr_array_header_t *moves,
                                            dl_error *err);

/* Store the heads of those of PLACES whose head is due, the newest file of
 * each chain, and clear that mark. */
DL_MUSTCHECK dl_status dlc_audit_store_heads(dlc_audit_store *store,
                                             apr_hash_t *places, dl_error *err,
                                             apr_pool_t *scratch_pool);

#endif
