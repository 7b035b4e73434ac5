/* mdl_api_resources.c - GET /api/audit/resources/ and GET /api/resources/:
 * which days there are.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <httpd.h>

#include <string.h>

#include <apr_strings.h>

#include "dl_dataset.h"
#include "dl_json_write.h"
#include "dl_lake.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_grant.h"
#include "mdl_http.h"
#include "mdl_page.h"
#include "mdl_problem.h"
#include "mdl_site.h"

/* No answer is larger: 1,000 rows of at most a few hundred bytes. */
#define ANSWER_MAX ((size_t)1024 * 1024)

enum {
    DATASET,
    DETAIL,
    LIMIT,
    CURSOR
};

const mdl_param mdl_api_dataset_days_params[] = {
    MDL_PARAM_DATASET(DATASET, "Whose days"),
    [DETAIL] = {.name = "detail",
                .type = MDL_PARAM_BOOL,
                .fallback = "false",
                .summary = "Objects with sizes, times and checksums"},
    MDL_PAGE_LIMIT(LIMIT, "1000"),
    MDL_PAGE_CURSOR(CURSOR),
    {.name = NULL}};

enum {
    ALL_LIMIT,
    ALL_CURSOR
};

const mdl_param mdl_api_resources_params[] = {MDL_PAGE_LIMIT(ALL_LIMIT, "1000"),
                                              MDL_PAGE_CURSOR(ALL_CURSOR),
                                              {.name = NULL}};

/* Return the place in SNAP of the first day behind AFTER. */
static int first_behind(dl_lake_snapshot *snap, dl_day after)
{
    int low = 0;
    int high = dl_lake_days(snap);

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (dl_lake_day_at(snap, middle)->day <= after) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return low;
}

/* Answer BUF unless the client has it already. */
static int answer(mdl_request *q, const dl_buf *buf)
{
    char etag[MDL_ETAG_TEXT];
    const char *whole;

    mdl_answer_etag(etag, buf->data, buf->len);
    whole = apr_psprintf(q->r->pool, "%s %" PRIx64, etag, mdl_grant_mark(q));
    mdl_answer_etag(etag, whole, strlen(whole));
    if (mdl_answer_unchanged(q, etag)) {
        return mdl_answer_not_modified(q);
    }
    return mdl_answer_buffer(q, buf);
}

/* --- One dataset ------------------------------------------------------------
 */

/* One page of a dataset's days. */
typedef struct day_list {
    mdl_request *q;             /* the request */
    const char *dataset;        /* whose days */
    dl_lake_snapshot *snap;     /* their state; NULL: none committed yet */
    mdl_cursor_binding binding; /* of this list's cursors */
    dl_day after;               /* the page begins behind this day */
} day_list;

/* Write DAY with its sizes, times and checksum. */
static dl_status write_detail(dl_json_writer *w, day_list *list,
                              const dl_lake_day *day, dl_error *err)
{
    char sha256[DL_LAKE_SHA256_TEXT];
    char date[DL_DAY_TEXT];

    DL_TRY(dl_lake_day_sha256(sha256, list->snap, day->day, err,
                              list->q->r->pool));
    dl_day_format(date, day->day);
    dl_json_write_object_begin(w);
    dl_json_write_key(w, "dataset");
    dl_json_write_text(w, list->dataset);
    dl_json_write_key(w, "date");
    dl_json_write_text(w, date);
    dl_json_write_key(w, "file");
    dl_json_write_text(w, apr_pstrcat(list->q->r->pool, date, ".json", NULL));
    dl_json_write_key(w, "bytes");
    dl_json_write_int(w, (int64_t)day->bytes);
    dl_json_write_key(w, "records");
    dl_json_write_int(w, (int64_t)day->records);
    dl_json_write_key(w, "first_time");
    dl_json_write_time(w, day->first_time);
    dl_json_write_key(w, "last_time");
    dl_json_write_time(w, day->last_time);
    dl_json_write_key(w, "sha256");
    dl_json_write_text(w, sha256);
    dl_json_write_key(w, "version");
    dl_json_write_int(w, (int64_t)day->version);
    dl_json_write_object_end(w);
    return DL_OK;
}

