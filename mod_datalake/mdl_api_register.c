/* mdl_api_register.c - POST /user/register, /v1/register, /register: a new
 * account.
 *
 * The three differ in what they ask for: the first wants an e-mail address and
 * consent, the others take consent from DataLakeConsentPolicy.  A taken name
 * is looked for before the password is hashed, which is what costs; the unique
 * keys decide between those who come at the same time.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "dl_identity_within.h"
#include "dl_secret.h"
#include "mdl_access.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_config.h"
#include "mdl_http.h"
#include "mdl_me.h"
#include "mdl_password.h"
#include "mdl_problem.h"
#include "mdl_site.h"
#include "mdl_throttle.h"

enum {
    USERNAME,
    PASSWORD,
    EMAIL,
    CONSENT,
    FIRST_NAME,
    LAST_NAME,
    ADDRESS
};

/* The members of both tables. */
#define MEMBERS(email_required)                                                \
    [USERNAME] = {.name = "username",                                          \
                  .type = MDL_MEMBER_TEXT,                                     \
                  .required = true,                                            \
                  .min = DL_USERNAME_MIN,                                      \
                  .max = DL_USERNAME_MAX,                                      \
                  .summary = "Name to log in with: letters, digits, _ . @ + "  \
                             "-"},                                             \
    [PASSWORD] = {.name = "password",                                          \
                  .type = MDL_MEMBER_TEXT,                                     \
                  .required = true,                                            \
                  .secret = true,                                              \
                  .free_text = true,                                           \
                  .min = DL_PASSWORD_MIN,                                      \
                  .max = DL_PASSWORD_MAX,                                      \
                  .summary = "Password; not the name"},                        \
    [EMAIL] = {.name = "email",                                                \
               .type = MDL_MEMBER_TEXT,                                        \
               .required = (email_required),                                   \
               .min = 3,                                                       \
               .max = DL_EMAIL_MAX,                                            \
               .summary = "E-mail address"},                                   \
    [CONSENT] = {.name = "consent_given",                                      \
                 .type = MDL_MEMBER_BOOL,                                      \
                 .summary = "Consent to the processing of these data"},        \
    [FIRST_NAME] = {.name = "first_name",                                      \
                    .type = MDL_MEMBER_TEXT,                                   \
                    .characters = true,                                        \
                    .max = DL_NAME_CHARS,                                      \
                    .summary = "Given name"},                                  \
    [LAST_NAME] = {.name = "last_name",                                        \
                   .type = MDL_MEMBER_TEXT,                                    \
                   .characters = true,                                         \
                   .max = DL_NAME_CHARS,                                       \
                   .summary = "Family name"},                                  \
    [ADDRESS] = {.name = "address",                                            \
                 .type = MDL_MEMBER_TEXT,                                      \
                 .characters = true,                                           \
                 .max = DL_ADDRESS_CHARS,                                      \
                 .summary = "Postal address"},                                 \
    {                                                                          \
        .name = NULL                                                           \
    }

static const mdl_member form_members[] = {MEMBERS(true)};
static const mdl_member open_members[] = {MEMBERS(false)};

const mdl_body mdl_api_register_form_body = {.members = form_members,
                                             .media = MDL_MEDIA_JSON,
                                             .limit = MDL_BODY_SMALL,
                                             .repeatable = true};
const mdl_body mdl_api_register_body = {.members = open_members,
                                        .media = MDL_MEDIA_JSON,
                                        .limit = MDL_BODY_SMALL,
                                        .repeatable = true};

/* One registration. */
typedef struct registration {
    mdl_request *q;
    dl_identity_new account;     /* what is stored */
    dl_profile profile;          /* what is answered */
    char hash[DL_PASSWORD_HASH]; /* of its password */
    bool taken;                  /* name or address is another's */
} registration;

/* --- Rules -----------------------------------------------------------------
 */

static int check_username(mdl_request *q)
{
    const mdl_member_value *name = &q->members[USERNAME];
    dl_error err;

    if (dl_identity_check_username(name->text, name->len, &err) == DL_OK) {
        return OK;
    }
    return mdl_body_refuse(q, &q->route->body->members[USERNAME], "not-allowed",
                           apr_pstrdup(q->r->pool, err.text));
}

/* Judge all that needs a rule of its own; all faults are told. */
static int check_members(mdl_request *q)
{
    int name = check_username(q);
    int password =
        mdl_me_check_password(q, PASSWORD, q->members[USERNAME].text);
    int email = mdl_me_check_email(q, EMAIL);

    if (name != OK) {
        return name;
    }
    return password != OK ? password : email;
}

