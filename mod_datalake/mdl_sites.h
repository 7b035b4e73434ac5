/* mdl_sites.h - The sites of all servers, over graceful restarts.
 *
 * A wrong datalake.ini, declaration or key file stops httpd when it starts.
 * At a graceful restart it does not: the sites that were read last go on, and
 * the log says what is wrong.  Therefore sites live in a pool of their own
 * under the process pool, which the next good reading replaces.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_SITES_H
#define MDL_SITES_H

#include <httpd.h>

#include "dl_error.h"

/* Put the defaults into the settings of every server from MAIN_SERVER on, in
 * PCONF, and give each its site: freshly read, or, when that
 * fails in a restart, the one it had.  Fails as mdl_site_create when there is
 * none to go on with.  Thread: start only. */
DL_MUSTCHECK dl_status mdl_sites_load(server_rec *main_server,
                                      apr_pool_t *pconf, dl_error *err);

/* Open the sites of all servers in this child; those with one datalake.ini
 * share connections, cache, lake and watcher.  What cannot be opened is
 * logged, and its routes answer 503.  Thread: child start only. */
void mdl_sites_open(server_rec *main_server, apr_pool_t *child_pool);

#endif
