/* mdl_config.c - The table of directives, their checks, defaults and merge.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_config.h"

#include <stddef.h>
#include <string.h>

#include <http_core.h>

#include <apr_network_io.h>
#include <apr_strings.h>

#include "mdl_cors.h"
#include "mdl_events.h"
#include "mdl_header.h"
#include "mdl_module.h"
#include "mdl_quota_rule.h"

/* A number in words, its unit and its bounds: the data of one row. */
typedef struct number_rule {
    size_t offset;  /* of the int in mdl_config */
    int least;      /* smallest value, in base units */
    int most;       /* largest value, in base units */
    bool duration;  /* units s, min, h, d instead of none, K, M */
    const char *is; /* what would be right */
} number_rule;

static const number_rule rule_max_stale = {
    offsetof(mdl_config, max_stale_s), 1, 86400, true,
    "a time from 1 s to 1 d, such as 300s"};
static const number_rule rule_access_ttl = {
    offsetof(mdl_config, access_ttl_s), 60, 86400, true,
    "a time from 60 s to 1 d, such as 30min"};
static const number_rule rule_refresh_ttl = {
    offsetof(mdl_config, refresh_ttl_s), 60, 90 * 86400, true,
    "a time from 60 s to 90 d, such as 1d"};
static const number_rule rule_token_cache = {
    offsetof(mdl_config, token_cache), 1024, 1048576, false,
    "a whole number from 1024 to 1048576"};
static const number_rule rule_token_claims = {
    offsetof(mdl_config, token_claims), 64, 65536, false,
    "a whole number from 64 to 65536"};
static const number_rule rule_accounts = {
    offsetof(mdl_config, identity_accounts), 1024, 4194304, false,
    "a whole number from 1024 to 4194304"};
static const number_rule rule_connections = {
    offsetof(mdl_config, warehouse_connections), 1, 64, false,
    "a whole number from 1 to 64"};
static const number_rule rule_cache = {offsetof(mdl_config, cache_bytes), 65536,
                                       1073741824, false,
                                       "a size from 64K to 1024M, such as 16M"};
static const number_rule rule_quota_windows = {
    offsetof(mdl_config, quota_windows), 1024, 4194304, false,
    "a whole number from 1024 to 4194304"};
static const number_rule rule_read_limit = {
    offsetof(mdl_config, read_limit_s), 1, 300, true,
    "a time from 1 s to 300 s, such as 30s"};
static const number_rule rule_search_limit = {
    offsetof(mdl_config, search_limit_s), 0, 60, true,
    "a time from 0 s to 60 s, such as 10s"};
static const number_rule rule_search_threads = {
    offsetof(mdl_config, search_threads), 1, 16, false,
    "a whole number from 1 to 16"};

static const number_rule rule_stream_threads = {
    offsetof(mdl_config, stream_threads), 1, MDL_EVENTS_MOST, false,
    "a whole number from 1 to 1024"};

static const number_rule rule_audit_buffer = {
    offsetof(mdl_config, audit_buffer), 1048576, 1073741824, false,
    "a size from 1M to 1024M, such as 4M"};

mdl_config *mdl_config_get(const server_rec *server)
{
    return ap_get_module_config(server->module_config, &datalake_module);
}

/* --- Values --------------------------------------------------------------- */

/* The factor of the unit UNIT, 0 when there is none of that name. */
static apr_int64_t unit_factor(const char *unit, bool duration)
{
    static const struct {
        const char *name;
        bool duration;
        apr_int64_t factor;
    } units[] = {{"", true, 1},      {"s", true, 1},       {"min", true, 60},
                 {"h", true, 3600},  {"d", true, 86400},   {"", false, 1},
                 {"K", false, 1024}, {"M", false, 1048576}};
    size_t i;

    for (i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (units[i].duration == duration && strcmp(units[i].name, unit) == 0) {
            return units[i].factor;
        }
    }
    return 0;
}

