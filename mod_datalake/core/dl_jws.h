/* dl_jws.h - Signing keys and the signature layer of a token (RFC 7515).
 *
 * A key set is read once at start and never changes, so any thread may use it
 * without a lock.  Each thread gets its own MAC context per secret at its first
 * token and keeps it: verifying HS256 allocates nothing.
 *
 * The algorithm belongs to the key: a secret is HS256, RSA is RS256, EC on
 * P-256 is ES256, Ed25519 is EdDSA (dl_jws_key.h).  A token never chooses.
 *
 * Key file (DataLakeTokenKeyFile), three forms:
 *
 *   one secret    the whole file (without a final line end) is the secret of
 *                 the key with kid "default"; at least 32 bytes
 *   one key       the file begins with "-----BEGIN": a private key in PEM, with
 *                 kid "default"
 *   several keys  the file begins with "#" or "kid "; each line is empty, a
 *                 comment ("# ..."), "kid KID SECRET", or "kid KID" with a key
 *                 in PEM on the lines behind it, private or public.  KID has
 *                 1-64 characters A-Z a-z 0-9 _ -, SECRET at least 32 bytes
 *                 without blanks.  The first key signs, all verify: to rotate,
 *                 put the new key second and restart, put it first and
 *                 restart, and take the old one out once its last token has
 *                 expired.
 *
 * Refused are files that others may read, secrets shorter than 32 bytes or
 * with fewer than 10 different bytes, and keys known from documentation.
 *
 * JWKS file (DataLakeJWKSFile): a JWK Set (RFC 7517) of public keys that
 * verify, too; each with a kid of its own.  Refused are private members,
 * symmetric keys, a use other than "sig", an alg that is not the key's, and a
 * file that others may write.
 *
 * Rules of the verifier (each a refusal, DL_INVALID, before any cryptography
 * unless it says otherwise): more than DL_JWS_MAX bytes; not exactly three
 * non-empty segments; a byte outside A-Z a-z 0-9 _ -; padding; unused bits
 * that are not zero; a header that is not one flat object (dl_flat.h) with only
 * the members alg, typ and kid, each at most once and a string; typ other than
 * "JWT"; kid that is not exactly the kid of a key (it may be left out only
 * when the set has one key); alg that is not exactly the key's algorithm; a
 * signature of the wrong length; last a wrong signature, a MAC by
 * constant-time compare.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_JWS_H
#define DL_JWS_H

#include <stddef.h>

#include <apr_pools.h>

#include "dl_error.h"

/* Most bytes of a whole token, and room for it with a NUL. */
#define DL_JWS_MAX  4096
#define DL_JWS_TEXT (DL_JWS_MAX + 1)

/* Most bytes of a decoded payload. */
#define DL_JWS_PAYLOAD_MAX 3072

/* Most characters of a kid. */
#define DL_KID_MAX 64

/* Least bytes of an HS256 key. */
#define DL_KEY_MIN 32

/* Most keys of a set. */
#define DL_KEYS_MAX 16

struct dl_jws_cache;

/* Keys by kid.  Opaque, unchanging, shared by all threads. */
typedef struct dl_keyset dl_keyset;

/* Set *KEYS to the keys of the file PATH.  DL_NOT_FOUND, DL_INVALID, DL_IO as
 * dl_secret_load, and DL_INVALID with file and line for a key that breaks a
 * rule above.  *KEYS lives in RESULT_POOL; its secrets are wiped with it, and
 * no thread may use it then.  Thread: any, usually start. */
DL_MUSTCHECK dl_status dl_keyset_load(dl_keyset **keys, const char *path,
                                      dl_error *err, apr_pool_t *result_pool);

/* Set *KEYS to a set with the one HS256 key KID of LEN bytes SECRET.  For
 * tests and derived keys: the strength rules are checked, the list of
 * known samples is not.  DL_INVALID: kid or length.  Thread: any. */
DL_MUSTCHECK dl_status dl_keyset_create(dl_keyset **keys, const char *kid,
                                        const void *secret, size_t len,
                                        dl_error *err, apr_pool_t *result_pool);

/* Add to KEYS the public keys of the JWKS file PATH, in POOL.  DL_NOT_FOUND,
 * DL_LIMIT, DL_IO: it cannot be read; DL_INVALID: it breaks a rule above, with
 * file and kid.  Thread: start only. */
DL_MUSTCHECK dl_status dl_keyset_add_jwks(dl_keyset *keys, const char *path,
                                          dl_error *err, apr_pool_t *pool);

/* Set *TEXT to the JWK Set of all asymmetric keys of KEYS, in RESULT_POOL, or
 * to NULL when there is none.  DL_INTERNAL: the crypto library failed.
 * Thread: any. */
DL_MUSTCHECK dl_status dl_keyset_publish(const char **text,
                                         const dl_keyset *keys, dl_error *err,
                                         apr_pool_t *result_pool);

/* Let KEYS remember in CACHE, which outlives it, which asymmetric signatures
 * were right.  Thread: start only. */
void dl_keyset_remember(dl_keyset *keys, struct dl_jws_cache *cache);

/* Write to OUT 32 bytes that follow from the signing key of KEYS and PURPOSE
 * alone, and tell nothing about the key.  DL_INTERNAL: the crypto library
 * failed.  Thread: any. */
DL_MUSTCHECK dl_status dl_keyset_derive(unsigned char out[32],
                                        const dl_keyset *keys,
                                        const char *purpose, dl_error *err);

/* Number of keys, at least 1.  Thread: any. */
int dl_keyset_count(const dl_keyset *keys);

/* The kid of key I (0 signs).  Lives as long as KEYS.  Thread: any. */
const char *dl_keyset_kid(const dl_keyset *keys, int i);

/* Write to OUT the token over LEN bytes of PAYLOAD, signed with the first key
 * of KEYS, and its length to *OUT_LEN; OUT is NUL-terminated.  DL_LIMIT: it
 * would be longer than DL_JWS_MAX.  DL_INTERNAL: the crypto library failed.
 * Thread: any. */
DL_MUSTCHECK dl_status dl_jws_sign(char out[DL_JWS_TEXT], size_t *out_len,
                                   const dl_keyset *keys, const void *payload,
                                   size_t len, dl_error *err);

/* Check the LEN bytes of TOKEN by the rules above and write the decoded
 * payload to OUT (NUL-terminated, *OUT_LEN bytes without it).  DL_INVALID: it
 * is refused; the sentence names the cause, for the log, never for the
 * client; OUT holds nothing to be used.  With a secret it allocates nothing
 * after the thread's first token.  Thread: any. */
DL_MUSTCHECK dl_status dl_jws_verify(char out[DL_JWS_PAYLOAD_MAX + 1],
                                     size_t *out_len, const dl_keyset *keys,
                                     const char *token, size_t len,
                                     dl_error *err);

#endif
