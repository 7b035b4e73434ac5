/* dl_role.h - The three roles of an account and their names.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_ROLE_H
#define DL_ROLE_H

#include <stdbool.h>
#include <stddef.h>

/* What an account may do beside its grants.  The values are the order of the
 * ENUM of app_user.role; never a ranking. */
typedef enum dl_role {
    DL_ROLE_USER,   /* what its grants say */
    DL_ROLE_ADMIN,  /* every route, every grant check */
    DL_ROLE_AUDITOR /* user, and the audit routes */
} dl_role;

/* The name of ROLE as the contract writes it: "user", "admin", "auditor".
 * Static text.  Thread: any. */
const char *dl_role_name(dl_role role);

/* Set *ROLE to the role named by LEN bytes of TEXT; false, *ROLE untouched,
 * when there is none of that exact name.  Thread: any. */
bool dl_role_parse(dl_role *role, const char *text, size_t len);

#endif
