/* dlc_link.c - One connection, made when needed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_link.h"

struct dlc_link {
    const dl_wh_target *target; /* where */
    apr_pool_t *pool;           /* of a connection */
    dl_wh *wh;                  /* NULL: not connected */
};

dl_status dlc_link_create(dlc_link **link, const dl_config *cfg, dl_error *err,
                          apr_pool_t *pool)
{
    dlc_link *made = apr_pcalloc(pool, sizeof *made);

    DL_TRY(dl_wh_target_load(&made->target, cfg, DL_WH_JOBS, err, pool));
    apr_pool_create(&made->pool, pool);
    *link = made;
    return DL_OK;
}

dl_status dlc_link_open(dl_wh **wh, dlc_link *link, dl_error *err)
{
    if (link->wh == NULL) {
        dl_wh *made;

        DL_TRY(dl_wh_connect_target(&made, link->target, err, link->pool));
        DL_TRY(dl_wh_schema_check(made, err));
        link->wh = made;
    }
    *wh = link->wh;
    return DL_OK;
}

void dlc_link_close(dlc_link *link)
{
    link->wh = NULL;
    apr_pool_clear(link->pool);
}
