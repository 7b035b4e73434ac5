/* mdl_api_search.c - GET /api/search/: records by a text in their values, in
 * all the caller may read.
 *
 * The records of the page are found first and then streamed.  The first 4 MB of
 * them are kept while the page is found, what goes beyond is read again: memory
 * is that and one record.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <httpd.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_dataset.h"
#include "dl_grant.h"
#include "dl_json_write.h"
#include "dl_lake.h"
#include "dl_log.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_grant.h"
#include "mdl_http.h"
#include "mdl_lake.h"
#include "mdl_page.h"
#include "mdl_problem.h"
#include "mdl_record.h"
#include "mdl_search.h"
#include "mdl_site.h"

/* Bytes of records that are kept. */
#define KEPT_MAX ((size_t)4 * 1048576)

/* Room for one record with _dl, or for the head of the answer. */
#define RECORD_MAX ((size_t)2 * 1048576)

enum {
    TEXT,
    DATE,
    DATASET,
    META,
    LIMIT,
    CURSOR
};

const mdl_param mdl_api_search_params[] = {
    [TEXT] = {.name = "q",
              .type = MDL_PARAM_TEXT,
              .required = true,
              .min = 1,
              .max = MDL_SEARCH_TEXT,
              .summary = "What to look for"},
    [DATE] = {.name = "date",
              .type = MDL_PARAM_DATE,
              .summary = "The first day to look at"},
    [DATASET] = {.name = "dataset",
                 .type = MDL_PARAM_TEXT,
                 .min = 1,
                 .max = 255,
                 .summary = "Look at this dataset alone"},
    [META] = {.name = "meta",
              .type = MDL_PARAM_BOOL,
              .fallback = "false",
              .summary = "Add _dl, where each record came from"},
    MDL_PAGE_LIMIT(LIMIT, "50"),
    MDL_PAGE_CURSOR(CURSOR),
    {.name = NULL}};

/* One dataset that is searched. */
typedef struct source {
    const char *name;       /* its name */
    dl_lake_snapshot *snap; /* its lines */
    mdl_walk_range range;   /* those that are searched */
    mdl_walk *again;        /* over them once more; NULL at first */
} source;

/* One record of the page. */
typedef struct found {
    source *source;  /* its dataset */
    mdl_place place; /* where it lies */
    size_t at;       /* where the kept ones hold it */
    size_t len;      /* bytes of it there; 0: it was not kept */
} found;

/* One request. */
typedef struct search_request {
    mdl_request *q;             /* httpd's side of it */
    mdl_cursor_binding binding; /* of its cursors */
    dl_time state;              /* the time of the first page */
    dl_time from_state;         /* the state of the dataset FROM */
    const char *from;           /* dataset at which the page begins */
    mdl_place behind;           /* ... behind this line */
    mdl_search *search;         /* what for */
    int n;                      /* records found */
    found *items;               /* the records */
    dl_buf *kept;               /* the text of those that are kept */
    const char *cursor;         /* of the next page, NULL: none */
    mdl_stream *out;            /* the answer */
    dl_buf *buf;                /* one record */
} search_request;

/* --- Cursors --------------------------------------------------------------- */

static int read_cursor(search_request *s)
{
    mdl_request *q = s->q;
    const mdl_value *date = &q->values[DATE];
    const mdl_value *dataset = &q->values[DATASET];
    const char *position;
    char name[256] = "";
    int status;

    s->binding = (mdl_cursor_binding){
        "/api/search/",
        apr_pstrcat(q->r->pool, q->values[TEXT].text, "\x1f",
                    date->given ? date->text : "", "\x1f",
                    dataset->given ? dataset->text : "", "\x1f",
                    q->values[META].text, "\x1f", q->values[LIMIT].text, NULL)};
    s->from = "";
    s->behind = (mdl_place){DL_DAY_NONE, 0};
    s->state = dl_time_now();
    status = mdl_page_open(&position, q, &s->binding, CURSOR);
    if (status == OK && position != NULL) {
        if (sscanf(position,
                   "%" SCNd64 " %" SCNd64 " %" SCNd32 " %" SCNu64 " %255s",
                   &s->state, &s->from_state, &s->behind.day, &s->behind.line,
                   name) != 5) {
            return mdl_page_refuse(q, CURSOR);
        }
        s->from = apr_pstrdup(q->r->pool, name);
    }
    return status;
}

/* Set the cursor of the next page, which goes on behind PLACE of FROM. */
static void set_cursor(search_request *s, const source *from, mdl_place place)
{
    s->cursor = mdl_page_next(
        s->q, &s->binding,
        apr_psprintf(
            s->q->r->pool, "%" PRId64 " %" PRId64 " %" PRId32 " %" PRIu64 " %s",
            s->state, from->range.as_of, place.day, place.line, from->name));
}

