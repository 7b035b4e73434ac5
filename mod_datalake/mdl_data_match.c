/* mdl_data_match.c - Matches in order of date and line: those of a page, and
 * how many there are.
 *
 * The days are gone through part by part.  What the child's cache knows of a
 * part is taken from there (dl_match_cache.h): the count of its matches, and
 * the lines of those that belong to the page.  What it does not know is read,
 * as far as it is needed, and told to the cache; so the page behind, or the
 * same count a moment later, reads what is new and nothing else.
 *
 * Memory: 16 bytes a record of the page, and FRESH lines that the cache is to
 * be told.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_data.h"

#include <string.h>

#include <httpd.h>

#include "dl_match_cache.h"
#include "mdl_lake.h"
#include "mdl_site.h"

/* How long a count may go on when nobody insists on it. */
#define AUTO_COUNT_US 1000000

/* Lines between two looks at the clock. */
#define LOOK_EVERY 64

/* Matches that are collected before the cache is told. */
#define FRESH 4096

/* A part of a day, as far as it belongs to the state. */
typedef struct stretch {
    dl_day day;      /* its day */
    uint64_t before; /* lines of the day before it */
    uint64_t lines;  /* how many it has */
    uint64_t from;   /* so many of them lie before the page */
} stretch;

/* A search. */
typedef struct search {
    mdl_data_page *page;       /* to be filled */
    const mdl_data_find *find; /* what is asked for */
    dl_match_cache *cache;     /* the child's */
    dl_match_key key;          /* of the stretch */
    bool counting;             /* all matches are wanted, from the first */
    uint64_t skip;             /* matches still to be passed over */
    uint64_t total;            /* matches so far */
    uint64_t looked;           /* lines judged */
    int64_t started;           /* monotonic time */
    mdl_walk *walk;            /* over what is not known */
    dl_lake_line line;         /* the line it gave last; text NULL: none */
    dl_day day;                /* its day */
    bool held;                 /* that line has not been judged yet */
    bool ended;                /* the walk has no more */
    bool done;                 /* left before the end */
    uint64_t *known;           /* room for a page from the cache */
    uint64_t fresh[FRESH];     /* lines of the stretch the cache does not
                                  have */
    int n_fresh;               /* how many */
} search;

/* Take the match at PLACE. */
static void take(search *s, mdl_place place)
{
    mdl_data_page *page = s->page;

    if (s->skip > 0) {
        s->skip--;
        page->end = place;
    }
    else if (page->n < s->find->size) {
        page->end = page->places[page->n++] = place;
    }
    else {
        page->more = true;
    }
}

/* Whether nothing more has to be looked at, though there is more. */
static bool is_done(search *s)
{
    if (s->page->more && !s->counting) {
        s->done = true;
    }
    else if (s->page->more && s->find->count == MDL_DATA_COUNT_AUTO &&
             s->looked % LOOK_EVERY == 0) {
        s->done = dl_time_monotonic_us() - s->started > AUTO_COUNT_US;
    }
    return s->done;
}

/* --- What is known --------------------------------------------------------- */

/* Take from the cache what it knows of ST; return how many of its lines that
 * is. */
static uint64_t take_known(search *s, const stretch *st)
{
    dl_match_known known;
    dl_match_ask ask = {.count_from = s->counting ? 0 : st->from,
                        .from = st->from,
                        .to = st->lines,
                        /* The last that is passed over is taken, too: the page
                           may end there. */
                        .skip = s->skip > 0 ? s->skip - 1 : 0};
    int i;

    if (!s->page->more) {
        ask.max = s->find->size - s->page->n + 1 + (s->skip > 0 ? 1 : 0);
    }
    dl_match_cache_find(&known, s->known, s->cache, &s->key, &ask);
    s->total += known.count;
    s->skip -= known.skipped;
    for (i = 0; i < known.n; i++) {
        take(s, (mdl_place){st->day, st->before + s->known[i] + 1});
    }
    return known.covered;
}

/* --- What is not known ----------------------------------------------------- */

/* Tell the cache that the lines of the stretch from FROM to TO are judged. */
static void tell(search *s, uint64_t from, uint64_t to)
{
    dl_match_cache_add(s->cache, &s->key, from, to, s->fresh, s->n_fresh);
    s->n_fresh = 0;
}

/* Have in s->line a line of ST at or behind its line AT (from 0); false: there
 * is none that could match. */
static dl_status next_line(bool *found, search *s, const stretch *st,
                           uint64_t at, dl_error *err)
{
    mdl_place behind = {st->day, st->before + at};
    int order;

    if (s->walk == NULL) {
        s->walk = mdl_walk_create(s->find->snap, &s->find->range,
                                  s->find->q->r->pool);
        mdl_walk_seek(s->walk, behind);
    }
    /* The cache knew what lies between. */
    order = mdl_data_place_order(mdl_walk_place(s->walk), behind);
    if (!s->ended && (order < 0 || (s->held && order == 0))) {
        s->held = false;
        mdl_walk_seek(s->walk, behind);
    }
    if (!s->held && !s->ended) {
        DL_TRY(mdl_walk_next(&s->line, &s->day, s->walk, err));
        s->held = s->line.text != NULL;
        s->ended = !s->held;
    }
    *found =
        s->held && s->day == st->day && s->line.line <= st->before + st->lines;
    return DL_OK;
}

