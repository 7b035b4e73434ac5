/* dl_lake_trail.h - How a part grew and where its lines came from.
 *
 * The writer side builds the bytes a commit adds to a trail; the reader side
 * walks entries and finds commits, times and lines by binary search over
 * pages.  FORMAT.md 4.
 *
 * Thread: the owner of the object.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_TRAIL_H
#define DL_LAKE_TRAIL_H

#include <stdbool.h>
#include <stdint.h>

#include "dl_lake.h"
#include "dl_lake_io.h"
#include "dl_lake_notes.h"
#include "dl_lake_part.h"

/* A topic partition as the coordinates of one entry know it. */
typedef struct dl_lake_source {
    int32_t partition;  /* of the topic */
    int32_t generation; /* life of the topic */
    int64_t offset;     /* of its last line */
    int64_t ms;         /* Kafka's time of its last line, -1: none */
} dl_lake_source;

/* The part of a trail that is not committed, and the entry being built.  All
 * members belong to dl_lake_trail.c; zero is the empty state. */
typedef struct dl_lake_trail {
    dl_lake_bytes out;            /* bytes behind the committed trail */
    dl_lake_bytes coords;         /* coordinates of the entry being built */
    uint64_t bytes;               /* bytes of lines in closed entries of OUT */
    uint64_t records;             /* lines in them */
    uint32_t entry_bytes;         /* bytes of lines in the entry being built */
    uint32_t entry_lines;         /* lines in it */
    uint32_t entry_crc;           /* crc of its lines, but for the late ones */
    struct dl_lake_noting *notes; /* what its lines have beside them, NULL:
                                   * nothing but their keys */
    const char *late;  /* the newest lines, one behind another, the writer's
                           * memory: their crc is taken many at a time */
    size_t late_len;   /* bytes of them */
    uint32_t data_crc; /* crc of the lines of all closed entries */
    int n_sources;     /* used of SOURCES */
    int current;       /* source of the last line */
    dl_lake_source sources[DL_LAKE_ENTRY_SOURCES]; /* of this entry */
} dl_lake_trail;

/* Note in T, of the part P, one more line of LEN bytes (newline included, as
 * they stand at DATA) that came from C and has NOTE (NULL: the plain one).
 * The bytes stay as they are until dl_lake_trail_settle, _commit or
 * _forget. */
void dl_lake_trail_append(dl_lake_trail *t, const dl_lake_part *p,
                          const char *data, uint32_t len, const dl_coord *c,
                          const dl_line_note *note);

/* Look at the lines of T for the last time: they may move now. */
void dl_lake_trail_settle(dl_lake_trail *t);

/* End the commit at NOW_MS: t->out is what the trail grows by.  *P becomes
 * the part as it is after the commit, but for its event times. */
void dl_lake_trail_commit(dl_lake_trail *t, dl_lake_part *p, int64_t now_ms);

/* Forget everything that is not committed; keep the memory. */
void dl_lake_trail_forget(dl_lake_trail *t);

/* Give the memory back.  Nothing uncommitted may be left. */
void dl_lake_trail_free(dl_lake_trail *t);

/* Bytes of t->out and the entry being built. */
size_t dl_lake_trail_pending(const dl_lake_trail *t);

/* One entry as read. */
typedef struct dl_lake_trail_entry {
    bool ends_commit;      /* its commit is complete with it */
    int64_t ms;            /* time of that commit, if it ends one */
    uint32_t crc;          /* crc of its lines */
    uint64_t bytes;        /* bytes of its lines */
    uint64_t records;      /* lines */
    const uint8_t *coords; /* its coordinates and behind them its notes; dead
                              at the next call */
    size_t coords_len;     /* bytes of both */
} dl_lake_trail_entry;

/* A walk over the trail of one part. */
typedef struct dl_lake_trail_walk {
    const dl_lake_io *io; /* system calls */
    int fd;               /* the trail; closed by the owner */
    dl_lake_part part;    /* whose trail it is, with its committed length */
    uint8_t *page;        /* one page, malloc */
    uint64_t page_at;     /* where the page in memory begins */
    size_t page_len;      /* bytes of it */
    size_t at;            /* next byte in it */
    uint64_t commits;     /* commits that ended before the next entry */
    uint64_t bytes;       /* bytes of lines before the next entry */
    uint64_t records;     /* lines before it */
    int64_t ms;           /* time of the last commit that ended */
} dl_lake_trail_walk;

/* Begin in *WALK a walk over the trail FD of PART, through IO; its memory is
 * freed with POOL.  Nothing is read yet. */
void dl_lake_trail_begin(dl_lake_trail_walk *walk, const dl_lake_io *io, int fd,
                         const dl_lake_part *part, apr_pool_t *pool);

/* Set *ENTRY to the next entry; *FOUND is false at the end, where the sums
 * are those of the part.  DL_CORRUPT: the trail is damaged. */
DL_MUSTCHECK dl_status dl_lake_trail_next(dl_lake_trail_entry *entry,
                                          bool *found, dl_lake_trail_walk *walk,
                                          dl_error *err);

/* What a walk can be moved by. */
typedef enum dl_lake_trail_key {
    DL_LAKE_BY_COMMITS, /* number of commits that ended */
    DL_LAKE_BY_MS,      /* time of the newest of them */
    DL_LAKE_BY_RECORDS  /* lines */
} dl_lake_trail_key;

/* Move WALK to the begin of the last page before which KEY is below VALUE, or
 * to the first page.  DL_CORRUPT as dl_lake_trail_next. */
DL_MUSTCHECK dl_status dl_lake_trail_seek(dl_lake_trail_walk *walk,
                                          dl_lake_trail_key key, uint64_t value,
                                          dl_error *err);

/* Return how many pages the trail of WALK has. */
uint64_t dl_lake_trail_pages(const dl_lake_trail_walk *walk);

/* Move WALK to the begin of page PAGE, one of those.  DL_CORRUPT as
 * dl_lake_trail_next. */
DL_MUSTCHECK dl_status dl_lake_trail_turn(dl_lake_trail_walk *walk,
                                          uint64_t page, dl_error *err);

/* Coordinates of one entry, being read. */
typedef struct dl_lake_coords {
    dl_lake_in in;                                 /* the bytes */
    int n_sources;                                 /* used of SOURCES */
    int current;                                   /* source of the last line */
    dl_lake_source sources[DL_LAKE_ENTRY_SOURCES]; /* as the entry told */
} dl_lake_coords;

/* Begin reading the coordinates of ENTRY into *COORDS. */
void dl_lake_coords_begin(dl_lake_coords *coords,
                          const dl_lake_trail_entry *entry);

/* Set *C to the next coordinate; false when it is malformed or missing. */
bool dl_lake_coords_next(dl_coord *c, dl_lake_coords *coords);

/* Begin reading the notes of ENTRY into NOTED; false: the coordinates before
 * them are malformed. */
bool dl_lake_notes_begin(dl_lake_noted *noted,
                         const dl_lake_trail_entry *entry);

/* Put ENTRY, read from another trail, behind T of the joined part P, whose
 * members say what was put before; they move on.  The commit, if it ends one,
 * keeps its time. */
void dl_lake_trail_copy(dl_lake_trail *t, dl_lake_part *p,
                        const dl_lake_trail_entry *entry);

/* Note in P that t->out was written behind its trail, and empty it. */
void dl_lake_trail_drain(dl_lake_trail *t, dl_lake_part *p);

#endif
