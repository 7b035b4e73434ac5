/* mdl_log.h - Core's log lines into httpd's error log.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_LOG_H
#define MDL_LOG_H

#include <httpd.h>

/* Send dl_log's lines to the error log of SERVER, whose LogLevel decides.
 * Thread: start and child start only. */
void mdl_log_install(server_rec *server);

#endif
