/* mdl_search.h - Searching the lake's lines: what both searches share.
 *
 * At most MDL_SEARCH_PLACES searches run at once in a whole server, because
 * each of them may read for MDL_SEARCH_LIMIT_S; the next is 503 overloaded.
 * A search that has run out of time answers what it found, says so with
 * X-Truncated, and its cursor goes on where it stopped.
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
#include "dl_search.h"
#include "mdl_request.h"
#include "mdl_walk.h"

/* Searches at a time in the whole server. */
#define MDL_SEARCH_PLACES 4

/* Seconds after which a search answers what it has. */
#define MDL_SEARCH_LIMIT_S 10

/* Most bytes of a text to look for. */
#define MDL_SEARCH_TEXT 256

/* One search. */
typedef struct mdl_search {
    mdl_request *q;    /* the request */
    dl_search *search; /* the text */
    bool values;       /* look at values alone, else at all of the line */
    int64_t until_us;  /* monotonic time at which it stops */
    uint64_t lines;    /* lines read so far */
    bool cut;          /* it has stopped before the end */
} mdl_search;

/* Make the places, kept over graceful restarts.  DL_IO: no shared memory.
 * Thread: start only. */
DL_MUSTCHECK dl_status mdl_search_open(const server_rec *server, dl_error *err);

/* Set *SEARCH to a new one for TEXT, looking at VALUES alone or at whole
 * lines, and take a place, which is given back with the request.  Returns OK
 * or the status of a problem: 400, 503. */
int mdl_search_begin(mdl_search **search, mdl_request *q, const char *text,
                     bool values);

/* Set *LINE and *DAY to the next match of SEARCH in WALK; line->text is NULL
 * at the end and when the time is over (search->cut).  DL_IO: the client is
 * gone; else as mdl_walk_next. */
DL_MUSTCHECK dl_status mdl_search_next(dl_lake_line *line, dl_day *day,
                                       mdl_search *search, mdl_walk *walk,
                                       dl_error *err);

#endif
