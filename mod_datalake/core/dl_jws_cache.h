/* dl_jws_cache.h - Signatures that were found right, in fixed memory.
 *
 * Checking an RSA, EC or Ed25519 signature takes 30 to 150 µs, so its outcome
 * is remembered.  What is remembered is one thing only: that these bytes carry
 * a right signature of this key.  Claims, expiry, account, epoch and
 * revocation are judged anew with each request, and a key that has left the
 * set is not found before anybody looks here.
 *
 *   mark   256 bits of keyed BLAKE2b over the key's fingerprint, header,
 *          payload and signature; the key is random and made with the memory,
 *          so nobody can aim at a place
 *   place  one mark; places come in sets of 8, the set is chosen by the mark
 *
 * Bound: 40 bytes a place, chosen at start.  A full set gives up the place that
 * was not used since the hand last passed.  Only a whole mark that was put
 * there answers, so what has been given up is checked again; nothing fails
 * open.  Several processes share the memory without locks: a place written by
 * two at once holds a mixture of two marks, which is nobody's.
 *
 * Thread: any, and any process, but for attach.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_JWS_CACHE_H
#define DL_JWS_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_error.h"
#include "dl_jws_key.h"

/* The cache as this process sees it.  Opaque. */
typedef struct dl_jws_cache dl_jws_cache;

/* What stands for one token. */
typedef struct dl_jws_mark {
    uint64_t word[4]; /* the 256 bits */
} dl_jws_mark;

/* Return the bytes that a cache of about TOKENS tokens takes. */
size_t dl_jws_cache_size(int tokens);

/* Set *CACHE to the one in MEMORY of dl_jws_cache_size(TOKENS) bytes, zeroed
 * or in use; in RESULT_POOL.  DL_INTERNAL: libsodium cannot start.  Thread:
 * start only. */
DL_MUSTCHECK dl_status dl_jws_cache_attach(dl_jws_cache **cache, void *memory,
                                           int tokens, dl_error *err,
                                           apr_pool_t *result_pool);

/* Set MARK to what stands for the LEN bytes of SIGNATURE over INPUT by KEY. */
void dl_jws_cache_mark(dl_jws_mark *mark, const dl_jws_cache *cache,
                       const dl_jws_key *key, const dl_jws_input *input,
                       const unsigned char *signature, size_t len);

/* Return whether MARK was put. */
bool dl_jws_cache_has(const dl_jws_cache *cache, const dl_jws_mark *mark);

/* Remember MARK, whose signature was checked and is right. */
void dl_jws_cache_put(const dl_jws_cache *cache, const dl_jws_mark *mark);

#endif
