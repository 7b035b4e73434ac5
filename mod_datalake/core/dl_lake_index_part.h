/* dl_lake_index_part.h - Reading a part in order to index or check it.
 *
 * For dl_lake_index_part.c and dl_lake_index_verify.c only.
 *
 * Thread: the owner of the object.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_INDEX_PART_H
#define DL_LAKE_INDEX_PART_H

#include "dl_lake_index_build.h"
#include "dl_lake_text.h"
#include "dl_lake_trail.h"

/* A part being read. */
typedef struct dl_lake_index_reading {
    const dl_lake_index_job *job; /* which part */
    dl_lake_text text;            /* its lines */
    int trail_fd;                 /* its trail */
    dl_lake_trail_walk walk;      /* over it */
    uint64_t skip;                /* lines that are not wanted */
    uint64_t ask_at;              /* bytes at which go_on is asked next */
    char *buffer;                 /* an entry's lines, malloc */
    size_t size;                  /* bytes of buffer */
} dl_lake_index_reading;

/* Begin in *R, which lives in POOL or longer, to read the lines of the part of
 * JOB behind the first LINES; its memory and descriptor are given back with
 * POOL. */
DL_MUSTCHECK dl_status dl_lake_index_reading_begin(dl_lake_index_reading *r,
                                                   const dl_lake_index_job *job,
                                                   uint64_t lines,
                                                   dl_error *err,
                                                   apr_pool_t *pool);

/* Set *DATA and *LEN to the next whole lines, checked; *LEN is 0 at the end.
 * They are dead at the next call.  DL_CORRUPT: damage; DL_BUSY: go_on said
 * stop. */
DL_MUSTCHECK dl_status dl_lake_index_reading_next(const char **data,
                                                  size_t *len,
                                                  dl_lake_index_reading *r,
                                                  dl_error *err);

#endif
