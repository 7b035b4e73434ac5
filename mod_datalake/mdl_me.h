/* mdl_me.h - What the routes of one's own account share: how an account is
 * written, and how fresh its log-in has to be.
 *
 *   mdl_api_register.c   POST /user/register, /v1/register, /register
 *   mdl_api_me.c         GET, PATCH, DELETE /user/me
 *   mdl_api_consent.c    GET, PUT /user/me/consent
 *   mdl_api_export.c     GET /user/me/export
 *
 * Thread: the request's, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_ME_H
#define MDL_ME_H

#include "dl_error.h"
#include "dl_json_write.h"
#include "dl_profile.h"
#include "mdl_request.h"

/* How old the log-in of a guarded request may be, in seconds. */
#define MDL_ME_FRESH_S 300

/* More than the answer with an account ever needs: its texts, escaped. */
#define MDL_ME_MAX 16384

/* Return OK when the password was given at most MDL_ME_FRESH_S ago, else the
 * status of Q's problem: 401 reauthentication-required. */
int mdl_me_require_fresh(mdl_request *q);

/* Write the members that every answer with an account has; the object is
 * open. */
void mdl_me_write_short(dl_json_writer *w, const dl_profile *profile);

/* Write the whole account as an object. */
void mdl_me_write(dl_json_writer *w, const dl_profile *profile);

/* Lock the account of Q's caller for the rest of the transaction, read it into
 * PROFILE, and set *STALE to whether If-Match names another state of it: then
 * the status is DL_CONFLICT.  DL_NOT_FOUND: it is not active any more. */
DL_MUSTCHECK dl_status mdl_me_lock(dl_profile *profile, bool *stale,
                                   struct dl_wh *wh, mdl_request *q,
                                   dl_error *err);

/* Name that If-Match does not name the present state as Q's problem and return
 * its status. */
int mdl_me_refuse_stale(mdl_request *q);

/* Answer Q with STATUS and the whole account; with 200 under its ETag, so that
 * an unchanged one may be 304.  Returns OK or the status of a problem. */
int mdl_me_answer(mdl_request *q, int status, const dl_profile *profile);

/* Write one decision about consent as an object. */
void mdl_me_write_consent(dl_json_writer *w, const dl_consent *consent);

/* Judge the member EMAIL (a row of Q's body table) of Q, which may be absent
 * or null, by the rule of addresses.  Returns OK or 422. */
int mdl_me_check_email(mdl_request *q, int email);

/* Judge the member PASSWORD likewise by the rule of passwords of USERNAME. */
int mdl_me_check_password(mdl_request *q, int password, const char *username);

#endif
