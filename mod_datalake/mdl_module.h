/* mdl_module.h - The module record's name, for request and server configs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_MODULE_H
#define MDL_MODULE_H

#include <httpd.h>

#include <http_config.h>

/* Declares datalake_module, the record in mod_datalake.c, which itself does not
 * include this: AP_DECLARE_MODULE says the same there. */
APLOG_USE_MODULE(datalake);

#endif
