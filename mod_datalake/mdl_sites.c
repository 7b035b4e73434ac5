/* mdl_sites.c - Reading all sites, keeping the last good ones.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_sites.h"

#include <string.h>

#include <httpd.h>

#include <http_config.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "dl_log.h"
#include "mdl_config.h"
#include "mdl_quota_keeper.h"
#include "mdl_site.h"

/* The name under which httpd keeps the struct. */
#define KEPT "datalake sites"

/* The sites read last. */
typedef struct kept_sites {
    apr_pool_t *pool;  /* they live here; NULL: none yet */
    apr_hash_t *sites; /* by what they were read from, in pool */
} kept_sites;

/* What a site was read from: equal settings can share an old site. */
static const char *source_of(const mdl_config *config, apr_pool_t *pool)
{
    return apr_pstrcat(pool, config->file, "\n", config->token_key_file, "\n",
                       config->jwks_file, "\n", config->issuer, "\n",
                       config->audience, "\n", config->audit_dir, "\n",
                       config->audit_key_file, "\n", config->web_dir, NULL);
}

/* Whether the settings of any server mention the data lake. */
static bool is_mentioned(const server_rec *main_server)
{
    const server_rec *server;

    for (server = main_server; server != NULL; server = server->next) {
        const mdl_config *config = mdl_config_get(server);

        if (config->engine != MDL_UNSET || config->file != NULL) {
            return true;
        }
    }
    return false;
}

/* Put the defaults in.  When some server mentions the data lake, those that
 * do not (the main server around a virtual host, say) have none. */
static void finish_configs(server_rec *main_server, apr_pool_t *pconf)
{
    bool mentioned = is_mentioned(main_server);
    server_rec *server;

    for (server = main_server; server != NULL; server = server->next) {
        mdl_config *config = mdl_config_get(server);

        if (mentioned && config->engine == MDL_UNSET && config->file == NULL) {
            config->engine = 0;
        }
        mdl_config_finish(config, pconf);
    }
}

/* Read the sites of all servers into FRESH. */
static dl_status read_sites(kept_sites *fresh, server_rec *main_server,
                            dl_error *err)
{
    server_rec *server;

    fresh->sites = apr_hash_make(fresh->pool);
    for (server = main_server; server != NULL; server = server->next) {
        mdl_config *config = mdl_config_get(server);

        DL_TRY(mdl_site_create(&config->site, server, err, fresh->pool));
        if (config->site != NULL) {
            apr_hash_set(fresh->sites, source_of(config, fresh->pool),
                         APR_HASH_KEY_STRING, config->site);
        }
    }
    return DL_OK;
}

/* A copy of the site of KEPT that was read from the same as CONFIG's, or
 * NULL. */
static mdl_site *copy_site(const kept_sites *kept, mdl_config *config)
{
    const mdl_site *old = apr_hash_get(
        kept->sites, source_of(config, kept->pool), APR_HASH_KEY_STRING);
    mdl_site *site;

    if (old == NULL) {
        return NULL;
    }
    site = apr_pmemdup(kept->pool, old, sizeof *site);
    site->config = config;
    site->rules.issuer = config->issuer;
    site->rules.audience = config->audience;
    return site;
}

/* Give every server the site it had; false when one had none. */
static bool reuse_sites(const kept_sites *kept, server_rec *main_server)
{
    server_rec *server;

    for (server = main_server; server != NULL; server = server->next) {
        mdl_config *config = mdl_config_get(server);

        config->site = NULL;
        if (config->engine == 1) {
            config->site = copy_site(kept, config);
            if (config->site == NULL) {
                return false;
            }
        }
    }
    return true;
}

dl_status mdl_sites_load(server_rec *main_server, apr_pool_t *pconf,
                         dl_error *err)
{
    kept_sites *kept = ap_retained_data_get(KEPT);
    kept_sites fresh;

    finish_configs(main_server, pconf);
    if (kept == NULL) {
        kept = ap_retained_data_create(KEPT, sizeof *kept);
    }
    apr_pool_create(&fresh.pool, main_server->process->pool);
    if (read_sites(&fresh, main_server, err) == DL_OK) {
        if (kept->pool != NULL) {
            apr_pool_destroy(kept->pool);
        }
        *kept = fresh;
        return DL_OK;
    }
    apr_pool_destroy(fresh.pool);
    if (kept->pool == NULL || !reuse_sites(kept, main_server)) {
        return err->status;
    }
    dl_log(DL_LOG_ERROR, "DL1004 the former settings go on: %s", err->text);
    return DL_OK;
}

/* --- In the child --------------------------------------------------------- */

/* The site of a server before SERVER that reads the same datalake.ini, has the
 * same audit log and is open, or NULL. */
static const mdl_site *find_open(server_rec *main_server,
                                 const server_rec *server)
{
    const mdl_site *wanted = mdl_site_get(server);
    const server_rec *other;

    for (other = main_server; other != server; other = other->next) {
        const mdl_site *site = mdl_site_get(other);

        if (site != NULL && site->open &&
            strcmp(site->config->file, wanted->config->file) == 0 &&
            strcmp(site->config->audit_dir, wanted->config->audit_dir) == 0) {
            return site;
        }
    }
    return NULL;
}

void mdl_sites_open(server_rec *main_server, apr_pool_t *child_pool)
{
    server_rec *server;
    dl_error err;

    for (server = main_server; server != NULL; server = server->next) {
        mdl_site *site = mdl_site_get(server);
        const mdl_site *shared;

        if (site == NULL) {
            continue;
        }
        shared = find_open(main_server, server);
        if (mdl_site_open_tokens(site, &err, child_pool) != DL_OK) {
            dl_log(DL_LOG_ERROR, "DL1260 a child cannot serve: %s", err.text);
        }
        else if (shared != NULL) {
            mdl_site_share(site, shared);
            if (mdl_quota_keeper_start(site->quota, site->wh, &err,
                                       child_pool) != DL_OK) {
                dl_log(DL_LOG_ERROR,
                       "DL1133 a child keeps no quota windows: %s", err.text);
            }
        }
        else if (mdl_site_open(site, &err, child_pool) != DL_OK) {
            dl_log(DL_LOG_ERROR, "DL1003 a child cannot serve: %s", err.text);
        }
    }
}