/* Set the number RULE describes from TEXT; the sentence of a wrong one. */
static const char *set_number_by(cmd_parms *cmd, const number_rule *rule,
                                 const char *text)
{
    mdl_config *config = mdl_config_get(cmd->server);
    size_t digits = strspn(text, "0123456789");
    apr_int64_t factor = unit_factor(text + digits, rule->duration);
    apr_int64_t value = digits > 0 && digits < 12 ? apr_atoi64(text) : -1;

    if (factor == 0 || value < 0 || value > rule->most / factor ||
        value * factor < rule->least) {
        return apr_psprintf(cmd->pool, "%s %s: must be %s", cmd->cmd->name,
                            text, rule->is);
    }
    memcpy((char *)config + rule->offset, &(int){(int)(value * factor)},
           sizeof(int));
    return NULL;
}

static const char *set_number(cmd_parms *cmd, void *unused, const char *text)
{
    (void)unused;
    return set_number_by(cmd, cmd->info, text);
}

static const char *set_ttl(cmd_parms *cmd, void *unused, const char *access,
                           const char *refresh)
{
    const char *wrong = set_number_by(cmd, &rule_access_ttl, access);

    (void)unused;
    if (wrong != NULL || refresh == NULL) {
        return wrong;
    }
    return set_number_by(cmd, &rule_refresh_ttl, refresh);
}

static const char *set_engine(cmd_parms *cmd, void *unused, int on)
{
    (void)unused;
    mdl_config_get(cmd->server)->engine = on != 0;
    return NULL;
}

static const char *set_consent(cmd_parms *cmd, void *unused, const char *text)
{
    mdl_config *config = mdl_config_get(cmd->server);

    (void)unused;
    config->consent_policy = strcmp(text, "given") == 0;
    return config->consent_policy != 0 || strcmp(text, "withheld") == 0
               ? NULL
               : apr_psprintf(cmd->pool, "%s %s: must be given or withheld",
                              cmd->cmd->name, text);
}

/* Set the member at offset cmd->info to the path TEXT, from ServerRoot when
 * it does not begin with a slash. */
static const char *set_path(cmd_parms *cmd, void *unused, const char *text)
{
    char *config = (char *)mdl_config_get(cmd->server);
    const char *path = ap_server_root_relative(cmd->pool, text);

    (void)unused;
    if (path == NULL || *text == '\0') {
        return apr_psprintf(cmd->pool, "%s \"%s\": must be the path of a file",
                            cmd->cmd->name, text);
    }
    memcpy(config + (size_t)cmd->info, &path, sizeof path);
    return NULL;
}

/* The same, or to "" for the word none. */
static const char *set_path_or_none(cmd_parms *cmd, void *unused,
                                    const char *text)
{
    static const char none[] = "";
    const char *path = none;

    if (strcmp(text, "none") != 0) {
        return set_path(cmd, unused, text);
    }
    memcpy((char *)mdl_config_get(cmd->server) + (size_t)cmd->info, &path,
           sizeof path);
    return NULL;
}

/* Set the member at offset cmd->info to the name TEXT. */
static const char *set_name(cmd_parms *cmd, void *unused, const char *text)
{
    char *config = (char *)mdl_config_get(cmd->server);
    const char *at;

    (void)unused;
    for (at = text; *at > ' ' && *at < 0x7F; at++) {
    }
    if (*at != '\0' || at == text || at - text > 255) {
        return apr_psprintf(cmd->pool,
                            "%s \"%s\": must be 1 to 255 visible ASCII "
                            "characters",
                            cmd->cmd->name, text);
    }
    memcpy(config + (size_t)cmd->info, &text, sizeof text);
    return NULL;
}

/* Add one block of addresses to N_METRICS_ALLOW; FALSE when TEXT is none. */
static bool add_network(mdl_config *config, const char *text, apr_pool_t *pool)
{
    char *address = apr_pstrdup(pool, text);
    char *mask = strchr(address, '/');
    apr_ipsubnet_t **place = &config->metrics_allow[config->n_metrics_allow];

    if (mask != NULL) {
        *mask++ = '\0';
    }
    if (strpbrk(address, ".:") == NULL ||
        apr_ipsubnet_create(place, address, mask, pool) != APR_SUCCESS) {
        return false;
    }
    config->n_metrics_allow++;
    return true;
}

