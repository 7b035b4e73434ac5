/* dl_identity.h - Accounts, their sessions, and the log of their changes.
 *
 * The warehouse is the truth (tables app_user, session, identity_change).
 * Each function that changes an account or revokes a session raises the
 * account's epoch and inserts an identity_change row in the same transaction,
 * so that every server's mirror learns of it within a second.  Names and
 * e-mail addresses are unique without regard to case.
 *
 * Connections: role API (reads, the module), JOBS or MIGRATE (datalakectl).
 * A connection belongs to one thread, and so does each call here.
 *
 * Every function may also return what dl_wh.h says of a lost connection
 * (DL_UNAVAILABLE) and of a deadlock (DL_RETRY, nothing changed).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_IDENTITY_H
#define DL_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_error.h"
#include "dl_password.h"
#include "dl_role.h"
#include "dl_time.h"
#include "dl_token.h"

struct dl_wh;

/* Most bytes of an e-mail address. */
#define DL_EMAIL_MAX 254

/* Least characters of an account's name. */
#define DL_USERNAME_MIN 3

/* One account as the warehouse has it.  Owns nothing. */
typedef struct dl_account {
    int64_t id;                         /* app_user.id */
    int64_t epoch;                      /* rises with every change */
    dl_time created_at;                 /* when it was made */
    dl_time last_login_at;              /* DL_TIME_NONE: never */
    dl_time deleted_at;                 /* DL_TIME_NONE: not deleted */
    dl_time erase_after;                /* DL_TIME_NONE: not deleted */
    dl_role role;                       /* what it may do */
    bool active;                        /* false: disabled or deleted */
    bool consent;                       /* false: withdrawn */
    char username[DL_USERNAME_MAX + 1]; /* as it was registered */
    char email[DL_EMAIL_MAX + 1];       /* "" when there is none */
} dl_account;

/* What is needed to make an account. */
typedef struct dl_identity_new {
    const char *username;        /* 3-100 of A-Z a-z 0-9 _ . @ + - */
    const char *email;           /* NULL: none */
    const char *password_hash;   /* from dl_password_hash */
    const char *consent_version; /* NULL: "v1.0" */
    const char *first_name;      /* NULL or "": none; at most 100 characters */
    const char *last_name;       /* likewise */
    const char *address;         /* likewise, at most 255 characters */
    dl_role role;                /* role of the account */
    bool consent;                /* whether consent was given */
    const char *source;          /* of that: form, policy, user; NULL: policy */
} dl_identity_new;

/* Check LEN bytes of USERNAME against the rule of the contract (3..100 of
 * [A-Za-z0-9_.@+-]).  DL_INVALID with the reason.  Pure.  Thread: any. */
DL_MUSTCHECK dl_status dl_identity_check_username(const char *username,
                                                  size_t len, dl_error *err);

/* Check the LEN bytes of EMAIL: at most 254 bytes of ASCII, NAME@HOST, a name
 * of 1..64 of the characters that need no quotes, a host of labels and at
 * least one dot.  DL_INVALID with the reason.  Pure.  Thread: any. */
DL_MUSTCHECK dl_status dl_identity_check_email(const char *email, size_t len,
                                               dl_error *err);

/* Fill ACCOUNT with the account whose name is USERNAME, compared exactly as
 * the unique key does (without case).  DL_NOT_FOUND: none, erased ones
 * included.  Thread: WH's. */
DL_MUSTCHECK dl_status dl_identity_find(dl_account *account, struct dl_wh *wh,
                                        const char *username, dl_error *err);

/* The same by id. */
DL_MUSTCHECK dl_status dl_identity_find_id(dl_account *account,
                                           struct dl_wh *wh, int64_t id,
                                           dl_error *err);

/* Write the password hash of account ID to OUT.  DL_NOT_FOUND: none. */
DL_MUSTCHECK dl_status dl_identity_password(char out[DL_PASSWORD_HASH],
                                            struct dl_wh *wh, int64_t id,
                                            dl_error *err);

/* Make an account with a consent_event when CONSENT is given; *ID is its id.
 * DL_CONFLICT: name or e-mail taken.  DL_INVALID: a value breaks a rule. */
DL_MUSTCHECK dl_status dl_identity_create(int64_t *id, struct dl_wh *wh,
                                          const dl_identity_new *account,
                                          dl_error *err);

