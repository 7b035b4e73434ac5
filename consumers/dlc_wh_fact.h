/* dlc_wh_fact.h - The fact transaction: rows, adjustments and offsets at once.
 *
 * A batch is what one transaction stores.  Its rows come in chunks, each of
 * one Kafka partition, in offset order.  For each chunk:
 *
 *     SAVEPOINT, LOAD DATA from memory (multi-row INSERT where LOCAL is off)
 *     all rows stored, no warning       the usual case: done
 *     else ROLLBACK TO SAVEPOINT        LOCAL turns errors into warnings:
 *       repeats inside the chunk are resolved here, the last one stays
 *       the rest goes into the session's staging table
 *       a warning there: bisect, the row refused goes to dead_letter
 *       one join: earlier repeats are left out, later ones supersede the
 *       known row (its values go to rollup_adjust), new keys are inserted
 *
 * The row of sink_offset of each partition is locked before its first chunk
 * and moved, by compare and set, before COMMIT.  Whoever finds another value
 * there has lost the partition (DL_CONFLICT).
 *
 * Thread: one at a time for each dlc_wh_fact and what it is given.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_WH_FACT_H
#define DLC_WH_FACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_config.h"
#include "dl_error.h"
#include "dl_stats.h"
#include "dl_time.h"
#include "dl_wh.h"
#include "dlc_spend.h"
#include "dlc_wh_table.h"

/* One partition as the fact transaction sees it. */
typedef struct dlc_wh_place {
    const dlc_wh_table *table; /* where its rows go */
    dl_stats_value *rows;      /* counts what TABLE has stored */
    const char *topic;         /* lives with the process */
    int32_t partition;         /* its number */
    int32_t generation;        /* life of the topic */
    char cluster[65];          /* id of the Kafka cluster */
    _Atomic int64_t committed; /* next_offset in the database, -1: no row;
                                * any thread may read it */
    int64_t unknown;           /* what a lost COMMIT may have stored, or -1 */
    _Atomic int64_t careful_below; /* keep the payloads of offsets below this;
                                    * any thread may read it */
    bool locked;                   /* its row is ours in this transaction */
    int64_t added;                 /* rows that TABLE has more by it */
} dlc_wh_place;

/* One row of a chunk. */
typedef struct dlc_wh_line {
    int64_t offset;       /* of its message */
    dl_time time;         /* Kafka timestamp of it */
    size_t payload_at;    /* where its bytes begin in payloads */
    uint32_t payload_len; /* kept bytes; 0: not kept */
    uint32_t len;         /* bytes of the row */
    uint32_t children[DL_DATASET_CHILDREN]; /* bytes of rows of its children */
    size_t at;                              /* where it begins in data */
    bool out; /* it is not stored: repeat or refused */
} dlc_wh_line;

/* Rows, one behind the other; from malloc. */
typedef struct dlc_wh_text {
    char *data;  /* they */
    size_t len;  /* bytes of them */
    size_t room; /* allocated */
} dlc_wh_text;

/* Rows of one partition, in offset order; all memory from malloc. */
typedef struct dlc_wh_chunk {
    dlc_wh_place *place;  /* whose */
    int64_t first;        /* first offset its batch saw of the partition */
    char *data;           /* rows, one behind the other */
    size_t len, room;     /* of data */
    dlc_wh_line *lines;   /* one a row */
    size_t n, lines_room; /* of lines */
    char *payloads;       /* messages as received, when careful */
    size_t payloads_len;  /* in use */
    size_t payloads_room; /* allocated */
    dlc_wh_text children[DL_DATASET_CHILDREN]; /* rows of other tables, those of
                                                * a line together, in order */
} dlc_wh_chunk;

/* How far a batch brings one partition. */
typedef struct dlc_wh_mark {
    dlc_wh_place *place; /* which */
    int64_t first;       /* first offset the batch saw */
    int64_t next;        /* first offset behind it */
    int64_t from;        /* set by the commit: next_offset before */
} dlc_wh_mark;

/* Rows that a transaction stored in one table. */
typedef struct dlc_wh_count {
    dl_stats_value *slot; /* of the table */
    int64_t rows;         /* how many */
} dlc_wh_count;

