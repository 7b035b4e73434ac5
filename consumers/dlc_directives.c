/* dlc_directives.c - Reading lines "NAME VALUE" of an httpd configuration.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_directives.h"

#include <string.h>
#include <strings.h>

#include <apr_file_io.h>
#include <apr_strings.h>

#define LINE_MAX_BYTES 8192

/* Where the value of directive NAME goes, or NULL: it is not ours. */
static const char **find_slot(dlc_directives *out, const char *name)
{
    if (strcasecmp(name, "DataLakeTokenKeyFile") == 0) {
        return &out->key_file;
    }
    if (strcasecmp(name, "DataLakeIssuer") == 0) {
        return &out->issuer;
    }
    if (strcasecmp(name, "DataLakeAuditDir") == 0) {
        return &out->audit_dir;
    }
    if (strcasecmp(name, "DataLakeAuditKeyFile") == 0) {
        return &out->audit_key_file;
    }
    return strcasecmp(name, "DataLakeAudience") == 0 ? &out->audience : NULL;
}

/* Read one LINE. */
static dl_status read_line(dlc_directives *out, const char *line, dl_error *err,
                           apr_pool_t *pool)
{
    char **words;
    const char **slot;
    int n = 0;

    if (apr_tokenize_to_argv(line, &words, pool) != APR_SUCCESS ||
        words[0] == NULL || words[0][0] == '#') {
        return DL_OK;
    }
    slot = find_slot(out, words[0]);
    if (slot == NULL) {
        return DL_OK;
    }
    while (words[n] != NULL) {
        n++;
    }
    if (n != 2 || words[1][0] == '\0') {
        return dl_fail(err, DL_INVALID, 0, "%s wants one value", words[0]);
    }
    *slot = words[1];
    return DL_OK;
}

dl_status dlc_directives_load(dlc_directives *out, const char *path,
                              dl_error *err, apr_pool_t *result_pool)
{
    char line[LINE_MAX_BYTES];
    apr_file_t *file;
    apr_status_t failed;

    out->key_file = "/etc/datalake/token.key";
    out->issuer = "datalake";
    out->audience = "datalake";
    out->audit_dir = "/var/lib/datalake/audit";
    out->audit_key_file = "/etc/datalake/audit.key";
    failed = apr_file_open(&file, path, APR_FOPEN_READ | APR_FOPEN_BUFFERED, 0,
                           result_pool);
    if (APR_STATUS_IS_ENOENT(failed)) {
        return DL_OK;
    }
    if (failed != APR_SUCCESS) {
        return dl_fail(err, DL_IO, APR_TO_OS_ERROR(failed), "cannot open %s",
                       path);
    }
    for (int n = 1; apr_file_gets(line, sizeof line, file) == APR_SUCCESS;
         n++) {
        line[strcspn(line, "\r\n")] = '\0';
        if (read_line(out, line, err, result_pool) != DL_OK) {
            return dl_wrap(err, "%s:%d", path, n);
        }
    }
    apr_file_close(file);
    return DL_OK;
}