/* Receives one account; a return other than DL_OK ends the walk and is
 * passed on.  ACCOUNT is dead when the call returns.  It must not use the
 * connection that is walked over. */
typedef dl_status dl_identity_each(void *context, const dl_account *account,
                                   dl_error *err);

/* Call EACH with every account, by id. */
DL_MUSTCHECK dl_status dl_identity_list(struct dl_wh *wh,
                                        dl_identity_each *each, void *context,
                                        dl_error *err);

/* Give account ID the role ROLE.  DL_NOT_FOUND: none.  DL_CONFLICT: it is the
 * last active admin and ROLE is another. */
DL_MUSTCHECK dl_status dl_identity_set_role(struct dl_wh *wh, int64_t id,
                                            dl_role role, dl_error *err);

/* Disable or enable account ID.  Disabling revokes its log-ins, so that tokens
 * issued before stay refused when it is enabled again.  DL_NOT_FOUND: none.  DL_CONFLICT: the last active admin; or a deleted
 * account, which only undelete brings back. */
DL_MUSTCHECK dl_status dl_identity_set_active(struct dl_wh *wh, int64_t id,
                                              bool active, dl_error *err);

/* Take back the deletion of account ID while its grace period lasts.
 * DL_NOT_FOUND: none.  DL_CONFLICT: it is not deleted, or erased. */
DL_MUSTCHECK dl_status dl_identity_undelete(struct dl_wh *wh, int64_t id,
                                            dl_error *err);

/* Store HASH as the password of account ID and revoke its sessions.
 * DL_NOT_FOUND: none. */
DL_MUSTCHECK dl_status dl_identity_set_password(struct dl_wh *wh, int64_t id,
                                                const char *hash,
                                                dl_error *err);

/* A log-in: what a token of it can be revoked by. */
typedef struct dl_session {
    char sid[DL_TOKEN_ID_MAX + 1]; /* its id, the claim sid */
    dl_time expires_at;            /* end of its last token */
} dl_session;

/* Store SESSION of account ID and set last_login_at to NOW.
 * DL_NOT_FOUND: no such account. */
DL_MUSTCHECK dl_status dl_identity_session_add(struct dl_wh *wh, int64_t id,
                                               const dl_session *session,
                                               dl_time now, dl_error *err);

/* Revoke the session SID.  DL_NOT_FOUND: none, or revoked before. */
DL_MUSTCHECK dl_status dl_identity_session_revoke(struct dl_wh *wh,
                                                  const char *sid,
                                                  dl_error *err);

/* Room for sessions that the caller gives. */
typedef struct dl_session_list {
    dl_session *rows; /* the caller's array */
    size_t max;       /* its length */
    size_t n;         /* set by the call: rows filled */
} dl_session_list;

/* Fill LIST with the revoked sessions of account ID whose tokens may still
 * run at NOW.  DL_LIMIT: there are more than max, the list is full of some of
 * them and the caller has to refuse the account's tokens.  For the mirror. */
DL_MUSTCHECK dl_status dl_identity_revoked(dl_session_list *list,
                                           struct dl_wh *wh, int64_t id,
                                           dl_time now, dl_error *err);

/* One row of identity_change. */
typedef struct dl_identity_change {
    int64_t id;      /* rises, with holes, visible out of order */
    int64_t user_id; /* the account that changed */
    dl_time at;      /* when */
} dl_identity_change;

/* Room for changes that the caller gives. */
typedef struct dl_identity_changes {
    dl_identity_change *rows; /* the caller's array */
    size_t max;               /* its length */
    size_t n;                 /* set by the call: rows filled */
} dl_identity_changes;

/* Insert a row of identity_change for account ID: to be called in the
 * transaction that changes the account, its grants or its log-ins. */
DL_MUSTCHECK dl_status dl_identity_tell(struct dl_wh *wh, int64_t id,
                                        dl_error *err);

/* Fill CHANGES with the first rows of identity_change, by id, whose id is
 * above AFTER and that are not older than SINCE (DL_TIME_NONE: any age).  Ids
 * become visible out of order: a watcher asks with AFTER 0 and SINCE = now -
 * 10 s and forgets what it has seen, pages with the last id it got while n =
 * max, and reads the whole mirror anew after a pause longer than that. */
DL_MUSTCHECK dl_status dl_identity_changes_read(dl_identity_changes *changes,
                                                struct dl_wh *wh, int64_t after,
                                                dl_time since, dl_error *err);

#endif