/* What one transaction stores. */
typedef struct dlc_wh_batch {
    dlc_wh_mark *marks;   /* partitions it moves, malloc; made at its end */
    int n;                /* of marks */
    dlc_spend *spend;     /* what its rows add up to; the putting thread's */
    dlc_spend *excluded;  /* what rows that were not stored take back */
    dlc_wh_count *stored; /* what the transaction stored, malloc */
    int n_stored;         /* of stored */
    int64_t refused;      /* dead letters */
    bool adjusted;        /* it wrote to rollup_adjust */
} dlc_wh_batch;

/* The connection that stores batches. */
typedef struct dlc_wh_fact {
    const dl_config *cfg;        /* [warehouse] */
    dl_wh *wh;                   /* NULL: not connected */
    apr_pool_t *parent;          /* connections live in children of it */
    apr_pool_t *pool;            /* of this connection */
    const dlc_wh_table **tables; /* all known, for their staging tables */
    int n_tables;                /* how many */
    int64_t rates_revision;      /* rows were converted at this one */
    bool local;                  /* LOAD DATA LOCAL works */
    bool hurry;                  /* another of ours loads too: wait for locks
                                  * two seconds, not as long as usual */
    bool hurried;                /* the connection has been told so */
    bool open;                   /* a transaction is open */
    dlc_wh_place **locked;       /* places locked in this transaction, malloc */
    int n_locked, locked_room;   /* of them */
    dlc_wh_text text;            /* scratch: rows */
    dlc_wh_text sql;             /* scratch: an INSERT */
} dlc_wh_fact;

/* Connect FACT when it is not: schema, durability of commits (rule E7) and
 * LOCAL are looked at, staging tables are made.  DL_UNAVAILABLE: not reached;
 * DL_UNSUPPORTED: not our schema, or commits are not flushed. */
DL_MUSTCHECK dl_status dlc_wh_fact_connect(dlc_wh_fact *fact, dl_error *err);

/* Close the connection of FACT; what was not committed is gone. */
void dlc_wh_fact_disconnect(dlc_wh_fact *fact);

/* Make the staging table of TABLE on the connection. */
DL_MUSTCHECK dl_status dlc_wh_fact_stage(dlc_wh_fact *fact,
                                         const dlc_wh_table *table,
                                         dl_error *err);

/* Store CHUNK of BATCH in the open transaction, or in a new one.  Rows that
 * are not stored are marked out and taken back in BATCH->excluded.  DL_RETRY:
 * a lost race, rates have changed, or a row was refused whose payload was not
 * kept; everything since the last commit has to be put again. */
DL_MUSTCHECK dl_status dlc_wh_fact_store(dlc_wh_fact *fact, dlc_wh_batch *batch,
                                         dlc_wh_chunk *chunk, dl_error *err);

/* Move the offsets of BATCH and commit.  DL_CONFLICT: another program owns a
 * partition now.  DL_UNAVAILABLE: open whether it happened; the next lock of
 * each partition finds out. */
DL_MUSTCHECK dl_status dlc_wh_fact_commit(dlc_wh_fact *fact,
                                          dlc_wh_batch *batch, dl_error *err);

/* Give the open transaction up, if there is one. */
void dlc_wh_fact_abort(dlc_wh_fact *fact);

/* Return a new chunk of PLACE, from malloc, for a batch that saw it from offset
 * FIRST on. */
dlc_wh_chunk *dlc_wh_chunk_create(dlc_wh_place *place, int64_t first);

/* Return the bytes of memory that CHUNK holds for rows and payloads. */
size_t dlc_wh_chunk_room(const dlc_wh_chunk *chunk);

/* Have room in TEXT for MORE bytes behind its own. */
void dlc_wh_text_reserve(dlc_wh_text *text, size_t more);

/* Free CHUNK and the bytes it holds; NULL is nothing. */
void dlc_wh_chunk_destroy(dlc_wh_chunk *chunk);

/* Count ROWS of PLACE as stored by BATCH. */
void dlc_wh_batch_stored(dlc_wh_batch *batch, const dlc_wh_place *place,
                         int64_t rows);

/* Return an empty batch, from malloc. */
dlc_wh_batch *dlc_wh_batch_create(void);

/* Free BATCH with its sums and marks; NULL is nothing. */
void dlc_wh_batch_destroy(dlc_wh_batch *batch);

#endif
