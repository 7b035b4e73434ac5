/* dl_lake.h - Reading the lake: datasets, snapshots, days.
 *
 * A lake is a folder of datasets, a dataset a row of UTC days, a day a file
 * of lines that only grows (FORMAT.md).  A reader takes a snapshot, which is
 * one committed state of one dataset, and answers from it: whatever the
 * writer, the sealing or the compaction do meanwhile, days, lengths, versions
 * and lines of that snapshot stay as they were.
 *
 * A dl_lake keeps one mapped head page and one parsed manifest per dataset
 * for all its threads, so that opening a snapshot costs no system call but
 * one fstat while nothing has changed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_H
#define DL_LAKE_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_error.h"
#include "dl_time.h"

/* Where a record came from: its place in Kafka. */
typedef struct dl_coord {
    int32_t generation; /* which life of the topic, from 0 */
    int32_t partition;  /* partition of the topic */
    int64_t offset;     /* offset in the partition */
    dl_time time;       /* Kafka's timestamp, kept to the millisecond;
                           DL_TIME_NONE when the message has none */
} dl_coord;

/* Return below, at or above 0 as A is earlier than, the same as or later than
 * B, in the order of STMT_WORD_LATER: by time, generation, partition, offset. */
int dl_coord_compare(const dl_coord *a, const dl_coord *b);

/* The same by the place in the topic alone: generation, partition, offset. */
int dl_coord_compare_place(const dl_coord *a, const dl_coord *b);

/* One day of a snapshot. */
typedef struct dl_lake_day {
    dl_day day;         /* UTC date of the event times */
    uint64_t bytes;     /* committed bytes, all parts together */
    uint64_t records;   /* committed lines */
    uint64_t version;   /* number of commits that changed the day, from 1 */
    dl_time first_time; /* smallest event time of its records */
    dl_time last_time;  /* largest event time of its records */
} dl_lake_day;

/* Reasons a record may be set aside for, in the order of the counters. */
typedef enum dl_lake_reason {
    DL_LAKE_NOT_JSON,   /* "not-json" */
    DL_LAKE_NOT_OBJECT, /* "not-object" */
    DL_LAKE_ENCODING,   /* "encoding" */
    DL_LAKE_TOO_BIG,    /* "too-big" */
    DL_LAKE_SCHEMA,     /* "schema" */
    DL_LAKE_BAD_TIME,   /* "bad-time" */
    DL_LAKE_OTHER,      /* any other word */
    DL_LAKE_REASONS     /* how many there are */
} dl_lake_reason;

/* The next offset of one partition. */
typedef struct dl_lake_next {
    int32_t partition; /* partition of the topic */
    int64_t next;      /* first offset that is not in the lake yet */
} dl_lake_next;

/* Sums over a whole dataset at the moment of a snapshot. */
typedef struct dl_lake_totals {
    uint64_t records;                  /* lines in all days */
    uint64_t bytes;                    /* bytes of all days */
    uint64_t commits;                  /* commits since the first one */
    dl_time last_commit;               /* time of the newest commit, or
                                           DL_TIME_NONE */
    int32_t generation;                /* current life of the topic */
    uint64_t rejects[DL_LAKE_REASONS]; /* set aside, by reason */
    uint64_t open_parts;               /* parts not sealed yet */
    dl_time oldest_open; /* first commit of the part that is open longest, or
                            DL_TIME_NONE */
    int n_next;          /* entries of NEXT */
    const dl_lake_next *next; /* by partition, increasing; lives
                                           with the snapshot */
} dl_lake_totals;

typedef struct dl_lake dl_lake;                   /* an opened lake */
typedef struct dl_lake_snapshot dl_lake_snapshot; /* one committed state */

/* Open the lake below the folder ROOT into *LAKE, which lives in RESULT_POOL.
 * An empty folder is an empty lake.  DL_NOT_FOUND: no such folder.
 * Thread: any; *LAKE may then be used by all threads at once. */
DL_MUSTCHECK dl_status dl_lake_open(dl_lake **lake, const char *root,
                                    dl_error *err, apr_pool_t *result_pool);

/* As dl_lake_open, below the folder behind ROOT_FD, which stays the caller's
 * and must outlive *LAKE.  For a program that gave up the right to look at the
 * path.  Every later open is relative to it and follows no symbolic link.
 * Thread: any. */
DL_MUSTCHECK dl_status dl_lake_open_at(dl_lake **lake, int root_fd,
                                       dl_error *err, apr_pool_t *result_pool);

/* Close the files of LAKE that nobody read for a minute.  Opening a snapshot
 * does so too; this is for a program that may be idle for longer.  Costs
 * nothing when it was done in the last ten seconds.  Thread: any. */
void dl_lake_tidy(dl_lake *lake);

