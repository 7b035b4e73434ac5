/* dl_jws_key.h - One asymmetric key: RS256, ES256 or EdDSA, by OpenSSL.
 *
 * The algorithm follows from the key and from nothing else:
 *
 *   RSA of 2048 to 4096 bits   RS256
 *   EC on the curve P-256      ES256
 *   Ed25519                    EdDSA
 *
 * Any other key is refused, RSA-PSS and other curves included.  A key never
 * changes; any thread may use it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_JWS_KEY_H
#define DL_JWS_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include <apr_pools.h>

#include "dl_error.h"

struct dl_json_writer;

/* Most bytes of a signature: RSA with 4096 bits. */
#define DL_SIGNATURE_MAX 512

/* Bytes of a key's fingerprint, a SHA-256. */
#define DL_FINGERPRINT 32

/* One key, public or with its private part.  Opaque. */
typedef struct dl_jws_key dl_jws_key;

/* Set *KEY to the one key in the LEN bytes of PEM: "PRIVATE KEY", "RSA PRIVATE
 * KEY", "EC PRIVATE KEY" or "PUBLIC KEY".  DL_INVALID: none, encrypted, broken,
 * of another kind.  Lives in RESULT_POOL, which frees it.  Thread: any. */
DL_MUSTCHECK dl_status dl_jws_key_parse(dl_jws_key **key, const char *pem,
                                        size_t len, dl_error *err,
                                        apr_pool_t *result_pool);

/* The members of a public JWK (RFC 7517, 7518, 8037) that a key is made of;
 * NULL: absent.  Byte strings are base64url. */
typedef struct dl_jwk {
    const char *kty; /* "RSA", "EC" or "OKP" */
    const char *crv; /* "P-256" or "Ed25519" */
    const char *n;   /* RSA: modulus */
    const char *e;   /* RSA: exponent */
    const char *x;   /* EC: coordinate; OKP: the key */
    const char *y;   /* EC: coordinate */
} dl_jwk;

/* Set *KEY to the public key of JWK.  DL_INVALID: a member is missing or
 * wrong, or the key is of another kind.  Lives in RESULT_POOL.  Thread: any. */
DL_MUSTCHECK dl_status dl_jws_key_import(dl_jws_key **key, const dl_jwk *jwk,
                                         dl_error *err,
                                         apr_pool_t *result_pool);

/* Write the members of KEY's public JWK, kty first, into the object that is
 * open in W.  DL_INTERNAL: the crypto library failed.  Thread: W's. */
DL_MUSTCHECK dl_status dl_jws_key_export(struct dl_json_writer *w,
                                         const dl_jws_key *key, dl_error *err);

/* The JWS name of KEY's algorithm.  Static.  Thread: any. */
const char *dl_jws_key_algorithm(const dl_jws_key *key);

/* Whether KEY can sign.  Thread: any. */
bool dl_jws_key_signs(const dl_jws_key *key);

/* The length of KEY's signatures, at most DL_SIGNATURE_MAX.  Thread: any. */
size_t dl_jws_key_length(const dl_jws_key *key);

/* The SHA-256 of KEY's public part (SubjectPublicKeyInfo), DL_FINGERPRINT
 * bytes.  Lives as long as KEY.  Thread: any. */
const unsigned char *dl_jws_key_fingerprint(const dl_jws_key *key);

/* Bytes that are signed. */
typedef struct dl_jws_input {
    const void *data; /* header, dot and payload */
    size_t len;       /* how many */
} dl_jws_input;

/* Write the signature of INPUT to OUT and its length to *OUT_LEN.
 * DL_INTERNAL: the key cannot sign, or the crypto library failed.
 * Thread: any. */
DL_MUSTCHECK dl_status dl_jws_key_sign(unsigned char out[DL_SIGNATURE_MAX],
                                       size_t *out_len, const dl_jws_key *key,
                                       const dl_jws_input *input,
                                       dl_error *err);

/* DL_OK when the LEN bytes of SIGNATURE are KEY's signature of INPUT, else
 * DL_INVALID.  Thread: any. */
DL_MUSTCHECK dl_status dl_jws_key_verify(const dl_jws_key *key,
                                         const dl_jws_input *input,
                                         const unsigned char *signature,
                                         size_t len, dl_error *err);

/* Write to OUT 32 bytes that only who has the private part of KEY can make,
 * another 32 for each PURPOSE.  DL_INTERNAL: no private part, or the crypto
 * library failed.  Thread: any. */
DL_MUSTCHECK dl_status dl_jws_key_derive(unsigned char out[32],
                                         const dl_jws_key *key,
                                         const char *purpose, dl_error *err);

#endif
