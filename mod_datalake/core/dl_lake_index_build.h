/* dl_lake_index_build.h - Making the index of a part (FORMAT.md 18).
 *
 * dl_lake_index_make makes the whole index of a sealed or joined part,
 * dl_lake_index_grow puts what an open part has gained behind its .grow; both
 * read the part by its trail and check every entry.  The builder below them
 * takes lines from anywhere.
 *
 * Memory of one builder: 4 KiB for each block of a segment, as much again
 * while a segment is written, 8 bytes for each line and key of a segment, two
 * of the longest line: about 12 MiB for a part of usual records, at most
 * 36 MiB and two lines; a .grow about 2 MiB.
 *
 * Thread: the owner of the object; different parts from different threads.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_INDEX_BUILD_H
#define DL_LAKE_INDEX_BUILD_H

#include <stdbool.h>
#include <stdint.h>

#include "dl_lake_column.h"
#include "dl_lake_index.h"
#include "dl_lake_io.h"
#include "dl_lake_part.h"

/* Bytes of a block: how much an index is and how sharp. */
#define DL_LAKE_INDEX_DENSE  57344u  /* about 9 % of the data */
#define DL_LAKE_INDEX_NORMAL 81920u  /* at most 7 % */
#define DL_LAKE_INDEX_THIN   163840u /* about 4 % */

/* A part below this many bytes needs no index. */
#define DL_LAKE_INDEX_LEAST (1u << 20)

/* Blocks of a segment of a .grow. */
#define DL_LAKE_INDEX_GROWTH 64

/* A part to be indexed. */
typedef struct dl_lake_index_job {
    const dl_lake_io *io;           /* system calls */
    int meta;                       /* folder _lake/DATASET */
    int data_fd;                    /* the part's file, open for reading */
    const dl_lake_part *part;       /* the part, committed length and all */
    const dl_lake_columns *columns; /* members to index; NULL: text alone */
    uint32_t block_bytes;           /* DL_LAKE_INDEX_NORMAL or so */
    bool (*go_on)(void *context, uint64_t bytes); /* asked each MiB or so, with
                                                     how much of the part was
                                                     read; false: stop (pause
                                                     in it to be idle); NULL:
                                                     go on */
    void *context;                                /* of go_on */
} dl_lake_index_job;

/* Make idx/UID.index of the part of JOB, which is sealed or joined (or about
 * to be exchanged), and remove its .grow: UID.index.new, fsync, rename, fsync
 * of idx/.  Crash points: index-written (not renamed), index-renamed.
 * DL_CORRUPT: the part or its trail is damaged; DL_BUSY: go_on said stop; in
 * both cases, and in any failure, no .index is left but the old one.  Uses
 * SCRATCH_POOL. */
DL_MUSTCHECK dl_status dl_lake_index_make(const dl_lake_index_job *job,
                                          dl_error *err,
                                          apr_pool_t *scratch_pool);

/* Put behind idx/UID.grow of the open part of JOB the segments that its
 * committed bytes are enough for; set *BYTES to how much of the part is
 * described then.  Nothing is read when it is less than a segment.  One
 * caller a part at a time.  Crash point: index-grown (written, not synced).
 * DL_CORRUPT, DL_BUSY as above; what was put is right. */
DL_MUSTCHECK dl_status dl_lake_index_grow(uint64_t *bytes,
                                          const dl_lake_index_job *job,
                                          dl_error *err,
                                          apr_pool_t *scratch_pool);

/* Check idx/UID.index (or .grow) of the part of JOB against the part, all of
 * it: every checksum, the block table against bytes and lines of the part, and,
 * when its columns and block size are those of JOB, every byte against what
 * building anew gives.  *REBUILT: that was so.  A .grow may end in what a
 * crash left.  DL_NOT_FOUND: there is none; DL_CORRUPT with what and where; DL_UNSUPPORTED: another format or
 * folding; DL_BUSY as above. */
DL_MUSTCHECK dl_status dl_lake_index_verify(bool *rebuilt,
                                            const dl_lake_index_job *job,
                                            dl_error *err,
                                            apr_pool_t *scratch_pool);

/* Remove index and .grow of the part UID; none is fine. */
DL_MUSTCHECK dl_status dl_lake_index_drop(const dl_lake_io *io, int meta,
                                          uint64_t uid, dl_error *err);

/* Write the name of the index of UID in idx/: UID.index, .index.new, .grow. */
void dl_lake_index_name(char out[DL_LAKE_PATH_MAX], uint64_t uid,
                        const char *suffix);

/* --- The builder ---------------------------------------------------------- */

/* An index being made. */
typedef struct dl_lake_index_builder dl_lake_index_builder;

/* What becomes of a segment that is complete: LEN bytes at DATA. */
typedef dl_status dl_lake_index_sink(void *context, const uint8_t *data,
                                     size_t len, dl_error *err);

/* What a builder makes. */
typedef struct dl_lake_index_plan {
    uint64_t uid;                   /* of the part */
    uint64_t bytes;                 /* of the part that is described already */
    uint64_t lines;                 /* lines of it */
    uint32_t crc;                   /* running crc of it */
    uint32_t block_bytes;           /* bytes of a block */
    int blocks;                     /* of a segment, up to
                                       DL_LAKE_INDEX_BLOCKS */
    const dl_lake_columns *columns; /* members to index; NULL: none */
    dl_lake_index_sink *sink;       /* takes segments */
    void *context;                  /* of sink */
} dl_lake_index_plan;

/* Set *BUILDER to one that follows PLAN, which is copied; it lives in
 * RESULT_POOL, its memory is given back with it. */
void dl_lake_index_builder_create(dl_lake_index_builder **builder,
                                  const dl_lake_index_plan *plan,
                                  apr_pool_t *result_pool);

/* Add the LEN bytes at DATA, whole lines each with its newline.  Fails as the
 * sink does; the builder is then of no more use. */
DL_MUSTCHECK dl_status dl_lake_index_builder_add(dl_lake_index_builder *builder,
                                                 const char *data, size_t len,
                                                 dl_error *err);

/* Hand over the last segment, if lines of it were added. */
DL_MUSTCHECK dl_status dl_lake_index_builder_end(dl_lake_index_builder *builder,
                                                 dl_error *err);

/* Return how much of the part the segments handed over describe, and set
 * *LINES and *CRC accordingly. */
uint64_t dl_lake_index_builder_done(uint64_t *lines, uint32_t *crc,
                                    const dl_lake_index_builder *builder);

#endif
