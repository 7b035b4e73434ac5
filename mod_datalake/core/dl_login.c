/* dl_login.c - Log-ins and refresh tokens: find, add, exchange, end.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_login.h"

#include "dl_statements.h"
#include "dl_wh.h"

#include <string.h>
#include <strings.h>

/* Columns of STMT_LOGIN_FIND. */
enum login_column {
    COLUMN_ID,
    COLUMN_USERNAME,
    COLUMN_ROLE,
    COLUMN_ACTIVE,
    COLUMN_DELETED_AT,
    COLUMN_HASH,
    COLUMN_EPOCH
};

/* Columns of STMT_REFRESH_LOCK. */
enum refresh_column {
    COLUMN_SID,
    COLUMN_USER_ID,
    COLUMN_USED_AT
};

/* --- Finding -------------------------------------------------------------- */

static dl_status read_role(dl_role *role, const dl_wh_stmt *st, unsigned column,
                           dl_error *err)
{
    size_t len;
    const char *text = dl_wh_text(st, column, &len);

    if (!dl_role_parse(role, text, len)) {
        return dl_fail(err, DL_UNSUPPORTED, 0,
                       "app_user.role has a value of a newer program");
    }
    return DL_OK;
}

/* Fill CANDIDATE from the row that ST stands on. */
static dl_status read_candidate(dl_login_candidate *candidate,
                                const dl_wh_stmt *st, dl_error *err)
{
    candidate->user_id = dl_wh_int(st, COLUMN_ID);
    candidate->epoch = dl_wh_int(st, COLUMN_EPOCH);
    candidate->active = dl_wh_int(st, COLUMN_ACTIVE) != 0 &&
                        dl_wh_is_null(st, COLUMN_DELETED_AT);
    DL_TRY(read_role(&candidate->role, st, COLUMN_ROLE, err));
    DL_TRY(dl_wh_copy_text(candidate->hash, sizeof candidate->hash, st,
                           COLUMN_HASH, err));
    return dl_wh_copy_text(candidate->username, sizeof candidate->username, st,
                           COLUMN_USERNAME, err);
}

dl_status dl_login_find(dl_login_candidate *candidate, dl_wh *wh,
                        const char *username, dl_error *err)
{
    dl_wh_stmt *st;
    dl_status status;

    memset(candidate, 0, sizeof *candidate);
    DL_TRY(dl_wh_prepare(&st, wh, STMT_LOGIN_FIND, err));
    dl_wh_bind_str(st, 0, username);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&candidate->known, st, err));
    if (!candidate->known) {
        return DL_OK;
    }
    status = read_candidate(candidate, st, err);
    dl_wh_finish(st);
    candidate->known =
        status == DL_OK && strcasecmp(candidate->username, username) == 0;
    return status;
}

/* --- Inside a transaction ------------------------------------------------- */

/* Lock account ID; *USABLE says whether it may log in, and *EPOCH which state
 * of it that is. */
static dl_status lock_account(bool *usable, dl_role *role, int64_t *epoch,
                              dl_wh *wh, int64_t id, dl_error *err)
{
    dl_wh_stmt *st;
    dl_status status;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_ACCOUNT_LOCK, err));
    dl_wh_bind_int(st, 0, id);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(usable, st, err));
    if (!*usable) {
        return DL_OK;
    }
    status = read_role(role, st, 0, err);
    *usable = dl_wh_int(st, 1) != 0 && dl_wh_is_null(st, 2);
    *epoch = dl_wh_int(st, 3);
    dl_wh_finish(st);
    return status;
}

static dl_status add_refresh_token(dl_wh *wh, const dl_login *login,
                                   dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_REFRESH_ADD, err));
    dl_wh_bind_str(st, 0, login->jti);
    dl_wh_bind_str(st, 1, login->sid);
    dl_wh_bind_int(st, 2, login->user_id);
    dl_wh_bind_time(st, 3, login->expires_at);
    return dl_wh_run(st, err);
}

static dl_status add_session(dl_wh *wh, const dl_login *login, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_SESSION_ADD, err));
    dl_wh_bind_str(st, 0, login->sid);
    dl_wh_bind_int(st, 1, login->user_id);
    dl_wh_bind_time(st, 2, login->ends_at);
    return dl_wh_run(st, err);
}

dl_status dl_login_add(dl_wh *wh, const dl_login *login, dl_error *err)
{
    dl_role role;
    int64_t epoch = 0;
    bool usable = false;
    dl_wh_stmt *st;

    DL_TRY(lock_account(&usable, &role, &epoch, wh, login->user_id, err));
    if (!usable || epoch != login->epoch) {
        return dl_fail(err, DL_NOT_FOUND, 0,
                       "account %lld is no longer what it was",
                       (long long)login->user_id);
    }
    DL_TRY(add_session(wh, login, err));
    DL_TRY(add_refresh_token(wh, login, err));
    DL_TRY(dl_wh_prepare(&st, wh, STMT_ACCOUNT_LOGIN, err));
    dl_wh_bind_time(st, 0, login->now);
    dl_wh_bind_int(st, 1, login->user_id);
    return dl_wh_run(st, err);
}

