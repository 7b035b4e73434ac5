/* dl_login.h - Log-ins and their refresh tokens in the warehouse.
 *
 * A log-in is a row of session; the claim sid names it in all its tokens.
 * Each of its refresh tokens is a row of refresh_token and is exchanged once:
 * the old one gets used_at, a new one is inserted.  A token that comes a
 * second time was stolen, or copied, and nobody can tell which of the two is
 * the thief; so the log-in ends with all its tokens.
 *
 * Everything that writes runs inside the caller's transaction, which he
 * commits when the call returns DL_OK and rolls back otherwise.  Rows are
 * locked in one order: account, session, refresh token.  Who changes a
 * log-in's state inserts an identity_change row, so that other servers hear
 * of it; the caller's own server updates its mirror itself.
 *
 * Connections: role API.  Thread: the connection's.  Every function may also
 * return what dl_wh.h says of a lost connection (DL_UNAVAILABLE) and of a
 * deadlock (DL_RETRY).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LOGIN_H
#define DL_LOGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "dl_error.h"
#include "dl_identity.h"
#include "dl_password.h"
#include "dl_role.h"
#include "dl_time.h"
#include "dl_token.h"

struct dl_wh;

/* Whom the name of an attempt means. */
typedef struct dl_login_candidate {
    bool known;      /* false: nobody, the rest means nothing */
    bool active;     /* false: disabled or deleted */
    int64_t user_id; /* app_user.id */
    int64_t epoch;   /* rises with each change of the account */
    dl_role role;    /* of the account */
    char username[DL_USERNAME_MAX + 1]; /* as it was registered */
    char hash[DL_PASSWORD_HASH];        /* of its password */
} dl_login_candidate;

/* Fill CANDIDATE with the account whose name is USERNAME but for the case of
 * the letters A-Z.  The database compares more loosely (an accent does not
 * count there), so what it finds is compared once more.  Nobody is no
 * failure: it takes the same statement and the same time. */
DL_MUSTCHECK dl_status dl_login_find(dl_login_candidate *candidate,
                                     struct dl_wh *wh, const char *username,
                                     dl_error *err);

/* A log-in, or the next step of one. */
typedef struct dl_login {
    int64_t user_id;    /* account */
    int64_t epoch;      /* of the account when its password was looked at; for
                           dl_login_add */
    const char *sid;    /* id of the log-in */
    const char *jti;    /* id of the refresh token that is given out */
    dl_time now;        /* when */
    dl_time expires_at; /* end of that refresh token */
    dl_time ends_at;    /* end of the last token of the log-in; not before
                           expires_at */
} dl_login;

/* Store LOGIN with its first refresh token and set last_login_at.
 * DL_NOT_FOUND: the account is gone, not active or another by now: had its
 * password changed meanwhile, this log-in would outlive the change. */
DL_MUSTCHECK dl_status dl_login_add(struct dl_wh *wh, const dl_login *login,
                                    dl_error *err);

/* What came of an exchange. */
typedef enum dl_login_verdict {
    DL_LOGIN_EXCHANGED, /* the new token is stored, the old one is dead */
    DL_LOGIN_REUSED,    /* the old token was used before: the log-in has been
                           ended, to be committed */
    DL_LOGIN_REFUSED    /* unknown token, log-in ended, account not active */
} dl_login_verdict;

/* Exchange the refresh token JTI for the one of LOGIN, whose user_id and sid
 * are those of the old token; *ROLE is the account's role now.  Of any number
 * of calls at the same time for one JTI exactly one is DL_LOGIN_EXCHANGED. */
DL_MUSTCHECK dl_status dl_login_exchange(dl_login_verdict *verdict,
                                         dl_role *role, struct dl_wh *wh,
                                         const dl_login *login, const char *jti,
                                         dl_error *err);

/* End the log-in SID of account USER_ID at NOW; one that does not exist or
 * has ended is no failure. */
DL_MUSTCHECK dl_status dl_login_end(struct dl_wh *wh, int64_t user_id,
                                    const char *sid, dl_time now,
                                    dl_error *err);

/* Set *REVOKED to whether the log-in SID has ended; one that is not there has
 * not. */
DL_MUSTCHECK dl_status dl_login_is_revoked(bool *revoked, struct dl_wh *wh,
                                           const char *sid, dl_error *err);

#endif
