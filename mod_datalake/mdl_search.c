/* mdl_search.c - Places, time and the way from match to match.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_search.h"

#include <string.h>

#include "dl_time.h"
#include "mdl_client.h"
#include "mdl_config.h"
#include "mdl_http.h"
#include "mdl_places.h"
#include "mdl_problem.h"
#include "mdl_shm.h"
#include "mdl_site.h"

/* Bytes between two looks at the connection, bytes without a match that the
 * request reads before it is helped, and bytes it reads on when its page is
 * full.  The first is less than a unit has: helpers are ahead of the request,
 * and all that is read for a client that is gone is to be less than 1 MB. */
#define LOOK_BYTES  UINT64_C(131072)
#define ALONE_BYTES UINT64_C(262144)
#define AHEAD_BYTES UINT64_C(1048576)

/* Units that are worth a helper. */
#define HELPED_UNITS 3

/* Seconds for which a place is held beyond the time a search may take; then it
 * is taken from its holder. */
#define HELD_S 30

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

dl_status mdl_search_start(const server_rec *servers, dl_error *err,
                           apr_pool_t *child_pool)
{
    const server_rec *server;
    int threads = 1;

    for (server = servers; server != NULL; server = server->next) {
        const mdl_site *site = mdl_site_get(server);

        if (site != NULL && site->config->search_threads > threads) {
            threads = site->config->search_threads;
        }
    }
    return mdl_helpers_start(threads - 1, err, child_pool);
}

static apr_status_t leave(void *data)
{
    mdl_search_end(data);
    return APR_SUCCESS;
}

int mdl_search_begin(mdl_search **search, mdl_request *q, const char *text,
                     mdl_sought_write *write, int limit)
{
    apr_pool_t *pool = q->r->pool;
    int limit_s = q->site->config->search_limit_s;
    mdl_search *made = apr_pcalloc(pool, sizeof *made);
    mdl_sought sought = {
        .text = text, .write = write, .most = (size_t)limit + 1};
    dl_lake_hint *hint;
    dl_error err = {DL_OK, 0, ""};

    if (dl_search_create(&sought.search, text, strlen(text), &err, pool) !=
        DL_OK) {
        return mdl_http_fail(q, MDL_LAKE, &err);
    }
    made->held = apr_pcalloc(pool, sizeof *made->held);
    if (!mdl_places_take(made->held, places, MDL_SEARCH_PLACES,
                         limit_s + HELD_S)) {
        return mdl_problem(q, MDL_PROBLEM_OVERLOADED,
                           "%d searches are running already.",
                           MDL_SEARCH_PLACES);
    }
    made->q = q;
    made->limit = (uint64_t)limit;
    made->most = UINT64_MAX;
    made->until_us =
        dl_time_monotonic_us() + INT64_C(1) * limit_s * DL_SECOND_US;
    made->team = mdl_team_create(&sought, pool);
    apr_pool_cleanup_register(pool, made, leave, apr_pool_cleanup_null);
    dl_lake_hint_create(&hint, pool);
    dl_search_hint(sought.search, hint, write == NULL);
    made->hint = hint;
    *search = made;
    return OK;
}

void mdl_search_end(mdl_search *search)
{
    if (search->held != NULL) {
        mdl_team_clear(search->team);
        mdl_places_give(search->held);
        search->held = NULL;
    }
}

void mdl_search_walk(mdl_search *search, mdl_walk *walk, mdl_place behind)
{
    mdl_team_clear(search->team);
    search->walk = walk;
    search->place = behind;
    search->planned = search->ended = false;
    search->unit = NULL;
}

void mdl_search_full(mdl_search *search)
{
    search->most = search->bytes + AHEAD_BYTES;
}

/* Return how many units the page will still take, as far as one can tell from
 * those that were looked at. */
static uint64_t units_left(const mdl_search *search)
{
    if (search->most != UINT64_MAX) {
        return 1;
    }
    if (search->given == 0) {
        return search->bytes >= ALONE_BYTES ? MDL_UNITS : 1;
    }
    return (search->limit + 1 - search->given) * search->units / search->given +
           1;
}

/* Plan units: the next one alone, or all that are needed and fit when helpers
 * share them. */
static dl_status plan(mdl_search *search, dl_error *err)
{
    uint64_t left = units_left(search);
    bool helped = left >= HELPED_UNITS;
    mdl_unit *u;
    uint64_t n = mdl_team_units(search->team);

    while (!search->planned && (n == 0 || (helped && n < left)) &&
           (u = mdl_team_next(search->team)) != NULL) {
        DL_TRY(mdl_walk_plan(&u->stretch, &u->day, search->walk, err));
        if (u->stretch.lines == 0) {
            search->planned = true;
            break;
        }
        mdl_team_add(search->team, helped);
        n++;
    }
    return DL_OK;
}

/* Look up from the lines: whether the client waits, and there is time and use
 * for more of them; *STOP: there is not. */
static dl_status look_up(bool *stop, mdl_search *search, dl_error *err)
{
    if (search->bytes - search->looked >= LOOK_BYTES) {
        search->looked = search->bytes;
        if (mdl_client_gone(search->q)) {
            return dl_fail(err, DL_IO, 0, "the client is gone");
        }
    }
    *stop = search->bytes >= search->most;
    if (search->bytes > 0 && dl_time_monotonic_us() > search->until_us) {
        search->cut = search->most == UINT64_MAX;
        *stop = true;
    }
    return DL_OK;
}

/* Go behind the unit whose matches were all given. */
static void leave_unit(mdl_search *search)
{
    search->place = (mdl_place){search->unit->day, search->unit->last};
    search->bytes += search->unit->stretch.bytes;
    search->units++;
    search->unit = NULL;
    mdl_team_drop(search->team);
}

/* Have the matches of the next unit in search->unit, NULL: there is none or it
 * is not to be looked at. */
static dl_status next_unit(mdl_search *search, dl_error *err)
{
    bool stop = false;
    mdl_unit *u;

    DL_TRY(look_up(&stop, search, err));
    if (!stop || mdl_team_units(search->team) == 0) {
        DL_TRY(plan(search, err));
    }
    if (mdl_team_units(search->team) == 0) {
        search->ended = true;
        search->cut = false;
        return DL_OK;
    }
    if (stop) {
        return DL_OK;
    }
    u = mdl_team_first(search->team);
    if (u->status != DL_OK) {
        *err = u->err;
        return u->status;
    }
    search->unit = u;
    search->next = 0;
    return DL_OK;
}

dl_status mdl_search_next(mdl_match *match, mdl_search *search, dl_error *err)
{
    const mdl_found *found;

    while (search->unit == NULL || search->next == search->unit->n_found) {
        if (search->unit != NULL) {
            leave_unit(search);
        }
        DL_TRY(next_unit(search, err));
        if (search->unit == NULL) {
            match->text = NULL;
            return DL_OK;
        }
    }
    found = &search->unit->found[search->next++];
    match->place = (mdl_place){search->unit->day, found->line};
    match->text = search->unit->texts->data + found->at;
    match->len = found->len;
    search->given++;
    search->place = match->place;
    return DL_OK;
}