/* --- Exchanging ----------------------------------------------------------- */

/* Lock the log-in SID of account ID; *RUNS: it is there and has not ended. */
static dl_status lock_session(bool *runs, dl_wh *wh, int64_t id,
                              const char *sid, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_SESSION_LOCK, err));
    dl_wh_bind_str(st, 0, sid);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(runs, st, err));
    if (*runs) {
        *runs = dl_wh_int(st, 0) == id;
        dl_wh_finish(st);
    }
    return DL_OK;
}

/* Lock the refresh token JTI; *VERDICT says what it is to LOGIN, as far as the
 * token alone tells. */
static dl_status lock_refresh_token(dl_login_verdict *verdict, dl_wh *wh,
                                    const dl_login *login, const char *jti,
                                    dl_error *err)
{
    dl_wh_stmt *st;
    bool found = false;
    size_t len;
    const char *sid;

    *verdict = DL_LOGIN_REFUSED;
    DL_TRY(dl_wh_prepare(&st, wh, STMT_REFRESH_LOCK, err));
    dl_wh_bind_str(st, 0, jti);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&found, st, err));
    if (!found) {
        return DL_OK;
    }
    sid = dl_wh_text(st, COLUMN_SID, &len);
    if (len == strlen(login->sid) && memcmp(sid, login->sid, len) == 0 &&
        dl_wh_int(st, COLUMN_USER_ID) == login->user_id) {
        *verdict = dl_wh_is_null(st, COLUMN_USED_AT) ? DL_LOGIN_EXCHANGED
                                                     : DL_LOGIN_REUSED;
    }
    dl_wh_finish(st);
    return DL_OK;
}

static dl_status exchange(dl_wh *wh, const dl_login *login, const char *jti,
                          dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_REFRESH_USE, err));
    dl_wh_bind_time(st, 0, login->now);
    dl_wh_bind_str(st, 1, jti);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_prepare(&st, wh, STMT_SESSION_EXTEND, err));
    dl_wh_bind_time(st, 0, login->ends_at);
    dl_wh_bind_str(st, 1, login->sid);
    DL_TRY(dl_wh_run(st, err));
    return add_refresh_token(wh, login, err);
}

dl_status dl_login_exchange(dl_login_verdict *verdict, dl_role *role, dl_wh *wh,
                            const dl_login *login, const char *jti,
                            dl_error *err)
{
    int64_t epoch;
    bool usable = false;
    bool runs = false;

    DL_TRY(lock_account(&usable, role, &epoch, wh, login->user_id, err));
    DL_TRY(lock_session(&runs, wh, login->user_id, login->sid, err));
    DL_TRY(lock_refresh_token(verdict, wh, login, jti, err));
    if (*verdict == DL_LOGIN_REUSED && runs) {
        return dl_login_end(wh, login->user_id, login->sid, login->now, err);
    }
    if (*verdict == DL_LOGIN_EXCHANGED) {
        if (usable && runs) {
            return exchange(wh, login, jti, err);
        }
        *verdict = DL_LOGIN_REFUSED;
    }
    return DL_OK;
}

/* --- Ending --------------------------------------------------------------- */

dl_status dl_login_end(dl_wh *wh, int64_t user_id, const char *sid, dl_time now,
                       dl_error *err)
{
    dl_wh_stmt *st;
    bool runs = false;

    DL_TRY(lock_session(&runs, wh, user_id, sid, err));
    if (!runs) {
        return DL_OK;
    }
    DL_TRY(dl_wh_prepare(&st, wh, STMT_SESSION_REVOKE, err));
    dl_wh_bind_time(st, 0, now);
    dl_wh_bind_str(st, 1, sid);
    DL_TRY(dl_wh_run(st, err));
    return dl_identity_tell(wh, user_id, err);
}

dl_status dl_login_is_revoked(bool *revoked, dl_wh *wh, const char *sid,
                              dl_error *err)
{
    dl_wh_stmt *st;
    bool found = false;

    *revoked = false;
    DL_TRY(dl_wh_prepare(&st, wh, STMT_SESSION_STATE, err));
    dl_wh_bind_str(st, 0, sid);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&found, st, err));
    if (found) {
        *revoked = !dl_wh_is_null(st, 0);
        dl_wh_finish(st);
    }
    return DL_OK;
}
