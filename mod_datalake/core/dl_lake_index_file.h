/* dl_lake_index_file.h - The segments of an index, as they lie in memory.
 *
 * For dl_lake_index.c (asking) and dl_lake_index_part.c (growing, checking)
 * only.  What is read once - headers, tables, directories - is checked and
 * copied when the index is opened; the rest is checked when it is used.
 *
 * Thread: any, once opened.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_INDEX_FILE_H
#define DL_LAKE_INDEX_FILE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "dl_lake_format.h"
#include "dl_lake_index.h"

/* A column of a segment. */
typedef struct dl_lake_index_column {
    int kind;            /* a dl_lake_column_kind */
    const char *name;    /* what it is called */
    const uint8_t *data; /* its bytes, in the mapping */
    size_t len;          /* how many */
} dl_lake_index_column;

/* A block, from the beginning of its segment. */
typedef struct dl_lake_index_entry {
    uint32_t at;   /* bytes before it */
    uint32_t line; /* lines before it */
    uint32_t crc;  /* of its bytes */
} dl_lake_index_entry;

/* A segment. */
typedef struct dl_lake_index_segment {
    const uint8_t *data;                 /* its first byte, in the mapping */
    uint64_t size;                       /* its bytes */
    uint64_t at;                         /* bytes of the part before it */
    uint64_t line;                       /* lines before it */
    uint64_t bytes;                      /* it describes */
    uint64_t lines;                      /* it describes */
    uint32_t block_bytes;                /* a block was to have */
    uint32_t crc;                        /* of the part up to its end */
    int n;                               /* blocks */
    unsigned width;                      /* bytes of a row */
    unsigned unit;                       /* rows with one crc */
    const uint8_t *rows;                 /* the first unit */
    const dl_lake_index_entry *table;    /* the blocks */
    int n_columns;                       /* columns */
    const dl_lake_index_column *columns; /* the columns */
} dl_lake_index_segment;

struct dl_lake_index {
    const uint8_t *map;              /* the file */
    uint64_t size;                   /* bytes mapped */
    uint64_t used;                   /* bytes of its segments */
    int n;                           /* segments */
    atomic_int *cold;                /* questions before which the disk is to
                                        be asked for rows ahead */
    dl_lake_index_segment *segments; /* the segments */
};

/* Where an index lies. */
typedef struct dl_lake_index_place {
    const dl_lake_io *io; /* system calls */
    int meta;             /* folder _lake/DATASET */
    uint64_t uid;         /* of the part */
    const char *suffix;   /* "index" or "grow" */
} dl_lake_index_place;

/* Set *INDEX to the file at PLACE, as far as it is right; it lives in
 * RESULT_POOL.  Fails as dl_lake_index_open; *INDEX is set then, too, once
 * there is a file, and has no segment. */
DL_MUSTCHECK dl_status dl_lake_index_load(dl_lake_index **index,
                                          const dl_lake_index_place *place,
                                          dl_error *err,
                                          apr_pool_t *result_pool);

/* Read the segments of INDEX, whose map and size are set and stay, as far as
 * they are right and of the part UID.  Fails as dl_lake_index_open. */
DL_MUSTCHECK dl_status dl_lake_index_read(dl_lake_index *index, uint64_t uid,
                                          dl_error *err,
                                          apr_pool_t *result_pool);

/* Whether what is behind the last right segment of INDEX, which is of the part
 * UID, is the end that a crash leaves of a file that grows, or nothing; false:
 * it is damaged. */
bool dl_lake_index_torn(const dl_lake_index *index, uint64_t uid);

/* Return the bytes of a row over N blocks, and set *UNIT to how many rows have
 * one crc. */
unsigned dl_lake_index_width(unsigned *unit, int n);

/* Have the N ROWS of SEGMENT of INDEX read from the disk, all at once and
 * without waiting. */
void dl_lake_index_want_rows(const dl_lake_index *index,
                             const dl_lake_index_segment *segment,
                             const uint16_t *rows, int n);

/* Set *ROW to the bytes of row NUMBER of SEGMENT; false: they are damaged. */
bool dl_lake_index_row(const uint8_t **row,
                       const dl_lake_index_segment *segment, unsigned number);

#endif
