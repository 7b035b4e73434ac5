/* dlc_redrive_pick.h - Which dead letters a job of kind redrive is about.
 *
 * Its parameters name ids or a filter (GET /api/deadletters/ has the same).
 * What is listed after the job began is not its business: a message that
 * cannot be stored again either is a new dead letter, and a job that took it
 * would never end.
 *
 * Thread: the connection's, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_REDRIVE_PICK_H
#define DLC_REDRIVE_PICK_H

#include <stdint.h>

#include <apr_pools.h>
#include <apr_tables.h>

#include "dl_error.h"
#include "dl_lake_quarantine.h"
#include "dl_letter_send.h"
#include "dl_wh.h"

/* Dead letters that are sent together. */
#define DLC_REDRIVE_BATCH 200

/* What is asked for. */
typedef struct dlc_redrive_wish {
    const apr_array_header_t *ids; /* int64_t, rising; NULL: by filter */
    const char *topic;             /* of this topic; "": of any */
    const char *reason;            /* for this reason; "": for any */
    dl_time from;                  /* received then or later */
    dl_time to;                    /* received before */
    int64_t last;                  /* none with a larger id */
} dlc_redrive_wish;

/* One dead letter to be sent. */
typedef struct dlc_redrive_letter {
    dl_letter_attempt attempt;      /* its number, and the id of the attempt */
    const char *topic;              /* where it goes */
    dl_coord coord;                 /* where it came from */
    dl_lake_quarantine_place place; /* where the whole of it is */
    dl_status status;               /* what became of it */
    bool maybe;                     /* not DL_OK: nobody knows */
} dlc_redrive_letter;

/* How many are left. */
typedef struct dlc_redrive_left {
    int64_t open;      /* neither sent nor discarded */
    int64_t taken;     /* of them: in somebody's hands, or in doubt */
    int64_t discarded; /* given up by somebody */
} dlc_redrive_left;

/* Set WISH, but for last, to what PARAMETERS say; in RESULT_POOL.  DL_INVALID:
 * they are not ours. */
DL_MUSTCHECK dl_status dlc_redrive_wish_parse(dlc_redrive_wish *wish,
                                              const char *parameters,
                                              dl_error *err,
                                              apr_pool_t *result_pool);

/* Set *LAST to the largest id there is. */
DL_MUSTCHECK dl_status dlc_redrive_last(int64_t *last, dl_wh *wh,
                                        dl_error *err);

/* Set *LEFT to what is left of WISH, and what was discarded. */
DL_MUSTCHECK dl_status dlc_redrive_count(dlc_redrive_left *left, dl_wh *wh,
                                         const dlc_redrive_wish *wish,
                                         dl_error *err);

/* Set *LETTERS (dlc_redrive_letter, in RESULT_POOL) to the next of WISH behind
 * id AFTER that nobody has taken, each with a new attempt; none: the end. */
DL_MUSTCHECK dl_status dlc_redrive_next(apr_array_header_t **letters, dl_wh *wh,
                                        const dlc_redrive_wish *wish,
                                        int64_t after, dl_error *err,
                                        apr_pool_t *result_pool);

#endif
