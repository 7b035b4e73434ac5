/* mdl_config.h - The directives of httpd's configuration.
 *
 * One row of mdl_directives is one directive; conf/datalake.conf holds each
 * of them once with its default and meaning, and a test compares both.  All
 * belong to a server or virtual host; a virtual host takes what it does not
 * set from the main server.  What daemons need too stands in datalake.ini.
 *
 * Thread: changed while httpd reads its configuration, constant afterwards.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_CONFIG_H
#define MDL_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include <httpd.h>

#include <http_config.h>

#include <apr_tables.h>

#include "dl_grant.h"

struct mdl_site;

/* A value that no directive has set yet. */
#define MDL_UNSET (-1)

/* The most address blocks of DataLakeMetricsAllow. */
#define MDL_CONFIG_NETWORKS 32

/* The most grants of DataLakeDefaultGrants. */
#define MDL_CONFIG_GRANTS 64

/* A grant that every new account gets. */
typedef struct mdl_default_grant {
    const char *resource; /* in the grammar of dl_grant.h */
    dl_level level;       /* how much */
} mdl_default_grant;

/* Settings of one server.  Before mdl_config_merge a pointer may be NULL and
 * a number MDL_UNSET; mdl_config_finish puts the defaults in. */
typedef struct mdl_config {
    int engine;                 /* DataLakeEngine: 1 serves the routes */
    const char *file;           /* DataLakeConfig: path of datalake.ini */
    const char *token_key_file; /* DataLakeTokenKeyFile */
    const char *jwks_file;      /* DataLakeJWKSFile; "": none */
    const char *web_dir;        /* DataLakeWebDir: folder of the pages */
    const char *issuer;         /* DataLakeIssuer */
    const char *audience;       /* DataLakeAudience */
    int access_ttl_s;           /* DataLakeTokenTTL, first value */
    int refresh_ttl_s;          /* DataLakeTokenTTL, second value */
    int token_cache;            /* DataLakeTokenCache: places */
    int token_claims;           /* DataLakeTokenClaims: places, per child */
    int max_stale_s;            /* DataLakeIdentityMaxStale */
    int identity_accounts;      /* DataLakeIdentityAccounts: mirror's places */
    int warehouse_connections;  /* DataLakeWarehouseConnections, per child */
    int cache_bytes;            /* DataLakeAnswerCache, per child */
    int consent_policy;         /* DataLakeConsentPolicy: 1 given, 0 not */
    int read_limit_s;           /* DataLakeReadLimit: deadline of a request */
    int search_limit_s;         /* DataLakeSearchLimit: time of a search */
    int search_threads;         /* DataLakeSearchThreads: of one search */
    int stream_threads;         /* DataLakeStreamThreads: of the server */
    const char *audit_dir;      /* DataLakeAuditDir: folder of the log */
    const char *audit_key_file; /* DataLakeAuditKeyFile: signs its chains */
    int audit_buffer;           /* DataLakeAuditBuffer, bytes per child */
    int market_open;            /* DataLakeMarketDataAnonymous: 1 lets anybody
                                   read market data */
    int n_default_grants;       /* DataLakeDefaultGrants: entries; MDL_UNSET */
    struct mdl_default_grant *default_grants; /* the entries, room for
                                                 MDL_CONFIG_GRANTS */
    int n_metrics_allow; /* DataLakeMetricsAllow: entries; MDL_UNSET */
    struct apr_ipsubnet_t *metrics_allow[MDL_CONFIG_NETWORKS]; /* the entries */
    apr_array_header_t *cors_origins; /* DataLakeCORSOrigins: of const char *;
                                         NULL: not set, none */
    apr_array_header_t *quota_rules;  /* DataLakeQuota: of mdl_quota_rule;
                                        before the defaults are put in NULL:
                                        none */
    int quota_windows;     /* DataLakeQuotaWindows: places of a table */
    struct mdl_site *site; /* made of them at start; NULL: engine off */
} mdl_config;

/* The directives, for the module record. */
extern const command_rec mdl_directives[];

/* Return unset settings for SERVER, in POOL.  The module record's
 * create_server_config. */
void *mdl_config_create(apr_pool_t *pool, server_rec *server);

/* Return what VHOST sets over what BASE sets, in POOL.  The module record's
 * merge_server_config. */
void *mdl_config_merge(apr_pool_t *pool, void *base, void *vhost);

/* Replace everything unset in CONFIG by its default.  Thread: start only. */
void mdl_config_finish(mdl_config *config, apr_pool_t *pool);

/* Return the settings of SERVER.  Thread: any. */
mdl_config *mdl_config_get(const server_rec *server);

#endif
