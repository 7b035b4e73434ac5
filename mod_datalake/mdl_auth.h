/* mdl_auth.h - From the Authorization header to an account.
 *
 * A token proves who is calling; the account, kept in the mirror
 * (mdl_mirror.h), says whether he still may and in which role.  Every refusal
 * is the same 401; its cause is in the log and in a counter only.
 *
 * Thread: the request's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_AUTH_H
#define MDL_AUTH_H

#include "mdl_request.h"

/* Return whether Q came with an Authorization header. */
bool mdl_auth_has_credentials(const mdl_request *q);

/* Fill Q's identity.  Returns OK, or the status of Q's problem: 400 (two
 * headers), 401, 503 (the account cannot be looked up). */
int mdl_auth_identify(mdl_request *q);

/* Return whether the token that Q came with would be taken now, and bring the
 * role of the caller up to date: for answers that go on for long.  What cannot
 * be found out is no.  Names no problem, takes no memory. */
bool mdl_auth_holds(mdl_request *q);

#endif
