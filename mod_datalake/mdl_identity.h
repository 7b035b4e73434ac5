/* mdl_identity.h - Who is calling, as handlers see it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_IDENTITY_H
#define MDL_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "dl_grant.h"
#include "dl_token.h"

/* The caller of one request. */
typedef struct mdl_identity {
    bool known;                         /* a valid token of an active account */
    int64_t user_id;                    /* id of the account */
    dl_role role;                       /* its role now, not the token's */
    int64_t epoch;                      /* rises with each change of it */
    int64_t auth_time;                  /* when its password was given, unix
                                           seconds */
    bool consent;                       /* false: withdrawn */
    bool all_grants;                    /* grants are all it has; else
                                           mdl_grant_load asks for the rest */
    dl_grant_set grants;                /* what it may do, in r->pool */
    char username[DL_USERNAME_MAX + 1]; /* its name */
} mdl_identity;

#endif
