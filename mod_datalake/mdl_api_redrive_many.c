/* mdl_api_redrive_many.c - POST /api/deadletters/redrive/: many dead letters
 * are sent again, as they were, by a job.
 *
 * The job's parameters are what was asked, written anew from what was
 * understood.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "dl_job.h"
#include "dl_json_values.h"
#include "dl_json_write.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_body.h"
#include "mdl_http.h"
#include "mdl_job.h"
#include "mdl_param.h"
#include "mdl_problem.h"
#include "mdl_site.h"
#include "mdl_value.h"
#include "mdl_wh.h"

/* Most ids of a request. */
#define IDS_MAX 1000

/* Greatest id that is looked for. */
#define ID_MAX INT64_C(999999999999999)

/* No answer and no parameters are larger. */
#define PARAMETERS_MAX ((size_t)32 * 1024)

enum {
    IDS,
    FILTER
};

static const mdl_member many_members[] = {
    [IDS] = {.name = "ids",
             .type = MDL_MEMBER_ANY,
             .summary = "Numbers of dead letters"},
    [FILTER] = {.name = "filter",
                .type = MDL_MEMBER_ANY,
                .summary = "All open ones of a topic, with a reason, received "
                           "from and before a time"},
    {.name = NULL}};

const mdl_body mdl_api_redrive_many_body = {.members = many_members,
                                            .media = MDL_MEDIA_JSON,
                                            .limit = MDL_BODY_SMALL,
                                            .repeatable = true};

static const char *const reasons[] = {"not-json", "not-object", "encoding",
                                      "too-big",  "schema",     "bad-time",
                                      NULL};

/* What a filter may name, judged as a parameter of a query is. */
static const mdl_param filter_rows[] = {
    {.name = "topic", .type = MDL_PARAM_TEXT, .min = 1, .max = 249},
    {.name = "reason", .type = MDL_PARAM_ENUM, .choices = reasons},
    {.name = "from", .type = MDL_PARAM_TIME},
    {.name = "to", .type = MDL_PARAM_TIME, .end = true},
    {.name = NULL}};

/* --- What is asked -------------------------------------------------------- */

static int refuse_ids(mdl_request *q)
{
    return mdl_body_refuse(q, &many_members[IDS], "wrong-type",
                           "It has to be a list of 1 to 1000 numbers of dead "
                           "letters.");
}

/* Write the ids of ALL, a request, to W; false: they are none. */
static bool write_ids(dl_json_writer *w, const dl_json_values *all)
{
    uint32_t at = dl_json_values_member(all, 0, "ids");
    const dl_json_value *list = &all->values[at];
    int n = 0;

    if (list->kind != DL_JSON_ARRAY) {
        return false;
    }
    dl_json_write_key(w, "ids");
    dl_json_write_array_begin(w);
    for (uint32_t i = at + 1; i < list->next; i = all->values[i].next) {
        int64_t id;

        if (!mdl_body_whole(&id, &all->values[i]) || id < 0 || id > ID_MAX ||
            ++n > IDS_MAX) {
            return false;
        }
        dl_json_write_int(w, id);
    }
    dl_json_write_array_end(w);
    return n > 0;
}

/* Return the row that takes the member V of a filter, or NULL. */
static const mdl_param *row_of(const dl_json_value *v)
{
    const mdl_param *row = filter_rows;

    while (row->name != NULL && strcmp(row->name, v->name) != 0) {
        row++;
    }
    return row->name != NULL ? row : NULL;
}

/* Write the member V of a filter to W; returns NULL, or what is wrong. */
static const char *write_member(dl_json_writer *w, const dl_json_value *v,
                                apr_pool_t *pool)
{
    const mdl_param *row = row_of(v);
    mdl_value parsed = {.text = v->text, .len = v->len};
    const char *wanted;
    const char *fault;

    if (row == NULL) {
        return "unknown";
    }
    if (v->kind != DL_JSON_STRING &&
        (v->kind != DL_JSON_NUMBER || row->type != MDL_PARAM_TIME)) {
        return "wrong-type";
    }
    if (v->len == 0 || strlen(v->text) != v->len) {
        return "out-of-range";
    }
    fault = mdl_value_parse(&parsed, &wanted, row, pool);
    if (fault != NULL) {
        return fault;
    }
    dl_json_write_key(w, row->name);
    if (row->type == MDL_PARAM_TIME) {
        dl_json_write_time(w, parsed.time);
    }
    else {
        dl_json_write_text(w, v->text);
    }
    return NULL;
}

/* Write the filter of ALL, a request, to W; returns as write_member. */
static const char *write_filter(dl_json_writer *w, const dl_json_values *all,
                                apr_pool_t *pool)
{
    uint32_t at = dl_json_values_member(all, 0, "filter");
    const dl_json_value *object = &all->values[at];
    const char *fault = NULL;

    if (object->kind != DL_JSON_OBJECT) {
        return "wrong-type";
    }
    dl_json_write_key(w, "filter");
    dl_json_write_object_begin(w);
    for (uint32_t i = at + 1; i < object->next && fault == NULL;
         i = all->values[i].next) {
        fault = write_member(w, &all->values[i], pool);
    }
    if (fault == NULL) {
        dl_json_write_object_end(w);
    }
    return fault;
}

/* Set *PARAMETERS to what Q asks for, a JSON object; OK, or the status of the
 * problem named. */
static int read_asked(const char **parameters, mdl_request *q)
{
    dl_buf *buf = mdl_answer_buf(q, PARAMETERS_MAX);
    const char *fault = NULL;
    dl_json_values all;
    dl_json_writer w;
    dl_error err;

    if (q->members[IDS].given == q->members[FILTER].given) {
        return mdl_body_refuse(q, &many_members[IDS], "required",
                               "Either ids or filter has to be given.");
    }
    if (dl_json_values_read(&all, q->body.text, q->body.len, q->r->pool) !=
        DL_JSON_FINE) {
        return refuse_ids(q); /* it was read before: cannot be */
    }
    dl_json_writer_begin(&w, buf);
    dl_json_write_object_begin(&w);
    if (q->members[IDS].given && !write_ids(&w, &all)) {
        return refuse_ids(q);
    }
    if (q->members[FILTER].given) {
        fault = write_filter(&w, &all, q->r->pool);
    }
    if (fault != NULL) {
        return mdl_body_refuse(q, &many_members[FILTER], fault,
                               "It has to be an object of topic, reason, from "
                               "and to, each as in GET /api/deadletters/.");
    }
    dl_json_write_object_end(&w);
    if (dl_json_writer_finish(&w, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_OURSELVES, &err);
    }
    *parameters = apr_pstrmemdup(q->r->pool, buf->data, buf->len);
    return OK;
}

/* --- The job -------------------------------------------------------------- */

static dl_status queue(struct dl_wh *wh, void *context, dl_error *err)
{
    dl_job_new *job = context;

    job->created_at = dl_time_now();
    return dl_job_add(wh, job, err);
}

int mdl_api_redrive_many(mdl_request *q)
{
    char job_id[DL_JOB_ID];
    dl_job_new job = {.id = job_id,
                      .kind = "redrive",
                      .user_id = q->identity.user_id,
                      .not_before = DL_TIME_NONE};
    dl_error err;
    int status = read_asked(&job.parameters, q);

    if (status != OK) {
        return status;
    }
    dl_token_new_id(job_id);
    if (mdl_wh_write(q->site->wh, queue, &job, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    return mdl_job_queued(
        q, &(mdl_queued){.message = "Redrive started", .job_id = job_id});
}
