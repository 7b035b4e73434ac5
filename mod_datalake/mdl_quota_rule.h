/* mdl_quota_rule.h - Who may call how often: DataLakeQuota and its defaults.
 *
 * A rule is a path, a role and limits.  The path covers a route whose template
 * begins with it, segment by segment; of several rules for the caller's role
 * the one with the longest path counts.  Routes that contract 4 names without
 * their /v1 are judged as if they had it.
 *
 * The path of a rule is its policy: calls of all routes that one policy covers
 * share a window.  "/" is the policy default, "/v1/" is v1, and others are
 * named after their path.
 *
 * Thread: made while httpd reads its configuration, constant afterwards.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_QUOTA_RULE_H
#define MDL_QUOTA_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include <httpd.h>

#include <http_config.h>

#include <apr_tables.h>

/* Roles a rule tells apart, in the order of their names. */
typedef enum mdl_quota_role {
    MDL_QUOTA_ANONYMOUS, /* no token: an address */
    MDL_QUOTA_USER,      /* role user */
    MDL_QUOTA_AUDITOR,   /* role auditor */
    MDL_QUOTA_ADMIN,     /* role admin */
    MDL_QUOTA_ROLES      /* how many there are */
} mdl_quota_role;

/* Room for the name of a policy, NUL included; with the suffix of what is
 * counted it fits into quota_window.policy. */
#define MDL_QUOTA_POLICY 15

/* The longest path of a rule. */
#define MDL_QUOTA_PATH 200

/* What one role may take in an hour. */
typedef struct mdl_quota_limits {
    uint32_t calls; /* requests */
    uint32_t rows;  /* rows of answers; 0: not limited */
    uint32_t kib;   /* KiB of answers; 0: not limited */
} mdl_quota_limits;

/* One DataLakeQuota. */
typedef struct mdl_quota_rule {
    const char *path;              /* "/v1", without final slash; "" is "/" */
    mdl_quota_role role;           /* whom it is about */
    mdl_quota_limits limits;       /* what he may */
    char policy[MDL_QUOTA_POLICY]; /* name of the policy */
} mdl_quota_rule;

/* Return the name of ROLE as a rule writes it.  Static text. */
const char *mdl_quota_role_name(mdl_quota_role role);

/* Add the rule of the ARGC texts ARGV (path, role, calls per hour, options)
 * to *RULES, made in CMD's pool when it is NULL.  Return NULL, or the sentence
 * that tells what would be right. */
const char *mdl_quota_rule_add(apr_array_header_t **rules, cmd_parms *cmd,
                               int argc, char *const argv[]);

/* Return the rules of a virtual host: OWN after BASE (either may be NULL), in
 * POOL. */
apr_array_header_t *mdl_quota_rules_merge(const apr_array_header_t *base,
                                          const apr_array_header_t *own,
                                          apr_pool_t *pool);

/* Return the rules of contract 1.5 with RULES (may be NULL) over them. */
apr_array_header_t *mdl_quota_rules_finish(const apr_array_header_t *rules,
                                           apr_pool_t *pool);

/* Return the rule of finished RULES for ROLE on the route TEMPLATE; there is
 * always one. */
const mdl_quota_rule *mdl_quota_rule_find(const apr_array_header_t *rules,
                                          const char *template,
                                          mdl_quota_role role);

#endif
