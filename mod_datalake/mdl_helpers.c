/* mdl_helpers.c - Units, their order, and the threads that work on them.
 *
 * One mutex guards the states of all units and the list of teams; whoever
 * works on a unit holds it only to take the unit and to give it back.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_helpers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "dl_thread.h"

/* Most helpers of a child. */
#define HELPERS 16

/* Most bytes of texts that a unit keeps: of a stretch, or of one long line, all
 * of it escaped. */
#define UNIT_TEXTS ((size_t)8 * 1048576)

struct mdl_team {
    mdl_team *next;               /* another team that may be helped */
    mdl_sought sought;            /* what for */
    dl_lake_room room;            /* of the request's thread */
    bool listed;                  /* helpers know it */
    int first;                    /* place of the first unit */
    int n;                        /* units */
    pthread_cond_t done;          /* a helper has done a unit */
    dl_search *searches[HELPERS]; /* of helpers; made before it is listed */
    apr_pool_t *pool;             /* lives as long as the team */
    mdl_unit units[MDL_UNITS];    /* a ring */
};

/* One helper. */
typedef struct helper {
    pthread_t thread;  /* it */
    int i;             /* its number */
    dl_lake_room room; /* its bytes */
} helper;

/* The helpers of this process. */
static struct {
    pthread_mutex_t mutex;   /* guards what is said to be guarded */
    pthread_cond_t wanted;   /* a unit is ready, or all shall stop */
    bool stop;               /* all shall stop */
    mdl_team *teams;         /* those that may be helped */
    int n;                   /* helpers; constant but at start and stop */
    helper helpers[HELPERS]; /* they */
} all = {.mutex = PTHREAD_MUTEX_INITIALIZER,
         .wanted = PTHREAD_COND_INITIALIZER};

/* --- Working on a unit ----------------------------------------------------- */

/* Return MEMORY of at least WANTED bytes; *ROOM is what it has. */
static void *grown(void *memory, size_t *room, size_t wanted)
{
    size_t size = *room == 0 ? 4096 : *room;

    if (wanted <= *room) {
        return memory;
    }
    while (size < wanted) {
        size *= 2;
    }
    memory = realloc(memory, size);
    if (memory == NULL) {
        abort();
    }
    *room = size;
    return memory;
}

/* Append LINE to what U has found. */
static dl_status add_found(mdl_unit *u, const dl_search_line *line,
                           const dl_search *search, mdl_sought_write *write)
{
    size_t at = u->texts->len;
    mdl_found *found;

    if (write == NULL) {
        DL_TRY(dl_buf_append(u->texts, line->text, line->len, &u->err));
    }
    else {
        DL_TRY(write(u->texts, u->day, line->line, search, &u->err));
    }
    u->found =
        grown(u->found, &u->found_room, (u->n_found + 1) * sizeof *u->found);
    found = &u->found[u->n_found++];
    found->line = line->line;
    found->at = at;
    found->len = u->texts->len - at;
    return DL_OK;
}

/* Search the LEN bytes at DATA, the lines of U. */
static dl_status search_lines(mdl_unit *u, dl_search *search, const char *data,
                              size_t len, const mdl_sought *sought)
{
    dl_search_lines lines;
    dl_search_line line;

    dl_search_lines_begin(&lines, data, len, u->stretch.line);
    while (u->n_found < sought->most &&
           dl_search_lines_next(&line, &lines, search, sought->write == NULL)) {
        DL_TRY(add_found(u, &line, search, sought->write));
    }
    return DL_OK;
}

/* Work on U with SEARCH and ROOM. */
static void work(mdl_unit *u, dl_search *search, dl_lake_room *room,
                 const mdl_sought *sought)
{
    const char *data;
    size_t len;

    u->status = dl_lake_stretch_read(&data, &len, &u->stretch, room, &u->err);
    dl_lake_stretch_release(&u->stretch);
    if (u->status == DL_OK) {
        u->status = search_lines(u, search, data, len, sought);
    }
}

/* Take the first unit of TEAM that is ready; NULL: none is.  The mutex is
 * held. */
static mdl_unit *take(mdl_team *team)
{
    int i;

    for (i = 0; i < team->n; i++) {
        mdl_unit *u = &team->units[(team->first + i) % MDL_UNITS];

        if (u->state == MDL_UNIT_READY) {
            u->state = MDL_UNIT_TAKEN;
            return u;
        }
    }
    return NULL;
}

/* --- Helpers ---------------------------------------------------------------- */

/* Move TEAM, which is listed behind WHERE, to the end of the list, so that
 * each is helped in turn.  The mutex is held. */
static void move_back(mdl_team **where, mdl_team *team)
{
    *where = team->next;
    while (*where != NULL) {
        where = &(*where)->next;
    }
    *where = team;
    team->next = NULL;
}

/* Take a ready unit of any team into *U; return the team, NULL: none.  The
 * mutex is held. */
static mdl_team *take_any(mdl_unit **u)
{
    mdl_team **where = &all.teams;

    while (*where != NULL) {
        mdl_team *team = *where;

        *u = take(team);
        if (*u != NULL) {
            move_back(where, team);
            return team;
        }
        where = &team->next;
    }
    return NULL;
}

static void *help(void *data)
{
    helper *me = data;

    pthread_mutex_lock(&all.mutex);
    while (!all.stop) {
        mdl_unit *u;
        mdl_team *team = take_any(&u);

        if (team == NULL) {
            pthread_cond_wait(&all.wanted, &all.mutex);
            continue;
        }
        pthread_mutex_unlock(&all.mutex);
        work(u, team->searches[me->i], &me->room, &team->sought);
        pthread_mutex_lock(&all.mutex);
        u->state = MDL_UNIT_DONE;
        pthread_cond_signal(&team->done);
    }
    pthread_mutex_unlock(&all.mutex);
    dl_lake_room_free(&me->room);
    return NULL;
}

