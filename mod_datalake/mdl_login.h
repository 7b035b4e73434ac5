/* mdl_login.h - The steps that the routes of log-ins share: whose password it
 * is, a pair of tokens, their answer.
 *
 *   mdl_api_login.c     POST /user/login, /v1/token, /token, /api/token/
 *   mdl_api_refresh.c   POST /api/token/refresh/, /api/token/revoke/
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_LOGIN_H
#define MDL_LOGIN_H

#include <stddef.h>

#include "dl_error.h"
#include "dl_login.h"
#include "dl_token.h"
#include "mdl_request.h"

/* The names under which an answer shows its tokens. */
typedef enum mdl_login_shape {
    MDL_LOGIN_OAUTH, /* access_token, token_type, expires_in, refresh_token */
    MDL_LOGIN_SHORT  /* access, refresh */
} mdl_login_shape;

/* An access and a refresh token of one log-in. */
typedef struct mdl_login_pair {
    int64_t issued_at;                     /* iat of both, unix seconds */
    int64_t access_expires_at;             /* exp of the access token */
    int64_t refresh_expires_at;            /* exp of the refresh token */
    char refresh_jti[DL_TOKEN_ID_MAX + 1]; /* claim jti of the refresh token */
    char access[DL_JWS_TEXT];              /* the access token */
    char refresh[DL_JWS_TEXT];             /* the refresh token */
} mdl_login_pair;

/* Fill CANDIDATE with the account that USERNAME and the LEN bytes of PASSWORD
 * are those of.  Returns OK, or the status of Q's problem: 401
 * invalid-credentials, the same after the same time for every cause; 429; 503.
 * Thread: the request's. */
int mdl_login_verify(dl_login_candidate *candidate, mdl_request *q,
                     const char *username, const char *password, size_t len);

/* Name the one 401 of a wrong log-in as Q's problem and return its status. */
int mdl_login_refuse(mdl_request *q);

/* Return a pair issued now, without its texts, in Q's pool. */
mdl_login_pair *mdl_login_pair_create(const mdl_request *q);

/* Fill LOGIN with what the warehouse keeps of PAIR and CLAIMS, which both
 * have to outlive it. */
void mdl_login_record(dl_login *login, const mdl_login_pair *pair,
                      const dl_claims *claims);

/* Write the texts of PAIR for the account, role, sid and auth_time of CLAIMS.
 * DL_INVALID, DL_LIMIT, DL_INTERNAL as dl_token_issue.  Thread: any. */
DL_MUSTCHECK dl_status mdl_login_sign(mdl_login_pair *pair,
                                      const struct mdl_site *site,
                                      const dl_claims *claims, dl_error *err);

/* Answer Q with PAIR in SHAPE; never stored, never compressed.  Returns OK. */
int mdl_login_answer(mdl_request *q, const mdl_login_pair *pair,
                     mdl_login_shape shape);

/* Answer Q with the LEN bytes of DATA under the same rules.  Returns OK. */
int mdl_login_answer_text(mdl_request *q, const char *data, size_t len);

#endif
