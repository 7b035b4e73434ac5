/* mdl_api_data.c - GET /api/data/: records of a dataset, filtered, in pages.
 *
 * First the places of the page's records are found (mdl_data_page.c), then
 * they are read and sent (mdl_data_send.c).
 *
 * A cursor names the state of the first page by the time of its last commit,
 * so the pages behind it neither repeat nor skip a record while others are
 * written.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <httpd.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_lake.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_data.h"
#include "mdl_grant.h"
#include "mdl_http.h"
#include "mdl_lake.h"
#include "mdl_page.h"
#include "mdl_problem.h"
#include "mdl_site.h"

static const char *const COUNTS[] = {"auto", "exact", "none", NULL};

const mdl_param mdl_api_data_params[] = {
    [MDL_DATA_RESOURCE] = {.name = "resource",
                           .type = MDL_PARAM_RESOURCE,
                           .resource = true,
                           .fallback = "transaction_log",
                           .summary = "A dataset or one of its days"},
    [MDL_DATA_PAGE] = {.name = "page",
                       .type = MDL_PARAM_INT,
                       .min = 1,
                       .max = INT32_MAX,
                       .fallback = "1",
                       .summary = "Which page; page times page_size is at most "
                                  "10000, beyond that a cursor leads on"},
    [MDL_DATA_PAGE_SIZE] = {.name = "page_size",
                            .alias = "limit",
                            .type = MDL_PARAM_INT,
                            .min = 1,
                            .max = 1000,
                            .fallback = "10",
                            .summary = "Records of a page"},
    MDL_PAGE_CURSOR(MDL_DATA_CURSOR),
    [MDL_DATA_FIELDS] = {.name = "fields",
                         .type = MDL_PARAM_LIST,
                         .min = 1,
                         .summary = "Dotted names of the members to answer"},
    [MDL_DATA_SORT] = {.name = "sort",
                       .type = MDL_PARAM_TEXT,
                       .min = 1,
                       .summary = "A field, or -field for the other order; "
                                  "else by date and line"},
    [MDL_DATA_COUNT] = {.name = "count",
                        .type = MDL_PARAM_ENUM,
                        .choices = COUNTS,
                        .fallback = "auto",
                        .summary = "Whether to count all matches"},
    [MDL_DATA_META] = {.name = "meta",
                       .type = MDL_PARAM_BOOL,
                       .fallback = "false",
                       .summary = "Add _dl, where each record came from"},
    [MDL_DATA_FILTERS] = {.name = "filter",
                          .type = MDL_PARAM_FILTERS,
                          .summary = "field=value, or field__op=value with gt, "
                                     "gte, lt, lte, ne, in, contains"},
    {.name = NULL}};

/* One request. */
typedef struct data_request {
    mdl_request *q;             /* httpd's side of it */
    mdl_data_query what;        /* what is asked for */
    mdl_data_find find;         /* how the page is found */
    mdl_data_page page;         /* the page */
    mdl_cursor_binding binding; /* of its cursors */
    dl_time as_of;              /* the state that the pages are of */
} data_request;

/* --- Cursors --------------------------------------------------------------- */

static void bind_cursor(data_request *d)
{
    mdl_request *q = d->q;
    const mdl_value *filters = &q->values[MDL_DATA_FILTERS];
    const mdl_value *sort = &q->values[MDL_DATA_SORT];
    const mdl_value *fields = &q->values[MDL_DATA_FIELDS];
    const char *text = apr_pstrcat(
        q->r->pool, q->values[MDL_DATA_RESOURCE].text, "\x1f",
        q->values[MDL_DATA_PAGE_SIZE].text, "\x1f",
        fields->given ? fields->text : "", "\x1f",
        sort->given ? sort->text : "", "\x1f", q->values[MDL_DATA_COUNT].text,
        "\x1f", q->values[MDL_DATA_META].text, NULL);
    int i;

    for (i = 0; i < filters->n_pairs; i++) {
        text = apr_pstrcat(q->r->pool, text, "\x1f", filters->pairs[i].name,
                           "=", filters->pairs[i].value, NULL);
    }
    d->binding = (mdl_cursor_binding){"/api/data/", text};
}

