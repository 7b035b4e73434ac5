/* dl_lake_writer.h - The one writer of a dataset.
 *
 * Opening takes the dataset's lock for life, cuts what a dead writer left
 * uncommitted and says where each Kafka partition continues.  Then records
 * are appended, buffered, and become durable and visible at once by a commit:
 *
 *     append* reject* repeat* advance*  ->  commit  ->  visible,
 *                                                    next() has moved
 *
 * When a call fails, everything since the last commit is forgotten; the
 * caller reads again from dl_lake_writer_next().  A failed fsync ends the
 * process (the kernel may have marked the pages clean).
 *
 * Memory: at most DL_LAKE_BUFFERS_MAX bytes of buffered lines, 9 MiB that are
 * being written, about 6 bytes per uncommitted record for its coordinates,
 * 1 KB per open day.  A writer
 * that reaches its bounds commits by itself inside append.
 *
 * Thread: all calls on one writer come from one thread.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_WRITER_H
#define DL_LAKE_WRITER_H

#include <stdbool.h>
#include <stddef.h>

#include "dl_lake.h"
#include "dl_line_note.h"

struct dl_lake_io;

/* What a writer is opened with.  Zero members mean their default. */
typedef struct dl_lake_options {
    const char *root;            /* folder of the lake; must exist */
    const char *dataset;         /* its name, which is its topic's: 1 to 200
                                    of [A-Za-z0-9._-], not starting with '.'
                                    or '_' */
    int64_t seal_age_s;          /* seal a part this old; default 900 */
    uint64_t seal_size;          /* seal a part this big; default 1 GiB */
    size_t buffer_size;          /* hand a part's lines to the disk when they
                                    are so many bytes, whole blocks; default
                                    1 MiB, tests take less */
    const struct dl_lake_io *io; /* system calls; default the real ones */
} dl_lake_options;

/* A record to set aside. */
typedef struct dl_lake_reject {
    const char *reason;  /* word of the reason, as dl_verdict_name gives */
    const char *detail;  /* sentence for people, at most 159 bytes */
    const void *payload; /* the bytes as received */
    size_t len;          /* how many */
    const void *key;     /* key of the message, or NULL */
    size_t key_len;      /* bytes of it */
    const dl_lake_position *position; /* what it says of itself, or NULL */
} dl_lake_reject;

/* The message of a line. */
typedef struct dl_lake_message {
    dl_coord coord;           /* where it came from */
    const dl_line_note *note; /* what it had beside the line; NULL: nothing
                                 but the key that the line says */
    const dl_lake_position *position; /* what it says of itself, or NULL */
} dl_lake_message;

/* What a writer has done since it was opened, and holds now. */
typedef struct dl_lake_writer_stats {
    uint64_t records;                  /* lines committed */
    uint64_t bytes;                    /* bytes committed */
    uint64_t commits;                  /* commits */
    uint64_t rejects[DL_LAKE_REASONS]; /* set aside, by reason */
    uint64_t repeats;                  /* messages dropped as repeats */
    uint64_t sealed;                   /* parts sealed */
    int64_t last_commit_us;            /* how long the newest commit took */
    uint64_t open_parts;               /* parts open now */
    int64_t oldest_open_us;            /* time of the first commit of the
                                          oldest open part, or 0 */
} dl_lake_writer_stats;

typedef struct dl_lake_writer dl_lake_writer; /* an opened writer */

/* Lock and recover the dataset named by OPTIONS, making it if it is new, and
 * set *W to its writer, which lives in RESULT_POOL: destroying the pool closes
 * it and forgets what is not committed.  DL_BUSY: another process writes the
 * dataset; DL_CORRUPT: a part is shorter than committed, or the journal is
 * damaged before its end: a person has to look (datalakectl fsck);
 * DL_UNSUPPORTED: written by a newer program; DL_NO_SPACE, DL_IO: as the
 * system says.  Thread: the one that will use *W. */
DL_MUSTCHECK dl_status dl_lake_writer_open(dl_lake_writer **w,
                                           const dl_lake_options *options,
                                           dl_error *err,
                                           apr_pool_t *result_pool);

/* The offset PARTITION continues at: one above the last that was appended,
 * rejected or advanced over, committed or not; -1: nothing yet.
 * Thread: the owner. */
int64_t dl_lake_writer_next(const dl_lake_writer *w, int32_t partition);

/* The current life of the topic, from 0.  Thread: the owner. */
int32_t dl_lake_writer_generation(const dl_lake_writer *w);

/* Begin the next life of the topic on the cluster CLUSTER_ID: the generation
 * rises by one and all partitions start without an offset.  Durable at
 * return.  DL_CONFLICT: records are uncommitted.  Thread: the owner. */
