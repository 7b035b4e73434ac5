/* dl_keyset.h - The inside of a key set, for dl_keyset*.c and dl_jws.c alone.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_KEYSET_H
#define DL_KEYSET_H

#include <stddef.h>

#include <apr_pools.h>

#include "dl_error.h"
#include "dl_jws.h"
#include "dl_jws_key.h"

/* Bytes of an HS256 signature. */
#define DL_HS256_BYTES 32

/* Set *KEYS to a set without keys, in RESULT_POOL.  DL_INTERNAL,
 * DL_UNAVAILABLE: the crypto library or the system refuses.  Thread: any. */
DL_MUSTCHECK dl_status dl_keyset_begin(dl_keyset **keys, dl_error *err,
                                       apr_pool_t *result_pool);

/* The name of a key as it is read; it need not end in NUL. */
typedef struct dl_kid {
    const char *text; /* its characters */
    size_t len;       /* how many */
} dl_kid;

/* Add to KEYS the HS256 key KID of LEN bytes SECRET, copied to guarded memory
 * in POOL.  DL_INVALID: kid or strength, or the set is full.  Thread: start
 * only. */
DL_MUSTCHECK dl_status dl_keyset_add_secret(dl_keyset *keys, const dl_kid *kid,
                                            const char *secret, size_t len,
                                            dl_error *err, apr_pool_t *pool);

/* Add to KEYS the key PAIR, which outlives it, as KID.  Failures and thread as
 * above. */
DL_MUSTCHECK dl_status dl_keyset_add_pair(dl_keyset *keys, const dl_kid *kid,
                                          const dl_jws_key *pair,
                                          dl_error *err);

/* DL_INVALID when PAIR is known from documentation, with its private part.
 * Thread: any. */
DL_MUSTCHECK dl_status dl_keyset_check_sample(const dl_jws_key *pair,
                                              dl_error *err);

/* Index of the key whose kid is the LEN bytes of KID, or -1.  Thread: any. */
int dl_keyset_find(const dl_keyset *keys, const char *kid, size_t len);

/* The JWS name of the algorithm of key I.  Static.  Thread: any. */
const char *dl_keyset_algorithm(const dl_keyset *keys, int i);

/* The asymmetric key I, or NULL: it is a secret.  Thread: any. */
const dl_jws_key *dl_keyset_pair(const dl_keyset *keys, int i);

/* The length of signatures of key I, at most DL_SIGNATURE_MAX.
 * Thread: any. */
size_t dl_keyset_length(const dl_keyset *keys, int i);

/* Write the signature of INPUT by key I, dl_keyset_length(KEYS, I) bytes, to
 * OUT.  DL_INTERNAL: the crypto library failed, or the key cannot sign.
 * Thread: any. */
DL_MUSTCHECK dl_status dl_keyset_sign(unsigned char out[DL_SIGNATURE_MAX],
                                      const dl_keyset *keys, int i,
                                      const dl_jws_input *input, dl_error *err);

/* DL_OK when SIGNATURE, dl_keyset_length(KEYS, I) bytes, is that of INPUT by
 * key I; DL_INVALID: it is not.  A MAC is compared in constant time; the
 * outcome for another key is kept in the set's cache, if it has one.
 * DL_INTERNAL: the crypto library failed.  Thread: any. */
DL_MUSTCHECK dl_status dl_keyset_verify(const dl_keyset *keys, int i,
                                        const dl_jws_input *input,
                                        const unsigned char *signature,
                                        dl_error *err);

#endif
