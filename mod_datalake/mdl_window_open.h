/* mdl_window_open.h - Making a table of windows in shared memory.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_WINDOW_OPEN_H
#define MDL_WINDOW_OPEN_H

#include <httpd.h>

#include "dl_error.h"
#include "mdl_window.h"

/* What a table is. */
typedef struct mdl_window_kind {
    const char *name; /* of the shared memory; servers share it by this */
    int places;       /* how many keys it has room for, about */
    int length_s;     /* how long a window lasts */
} mdl_window_kind;

/* Set *W to the table KIND, kept over graceful restarts; W itself lives in
 * POOL.  DL_IO: no shared memory.  Thread: start only. */
DL_MUSTCHECK dl_status mdl_window_open(mdl_windows **w,
                                       const mdl_window_kind *kind,
                                       const server_rec *server, dl_error *err,
                                       apr_pool_t *pool);

#endif
