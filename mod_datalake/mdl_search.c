/* mdl_search.c - Places, time and the walk from match to match.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_search.h"

#include <string.h>

#include "dl_time.h"
#include "mdl_http.h"
#include "mdl_places.h"
#include "mdl_problem.h"
#include "mdl_shm.h"

/* Lines between two looks at clock and connection. */
#define LOOK_EVERY 256

/* A place held for this many seconds is taken from its holder: longer than a
 * search and the sending of its answer take. */
#define HELD_S 120

/* Set at start, constant in the children. */
static _Atomic uint64_t *places;

dl_status mdl_search_open(const server_rec *server, dl_error *err)
{
    void *memory;

    DL_TRY(mdl_shm_open(&memory, "searches", sizeof *places * MDL_SEARCH_PLACES,
                        server, err));
    places = memory;
    return DL_OK;
}

static apr_status_t leave(void *data)
{
    mdl_places_give(data);
    return APR_SUCCESS;
}

int mdl_search_begin(mdl_search **search, mdl_request *q, const char *text,
                     bool values)
{
    mdl_search *made = apr_pcalloc(q->r->pool, sizeof *made);
    mdl_held *held = apr_pcalloc(q->r->pool, sizeof *held);
    dl_error err = {DL_OK, 0, ""};

    if (dl_search_create(&made->search, text, strlen(text), &err, q->r->pool) !=
        DL_OK) {
        return mdl_http_fail(q, MDL_LAKE, &err);
    }
    if (!mdl_places_take(held, places, MDL_SEARCH_PLACES, HELD_S)) {
        return mdl_problem(q, MDL_PROBLEM_OVERLOADED,
                           "%d searches are running already.",
                           MDL_SEARCH_PLACES);
    }
    apr_pool_cleanup_register(q->r->pool, held, leave, apr_pool_cleanup_null);
    made->q = q;
    made->values = values;
    made->until_us =
        dl_time_monotonic_us() + INT64_C(1) * MDL_SEARCH_LIMIT_S * DL_SECOND_US;
    *search = made;
    return OK;
}

/* Look up from the lines: whether the client waits and there is time. */
static dl_status look_up(mdl_search *search, dl_error *err)
{
    if (search->lines++ % LOOK_EVERY != 0) {
        return DL_OK;
    }
    if (search->q->r->connection->aborted) {
        return dl_fail(err, DL_IO, 0, "the client is gone");
    }
    search->cut = dl_time_monotonic_us() > search->until_us;
    return DL_OK;
}

static bool matches(const mdl_search *search, const dl_lake_line *line)
{
    return search->values
               ? dl_search_values(search->search, line->text, line->len)
               : dl_search_text(search->search, line->text, line->len);
}

dl_status mdl_search_next(dl_lake_line *line, dl_day *day, mdl_search *search,
                          mdl_walk *walk, dl_error *err)
{
    do {
        DL_TRY(look_up(search, err));
        line->text = NULL;
        if (search->cut) {
            return DL_OK;
        }
        DL_TRY(mdl_walk_next(line, day, walk, err));
    } while (line->text != NULL && !matches(search, line));
    return DL_OK;
}
