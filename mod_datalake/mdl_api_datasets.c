/* mdl_api_datasets.c - GET /api/datasets/, GET /api/datasets/{dataset}/: what
 * there is to read, how much of it, and how far behind the topic it is.
 *
 * Sums are those of the newest committed state.  How far the lake is behind
 * is what its daemon tells on this server; where none runs, nothing is known
 * to wait: 0 records, and no freshness.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <httpd.h>

#include <string.h>

#include <apr_strings.h>

#include "dl_config.h"
#include "dl_dataset.h"
#include "dl_json_write.h"
#include "dl_lake.h"
#include "dl_stats.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_grant.h"
#include "mdl_http.h"
#include "mdl_page.h"
#include "mdl_problem.h"
#include "mdl_site.h"

/* No answer is larger: 1,000 datasets of at most 800 bytes, or one with the
 * fields of a declaration, whose file is at most 1 MB. */
#define ANSWER_MAX ((size_t)4 * 1024 * 1024)

enum {
    LIMIT,
    CURSOR
};

const mdl_param mdl_api_datasets_params[] = {
    MDL_PAGE_LIMIT(LIMIT, "50"), MDL_PAGE_CURSOR(CURSOR), {.name = NULL}};

enum {
    DATASET
};

const mdl_param mdl_api_dataset_params[] = {
    [DATASET] = {.name = "dataset",
                 .type = MDL_PARAM_TEXT,
                 .in_path = true,
                 .resource = true,
                 .min = 1,
                 .max = 255,
                 .summary = "Which one"},
    {.name = NULL}};

/* --- A dataset ------------------------------------------------------------ */

/* One dataset as it is now. */
typedef struct dataset_now {
    const char *name;       /* what it is called */
    const dl_dataset *ds;   /* its declaration; NULL: in the lake only */
    dl_lake_snapshot *snap; /* its state; NULL: nothing committed yet */
} dataset_now;

/* Set *NOW to the dataset NAME.  DL_NOT_FOUND: there is none. */
static dl_status look_at(dataset_now *now, const mdl_request *q,
                         const char *name, dl_error *err)
{
    dl_status status;

    now->name = name;
    now->ds = dl_dataset_find(q->site->datasets, name);
    status =
        mdl_lake_snapshot(&now->snap, q->site->lake, name, err, q->r->pool);
    if (status == DL_NOT_FOUND && now->ds != NULL) {
        now->snap = NULL;
        return DL_OK;
    }
    return status;
}

/* The date of the last day of SNAP, or of its first one; DL_DAY_NONE: it has
 * none. */
static dl_day end_of(dl_lake_snapshot *snap, bool last)
{
    int n = snap != NULL ? dl_lake_days(snap) : 0;

    return n == 0 ? DL_DAY_NONE : dl_lake_day_at(snap, last ? n - 1 : 0)->day;
}

/* Write how far the lake is behind TOPIC. */
static void write_behind(dl_json_writer *w, const mdl_request *q,
                         const char *topic)
{
    const char *label =
        apr_psprintf(q->r->pool, "sink=\"lake\",topic=\"%s\"", topic);
    int64_t value;

    (void)dl_stats_find(&value, q->site->run_fd, "datalake_kafka_lag_records",
                        label, q->r->pool);
    dl_json_write_int_member(w, "lag_records", value);
    dl_json_write_key(w, "freshness_seconds");
    if (dl_stats_find_max(&value, q->site->run_fd,
                          "datalake_ingest_freshness_seconds", label,
                          q->r->pool)) {
        dl_json_write_number(w, (double)value / DL_SECOND_US, 3);
    }
    else {
        dl_json_write_null(w);
    }
}

/* Write the members of NOW, an object of which has been begun. */
static void write_members(dl_json_writer *w, const mdl_request *q,
                          const dataset_now *now)
{
    const dl_lake_totals none = {.records = 0};
    const dl_lake_totals *totals =
        now->snap != NULL ? dl_lake_snapshot_totals(now->snap) : &none;
    const char *topic = now->ds != NULL ? now->ds->topic : now->name;
    int64_t days = dl_config_retention_days(q->site->ini, now->name);

    dl_json_write_text_member(w, "dataset", now->name);
    dl_json_write_text_member(w, "topic", topic);
    dl_json_write_int_member(w, "records", (int64_t)totals->records);
    dl_json_write_int_member(w, "bytes", (int64_t)totals->bytes);
    dl_json_write_key(w, "first_date");
    dl_json_write_day(w, end_of(now->snap, false));
    dl_json_write_key(w, "last_date");
    dl_json_write_day(w, end_of(now->snap, true));
    dl_json_write_key(w, "retention_days");
    days > 0 ? dl_json_write_int(w, days) : dl_json_write_null(w);
    write_behind(w, q, topic);
}

/* --- All of them ---------------------------------------------------------- */

/* A page of datasets. */
typedef struct dataset_list {
    mdl_request *q;             /* the request */
    mdl_cursor_binding binding; /* of this list's cursors */
    const char *after;          /* the page begins behind this name */
    int64_t left;               /* rows the page still takes */
    const char *last;           /* the last one written */
    bool more;                  /* there are rows behind the page */
    const char *const *stored;  /* names of the lake's datasets, sorted */
    int n_stored;               /* how many */
} dataset_list;