static void add_loopback(mdl_config *config, apr_pool_t *pool)
{
    (void)add_network(config, "127.0.0.0/8", pool);
    (void)add_network(config, "::1", pool);
}

static const char *add_metrics_allow(cmd_parms *cmd, void *unused,
                                     const char *text)
{
    mdl_config *config = mdl_config_get(cmd->server);

    (void)unused;
    if (config->n_metrics_allow == MDL_UNSET) {
        config->n_metrics_allow = 0;
    }
    if (strcmp(text, "none") == 0) {
        return NULL;
    }
    if (config->n_metrics_allow > MDL_CONFIG_NETWORKS - 2) {
        return apr_psprintf(cmd->pool, "%s: must be at most %d addresses",
                            cmd->cmd->name, MDL_CONFIG_NETWORKS - 2);
    }
    if (strcmp(text, "loopback") == 0) {
        add_loopback(config, cmd->pool);
        return NULL;
    }
    if (!add_network(config, text, cmd->pool)) {
        return apr_psprintf(cmd->pool,
                            "%s %s: must be loopback, none, an address, or an "
                            "address with a prefix length such as 10.0.0.0/8",
                            cmd->cmd->name, text);
    }
    return NULL;
}

static const char *add_cors_origin(cmd_parms *cmd, void *unused,
                                   const char *text)
{
    mdl_config *config = mdl_config_get(cmd->server);

    (void)unused;
    if (config->cors_origins == NULL) {
        config->cors_origins =
            apr_array_make(cmd->pool, 4, sizeof(const char *));
    }
    if (strcmp(text, "none") == 0) {
        return NULL;
    }
    if (!mdl_header_is_origin(text) ||
        config->cors_origins->nelts == MDL_CORS_ORIGINS) {
        return apr_psprintf(cmd->pool,
                            "%s %s: must be none, or up to %d origins as "
                            "browsers write them, such as "
                            "https://app.example.org or http://localhost:3000",
                            cmd->cmd->name, text, MDL_CORS_ORIGINS);
    }
    APR_ARRAY_PUSH(config->cors_origins, const char *) = text;
    return NULL;
}

static const char *add_quota(cmd_parms *cmd, void *unused, int argc,
                             char *const argv[])
{
    (void)unused;
    return mdl_quota_rule_add(&mdl_config_get(cmd->server)->quota_rules, cmd,
                              argc, argv);
}

/* Return room for the grants of CONFIG, which has none yet. */
static void make_grants(mdl_config *config, apr_pool_t *pool)
{
    config->default_grants =
        apr_pcalloc(pool, sizeof *config->default_grants * MDL_CONFIG_GRANTS);
    config->n_default_grants = 0;
}

/* Add the grant TEXT, a resource with or without "=" and a level; false when
 * it is none. */
static bool add_grant(mdl_config *config, const char *text, apr_pool_t *pool)
{
    mdl_default_grant *grant =
        &config->default_grants[config->n_default_grants];
    const char *mark = strchr(text, '=');
    size_t len = mark != NULL ? (size_t)(mark - text) : strlen(text);
    dl_resource resource;

    grant->level = DL_LEVEL_READ;
    if (dl_resource_parse(&resource, text, len, NULL) != DL_OK ||
        (mark != NULL &&
         !dl_level_parse(&grant->level, mark + 1, strlen(mark + 1)))) {
        return false;
    }
    grant->resource = apr_pstrmemdup(pool, text, len);
    config->n_default_grants++;
    return true;
}

