/* mdl_site.c - Making a server's site at start and opening it in a child.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_site.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <httpd.h>

#include <http_config.h>

#include <apr_strings.h>

#include "dl_audit.h"
#include "dl_config.h"
#include "dl_dataset.h"
#include "dl_jws.h"
#include "dl_jws_cache.h"
#include "dl_log.h"
#include "dl_secret.h"
#include "dl_token_cache.h"
#include "dl_wh.h"
#include "mdl_audit_log.h"
#include "mdl_mirror.h"
#include "mdl_openapi.h"
#include "mdl_quota.h"
#include "mdl_quota_keeper.h"
#include "mdl_shm.h"
#include "mdl_watcher.h"
#include "mdl_web.h"

/* What the cursor key is derived for. */
#define CURSOR_PURPOSE "datalake cursor key, version 1"

mdl_site *mdl_site_get(const server_rec *server)
{
    return mdl_config_get(server)->site;
}

/* Cursors are signed with a key of their own, which lasts as long as the one
 * that signs tokens. */
static dl_status derive_cursor_key(mdl_site *site, dl_error *err)
{
    unsigned char secret[32];

    DL_TRY(dl_keyset_derive(secret, site->keys, CURSOR_PURPOSE, err));
    mdl_cursor_key_derive(&site->cursor_key, secret, sizeof secret);
    dl_secret_wipe(secret, sizeof secret);
    return DL_OK;
}

static dl_status load_keys(mdl_site *site, dl_error *err, apr_pool_t *pool)
{
    const mdl_config *config = site->config;

    if (dl_keyset_load(&site->keys, config->token_key_file, err, pool) !=
        DL_OK) {
        return dl_wrap(err, "DataLakeTokenKeyFile");
    }
    if (config->jwks_file[0] != '\0' &&
        dl_keyset_add_jwks(site->keys, config->jwks_file, err, pool) != DL_OK) {
        return dl_wrap(err, "DataLakeJWKSFile");
    }
    site->rules.issuer = config->issuer;
    site->rules.audience = config->audience;
    DL_TRY(dl_keyset_publish(&site->jwks, site->keys, err, pool));
    return derive_cursor_key(site, err);
}

/* Without its folder a server would refuse every change: say so at start. */
static dl_status check_audit_dir(const char *path, dl_error *err)
{
    struct stat info;

    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)) {
        return dl_fail(err, DL_NOT_FOUND, 0,
                       "DataLakeAuditDir %s is no folder: make it, writable "
                       "for httpd's user",
                       path);
    }
    return DL_OK;
}

dl_status mdl_site_create(mdl_site **site, server_rec *server, dl_error *err,
                          apr_pool_t *pool)
{
    mdl_site *made = apr_pcalloc(pool, sizeof *made);
    dl_config *ini;
    dl_dataset_set *datasets;
    mdl_openapi *openapi;

    *site = NULL;
    made->config = mdl_config_get(server);
    made->lake_fd = -1;
    made->run_fd = -1;
    made->audit_fd = -1;
    if (made->config->engine != 1) {
        return DL_OK;
    }
    if (dl_config_load(&ini, made->config->file, err, pool) != DL_OK) {
        return dl_wrap(err, "DataLakeConfig");
    }
    made->ini = ini;
    if (dl_dataset_load_all(&datasets, ini, err, pool) != DL_OK) {
        return dl_wrap(err, "DataLakeConfig");
    }
    made->datasets = datasets;
    DL_TRY(load_keys(made, err, pool));
    if (dl_audit_key_load(&made->audit_key, made->config->audit_key_file, err,
                          pool) != DL_OK) {
        return dl_wrap(err, "DataLakeAuditKeyFile");
    }
    DL_TRY(check_audit_dir(made->config->audit_dir, err));
    if (dl_wh_target_load(&made->wh_target, ini, DL_WH_API, err, pool) !=
        DL_OK) {
        return dl_wrap(err, "DataLakeConfig");
    }
    DL_TRY(mdl_openapi_make(&openapi, made->datasets, err, pool));
    made->openapi = openapi;
    made->web = mdl_web_load(made->config->web_dir, pool);
    *site = made;
    return DL_OK;
}

/* --- Before the fork ------------------------------------------------------ */

static apr_status_t close_fd(void *context)
{
    close(*(int *)context);
    return APR_SUCCESS;
}

