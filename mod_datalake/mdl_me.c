/* mdl_me.c - An account as its owner sees it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_me.h"

#include <httpd.h>

#include <apr_strings.h>

#include "mdl_answer.h"
#include "mdl_http.h"
#include "mdl_problem.h"

int mdl_me_require_fresh(mdl_request *q)
{
    int64_t age = apr_time_sec(q->r->request_time) - q->identity.auth_time;

    if (age <= MDL_ME_FRESH_S) {
        return OK;
    }
    apr_table_setn(q->r->err_headers_out, "WWW-Authenticate", "Bearer");
    return mdl_problem(q, MDL_PROBLEM_REAUTHENTICATION, "%s",
                       "This needs a log-in of the last 5 minutes; log in "
                       "again.");
}

/* --- Writing ---------------------------------------------------------------
 */

static void write_optional(dl_json_writer *w, const char *name,
                           const char *text)
{
    dl_json_write_key(w, name);
    dl_json_write_text(w, text[0] == '\0' ? NULL : text);
}

void mdl_me_write_short(dl_json_writer *w, const dl_profile *profile)
{
    const dl_account *account = &profile->account;

    dl_json_write_key(w, "id");
    dl_json_write_int(w, account->id);
    dl_json_write_key(w, "username");
    dl_json_write_text(w, account->username);
    write_optional(w, "email", account->email);
    dl_json_write_key(w, "is_active");
    dl_json_write_bool(w, account->active);
    dl_json_write_key(w, "consent_given");
    dl_json_write_bool(w, account->consent);
    dl_json_write_key(w, "created_at");
    dl_json_write_time(w, account->created_at);
}

void mdl_me_write(dl_json_writer *w, const dl_profile *profile)
{
    dl_json_write_object_begin(w);
    mdl_me_write_short(w, profile);
    write_optional(w, "first_name", profile->first_name);
    write_optional(w, "last_name", profile->last_name);
    write_optional(w, "address", profile->address);
    dl_json_write_key(w, "role");
    dl_json_write_text(w, dl_role_name(profile->account.role));
    dl_json_write_key(w, "consent_date");
    dl_json_write_time(w, profile->consent_date);
    dl_json_write_key(w, "consent_version");
    dl_json_write_text(w, profile->consent_version);
    dl_json_write_key(w, "last_login_at");
    dl_json_write_time(w, profile->account.last_login_at);
    dl_json_write_object_end(w);
}

/* Write the account to a buffer of Q's pool and its validator to ETAG; NULL
 * with ERR when it does not fit. */
static dl_buf *make_text(char etag[MDL_ETAG_TEXT], mdl_request *q,
                         const dl_profile *profile, dl_error *err)
{
    dl_buf *buf = mdl_answer_buf(q, MDL_ME_MAX);
    dl_json_writer w;

    dl_json_writer_begin(&w, buf);
    mdl_me_write(&w, profile);
    if (dl_json_writer_finish(&w, err) != DL_OK) {
        return NULL;
    }
    mdl_answer_etag(etag, buf->data, buf->len);
    return buf;
}

int mdl_me_answer(mdl_request *q, int status, const dl_profile *profile)
{
    mdl_answer answer = {.status = status};
    char etag[MDL_ETAG_TEXT];
    dl_error err;
    const dl_buf *buf = make_text(etag, q, profile, &err);

    if (buf == NULL) {
        return mdl_http_fail(q, MDL_OURSELVES, &err);
    }
    if (mdl_answer_unchanged(q, etag) && q->r->method_number == M_GET) {
        return mdl_answer_not_modified(q);
    }
    answer.data = buf->data;
    answer.len = buf->len;
    return mdl_answer_send(q, &answer);
}

dl_status mdl_me_lock(dl_profile *profile, bool *stale, struct dl_wh *wh,
                      mdl_request *q, dl_error *err)
{
    int64_t id = q->identity.user_id;
    char etag[MDL_ETAG_TEXT];

    *stale = false;
    DL_TRY(dl_profile_lock(wh, id, err));
    DL_TRY(dl_profile_read(profile, wh, id, err));
    if (!profile->account.active) {
        return dl_fail(err, DL_NOT_FOUND, 0, "the account has ended");
    }
    if (apr_table_get(q->r->headers_in, "If-Match") == NULL) {
        return DL_OK;
    }
    if (make_text(etag, q, profile, err) == NULL) {
        return err->status;
    }
    *stale = !mdl_answer_may_change(q, etag);
    return *stale ? dl_fail(err, DL_CONFLICT, 0, "If-Match names another state")
                  : DL_OK;
}

int mdl_me_refuse_stale(mdl_request *q)
{
    return mdl_problem(q, MDL_PROBLEM_PRECONDITION_FAILED, "%s",
                       "If-Match does not name the present state; read it "
                       "again.");
}

void mdl_me_write_consent(dl_json_writer *w, const dl_consent *consent)
{
    dl_json_write_object_begin(w);
    dl_json_write_key(w, "consent_given");
    dl_json_write_bool(w, consent->given);
    dl_json_write_key(w, "consent_version");
    dl_json_write_text(w, consent->version);
    dl_json_write_key(w, "at");
    dl_json_write_time(w, consent->at);
    dl_json_write_key(w, "source");
    dl_json_write_text(w, consent->source);
    dl_json_write_object_end(w);
}

/* --- Rules -----------------------------------------------------------------
 */

/* Refuse member I of Q with the sentence of ERR. */
static int refuse(mdl_request *q, int i, const dl_error *err)
{
    return mdl_body_refuse(q, &q->route->body->members[i], "not-allowed",
                           apr_pstrdup(q->r->pool, err->text));
}

int mdl_me_check_email(mdl_request *q, int email)
{
    const mdl_member_value *value = &q->members[email];
    dl_error err;

    if (value->given &&
        dl_identity_check_email(value->text, value->len, &err) != DL_OK) {
        return refuse(q, email, &err);
    }
    return OK;
}

int mdl_me_check_password(mdl_request *q, int password, const char *username)
{
    const mdl_member_value *value = &q->members[password];
    dl_error err;

    if (value->given &&
        dl_password_check(value->text, value->len, username, &err) != DL_OK) {
        return refuse(q, password, &err);
    }
    return OK;
}