/* --- Finding --------------------------------------------------------------- */

/* The dataset and caller that days are judged for. */
typedef struct days_of {
    const mdl_request *q;
    const char *name;
} days_of;

/* Whether the caller may read DAY. */
static bool may_read(void *context, dl_day day)
{
    const days_of *days = context;
    char text[DL_RESOURCE_MAX + 1];
    dl_resource resource;

    dl_resource_of_day(&resource, text, days->name, day);
    return mdl_grant_allows(days->q, &resource, DL_LEVEL_READ);
}

/* The state in which the dataset of SNAP is searched first: a commit that is
 * under way may have its time already, and be seen by a later page alone. */
static dl_time first_state(const search_request *s, dl_lake_snapshot *snap)
{
    dl_time newest = dl_lake_snapshot_totals(snap)->last_commit;

    return newest < s->state ? newest : s->state;
}

/* Return a walk over FROM that leaves out what the caller may not read. */
static mdl_walk *walk_over(const source *from, const mdl_walk_range *range,
                           const mdl_request *q)
{
    mdl_walk *walk = mdl_walk_create(from->snap, range, q->r->pool);
    days_of *days = apr_palloc(q->r->pool, sizeof *days);

    days->q = q;
    days->name = from->name;
    mdl_walk_allow(walk, may_read, days);
    return walk;
}

/* Set *MADE to the lines of NAME; NULL when there is nothing. */
static dl_status open_source(source **made, const search_request *s,
                             const char *name, dl_error *err)
{
    mdl_request *q = s->q;
    bool first = strcmp(name, s->from) == 0;
    source *from = apr_pcalloc(q->r->pool, sizeof *from);
    dl_status status =
        mdl_lake_snapshot(&from->snap, q->site->lake, name, err, q->r->pool);

    *made = NULL;
    if (status == DL_NOT_FOUND) {
        return DL_OK;
    }
    if (status != DL_OK) {
        return status;
    }
    from->name = name;
    from->range = (mdl_walk_range){
        .first = q->values[DATE].given ? q->values[DATE].day : INT32_MIN + 1,
        .last = INT32_MAX,
        .behind = first ? s->behind : (mdl_place){DL_DAY_NONE, 0},
        .as_of = first ? s->from_state : first_state(s, from->snap),
        .hint = s->search->hint};
    *made = from;
    return DL_OK;
}

/* Take MATCH of FROM to the page. */
static void take(search_request *s, source *from, const mdl_match *match)
{
    found *item = &s->items[s->n++];
    dl_error err;

    *item = (found){.source = from, .place = match->place};
    if (!s->q->values[META].flag) {
        item->at = s->kept->len;
        if (dl_buf_append(s->kept, match->text, match->len, &err) == DL_OK) {
            item->len = match->len;
        }
    }
}

/* Find what the page still takes in FROM; *DONE: the page is full or the time
 * is over. */
static dl_status find_in(bool *done, search_request *s, source *from,
                         dl_error *err)
{
    int limit = (int)s->q->values[LIMIT].number;
    mdl_match match;

    mdl_search_walk(s->search, walk_over(from, &from->range, s->q),
                    from->range.behind);
    for (;;) {
        DL_TRY(mdl_search_next(&match, s->search, err));
        if (match.text == NULL || s->n == limit) {
            break;
        }
        take(s, from, &match);
        if (s->n == limit) {
            mdl_search_full(s->search);
        }
    }
    if (match.text != NULL || !s->search->ended) {
        mdl_place place = s->search->place;

        place.line -= match.text != NULL ? 1 : 0;
        set_cursor(s, from, place);
        *done = true;
    }
    return DL_OK;
}

/* Whether NAME is to be searched. */
static bool is_wanted(const search_request *s, const char *name)
{
    const mdl_value *dataset = &s->q->values[DATASET];

    return strcmp(name, s->from) >= 0 &&
           (!dataset->given || strcmp(dataset->text, name) == 0) &&
           mdl_grant_touches(s->q, name);
}

static dl_status find_all(search_request *s, dl_error *err)
{
    const char *const *names;
    bool done = false;
    int n;
    int i;

    DL_TRY(mdl_lake_datasets(&names, &n, s->q->site->lake, err, s->q->r->pool));
    for (i = 0; i < n && !done; i++) {
        source *from;

        if (!is_wanted(s, names[i])) {
            continue;
        }
        DL_TRY(open_source(&from, s, names[i], err));
        if (from != NULL) {
            DL_TRY(find_in(&done, s, from, err));
        }
    }
    mdl_search_end(s->search);
    return DL_OK;
}

/* --- Answering ------------------------------------------------------------- */