/* Set *NAMES to the N names of the datasets of LAKE, sorted, in RESULT_POOL.
 * N is 0 for an empty lake.  Thread: any. */
DL_MUSTCHECK dl_status dl_lake_datasets(const char *const **names, int *n,
                                        dl_lake *lake, dl_error *err,
                                        apr_pool_t *result_pool);

/* Set *SNAP to the newest committed state of DATASET; it lives in RESULT_POOL
 * and belongs to one thread.  DL_NOT_FOUND: no such dataset, or its writer has
 * never run; DL_UNAVAILABLE: the head page is being rewritten by a recovery;
 * DL_CORRUPT: head or manifest is damaged.  Thread: any. */
DL_MUSTCHECK dl_status dl_lake_snapshot_open(dl_lake_snapshot **snap,
                                             dl_lake *lake, const char *dataset,
                                             dl_error *err,
                                             apr_pool_t *result_pool);

/* The number of days in SNAP.  Thread: the owner of SNAP. */
int dl_lake_days(dl_lake_snapshot *snap);

/* Day I of SNAP, 0 <= I < dl_lake_days(), in order of date; lives as long as
 * SNAP.  Thread: the owner of SNAP. */
const dl_lake_day *dl_lake_day_at(dl_lake_snapshot *snap, int i);

/* Fill *FOUND with day DAY of SNAP.  DL_NOT_FOUND: it has no committed
 * record.  Thread: the owner of SNAP. */
DL_MUSTCHECK dl_status dl_lake_day_find(dl_lake_day *found,
                                        dl_lake_snapshot *snap, dl_day day,
                                        dl_error *err);

/* Fill *FOUND with day DAY of SNAP as it was after the last commit at or
 * before AS_OF (DL_TIME_NONE: as it is); its first and last time are those it
 * has now.  Costs a search in the trail only where a part has a later commit,
 * and remembers what it found.  DL_NOT_FOUND: nothing was committed by then;
 * DL_CORRUPT, DL_IO: the trail is damaged or unreadable.
 * Thread: the owner of SNAP. */
DL_MUSTCHECK dl_status dl_lake_day_within(dl_lake_day *found,
                                          dl_lake_snapshot *snap, dl_day day,
                                          dl_time as_of, dl_error *err,
                                          apr_pool_t *scratch_pool);

/* A part of a day, for who remembers something about its lines: they never
 * change, what is behind them is new. */
typedef struct dl_lake_piece {
    uint64_t uid;     /* of this part alone, as long as the dataset lives */
    uint64_t records; /* committed lines */
    int64_t born_ms;  /* its first commit */
} dl_lake_piece;

/* Set *PIECE to part I (from 0) of DAY of SNAP, in order of its lines; false:
 * the day has no more.  Thread: the owner of SNAP. */
bool dl_lake_piece_at(dl_lake_piece *piece, const dl_lake_snapshot *snap,
                      dl_day day, int i);

/* The sums of SNAP; live as long as SNAP.  Thread: the owner of SNAP. */
const dl_lake_totals *dl_lake_snapshot_totals(const dl_lake_snapshot *snap);

/* Set *CLUSTER to the id of the Kafka cluster that the offsets of SNAP's
 * dataset count in, "" when its writer never learned it, in RESULT_POOL.  It
 * is what the journal says now: this reads up to 16 MiB.  DL_CORRUPT: the
 * journal is damaged.  Thread: the owner of SNAP. */
DL_MUSTCHECK dl_status dl_lake_cluster(const char **cluster,
                                       dl_lake_snapshot *snap, dl_error *err,
                                       apr_pool_t *result_pool);

/* Room for a SHA-256 in hexadecimal and its NUL. */
#define DL_LAKE_SHA256_TEXT 65

/* Set OUT to the SHA-256, in lower case hexadecimal, of the bytes of DAY in
 * SNAP.  Compaction leaves the sum of what it joined; what came behind it is
 * read now, and the handle remembers where each of 256 days goes on, so that
 * a growing day is not read twice.  DL_NOT_FOUND: no such day;
 * DL_CORRUPT, DL_IO: a part is damaged or unreadable.
 * Thread: the owner of SNAP. */
DL_MUSTCHECK dl_status dl_lake_day_sha256(char out[DL_LAKE_SHA256_TEXT],
                                          dl_lake_snapshot *snap, dl_day day,
                                          dl_error *err,
                                          apr_pool_t *scratch_pool);

/* The word of REASON ("not-json").  Static text.  Thread: any. */
const char *dl_lake_reason_name(dl_lake_reason reason);

/* The reason whose word is NAME, or DL_LAKE_OTHER.  Thread: any. */
dl_lake_reason dl_lake_reason_find(const char *name);

#endif
