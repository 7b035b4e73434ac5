/* dl_lake_stretch.h - Reading a day in two steps: what comes next, and its
 * bytes.
 *
 * dl_lake_scan_chunk does both.  Who has threads plans with the scan in one
 * and reads in others: a planned stretch is a value of its own that needs the
 * scan no more, only its part, which it keeps open.
 *
 * A stretch is either a row of entries of the trail, each with the checksum it
 * was committed with, or one block of the index.  Should a block not have the
 * checksum that the index says, then its lines are read by the entries of the
 * trail, and those decide whether the part is damaged (FORMAT.md 14).
 *
 * Memory: a stretch is 4 KB; its bytes lie in the caller's room.
 *
 * Thread: as each function says.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_STRETCH_H
#define DL_LAKE_STRETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "dl_lake_part.h"
#include "dl_lake_reader.h"

/* Bytes of lines that are read at once, unless one entry is longer. */
#define DL_LAKE_STRETCH_BYTES 262144u

/* Most entries of a stretch. */
#define DL_LAKE_STRETCH_SUMS 256

struct dl_lake_opened;
struct dl_lake_kept_block;

/* A checksum over some of the bytes. */
typedef struct dl_lake_checksum {
    uint64_t bytes; /* how many */
    uint32_t crc;   /* their checksum */
} dl_lake_checksum;

/* Some lines of a day, one behind another in one part. */
typedef struct dl_lake_stretch {
    struct dl_lake_opened *part; /* has them; a reference */
    dl_lake_part known;          /* what the scan knows of it */
    uint64_t at;                 /* where the bytes begin in the part */
    uint64_t bytes;              /* how many have to be read */
    uint64_t before;             /* lines of the part before AT */
    uint64_t skip;               /* lines at AT that are not asked for */
    uint64_t lines;              /* lines behind them that are; 0: the end */
    uint64_t all;                /* lines in BYTES */
    uint64_t line;               /* number in the day of the first that is */
    bool by_block;               /* the checksum is the index's */
    bool keep;                   /* the block may be asked for again soon */
    int n_sums;                  /* checksums */
    dl_lake_checksum sums[DL_LAKE_STRETCH_SUMS]; /* one behind another */
} dl_lake_stretch;

/* Room for the bytes of a stretch; all 0 at first. */
typedef struct dl_lake_room {
    char *data;                      /* malloc */
    size_t size;                     /* bytes of it */
    struct dl_lake_kept_block *kept; /* the bytes are there instead; a
                                        reference, or NULL */
} dl_lake_room;

/* Set *STRETCH to what comes next in SCAN, without reading it;
 * stretch->lines is 0 at the end, where nothing is to be released.  Not to be
 * mixed with dl_lake_scan_next.  DL_CORRUPT: the trail is damaged.
 * Thread: the owner of SCAN. */
DL_MUSTCHECK dl_status dl_lake_scan_plan(dl_lake_stretch *stretch,
                                         dl_lake_scan *scan, dl_error *err);

/* Set *DATA and *LEN to the lines of STRETCH, which lie in ROOM until it is
 * used again.  DL_CORRUPT: they do not have the checksum they were committed
 * with.  Thread: any, one a STRETCH and ROOM. */
DL_MUSTCHECK dl_status dl_lake_stretch_read(const char **data, size_t *len,
                                            const dl_lake_stretch *stretch,
                                            dl_lake_room *room, dl_error *err);

/* Return the file that has the bytes which dl_lake_stretch_read gave at DATA
 * for STRETCH and ROOM, and set *AT to where they begin in it; open until the
 * stretch is released.  -1: no file has them as they are.  Bytes of a part
 * never change below its committed length, so what was verified may be sent
 * from the file.  Thread: as dl_lake_stretch_read. */
int dl_lake_stretch_file(uint64_t *at, const dl_lake_stretch *stretch,
                         const dl_lake_room *room, const char *data);

/* Give back what STRETCH keeps open.  Thread: any. */
void dl_lake_stretch_release(dl_lake_stretch *stretch);

/* Give back the memory of ROOM.  Thread: its owner. */
void dl_lake_room_free(dl_lake_room *room);

#endif
