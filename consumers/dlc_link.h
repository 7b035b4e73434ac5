/* dlc_link.h - A connection to the warehouse that a thread makes when it needs
 * one, drops when it broke, and makes anew.
 *
 * Thread: one at a time.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_LINK_H
#define DLC_LINK_H

#include <apr_pools.h>

#include "dl_config.h"
#include "dl_error.h"
#include "dl_wh.h"

/* A connection, or none yet. */
typedef struct dlc_link dlc_link;

/* Set *LINK to one as the jobs daemon, not connected; it lives in POOL.
 * Fails as dl_wh_target_load. */
DL_MUSTCHECK dl_status dlc_link_create(dlc_link **link, const dl_config *cfg,
                                       dl_error *err, apr_pool_t *pool);

/* Set *WH to the connection of LINK, made now if there is none, of a database
 * whose schema fits.  Fails as dl_wh_connect_target and dl_wh_schema_check. */
DL_MUSTCHECK dl_status dlc_link_open(dl_wh **wh, dlc_link *link, dl_error *err);

/* Close the connection of LINK; the next dlc_link_open makes another. */
void dlc_link_close(dlc_link *link);

#endif
