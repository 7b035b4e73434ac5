/* mdl_web.h - The files that browsers get: pages, scripts and styles of the
 * API's viewers, made by www/bundle.
 *
 * The folder is read once, when the server starts: a name that is asked for
 * is looked up in a table and never in the file system, so there is nothing
 * to climb out of.  Names carry a hash of the content, types come from a
 * fixed table; what has no type there is not served.
 *
 * Bounds: WEB_FILES files of WEB_FILE_MAX bytes (mdl_web.c).
 *
 * Thread: read at start, constant afterwards.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_WEB_H
#define MDL_WEB_H

#include <stdbool.h>
#include <stddef.h>

#include <apr_pools.h>

#include "mdl_answer.h"

/* One file. */
typedef struct mdl_web_file {
    const char *name;         /* "docs-dea277e4b58d.js" */
    const char *type;         /* its Content-Type; static */
    bool page;                /* an HTML page, which has a route of its own */
    const char *data;         /* its bytes */
    size_t len;               /* how many */
    char etag[MDL_ETAG_TEXT]; /* of its content */
} mdl_web_file;

/* All files of a folder. */
typedef struct mdl_web {
    int n;                     /* how many */
    const mdl_web_file *files; /* in no order */
} mdl_web;

/* Return the files of FOLDER, in POOL; servers that name one folder share
 * them.  A folder that cannot be read is logged and has none: its pages are
 * 404.  Thread: start only. */
const mdl_web *mdl_web_load(const char *folder, apr_pool_t *pool);

/* Return the file NAME of WEB, or NULL.  Thread: any. */
const mdl_web_file *mdl_web_find(const mdl_web *web, const char *name);

#endif
