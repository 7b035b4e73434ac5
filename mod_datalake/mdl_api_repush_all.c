/* mdl_api_repush_all.c - POST /api/repush/all/: all transactions, or some, are
 * sent once more, by a job.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <httpd.h>

#include <apr_strings.h>

#include "dl_job.h"
#include "dl_json_write.h"
#include "dl_repush.h"
#include "dl_token.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_body.h"
#include "mdl_http.h"
#include "mdl_job.h"
#include "mdl_problem.h"
#include "mdl_site.h"
#include "mdl_wh.h"

enum {
    DRY_RUN,
    FROM,
    TO,
    FILTER,
    RATE
};

static const mdl_member all_members[] = {
    [DRY_RUN] = {.name = "dry_run",
                 .type = MDL_MEMBER_BOOL,
                 .summary = "Count what would be sent, and send nothing"},
    [FROM] = {.name = "from",
              .type = MDL_MEMBER_TIME,
              .summary = "Only records of this time or later"},
    [TO] = {.name = "to",
            .type = MDL_MEMBER_TIME,
            .end = true,
            .summary = "Only records before this time"},
    [FILTER] = {.name = "filter",
                .type = MDL_MEMBER_ANY,
                .summary = "Only records with these values: an object of "
                           "filters as /api/data/ has them"},
    [RATE] = {.name = "rate",
              .type = MDL_MEMBER_INT,
              .min = 1,
              .max = DL_REPUSH_RATE_MAX,
              .summary = "Records a second (500)"},
    {.name = NULL}};

const mdl_body mdl_api_repush_all_body = {.members = all_members,
                                          .media = MDL_MEDIA_JSON,
                                          .limit = MDL_BODY_LARGE,
                                          .repeatable = true,
                                          .optional = true};

/* Judge ASKED, which Q has sent. */
static int judge(mdl_request *q, const dl_repush *asked)
{
    const dl_dataset *ds =
        dl_dataset_find(q->site->datasets, DL_REPUSH_DATASET);
    dl_repush_fault fault;
    dl_query *query;

    if (ds == NULL) {
        return mdl_problem(q, MDL_PROBLEM_NOT_FOUND,
                           "There is no dataset " DL_REPUSH_DATASET ".");
    }
    if (asked->from != DL_TIME_NONE && asked->to != DL_TIME_NONE &&
        asked->from >= asked->to) {
        return mdl_body_refuse(q, &all_members[TO], "out-of-range",
                               "must lie behind from");
    }
    if (dl_repush_query(&query, asked, ds, &fault, q->r->pool) == DL_OK) {
        return OK;
    }
    return mdl_body_refuse(
        q, &all_members[FILTER], fault.fault.code,
        apr_pstrcat(q->r->pool, fault.name != NULL ? fault.name : "",
                    fault.name != NULL ? ": " : "", fault.fault.detail, NULL));
}

/* Set *ASKED to what Q has sent. */
static int read_asked(dl_repush *asked, mdl_request *q)
{
    const mdl_member_value *m = q->members;

    *asked =
        (dl_repush){.dry_run = m[DRY_RUN].given && m[DRY_RUN].flag,
                    .from = m[FROM].given ? m[FROM].time : DL_TIME_NONE,
                    .to = m[TO].given ? m[TO].time : DL_TIME_NONE,
                    .rate = m[RATE].given ? m[RATE].number : DL_REPUSH_RATE};
    if (m[FILTER].given && m[FILTER].len > DL_REPUSH_FILTER) {
        return mdl_body_refuse(q, &all_members[FILTER], "too-long",
                               "it has at most 32768 bytes");
    }
    if (m[FILTER].given) {
        asked->filter =
            apr_pstrmemdup(q->r->pool, m[FILTER].text, m[FILTER].len);
    }
    dl_token_new_id(asked->replay_id);
    return judge(q, asked);
}

/* A job that is to be queued. */
typedef struct queueing {
    dl_job_new job;          /* it */
    char running[DL_JOB_ID]; /* the one that is under way */
} queueing;

static dl_status queue_job(struct dl_wh *wh, void *context, dl_error *err)
{
    queueing *queued = context;

    queued->job.created_at = dl_time_now();
    return dl_job_add_alone(queued->running, wh, &queued->job, err);
}

static void write_asked(dl_json_writer *w, const void *context)
{
    const dl_repush *asked = context;

    dl_json_write_key(w, "replay_id");
    dl_json_write_text(w, asked->replay_id);
    dl_json_write_key(w, "dry_run");
    dl_json_write_bool(w, asked->dry_run);
}

int mdl_api_repush_all(mdl_request *q)
{
    char *job_id = apr_palloc(q->r->pool, DL_JOB_ID);
    queueing queued = {.job = {.id = job_id,
                               .kind = DL_REPUSH_KIND,
                               .user_id = q->identity.user_id,
                               .not_before = DL_TIME_NONE}};
    dl_repush asked;
    dl_error err;
    dl_status status;
    int refused = read_asked(&asked, q);

    if (refused != OK) {
        return refused;
    }
    dl_token_new_id(job_id);
    queued.job.parameters = dl_repush_write(&asked, q->r->pool);
    status = mdl_wh_write(q->site->wh, queue_job, &queued, &err);
    if (status == DL_BUSY) {
        return mdl_job_in_the_way(q, queued.running,
                                  "A repush of all transactions is under way.");
    }
    if (status != DL_OK) {
        return mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    return mdl_job_queued(q, &(mdl_queued){.message = "Repush queued",
                                           .job_id = job_id,
                                           .more = write_asked,
                                           .context = &asked});
}