/* Set *NUMBER to the number at *POSITION, which moves behind it and one space;
 * false: there is none. */
static bool read_number(int64_t *number, const char **position)
{
    char *end;

    *number = strtoll(*position, &end, 10);
    if (end == *position || (*end != ' ' && *end != '\0')) {
        return false;
    }
    *position = *end == ' ' ? end + 1 : end;
    return true;
}

/* Set where the page begins from POSITION, the inside of a cursor: state,
 * count, and the last match before, if there is one. */
static bool read_position(data_request *d, const char *position)
{
    mdl_data_find *find = &d->find;
    mdl_data_rank *rank;
    int64_t day;
    int64_t line;

    if (!read_number(&find->range.as_of, &position) ||
        !read_number(&find->known, &position)) {
        return false;
    }
    if (*position == '\0') {
        return true;
    }
    if (d->what.sort < 0) {
        if (!read_number(&day, &position) || !read_number(&line, &position)) {
            return false;
        }
        find->range.behind = (mdl_place){(dl_day)day, (uint64_t)line};
        return true;
    }
    rank = apr_palloc(d->q->r->pool, sizeof *rank);
    find->after = rank;
    return mdl_data_rank_read(rank, position);
}

/* Return the cursor that goes on behind the page. */
static const char *next_cursor(const data_request *d)
{
    const mdl_data_page *page = &d->page;
    apr_pool_t *pool = d->q->r->pool;
    const char *last = "";

    if (d->what.sort < 0) {
        last = apr_psprintf(pool, " %" PRId32 " %" PRIu64, page->end.day,
                            page->end.line);
    }
    else if (page->last != NULL) {
        last = apr_pstrcat(pool, " ", mdl_data_rank_format(page->last, pool),
                           NULL);
    }
    return mdl_page_next(d->q, &d->binding,
                         apr_psprintf(pool, "%" PRId64 " %" PRId64 "%s",
                                      d->as_of, page->count, last));
}

/* --- The request ------------------------------------------------------------
 */

/* Say why the page was not found. */
static int refuse(data_request *d, const dl_error *err)
{
    if (err->status == DL_LIMIT) {
        return mdl_param_refuse(
            d->q, &mdl_api_data_params[MDL_DATA_SORT], "sort-too-large",
            "more than 100000 records match; ask for fewer of them");
    }
    return mdl_http_fail(d->q, MDL_LAKE, err);
}

/* Refuse a page that lies too deep, naming the cursor that leads there. */
static int refuse_depth(data_request *d)
{
    mdl_request *q = d->q;
    dl_error err = {DL_OK, 0, ""};

    d->find.size = 0;
    d->find.count = MDL_DATA_COUNT_NONE;
    if (d->find.snap != NULL &&
        mdl_data_page_find(&d->page, &d->find, &err) != DL_OK) {
        return refuse(d, &err);
    }
    return mdl_param_refuse(
        q, &mdl_api_data_params[MDL_DATA_PAGE], "use-cursor",
        apr_pstrcat(q->r->pool, "the page lies too deep, go on with ",
                    mdl_answer_url(q, "cursor", next_cursor(d)), NULL));
}

/* Whether the client has this state of the answer already. */
static bool unchanged(const data_request *d)
{
    const dl_lake_totals *totals = dl_lake_snapshot_totals(d->find.snap);
    const char *args = d->q->r->args;
    char etag[MDL_ETAG_TEXT];
    const char *text =
        apr_psprintf(d->q->r->pool, "%s %" PRIu64 " %" PRIu64 " %" PRIx64 " %s",
                     d->what.ds->name, totals->commits, totals->records,
                     mdl_grant_mark(d->q), args != NULL ? args : "");

    mdl_answer_etag(etag, text, strlen(text));
    return mdl_answer_unchanged(d->q, etag);
}

