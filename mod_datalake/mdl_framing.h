/* mdl_framing.h - What a request must be before its path is looked at.
 *
 * httpd, with the settings of conf/httpd/hardening.conf, refuses most broken
 * requests itself.  What it lets pass and the contract does not: a body framed
 * twice (Content-Length and Transfer-Encoding), HTTP versions that do not
 * exist, the absolute form naming a host that is not ours, unknown methods.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_FRAMING_H
#define MDL_FRAMING_H

#include "mdl_request.h"

/* The methods this server knows, as Allow lists them; TRACE is known, too, in
 * that it is answered 405. */
#define MDL_FRAMING_METHODS "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

/* Return OK, or the status of the problem of Q: 400, 501, 505. */
int mdl_framing_check(mdl_request *q);

/* Let the connection of R end with the answer when the body, as far as it has
 * not been read, is longer than any route takes, or nobody knows how long it
 * is.  httpd would read it first and, past LimitRequestBody, answer 413 in
 * place of what is to be answered.  HTTP/1 only. */
void mdl_framing_leave_body(request_rec *r);

/* Return whether the client announced a body with R. */
bool mdl_framing_has_body(const request_rec *r);

#endif