/* Judge the line that is held, line AT of ST. */
static void judge(search *s, const stretch *st, uint64_t at)
{
    s->held = false;
    s->looked++;
    if (!dl_query_match(s->find->data->query, s->line.text, s->line.len)) {
        return;
    }
    s->total++;
    s->fresh[s->n_fresh++] = at;
    if (at >= st->from) {
        take(s, (mdl_place){st->day, s->line.line});
    }
}

/* Read ST from its line AT on. */
static dl_status read_stretch(search *s, const stretch *st, uint64_t at,
                              dl_error *err)
{
    uint64_t told = at;
    bool found = true;

    while (at < st->lines && !is_done(s)) {
        dl_status status = mdl_data_look(s->find, s->looked, err);

        if (status == DL_OK) {
            status = next_line(&found, s, st, at, err);
        }
        if (status != DL_OK) {
            tell(s, told, at);
            return status;
        }
        if (!found) {
            at = st->lines;
            break;
        }
        at = s->line.line - 1 - st->before;
        judge(s, st, at++);
        if (s->n_fresh == FRESH) {
            tell(s, told, at);
            told = at;
        }
    }
    tell(s, told, at);
    return DL_OK;
}

/* --- Days and parts -------------------------------------------------------- */

/* Set *LINES to how many lines of DAY belong to the state. */
static dl_status count_state(uint64_t *lines, const search *s, dl_day day,
                             dl_error *err)
{
    dl_lake_day state;
    dl_status status =
        dl_lake_day_within(&state, s->find->snap, day, s->find->range.as_of,
                           err, s->find->q->r->pool);

    *lines = status == DL_OK ? state.records : 0;
    return status == DL_NOT_FOUND ? DL_OK : status;
}

/* Set st->from: what of ST lies before the page. */
static void set_from(stretch *st, mdl_place behind)
{
    uint64_t line = behind.line > st->before ? behind.line - st->before : 0;

    st->from = 0;
    if (behind.day != DL_DAY_NONE && behind.day >= st->day) {
        st->from = behind.day > st->day || line > st->lines ? st->lines : line;
    }
}

/* Go through the parts of DAY. */
static dl_status search_day(search *s, const dl_lake_day *day, dl_error *err)
{
    stretch st = {.day = day->day};
    dl_lake_piece piece;
    uint64_t lines;
    int i;

    DL_TRY(count_state(&lines, s, day->day, err));
    for (i = 0; st.before < lines && !is_done(s) &&
                dl_lake_piece_at(&piece, s->find->snap, day->day, i);
         i++) {
        uint64_t at;

        st.lines = piece.records < lines - st.before ? piece.records
                                                     : lines - st.before;
        set_from(&st, s->find->range.behind);
        if (s->counting || st.from < st.lines) {
            s->key.uid = piece.uid;
            s->key.born_ms = piece.born_ms;
            at = take_known(s, &st);
            if (at < st.from && !s->counting) {
                at = st.from;
            }
            DL_TRY(read_stretch(s, &st, at, err));
        }
        if (s->skip > 0 && st.from < st.lines) {
            s->page->end = (mdl_place){day->day, st.before + st.lines};
        }
        st.before += piece.records;
    }
    return DL_OK;
}

/* Whether DAY has anything that is wanted. */
static bool is_wanted(const search *s, dl_day day)
{
    const mdl_walk_range *range = &s->find->range;

    return day >= range->first && day <= range->last &&
           (s->counting || range->behind.day == DL_DAY_NONE ||
            day >= range->behind.day);
}

dl_status mdl_data_match(mdl_data_page *page, const mdl_data_find *find,
                         dl_error *err)
{
    apr_pool_t *pool = find->q->r->pool;
    search *s = apr_pcalloc(pool, sizeof *s);
    int i;

    s->page = page;
    s->find = find;
    s->cache = mdl_lake_matches(find->q->site->lake);
    s->counting = find->count != MDL_DATA_COUNT_NONE && find->known < 0;
    s->skip = find->skip;
    s->started = dl_time_monotonic_us();
    s->known = apr_palloc(pool, sizeof *s->known * ((size_t)find->size + 2));
    dl_query_mark(s->key.query, find->data->query);
    for (i = 0; i < dl_lake_days(find->snap) && !is_done(s); i++) {
        const dl_lake_day *day = dl_lake_day_at(find->snap, i);

        if (is_wanted(s, day->day)) {
            DL_TRY(search_day(s, day, err));
        }
    }
    if (s->counting && !s->done) {
        page->count = (int64_t)s->total;
    }
    return DL_OK;
}
