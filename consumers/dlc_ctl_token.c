/* dlc_ctl_token.c - datalakectl token: print an access token of an account.
 *
 * The token belongs to a log-in of its own, so that it can be revoked without
 * touching the others.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_config.h"
#include "dl_identity.h"
#include "dl_secret.h"
#include "dl_token.h"
#include "dl_wh.h"
#include "dlc_ctl.h"
#include "dlc_ctl_account.h"
#include "dlc_directives.h"

#include <string.h>

#define TTL_MAX_S (3650LL * 86400)

/* What the command line asks for. */
typedef struct token_request {
    const char *username; /* whose token */
    const char *key_file; /* --key-file, or NULL */
    int64_t ttl_s;        /* --ttl */
} token_request;

static dl_status load_rules(dl_keyset **keys, dl_token_rules *rules,
                            dlc_ctl *ctl, const token_request *request,
                            dl_error *err)
{
    const dl_config *cfg;
    dlc_directives directives;

    DL_TRY(dlc_ctl_config(&cfg, ctl, err));
    DL_TRY(
        dlc_directives_load(&directives, cfg->run.httpd_conf, err, ctl->pool));
    rules->issuer = directives.issuer;
    rules->audience = directives.audience;
    return dl_keyset_load(keys,
                          request->key_file != NULL ? request->key_file
                                                    : directives.key_file,
                          err, ctl->pool);
}

/* Refuse an account whose tokens nobody would accept. */
static dl_status check_account(const dl_account *account, dl_error *err)
{
    if (account->deleted_at != DL_TIME_NONE) {
        return dl_fail(err, DL_CONFLICT, 0,
                       "%s is deleted; \"user undelete\" takes it back",
                       account->username);
    }
    if (!account->active) {
        return dl_fail(err, DL_CONFLICT, 0,
                       "%s is disabled; \"user enable\" changes that",
                       account->username);
    }
    return DL_OK;
}

static dl_status issue(char token[DL_JWS_TEXT], dl_claims *claims, dlc_ctl *ctl,
                       const token_request *request, dl_error *err)
{
    dl_keyset *keys;
    dl_token_rules rules;
    dl_account account;
    dl_session session;
    dl_wh *wh;
    dl_time now = dl_time_now();
    size_t len;

    DL_TRY(load_rules(&keys, &rules, ctl, request, err));
    DL_TRY(dlc_ctl_account_open(&wh, &account, ctl, request->username, err));
    DL_TRY(check_account(&account, err));
    claims->user_id = account.id;
    claims->issued_at = now / DL_SECOND_US;
    claims->auth_time = claims->issued_at;
    claims->expires_at = claims->issued_at + request->ttl_s;
    claims->role = account.role;
    claims->type = DL_TOKEN_ACCESS;
    memcpy(claims->username, account.username, sizeof account.username);
    dl_token_new_id(claims->sid);
    dl_token_new_id(claims->jti);
    memcpy(session.sid, claims->sid, sizeof session.sid);
    session.expires_at = claims->expires_at * DL_SECOND_US;
    DL_TRY(dl_token_issue(token, &len, keys, &rules, claims, err));
    return dl_identity_session_add(wh, account.id, &session, now, err);
}

static int print_token(const dlc_ctl *ctl, const char *token,
                       const dl_claims *claims)
{
    dl_json_writer w = dlc_ctl_json(ctl);

    if (!ctl->json) {
        puts(token);
        return DLC_CTL_OK;
    }
    dl_json_write_object_begin(&w);
    dl_json_write_key(&w, "access_token");
    dl_json_write_text(&w, token);
    dl_json_write_key(&w, "token_type");
    dl_json_write_text(&w, "bearer");
    dl_json_write_key(&w, "expires_in");
    dl_json_write_int(&w, claims->expires_at - claims->issued_at);
    dl_json_write_key(&w, "expires_at");
    dl_json_write_time(&w, claims->expires_at * DL_SECOND_US);
    dl_json_write_key(&w, "sid");
    dl_json_write_text(&w, claims->sid);
    dl_json_write_object_end(&w);
    return dlc_ctl_print_json(ctl, &w);
}

static int end_session(dlc_ctl *ctl, const char *sid)
{
    dl_error err = {0};
    dl_wh *wh;

    if (dlc_ctl_accounts(&wh, ctl, &err) != DL_OK ||
        dl_identity_session_revoke(wh, sid, &err) != DL_OK) {
        return dlc_ctl_fail(ctl, &err);
    }
    dlc_ctl_account_changed();
    return DLC_CTL_OK;
}

int dlc_ctl_token(dlc_ctl *ctl, int argc, const char *const *argv)
{
    const char *sid = NULL;
    token_request request = {.ttl_s = DL_TOKEN_ACCESS_TTL_S};
    const dlc_option table[] = {
        {"ttl", 0, DLC_OPTION_DURATION, &request.ttl_s, 1, TTL_MAX_S, "SECONDS",
         "life of the token (1800)"},
        {"key-file", 0, DLC_OPTION_TEXT, &request.key_file, 0, 0, "FILE",
         "sign with the key in FILE (as DataLakeTokenKeyFile says)"},
        {"revoke", 0, DLC_OPTION_TEXT, &sid, 0, 0, "SID",
         "instead of printing one, end the tokens of the log-in SID"},
        {.name = NULL}};
    char token[DL_JWS_TEXT] = "";
    dl_claims claims;
    dlc_positionals rest;
    dl_error err = {0};
    int exit_status = dlc_ctl_parse(&rest, ctl, table, argc, argv);

    if (exit_status < 0) {
        exit_status =
            dlc_ctl_want(ctl, &rest, sid == NULL ? 1 : 0, sid == NULL ? 1 : 0);
    }
    if (exit_status >= 0) {
        return exit_status;
    }
    if (sid != NULL) {
        return end_session(ctl, sid);
    }
    request.username = rest.text[0];
    if (issue(token, &claims, ctl, &request, &err) != DL_OK) {
        return dlc_ctl_fail(ctl, &err);
    }
    exit_status = print_token(ctl, token, &claims);
    dl_secret_wipe(token, sizeof token);
    return exit_status;
}
