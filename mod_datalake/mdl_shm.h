/* mdl_shm.h - Shared memory that survives graceful restarts.
 *
 * A segment is anonymous, made by the parent before it forks and kept by
 * httpd's retained data in the process pool, so every generation of children
 * sees the same bytes at the same address.  A restart that changes the size
 * gets a new, empty segment; the old one is freed when httpd stops.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_SHM_H
#define MDL_SHM_H

#include <stddef.h>

#include <httpd.h>

#include "dl_error.h"

/* Set *MEMORY to the segment NAME of SIZE bytes: zeroed at the first call,
 * kept later.  DL_IO: the system refuses.  Thread: start only. */
DL_MUSTCHECK dl_status mdl_shm_open(void **memory, const char *name,
                                    size_t size, const server_rec *server,
                                    dl_error *err);

#endif
