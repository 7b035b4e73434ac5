/* dl_secret.h - Secrets come from files, stay out of dumps and are wiped.
 *
 * A secret file is a regular file that others cannot read (no permission bit
 * for "other"), at most 64 KiB.  The bytes are kept in memory of their own
 * (page-aligned, locked where the limit allows, MADV_DONTDUMP) and are
 * overwritten before they are freed.
 *
 * Thread: a loaded dl_secret never changes and may be read by any.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_SECRET_H
#define DL_SECRET_H

#include <stddef.h>

#include <apr_pools.h>

#include "dl_error.h"

/* Most bytes a secret file may hold. */
#define DL_SECRET_MAX 65536

/* Secret bytes.  Never log, print or copy them to memory that is not wiped. */
typedef struct dl_secret {
    char *data; /* the bytes, followed by a NUL that len does not count */
    size_t len; /* bytes; one final line end of the file is left out */
} dl_secret;

/* Set *SECRET to the bytes of the file PATH, without one final "\n" or
 * "\r\n".  DL_NOT_FOUND: no such file.  DL_INVALID: not a regular file, others
 * may read it, empty or too long; the sentence says what to do.  DL_IO: it
 * cannot be read.  *SECRET lives in RESULT_POOL and is wiped with it.
 * Thread: any. */
DL_MUSTCHECK dl_status dl_secret_load(dl_secret **secret, const char *path,
                                      dl_error *err, apr_pool_t *result_pool);

/* Set *SECRET to a guarded copy of LEN bytes of DATA (the caller wipes his
 * own).  DL_LIMIT: longer than DL_SECRET_MAX.  Thread: any. */
DL_MUSTCHECK dl_status dl_secret_copy(dl_secret **secret, const void *data,
                                      size_t len, dl_error *err,
                                      apr_pool_t *result_pool);

/* Overwrite LEN bytes at DATA so that the compiler cannot leave it out.
 * Thread: any. */
void dl_secret_wipe(void *data, size_t len);

#endif