/* Open the folder PATH into *FD, closed with POOL; -1 when that fails, which
 * is logged and answered later as 503. */
static void open_folder(int *fd, const char *path, apr_pool_t *pool)
{
    *fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd < 0) {
        dl_log(DL_LOG_WARNING, "DL1002 %s cannot be opened by the server",
               path);
        return;
    }
    apr_pool_cleanup_register(pool, fd, close_fd, apr_pool_cleanup_null);
}

/* What WHAT is called in shared memory: servers with one warehouse share it. */
static const char *shared_name(const mdl_site *site, const char *what,
                               apr_pool_t *pool)
{
    const dl_config_warehouse *wh = &site->ini->warehouse;

    return apr_psprintf(pool, "%s %s:%d %s %s", what, wh->host, (int)wh->port,
                        wh->socket, wh->database);
}

/* Give the keys of SITE the memory in which they remember right signatures;
 * secrets need none. */
static dl_status open_token_cache(mdl_site *site, const server_rec *server,
                                  dl_error *err, apr_pool_t *pool)
{
    int tokens = site->config->token_cache;
    dl_jws_cache *cache;
    void *memory;

    if (site->jwks == NULL) {
        return DL_OK;
    }
    DL_TRY(mdl_shm_open(&memory, "right signatures", dl_jws_cache_size(tokens),
                        server, err));
    DL_TRY(dl_jws_cache_attach(&cache, memory, tokens, err, pool));
    dl_keyset_remember(site->keys, cache);
    return DL_OK;
}

dl_status mdl_site_prepare(mdl_site *site, const server_rec *server,
                           dl_error *err, apr_pool_t *pool)
{
    open_folder(&site->lake_fd, site->ini->lake.path, pool);
    open_folder(&site->run_fd, site->ini->run.dir, pool);
    DL_TRY(open_token_cache(site, server, err, pool));
    open_folder(&site->audit_fd, site->config->audit_dir, pool);
    DL_TRY(mdl_mirror_open(&site->mirror, shared_name(site, "mirror", pool),
                           site->config->identity_accounts, server, err, pool));
    return mdl_quota_open(&site->quota, shared_name(site, "quota", pool),
                          server, err, pool);
}

/* --- In the child --------------------------------------------------------- */

static dl_status open_audit(mdl_site *site, dl_error *err,
                            apr_pool_t *child_pool)
{
    const mdl_audit_log_options options = {
        .dir_fd = site->audit_fd,
        .key = site->audit_key,
        .buffer = (size_t)site->config->audit_buffer,
        .kept_days = site->ini->retention.audit};

    return mdl_audit_log_open(&site->audit, &options, err, child_pool);
}

dl_status mdl_site_open_tokens(mdl_site *site, dl_error *err,
                               apr_pool_t *child_pool)
{
    return dl_token_cache_create(&site->tokens, site->keys, &site->rules,
                                 site->config->token_claims, err, child_pool);
}

dl_status mdl_site_open(mdl_site *site, dl_error *err, apr_pool_t *child_pool)
{
    DL_TRY(mdl_wh_pool_open(&site->wh, site->wh_target,
                            site->config->warehouse_connections, err,
                            child_pool));
    site->cache =
        mdl_cache_create((size_t)site->config->cache_bytes, child_pool);
    site->commit = mdl_commit_create(site->run_fd, child_pool);
    site->lake = mdl_lake_create(site->lake_fd, child_pool);
    site->models = mdl_models_create(site->lake_fd, child_pool);
    DL_TRY(mdl_lake_keep_tidy(site->lake, err, child_pool));
    DL_TRY(mdl_kafka_open(&site->kafka, site->ini, err, child_pool));
    DL_TRY(open_audit(site, err, child_pool));
    DL_TRY(mdl_watcher_start(site->mirror, site->wh, err, child_pool));
    DL_TRY(mdl_quota_keeper_start(site->quota, site->wh, err, child_pool));
    site->open = true;
    return DL_OK;
}

void mdl_site_share(mdl_site *site, const mdl_site *other)
{
    site->wh = other->wh;
    site->cache = other->cache;
    site->commit = other->commit;
    site->lake = other->lake;
    site->kafka = other->kafka;
    site->models = other->models;
    site->audit = other->audit;
    site->open = true;
}