/* Return the next name of the lake's datasets, from *I, and of the declared
 * ones, from *J, and pass it; NULL behind the last. */
static const char *next_name(const dataset_list *list, int *i, int *j)
{
    const dl_dataset_set *set = list->q->site->datasets;
    const char *stored = *i < list->n_stored ? list->stored[*i] : NULL;
    const char *declared = *j < set->n ? set->datasets[*j]->name : NULL;
    int order = stored == NULL     ? 1
                : declared == NULL ? -1
                                   : strcmp(stored, declared);

    if (stored == NULL && declared == NULL) {
        return NULL;
    }
    *i += order <= 0 ? 1 : 0;
    *j += order >= 0 ? 1 : 0;
    return order <= 0 ? stored : declared;
}

/* Whether NAME belongs to the rows of LIST and the caller may read all of
 * it. */
static bool is_row(const dataset_list *list, const char *name)
{
    dl_resource whole;

    if (strcmp(name, list->after) <= 0) {
        return false;
    }
    dl_resource_of_dataset(&whole, name);
    return mdl_grant_allows(list->q, &whole, DL_LEVEL_READ);
}

/* Write the dataset NAME as a row of LIST; one that has gone meanwhile is
 * left out. */
static dl_status write_row(dl_json_writer *w, dataset_list *list,
                           const char *name, dl_error *err)
{
    dataset_now now;
    dl_status status = look_at(&now, list->q, name, err);

    if (status != DL_OK) {
        return status == DL_NOT_FOUND ? DL_OK : status;
    }
    dl_json_write_object_begin(w);
    write_members(w, list->q, &now);
    dl_json_write_object_end(w);
    list->last = name;
    list->left--;
    return DL_OK;
}

/* Write the page of LIST to BUF. */
static dl_status write_list(dl_buf *buf, dataset_list *list, dl_error *err)
{
    mdl_request *q = list->q;
    const char *cursor = NULL;
    const char *name;
    dl_json_writer w;
    int i = 0;
    int j = 0;

    DL_TRY(mdl_lake_datasets(&list->stored, &list->n_stored, q->site->lake, err,
                             q->r->pool));
    dl_json_writer_begin(&w, buf);
    dl_json_write_object_begin(&w);
    dl_json_write_key(&w, "datasets");
    dl_json_write_array_begin(&w);
    while (!list->more && (name = next_name(list, &i, &j)) != NULL) {
        if (is_row(list, name)) {
            list->more = list->left == 0;
            DL_TRY(list->more ? DL_OK : write_row(&w, list, name, err));
        }
    }
    dl_json_write_array_end(&w);
    if (list->more) {
        cursor = mdl_page_next(q, &list->binding, list->last);
        mdl_answer_link_next(q, cursor);
    }
    dl_json_write_text_member(&w, "next_cursor", cursor);
    dl_json_write_object_end(&w);
    return dl_json_writer_finish(&w, err);
}

int mdl_api_datasets(mdl_request *q)
{
    dataset_list list = {.q = q,
                         .binding = {"/api/datasets/", q->values[LIMIT].text},
                         .left = q->values[LIMIT].number};
    dl_buf *buf = mdl_answer_buf(q, ANSWER_MAX);
    dl_error err = {DL_OK, 0, ""};
    int status = mdl_page_open(&list.after, q, &list.binding, CURSOR);

    if (status == OK) {
        status = mdl_grant_load(q);
    }
    if (status != OK) {
        return status;
    }
    if (list.after == NULL) {
        list.after = "";
    }
    if (write_list(buf, &list, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_LAKE, &err);
    }
    return mdl_answer_buffer(q, buf);
}

/* --- One of them ---------------------------------------------------------- */

/* Write the fields that DS declares. */
static void write_fields(dl_json_writer *w, const dl_dataset *ds)
{
    int i;

    dl_json_write_key(w, "fields");
    dl_json_write_array_begin(w);
    for (i = 0; ds != NULL && i < ds->n_fields; i++) {
        dl_json_write_object_begin(w);
        dl_json_write_text_member(w, "name", ds->fields[i].path);
        dl_json_write_text_member(w, "type",
                                  dl_field_type_text(ds->fields[i].type));
        dl_json_write_key(w, "required");
        dl_json_write_bool(w, ds->fields[i].required);
        dl_json_write_object_end(w);
    }
    dl_json_write_array_end(w);
}

int mdl_api_dataset(mdl_request *q)
{
    dl_buf *buf = mdl_answer_buf(q, ANSWER_MAX);
    dl_error err = {DL_OK, 0, ""};
    dataset_now now;
    dl_json_writer w;
    dl_status status = look_at(&now, q, q->values[DATASET].text, &err);

    if (status == DL_NOT_FOUND) {
        return mdl_problem(q, MDL_PROBLEM_NOT_FOUND,
                           "There is no such dataset.");
    }
    if (status != DL_OK) {
        return mdl_http_fail(q, MDL_LAKE, &err);
    }
    dl_json_writer_begin(&w, buf);
    dl_json_write_object_begin(&w);
    write_members(&w, q, &now);
    write_fields(&w, now.ds);
    dl_json_write_object_end(&w);
    if (dl_json_writer_finish(&w, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_OURSELVES, &err);
    }
    return mdl_answer_buffer(q, buf);
}
