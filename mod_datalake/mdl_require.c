/* mdl_require.c - AuthType DataLake, Require datalake-grant, Require
 * datalake-role.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_require.h"

#include <string.h>
#include <strings.h>

#include <httpd.h>

#include <ap_provider.h>
#include <http_config.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_auth.h>
#include <util_filter.h>

#include <apr_strings.h>

#include "dl_log.h"
#include "dl_role.h"
#include "mdl_audit.h"
#include "mdl_auth.h"
#include "mdl_grant.h"
#include "mdl_problem.h"
#include "mdl_request.h"
#include "mdl_site.h"

/* The value of AuthType. */
#define TYPE "DataLake"

/* The filter that waits for the audit entry. */
#define FILTER "DATALAKE_AUDITED"

static bool is_ours(request_rec *r)
{
    const char *type = ap_auth_type(r);

    return type != NULL && strcasecmp(type, TYPE) == 0;
}

/* --- Who is calling ------------------------------------------------------- */

/* The request R was made for: a page of a folder, an error document. */
static request_rec *maker_of(request_rec *r)
{
    return r->main != NULL ? r->main : r->prev;
}

/* Return the structure of R; one that httpd made for another request takes
 * over who is calling.  NULL: the engine is off. */
static mdl_request *find_request(request_rec *r)
{
    mdl_request *q = mdl_request_peek(r);
    mdl_request *first = NULL;
    request_rec *maker;

    for (maker = maker_of(r); q == NULL && first == NULL && maker != NULL;
         maker = maker_of(maker)) {
        first = mdl_request_peek(maker);
    }
    if (first != NULL) {
        q = mdl_request_create(r, first->site);
        memcpy(q->id, first->id, sizeof q->id);
        q->identity = first->identity;
    }
    return q;
}

/* Find the caller of Q with all his grants, and see that he has consented. */
static int identify(mdl_request *q)
{
    int status = OK;

    if (!q->identity.known) {
        status = mdl_auth_identify(q);
    }
    if (status == OK) {
        status = mdl_grant_load(q);
    }
    return status == OK ? mdl_grant_require_consent(q) : status;
}

/* --- What is logged of it ------------------------------------------------- */

/* The first bytes of an answer are on their way: the entry of a change is on
 * disk before them. */
static apr_status_t answer_begins(ap_filter_t *filter,
                                  apr_bucket_brigade *bytes)
{
    request_rec *r = filter->r;

    mdl_audit_answer(mdl_request_peek(r), r->status, 0);
    ap_remove_output_filter(filter);
    return ap_pass_brigade(filter->next, bytes);
}

/* Make sure of room for the entry of Q; 507: there is none. */
static int begin_entry(mdl_request *q)
{
    request_rec *r = q->r;
    int status;

    if (r->main != NULL || r->prev != NULL) {
        return OK;
    }
    status = mdl_audit_reserve(q);
    if (status == OK && r->method_number != M_GET) {
        ap_add_output_filter(FILTER, NULL, r, r->connection);
    }
    return status;
}

/* check_authn: OK, 401, 403 (consent), 503, 507; DECLINED when AuthType is
 * another. */
static int check_caller(request_rec *r)
{
    mdl_request *q;
    int status;

    if (!is_ours(r)) {
        return DECLINED;
    }
    q = find_request(r);
    if (q == NULL || q->site == NULL || !q->site->open) {
        dl_log(DL_LOG_ERROR, "DL1110 AuthType DataLake: this server has no "
                             "DataLakeEngine that is open");
        return HTTP_SERVICE_UNAVAILABLE;
    }
    if (mdl_request_get(r) != NULL && q->identity.known) {
        r->user = q->identity.username;
        return mdl_grant_load(q); /* the gate has decided the rest */
    }
    status = identify(q);
    if (status == OK) {
        r->user = q->identity.username;
        status = begin_entry(q);
    }
    return status;
}

/* note_auth_failure: what a 401 of httpd's own says. */
static int note_failure(request_rec *r, const char *type)
{
    if (strcasecmp(type, TYPE) != 0) {
        return DECLINED;
    }
    if (apr_table_get(r->err_headers_out, "WWW-Authenticate") == NULL) {
        apr_table_setn(r->err_headers_out, "WWW-Authenticate",
                       "Bearer realm=\"datalake\"");
    }
    return OK;
}

/* --- What he may ---------------------------------------------------------- */

/* A line of Require datalake-grant. */
typedef struct grant_line {
    dl_resource resource; /* of what */
    dl_level level;       /* how much */
} grant_line;

