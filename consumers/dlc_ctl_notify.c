/* dlc_ctl_notify.c - datalakectl notify: who is mailed when a run of a
 * schedule fails.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_identity.h"
#include "dl_statements.h"
#include "dl_utf8.h"
#include "dl_wh.h"
#include "dlc_ctl.h"
#include "dlc_ctl_account.h"

#include <string.h>

/* Bytes of a name. */
#define NAME_MAX_BYTES 255

/* What the command line asks for. */
typedef struct notify_request {
    dlc_ctl *ctl;        /* the run */
    dl_wh *wh;           /* to the warehouse */
    const char *address; /* behind the verb; "": none */
    const char *name;    /* --name, "": none */
} notify_request;

/* One verb. */
typedef struct notify_verb {
    const char *name; /* as it is typed */
    int words;        /* behind it */
    dl_status (*run)(notify_request *request, dl_error *err); /* does it */
} notify_verb;

/* --- Verbs ---------------------------------------------------------------- */

static dl_status notify_list(notify_request *request, dl_error *err)
{
    const dlc_ctl *ctl = request->ctl;
    dl_json_writer w = dlc_ctl_json(ctl);
    bool more = false;
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, request->wh, STMT_NOTIFY_LIST, err));
    DL_TRY(dl_wh_run(st, err));
    dl_json_write_array_begin(&w);
    for (;;) {
        const char *email;
        const char *name;

        DL_TRY(dl_wh_fetch(&more, st, err));
        if (!more) {
            break;
        }
        email = dl_wh_text(st, 0, NULL);
        name = dl_wh_text(st, 1, NULL);
        if (ctl->json) {
            dl_json_write_object_begin(&w);
            dl_json_write_text_member(&w, "email", email);
            dl_json_write_text_member(&w, "name", name);
            dl_json_write_object_end(&w);
        }
        else {
            dlc_ctl_print_text(email, 32);
            puts(name);
        }
    }
    dl_json_write_array_end(&w);
    if (ctl->json) {
        dlc_ctl_print_json(ctl, &w);
    }
    return DL_OK;
}

static dl_status notify_add(notify_request *request, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, request->wh, STMT_NOTIFY_ADD, err));
    dl_wh_bind_str(st, 0, request->address);
    dl_wh_bind_str(st, 1, request->name);
    DL_TRY(dl_wh_run(st, err));
    return notify_list(request, err);
}

static dl_status notify_remove(notify_request *request, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, request->wh, STMT_NOTIFY_REMOVE, err));
    dl_wh_bind_str(st, 0, request->address);
    DL_TRY(dl_wh_run(st, err));
    if (dl_wh_affected(st) == 0) {
        return dl_fail(err, DL_NOT_FOUND, 0, "nobody is mailed at \"%.254s\"",
                       request->address);
    }
    return notify_list(request, err);
}

/* --- The command line ----------------------------------------------------- */

static const notify_verb *find_verb(const char *name)
{
    static const notify_verb verbs[] = {{"add", 1, notify_add},
                                        {"list", 0, notify_list},
                                        {"remove", 1, notify_remove},
                                        {NULL, 0, NULL}};
    const notify_verb *verb = verbs;

    while (verb->name != NULL && strcmp(verb->name, name) != 0) {
        verb++;
    }
    return verb->name != NULL ? verb : NULL;
}

/* Check what is to be added; -1: go on. */
static int judge_new(const notify_request *request)
{
    size_t len = strlen(request->name);

    if (dl_identity_check_email(request->address, strlen(request->address),
                                NULL) != DL_OK) {
        return dlc_ctl_usage(request->ctl,
                             "\"%.60s\" is no address such as name@example.org",
                             request->address);
    }
    if (len > NAME_MAX_BYTES || !dl_utf8_check_text(request->name, len)) {
        return dlc_ctl_usage(request->ctl,
                             "--name must be UTF-8 of at most %d bytes",
                             NAME_MAX_BYTES);
    }
    return -1;
}

/* Put the words of REST into REQUEST and set *VERB; -1: go on. */
static int take_words(notify_request *request, const notify_verb **verb,
                      const dlc_positionals *rest)
{
    const dlc_ctl *ctl = request->ctl;
    int exit_status = dlc_ctl_want(ctl, rest, 1, 2);

    if (exit_status >= 0) {
        return exit_status;
    }
    *verb = find_verb(rest->text[0]);
    if (*verb == NULL) {
        return dlc_ctl_usage(ctl, "unknown verb \"%.40s\"", rest->text[0]);
    }
    exit_status =
        dlc_ctl_want(ctl, rest, (*verb)->words + 1, (*verb)->words + 1);
    if (exit_status >= 0) {
        return exit_status;
    }
    request->address = rest->n > 1 ? rest->text[1] : "";
    if ((*verb)->run == notify_add) {
        return judge_new(request);
    }
    return request->name[0] == '\0'
               ? -1
               : dlc_ctl_usage(ctl, "--name belongs to add");
}

int dlc_ctl_notify(dlc_ctl *ctl, int argc, const char *const *argv)
{
    notify_request request = {.ctl = ctl, .name = ""};
    const dlc_option table[] = {{"name", 0, DLC_OPTION_TEXT, &request.name, 0,
                                 0, "NAME", "whose address a new one is"},
                                {.name = NULL}};
    const notify_verb *verb = NULL;
    dlc_positionals rest;
    dl_error err = {.status = DL_OK};
    int exit_status = dlc_ctl_parse(&rest, ctl, table, argc, argv);

    if (exit_status < 0) {
        exit_status = take_words(&request, &verb, &rest);
    }
    if (exit_status >= 0 || verb == NULL) {
        return exit_status;
    }
    if (dlc_ctl_accounts(&request.wh, ctl, &err) != DL_OK ||
        verb->run(&request, &err) != DL_OK) {
        return dlc_ctl_fail(ctl, &err);
    }
    return DLC_CTL_OK;
}
