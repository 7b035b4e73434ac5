/* dl_identity_change.c - Changing accounts and sessions.
 *
 * Each change is one transaction: lock the account, look whether the change
 * is allowed, change it, tell the mirrors.  A failure rolls all of it back.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_identity.h"
#include "dl_identity_within.h"

#include "dl_job.h"
#include "dl_statements.h"
#include "dl_wh.h"

#include <stdio.h>
#include <string.h>

/* What STMT_ACCOUNT_LOCK found. */
typedef struct locked_account {
    dl_role role;  /* its role now */
    bool active;   /* whether it is active */
    bool deleted;  /* whether its deletion was asked for */
    int64_t epoch; /* rises with each change */
} locked_account;

/* Commit when STATUS is DL_OK, else give the transaction up. */
static dl_status end(dl_wh *wh, dl_status status, dl_error *err)
{
    if (status != DL_OK) {
        dl_wh_rollback(wh);
        return status;
    }
    return dl_wh_commit(wh, err);
}

dl_status dl_identity_tell(dl_wh *wh, int64_t id, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_IDENTITY_CHANGE_ADD, err));
    dl_wh_bind_int(st, 0, id);
    dl_wh_bind_time(st, 1, dl_time_now());
    return dl_wh_run(st, err);
}

static dl_status lock_account(locked_account *out, dl_wh *wh, int64_t id,
                              dl_error *err)
{
    dl_wh_stmt *st;
    bool more = false;
    size_t len;
    const char *role;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_ACCOUNT_LOCK, err));
    dl_wh_bind_int(st, 0, id);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    if (!more) {
        return dl_fail(err, DL_NOT_FOUND, 0, "there is no such account");
    }
    role = dl_wh_text(st, 0, &len);
    if (!dl_role_parse(&out->role, role, len)) {
        return dl_fail(err, DL_UNSUPPORTED, 0,
                       "app_user.role has a value of a newer program");
    }
    out->active = dl_wh_int(st, 1) != 0;
    out->deleted = !dl_wh_is_null(st, 2);
    out->epoch = dl_wh_int(st, 3);
    dl_wh_finish(st);
    return DL_OK;
}

/* Refuse to take the last active admin, if account ID is it.  All admins are
 * locked, so two of them cannot take each other away. */
static dl_status spare_last_admin(dl_wh *wh, int64_t id, dl_error *err)
{
    dl_wh_stmt *st;
    bool more = false;
    int others = 0;
    bool is_one = false;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_ADMIN_LOCK, err));
    DL_TRY(dl_wh_run(st, err));
    for (;;) {
        DL_TRY(dl_wh_fetch(&more, st, err));
        if (!more) {
            break;
        }
        if (dl_wh_int(st, 0) == id) {
            is_one = true;
        }
        else {
            others++;
        }
    }
    if (is_one && others == 0) {
        return dl_fail(err, DL_CONFLICT, 0, "it is the last active admin");
    }
    return DL_OK;
}

/* --- A new account -------------------------------------------------------- */

/* Bind TEXT to parameter I; "" is NULL, too. */
static void bind_optional(dl_wh_stmt *st, unsigned i, const char *text)
{
    dl_wh_bind_str(st, i, text != NULL && text[0] == '\0' ? NULL : text);
}

static dl_status insert_account(int64_t *id, dl_wh *wh,
                                const dl_identity_new *account, dl_time now,
                                dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_ACCOUNT_ADD, err));
    dl_wh_bind_str(st, 0, account->username);
    dl_wh_bind_str(st, 1, account->password_hash);
    dl_wh_bind_str(st, 2, account->email);
    dl_wh_bind_str(st, 3, dl_role_name(account->role));
    dl_wh_bind_int(st, 4, account->consent ? 1 : 0);
    dl_wh_bind_time(st, 5, now);
    dl_wh_bind_str(st, 6, account->consent_version);
    dl_wh_bind_time(st, 7, now);
    bind_optional(st, 8, account->first_name);
    bind_optional(st, 9, account->last_name);
    bind_optional(st, 10, account->address);
    if (dl_wh_run(st, err) != DL_OK) {
        if (err->status == DL_CONFLICT) {
            return dl_fail(err, DL_CONFLICT, 0,
                           "the name or the e-mail address is taken");
        }
        return err->status;
    }
    *id = dl_wh_insert_id(st);
    return DL_OK;
}