DL_MUSTCHECK dl_status dl_lake_writer_new_generation(dl_lake_writer *w,
                                                     const char *cluster_id,
                                                     dl_error *err);

/* The Kafka cluster the offsets belong to, "" until it was set; lives with W
 * until it is set again.  Thread: the owner. */
const char *dl_lake_writer_cluster(const dl_lake_writer *w);

/* Set the cluster to CLUSTER_ID, at most 63 bytes.  Durable at return.
 * DL_CONFLICT: another one is set (that needs a new generation), or records
 * are uncommitted.  Thread: the owner. */
DL_MUSTCHECK dl_status dl_lake_writer_set_cluster(dl_lake_writer *w,
                                                  const char *cluster_id,
                                                  dl_error *err);

/* Append LINE of LEN bytes, without newline and holding none, which happened
 * at EVENT_TIME and came from C, to the day of EVENT_TIME.  c->generation is
 * not looked at: it is the writer's.  DL_INVALID: the offset is below next()
 * (a repeat: nothing changed, nothing forgotten); DL_NO_SPACE, DL_IO: all
 * since the last commit is forgotten.  Thread: the owner. */
DL_MUSTCHECK dl_status dl_lake_writer_append(dl_lake_writer *w,
                                             dl_time event_time,
                                             const char *line, uint32_t len,
                                             const dl_coord *c, dl_error *err);

/* As dl_lake_writer_append, of the message M, keeping its note and remembering
 * its position.  Texts of M may go when it returns.  Thread: the owner. */
DL_MUSTCHECK dl_status dl_lake_writer_append_message(
    dl_lake_writer *w, dl_time event_time, const char *line, uint32_t len,
    const dl_lake_message *m, dl_error *err);

/* Whether a message of PARTITION that says it stands at POSITION is a repeat:
 * that one or one behind it is in the dataset, committed or not.  False when
 * nothing is remembered of its source.  Thread: the owner. */
bool dl_lake_writer_has(const dl_lake_writer *w, int32_t partition,
                        const dl_lake_position *position);

/* Drop the message from C at POSITION, which dl_lake_writer_has() told to be
 * a repeat: its offset is done, and quarantine says why, both by the next
 * commit.  Fails as dl_lake_writer_append.  Thread: the owner. */
DL_MUSTCHECK dl_status dl_lake_writer_repeat(dl_lake_writer *w,
                                             const dl_lake_position *position,
                                             const dl_coord *c, dl_error *err);

/* Set the record Q from C aside, in the same commit as the data around it.
 * Fails as dl_lake_writer_append.  Thread: the owner. */
DL_MUSTCHECK dl_status dl_lake_writer_reject(dl_lake_writer *w,
                                             const dl_lake_reject *q,
                                             const dl_coord *c, dl_error *err);

/* Let PARTITION continue at NEXT_OFFSET without a record: a gap, or a repeat
 * that was dropped.  DL_INVALID: below next().  Thread: the owner. */
DL_MUSTCHECK dl_status dl_lake_writer_advance(dl_lake_writer *w,
                                              int32_t partition,
                                              int64_t next_offset,
                                              dl_error *err);

/* Bytes that the next commit would make durable, lines and bookkeeping; 0:
 * there is nothing to commit.  Thread: the owner. */
size_t dl_lake_writer_pending(const dl_lake_writer *w);

/* Make all that was appended, rejected and advanced since the last commit
 * durable and visible, with the commit time NOW (rounded up to a millisecond,
 * at least one behind the previous one).  Without anything pending it does nothing.
 * DL_NO_SPACE, DL_IO: it is all forgotten; read again from next().
 * Thread: the owner. */
DL_MUSTCHECK dl_status dl_lake_writer_commit(dl_lake_writer *w, dl_time now,
                                             dl_error *err);

/* Do at NOW what is due: seal parts that are too old, too big, or whose day
 * is over and that were quiet for 60 s.  Call about once a second.  A part
 * with uncommitted records waits.  DL_NO_SPACE: tried again by the next tick,
 * nothing is forgotten.  Thread: the owner. */
DL_MUSTCHECK dl_status dl_lake_writer_tick(dl_lake_writer *w, dl_time now,
                                           dl_error *err);

/* Seal all open parts, after a commit at NOW of what is pending.  Fails as
 * commit and tick.  Thread: the owner. */
DL_MUSTCHECK dl_status dl_lake_writer_seal(dl_lake_writer *w, dl_time now,
                                           dl_error *err);

/* The numbers of W, up to date at each call, living with W.
 * Thread: the owner. */
const dl_lake_writer_stats *dl_lake_writer_numbers(dl_lake_writer *w);

#endif