static const char *add_default_grant(cmd_parms *cmd, void *unused,
                                     const char *text)
{
    mdl_config *config = mdl_config_get(cmd->server);

    (void)unused;
    if (config->n_default_grants == MDL_UNSET) {
        make_grants(config, cmd->pool);
    }
    if (strcmp(text, "none") == 0) {
        return NULL;
    }
    if (config->n_default_grants == MDL_CONFIG_GRANTS) {
        return apr_psprintf(cmd->pool, "%s: must be at most %d grants",
                            cmd->cmd->name, MDL_CONFIG_GRANTS);
    }
    if (!add_grant(config, text, cmd->pool)) {
        return apr_psprintf(cmd->pool,
                            "%s %s: must be none, or a resource such as "
                            "rawticker or raw*, alone or with =read, =write "
                            "or =admin",
                            cmd->cmd->name, text);
    }
    return NULL;
}

static const char *set_market_open(cmd_parms *cmd, void *unused, int on)
{
    (void)unused;
    mdl_config_get(cmd->server)->market_open = on != 0;
    return NULL;
}

/* --- The table ------------------------------------------------------------ */

/* The offset of MEMBER as the data of a row. */
#define MEMBER(member) ((void *)offsetof(mdl_config, member))

/* The rule as the data of a row; httpd hands it back unchanged. */
#define RULE(rule) ((void *)(uintptr_t) & (rule))

/* clang-format off */
const command_rec mdl_directives[] = {
    AP_INIT_FLAG("DataLakeEngine", set_engine, NULL, RSRC_CONF,
        "On to serve the data lake's routes in this server, Off not to"),
    AP_INIT_TAKE1("DataLakeConfig", set_path, MEMBER(file), RSRC_CONF,
        "Path of datalake.ini"),
    AP_INIT_TAKE1("DataLakeTokenKeyFile", set_path, MEMBER(token_key_file),
        RSRC_CONF, "Path of the file with the keys that sign tokens"),
    AP_INIT_TAKE1("DataLakeJWKSFile", set_path_or_none, MEMBER(jwks_file),
        RSRC_CONF, "Path of a JWK Set with public keys whose tokens are accepted, too"),
    AP_INIT_TAKE1("DataLakeTokenCache", set_number, RULE(rule_token_cache),
        RSRC_CONF, "How many checked signatures the server remembers"),
    AP_INIT_TAKE1("DataLakeTokenClaims", set_number, RULE(rule_token_claims),
        RSRC_CONF, "How many verified tokens each child remembers"),
    AP_INIT_TAKE1("DataLakeWebDir", set_path, MEMBER(web_dir), RSRC_CONF,
        "Folder of the pages that show the API"),
    AP_INIT_TAKE1("DataLakeIssuer", set_name, MEMBER(issuer), RSRC_CONF,
        "Claim iss of the tokens that are accepted"),
    AP_INIT_TAKE1("DataLakeAudience", set_name, MEMBER(audience), RSRC_CONF,
        "Claim aud of the tokens that are accepted"),
    AP_INIT_TAKE12("DataLakeTokenTTL", set_ttl, NULL, RSRC_CONF,
        "Life of an access token, and of a refresh token"),
    AP_INIT_TAKE1("DataLakeIdentityMaxStale", set_number,
        RULE(rule_max_stale), RSRC_CONF,
        "How long known accounts go on while the warehouse is away"),
    AP_INIT_TAKE1("DataLakeIdentityAccounts", set_number,
        RULE(rule_accounts), RSRC_CONF,
        "How many accounts the server keeps in shared memory"),
    AP_INIT_TAKE1("DataLakeConsentPolicy", set_consent, NULL, RSRC_CONF,
        "Consent of those who register without a word on it: given, withheld"),
    AP_INIT_TAKE1("DataLakeWarehouseConnections", set_number,
        RULE(rule_connections), RSRC_CONF,
        "How many warehouse connections one child may have"),
    AP_INIT_TAKE1("DataLakeAnswerCache", set_number, RULE(rule_cache),
        RSRC_CONF, "Bytes of answers that one child keeps"),
    AP_INIT_TAKE1("DataLakeReadLimit", set_number, RULE(rule_read_limit),
        RSRC_CONF, "How long one request may take"),
    AP_INIT_TAKE1("DataLakeSearchLimit", set_number, RULE(rule_search_limit),
        RSRC_CONF, "How long a search looks before it answers what it has"),
    AP_INIT_TAKE1("DataLakeSearchThreads", set_number,
        RULE(rule_search_threads), RSRC_CONF,
        "How many threads of a child work on one search"),
    AP_INIT_TAKE1("DataLakeStreamThreads", set_number,
        RULE(rule_stream_threads), RSRC_CONF,
        "How many streams of events the server has at once"),
    AP_INIT_TAKE1("DataLakeAuditDir", set_path, MEMBER(audit_dir), RSRC_CONF,
        "Folder of the audit log's files"),
    AP_INIT_TAKE1("DataLakeAuditKeyFile", set_path, MEMBER(audit_key_file),
        RSRC_CONF, "Path of the file with the key that signs the audit log"),
    AP_INIT_TAKE1("DataLakeAuditBuffer", set_number, RULE(rule_audit_buffer),
        RSRC_CONF, "Bytes of audit lines of reads that one child keeps"),
    AP_INIT_ITERATE("DataLakeCORSOrigins", add_cors_origin, NULL, RSRC_CONF,
        "Origins whose pages may read answers"),
    AP_INIT_TAKE_ARGV("DataLakeQuota", add_quota, NULL, RSRC_CONF,
        "Path, role and calls per hour, then rows= and bytes= per hour"),
    AP_INIT_TAKE1("DataLakeQuotaWindows", set_number,
        RULE(rule_quota_windows), RSRC_CONF,
        "How many callers the server counts in shared memory"),
    AP_INIT_ITERATE("DataLakeDefaultGrants", add_default_grant, NULL, RSRC_CONF,
        "What every account that registers may do"),
    AP_INIT_FLAG("DataLakeMarketDataAnonymous", set_market_open, NULL,
        RSRC_CONF, "Off to ask for a grant to read market data"),
    AP_INIT_ITERATE("DataLakeMetricsAllow", add_metrics_allow, NULL, RSRC_CONF,
        "Addresses that read /metrics without a token"),
    {.name = NULL}};
