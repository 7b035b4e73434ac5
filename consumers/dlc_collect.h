/* dlc_collect.h - What a source of datalake-collect is: rows, and where they
 * stand.
 *
 * A reader reads one source.  Its rows come from items, one at a time: a file,
 * a table.  Rows of an item have numbers that rise (bytes up to the end of the
 * row; a key), and the same row has the same number whenever it is read.
 *
 * The collector (dlc_collect_run.h) sends a row with the header
 *
 *     dl-source-pos: NAME TURN NUMBER
 *
 * where a turn is a stretch of one item.  (TURN, NUMBER) rises from row to
 * row, and what a collector that was killed sends again has what it had: so
 * the lake knows repeats (core/FORMAT.md 6).  Two rules make that true.
 *
 * 1. Before the first row of another item, or of the same one read anew
 *    because it is not what it was, next() answers DLC_COLLECT_TURN.  The
 *    collector then waits until every row is with the broker and stores in one
 *    transaction how far the old item is read and that a new turn has begun.
 * 2. A reader that is made again begins with the item of the turn, behind the
 *    stored position, without TURN; only when that item is gone, or is not
 *    what it was, with TURN.
 *
 * A source without positions (a socket) gives rows whose number is 0, never
 * answers TURN, and what is in hand when it is killed is lost.
 *
 * Thread: a reader belongs to one thread, for all of its calls.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_COLLECT_H
#define DLC_COLLECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_config_source.h"
#include "dl_error.h"
#include "dl_mapping.h"
#include "dl_split.h"

/* Room for the name of an item and for a position, with their NUL: columns of
 * collector_state. */
#define DLC_COLLECT_ITEM     192
#define DLC_COLLECT_POSITION 256

/* The longest row; what is longer is a broken row of its first so many
 * bytes, and so a dead letter too-big. */
#define DLC_COLLECT_ROW_MAX DL_SPLIT_MAX

/* One row.  All of it is valid until the next call of the reader, the columns
 * until a row comes with others. */
typedef struct dlc_collect_row {
    const dl_mapping_columns *columns; /* of CELLS; NULL: the row is OBJECT */
    const dl_cell *cells;              /* one for each column */
    const char *object;                /* a text that ought to be a JSON object;
                                       * of a row without columns */
    size_t object_len;                 /* bytes of it */
    const char *raw;                   /* as it stands in the source */
    size_t raw_len;                    /* bytes of it */
    const char *broken; /* why it cannot be read: RAW is sent; NULL: good */
    uint64_t number;    /* rises within a turn, below 2^63; 0: no position */
    uint64_t line;      /* where it begins, from 1; 0: not known */
    const char *place;  /* for people: name of the file, of the table */
} dlc_collect_row;

/* What next() has. */
typedef enum dlc_collect_got {
    DLC_COLLECT_ROW,  /* a row */
    DLC_COLLECT_NONE, /* nothing now: ask again after a pause */
    DLC_COLLECT_TURN, /* rows of another item follow: see above */
    DLC_COLLECT_END   /* nothing will ever come (not when following) */
} dlc_collect_got;

/* One remembered position. */
typedef struct dlc_collect_position {
    const char *item; /* which item */
    const char *text; /* what tell() had said of it */
} dlc_collect_position;

/* What was stored of a source. */
typedef struct dlc_collect_memory {
    int n;                             /* positions */
    const dlc_collect_position *items; /* by item */
    const char *item; /* of the turn that was under way; NULL: none ever */
} dlc_collect_memory;

/* A reader, made by a source's create function. */
typedef struct dlc_collect_reader dlc_collect_reader;

