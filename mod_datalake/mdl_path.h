/* mdl_path.h - A request path as segments, each decoded exactly once.
 *
 * What comes in is r->uri as pre_translate_name sees it: dot segments
 * resolved, slashes merged, unreserved escapes decoded, every other %XX still
 * there.  So a %2F is still an escape here and never a separator, and what is
 * routed is what <Location> and Require judge.
 *
 * Refused, so that the path names nothing (404): a segment that decodes to
 * "." or "..", or to a byte below 0x20, or that still holds a valid
 * %XX after decoding, or (unless it fills a {pair}) a slash.  An escape that
 * is none ("%zz") makes the request malformed (400).
 *
 * Thread: any; nothing here has state.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_PATH_H
#define MDL_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include <apr_pools.h>

/* More segments than any template has; a longer path names nothing. */
#define MDL_PATH_SEGMENTS 12

/* What became of a path. */
typedef enum mdl_path_verdict {
    MDL_PATH_OK,       /* split and decoded */
    MDL_PATH_UNKNOWN,  /* cannot name a resource: 404 */
    MDL_PATH_MALFORMED /* an escape that is none: 400 */
} mdl_path_verdict;

/* One segment. */
typedef struct mdl_segment {
    const char *text; /* decoded, NUL-terminated, in the request's pool */
    size_t len;       /* bytes of text */
    bool slash;       /* a decoded slash is in it */
} mdl_segment;

/* A split path; "/" has no segments. */
typedef struct mdl_path {
    int n;                                  /* segments */
    mdl_segment segment[MDL_PATH_SEGMENTS]; /* from left to right */
} mdl_path;

/* Fill PATH from URI; a final slash makes no segment.  Segments live in POOL.
 * Thread: any. */
mdl_path_verdict mdl_path_split(mdl_path *path, const char *uri,
                                apr_pool_t *pool);

#endif
