/* dl_role.c - Names of roles.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_role.h"

#include <string.h>

static const char *const NAMES[] = {"user", "admin", "auditor"};

const char *dl_role_name(dl_role role)
{
    return (unsigned)role < sizeof NAMES / sizeof NAMES[0] ? NAMES[role]
                                                           : "unknown";
}

bool dl_role_parse(dl_role *role, const char *text, size_t len)
{
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (strlen(NAMES[i]) == len && memcmp(NAMES[i], text, len) == 0) {
            *role = (dl_role)i;
            return true;
        }
    }
    return false;
}
