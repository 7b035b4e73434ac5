/* mdl_access.h - What the routes of /api/access/ share: accounts by name,
 * resources by text, a grant as JSON, the grants of new accounts.
 *
 * Thread: the request's, unless a function says otherwise.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_ACCESS_H
#define MDL_ACCESS_H

#include <stdint.h>

#include "dl_grant.h"
#include "dl_grant_store.h"
#include "dl_identity.h"
#include "dl_json_write.h"
#include "mdl_request.h"
#include "mdl_site.h"

struct dl_wh;

/* Fill ACCOUNT with the account called USERNAME, asking the warehouse.
 * Returns OK or the status of a problem: 404 when there is none, or it is
 * deleted; 503. */
int mdl_access_find_account(dl_account *account, mdl_request *q,
                            const char *username);

/* Returns OK when what RESOURCE names is there, else the status of a problem:
 * 404, 503. */
int mdl_access_check_resource(mdl_request *q, const dl_resource *resource);

/* Returns OK when the caller may give and take grants of RESOURCE at LEVEL to
 * and from the account called USERNAME, else the status of a problem: 403,
 * 503.  Nobody grants to himself: what a role gives ends with the role. */
int mdl_access_may_change(mdl_request *q, const dl_resource *resource,
                          dl_level level, const char *username);

/* Write the members of ROW, an object of which has been begun, to W. */
void mdl_access_write_row(dl_json_writer *w, const dl_grant_row *row);

/* Give the new account USER_ID what DataLakeDefaultGrants says.  To be called
 * inside the transaction that makes the account.  DL_UNAVAILABLE, DL_RETRY as
 * dl_wh.h.  Thread: the one of WH. */
DL_MUSTCHECK dl_status mdl_access_give_defaults(struct dl_wh *wh,
                                                const mdl_site *site,
                                                int64_t user_id, dl_error *err);

#endif