static int refuse_consent(mdl_request *q)
{
    mdl_problem_pointer(q, "/consent_given", "consent-required", "%s",
                        "must be true");
    return mdl_problem(q, MDL_PROBLEM_CONSENT_REQUIRED, "%s",
                       "A registration must give consent.");
}

static int refuse_taken(mdl_request *q)
{
    return mdl_problem(q, MDL_PROBLEM_CONFLICT, "%s",
                       "The name or the e-mail address is taken.");
}

static const char *text_of(const mdl_request *q, int member)
{
    return q->members[member].given ? q->members[member].text : NULL;
}

static void fill_account(registration *g)
{
    mdl_request *q = g->q;
    const mdl_member_value *consent = &q->members[CONSENT];

    g->account.username = text_of(q, USERNAME);
    g->account.email = text_of(q, EMAIL);
    g->account.password_hash = g->hash;
    g->account.first_name = text_of(q, FIRST_NAME);
    g->account.last_name = text_of(q, LAST_NAME);
    g->account.address = text_of(q, ADDRESS);
    g->account.role = DL_ROLE_USER;
    g->account.consent =
        consent->given ? consent->flag : q->site->config->consent_policy != 0;
    g->account.source = consent->given ? "form" : "policy";
}

/* --- The warehouse ---------------------------------------------------------
 */

static dl_status look_for(struct dl_wh *wh, void *context, dl_error *err)
{
    registration *g = context;

    return dl_profile_taken(&g->taken, wh, g->account.username,
                            g->account.email, err);
}

static dl_status store(struct dl_wh *wh, void *context, dl_error *err)
{
    registration *g = context;
    int64_t id = 0;

    DL_TRY(dl_identity_create_within(&id, wh, &g->account, dl_time_now(), err));
    DL_TRY(mdl_access_give_defaults(wh, g->q->site, id, err));
    return dl_profile_read(&g->profile, wh, id, err);
}

/* Look whether name and address are free, and whether one more account may be
 * made from here; OK or the status of a problem. */
static int check_free(registration *g)
{
    mdl_request *q = g->q;
    dl_error err;

    if (mdl_wh_read(q->site->wh, look_for, g, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    return g->taken ? refuse_taken(q) : mdl_throttle_registration(q);
}

/* Make the account; OK or the status of a problem. */
static int create(registration *g)
{
    mdl_request *q = g->q;
    const mdl_member_value *password = &q->members[PASSWORD];
    dl_error err;
    dl_status status;

    if (mdl_password_hash(g->hash, password->text, password->len, &err) !=
        DL_OK) {
        return mdl_http_fail(q, MDL_OURSELVES, &err);
    }
    status = mdl_wh_write(q->site->wh, store, g, &err);
    dl_secret_wipe(g->hash, sizeof g->hash);
    if (status == DL_CONFLICT) {
        return refuse_taken(q);
    }
    return status == DL_OK ? OK : mdl_http_fail(q, MDL_WAREHOUSE, &err);
}

/* --- The answer ------------------------------------------------------------
 */

static int answer(mdl_request *q, const dl_profile *profile,
                  const char *message)
{
    dl_buf *buf = mdl_answer_buf(q, MDL_ME_MAX);
    mdl_answer created = {.status = HTTP_CREATED};
    dl_json_writer w;
    dl_error err;

    dl_json_writer_begin(&w, buf);
    dl_json_write_object_begin(&w);
    mdl_me_write_short(&w, profile);
    if (message != NULL) {
        dl_json_write_key(&w, "message");
        dl_json_write_text(&w, message);
    }
    dl_json_write_object_end(&w);
    if (dl_json_writer_finish(&w, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_OURSELVES, &err);
    }
    created.data = buf->data;
    created.len = buf->len;
    return mdl_answer_send(q, &created);
}

/* Register; BY_FORM asks for consent, the others for the operator's policy. */
static int register_account(mdl_request *q, bool by_form)
{
    registration *g = apr_pcalloc(q->r->pool, sizeof *g);
    int status = check_members(q);

    g->q = q;
    if (status == OK) {
        fill_account(g);
        status = by_form && !(q->members[CONSENT].given && g->account.consent)
                     ? refuse_consent(q)
                     : OK;
    }
    if (status == OK) {
        status = check_free(g);
    }
    if (status == OK) {
        status = create(g);
    }
    if (status != OK) {
        return status;
    }
    q->subject.user = q->members[USERNAME].text;
    return answer(q, &g->profile, by_form ? NULL : "User created");
}

int mdl_api_register_form(mdl_request *q)
{
    return register_account(q, true);
}

int mdl_api_register(mdl_request *q)
{
    return register_account(q, false);
}
