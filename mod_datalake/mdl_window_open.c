/* mdl_window_open.c - Shared memory and a secret for a table of windows.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_window_open.h"

#include <apr_strings.h>
#include <sodium.h>

#include "mdl_shm.h"

dl_status mdl_window_open(mdl_windows **w, const mdl_window_kind *kind,
                          const server_rec *server, dl_error *err,
                          apr_pool_t *pool)
{
    const char *name =
        apr_psprintf(pool, "windows %s %d s", kind->name, kind->length_s);
    unsigned char secret[MDL_WINDOW_SECRET];
    void *memory;

    *w = apr_pcalloc(pool, sizeof **w);
    if (sodium_init() < 0) {
        return dl_fail(err, DL_INTERNAL, 0, "libsodium cannot start");
    }
    DL_TRY(mdl_shm_open(&memory, name, mdl_windows_size(kind->places), server,
                        err));
    randombytes_buf(secret, sizeof secret);
    mdl_windows_attach(*w, memory, kind->places, kind->length_s, secret);
    sodium_memzero(secret, sizeof secret);
    return DL_OK;
}