static apr_status_t stop_all(void *unused)
{
    int n;
    int i;

    (void)unused;
    pthread_mutex_lock(&all.mutex);
    all.stop = true;
    n = all.n;
    all.n = 0;
    pthread_cond_broadcast(&all.wanted);
    pthread_mutex_unlock(&all.mutex);
    for (i = 0; i < n; i++) {
        pthread_join(all.helpers[i].thread, NULL);
    }
    return APR_SUCCESS;
}

dl_status mdl_helpers_start(int n, dl_error *err, apr_pool_t *child_pool)
{
    all.stop = false;
    apr_pool_pre_cleanup_register(child_pool, NULL, stop_all);
    while (all.n < n && all.n < HELPERS) {
        helper *made = &all.helpers[all.n];

        made->i = all.n;
        DL_TRY(
            dl_thread_start(&made->thread, help, made, "helps searches", err));
        all.n++;
    }
    return DL_OK;
}

/* --- Teams ------------------------------------------------------------------ */

/* Take TEAM off the list, so that no helper takes another unit of it, and wait
 * for those that were taken. */
static void leave(mdl_team *team)
{
    mdl_team **where = &all.teams;
    int i;

    pthread_mutex_lock(&all.mutex);
    while (*where != NULL && *where != team) {
        where = &(*where)->next;
    }
    if (*where != NULL) {
        *where = (*where)->next;
    }
    team->listed = false;
    for (i = 0; i < MDL_UNITS; i++) {
        while (team->units[i].state == MDL_UNIT_TAKEN) {
            pthread_cond_wait(&team->done, &all.mutex);
        }
    }
    pthread_mutex_unlock(&all.mutex);
}

void mdl_team_clear(mdl_team *team)
{
    leave(team);
    for (; team->n > 0; team->n--) {
        mdl_unit *u = &team->units[team->first];

        if (u->state == MDL_UNIT_READY) {
            dl_lake_stretch_release(&u->stretch);
        }
        team->first = (team->first + 1) % MDL_UNITS;
    }
}

static apr_status_t end_team(void *data)
{
    mdl_team *team = data;
    int i;

    mdl_team_clear(team);
    for (i = 0; i < MDL_UNITS; i++) {
        free(team->units[i].found);
    }
    dl_lake_room_free(&team->room);
    pthread_cond_destroy(&team->done);
    return APR_SUCCESS;
}

mdl_team *mdl_team_create(const mdl_sought *sought, apr_pool_t *pool)
{
    mdl_team *made = apr_pcalloc(pool, sizeof *made);

    made->sought = *sought;
    made->pool = pool;
    pthread_cond_init(&made->done, NULL);
    /* Before what helpers write to is freed, which was made in POOL later. */
    apr_pool_pre_cleanup_register(pool, made, end_team);
    return made;
}

/* Let helpers know TEAM, if there are any. */
static void list_team(mdl_team *team)
{
    const char *text = team->sought.text;
    dl_error err;
    int n;
    int i;

    pthread_mutex_lock(&all.mutex);
    n = all.n;
    pthread_mutex_unlock(&all.mutex);
    for (i = 0; i < n; i++) {
        if (team->searches[i] == NULL &&
            dl_search_create(&team->searches[i], text, strlen(text), &err,
                             team->pool) != DL_OK) {
            return; /* it goes on alone */
        }
    }
    if (n > 0) {
        pthread_mutex_lock(&all.mutex);
        team->next = all.teams;
        all.teams = team;
        team->listed = true;
        pthread_mutex_unlock(&all.mutex);
    }
}

mdl_unit *mdl_team_next(mdl_team *team)
{
    mdl_unit *u = &team->units[(team->first + team->n) % MDL_UNITS];

    if (team->n == MDL_UNITS) {
        return NULL;
    }
    if (u->texts == NULL) {
        u->texts = dl_buf_create(UNIT_TEXTS, team->pool);
    }
    u->n_found = u->texts->len = 0;
    return u;
}

void mdl_team_add(mdl_team *team, bool helped)
{
    mdl_unit *u = &team->units[(team->first + team->n) % MDL_UNITS];

    if (helped && !team->listed) {
        list_team(team);
    }
    u->last = u->stretch.line + u->stretch.lines - 1;
    pthread_mutex_lock(&all.mutex);
    u->state = MDL_UNIT_READY;
    team->n++;
    if (team->listed) {
        pthread_cond_signal(&all.wanted);
    }
    pthread_mutex_unlock(&all.mutex);
}

unsigned mdl_team_units(const mdl_team *team)
{
    return (unsigned)team->n;
}

mdl_unit *mdl_team_first(mdl_team *team)
{
    mdl_unit *first = &team->units[team->first];

    if (team->n == 0) {
        return NULL;
    }
    pthread_mutex_lock(&all.mutex);
    while (first->state != MDL_UNIT_DONE) {
        mdl_unit *u = take(team);

        if (u == NULL) {
            pthread_cond_wait(&team->done, &all.mutex);
            continue;
        }
        pthread_mutex_unlock(&all.mutex);
        work(u, team->sought.search, &team->room, &team->sought);
        pthread_mutex_lock(&all.mutex);
        u->state = MDL_UNIT_DONE;
    }
    pthread_mutex_unlock(&all.mutex);
    return first;
}

void mdl_team_drop(mdl_team *team)
{
    pthread_mutex_lock(&all.mutex);
    team->first = (team->first + 1) % MDL_UNITS;
    team->n--;
    pthread_mutex_unlock(&all.mutex);
}
