/* mdl_require.h - The access decision for any Location: a folder, a back end.
 *
 *   <Location "/reports">
 *       AuthType DataLake
 *       AuthzSendForbiddenOnFailure On
 *       Require datalake-grant read transaction_log
 *   </Location>
 *
 * AuthType DataLake finds the caller as the routes do (mdl_auth.h); on a route
 * of ours it repeats what the gate has found.  The providers ask the same
 * grants and roles (mdl_grant.h):
 *
 *   Require datalake-grant LEVEL RESOURCE   read or write, and what
 *   Require datalake-role ROLE...           one of these; admin always
 *
 * A provider only notes what is missing: another one may still let the
 * request pass.  When none does, mdl_require_explain names the problem.  A
 * caller whom another AuthType has found has no rights here.
 *
 * Thread: the request's, unless a function says otherwise.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_REQUIRE_H
#define MDL_REQUIRE_H

#include <httpd.h>

struct mdl_request;

/* Register hooks and providers.  Thread: start only. */
void mdl_require_register(apr_pool_t *pool);

/* Name the problem of Q when httpd refuses it, with STATUS, for what a
 * provider missed: 403, also where AuthzSendForbiddenOnFailure is not set and
 * httpd says 401.  Returns the status to answer with, STATUS otherwise. */
int mdl_require_explain(struct mdl_request *q, int status);

#endif
