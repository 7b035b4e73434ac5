/* dlc_spool.h - A file without a name for what does not belong in memory.
 *
 * It lies in the folder of TMPDIR, else in /var/tmp, and is gone with the
 * process, however that ends.  64 KB of what was added last and 8 KB of what
 * was read last are in memory.
 *
 * Thread: the owner of the pool.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_SPOOL_H
#define DLC_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_error.h"

typedef struct dlc_spool dlc_spool; /* such a file */

/* Set *SPOOL to an empty one, in POOL.  DL_IO, DL_NO_SPACE: the folder takes no
 * file. */
DL_MUSTCHECK dl_status dlc_spool_create(dlc_spool **spool, dl_error *err,
                                        apr_pool_t *pool);

/* Put the LEN bytes at DATA behind all others and set *AT to where they are.
 * DL_IO, DL_NO_SPACE: as write(2) says. */
DL_MUSTCHECK dl_status dlc_spool_add(int64_t *at, dlc_spool *spool,
                                     const void *data, size_t len,
                                     dl_error *err);

/* Read the LEN bytes at AT, which were added, to DATA.  DL_IO: as read(2)
 * says, or the file is shorter. */
DL_MUSTCHECK dl_status dlc_spool_get(void *data, size_t len, dlc_spool *spool,
                                     int64_t at, dl_error *err);

/* Return how many bytes were added. */
int64_t dlc_spool_size(const dlc_spool *spool);

#endif