/* Set how the page is to be found.  Returns OK or the status of a problem. */
static int plan_page(data_request *d)
{
    mdl_request *q = d->q;
    const mdl_value *page = &q->values[MDL_DATA_PAGE];
    const char *position;
    int status;

    d->find.q = q;
    d->find.data = &d->what;
    d->find.size = (int)q->values[MDL_DATA_PAGE_SIZE].number;
    d->find.count = q->values[MDL_DATA_COUNT].choice;
    d->find.known = -1;
    d->find.skip = (uint64_t)(page->number - 1) * (uint64_t)d->find.size;
    d->find.range = (mdl_walk_range){.first = d->what.first,
                                     .last = d->what.last,
                                     .behind = {DL_DAY_NONE, 0},
                                     .as_of = DL_TIME_NONE,
                                     .hint = d->what.hint};
    if (page->sent && q->values[MDL_DATA_CURSOR].sent) {
        return mdl_param_refuse(q, &mdl_api_data_params[MDL_DATA_CURSOR],
                                "exclusive",
                                "page and cursor exclude each other");
    }
    bind_cursor(d);
    status = mdl_page_open(&position, q, &d->binding, MDL_DATA_CURSOR);
    if (status == OK && position != NULL && !read_position(d, position)) {
        status = mdl_page_refuse(q, MDL_DATA_CURSOR);
    }
    return status;
}

/* Open the state that is answered from.  Returns OK or a problem's status. */
static int open_state(data_request *d)
{
    mdl_request *q = d->q;
    dl_error err = {DL_OK, 0, ""};
    dl_lake_day found;
    bool one_day = strchr(q->values[MDL_DATA_RESOURCE].text, '/') != NULL;
    dl_status status = mdl_lake_snapshot(&d->find.snap, q->site->lake,
                                         d->what.ds->name, &err, q->r->pool);

    if (status == DL_OK && one_day) {
        dl_day day = DL_DAY_NONE;

        (void)dl_day_parse(&day,
                           strchr(q->values[MDL_DATA_RESOURCE].text, '/') + 1,
                           DL_DAY_TEXT - 1);
        status = dl_lake_day_find(&found, d->find.snap, day, &err);
    }
    if (status == DL_NOT_FOUND && one_day) {
        return mdl_problem(q, MDL_PROBLEM_NOT_FOUND, "There is no such day.");
    }
    if (status == DL_NOT_FOUND) {
        d->find.snap = NULL;
        return OK;
    }
    if (status != DL_OK) {
        return mdl_http_fail(q, MDL_LAKE, &err);
    }
    d->as_of = d->find.range.as_of != DL_TIME_NONE
                   ? d->find.range.as_of
                   : dl_lake_snapshot_totals(d->find.snap)->last_commit;
    return OK;
}

int mdl_api_data(mdl_request *q)
{
    data_request d = {.q = q};
    mdl_data_sent sent;
    dl_error err = {DL_OK, 0, ""};
    int status = mdl_data_query_read(&d.what, q);

    if (status == OK) {
        status = plan_page(&d);
    }
    if (status == OK) {
        status = open_state(&d);
    }
    if (status != OK) {
        return status;
    }
    if (!q->values[MDL_DATA_CURSOR].given &&
        q->values[MDL_DATA_PAGE].number * d.find.size > MDL_DATA_DEPTH) {
        return refuse_depth(&d);
    }
    if (d.find.snap != NULL) {
        if (unchanged(&d)) {
            return mdl_answer_not_modified(q);
        }
        if (mdl_data_page_find(&d.page, &d.find, &err) != DL_OK) {
            return refuse(&d, &err);
        }
    }
    sent = (mdl_data_sent){.what = &d.what,
                           .find = &d.find,
                           .page = &d.page,
                           .cursor = d.page.more ? next_cursor(&d) : NULL};
    return mdl_data_send(q, &sent);
}
