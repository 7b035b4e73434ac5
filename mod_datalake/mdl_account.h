/* mdl_account.h - Looking an account up in the warehouse.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_ACCOUNT_H
#define MDL_ACCOUNT_H

#include "dl_error.h"
#include "dl_grant.h"
#include "mdl_mirror.h"
#include "mdl_wh.h"

struct mdl_site;

/* Set ACCOUNT to what the warehouse behind POOL says of USER_ID and keep it in
 * MIRROR.  An account that does not exist comes as one that is not active.
 * DL_UNAVAILABLE, DL_TIMEOUT as mdl_wh_read.  Thread: any. */
DL_MUSTCHECK dl_status mdl_account_load(mdl_account *account,
                                        mdl_mirror *mirror, mdl_wh_pool *pool,
                                        int64_t user_id, dl_error *err);

/* Make the requests of SITE's server see what the warehouse says of USER_ID
 * from now on: to be called after each change of an account, its log-ins or
 * its grants, before the answer.  Thread: any. */
void mdl_account_refresh(const struct mdl_site *site, int64_t user_id);

/* Set *REVOKED to whether the log-in SID is revoked, asking the warehouse; for
 * crowded accounts.  Failures as above.  Thread: any. */
DL_MUSTCHECK dl_status mdl_account_check_session(bool *revoked,
                                                 mdl_wh_pool *pool,
                                                 const char *sid,
                                                 dl_error *err);

/* Fill SET with the grants of USER_ID, asking the warehouse; for accounts
 * that have more than the mirror keeps.  *COMPLETE is false when not even SET
 * has room for all of them.  Failures as above.  Thread: any. */
DL_MUSTCHECK dl_status mdl_account_load_grants(dl_grant_set *set,
                                               bool *complete,
                                               mdl_wh_pool *pool,
                                               int64_t user_id, dl_error *err);

#endif