/* What a reader does. */
typedef struct dlc_collect_reader_calls {
    /* Set *GOT, and *ROW if that is a row.  May block for about a second.
     * DL_UNAVAILABLE, DL_BUSY, DL_TIMEOUT: the source is away for now, ask
     * again later; anything else: it cannot be read, and why. */
    dl_status (*next)(dlc_collect_got *got, dlc_collect_row *row,
                      dlc_collect_reader *reader, dl_error *err);

    /* Copy the name of the item that rows come from, or behind a TURN will
     * come from, to ITEM, and the position behind the last row that next()
     * gave (behind a TURN: where it begins) to TEXT: visible ASCII; of a
     * reader with positions alone, and not behind the END. */
    void (*tell)(char item[DLC_COLLECT_ITEM], char text[DLC_COLLECT_POSITION],
                 const dlc_collect_reader *reader);

    /* Behind a TURN or the END: copy the name of the item that was left, and
     * the position behind all of it that was read; false: there was none.
     * NULL: no item is ever left. */
    bool (*left)(char item[DLC_COLLECT_ITEM], char text[DLC_COLLECT_POSITION],
                 const dlc_collect_reader *reader);

    /* Copy the name of an item that was seen for the first time, and the
     * position at its beginning, which is stored at once: it may be renamed
     * before it is read; false: there is none.  NULL: items are not seen
     * before they are read. */
    bool (*fresh)(char item[DLC_COLLECT_ITEM], char text[DLC_COLLECT_POSITION],
                  dlc_collect_reader *reader);

    /* Copy the name of an item that is gone for good, so that its position
     * can be forgotten, to ITEM; false: there is none.  NULL: items stay. */
    bool (*gone)(char item[DLC_COLLECT_ITEM], dlc_collect_reader *reader);

    /* Set *DONE and *TOTAL to how much of what is known now was read, in any
     * unit, for a progress bar; *TOTAL 0: not known. */
    void (*progress)(int64_t *done, int64_t *total,
                     const dlc_collect_reader *reader);

    /* Return how many lines the source lost since the last call; NULL: it
     * loses none. */
    int64_t (*lost)(dlc_collect_reader *reader);
} dlc_collect_reader_calls;

/* A reader; each kind has more behind it. */
struct dlc_collect_reader {
    const dlc_collect_reader_calls *calls; /* what it does */
    bool positions;                        /* its rows have numbers */
};

/* What a reader is made for. */
typedef struct dlc_collect_plan {
    const dl_config_source *source;   /* its section */
    const dlc_collect_memory *memory; /* what was stored */
    bool follow;  /* wait for more, for ever; else END at the end of what is
                  * there, where a last line without its end is whole */
    bool preview; /* rows are looked at and not sent: none is held back */
} dlc_collect_plan;

/* Set *READER to one for PLAN, by the type of its source; it lives in POOL and
 * holds what PLAN points to.  Nothing is opened yet that can be away for a
 * while.  DL_INVALID: its section cannot be followed. */
DL_MUSTCHECK dl_status dlc_collect_reader_create(dlc_collect_reader **reader,
                                                 const dlc_collect_plan *plan,
                                                 dl_error *err,
                                                 apr_pool_t *pool);

/* The readers of each type, as dlc_collect_reader_create calls them. */
DL_MUSTCHECK dl_status dlc_collect_file_create(dlc_collect_reader **reader,
                                               const dlc_collect_plan *plan,
                                               dl_error *err, apr_pool_t *pool);

/* Likewise of a table of an SQLite file. */
DL_MUSTCHECK dl_status dlc_collect_sqlite_create(dlc_collect_reader **reader,
                                                 const dlc_collect_plan *plan,
                                                 dl_error *err,
                                                 apr_pool_t *pool);

/* Likewise of a table of a server. */
DL_MUSTCHECK dl_status dlc_collect_mysql_create(dlc_collect_reader **reader,
                                                const dlc_collect_plan *plan,
                                                dl_error *err,
                                                apr_pool_t *pool);

/* Likewise of what senders send. */
DL_MUSTCHECK dl_status dlc_collect_socket_create(dlc_collect_reader **reader,
                                                 const dlc_collect_plan *plan,
                                                 dl_error *err,
                                                 apr_pool_t *pool);

#endif
