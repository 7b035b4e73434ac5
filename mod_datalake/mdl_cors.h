/* mdl_cors.h - Which pages of other origins may read answers (contract 1.6).
 *
 * DataLakeCORSOrigins lists origins; a request from one of them, and errors it
 * gets, name that very origin back, never "*", and never one that is not in
 * the list.  A preflight is an OPTIONS request, which needs no token.  Tokens
 * travel in Authorization, not in cookies, so no answer allows credentials.
 *
 * Thread: the request's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_CORS_H
#define MDL_CORS_H

#include <httpd.h>

#include <http_config.h>

#include "mdl_request.h"

/* The most origins of DataLakeCORSOrigins. */
#define MDL_CORS_ORIGINS 64

/* Return the origin of CONFIG that the request R comes from, or NULL: no other
 * origin, or one that is not listed. */
const char *mdl_cors_origin(const request_rec *r);

/* Set the headers of any answer to R, errors included. */
void mdl_cors_apply(request_rec *r);

/* Set the headers of the answer to Q, an OPTIONS request, if it is a
 * preflight. */
void mdl_cors_preflight(mdl_request *q);

#endif