static dl_status insert_consent(dl_wh *wh, int64_t id,
                                const dl_identity_new *account, dl_time now,
                                dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_CONSENT_ADD, err));
    dl_wh_bind_int(st, 0, id);
    dl_wh_bind_int(st, 1, account->consent ? 1 : 0);
    dl_wh_bind_str(st, 2, account->consent_version);
    dl_wh_bind_time(st, 3, now);
    dl_wh_bind_str(st, 4, account->source == NULL ? "policy" : account->source);
    return dl_wh_run(st, err);
}

dl_status dl_identity_create_within(int64_t *id, dl_wh *wh,
                                    const dl_identity_new *account, dl_time now,
                                    dl_error *err)
{
    dl_identity_new complete = *account;

    if (complete.consent_version == NULL) {
        complete.consent_version = "v1.0";
    }
    DL_TRY(insert_account(id, wh, &complete, now, err));
    DL_TRY(insert_consent(wh, *id, &complete, now, err));
    return dl_identity_tell(wh, *id, err);
}

dl_status dl_identity_create(int64_t *id, dl_wh *wh,
                             const dl_identity_new *account, dl_error *err)
{
    dl_error local = {0};

    err = err != NULL ? err : &local;
    DL_TRY(dl_identity_check_username(account->username,
                                      strlen(account->username), err));
    if (account->email != NULL && strlen(account->email) > DL_EMAIL_MAX) {
        return dl_fail(err, DL_INVALID, 0,
                       "an e-mail address may have at most %d bytes",
                       DL_EMAIL_MAX);
    }
    DL_TRY(dl_wh_exec(wh, STMT_START, NULL, err));
    return end(wh,
               dl_identity_create_within(id, wh, account, dl_time_now(), err),
               err);
}

/* --- Changes of an account ------------------------------------------------ */

static dl_status set_role(dl_wh *wh, int64_t id, dl_role role, dl_error *err)
{
    locked_account account = {DL_ROLE_USER, false, false, 0};
    dl_wh_stmt *st;

    DL_TRY(spare_last_admin(wh, role == DL_ROLE_ADMIN ? 0 : id, err));
    DL_TRY(lock_account(&account, wh, id, err));
    DL_TRY(dl_wh_prepare(&st, wh, STMT_ACCOUNT_SET_ROLE, err));
    dl_wh_bind_str(st, 0, dl_role_name(role));
    dl_wh_bind_int(st, 1, id);
    DL_TRY(dl_wh_run(st, err));
    return dl_identity_tell(wh, id, err);
}

dl_status dl_identity_set_role(dl_wh *wh, int64_t id, dl_role role,
                               dl_error *err)
{
    DL_TRY(dl_wh_exec(wh, STMT_START, NULL, err));
    return end(wh, set_role(wh, id, role, err), err);
}

static dl_status revoke_all(dl_wh *wh, int64_t id, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_SESSION_REVOKE_ALL, err));
    dl_wh_bind_time(st, 0, dl_time_now());
    dl_wh_bind_int(st, 1, id);
    return dl_wh_run(st, err);
}

