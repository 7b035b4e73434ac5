/* mdl_api_me.c - GET, PATCH, DELETE /user/me: one's own account.
 *
 * A new password ends every log-in of the account, the one that asks
 * included; so does a deletion, which is carried out by a job when the grace
 * period is over.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "dl_config.h"
#include "dl_identity_within.h"
#include "dl_secret.h"
#include "mdl_account.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_http.h"
#include "mdl_login.h"
#include "mdl_me.h"
#include "mdl_password.h"
#include "mdl_problem.h"
#include "mdl_site.h"

enum {
    EMAIL,
    FIRST_NAME,
    LAST_NAME,
    ADDRESS,
    PASSWORD,
    CURRENT
};

static const mdl_member me_members[] = {
    [EMAIL] = {.name = "email",
               .type = MDL_MEMBER_TEXT,
               .nullable = true,
               .min = 3,
               .max = DL_EMAIL_MAX,
               .summary = "E-mail address; null: none"},
    [FIRST_NAME] = {.name = "first_name",
                    .type = MDL_MEMBER_TEXT,
                    .nullable = true,
                    .characters = true,
                    .max = DL_NAME_CHARS,
                    .summary = "Given name; null: none"},
    [LAST_NAME] = {.name = "last_name",
                   .type = MDL_MEMBER_TEXT,
                   .nullable = true,
                   .characters = true,
                   .max = DL_NAME_CHARS,
                   .summary = "Family name; null: none"},
    [ADDRESS] = {.name = "address",
                 .type = MDL_MEMBER_TEXT,
                 .nullable = true,
                 .characters = true,
                 .max = DL_ADDRESS_CHARS,
                 .summary = "Postal address; null: none"},
    [PASSWORD] = {.name = "password",
                  .type = MDL_MEMBER_TEXT,
                  .secret = true,
                  .free_text = true,
                  .min = DL_PASSWORD_MIN,
                  .max = DL_PASSWORD_MAX,
                  .summary = "New password; ends every log-in"},
    [CURRENT] = {.name = "current_password",
                 .type = MDL_MEMBER_TEXT,
                 .secret = true,
                 .free_text = true,
                 .min = 1,
                 .max = DL_PASSWORD_MAX,
                 .summary = "Present password, with password"},
    {.name = NULL}};

const mdl_body mdl_api_me_body = {.members = me_members,
                                  .media = MDL_MEDIA_JSON,
                                  .limit = MDL_BODY_SMALL,
                                  .not_empty = true};

/* One visit to the warehouse. */
typedef struct visit {
    mdl_request *q;
    dl_profile profile;            /* the account as it is afterwards */
    dl_identity_deletion deletion; /* of DELETE */
    char hash[DL_PASSWORD_HASH];   /* of a new password; "": none */
    bool stale;                    /* If-Match names another state */
} visit;

static visit *make_visit(mdl_request *q)
{
    visit *v = apr_pcalloc(q->r->pool, sizeof *v);

    v->q = q;
    return v;
}

/* --- GET -------------------------------------------------------------------
 */

static dl_status read_profile(struct dl_wh *wh, void *context, dl_error *err)
{
    visit *v = context;

    return dl_profile_read(&v->profile, wh, v->q->identity.user_id, err);
}

