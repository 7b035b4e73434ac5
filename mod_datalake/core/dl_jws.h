/* dl_jws.h - Signing keys and the signature layer of a token (RFC 7515).
 *
 * A key set is read once at start and never changes, so any thread may use it
 * without a lock.  Each thread gets its own MAC context per key at its first
 * token and keeps it: verifying allocates nothing.
 *
 * Key file, two forms:
 *
 *   one secret    the whole file (without a final line end) is the secret of
 *                 the key with kid "default"; at least 32 bytes
 *   several keys  the file begins with "#" or "kid "; each line is empty, a
 *                 comment ("# ...") or "kid KID SECRET" with KID of 1-64
 *                 characters A-Z a-z 0-9 _ - and SECRET of at least 32 bytes
 *                 without blanks.  The first key signs, all verify: to rotate,
 *                 put the new key first, restart, and take the old line out
 *                 once its last token has expired.
 *
 * Refused are keys that others may read, shorter than 32 bytes, with fewer
 * than 10 different bytes, or known from documentation.
 *
 * Rules of the verifier (each a refusal, DL_INVALID, before any cryptography
 * unless it says otherwise): more than DL_JWS_MAX bytes; not exactly three
 * non-empty segments; a byte outside A-Z a-z 0-9 _ -; padding; unused bits
 * that are not zero; a header that is not one flat object (dl_flat.h) with only
 * the members alg, typ and kid, each at most once and a string; typ other than
 * "JWT"; kid that is not exactly the kid of a key (it may be left out only
 * when the set has one key); alg that is not exactly the key's algorithm; a
 * signature of the wrong length; last, by constant-time compare, a wrong MAC.
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
 * client; OUT holds nothing to be used.  Allocates nothing after the thread's
 * first token.  Thread: any. */
DL_MUSTCHECK dl_status dl_jws_verify(char out[DL_JWS_PAYLOAD_MAX + 1],
                                     size_t *out_len, const dl_keyset *keys,
                                     const char *token, size_t len,
                                     dl_error *err);

#endif