/* clang-format on */

/* --- Create, merge, finish ------------------------------------------------ */

void *mdl_config_create(apr_pool_t *pool, server_rec *server)
{
    mdl_config *config = apr_pcalloc(pool, sizeof *config);

    (void)server;
    config->engine = MDL_UNSET;
    config->access_ttl_s = MDL_UNSET;
    config->refresh_ttl_s = MDL_UNSET;
    config->token_cache = MDL_UNSET;
    config->token_claims = MDL_UNSET;
    config->max_stale_s = MDL_UNSET;
    config->identity_accounts = MDL_UNSET;
    config->warehouse_connections = MDL_UNSET;
    config->cache_bytes = MDL_UNSET;
    config->consent_policy = MDL_UNSET;
    config->read_limit_s = MDL_UNSET;
    config->search_limit_s = MDL_UNSET;
    config->search_threads = MDL_UNSET;
    config->stream_threads = MDL_UNSET;
    config->audit_buffer = MDL_UNSET;
    config->quota_windows = MDL_UNSET;
    config->n_metrics_allow = MDL_UNSET;
    config->n_default_grants = MDL_UNSET;
    config->market_open = MDL_UNSET;
    return config;
}

static void take_text(const char **value, const char *base)
{
    if (*value == NULL) {
        *value = base;
    }
}

static void take_number(int *value, int base)
{
    if (*value == MDL_UNSET) {
        *value = base;
    }
}