int mdl_api_me(mdl_request *q)
{
    visit *v = make_visit(q);
    dl_error err;

    if (mdl_wh_read(q->site->wh, read_profile, v, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    return mdl_me_answer(q, HTTP_OK, &v->profile);
}

/* --- PATCH -----------------------------------------------------------------
 */

/* Copy member I of Q, if it was sent, to OUT of SIZE bytes. */
static void merge_text(char *out, size_t size, const mdl_request *q, int i)
{
    if (q->members[i].given || q->members[i].is_null) {
        apr_cpystrn(out, q->members[i].given ? q->members[i].text : "", size);
    }
}

/* Put what was sent over what is there. */
static void merge(dl_profile *profile, const mdl_request *q)
{
    merge_text(profile->account.email, sizeof profile->account.email, q, EMAIL);
    merge_text(profile->first_name, sizeof profile->first_name, q, FIRST_NAME);
    merge_text(profile->last_name, sizeof profile->last_name, q, LAST_NAME);
    merge_text(profile->address, sizeof profile->address, q, ADDRESS);
}

static dl_status change(struct dl_wh *wh, void *context, dl_error *err)
{
    visit *v = context;
    const mdl_identity *identity = &v->q->identity;

    DL_TRY(mdl_me_lock(&v->profile, &v->stale, wh, v->q, err));
    merge(&v->profile, v->q);
    DL_TRY(dl_profile_write(wh, &v->profile, err));
    if (v->hash[0] == '\0') {
        return DL_OK;
    }
    return dl_identity_password_within(wh, identity->user_id, v->hash,
                                       identity->epoch, err);
}

/* Password and current password come together. */
static int check_pair(mdl_request *q)
{
    bool password = q->members[PASSWORD].given;
    bool current = q->members[CURRENT].given;

    if (password == current) {
        return OK;
    }
    return mdl_body_refuse(q, &me_members[password ? CURRENT : PASSWORD],
                           "required",
                           "password and current_password come together");
}

static int check_members(mdl_request *q)
{
    int pair = check_pair(q);
    int password = mdl_me_check_password(q, PASSWORD, q->identity.username);
    int email = mdl_me_check_email(q, EMAIL);

    if (pair != OK) {
        return pair;
    }
    return password != OK ? password : email;
}

/* Make the hash of the new password, when the current one is right. */
static int prepare_password(visit *v)
{
    mdl_request *q = v->q;
    const mdl_member_value *current = &q->members[CURRENT];
    const mdl_member_value *password = &q->members[PASSWORD];
    dl_login_candidate candidate;
    dl_error err;
    int status;

    if (!password->given) {
        return OK;
    }
    status = mdl_login_verify(&candidate, q, q->identity.username,
                              current->text, current->len);
    if (status != OK) {
        return status;
    }
    if (mdl_password_hash(v->hash, password->text, password->len, &err) !=
        DL_OK) {
        return mdl_http_fail(q, MDL_OURSELVES, &err);
    }
    return OK;
}

static int store_change(visit *v)
{
    mdl_request *q = v->q;
    dl_error err;
    dl_status status = mdl_wh_write(q->site->wh, change, v, &err);
    bool password = v->hash[0] != '\0';

    dl_secret_wipe(v->hash, sizeof v->hash);
    if (password) {
        mdl_account_refresh(q->site, q->identity.user_id);
    }
    if (status == DL_CONFLICT && v->stale) {
        return mdl_me_refuse_stale(q);
    }
    if (status == DL_CONFLICT) {
        return mdl_problem(q, MDL_PROBLEM_CONFLICT, "%s",
                           password
                               ? "The e-mail address is taken, or the account "
                                 "changed meanwhile."
                               : "The e-mail address is taken.");
    }
    return status == DL_OK ? OK : mdl_http_fail(q, MDL_WAREHOUSE, &err);
}

int mdl_api_me_change(mdl_request *q)
{
    visit *v = make_visit(q);
    int status = check_members(q);

    if (status == OK) {
        status = prepare_password(v);
    }
    if (status == OK) {
        status = store_change(v);
    }
    return status == OK ? mdl_me_answer(q, HTTP_OK, &v->profile) : status;
}

/* --- DELETE ----------------------------------------------------------------
 */

static dl_status erase_later(struct dl_wh *wh, void *context, dl_error *err)
{
    visit *v = context;

    if (apr_table_get(v->q->r->headers_in, "If-Match") != NULL) {
        DL_TRY(mdl_me_lock(&v->profile, &v->stale, wh, v->q, err));
    }
    return dl_identity_delete_within(wh, v->q->identity.user_id, &v->deletion,
                                     err);
}

static int answer_deletion(mdl_request *q, const dl_identity_deletion *deletion)
{
    dl_buf *buf = mdl_answer_buf(q, MDL_ME_MAX);
    mdl_answer accepted = {.status = HTTP_ACCEPTED};
    dl_json_writer w;
    dl_error err;

    dl_json_writer_begin(&w, buf);
    dl_json_write_object_begin(&w);
    dl_json_write_key(&w, "message");
    dl_json_write_text(&w, "Account deleted; its data are erased later");
    dl_json_write_key(&w, "state");
    dl_json_write_text(&w, "pending");
    dl_json_write_key(&w, "erase_after");
    dl_json_write_time(&w, deletion->erase_after);
    dl_json_write_key(&w, "job_id");
    dl_json_write_text(&w, deletion->job_id);
    dl_json_write_object_end(&w);
    if (dl_json_writer_finish(&w, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_OURSELVES, &err);
    }
    mdl_answer_header(
        q, "Location",
        apr_pstrcat(q->r->pool, "/api/jobs/", deletion->job_id, NULL));
    accepted.data = buf->data;
    accepted.len = buf->len;
    return mdl_answer_send(q, &accepted);
}

int mdl_api_me_delete(mdl_request *q)
{
    visit *v = make_visit(q);
    char job_id[DL_TOKEN_ID_MAX + 1];
    dl_status status;
    dl_error err;

    if (mdl_me_require_fresh(q) != OK) {
        return HTTP_UNAUTHORIZED;
    }
    dl_token_new_id(job_id);
    v->deletion.now = dl_time_now();
    v->deletion.erase_after =
        v->deletion.now + q->site->ini->erasure.grace_s * DL_SECOND_US;
    v->deletion.job_id = job_id;
    status = mdl_wh_write(q->site->wh, erase_later, v, &err);
    mdl_account_refresh(q->site, q->identity.user_id);
    if (status == DL_CONFLICT && v->stale) {
        return mdl_me_refuse_stale(q);
    }
    if (status == DL_CONFLICT) {
        return mdl_problem(q, MDL_PROBLEM_CONFLICT, "%s",
                           "It is the last administrator, or the account is "
                           "deleted already.");
    }
    if (status != DL_OK) {
        return mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    return answer_deletion(q, &v->deletion);
}
