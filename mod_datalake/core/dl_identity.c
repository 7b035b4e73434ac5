/* dl_identity.c - Reading accounts, revoked sessions and the log of changes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_identity.h"

#include "dl_statements.h"
#include "dl_wh.h"

#include <string.h>

/* Columns of STMT_ACCOUNT_FIND, _FIND_ID and _LIST. */
enum account_column {
    COLUMN_ID,
    COLUMN_USERNAME,
    COLUMN_ROLE,
    COLUMN_ACTIVE,
    COLUMN_CONSENT,
    COLUMN_EPOCH,
    COLUMN_CREATED_AT,
    COLUMN_LAST_LOGIN_AT,
    COLUMN_DELETED_AT,
    COLUMN_ERASE_AFTER,
    COLUMN_EMAIL
};

dl_status dl_identity_check_username(const char *username, size_t len,
                                     dl_error *err)
{
    if (len < DL_USERNAME_MIN || len > DL_USERNAME_MAX) {
        return dl_fail(err, DL_INVALID, 0,
                       "a name must have %d to %d characters, this has %zu",
                       DL_USERNAME_MIN, DL_USERNAME_MAX, len);
    }
    for (size_t i = 0; i < len; i++) {
        char c = username[i];

        if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z') &&
            (c < '0' || c > '9') && (c == '\0' || strchr("_.@+-", c) == NULL)) {
            return dl_fail(err, DL_INVALID, 0,
                           "a name must consist of A-Z a-z 0-9 _ . @ + -");
        }
    }
    return DL_OK;
}

/* How many bytes at TEXT, of which LEN are there, are letters, digits or one of
 * OTHERS. */
static size_t span(const char *text, size_t len, const char *others)
{
    size_t n = 0;

    while (n < len && text[n] != '\0' &&
           ((text[n] >= 'a' && text[n] <= 'z') ||
            (text[n] >= 'A' && text[n] <= 'Z') ||
            (text[n] >= '0' && text[n] <= '9') ||
            strchr(others, text[n]) != NULL)) {
        n++;
    }
    return n;
}

/* Whether the LEN bytes at TEXT are LEAST or more words between dots, each of
 * letters, digits or OTHERS. */
static bool is_dotted(const char *text, size_t len, int least,
                      const char *others)
{
    int words = 0;

    for (;;) {
        size_t n = span(text, len, others);

        if (n == 0 || n > 64) {
            return false;
        }
        words++;
        text += n;
        len -= n;
        if (len == 0) {
            return words >= least;
        }
        if (*text != '.') {
            return false;
        }
        text++;
        len--;
    }
}

dl_status dl_identity_check_email(const char *email, size_t len, dl_error *err)
{
    const char *at = memchr(email, '@', len);
    size_t name = at == NULL ? 0 : (size_t)(at - email);

    if (len > DL_EMAIL_MAX) {
        return dl_fail(err, DL_INVALID, 0,
                       "an e-mail address may have at most %d bytes",
                       DL_EMAIL_MAX);
    }
    if (at == NULL || name > 64 ||
        !is_dotted(email, name, 1, "!#$%&'*+-/=?^_`{|}~") ||
        !is_dotted(at + 1, len - name - 1, 2, "-")) {
        return dl_fail(err, DL_INVALID, 0,
                       "an e-mail address must be of the form name@host.tld, "
                       "in ASCII");
    }
    return DL_OK;
}

/* Fill ACCOUNT from the row that ST stands on. */
static dl_status read_account(dl_account *account, const dl_wh_stmt *st,
                              dl_error *err)
{
    size_t len;
    const char *role = dl_wh_text(st, COLUMN_ROLE, &len);

    if (!dl_role_parse(&account->role, role, len)) {
        return dl_fail(err, DL_UNSUPPORTED, 0,
                       "app_user.role has a value of a newer program");
    }
    account->id = dl_wh_int(st, COLUMN_ID);
    account->epoch = dl_wh_int(st, COLUMN_EPOCH);
    account->created_at = dl_wh_time(st, COLUMN_CREATED_AT);
    account->last_login_at = dl_wh_time(st, COLUMN_LAST_LOGIN_AT);
    account->deleted_at = dl_wh_time(st, COLUMN_DELETED_AT);
    account->erase_after = dl_wh_time(st, COLUMN_ERASE_AFTER);
    account->active = dl_wh_int(st, COLUMN_ACTIVE) != 0;
    account->consent = dl_wh_int(st, COLUMN_CONSENT) != 0;
    DL_TRY(dl_wh_copy_text(account->email, sizeof account->email, st,
                           COLUMN_EMAIL, err));
    return dl_wh_copy_text(account->username, sizeof account->username, st,
                           COLUMN_USERNAME, err);
}

