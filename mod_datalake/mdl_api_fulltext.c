/* mdl_api_fulltext.c - GET /api/fulltext_search/{text}: where a text stands in
 * the lines of a dataset.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <httpd.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_dataset.h"
#include "dl_json_write.h"
#include "dl_lake.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_http.h"
#include "mdl_lake.h"
#include "mdl_page.h"
#include "mdl_problem.h"
#include "mdl_search.h"
#include "mdl_site.h"

/* Room for a thousand hits, each with its excerpt. */
#define ANSWER_MAX ((size_t)1000 * (6 * DL_SEARCH_EXCERPT + 128))

enum {
    TEXT,
    DATASET,
    LIMIT,
    CURSOR
};

const mdl_param mdl_api_fulltext_params[] = {
    [TEXT] = {.name = "text",
              .type = MDL_PARAM_TEXT,
              .in_path = true,
              .min = 1,
              .max = MDL_SEARCH_TEXT,
              .summary = "What to look for"},
    MDL_PARAM_DATASET(DATASET, "Where to look"),
    MDL_PAGE_LIMIT(LIMIT, "50"),
    MDL_PAGE_CURSOR(CURSOR),
    {.name = NULL}};

/* One request. */
typedef struct fulltext {
    mdl_request *q;             /* httpd's side of it */
    mdl_cursor_binding binding; /* of its cursors */
    mdl_walk_range range;       /* where to look, and in which state */
    mdl_search *search;         /* what for */
} fulltext;

/* Set the state and the place from POSITION, the inside of a cursor. */
static bool read_position(fulltext *f, const char *position)
{
    return sscanf(position, "%" SCNd64 " %" SCNd32 " %" SCNu64, &f->range.as_of,
                  &f->range.behind.day, &f->range.behind.line) == 3;
}

/* Read the cursor.  Returns OK or the status of a problem. */
static int read_cursor(fulltext *f)
{
    mdl_request *q = f->q;
    const char *position;
    int status;

    f->binding =
        (mdl_cursor_binding){"/api/fulltext_search/",
                             apr_pstrcat(q->r->pool, q->values[TEXT].text,
                                         "\x1f", q->values[DATASET].text,
                                         "\x1f", q->values[LIMIT].text, NULL)};
    f->range = (mdl_walk_range){.first = INT32_MIN + 1,
                                .last = INT32_MAX,
                                .behind = {DL_DAY_NONE, 0},
                                .as_of = DL_TIME_NONE};
    status = mdl_page_open(&position, q, &f->binding, CURSOR);
    if (status == OK && position != NULL && !read_position(f, position)) {
        status = mdl_page_refuse(q, CURSOR);
    }
    return status;
}

/* Write the line LINE of DAY, which SEARCH found; a mdl_sought_write. */
static dl_status write_hit(dl_buf *out, dl_day day, uint64_t line,
                           const dl_search *search, dl_error *err)
{
    char excerpt[DL_SEARCH_EXCERPT];
    char file[DL_DAY_TEXT + sizeof ".json"];
    dl_json_writer w;

    dl_day_format(file, day);
    memcpy(file + DL_DAY_TEXT - 1, ".json", sizeof ".json");
    dl_json_writer_begin(&w, out);
    dl_json_write_object_begin(&w);
    dl_json_write_key(&w, "file");
    dl_json_write_text(&w, file);
    dl_json_write_key(&w, "line");
    dl_json_write_int(&w, (int64_t)line);
    dl_json_write_key(&w, "match");
    dl_json_write_string(&w, excerpt, dl_search_excerpt(excerpt, search));
    dl_json_write_object_end(&w);
    return dl_json_writer_finish(&w, err);
}

/* Write one page of hits to BUF; set *MORE to whether there may be others, and
 * *PLACE to behind what they begin. */
static dl_status write_hits(dl_buf *buf, bool *more, mdl_place *place,
                            fulltext *f, dl_error *err)
{
    uint64_t limit = (uint64_t)f->q->values[LIMIT].number;
    mdl_match match;
    dl_json_writer w;

    dl_json_writer_begin(&w, buf);
    dl_json_write_array_begin(&w);
    for (;;) {
        DL_TRY(mdl_search_next(&match, f->search, err));
        if (match.text == NULL || f->q->rows == limit) {
            break;
        }
        dl_json_write_raw(&w, match.text, match.len);
        if (++f->q->rows == limit) {
            mdl_search_full(f->search);
        }
    }
    *more = match.text != NULL || !f->search->ended;
    *place = f->search->place;
    if (match.text != NULL) {
        place->line--;
    }
    mdl_search_end(f->search);
    dl_json_write_array_end(&w);
    return dl_json_writer_finish(&w, err);
}

/* Search SNAP and answer. */
static int answer(fulltext *f, dl_lake_snapshot *snap)
{
    mdl_request *q = f->q;
    dl_buf *buf = mdl_answer_buf(q, ANSWER_MAX);
    dl_time state = f->range.as_of;
    dl_error err = {DL_OK, 0, ""};
    mdl_place place;
    bool more;

    if (state == DL_TIME_NONE) {
        state = dl_lake_snapshot_totals(snap)->last_commit;
    }
    f->range.hint = f->search->hint;
    mdl_search_walk(f->search, mdl_walk_create(snap, &f->range, q->r->pool),
                    f->range.behind);
    if (write_hits(buf, &more, &place, f, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_LAKE, &err);
    }
    if (more) {
        mdl_answer_link_next(
            q, mdl_page_next(q, &f->binding,
                             apr_psprintf(q->r->pool,
                                          "%" PRId64 " %" PRId32 " %" PRIu64,
                                          state, place.day, place.line)));
    }
    if (f->search->cut) {
        mdl_answer_header(q, "X-Truncated", "true");
    }
    return mdl_answer_buffer(q, buf);
}

int mdl_api_fulltext(mdl_request *q)
{
    fulltext f = {.q = q};
    dl_error err = {DL_OK, 0, ""};
    dl_lake_snapshot *snap;
    dl_status found;
    int status = read_cursor(&f);

    if (status == OK) {
        status = mdl_search_begin(&f.search, q, q->values[TEXT].text, write_hit,
                                  (int)q->values[LIMIT].number);
    }
    if (status != OK) {
        return status;
    }
    found = mdl_lake_snapshot(&snap, q->site->lake, q->values[DATASET].text,
                              &err, q->r->pool);
    if (found == DL_NOT_FOUND &&
        dl_dataset_find(q->site->datasets, q->values[DATASET].text) != NULL) {
        return mdl_answer_json(q, "[]", 2);
    }
    if (found == DL_NOT_FOUND) {
        return mdl_problem(q, MDL_PROBLEM_NOT_FOUND, "%s",
                           "There is no such dataset.");
    }
    return found == DL_OK ? answer(&f, snap) : mdl_http_fail(q, MDL_LAKE, &err);
}