static dl_status set_active(dl_wh *wh, int64_t id, bool active, dl_error *err)
{
    locked_account account = {DL_ROLE_USER, false, false, 0};
    dl_wh_stmt *st;

    DL_TRY(spare_last_admin(wh, active ? 0 : id, err));
    DL_TRY(lock_account(&account, wh, id, err));
    if (account.deleted) {
        return dl_fail(err, DL_CONFLICT, 0,
                       "its deletion was asked for; undelete takes it back");
    }
    DL_TRY(dl_wh_prepare(&st, wh, STMT_ACCOUNT_SET_ACTIVE, err));
    dl_wh_bind_int(st, 0, active ? 1 : 0);
    dl_wh_bind_int(st, 1, id);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(active ? DL_OK : revoke_all(wh, id, err));
    return dl_identity_tell(wh, id, err);
}

dl_status dl_identity_set_active(dl_wh *wh, int64_t id, bool active,
                                 dl_error *err)
{
    DL_TRY(dl_wh_exec(wh, STMT_START, NULL, err));
    return end(wh, set_active(wh, id, active, err), err);
}

static dl_status undelete(dl_wh *wh, int64_t id, dl_error *err)
{
    locked_account account = {DL_ROLE_USER, false, false, 0};
    dl_wh_stmt *st;

    DL_TRY(lock_account(&account, wh, id, err));
    if (!account.deleted) {
        return dl_fail(err, DL_CONFLICT, 0, "it is not deleted");
    }
    DL_TRY(dl_wh_prepare(&st, wh, STMT_ACCOUNT_UNDELETE, err));
    dl_wh_bind_int(st, 0, id);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_prepare(&st, wh, STMT_JOB_CANCEL_ERASE, err));
    dl_wh_bind_time(st, 0, dl_time_now());
    dl_wh_bind_int(st, 1, id);
    DL_TRY(dl_wh_run(st, err));
    return dl_identity_tell(wh, id, err);
}

dl_status dl_identity_undelete(dl_wh *wh, int64_t id, dl_error *err)
{
    DL_TRY(dl_wh_exec(wh, STMT_START, NULL, err));
    return end(wh, undelete(wh, id, err), err);
}

dl_status dl_identity_password_within(dl_wh *wh, int64_t id, const char *hash,
                                      int64_t epoch, dl_error *err)
{
    locked_account account = {DL_ROLE_USER, false, false, 0};
    dl_wh_stmt *st;

    DL_TRY(lock_account(&account, wh, id, err));
    if (epoch != DL_IDENTITY_ANY_EPOCH && epoch != account.epoch) {
        return dl_fail(err, DL_CONFLICT, 0, "the account changed meanwhile");
    }
    DL_TRY(dl_wh_prepare(&st, wh, STMT_ACCOUNT_SET_PASSWORD, err));
    dl_wh_bind_str(st, 0, hash);
    dl_wh_bind_int(st, 1, id);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(revoke_all(wh, id, err));
    return dl_identity_tell(wh, id, err);
}

dl_status dl_identity_set_password(dl_wh *wh, int64_t id, const char *hash,
                                   dl_error *err)
{
    DL_TRY(dl_wh_exec(wh, STMT_START, NULL, err));
    return end(
        wh,
        dl_identity_password_within(wh, id, hash, DL_IDENTITY_ANY_EPOCH, err),
        err);
}

/* --- Consent and deletion --------------------------------------------------
 */

dl_status dl_identity_consent_within(dl_wh *wh, int64_t id, bool given,
                                     dl_time now, dl_error *err)
{
    locked_account locked = {DL_ROLE_USER, false, false, 0};
    const dl_identity_new decision = {
        .consent = given, .consent_version = "v1.0", .source = "user"};
    dl_account account;
    dl_wh_stmt *st;

    DL_TRY(lock_account(&locked, wh, id, err));
    DL_TRY(dl_identity_find_id(&account, wh, id, err));
    if (account.consent == given) {
        return DL_OK;
    }
    DL_TRY(dl_wh_prepare(&st, wh, STMT_CONSENT_SET, err));
    dl_wh_bind_int(st, 0, given ? 1 : 0);
    dl_wh_bind_time(st, 1, now);
    dl_wh_bind_str(st, 2, decision.consent_version);
    dl_wh_bind_int(st, 3, id);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(insert_consent(wh, id, &decision, now, err));
    return dl_identity_tell(wh, id, err);
}

