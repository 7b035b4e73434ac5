/* mdl_search.h - Searching the lake's lines: what both searches share.
 *
 * At most MDL_SEARCH_PLACES searches run at once in a whole server, because
 * each of them may read for DataLakeSearchLimit; the next is 503 overloaded.
 * A place is held while lines are read, not while the answer is sent.  A
 * search that has run out of time answers what it found, says so with
 * X-Truncated, and its cursor goes on where it stopped; it has always looked at
 * one stretch of lines, so that whoever follows the cursors comes to the end.
 *
 * The first lines are the request's alone; they tell how many more the page will
 * take, and when these are some, the child's helpers join in (mdl_helpers.h).
 * When the page is full a search
 * looks on for at most one MB whether there is another match, and then answers
 * that there may be.
 *
 * Thread: the request's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_SEARCH_H
#define MDL_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#include <httpd.h>

#include "dl_error.h"
#include "dl_lake_hint.h"
#include "dl_search.h"
#include "mdl_helpers.h"
#include "mdl_request.h"
#include "mdl_walk.h"

struct mdl_held;

/* Searches at a time in the whole server. */
#define MDL_SEARCH_PLACES 4

/* Most bytes of a text to look for. */
#define MDL_SEARCH_TEXT 256

/* One search. */
typedef struct mdl_search {
    mdl_request *q;           /* the request */
    const dl_lake_hint *hint; /* what all matches have; for its walks */
    bool cut;                 /* the time was over before the end */
    bool ended;               /* the walk has no more lines */
    mdl_place place;          /* all matches up to this line were given */
    struct mdl_held *held;    /* private: its place */
    mdl_team *team;           /* private: units of lines */
    mdl_walk *walk;           /* private: where the lines come from */
    bool planned;             /* private: all its lines are in units */
    const mdl_unit *unit;     /* private: whose matches are being given */
    size_t next;              /* private: the next of them */
    int64_t until_us;         /* private: monotonic time it stops at */
    uint64_t limit;           /* private: matches of the page */
    uint64_t given;           /* private: matches given */
    uint64_t units;           /* private: units they came from */
    uint64_t bytes;           /* private: searched */
    uint64_t looked;          /* private: of them at the last look up */
    uint64_t most;            /* private: at which to stop */
} mdl_search;

/* One match. */
typedef struct mdl_match {
    mdl_place place;  /* its line */
    const char *text; /* what was written of it, or the line when looking at
                         values; lives until the next call; NULL: none is
                         left */
    size_t len;       /* bytes of it */
} mdl_match;

/* Make the places, kept over graceful restarts.  DL_IO: no shared memory.
 * Thread: start only. */
DL_MUSTCHECK dl_status mdl_search_open(const server_rec *server, dl_error *err);

/* Start the helpers of this child, for SERVERS, which end with CHILD_POOL.
 * DL_INTERNAL: the system refuses; searches go on without.  Thread: child start
 * only. */
DL_MUSTCHECK dl_status mdl_search_start(const server_rec *servers,
                                        dl_error *err, apr_pool_t *child_pool);

/* Set *SEARCH to a new one for TEXT, looking at whole lines and keeping what
 * WRITE writes of them, or (NULL) at values alone and keeping lines, for a page
 * of LIMIT matches, and take a place.  Returns OK or the status of a problem:
 * 400, 503. */
int mdl_search_begin(mdl_search **search, mdl_request *q, const char *text,
                     mdl_sought_write *write, int limit);

/* Let SEARCH go on with the lines of WALK, from behind the line at BEHIND. */
void mdl_search_walk(mdl_search *search, mdl_walk *walk, mdl_place behind);

/* Set *MATCH to the next match of SEARCH.  There is none at the end
 * (search->ended), when the time is over (search->cut), and when none is near
 * and the page is full.  DL_IO: the client is gone; else as mdl_walk_next. */
DL_MUSTCHECK dl_status mdl_search_next(mdl_match *match, mdl_search *search,
                                       dl_error *err);

/* The page of SEARCH is full: look on for a little whether there is more. */
void mdl_search_full(mdl_search *search);

/* Give the place and all units of SEARCH back: its page is found. */
void mdl_search_end(mdl_search *search);

#endif
