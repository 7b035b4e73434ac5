/* dlc_ctl_user.c - datalakectl user: make, list and change accounts.
 *
 * Its verbs are a table of their own, like the subcommands.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_identity.h"
#include "dl_wh.h"
#include "dlc_ctl.h"
#include "dlc_ctl_account.h"

#include <string.h>

/* How often a change that lost a race is tried again. */
#define TRIES 5

/* What the command line asks for. */
typedef struct user_request {
    const char *username;      /* whose account, NULL: all */
    const char *role;          /* --role, or the word behind the name */
    const char *email;         /* --email, or NULL */
    const char *password_file; /* --password-file, NULL: the terminal */
} user_request;

/* One verb. */
typedef struct user_verb {
    const char *name; /* as it is typed */
    int words;        /* most words behind it */
    dl_status (*run)(dlc_ctl *ctl, const user_request *request,
                     dl_error *err); /* does it */
} user_verb;

static dl_status parse_role(dl_role *role, const user_request *request,
                            dl_error *err)
{
    if (request->role == NULL) {
        return dl_fail(err, DL_INVALID, 0,
                       "a role is missing: user, auditor or admin");
    }
    if (!dl_role_parse(role, request->role, strlen(request->role))) {
        return dl_fail(err, DL_INVALID, 0,
                       "the role must be user, auditor or admin, not "
                       "\"%.40s\"",
                       request->role);
    }
    return DL_OK;
}

static void write_account(dl_json_writer *w, const dl_account *account)
{
    dl_json_write_object_begin(w);
    dl_json_write_int_member(w, "id", account->id);
    dl_json_write_text_member(w, "username", account->username);
    dl_json_write_text_member(
        w, "email", account->email[0] != '\0' ? account->email : NULL);
    dl_json_write_text_member(w, "role", dl_role_name(account->role));
    dl_json_write_key(w, "is_active");
    dl_json_write_bool(w, account->active);
    dl_json_write_key(w, "consent_given");
    dl_json_write_bool(w, account->consent);
    dl_json_write_time_member(w, "created_at", account->created_at);
    dl_json_write_time_member(w, "last_login_at", account->last_login_at);
    dl_json_write_time_member(w, "deleted_at", account->deleted_at);
    dl_json_write_object_end(w);
}

static void print_account(const dl_account *account)
{
    char created[DL_TIME_TEXT];
    char login[DL_TIME_TEXT] = "never";

    dl_time_format(created, account->created_at);
    if (account->last_login_at != DL_TIME_NONE) {
        dl_time_format(login, account->last_login_at);
    }
    printf("%6lld  ", (long long)account->id);
    dlc_ctl_print_text(account->username, 24);
    dlc_ctl_print_text(dl_role_name(account->role), 9);
    dlc_ctl_print_text(account->deleted_at != DL_TIME_NONE ? "deleted"
                       : account->active                   ? "active"
                                                           : "disabled",
                       10);
    printf("%.19sZ  %.19s%s\n", created, login,
           account->last_login_at != DL_TIME_NONE ? "Z" : "");
}

/* Print ACCOUNT as the answer of a change. */
static dl_status show(dlc_ctl *ctl, dl_wh *wh, int64_t id, dl_error *err)
{
    dl_account account;
    dl_json_writer w = dlc_ctl_json(ctl);

    DL_TRY(dl_identity_find_id(&account, wh, id, err));
    if (!ctl->json) {
        print_account(&account);
        return DL_OK;
    }
    write_account(&w, &account);
    dlc_ctl_print_json(ctl, &w);
    return DL_OK;
}

/* --- Verbs ---------------------------------------------------------------- */

static dl_status user_add(dlc_ctl *ctl, const user_request *request,
                          dl_error *err)
{
    char hash[DL_PASSWORD_HASH];
    dl_identity_new account = {.username = request->username,
                               .email = request->email,
                               .password_hash = hash,
                               .consent = true};
    dl_wh *wh;
    int64_t id = 0;
    dl_status status = DL_RETRY;

    DL_TRY(parse_role(&account.role, request, err));
    DL_TRY(dl_identity_check_username(request->username,
                                      strlen(request->username), err));
    if (request->email != NULL &&
        dl_identity_check_email(request->email, strlen(request->email), err) !=
            DL_OK) {
        return dl_fail(err, DL_INVALID, 0,
                       "--email must be an address such as name@example.org");
    }
    DL_TRY(dlc_ctl_accounts(&wh, ctl, err));
    DL_TRY(dlc_ctl_password_hash(hash, request->username,
                                 request->password_file, err));
    for (int i = 0; i < TRIES && status == DL_RETRY; i++) {
        status = dl_identity_create(&id, wh, &account, err);
    }
    DL_TRY(status);
    return show(ctl, wh, id, err);
}

/* What a listing writes to. */
typedef struct user_list {
    const dlc_ctl *ctl; /* how */
    dl_json_writer w;   /* with --json */
} user_list;

static dl_status list_one(void *context, const dl_account *account,
                          dl_error *err)
{
    user_list *list = context;

    (void)err;
    if (list->ctl->json) {
        write_account(&list->w, account);
    }
    else {
        print_account(account);
    }
    return DL_OK;
}

static dl_status user_list_all(dlc_ctl *ctl, const user_request *request,
                               dl_error *err)
{
    user_list list = {.ctl = ctl, .w = dlc_ctl_json(ctl)};
    dl_wh *wh;

    (void)request;
    DL_TRY(dlc_ctl_accounts(&wh, ctl, err));
    dl_json_write_array_begin(&list.w);
    DL_TRY(dl_identity_list(wh, list_one, &list, err));
    dl_json_write_array_end(&list.w);
    if (ctl->json) {
        dlc_ctl_print_json(ctl, &list.w);
    }
    return DL_OK;
}

