/* mdl_shm.c - Retained shared memory.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_shm.h"

#include <string.h>

#include <httpd.h>

#include <http_config.h>

#include <apr_shm.h>
#include <apr_strings.h>

/* What httpd keeps under the name of a segment. */
typedef struct retained {
    apr_shm_t *shm; /* the segment */
} retained;

dl_status mdl_shm_open(void **memory, const char *name, size_t size,
                       const server_rec *server, dl_error *err)
{
    apr_pool_t *pool = server->process->pool;
    const char *key =
        apr_psprintf(pool, "datalake %s %" APR_SIZE_T_FMT, name, size);
    retained *kept = ap_retained_data_get(key);
    apr_status_t rv;

    if (kept == NULL) {
        kept = ap_retained_data_create(key, sizeof *kept);
    }
    if (kept->shm == NULL) {
        rv = apr_shm_create(&kept->shm, size, NULL, pool);
        if (rv != APR_SUCCESS) {
            kept->shm = NULL;
            return dl_fail(err, DL_IO, APR_TO_OS_ERROR(rv),
                           "shared memory for %s (%zu bytes)", name, size);
        }
        memset(apr_shm_baseaddr_get(kept->shm), 0, size);
    }
    *memory = apr_shm_baseaddr_get(kept->shm);
    return DL_OK;
}
