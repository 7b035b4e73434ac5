/* mdl_lake.h - The lake as a request sees it: opened once, read only.
 *
 * httpd opens the lake's root folder at start, while it may still be root;
 * children reach everything below through that descriptor, so they need no
 * right on the path and no request can leave the folder.  The lake of a child
 * is opened at the first request that needs it and again, at most once a
 * second, while that fails: a lake that appears later needs no restart.
 *
 * Thread: any; a dl_lake is shared, snapshots and scans are the request's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_LAKE_H
#define MDL_LAKE_H

#include <apr_pools.h>

#include "dl_error.h"

/* Bytes that a child remembers matches in (dl_match_cache.h). */
#define MDL_LAKE_MATCHES_BYTES ((size_t)32 * 1048576)

struct dl_lake;
struct dl_match_cache;
struct dl_lake_snapshot;

/* The lake of one child. */
typedef struct mdl_lake mdl_lake;

/* Return this child's lake below the folder behind DIRFD, which stays the
 * caller's; -1: the folder could not be opened at start.  Nothing is read
 * yet.  Closed with CHILD_POOL.  Thread: child start only. */
mdl_lake *mdl_lake_create(int dirfd, apr_pool_t *child_pool);

/* Start a thread that closes the files of LAKE that nobody reads any more, so
 * that a child without requests does not hold the space of removed ones;
 * stopped and joined before CHILD_POOL goes.  DL_INTERNAL: no thread.  Thread:
 * child start only. */
DL_MUSTCHECK dl_status mdl_lake_keep_tidy(mdl_lake *lake, dl_error *err,
                                          apr_pool_t *child_pool);

/* Set *SNAP to the committed state of DATASET at this moment, in RESULT_POOL.
 * DL_NOT_FOUND: no such dataset in the lake, or nothing committed yet;
 * DL_UNAVAILABLE: the lake cannot be read, which is 503 lake-unavailable.
 * Thread: any. */
DL_MUSTCHECK dl_status mdl_lake_snapshot(struct dl_lake_snapshot **snap,
                                         mdl_lake *lake, const char *dataset,
                                         dl_error *err,
                                         apr_pool_t *result_pool);

/* Set *NAMES to the N names of the lake's datasets, sorted, in RESULT_POOL.
 * DL_UNAVAILABLE as above.  Thread: any. */
DL_MUSTCHECK dl_status mdl_lake_datasets(const char *const **names, int *n,
                                         mdl_lake *lake, dl_error *err,
                                         apr_pool_t *result_pool);

/* Return what this child remembers of LAKE's matches.  Thread: any. */
struct dl_match_cache *mdl_lake_matches(const mdl_lake *lake);

/* DL_OK when the lake can be read now, else DL_UNAVAILABLE.  For health.
 * Thread: any. */
DL_MUSTCHECK dl_status mdl_lake_check(mdl_lake *lake, dl_error *err,
                                      apr_pool_t *scratch_pool);

#endif
