/* mdl_login.c - Verify, issue, answer.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_login.h"

#include <string.h>

#include <httpd.h>

#include "dl_json_write.h"
#include "dl_log.h"
#include "dl_secret.h"
#include "mdl_answer.h"
#include "mdl_config.h"
#include "mdl_http.h"
#include "mdl_metrics.h"
#include "mdl_password.h"
#include "mdl_problem.h"
#include "mdl_site.h"
#include "mdl_throttle.h"

/* --- Whose password it is ------------------------------------------------- */

/* What a look at the warehouse wants and brings. */
typedef struct visit {
    const char *username;
    dl_login_candidate *candidate;
} visit;

static dl_status read_candidate(struct dl_wh *wh, void *context, dl_error *err)
{
    const visit *v = context;

    return dl_login_find(v->candidate, wh, v->username, err);
}

static int find_candidate(dl_login_candidate *candidate, mdl_request *q,
                          const char *username)
{
    visit v = {username, candidate};
    dl_error err;
    dl_status status = mdl_wh_read(q->site->wh, read_candidate, &v, &err);

    mdl_metrics_query(MDL_METRICS_IDENTITY, status == DL_OK
                                                ? MDL_METRICS_ANSWERED
                                                : MDL_METRICS_FAILED);
    return status == DL_OK ? OK : mdl_http_fail(q, MDL_WAREHOUSE, &err);
}

int mdl_login_refuse(mdl_request *q)
{
    apr_table_setn(q->r->err_headers_out, "WWW-Authenticate", "Bearer");
    apr_table_setn(q->r->err_headers_out, "Cache-Control", "no-store");
    return mdl_problem(q, MDL_PROBLEM_INVALID_CREDENTIALS,
                       "Name or password is wrong.");
}

/* A try, with a place to hash in. */
typedef struct attempt {
    const dl_login_candidate *candidate;
    const char *password;
    size_t len;
    mdl_window_key key;
} attempt;

/* Take one try and look at the password.  A try that could not be looked at,
 * or was right, is given back. */
static int compare(mdl_request *q, const attempt *a)
{
    const dl_login_candidate *candidate = a->candidate;
    bool match = false;
    dl_error err;
    int status = mdl_throttle_login_take(q, &a->key);

    if (status != OK) {
        return status;
    }
    if (mdl_password_compare(&match, candidate->known ? candidate->hash : NULL,
                             a->password, a->len, &err) != DL_OK) {
        mdl_throttle_login_forgive(&a->key);
        return mdl_http_fail(q, MDL_OURSELVES, &err);
    }
    if (!match || !candidate->active) {
        return mdl_login_refuse(q);
    }
    mdl_throttle_login_forgive(&a->key);
    return OK;
}

int mdl_login_verify(dl_login_candidate *candidate, mdl_request *q,
                     const char *username, const char *password, size_t len)
{
    attempt a = {.candidate = candidate, .password = password, .len = len};
    mdl_password_place place = {{NULL, 0}};
    dl_error err;
    int status;

    mdl_throttle_login_key(&a.key, q, username);
    status = mdl_throttle_login_check(q, &a.key);
    if (status == OK) {
        status = find_candidate(candidate, q, username);
    }
    if (status != OK) {
        return status;
    }
    if (mdl_password_enter(&place, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_OURSELVES, &err);
    }
    status = compare(q, &a);
    mdl_password_leave(&place);
    dl_secret_wipe(candidate->hash, sizeof candidate->hash);
    return status;
}

/* --- Tokens --------------------------------------------------------------- */

mdl_login_pair *mdl_login_pair_create(const mdl_request *q)
{
    const mdl_config *config = q->site->config;
    mdl_login_pair *pair = apr_palloc(q->r->pool, sizeof *pair);

    pair->issued_at = apr_time_sec(apr_time_now());
    pair->access_expires_at = pair->issued_at + config->access_ttl_s;
    pair->refresh_expires_at = pair->issued_at + config->refresh_ttl_s;
    pair->access[0] = '\0';
    pair->refresh[0] = '\0';
    dl_token_new_id(pair->refresh_jti);
    return pair;
}

void mdl_login_record(dl_login *login, const mdl_login_pair *pair,
                      const dl_claims *claims)
{
    int64_t last = pair->access_expires_at > pair->refresh_expires_at
                       ? pair->access_expires_at
                       : pair->refresh_expires_at;

    login->user_id = claims->user_id;
    login->epoch = 0;
    login->sid = claims->sid;
    login->jti = pair->refresh_jti;
    login->now = dl_time_now();
    login->expires_at = pair->refresh_expires_at * DL_SECOND_US;
    login->ends_at = last * DL_SECOND_US;
}

dl_status mdl_login_sign(mdl_login_pair *pair, const mdl_site *site,
                         const dl_claims *claims, dl_error *err)
{
    dl_claims c = *claims;
    size_t len;

    c.issued_at = pair->issued_at;
    c.type = DL_TOKEN_ACCESS;
    c.expires_at = pair->access_expires_at;
    dl_token_new_id(c.jti);
    DL_TRY(
        dl_token_issue(pair->access, &len, site->keys, &site->rules, &c, err));
    c.type = DL_TOKEN_REFRESH;
    c.expires_at = pair->refresh_expires_at;
    memcpy(c.jti, pair->refresh_jti, sizeof c.jti);
    return dl_token_issue(pair->refresh, &len, site->keys, &site->rules, &c,
                          err);
}

/* --- Answers -------------------------------------------------------------- */

int mdl_login_answer_text(mdl_request *q, const char *data, size_t len)
{
    mdl_answer answer = {.data = data, .len = len, .cache = "no-store"};

    mdl_answer_header(q, "Pragma", "no-cache");
    /* mod_deflate and mod_brotli look here. */
    apr_table_setn(q->r->subprocess_env, "no-gzip", "1");
    apr_table_setn(q->r->subprocess_env, "no-brotli", "1");
    return mdl_answer_send(q, &answer);
}

static void write_oauth(dl_json_writer *w, const mdl_login_pair *pair,
                        int access_ttl_s)
{
    dl_json_write_key(w, "access_token");
    dl_json_write_text(w, pair->access);
    dl_json_write_key(w, "token_type");
    dl_json_write_text(w, "bearer");
    dl_json_write_key(w, "expires_in");
    dl_json_write_int(w, access_ttl_s);
    dl_json_write_key(w, "refresh_token");
    dl_json_write_text(w, pair->refresh);
}

static void write_short(dl_json_writer *w, const mdl_login_pair *pair)
{
    dl_json_write_key(w, "access");
    dl_json_write_text(w, pair->access);
    dl_json_write_key(w, "refresh");
    dl_json_write_text(w, pair->refresh);
}

int mdl_login_answer(mdl_request *q, const mdl_login_pair *pair,
                     mdl_login_shape shape)
{
    dl_buf *buf = mdl_answer_buf(q, (size_t)4 * DL_JWS_TEXT);
    dl_json_writer w;
    dl_error err;

    dl_json_writer_begin(&w, buf);
    dl_json_write_object_begin(&w);
    if (shape == MDL_LOGIN_OAUTH) {
        write_oauth(&w, pair, q->site->config->access_ttl_s);
    }
    else {
        write_short(&w, pair);
    }
    dl_json_write_object_end(&w);
    if (dl_json_writer_finish(&w, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_OURSELVES, &err);
    }
    mdl_metrics_count(MDL_METRICS_ACCESS_ISSUED);
    mdl_metrics_count(MDL_METRICS_REFRESH_ISSUED);
    return mdl_login_answer_text(q, buf->data, buf->len);
}
