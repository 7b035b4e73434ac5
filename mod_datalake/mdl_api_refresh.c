/* mdl_api_refresh.c - POST /api/token/refresh/ and POST /api/token/revoke/:
 * the next pair of tokens, and the end of a log-in.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "dl_log.h"
#include "mdl_account.h"
#include "mdl_api.h"
#include "mdl_http.h"
#include "mdl_login.h"
#include "mdl_problem.h"
#include "mdl_site.h"

enum {
    REFRESH_TOKEN
};

static const mdl_member refresh_members[] = {
    [REFRESH_TOKEN] = {.name = "refresh",
                       .alias = "refresh_token",
                       .type = MDL_MEMBER_TEXT,
                       .required = true,
                       .secret = true,
                       .min = 1,
                       .max = DL_JWS_MAX,
                       .summary = "A refresh token that was not used yet"},
    {.name = NULL}};

const mdl_body mdl_api_refresh_body = {.members = refresh_members,
                                       .media = MDL_MEDIA_JSON | MDL_MEDIA_FORM,
                                       .limit = MDL_BODY_SMALL};

enum {
    REVOKE_TOKEN,
    REVOKE_HINT
};

static const mdl_member revoke_members[] = {
    [REVOKE_TOKEN] = {.name = "token",
                      .type = MDL_MEMBER_TEXT,
                      .required = true,
                      .secret = true,
                      .min = 1,
                      .max = MDL_BODY_SMALL,
                      .summary = "Any token of the log-in"},
    [REVOKE_HINT] = {.name = "token_type_hint",
                     .type = MDL_MEMBER_ANY,
                     .ignored = true,
                     .summary = "As RFC 7009 has it; not needed"},
    {.name = NULL}};

const mdl_body mdl_api_revoke_body = {.members = revoke_members,
                                      .media = MDL_MEDIA_JSON | MDL_MEDIA_FORM,
                                      .limit = MDL_BODY_SMALL};

/* Fill CLAIMS from the token of MEMBER, of type TYPE; false: it is none of
 * ours, for the cause in ERR. */
static bool read_token(dl_claims *claims, const mdl_request *q,
                       const mdl_member_value *member, dl_token_type type,
                       dl_error *err)
{
    dl_token_query query = {.text = member->text,
                            .len = member->len,
                            .type = type,
                            .now = apr_time_sec(q->r->request_time)};

    return dl_token_verify(claims, q->site->keys, &q->site->rules, &query,
                           err) == DL_OK;
}

/* --- Refresh -------------------------------------------------------------- */

/* An exchange of tokens inside a transaction. */
typedef struct exchange {
    dl_login login;           /* the new refresh token */
    const char *jti;          /* the old one's id */
    dl_login_verdict verdict; /* what came of it */
    dl_role role;             /* of the account now */
} exchange;

static dl_status run_exchange(struct dl_wh *wh, void *context, dl_error *err)
{
    exchange *x = context;

    return dl_login_exchange(&x->verdict, &x->role, wh, &x->login, x->jti, err);
}

/* Refuse a refresh token for CAUSE, which is for the log. */
static int refuse(mdl_request *q, const char *cause)
{
    dl_log(DL_LOG_INFO, "DL1070 request %s: no new tokens: %s", q->id, cause);
    apr_table_setn(q->r->err_headers_out, "WWW-Authenticate",
                   "Bearer realm=\"datalake\", error=\"invalid_token\"");
    apr_table_setn(q->r->err_headers_out, "Cache-Control", "no-store");
    return mdl_problem(q, MDL_PROBLEM_UNAUTHORIZED,
                       "This refresh token is not valid.");
}

static int refuse_reuse(mdl_request *q, const dl_claims *claims)
{
    dl_log(DL_LOG_WARNING,
           "DL1071 request %s: account %lld: a refresh token came a second "
           "time; its log-in has been ended",
           q->id, (long long)claims->user_id);
    mdl_account_refresh(q->site, claims->user_id);
    mdl_problem_pointer(q, "/refresh", "token-reused",
                        "This refresh token was used before. All tokens of its "
                        "log-in have been revoked.");
    return refuse(q, "it was used before");
}

/* Exchange the token of CLAIMS for the refresh token of PAIR; its role becomes
 * that of the account now. */
static int store_exchange(mdl_request *q, dl_claims *claims,
                          const mdl_login_pair *pair)
{
    exchange x = {.jti = claims->jti};
    dl_error err;

    mdl_login_record(&x.login, pair, claims);
    if (mdl_wh_write(q->site->wh, run_exchange, &x, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    switch (x.verdict) {
    case DL_LOGIN_EXCHANGED:
        claims->role = x.role;
        return OK;
    case DL_LOGIN_REUSED:
        return refuse_reuse(q, claims);
    case DL_LOGIN_REFUSED:
        break;
    }
    return refuse(q, "the log-in has ended or the account is not active");
}

int mdl_api_refresh(mdl_request *q)
{
    mdl_login_pair *pair = mdl_login_pair_create(q);
    dl_claims claims;
    dl_error err;
    int status;

    q->subject.action = "login";
    if (!read_token(&claims, q, &q->members[REFRESH_TOKEN], DL_TOKEN_REFRESH,
                    &err)) {
        return refuse(q, err.text);
    }
    q->subject.user = apr_pstrdup(q->r->pool, claims.username);
    status = store_exchange(q, &claims, pair);
    if (status != OK) {
        return status;
    }
    if (mdl_login_sign(pair, q->site, &claims, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_OURSELVES, &err);
    }
    return mdl_login_answer(q, pair, MDL_LOGIN_SHORT);
}

/* --- Revoke --------------------------------------------------------------- */

static dl_status end_login(struct dl_wh *wh, void *context, dl_error *err)
{
    const dl_claims *claims = context;

    return dl_login_end(wh, claims->user_id, claims->sid, dl_time_now(), err);
}

int mdl_api_revoke(mdl_request *q)
{
    const mdl_member_value *token = &q->members[REVOKE_TOKEN];
    dl_claims claims;
    dl_error err;

    q->subject.action = "login";
    if (!read_token(&claims, q, token, DL_TOKEN_ACCESS, &err) &&
        !read_token(&claims, q, token, DL_TOKEN_REFRESH, &err)) {
        return mdl_login_answer_text(q, "{}", 2);
    }
    q->subject.user = apr_pstrdup(q->r->pool, claims.username);
    if (mdl_wh_write(q->site->wh, end_login, &claims, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    mdl_account_refresh(q->site, claims.user_id);
    return mdl_login_answer_text(q, "{}", 2);
}
