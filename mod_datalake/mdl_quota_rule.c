/* mdl_quota_rule.c - Reading DataLakeQuota and choosing among rules.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_quota_rule.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "mdl_window.h"

/* clang-format off */
/* Contract 1.5. */
static const mdl_quota_rule defaults[] = {
    {"",    MDL_QUOTA_ANONYMOUS, {100, 0, 0},  "default"},
    {"",    MDL_QUOTA_USER,      {1000, 0, 0}, "default"},
    {"",    MDL_QUOTA_AUDITOR,   {1000, 0, 0}, "default"},
    {"",    MDL_QUOTA_ADMIN,     {5000, 0, 0}, "default"},
    {"/v1", MDL_QUOTA_ANONYMOUS, {100, 0, 0},  "v1"},
    {"/v1", MDL_QUOTA_USER,      {100, 0, 0},  "v1"},
    {"/v1", MDL_QUOTA_AUDITOR,   {100, 0, 0},  "v1"},
    {"/v1", MDL_QUOTA_ADMIN,     {5000, 0, 0}, "v1"},
};
/* clang-format on */

/* Contract 4: what stands without /v1 too. */
static const char *const v1_aliases[] = {"/logs", "/social", "/transactions",
                                         "/me/quota"};

const char *mdl_quota_role_name(mdl_quota_role role)
{
    static const char *const names[MDL_QUOTA_ROLES] = {"anonymous", "user",
                                                       "auditor", "admin"};

    return names[role];
}

/* --- The directive -------------------------------------------------------- */

/* Name the policy of RULE after its path: short ones by their segments, long
 * ones by the beginning and a hash. */
static void name_policy(mdl_quota_rule *rule)
{
    uint32_t hash = 0x811C9DC5u;
    size_t n = 0;
    const char *at;

    if (*rule->path == '\0') {
        memcpy(rule->policy, "default", sizeof "default");
        return;
    }
    for (at = rule->path + 1; *at != '\0'; at++) {
        hash = (hash ^ (unsigned char)*at) * 0x01000193u;
        if (n < sizeof rule->policy - 1) {
            rule->policy[n++] = (char)(apr_isalnum(*at) ? *at : '-');
        }
    }
    rule->policy[n] = '\0';
    if (strlen(rule->path + 1) > n || strcmp(rule->policy, "default") == 0) {
        apr_snprintf(rule->policy + 5, sizeof rule->policy - 5, "-%08x", hash);
    }
}

static bool read_path(mdl_quota_rule *rule, const char *text, apr_pool_t *pool)
{
    size_t len = strlen(text);
    const char *at;

    for (at = text; *at > ' ' && *at < 0x7F && *at != '"' && *at != '\\';
         at++) {
    }
    if (*text != '/' || *at != '\0' || len > MDL_QUOTA_PATH ||
        strstr(text, "//") != NULL) {
        return false;
    }
    len -= text[len - 1] == '/' ? 1 : 0;
    rule->path = apr_pstrmemdup(pool, text, len);
    name_policy(rule);
    return true;
}

static bool read_role(mdl_quota_rule *rule, const char *text)
{
    int i;

    for (i = 0; i < MDL_QUOTA_ROLES; i++) {
        if (strcmp(mdl_quota_role_name((mdl_quota_role)i), text) == 0) {
            rule->role = (mdl_quota_role)i;
            return true;
        }
    }
    return false;
}

/* Set *N to the number that TEXT begins with, at most MOST, and *END behind
 * it. */
static bool read_number(uint32_t *n, const char **end, const char *text,
                        int64_t most)
{
    size_t digits = strspn(text, "0123456789");
    int64_t value = digits > 0 && digits < 12 ? apr_atoi64(text) : -1;

    *end = text + digits;
    *n = (uint32_t)value;
    return value >= 0 && value <= most;
}

static bool read_calls(mdl_quota_rule *rule, const char *text)
{
    const char *end;

    return read_number(&rule->limits.calls, &end, text, MDL_WINDOW_MOST) &&
           strcmp(end, "/1h") == 0;
}