/* Write the page of LIST to BUF. */
static dl_status write_days(dl_buf *buf, day_list *list, dl_error *err)
{
    mdl_request *q = list->q;
    int n = list->snap != NULL ? dl_lake_days(list->snap) : 0;
    int i = list->snap != NULL ? first_behind(list->snap, list->after) : 0;
    int end =
        n - i < q->values[LIMIT].number ? n : i + (int)q->values[LIMIT].number;
    char name[DL_DAY_TEXT + 5] = "";
    dl_json_writer w;

    dl_json_writer_begin(&w, buf);
    dl_json_write_array_begin(&w);
    for (; i < end; i++) {
        const dl_lake_day *day = dl_lake_day_at(list->snap, i);

        dl_day_format(name, day->day);
        if (q->values[DETAIL].flag) {
            DL_TRY(write_detail(&w, list, day, err));
        }
        else {
            memcpy(name + DL_DAY_TEXT - 1, ".json", 6);
            dl_json_write_text(&w, name);
        }
    }
    dl_json_write_array_end(&w);
    if (end < n) {
        name[DL_DAY_TEXT - 1] = '\0';
        mdl_answer_link_next(q, mdl_page_next(q, &list->binding, name));
    }
    return dl_json_writer_finish(&w, err);
}

/* Set the snapshot of LIST.  Returns OK or the status of a problem. */
static int open_dataset(day_list *list)
{
    mdl_request *q = list->q;
    dl_error err = {DL_OK, 0, ""};
    dl_status status = mdl_lake_snapshot(&list->snap, q->site->lake,
                                         list->dataset, &err, q->r->pool);

    if (status == DL_NOT_FOUND) {
        list->snap = NULL;
        if (dl_dataset_find(q->site->datasets, list->dataset) == NULL) {
            return mdl_problem(q, MDL_PROBLEM_NOT_FOUND,
                               "There is no such dataset.");
        }
        return OK;
    }
    return status == DL_OK ? OK : mdl_http_fail(q, MDL_LAKE, &err);
}

int mdl_api_dataset_days(mdl_request *q)
{
    day_list list = {
        .q = q, .dataset = q->values[DATASET].text, .after = DL_DAY_NONE};
    dl_buf *buf = mdl_answer_buf(q, ANSWER_MAX);
    dl_error err = {DL_OK, 0, ""};
    const char *position;
    int status;

    list.binding = (mdl_cursor_binding){
        "/api/audit/resources/",
        apr_pstrcat(q->r->pool, list.dataset, "\x1f", q->values[DETAIL].text,
                    "\x1f", q->values[LIMIT].text, NULL)};
    status = mdl_page_open(&position, q, &list.binding, CURSOR);
    if (status != OK) {
        return status;
    }
    if (position != NULL &&
        !dl_day_parse(&list.after, position, strlen(position))) {
        return mdl_page_refuse(q, CURSOR);
    }
    status = open_dataset(&list);
    if (status != OK) {
        return status;
    }
    if (write_days(buf, &list, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_LAKE, &err);
    }
    return answer(q, buf);
}

/* --- All datasets -----------------------------------------------------------
 */

/* One page over all datasets. */
typedef struct all_list {
    mdl_request *q;             /* the request */
    mdl_cursor_binding binding; /* of this list's cursors */
    const char *dataset;        /* the page begins in this dataset, "" first */
    dl_day after;               /* ... behind this day */
    int64_t left;               /* rows the page still takes */
    const char *last;           /* "dataset\nday" of the last row written */
    bool more;                  /* there are rows behind the page */
} all_list;