/* Run ST, whose parameters are bound, and read its only row. */
static dl_status read_one(dl_account *account, dl_wh_stmt *st, dl_error *err)
{
    bool more = false;
    dl_status status;

    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    if (!more) {
        return dl_fail(err, DL_NOT_FOUND, 0, "there is no such account");
    }
    status = read_account(account, st, err);
    dl_wh_finish(st);
    return status;
}

dl_status dl_identity_find(dl_account *account, dl_wh *wh, const char *username,
                           dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_ACCOUNT_FIND, err));
    dl_wh_bind_str(st, 0, username);
    return read_one(account, st, err);
}

dl_status dl_identity_find_id(dl_account *account, dl_wh *wh, int64_t id,
                              dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_ACCOUNT_FIND_ID, err));
    dl_wh_bind_int(st, 0, id);
    return read_one(account, st, err);
}

dl_status dl_identity_list(dl_wh *wh, dl_identity_each *each, void *context,
                           dl_error *err)
{
    dl_wh_stmt *st;
    dl_account account;
    bool more = false;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_ACCOUNT_LIST, err));
    DL_TRY(dl_wh_run(st, err));
    for (;;) {
        DL_TRY(dl_wh_fetch(&more, st, err));
        if (!more) {
            return DL_OK;
        }
        DL_TRY(read_account(&account, st, err));
        DL_TRY(each(context, &account, err));
    }
}

dl_status dl_identity_password(char out[DL_PASSWORD_HASH], dl_wh *wh,
                               int64_t id, dl_error *err)
{
    dl_wh_stmt *st;
    bool more = false;
    dl_status status;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_ACCOUNT_PASSWORD, err));
    dl_wh_bind_int(st, 0, id);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    if (!more) {
        return dl_fail(err, DL_NOT_FOUND, 0, "there is no such account");
    }
    status = dl_wh_copy_text(out, DL_PASSWORD_HASH, st, 0, err);
    dl_wh_finish(st);
    return status;
}

dl_status dl_identity_revoked(dl_session_list *list, dl_wh *wh, int64_t id,
                              dl_time now, dl_error *err)
{
    dl_wh_stmt *st;
    bool more = false;

    list->n = 0;
    DL_TRY(dl_wh_prepare(&st, wh, STMT_SESSION_REVOKED, err));
    dl_wh_bind_int(st, 0, id);
    dl_wh_bind_time(st, 1, now);
    dl_wh_bind_int(st, 2, (int64_t)list->max + 1);
    DL_TRY(dl_wh_run(st, err));
    for (;;) {
        dl_session *row = &list->rows[list->n];

        DL_TRY(dl_wh_fetch(&more, st, err));
        if (!more) {
            return DL_OK;
        }
        if (list->n == list->max) {
            dl_wh_finish(st);
            return dl_fail(err, DL_LIMIT, 0,
                           "account %lld has more than %zu revoked sessions",
                           (long long)id, list->max);
        }
        DL_TRY(dl_wh_copy_text(row->sid, sizeof row->sid, st, 0, err));
        row->expires_at = dl_wh_time(st, 1);
        list->n++;
    }
}

dl_status dl_identity_changes_read(dl_identity_changes *changes, dl_wh *wh,
                                   int64_t after, dl_time since, dl_error *err)
{
    dl_wh_stmt *st;
    bool more = false;

    changes->n = 0;
    DL_TRY(dl_wh_prepare(&st, wh, STMT_IDENTITY_CHANGE_LIST, err));
    dl_wh_bind_int(st, 0, after);
    dl_wh_bind_time(st, 1, since == DL_TIME_NONE ? 0 : since);
    dl_wh_bind_int(st, 2, (int64_t)changes->max);
    DL_TRY(dl_wh_run(st, err));
    for (;;) {
        dl_identity_change *row = &changes->rows[changes->n];

        DL_TRY(dl_wh_fetch(&more, st, err));
        if (!more || changes->n == changes->max) {
            return DL_OK;
        }
        row->id = dl_wh_int(st, 0);
        row->user_id = dl_wh_int(st, 1);
        row->at = dl_wh_time(st, 2);
        changes->n++;
    }
}