static dl_status user_passwd(dlc_ctl *ctl, const user_request *request,
                             dl_error *err)
{
    char hash[DL_PASSWORD_HASH];
    dl_account account;
    dl_wh *wh;
    dl_status status = DL_RETRY;

    DL_TRY(dlc_ctl_account_open(&wh, &account, ctl, request->username, err));
    DL_TRY(dlc_ctl_password_hash(hash, account.username, request->password_file,
                                 err));
    for (int i = 0; i < TRIES && status == DL_RETRY; i++) {
        status = dl_identity_set_password(wh, account.id, hash, err);
    }
    DL_TRY(status);
    dlc_ctl_account_changed();
    return show(ctl, wh, account.id, err);
}

static dl_status user_role(dlc_ctl *ctl, const user_request *request,
                           dl_error *err)
{
    dl_account account;
    dl_role role = DL_ROLE_USER;
    dl_wh *wh;
    dl_status status = DL_RETRY;

    DL_TRY(parse_role(&role, request, err));
    DL_TRY(dlc_ctl_account_open(&wh, &account, ctl, request->username, err));
    for (int i = 0; i < TRIES && status == DL_RETRY; i++) {
        status = dl_identity_set_role(wh, account.id, role, err);
    }
    DL_TRY(status);
    dlc_ctl_account_changed();
    return show(ctl, wh, account.id, err);
}

static dl_status set_active(dlc_ctl *ctl, const user_request *request,
                            bool active, dl_error *err)
{
    dl_account account;
    dl_wh *wh;
    dl_status status = DL_RETRY;

    DL_TRY(dlc_ctl_account_open(&wh, &account, ctl, request->username, err));
    for (int i = 0; i < TRIES && status == DL_RETRY; i++) {
        status = dl_identity_set_active(wh, account.id, active, err);
    }
    DL_TRY(status);
    dlc_ctl_account_changed();
    return show(ctl, wh, account.id, err);
}

static dl_status user_disable(dlc_ctl *ctl, const user_request *request,
                              dl_error *err)
{
    return set_active(ctl, request, false, err);
}

static dl_status user_enable(dlc_ctl *ctl, const user_request *request,
                             dl_error *err)
{
    return set_active(ctl, request, true, err);
}

static dl_status user_undelete(dlc_ctl *ctl, const user_request *request,
                               dl_error *err)
{
    dl_account account;
    dl_wh *wh;
    dl_status status = DL_RETRY;

    DL_TRY(dlc_ctl_account_open(&wh, &account, ctl, request->username, err));
    for (int i = 0; i < TRIES && status == DL_RETRY; i++) {
        status = dl_identity_undelete(wh, account.id, err);
    }
    DL_TRY(status);
    dlc_ctl_account_changed();
    return show(ctl, wh, account.id, err);
}

static const user_verb VERBS[] = {
    {"add", 1, user_add},           {"list", 0, user_list_all},
    {"passwd", 1, user_passwd},     {"role", 2, user_role},
    {"disable", 1, user_disable},   {"enable", 1, user_enable},
    {"undelete", 1, user_undelete}, {NULL, 0, NULL}};

static const user_verb *find_verb(const char *name)
{
    for (const user_verb *verb = VERBS; verb->name != NULL; verb++) {
        if (strcmp(verb->name, name) == 0) {
            return verb;
        }
    }
    return NULL;
}

/* Check the words of the command line and put them into REQUEST. */
static int take_words(user_request *request, const user_verb **verb,
                      const dlc_ctl *ctl, const dlc_positionals *rest)
{
    int exit_status = dlc_ctl_want(ctl, rest, 1, 16);

    if (exit_status >= 0) {
        return exit_status;
    }
    *verb = find_verb(rest->text[0]);
    if (*verb == NULL) {
        return dlc_ctl_usage(ctl, "unknown verb \"%.40s\"", rest->text[0]);
    }
    exit_status =
        dlc_ctl_want(ctl, rest, (*verb)->words > 0 ? 2 : 1, (*verb)->words + 1);
    if (exit_status >= 0) {
        return exit_status;
    }
    request->username = (*verb)->words > 0 ? rest->text[1] : NULL;
    if (rest->n > 2) {
        if (request->role != NULL) {
            return dlc_ctl_usage(ctl, "the role is given twice");
        }
        request->role = rest->text[2];
    }
    return -1;
}

int dlc_ctl_user(dlc_ctl *ctl, int argc, const char *const *argv)
{
    user_request request = {.username = NULL};
    const dlc_option table[] = {
        {"role", 0, DLC_OPTION_TEXT, &request.role, 0, 0, "ROLE",
         "user, auditor or admin"},
        {"email", 0, DLC_OPTION_TEXT, &request.email, 0, 0, "ADDRESS",
         "e-mail address of a new account"},
        {"password-file", 0, DLC_OPTION_TEXT, &request.password_file, 0, 0,
         "FILE", "its first line is the password (else the terminal is asked)"},
        {.name = NULL}};
    const user_verb *verb = NULL;
    dlc_positionals rest;
    dl_error err = {0};
    dl_status status;
    int exit_status = dlc_ctl_parse(&rest, ctl, table, argc, argv);

    if (exit_status < 0) {
        exit_status = take_words(&request, &verb, ctl, &rest);
    }
    if (exit_status >= 0) {
        return exit_status;
    }
    status = verb == NULL ? DL_INTERNAL : verb->run(ctl, &request, &err);
    if (status == DL_INVALID) {
        return dlc_ctl_usage(ctl, "%s", err.text);
    }
    return status == DL_OK ? DLC_CTL_OK : dlc_ctl_fail(ctl, &err);
}