/* Queue the job that erases account ID. */
static dl_status queue_erasure(dl_wh *wh, int64_t id,
                               const dl_identity_deletion *deletion,
                               dl_error *err)
{
    char parameters[64];
    dl_job_new job = {.id = deletion->job_id,
                      .kind = "erase",
                      .user_id = id,
                      .created_at = deletion->now,
                      .not_before = deletion->erase_after,
                      .parameters = parameters};

    snprintf(parameters, sizeof parameters, "{\"user_id\":%lld}",
             (long long)id);
    return dl_job_add(wh, &job, err);
}

dl_status dl_identity_delete_within(dl_wh *wh, int64_t id,
                                    const dl_identity_deletion *deletion,
                                    dl_error *err)
{
    locked_account account = {DL_ROLE_USER, false, false, 0};
    dl_wh_stmt *st;

    DL_TRY(spare_last_admin(wh, id, err));
    DL_TRY(lock_account(&account, wh, id, err));
    if (account.deleted) {
        return dl_fail(err, DL_CONFLICT, 0, "it is deleted already");
    }
    DL_TRY(dl_wh_prepare(&st, wh, STMT_ACCOUNT_DELETE, err));
    dl_wh_bind_time(st, 0, deletion->now);
    dl_wh_bind_time(st, 1, deletion->erase_after);
    dl_wh_bind_int(st, 2, id);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(revoke_all(wh, id, err));
    DL_TRY(queue_erasure(wh, id, deletion, err));
    return dl_identity_tell(wh, id, err);
}

/* --- Sessions ------------------------------------------------------------- */

dl_status dl_identity_session_add_within(dl_wh *wh, int64_t id,
                                         const dl_session *session, dl_time now,
                                         dl_error *err)
{
    locked_account account = {DL_ROLE_USER, false, false, 0};
    dl_wh_stmt *st;

    DL_TRY(lock_account(&account, wh, id, err));
    DL_TRY(dl_wh_prepare(&st, wh, STMT_SESSION_ADD, err));
    dl_wh_bind_str(st, 0, session->sid);
    dl_wh_bind_int(st, 1, id);
    dl_wh_bind_time(st, 2, session->expires_at);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_prepare(&st, wh, STMT_ACCOUNT_LOGIN, err));
    dl_wh_bind_time(st, 0, now);
    dl_wh_bind_int(st, 1, id);
    return dl_wh_run(st, err);
}

dl_status dl_identity_session_add(dl_wh *wh, int64_t id,
                                  const dl_session *session, dl_time now,
                                  dl_error *err)
{
    DL_TRY(dl_wh_exec(wh, STMT_START, NULL, err));
    return end(wh, dl_identity_session_add_within(wh, id, session, now, err),
               err);
}

dl_status dl_identity_session_revoke_within(dl_wh *wh, const char *sid,
                                            dl_error *err)
{
    dl_wh_stmt *st;
    bool more = false;
    int64_t id;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_SESSION_LOCK, err));
    dl_wh_bind_str(st, 0, sid);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    if (!more) {
        return dl_fail(err, DL_NOT_FOUND, 0,
                       "there is no such session, or it is revoked");
    }
    id = dl_wh_int(st, 0);
    dl_wh_finish(st);
    DL_TRY(dl_wh_prepare(&st, wh, STMT_SESSION_REVOKE, err));
    dl_wh_bind_time(st, 0, dl_time_now());
    dl_wh_bind_str(st, 1, sid);
    DL_TRY(dl_wh_run(st, err));
    return dl_identity_tell(wh, id, err);
}

dl_status dl_identity_session_revoke(dl_wh *wh, const char *sid, dl_error *err)
{
    DL_TRY(dl_wh_exec(wh, STMT_START, NULL, err));
    return end(wh, dl_identity_session_revoke_within(wh, sid, err), err);
}
