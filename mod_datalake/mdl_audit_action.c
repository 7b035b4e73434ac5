/* mdl_audit_action.c - What a request is called in the audit log.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_audit.h"

#include <string.h>

#include <httpd.h>

#include "mdl_request.h"

/* Rows that are not what their method says: contract 2.1 to 2.3. */
static const struct {
    const char *template; /* without a final slash */
    const char *action;   /* what it is */
} special[] = {
    {"/user/login", "login"},
    {"/v1/token", "login"},
    {"/token", "login"},
    {"/api/token", "login"},
    {"/api/token/refresh", "login"},
    {"/api/token/revoke", "login"},
    {"/api/access/grant", "grant"},
    {"/api/access/revoke", "grant"},
    {"/api/access/check", "read"},
    {"/user/me/export", "export"},
};

/* Whether TEMPLATE, less a final slash, is WANT. */
static bool is_template(const char *template, const char *want)
{
    size_t len = strlen(want);

    return strncmp(template, want, len) == 0 &&
           (template[len] == '\0' || strcmp(template + len, "/") == 0);
}

const char *mdl_audit_action(const mdl_request *q)
{
    if (q->subject.action != NULL) {
        return q->subject.action;
    }
    for (size_t i = 0;
         q->route != NULL && i < sizeof special / sizeof special[0]; i++) {
        if (is_template(q->route->template, special[i].template)) {
            return special[i].action;
        }
    }
    if (q->r->method_number == M_GET ||
        (q->route != NULL && q->route->class == MDL_CLASS_READ)) {
        return "read";
    }
    return q->r->method_number == M_DELETE ? "delete" : "write";
}
