/* dlc_directives.h - The few httpd directives that programs need too.
 *
 * A setting lives in one place: the token key, issuer, audience and the audit
 * log are httpd directives, so datalakectl and datalake-jobs read them from httpd's file ([run] httpd_conf)
 * instead of having keys of its own.  Only that one file is read, the last
 * line of a name counts, and Include, Define and <IfDefine> are not followed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_DIRECTIVES_H
#define DLC_DIRECTIVES_H

#include <apr_pools.h>

#include "dl_error.h"

/* What was found, else the defaults of the directives. */
typedef struct dlc_directives {
    const char *key_file;       /* DataLakeTokenKeyFile */
    const char *issuer;         /* DataLakeIssuer */
    const char *audience;       /* DataLakeAudience */
    const char *audit_dir;      /* DataLakeAuditDir */
    const char *audit_key_file; /* DataLakeAuditKeyFile */
} dlc_directives;

/* Fill OUT from the file PATH; a missing file gives the defaults.
 * DL_IO: it cannot be read.  DL_INVALID: a line of ours is not "NAME VALUE".
 * Texts live in RESULT_POOL. */
DL_MUSTCHECK dl_status dlc_directives_load(dlc_directives *out,
                                           const char *path, dl_error *err,
                                           apr_pool_t *result_pool);

#endif
