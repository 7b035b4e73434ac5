/* dl_identity_within.h - Changes of accounts in a transaction of the caller.
 *
 * For requests, whose transaction is mdl_wh_write's: none of these begins or
 * ends one.  Each tells the mirrors where the account's rights change.  What
 * the same functions without _within do is said in dl_identity.h, which run
 * them in transactions of their own.
 *
 * Failures of each: DL_NOT_FOUND: no such account; and what dl_wh.h says.
 * Thread: the connection's, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_IDENTITY_WITHIN_H
#define DL_IDENTITY_WITHIN_H

#include "dl_identity.h"

/* Make ACCOUNT, whose values were checked, at NOW; *ID is its id.
 * DL_CONFLICT: name or e-mail taken. */
DL_MUSTCHECK dl_status dl_identity_create_within(int64_t *id, struct dl_wh *wh,
                                                 const dl_identity_new *account,
                                                 dl_time now, dl_error *err);

/* Store SESSION of account ID and set last_login_at to NOW. */
DL_MUSTCHECK dl_status dl_identity_session_add_within(struct dl_wh *wh,
                                                      int64_t id,
                                                      const dl_session *session,
                                                      dl_time now,
                                                      dl_error *err);

/* Revoke the session SID.  DL_NOT_FOUND: none, or revoked before. */
DL_MUSTCHECK dl_status dl_identity_session_revoke_within(struct dl_wh *wh,
                                                         const char *sid,
                                                         dl_error *err);

/* For dl_identity_password_within: whatever happened meanwhile. */
#define DL_IDENTITY_ANY_EPOCH (-1)

/* Store HASH as the password of account ID, if its epoch still is EPOCH, and
 * revoke its sessions.  DL_CONFLICT: the account changed meanwhile. */
DL_MUSTCHECK dl_status dl_identity_password_within(struct dl_wh *wh, int64_t id,
                                                   const char *hash,
                                                   int64_t epoch,
                                                   dl_error *err);

/* Set the consent of account ID at NOW, with an event of source user.  When it
 * is so already nothing changes. */
DL_MUSTCHECK dl_status dl_identity_consent_within(struct dl_wh *wh, int64_t id,
                                                  bool given, dl_time now,
                                                  dl_error *err);

/* What a deletion was asked for with. */
typedef struct dl_identity_deletion {
    dl_time now;         /* when */
    dl_time erase_after; /* when the erasure may run */
    const char *job_id;  /* UUID of the job that erases */
} dl_identity_deletion;

/* Delete account ID: it is not active any more, its sessions are revoked, and
 * a queued job of kind erase waits for its time.  DL_CONFLICT: it is the last
 * active admin, or is deleted already. */
DL_MUSTCHECK dl_status
dl_identity_delete_within(struct dl_wh *wh, int64_t id,
                          const dl_identity_deletion *deletion, dl_error *err);

#endif
