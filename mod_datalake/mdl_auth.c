/* mdl_auth.c - Bearer token, account, verdict.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_auth.h"

#include <string.h>
#include <strings.h>

#include <httpd.h>

#include <apr_strings.h>

#include "dl_log.h"
#include "dl_time.h"
#include "dl_token_cache.h"
#include "mdl_account.h"
#include "mdl_config.h"
#include "mdl_http.h"
#include "mdl_metrics.h"
#include "mdl_mirror.h"
#include "mdl_problem.h"
#include "mdl_site.h"

/* A place older than this is looked up again, if the warehouse answers: the
 * watcher, who comes by four times a second, must be in trouble. */
#define TRUSTED_US (INT64_C(2) * DL_SECOND_US)

bool mdl_auth_has_credentials(const mdl_request *q)
{
    return apr_table_get(q->r->headers_in, "Authorization") != NULL;
}

/* Refuse with the one 401; CAUSE is for the log. */
static int refuse(mdl_request *q, mdl_metrics_counter counter,
                  const char *cause)
{
    bool sent = mdl_auth_has_credentials(q);

    mdl_metrics_count(counter);
    dl_log(DL_LOG_INFO, "DL1030 request %s: no access: %s", q->id, cause);
    apr_table_setn(q->r->err_headers_out, "WWW-Authenticate",
                   sent ? "Bearer realm=\"datalake\", error=\"invalid_token\""
                        : "Bearer realm=\"datalake\"");
    return mdl_problem(q, MDL_PROBLEM_UNAUTHORIZED,
                       "This resource needs a valid access token.");
}

/* httpd joins repeated headers with a comma and a space, which no token
 * holds. */
static int read_header(const char **token, mdl_request *q)
{
    const char *header = apr_table_get(q->r->headers_in, "Authorization");

    if (header == NULL) {
        return refuse(q, MDL_METRICS_TOKEN_MISSING, "no token was sent");
    }
    if (strstr(header, ", ") != NULL) {
        return mdl_problem(q, MDL_PROBLEM_MALFORMED_REQUEST,
                           "Authorization may be sent once.");
    }
    if (strncasecmp(header, "Bearer ", 7) != 0) {
        return refuse(q, MDL_METRICS_TOKEN_MALFORMED,
                      "the scheme is not Bearer");
    }
    *token = header + 7;
    return OK;
}

static int read_claims(dl_claims *claims, mdl_request *q)
{
    dl_token_query query = {.text = "", .type = DL_TOKEN_ACCESS};
    dl_error err;
    int status = read_header(&query.text, q);

    if (status != OK) {
        return status;
    }
    query.len = strlen(query.text);
    query.now = apr_time_sec(q->r->request_time);
    if (dl_token_cache_verify(claims, q->site->tokens, &query, &err) != DL_OK) {
        return refuse(q, MDL_METRICS_TOKEN_MALFORMED, err.text);
    }
    return OK;
}

/* Fill ACCOUNT from the mirror, or from the warehouse when it is not there or
 * has not been confirmed lately. */
static dl_status load_account(mdl_account *account, const mdl_request *q,
                              int64_t user_id, dl_error *err)
{
    const mdl_site *site = q->site;
    int64_t max_age = site->config->max_stale_s * (int64_t)DL_SECOND_US;
    int64_t age = 0;
    bool known = mdl_mirror_find(account, &age, site->mirror, user_id);
    mdl_account fresh;

    if (known && age <= TRUSTED_US) {
        return DL_OK;
    }
    if (mdl_account_load(&fresh, site->mirror, site->wh, user_id, err) ==
        DL_OK) {
        *account = fresh;
        return DL_OK;
    }
    return known && age <= max_age ? DL_OK : err->status;
}

static int find_account(mdl_account *account, mdl_request *q, int64_t user_id)
{
    dl_error err;

    return load_account(account, q, user_id, &err) == DL_OK
               ? OK
               : mdl_http_fail(q, MDL_WAREHOUSE, &err);
}

static bool is_revoked(const mdl_account *account, const char *sid)
{
    uint64_t hash = mdl_mirror_hash(sid);
    uint32_t i;

    for (i = 0; i < account->n_revoked; i++) {
        if (account->revoked[i] == hash) {
            return true;
        }
    }
    return false;
}

/* Judge the log-in SID of ACCOUNT. */
static int check_session(mdl_request *q, const mdl_account *account,
                         const char *sid)
{
    bool revoked = is_revoked(account, sid);
    dl_error err;

    if (!revoked && account->crowded &&
        mdl_account_check_session(&revoked, q->site->wh, sid, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    return revoked ? refuse(q, MDL_METRICS_TOKEN_ACCOUNT,
                            "the log-in of the token is revoked")
                   : OK;
}

/* Whether ACCOUNT is the one of CLAIMS and may come in. */
static bool is_active(const mdl_account *account, const dl_claims *claims)
{
    return account->active && strcmp(account->username, claims->username) == 0;
}

int mdl_auth_identify(mdl_request *q)
{
    mdl_account account;
    dl_claims claims;
    int status = read_claims(&claims, q);

    if (status == OK) {
        status = find_account(&account, q, claims.user_id);
    }
    if (status != OK) {
        return status;
    }
    if (!is_active(&account, &claims)) {
        return refuse(q, MDL_METRICS_TOKEN_ACCOUNT,
                      "the account is unknown or not active");
    }
    status = check_session(q, &account, claims.sid);
    if (status != OK) {
        return status;
    }
    q->identity.known = true;
    q->identity.auth_time = claims.auth_time;
    q->identity.consent = account.consent;
    q->identity.all_grants = account.all_grants;
    q->identity.grants.bytes =
        apr_pmemdup(q->r->pool, account.grants, account.grants_len);
    q->identity.grants.len = q->identity.grants.max = account.grants_len;
    q->identity.user_id = account.user_id;
    q->identity.role = (dl_role)account.role;
    q->identity.epoch = account.epoch;
    memcpy(q->identity.username, account.username, sizeof q->identity.username);
    q->r->user = q->identity.username;
    return OK;
}

bool mdl_auth_holds(mdl_request *q)
{
    const char *header = apr_table_get(q->r->headers_in, "Authorization");
    dl_token_query query = {.type = DL_TOKEN_ACCESS,
                            .now = apr_time_sec(apr_time_now())};
    mdl_account account;
    dl_claims claims;
    dl_error err;
    bool revoked;

    if (header == NULL || strncasecmp(header, "Bearer ", 7) != 0) {
        return false;
    }
    query.text = header + 7;
    query.len = strlen(query.text);
    if (dl_token_cache_verify(&claims, q->site->tokens, &query, &err) !=
            DL_OK ||
        load_account(&account, q, claims.user_id, &err) != DL_OK ||
        !is_active(&account, &claims)) {
        return false;
    }
    revoked = is_revoked(&account, claims.sid);
    if (!revoked && account.crowded &&
        mdl_account_check_session(&revoked, q->site->wh, claims.sid, &err) !=
            DL_OK) {
        return false;
    }
    q->identity.role = (dl_role)account.role;
    return !revoked;
}
