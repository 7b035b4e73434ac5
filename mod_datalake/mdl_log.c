/* mdl_log.c - The sink of dl_log inside httpd.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_log.h"

#include <httpd.h>

#include <http_log.h>

#include "dl_log.h"
#include "mdl_module.h"

static void write_line(void *context, dl_log_level level, const char *message)
{
    static const int levels[] = {[DL_LOG_ERROR] = APLOG_ERR,
                                 [DL_LOG_WARNING] = APLOG_WARNING,
                                 [DL_LOG_NOTICE] = APLOG_NOTICE,
                                 [DL_LOG_INFO] = APLOG_INFO,
                                 [DL_LOG_DEBUG] = APLOG_DEBUG};

    ap_log_error(APLOG_MARK, levels[level], 0, (const server_rec *)context,
                 "%s", message);
}

void mdl_log_install(server_rec *server)
{
    dl_log_install(write_line, server, DL_LOG_DEBUG);
}
