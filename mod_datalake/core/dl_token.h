/* dl_token.h - Access and refresh tokens: issue and verify the claims.
 *
 * The signature layer is dl_jws.h; this file judges the payload.  It must be
 * one JSON object, strict UTF-8, no member twice, with
 *
 *   iss, aud     strings, equal to the rules' issuer and audience
 *   sub          string of 1-100 bytes: the account's name
 *   jti, sid     strings of 1-36 bytes of A-Z a-z 0-9 _ -
 *   token_type   "access" or "refresh", the one that is asked for
 *   role         "user", "admin" or "auditor" (the account decides, not this)
 *   user_id      whole number, at least 1
 *   exp, iat,    whole numbers of unix seconds, 0 to 253402300799, without
 *   auth_time    fraction or exponent
 *   nbf          optional, as iat
 *
 * all required but nbf.  Other members are ignored.  A token is refused from
 * the second of exp on; iat, nbf and auth_time may lie DL_TOKEN_LEEWAY_S ahead
 * of our clock, because another server's clock may, and no more.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_TOKEN_H
#define DL_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "dl_error.h"
#include "dl_jws.h"
#include "dl_role.h"

/* Seconds by which another clock may be ahead of ours. */
#define DL_TOKEN_LEEWAY_S 30

/* Most bytes of an account's name; of a session or token id. */
#define DL_USERNAME_MAX 100
#define DL_TOKEN_ID_MAX 36

/* Default life of an access token in seconds (contract 1.7). */
#define DL_TOKEN_ACCESS_TTL_S 1800

/* What a token is for. */
typedef enum dl_token_type {
    DL_TOKEN_ACCESS, /* sent with each request */
    DL_TOKEN_REFRESH /* only for fetching the next pair */
} dl_token_type;

/* What one server puts into and asks of each token. */
typedef struct dl_token_rules {
    const char *issuer;   /* iss, never NULL */
    const char *audience; /* aud, never NULL */
} dl_token_rules;

/* The claims of a token that was verified, or is to be issued.  Owns
 * nothing; about 250 bytes, made for the stack. */
typedef struct dl_claims {
    int64_t user_id;                    /* app_user.id */
    int64_t issued_at;                  /* iat, unix seconds */
    int64_t expires_at;                 /* exp, unix seconds */
    int64_t auth_time;                  /* of the log-in, unix seconds */
    int64_t not_before;                 /* nbf, unix seconds; 0: none */
    dl_role role;                       /* at issue; not to be trusted */
    dl_token_type type;                 /* token_type */
    char username[DL_USERNAME_MAX + 1]; /* sub */
    char sid[DL_TOKEN_ID_MAX + 1];      /* id of the log-in */
    char jti[DL_TOKEN_ID_MAX + 1];      /* id of this token */
} dl_claims;

/* Write the token for CLAIMS to OUT, signed with the first of KEYS, and its
 * length to *LEN.  DL_INVALID: a claim breaks a rule above.  Thread: any. */
DL_MUSTCHECK dl_status dl_token_issue(char out[DL_JWS_TEXT], size_t *len,
                                      const dl_keyset *keys,
                                      const dl_token_rules *rules,
                                      const dl_claims *claims, dl_error *err);

/* A token to be verified and the question put to it. */
typedef struct dl_token_query {
    const char *text;   /* the token as it was sent; need not end in NUL */
    size_t len;         /* its bytes */
    dl_token_type type; /* the type that this place accepts */
    int64_t now;        /* unix seconds of the wall clock */
} dl_token_query;

/* Fill CLAIMS from the token of QUERY.  DL_INVALID: refused, CLAIMS holds
 * nothing to be used; the sentence is for the log only.  Whether the account
 * lives and the sid is revoked is the caller's next question.  Allocates
 * nothing after the thread's first token.  Thread: any. */
DL_MUSTCHECK dl_status dl_token_verify(dl_claims *claims, const dl_keyset *keys,
                                       const dl_token_rules *rules,
                                       const dl_token_query *query,
                                       dl_error *err);

/* Judge the times of CLAIMS, which were verified before, at NOW, unix seconds.
 * DL_INVALID: refused.  Thread: any. */
DL_MUSTCHECK dl_status dl_token_judge_times(const dl_claims *claims,
                                            int64_t now, dl_error *err);

/* Write a fresh random id (UUID version 4, 36 characters and NUL) to OUT, for
 * sid and jti.  Thread: any. */
void dl_token_new_id(char out[DL_TOKEN_ID_MAX + 1]);

#endif
