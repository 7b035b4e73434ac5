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
    bool get;             /* whether there is such a row for GET */
} special[] = {
    {"/user/login", "login", false},
    {"/v1/token", "login", false},
    {"/token", "login", false},
    {"/api/token", "login", false},
    {"/api/token/refresh", "login", false},
    {"/api/token/revoke", "login", false},
    {"/api/access/grant", "grant", false},
    {"/api/access/revoke", "grant", false},
    {"/api/access/check", "read", false},
    {"/user/me/export", "export", true},
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
    bool get = q->r->method_number == M_GET;

    if (q->subject.action != NULL) {
        return q->subject.action;
    }
    for (size_t i = 0;
         q->route != NULL && i < sizeof special / sizeof special[0]; i++) {
        if ((special[i].get || !get) &&
            is_template(q->route->template, special[i].template)) {
            return special[i].action;
        }
    }
    if (get || (q->route != NULL && q->route->class == MDL_CLASS_READ)) {
        return "read";
    }
    return q->r->method_number == M_DELETE ? "delete" : "write";
}