/* rows=N, or bytes=N with K, M or G. */
static bool read_option(mdl_quota_rule *rule, const char *text)
{
    static const char units[] = "KMG";
    uint32_t n;
    const char *end;
    const char *unit;
    int64_t kib;

    if (strncmp(text, "rows=", 5) == 0) {
        return read_number(&rule->limits.rows, &end, text + 5,
                           MDL_WINDOW_MOST) &&
               *end == '\0' && rule->limits.rows > 0;
    }
    if (strncmp(text, "bytes=", 6) != 0 ||
        !read_number(&n, &end, text + 6, MDL_WINDOW_MOST) || *end == '\0' ||
        end[1] != '\0') {
        return false;
    }
    unit = strchr(units, *end);
    if (unit == NULL) {
        return false;
    }
    kib = (int64_t)n << (10 * (unit - units));
    rule->limits.kib = (uint32_t)kib;
    return kib > 0 && kib <= MDL_WINDOW_MOST;
}

/* Fill RULE from the ARGC texts of ARGV; NULL, or what is wrong. */
static const char *read_rule(mdl_quota_rule *rule, int argc, char *const argv[],
                             apr_pool_t *pool)
{
    int i;

    if (argc < 3) {
        return "takes a path, a role and a limit such as 1000/1h";
    }
    if (!read_path(rule, argv[0], pool)) {
        return "the path must begin with / and have at most 200 visible ASCII "
               "characters";
    }
    if (!read_role(rule, argv[1])) {
        return "the role must be anonymous, user, auditor or admin";
    }
    if (!read_calls(rule, argv[2])) {
        return "the limit must be a whole number from 0 to 67108863 and /1h, "
               "such as 1000/1h";
    }
    for (i = 3; i < argc; i++) {
        if (!read_option(rule, argv[i])) {
            return "an option must be rows= and a whole number up to 67108863, "
                   "or bytes= and a size up to 63G with K, M or G";
        }
    }
    return NULL;
}

const char *mdl_quota_rule_add(apr_array_header_t **rules, cmd_parms *cmd,
                               int argc, char *const argv[])
{
    mdl_quota_rule rule = {.path = NULL};
    const char *wrong = read_rule(&rule, argc, argv, cmd->pool);

    if (wrong != NULL) {
        return apr_psprintf(cmd->pool, "%s: %s", cmd->cmd->name, wrong);
    }
    if (*rules == NULL) {
        *rules = apr_array_make(cmd->pool, 8, sizeof rule);
    }
    APR_ARRAY_PUSH(*rules, mdl_quota_rule) = rule;
    return NULL;
}

/* --- Merging and finding -------------------------------------------------- */

apr_array_header_t *mdl_quota_rules_merge(const apr_array_header_t *base,
                                          const apr_array_header_t *own,
                                          apr_pool_t *pool)
{
    apr_array_header_t *all = apr_array_make(pool, 8, sizeof(mdl_quota_rule));

    if (base != NULL) {
        apr_array_cat(all, base);
    }
    if (own != NULL) {
        apr_array_cat(all, own);
    }
    return all;
}

apr_array_header_t *mdl_quota_rules_finish(const apr_array_header_t *rules,
                                           apr_pool_t *pool)
{
    apr_array_header_t *all = apr_array_make(pool, 16, sizeof(mdl_quota_rule));
    size_t i;

    for (i = 0; i < sizeof defaults / sizeof defaults[0]; i++) {
        APR_ARRAY_PUSH(all, mdl_quota_rule) = defaults[i];
    }
    return mdl_quota_rules_merge(all, rules, pool);
}

/* Whether TEXT begins with the segments of PATH. */
static bool covers(const char *path, const char *text)
{
    size_t len = strlen(path);

    return strncmp(path, text, len) == 0 &&
           (text[len] == '/' || text[len] == '\0');
}

/* Whether the route TEMPLATE is one of contract 4 without /v1. */
static bool is_alias(const char *template)
{
    size_t i;

    for (i = 0; i < sizeof v1_aliases / sizeof v1_aliases[0]; i++) {
        if (covers(v1_aliases[i], template)) {
            return true;
        }
    }
    return false;
}

const mdl_quota_rule *mdl_quota_rule_find(const apr_array_header_t *rules,
                                          const char *template,
                                          mdl_quota_role role)
{
    const mdl_quota_rule *best = NULL;
    char full[MDL_QUOTA_PATH + 64];
    int i;

    apr_snprintf(full, sizeof full, "%s%s", is_alias(template) ? "/v1" : "",
                 template);
    for (i = 0; i < rules->nelts; i++) {
        const mdl_quota_rule *rule =
            &APR_ARRAY_IDX(rules, i, const mdl_quota_rule);

        if (rule->role == role && covers(rule->path, full) &&
            (best == NULL || strlen(rule->path) >= strlen(best->path))) {
            best = rule;
        }
    }
    return best;
}