static const char *parse_grant(cmd_parms *cmd, const char *line,
                               const void **parsed)
{
    grant_line *grant = apr_palloc(cmd->pool, sizeof *grant);
    char *level = ap_getword_conf(cmd->pool, &line);
    const char *resource = ap_getword_conf(cmd->pool, &line);

    ap_str_tolower(level);
    if (!dl_level_parse(&grant->level, level, strlen(level)) ||
        dl_resource_parse(&grant->resource, resource, strlen(resource), NULL) !=
            DL_OK ||
        *line != '\0') {
        return "Require datalake-grant: must be read, write or admin, and a "
               "resource such as transaction_log";
    }
    *parsed = grant;
    return NULL;
}

/* Keep MISSING, the first right that Q's caller lacks. */
static authz_status deny(mdl_request *q, const char *missing)
{
    if (q->lacking == NULL) {
        q->lacking = missing;
    }
    return AUTHZ_DENIED;
}

/* Return the request of R when its caller is known to us.  Otherwise NULL and
 * *STATUS: ask AuthType for him, or no. */
static mdl_request *known_caller(authz_status *status, request_rec *r)
{
    mdl_request *q = mdl_request_peek(r);

    if (q != NULL && q->identity.known) {
        return q;
    }
    *status = r->user == NULL ? AUTHZ_DENIED_NO_USER : AUTHZ_DENIED;
    return NULL;
}

static authz_status check_grant(request_rec *r, const char *line,
                                const void *parsed)
{
    const grant_line *grant = parsed;
    authz_status status;
    mdl_request *q = known_caller(&status, r);

    (void)line;
    if (q == NULL) {
        return status;
    }
    if (q->resource == NULL && q->subject.resource == NULL) {
        q->subject.resource =
            apr_pstrmemdup(r->pool, grant->resource.text, grant->resource.len);
    }
    if (mdl_grant_allows(q, &grant->resource, grant->level)) {
        return AUTHZ_GRANTED;
    }
    return deny(q, mdl_grant_text(&grant->resource, grant->level, r->pool));
}

/* A line of Require datalake-role: a set of roles. */
static const char *parse_role(cmd_parms *cmd, const char *line,
                              const void **parsed)
{
    unsigned *roles = apr_pcalloc(cmd->pool, sizeof *roles);

    while (*line != '\0') {
        const char *word = ap_getword_conf(cmd->pool, &line);
        dl_role role;

        if (!dl_role_parse(&role, word, strlen(word))) {
            return apr_psprintf(cmd->pool,
                                "Require datalake-role %s: must be user, "
                                "auditor or admin",
                                word);
        }
        *roles |= 1U << role;
    }
    if (*roles == 0) {
        return "Require datalake-role: must be user, auditor or admin";
    }
    *parsed = roles;
    return NULL;
}

static authz_status check_role(request_rec *r, const char *line,
                               const void *parsed)
{
    unsigned roles = *(const unsigned *)parsed | 1U << DL_ROLE_ADMIN;
    authz_status status;
    mdl_request *q = known_caller(&status, r);

    if (q == NULL) {
        return status;
    }
    if ((roles & (1U << DL_ROLE_USER | 1U << q->identity.role)) != 0) {
        return AUTHZ_GRANTED;
    }
    return deny(q, apr_pstrcat(r->pool, "role ", line, NULL));
}

int mdl_require_explain(mdl_request *q, int status)
{
    if (q->lacking == NULL || q->problem != NULL ||
        (status != HTTP_FORBIDDEN && status != HTTP_UNAUTHORIZED)) {
        return status;
    }
    return mdl_grant_refuse(q, q->lacking);
}

void mdl_require_register(apr_pool_t *pool)
{
    static const authz_provider grant = {check_grant, parse_grant};
    static const authz_provider role = {check_role, parse_role};

    ap_register_output_filter(FILTER, answer_begins, NULL, AP_FTYPE_RESOURCE);
    ap_hook_check_authn(check_caller, NULL, NULL, APR_HOOK_MIDDLE,
                        AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_note_auth_failure(note_failure, NULL, NULL, APR_HOOK_MIDDLE);
    ap_register_auth_provider(pool, AUTHZ_PROVIDER_GROUP, "datalake-grant",
                              AUTHZ_PROVIDER_VERSION, &grant,
                              AP_AUTH_INTERNAL_PER_CONF);
    ap_register_auth_provider(pool, AUTHZ_PROVIDER_GROUP, "datalake-role",
                              AUTHZ_PROVIDER_VERSION, &role,
                              AP_AUTH_INTERNAL_PER_CONF);
}
