/* dl_wh_idempotency.h - Answers kept in the warehouse under Idempotency-Key.
 *
 * A row begins as a claim: its request is under way until the claim expires,
 * so that one which died with its process blocks nobody for ever.  With a
 * status it is an answer.  The unique key of owner and key decides who comes
 * first.
 *
 * Thread: the owner of the connection.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_WH_IDEMPOTENCY_H
#define DL_WH_IDEMPOTENCY_H

#include <stdbool.h>
#include <stddef.h>

#include <apr_pools.h>

#include "dl_sha256.h"
#include "dl_time.h"
#include "dl_wh.h"

/* One request under a key. */
typedef struct dl_wh_claim {
    const char *owner;                       /* account or address as text */
    const char *key;                         /* Idempotency-Key, 1..255 */
    unsigned char body_hash[DL_SHA256_SIZE]; /* what was asked for */
    dl_time expires_at;                      /* when the claim is nobody's;
                                                names this claim, too */
} dl_wh_claim;

/* What stands under a key. */
typedef enum dl_wh_claim_found {
    DL_WH_CLAIM_MINE,    /* nothing did: the claim is there now */
    DL_WH_CLAIM_RUNNING, /* the claim of a request under way */
    DL_WH_CLAIM_OTHER,   /* a request with another body */
    DL_WH_CLAIM_ANSWERED /* the answer to this one */
} dl_wh_claim_found;

/* An answer. */
typedef struct dl_wh_claim_answer {
    int status;       /* HTTP status */
    const char *text; /* what was kept */
    size_t len;       /* its bytes */
} dl_wh_claim_answer;

/* Claim CLAIM now and set *FOUND, with DL_WH_CLAIM_ANSWERED also *ANSWER,
 * whose text lives in POOL.  Inside the caller's transaction. */
DL_MUSTCHECK dl_status dl_wh_claim_take(dl_wh_claim_found *found,
                                        dl_wh_claim_answer *answer, dl_wh *wh,
                                        const dl_wh_claim *claim, dl_error *err,
                                        apr_pool_t *pool);

/* Keep ANSWER until UNTIL under CLAIM.  DL_NOT_FOUND: the claim has expired
 * and is another's. */
DL_MUSTCHECK dl_status dl_wh_claim_keep(dl_wh *wh, const dl_wh_claim *claim,
                                        const dl_wh_claim_answer *answer,
                                        dl_time until, dl_error *err);

/* Give CLAIM, which got no answer to keep, up. */
DL_MUSTCHECK dl_status dl_wh_claim_drop(dl_wh *wh, const dl_wh_claim *claim,
                                        dl_error *err);

/* Delete up to 1000 rows that expired before BEFORE. */
DL_MUSTCHECK dl_status dl_wh_claim_forget(dl_wh *wh, dl_time before,
                                          dl_error *err);

#endif
