/* dl_ini.h - Read an ini file into sections, keys, values and their lines.
 *
 * A line is empty, a remark (# or ; as its first character), "[section]" or
 * "key = value".  White space around each part is dropped.  A section may
 * have a name: "[source weather]".  There are no quotes, no continued lines
 * and no remarks behind a value.  Names are lower case letters, digits and _;
 * behind a dot in a key stand capitals, - and further dots, too.
 * The file is UTF-8 of at most 1 MiB.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_INI_H
#define DL_INI_H

#include <stddef.h>

#include <apr_pools.h>

#include "dl_error.h"

/* One "key = value". */
typedef struct dl_ini_entry {
    const char *section; /* what stands between the brackets */
    const char *key;     /* left of the equals sign */
    const char *value;   /* right of it, "" when nothing is there */
    int line;            /* its line, from 1 */
} dl_ini_entry;

/* A file that was read; everything in it lives in one pool. */
typedef struct dl_ini {
    const char *file;            /* as it was named, for messages */
    int n;                       /* entries */
    const dl_ini_entry *entries; /* in order of the file */
} dl_ini;

/* Set *INI to what the file PATH holds.  DL_NOT_FOUND or DL_IO: it cannot be
 * read; DL_INVALID: "FILE:LINE: ..." says what must be there.  Lives in
 * RESULT_POOL.  Thread: the owner of the pool. */
DL_MUSTCHECK dl_status dl_ini_load(dl_ini **ini, const char *path,
                                   dl_error *err, apr_pool_t *result_pool);

/* Set *INI to what the LEN bytes at TEXT say, called FILE in messages.
 * DL_INVALID as above.  Thread: the owner of the pool. */
DL_MUSTCHECK dl_status dl_ini_parse(dl_ini **ini, const char *file,
                                    const char *text, size_t len, dl_error *err,
                                    apr_pool_t *result_pool);

#endif