void *mdl_config_merge(apr_pool_t *pool, void *base_config, void *vhost_config)
{
    const mdl_config *base = base_config;
    mdl_config *config = apr_pmemdup(pool, vhost_config, sizeof *config);

    take_number(&config->engine, base->engine);
    take_text(&config->file, base->file);
    take_text(&config->token_key_file, base->token_key_file);
    take_text(&config->jwks_file, base->jwks_file);
    take_number(&config->token_cache, base->token_cache);
    take_number(&config->token_claims, base->token_claims);
    take_text(&config->web_dir, base->web_dir);
    take_text(&config->issuer, base->issuer);
    take_text(&config->audience, base->audience);
    take_number(&config->access_ttl_s, base->access_ttl_s);
    take_number(&config->refresh_ttl_s, base->refresh_ttl_s);
    take_number(&config->max_stale_s, base->max_stale_s);
    take_number(&config->identity_accounts, base->identity_accounts);
    take_number(&config->warehouse_connections, base->warehouse_connections);
    take_number(&config->cache_bytes, base->cache_bytes);
    take_number(&config->consent_policy, base->consent_policy);
    take_number(&config->read_limit_s, base->read_limit_s);
    take_number(&config->search_limit_s, base->search_limit_s);
    take_number(&config->search_threads, base->search_threads);
    take_number(&config->stream_threads, base->stream_threads);
    take_text(&config->audit_dir, base->audit_dir);
    take_text(&config->audit_key_file, base->audit_key_file);
    take_number(&config->audit_buffer, base->audit_buffer);
    take_number(&config->quota_windows, base->quota_windows);
    if (config->cors_origins == NULL) {
        config->cors_origins = base->cors_origins;
    }
    config->quota_rules =
        mdl_quota_rules_merge(base->quota_rules, config->quota_rules, pool);
    take_number(&config->market_open, base->market_open);
    if (config->n_default_grants == MDL_UNSET) {
        config->n_default_grants = base->n_default_grants;
        config->default_grants = base->default_grants;
    }
    if (config->n_metrics_allow == MDL_UNSET) {
        config->n_metrics_allow = base->n_metrics_allow;
        memcpy(config->metrics_allow, base->metrics_allow,
               sizeof config->metrics_allow);
    }
    return config;
}

/* Put the grants into CONFIG that new accounts get where nobody says so. */
static void add_usual_grants(mdl_config *config, apr_pool_t *pool)
{
    static const char *const usual[] = {"rawticker", "rawtrade",  "rawarticle",
                                        "rawalert",  "sentiment", "prediction",
                                        "piezo_raw", "meteo_raw"};
    size_t i;

    make_grants(config, pool);
    for (i = 0; i < sizeof usual / sizeof usual[0]; i++) {
        (void)add_grant(config, usual[i], pool);
    }
}

void mdl_config_finish(mdl_config *config, apr_pool_t *pool)
{
    take_number(&config->market_open, 1);
    if (config->n_default_grants == MDL_UNSET) {
        add_usual_grants(config, pool);
    }
    take_number(&config->engine, 1);
    take_text(&config->file, "/etc/datalake/datalake.ini");
    take_text(&config->token_key_file, "/etc/datalake/token.key");
    take_text(&config->jwks_file, "");
    take_text(&config->web_dir, "/usr/share/datalake/www");
    take_text(&config->issuer, "datalake");
    take_text(&config->audience, "datalake");
    take_number(&config->access_ttl_s, 1800);
    take_number(&config->refresh_ttl_s, 86400);
    take_number(&config->token_cache, 16384);
    take_number(&config->token_claims, 1024);
    take_number(&config->max_stale_s, 300);
    take_number(&config->identity_accounts, 65536);
    take_number(&config->warehouse_connections, 8);
    take_number(&config->cache_bytes, 16777216);
    take_number(&config->consent_policy, 1);
    take_number(&config->read_limit_s, 30);
    take_number(&config->search_limit_s, 10);
    take_number(&config->search_threads, 2);
    take_number(&config->stream_threads, 64);
    take_text(&config->audit_dir, "/var/lib/datalake/audit");
    take_text(&config->audit_key_file, "/etc/datalake/audit.key");
    take_number(&config->audit_buffer, 4194304);
    take_number(&config->quota_windows, 65536);
    config->quota_rules = mdl_quota_rules_finish(config->quota_rules, pool);
    if (config->n_metrics_allow == MDL_UNSET) {
        config->n_metrics_allow = 0;
        add_loopback(config, pool);
    }
}
