/* dl_token_cache.h - Tokens that were verified, with their claims, in the
 * memory of one process.
 *
 * To verify a token means to decode it, to compute an HMAC or to look for its
 * signature, and to read its claims: 35,000 instructions, against 1,000 to find
 * the very same bytes again.  Only the judgement of these bytes by these keys
 * and rules is remembered, and neither changes while the process lives.  The
 * token's times are judged anew with each question; account, epoch and
 * revocation are the caller's next question as ever.
 *
 *   place   a token of at most DL_TOKEN_CACHE_TEXT bytes and its claims
 *   set     8 places and their lock, chosen by the end of the signature
 *
 * A token is found only when all its bytes are equal, compared without a branch
 * on their values, so that the time tells nothing of what others sent.
 *
 * Bound: 1.5 KiB a place, chosen at start, left out of core dumps; pages are
 * taken when they are first used.  A full set gives up the place that was not
 * used since the hand last passed; what is not found is verified.
 *
 * Thread: any, but for create.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_TOKEN_CACHE_H
#define DL_TOKEN_CACHE_H

#include <apr_pools.h>

#include "dl_error.h"
#include "dl_token.h"

/* Longest token that is remembered; one of RS256 with 4,096 bits fits. */
#define DL_TOKEN_CACHE_TEXT 1152

/* The tokens of one key set under one set of rules.  Opaque. */
typedef struct dl_token_cache dl_token_cache;

/* Set *CACHE to one of about TOKENS places for tokens of KEYS under RULES,
 * which outlive it; in RESULT_POOL.  DL_UNAVAILABLE: no memory. */
DL_MUSTCHECK dl_status dl_token_cache_create(dl_token_cache **cache,
                                             const dl_keyset *keys,
                                             const dl_token_rules *rules,
                                             int tokens, dl_error *err,
                                             apr_pool_t *result_pool);

/* As dl_token_verify with the keys and rules of CACHE. */
DL_MUSTCHECK dl_status dl_token_cache_verify(dl_claims *claims,
                                             dl_token_cache *cache,
                                             const dl_token_query *query,
                                             dl_error *err);

#endif