/* Write the resources of the page, each once. */
static void write_resources(dl_json_writer *w, const search_request *s)
{
    int i;

    dl_json_write_array_begin(w);
    for (i = 0; i < s->n; i++) {
        const found *item = &s->items[i];
        char text[DL_RESOURCE_MAX + 1];
        dl_resource resource;

        if (i > 0 && item[-1].source == item->source &&
            item[-1].place.day == item->place.day) {
            continue;
        }
        dl_resource_of_day(&resource, text, item->source->name,
                           item->place.day);
        dl_json_write_string(w, resource.text, resource.len);
    }
    dl_json_write_array_end(w);
}

/* Send what was written to s->buf. */
static dl_status flush(search_request *s, dl_error *err)
{
    dl_status status = mdl_stream_write(s->out, s->buf->data, s->buf->len, err);

    s->buf->len = 0;
    return status;
}

/* Set *LINE to the record ITEM: the one that was kept, or read again. */
static dl_status load_record(dl_lake_line *line, const search_request *s,
                             const found *item, dl_error *err)
{
    source *from = item->source;

    if (item->len > 0) {
        *line = (dl_lake_line){.text = s->kept->data + item->at,
                               .len = item->len,
                               .line = item->place.line};
        return DL_OK;
    }
    if (from->again == NULL) {
        mdl_walk_range range = from->range;

        range.hint = NULL;
        range.with_coords = s->q->values[META].flag;
        from->again = walk_over(from, &range, s->q);
    }
    return mdl_walk_read(line, from->again, item->place, err);
}

static dl_status send_records(search_request *s, dl_error *err)
{
    int i;

    for (i = 0; i < s->n; i++) {
        const found *item = &s->items[i];
        mdl_record form = {.topic = item->source->name,
                           .meta = s->q->values[META].flag};
        dl_lake_line line;

        DL_TRY(load_record(&line, s, item, err));
        if (i > 0) {
            DL_TRY(dl_buf_append(s->buf, ",", 1, err));
        }
        DL_TRY(mdl_record_write(s->buf, &form, &line, item->place.day, err));
        DL_TRY(flush(s, err));
    }
    return DL_OK;
}

static dl_status send_all(search_request *s, dl_error *err)
{
    dl_json_writer w;

    dl_json_writer_begin(&w, s->buf);
    dl_json_write_object_begin(&w);
    dl_json_write_key(&w, "query");
    dl_json_write_text(&w, s->q->values[TEXT].text);
    dl_json_write_key(&w, "resources_matched");
    write_resources(&w, s);
    dl_json_write_key(&w, "results");
    dl_json_write_array_begin(&w);
    DL_TRY(flush(s, err));
    DL_TRY(send_records(s, err));
    dl_json_write_array_end(&w);
    if (s->search->cut) {
        dl_json_write_key(&w, "truncated");
        dl_json_write_bool(&w, true);
    }
    dl_json_write_key(&w, "next_cursor");
    dl_json_write_text(&w, s->cursor);
    dl_json_write_object_end(&w);
    DL_TRY(dl_json_writer_finish(&w, err));
    return flush(s, err);
}

static int answer(search_request *s)
{
    mdl_request *q = s->q;
    dl_error err = {DL_OK, 0, ""};
    dl_status status = DL_OK;

    if (s->cursor != NULL) {
        mdl_answer_link_next(q, s->cursor);
    }
    if (s->search->cut) {
        mdl_answer_header(q, "X-Truncated", "true");
    }
    q->rows = (uint64_t)s->n;
    s->buf = mdl_answer_buf(q, RECORD_MAX);
    s->out = mdl_stream_open(q, NULL);
    if (mdl_stream_wanted(s->out)) {
        status = send_all(s, &err);
    }
    if (status != DL_OK && q->r->connection->aborted == 0) {
        if (!mdl_stream_began(s->out)) {
            return mdl_http_fail(q, MDL_LAKE, &err);
        }
        dl_log(DL_LOG_ERROR, "DL1231 a search: %s", err.text);
    }
    return mdl_stream_close(s->out, status != DL_OK);
}

int mdl_api_search(mdl_request *q)
{
    search_request s = {.q = q};
    dl_error err = {DL_OK, 0, ""};
    int status = read_cursor(&s);

    if (status == OK) {
        status = mdl_grant_load(q);
    }
    if (status == OK) {
        status = mdl_search_begin(&s.search, q, q->values[TEXT].text, NULL,
                                  (int)q->values[LIMIT].number);
    }
    if (status != OK) {
        return status;
    }
    s.kept = dl_buf_create(KEPT_MAX, q->r->pool);
    s.items = apr_palloc(q->r->pool,
                         sizeof *s.items * (size_t)q->values[LIMIT].number);
    if (find_all(&s, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_LAKE, &err);
    }
    return answer(&s);
}
