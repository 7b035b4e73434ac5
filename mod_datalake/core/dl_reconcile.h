/* dl_reconcile.h - Whether every message of a topic is where it belongs.
 *
 * The offsets that the lake has stored, set aside or dropped as repeats are
 * put together from trails and quarantine; no record is read.  What lies
 * between the broker's first offset and the lake's next one and is in none of
 * them is a gap.  The broker is asked for gaps alone: an offset there that
 * holds a record is missing; one that holds none (transaction markers,
 * compaction) is not.
 *
 * A date chooses messages by Kafka's timestamps, in UTC.
 *
 * Only the topic's present life (generation) counts.
 *
 * Memory: a bit for each offset that does not lie in a full chunk
 * (dl_offset_set.h), at most what is asked for.
 *
 * Thread: the owner of the snapshot.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_RECONCILE_H
#define DL_RECONCILE_H

#include <stdbool.h>
#include <stdint.h>

#include "dl_broker.h"
#include "dl_json_write.h"
#include "dl_lake.h"

/* Offsets in gaps that the broker is asked for by a request (contract 8). */
#define DL_RECONCILE_GAPS 10000

/* Offsets of missing and double records that are named. */
#define DL_RECONCILE_NAMED 20

/* How far the warehouse is in one partition. */
typedef struct dl_reconcile_next {
    int32_t partition;  /* of the topic */
    int32_t generation; /* life of the topic the offset counts in */
    int64_t next;       /* first offset that is not in the tables yet */
} dl_reconcile_next;

/* What is asked. */
typedef struct dl_reconcile_ask {
    const char *topic;  /* which */
    dl_day date;        /* DL_DAY_NONE: all there is */
    bool has_warehouse; /* the dataset has a table; else the next three mean
                             nothing */
    int n_next;         /* entries of NEXT */
    const dl_reconcile_next *next; /* how far the warehouse is */
    uint64_t refused;              /* rows that the database refused */
    uint64_t gaps; /* offsets in gaps the broker is asked for, at most */
    size_t memory; /* bytes for bits, at most */
} dl_reconcile_ask;

/* One partition. */
typedef struct dl_reconcile_part {
    int64_t low;               /* the broker's first offset (of the date) */
    int64_t high;              /* its next offset (after the date) */
    int64_t lake_next;         /* the lake's next offset; 0: not begun */
    int64_t warehouse_next;    /* the warehouse's; -1: not known */
    struct dl_offset_set *had; /* offsets that the lake knows of */
} dl_reconcile_part;

/* A record that is missing, or stored more than once. */
typedef struct dl_reconcile_place {
    int32_t partition; /* of the topic */
    int64_t offset;    /* in it */
    bool missing;      /* else it is there more than once */
} dl_reconcile_place;

/* What came of it. */
typedef struct dl_reconcile {
    dl_reconcile_ask ask;       /* what was asked */
    int32_t generation;         /* life of the topic */
    int n;                      /* partitions */
    dl_reconcile_part *parts;   /* by number, from 0 */
    uint64_t kafka_records;     /* that the broker has, as far as it is known */
    uint64_t lake_records;      /* lines */
    uint64_t warehouse_records; /* lines that the warehouse has taken */
    uint64_t dead_letters;      /* set aside */
    uint64_t repeats;           /* dropped, as they were there already */
    uint64_t gaps;              /* offsets in gaps */
    bool missing_known;         /* the broker was asked for all of them */
    uint64_t missing;           /* records in them */
    uint64_t duplicate;         /* offsets there more than once */
    uint64_t late;              /* lines whose day is before Kafka's */
    int n_named;                /* used of NAMED */
    dl_reconcile_place named[DL_RECONCILE_NAMED]; /* the first that were seen */
} dl_reconcile;

/* Fill *RESULT for the dataset whose state SNAP is (NULL: the lake has nothing
 * of it) and the topic ASK names, with BROKER's answers; it lives in
 * RESULT_POOL.  DL_UNAVAILABLE: the broker does not answer; DL_NOT_FOUND: it
 * has no such topic; DL_LIMIT: there is no room for the bits; DL_CORRUPT,
 * DL_IO: trails or quarantine are damaged or unreadable. */
DL_MUSTCHECK dl_status dl_reconcile_run(dl_reconcile *result,
                                        dl_lake_snapshot *snap,
                                        const dl_broker *broker,
                                        const dl_reconcile_ask *ask,
                                        dl_error *err, apr_pool_t *result_pool);

/* Whether nothing is missing, double or refused. */
bool dl_reconcile_ok(const dl_reconcile *result);

/* Write RESULT as contract 8 has it. */
void dl_reconcile_write(dl_json_writer *w, const dl_reconcile *result);

#endif
