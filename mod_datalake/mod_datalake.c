/* mod_datalake.c - The module record: hooks, start of the server, start and
 * stop of a child.  Nothing else.
 *
 * What a request meets and why there: mod_datalake/README.md.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <httpd.h>

#include <ap_mpm.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>

#include "mdl_config.h"
#include "mdl_day.h"
#include "mdl_events.h"
#include "mdl_filter_error.h"
#include "mdl_gate.h"
#include "mdl_kept.h"
#include "mdl_log.h"
#include "mdl_metrics.h"
#include "mdl_password.h"
#include "mdl_request_id.h"
#include "mdl_require.h"
#include "mdl_route.h"
#include "mdl_search.h"
#include "mdl_shm.h"
#include "mdl_site.h"
#include "mdl_sites.h"
#include "mdl_throttle.h"

/* Say in the words of ERR why SERVER does not start. */
static int refuse_start(server_rec *server, const dl_error *err)
{
    ap_log_error(APLOG_MARK, APLOG_EMERG | APLOG_NOERRNO, 0, server,
                 "DL1001 %s", err->text);
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* check_config: also what "apachectl -t" runs.  Read every file that the
 * settings name, so that each wrong value is found here. */
static int check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                        server_rec *main_server)
{
    dl_error err;

    (void)plog;
    (void)ptemp;
    mdl_log_install(main_server);
    if (mdl_route_compile(&err, pconf) != DL_OK) {
        return refuse_start(main_server, &err);
    }
    if (mdl_sites_load(main_server, pconf, &err) != DL_OK) {
        return refuse_start(main_server, &err);
    }
    return OK;
}

/* post_config: before privileges are dropped and before the fork.  Open
 * folders and shared memory; nothing with threads. */
static int prepare_server(apr_pool_t *pconf, apr_pool_t *plog,
                          apr_pool_t *ptemp, server_rec *main_server)
{
    server_rec *server;
    void *metrics;
    dl_error err;

    (void)plog;
    (void)ptemp;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK;
    }
    if (mdl_shm_open(&metrics, "metrics", mdl_metrics_size(mdl_route_count),
                     main_server, &err) != DL_OK) {
        return refuse_start(main_server, &err);
    }
    mdl_metrics_attach(metrics, mdl_route_count);
    if (mdl_password_open(main_server, &err) != DL_OK ||
        mdl_search_open(main_server, &err) != DL_OK ||
        mdl_day_open(main_server, &err) != DL_OK ||
        mdl_events_open(main_server, &err) != DL_OK ||
        mdl_kept_open(main_server, &err) != DL_OK ||
        mdl_throttle_open(main_server, &err, pconf) != DL_OK) {
        return refuse_start(main_server, &err);
    }
    for (server = main_server; server != NULL; server = server->next) {
        mdl_site *site = mdl_site_get(server);

        if (site != NULL &&
            mdl_site_prepare(site, server, &err, pconf) != DL_OK) {
            return refuse_start(server, &err);
        }
    }
    return OK;
}

/* child_init: threads and client libraries do not survive a fork, so they
 * begin here.  Their clean-ups hang under the child's pool. */
static void start_child(apr_pool_t *pchild, server_rec *main_server)
{
    dl_error err;

    mdl_log_install(main_server);
    mdl_request_id_start();
    mdl_password_start(pchild);
    mdl_sites_open(main_server, pchild);
    if (mdl_search_start(main_server, &err, pchild) != DL_OK) {
        ap_log_error(APLOG_MARK, APLOG_ERR | APLOG_NOERRNO, 0, main_server,
                     "DL1240 searches go on without helpers: %s", err.text);
    }
}

static void register_hooks(apr_pool_t *pool)
{
    mdl_filter_error_register();

    /* Files named by the settings are read where "-t" comes by, descriptors
     * and shared memory opened where root still is. */
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(prepare_server, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(start_child, NULL, NULL, APR_HOOK_MIDDLE);

    /* First, so that even an error of another module has an id. */
    ap_hook_post_read_request(mdl_gate_read, NULL, NULL, APR_HOOK_REALLY_FIRST);

    /* Before httpd decodes the path, and before any alias or proxy. */
    ap_hook_pre_translate_name(mdl_gate_route, NULL, NULL, APR_HOOK_FIRST);

    /* Our requests name no file: no stat, no walk over directories, no MIME
     * type by suffix. */
    ap_hook_translate_name(mdl_gate_claim, NULL, NULL, APR_HOOK_FIRST);
    /* Last but httpd's own, which maps to a file. */
    ap_hook_translate_name(mdl_gate_fileless, NULL, NULL, APR_HOOK_LAST);
    ap_hook_map_to_storage(mdl_gate_claim, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_type_checker(mdl_gate_claim, NULL, NULL, APR_HOOK_FIRST);

    /* The one gate: runs whether or not a Require stands anywhere. */
    ap_hook_access_checker(mdl_gate_access, NULL, NULL, APR_HOOK_FIRST);

    /* The same decision for any Location that asks for it. */
    mdl_require_register(pool);

    ap_hook_handler(mdl_gate_handle, NULL, NULL, APR_HOOK_FIRST);
    /* Before httpd's own handler for files, which is the very last. */
    ap_hook_handler(mdl_gate_miss, NULL, NULL, APR_HOOK_LAST);
    ap_hook_log_transaction(mdl_gate_log, NULL, NULL, APR_HOOK_MIDDLE);

    /* Last, so that the filters of others see our error body. */
    ap_hook_insert_error_filter(mdl_filter_error_insert, NULL, NULL,
                                APR_HOOK_LAST);
}

AP_DECLARE_MODULE(datalake) = {STANDARD20_MODULE_STUFF,
                               NULL,
                               NULL,
                               mdl_config_create,
                               mdl_config_merge,
                               mdl_directives,
                               register_hooks,
                               AP_MODULE_FLAG_NONE};