/* Whether the caller may read DAY of DATASET. */
static bool may_read(const mdl_request *q, const char *dataset, dl_day day)
{
    char text[DL_RESOURCE_MAX + 1];
    dl_resource resource;

    dl_resource_of_day(&resource, text, dataset, day);
    return mdl_grant_allows(q, &resource, DL_LEVEL_READ);
}

/* Write the days of SNAP, the state of DATASET, as far as the caller may read
 * them and they belong to the page of LIST. */
static void write_dataset(dl_json_writer *w, all_list *list,
                          const char *dataset, dl_lake_snapshot *snap)
{
    apr_pool_t *pool = list->q->r->pool;
    int first = strcmp(dataset, list->dataset) == 0
                    ? first_behind(snap, list->after)
                    : 0;
    dl_resource whole;
    char date[DL_DAY_TEXT];
    bool every;
    int i;

    dl_resource_of_dataset(&whole, dataset);
    every = mdl_grant_allows(list->q, &whole, DL_LEVEL_READ);
    for (i = first; i < dl_lake_days(snap); i++) {
        dl_day day = dl_lake_day_at(snap, i)->day;

        if (!every && !may_read(list->q, dataset, day)) {
            continue;
        }
        if (list->left == 0) {
            list->more = true;
            return;
        }
        dl_day_format(date, day);
        dl_json_write_text(
            w, apr_pstrcat(pool, dataset, "/", date, ".json", NULL));
        list->last = apr_pstrcat(pool, dataset, "\n", date, NULL);
        list->left--;
    }
}

/* Write the page of LIST to BUF. */
static dl_status write_all(dl_buf *buf, all_list *list, dl_error *err)
{
    mdl_request *q = list->q;
    const char *const *names;
    const char *cursor = NULL;
    dl_json_writer w;
    int n;
    int i;

    DL_TRY(mdl_lake_datasets(&names, &n, q->site->lake, err, q->r->pool));
    dl_json_writer_begin(&w, buf);
    dl_json_write_object_begin(&w);
    dl_json_write_key(&w, "resources");
    dl_json_write_array_begin(&w);
    for (i = 0; i < n && !list->more; i++) {
        dl_lake_snapshot *snap;
        dl_status status;

        if (strcmp(names[i], list->dataset) < 0 ||
            !mdl_grant_touches(q, names[i])) {
            continue;
        }
        status =
            mdl_lake_snapshot(&snap, q->site->lake, names[i], err, q->r->pool);
        if (status == DL_OK) {
            write_dataset(&w, list, names[i], snap);
        }
        else if (status != DL_NOT_FOUND) {
            return status;
        }
    }
    dl_json_write_array_end(&w);
    if (list->more) {
        cursor = mdl_page_next(q, &list->binding, list->last);
        mdl_answer_link_next(q, cursor);
    }
    dl_json_write_key(&w, "next_cursor");
    dl_json_write_text(&w, cursor);
    dl_json_write_object_end(&w);
    return dl_json_writer_finish(&w, err);
}

int mdl_api_resources(mdl_request *q)
{
    all_list list = {.q = q,
                     .binding = {"/api/resources/", q->values[ALL_LIMIT].text},
                     .dataset = "",
                     .after = DL_DAY_NONE,
                     .left = q->values[ALL_LIMIT].number};
    dl_buf *buf = mdl_answer_buf(q, ANSWER_MAX);
    dl_error err = {DL_OK, 0, ""};
    const char *position;
    int status = mdl_page_open(&position, q, &list.binding, ALL_CURSOR);

    if (status == OK) {
        status = mdl_grant_load(q);
    }
    if (status != OK) {
        return status;
    }
    if (position != NULL) {
        const char *date = strchr(position, '\n');

        if (date == NULL ||
            !dl_day_parse(&list.after, date + 1, strlen(date + 1))) {
            return mdl_page_refuse(q, ALL_CURSOR);
        }
        list.dataset =
            apr_pstrmemdup(q->r->pool, position, (apr_size_t)(date - position));
    }
    if (write_all(buf, &list, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_LAKE, &err);
    }
    return answer(q, buf);
}
