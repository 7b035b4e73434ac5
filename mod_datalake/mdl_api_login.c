/* mdl_api_login.c - POST /user/login, /v1/token, /token, /api/token/: a
 * password for a pair of tokens.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <httpd.h>

#include "dl_log.h"
#include "mdl_api.h"
#include "mdl_http.h"
#include "mdl_login.h"
#include "mdl_site.h"

enum {
    LOGIN_USERNAME,
    LOGIN_PASSWORD,
    LOGIN_GRANT_TYPE,
    LOGIN_SCOPE,
    LOGIN_CLIENT_ID,
    LOGIN_CLIENT_SECRET
};

static const char *const grant_types[] = {"password", NULL};

static const mdl_member login_members[] = {
    [LOGIN_USERNAME] = {.name = "username",
                        .type = MDL_MEMBER_TEXT,
                        .required = true,
                        .min = 1,
                        .max = DL_USERNAME_MAX,
                        .summary = "Name of the account"},
    [LOGIN_PASSWORD] = {.name = "password",
                        .type = MDL_MEMBER_TEXT,
                        .required = true,
                        .secret = true,
                        .free_text = true,
                        .min = 1,
                        .max = DL_PASSWORD_MAX,
                        .summary = "Its password"},
    [LOGIN_GRANT_TYPE] = {.name = "grant_type",
                          .type = MDL_MEMBER_ENUM,
                          .choices = grant_types,
                          .summary = "As OAuth 2 asks for; may be left out"},
    [LOGIN_SCOPE] = {.name = "scope",
                     .type = MDL_MEMBER_ANY,
                     .ignored = true,
                     .summary = "Not looked at"},
    [LOGIN_CLIENT_ID] = {.name = "client_id",
                         .type = MDL_MEMBER_ANY,
                         .ignored = true,
                         .summary = "Not looked at"},
    [LOGIN_CLIENT_SECRET] = {.name = "client_secret",
                             .type = MDL_MEMBER_ANY,
                             .secret = true,
                             .ignored = true,
                             .summary = "Not looked at"},
    {.name = NULL}};

const mdl_body mdl_api_login_body = {.members = login_members,
                                     .media = MDL_MEDIA_JSON | MDL_MEDIA_FORM,
                                     .limit = MDL_BODY_SMALL};

/* The account and the log-in as its tokens will say. */
static void make_claims(dl_claims *claims, const dl_login_candidate *account,
                        const mdl_login_pair *pair)
{
    memset(claims, 0, sizeof *claims);
    claims->user_id = account->user_id;
    claims->role = account->role;
    claims->auth_time = pair->issued_at;
    memcpy(claims->username, account->username, sizeof claims->username);
    dl_token_new_id(claims->sid);
}

static dl_status store(struct dl_wh *wh, void *context, dl_error *err)
{
    return dl_login_add(wh, context, err);
}

/* Store the log-in of CLAIMS into ACCOUNT with the tokens of PAIR. */
static int store_login(mdl_request *q, const dl_login_candidate *account,
                       const dl_claims *claims, const mdl_login_pair *pair)
{
    dl_login login;
    dl_error err;
    dl_status status;

    mdl_login_record(&login, pair, claims);
    login.epoch = account->epoch;
    status = mdl_wh_write(q->site->wh, store, &login, &err);
    if (status == DL_NOT_FOUND) {
        return mdl_login_refuse(q);
    }
    return status == DL_OK ? OK : mdl_http_fail(q, MDL_WAREHOUSE, &err);
}

/* The password's member of Q may hold any byte but NUL. */
static int check_password(mdl_request *q)
{
    const mdl_member_value *password = &q->members[LOGIN_PASSWORD];

    if (memchr(password->text, '\0', password->len) != NULL) {
        return mdl_body_refuse(q, &login_members[LOGIN_PASSWORD],
                               "control-character",
                               "A password must not hold a NUL.");
    }
    return OK;
}

static int log_in(mdl_request *q, mdl_login_shape shape)
{
    const mdl_member_value *password = &q->members[LOGIN_PASSWORD];
    mdl_login_pair *pair;
    dl_login_candidate account;
    dl_claims claims;
    dl_error err;
    int status;

    q->subject.user = q->members[LOGIN_USERNAME].text;
    q->subject.action = "login";
    status = check_password(q);
    if (status == OK) {
        status = mdl_login_verify(&account, q, q->members[LOGIN_USERNAME].text,
                                  password->text, password->len);
    }
    if (status != OK) {
        return status;
    }
    pair = mdl_login_pair_create(q);
    make_claims(&claims, &account, pair);
    if (mdl_login_sign(pair, q->site, &claims, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_OURSELVES, &err);
    }
    status = store_login(q, &account, &claims, pair);
    return status == OK ? mdl_login_answer(q, pair, shape) : status;
}

int mdl_api_login(mdl_request *q)
{
    return log_in(q, MDL_LOGIN_OAUTH);
}

int mdl_api_login_short(mdl_request *q)
{
    return log_in(q, MDL_LOGIN_SHORT);
}
