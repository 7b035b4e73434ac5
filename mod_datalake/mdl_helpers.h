/* mdl_helpers.h - Threads of a child that help requests to search.
 *
 * A search cuts its lines into units of at most one stretch
 * (dl_lake_stretch.h), in order.  The request's thread works on them, and so
 * does whichever helper is idle; results are used in order, so that helping
 * changes nothing but the time.  Without helpers, or when all of them help
 * others, the request does everything itself.
 *
 * Bounds: a team plans at most MDL_UNITS units, which is 4 MB of lines, beyond
 * the one whose results are used; a unit keeps what it found, never more bytes
 * than it read.
 *
 * A helper that is asked to stop ends the unit it works on, some hundred
 * microseconds.  Helpers end with the child; requests that still run then go
 * on alone.
 *
 * Thread: as each function says.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_HELPERS_H
#define MDL_HELPERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_buf.h"
#include "dl_error.h"
#include "dl_lake_stretch.h"
#include "dl_search.h"
#include "dl_time.h"

/* Units that a team has at a time. */
#define MDL_UNITS 16

/* A line that was found. */
typedef struct mdl_found {
    uint64_t line; /* its number in the day */
    size_t at;     /* where its text begins in the unit's texts */
    size_t len;    /* bytes of it */
} mdl_found;

/* What a unit is waiting for. */
typedef enum mdl_unit_state {
    MDL_UNIT_READY, /* to be worked on */
    MDL_UNIT_TAKEN, /* being worked on */
    MDL_UNIT_DONE   /* its results can be used */
} mdl_unit_state;

/* Some lines of a day, and what was found in them.  STATE is guarded by the
 * helpers' mutex; the rest is its worker's while it is taken, else the
 * request's. */
typedef struct mdl_unit {
    mdl_unit_state state;    /* where it stands */
    dl_lake_stretch stretch; /* the lines; released when done */
    dl_day day;              /* their day */
    uint64_t last;           /* number of the last of them */
    dl_status status;        /* DL_OK, or why they could not be searched */
    dl_error err;            /* the same in words */
    mdl_found *found;        /* lines found, in order; malloc */
    size_t n_found;          /* how many */
    size_t found_room;       /* bytes allocated */
    dl_buf *texts;           /* their texts */
} mdl_unit;

/* Append to OUT what is kept of a line found, the line LINE of DAY, which
 * SEARCH looked at last (dl_search_excerpt).  Thread: any. */
typedef dl_status mdl_sought_write(dl_buf *out, dl_day day, uint64_t line,
                                   const dl_search *search, dl_error *err);

/* What is searched for. */
typedef struct mdl_sought {
    const char *text;        /* the text */
    dl_search *search;       /* the search for it of the request's thread */
    mdl_sought_write *write; /* in the text of lines, and keep what this
                                writes; NULL: in values, and keep the lines */
    size_t most;             /* lines found after which a unit ends */
} mdl_sought;

/* One search's units. */
typedef struct mdl_team mdl_team;

/* Start N helpers, 0 or more, that end with CHILD_POOL.  DL_INTERNAL: the
 * system refuses a thread.  Thread: child start only. */
DL_MUSTCHECK dl_status mdl_helpers_start(int n, dl_error *err,
                                         apr_pool_t *child_pool);

/* Return a team without units that looks for SOUGHT; it ends with POOL,
 * waiting for its helpers.  Thread: the request's. */
mdl_team *mdl_team_create(const mdl_sought *sought, apr_pool_t *pool);

/* Return room for one more unit, of which the caller sets STRETCH and DAY and
 * then calls mdl_team_add; NULL: there are MDL_UNITS.  Thread: the request's.
 */
mdl_unit *mdl_team_next(mdl_team *team);

/* Let the unit that mdl_team_next returned be worked on; HELPED: by helpers,
 * too.  Thread: the request's. */
void mdl_team_add(mdl_team *team, bool helped);

/* Return how many units TEAM has.  Thread: the request's. */
unsigned mdl_team_units(const mdl_team *team);

/* Return the first unit of TEAM, done; work on units until it is.  NULL: there
 * is none.  Thread: the request's. */
mdl_unit *mdl_team_first(mdl_team *team);

/* Forget the first unit of TEAM, which is done.  Thread: the request's. */
void mdl_team_drop(mdl_team *team);

/* Forget all units of TEAM.  Thread: the request's. */
void mdl_team_clear(mdl_team *team);

#endif
