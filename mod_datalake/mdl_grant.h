/* mdl_grant.h - Whether the caller of a request may.
 *
 * One decision for routes and for Require: role admin passes, everybody else
 * needs a grant that covers the whole resource (dl_grant.h) and has not ended.
 * The grants of the caller came with his account from the mirror; an account
 * with more of them than the mirror keeps is asked for in the warehouse, and
 * when that is away the answer is 503: nothing here fails open.
 *
 * The text of a row's resource (mdl_route.h):
 *
 *   text     = need *( " + " need )            all of them
 *   need     = resource [ "|table" ]           or the dataset's table
 *   resource = words and "{name}"              a parameter marked resource
 *
 * Every 403 says in its member "missing" which right was needed.
 *
 * Thread: the request's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_GRANT_H
#define MDL_GRANT_H

#include <stdbool.h>
#include <stdint.h>

#include "dl_grant.h"
#include "mdl_request.h"

/* Most bytes of an account's grants that one request looks through: about
 * 25,000 of them.  Beyond is 503. */
#define MDL_GRANT_BYTES ((size_t)1024 * 1024)

/* Decide by the class of Q's row whether the caller, whom mdl_auth_identify
 * knows, may.  Returns OK, or the status of the problem that was named: 403
 * forbidden or consent-required, 503. */
int mdl_grant_decide(mdl_request *q);

/* Return whether Q's row, of class anonymous, is open to everybody: market
 * data, which are what names a resource there, may be closed
 * (DataLakeMarketDataAnonymous). */
bool mdl_grant_is_open(const mdl_request *q);

/* Make sure that all grants of the caller are at hand.  Returns OK, or the
 * status of a problem: 503.  To be called before mdl_grant_allows where the
 * row's class is not one of grants. */
int mdl_grant_load(mdl_request *q);

/* Set *SET to all grants of the account USER_ID, from the warehouse, in
 * r->pool.  Returns likewise. */
int mdl_grant_read(dl_grant_set *set, mdl_request *q, int64_t user_id);

/* Return whether the caller may do LEVEL with RESOURCE now: by role admin or
 * by a grant. */
bool mdl_grant_allows(const mdl_request *q, const dl_resource *resource,
                      dl_level level);

/* Return whether the caller may read some day of DATASET: when not, none of
 * them need be looked at. */
bool mdl_grant_touches(const mdl_request *q, const char *dataset);

/* Return a number of what the caller may do now, his role and his grants: a
 * part of the validator of what grants open. */
uint64_t mdl_grant_mark(const mdl_request *q);

/* Decide whether the caller may do LEVEL with RESOURCE, or with its table when
 * OR_TABLE says so.  Returns OK or the status of a problem, as
 * mdl_grant_decide. */
int mdl_grant_require(mdl_request *q, const dl_resource *resource,
                      dl_level level, bool or_table);

/* Decide whether the caller has ROLE: everybody is a user, an admin is an
 * auditor as well.  Returns likewise. */
int mdl_grant_require_role(mdl_request *q, dl_role role);

/* Decide whether the caller's consent stands.  Returns likewise. */
int mdl_grant_require_consent(mdl_request *q);

/* Refuse with 403 forbidden: MISSING (in r->pool or static) is the right that
 * was needed, as the contract writes classes: "grant(D,read)", "role admin".
 * Returns the status. */
int mdl_grant_refuse(mdl_request *q, const char *missing);

/* Return the text of a right for mdl_grant_refuse, "grant(D,read)". */
const char *mdl_grant_text(const dl_resource *resource, dl_level level,
                           apr_pool_t *pool);

/* Return whether ROW's resource is written as above and names parameters of
 * ROW that are marked resource, and is there when the class needs one.
 * Thread: start only. */
bool mdl_grant_row_ok(const mdl_route *row);

#endif
