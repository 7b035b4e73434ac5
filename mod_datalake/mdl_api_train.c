/* mdl_api_train.c - POST /api/train/: ask for a model.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "dl_grant.h"
#include "dl_lake.h"
#include "dl_wh_model.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_body.h"
#include "mdl_http.h"
#include "mdl_job.h"
#include "mdl_lake.h"
#include "mdl_problem.h"
#include "mdl_site.h"
#include "mdl_wh.h"

/* The dataset of transactions. */
#define DATASET "transaction_log"

enum {
    TARGET,
    RESOURCE
};

static const char *const targets[] = {"completed", "amount", NULL};

static const mdl_member members[] = {
    [TARGET] = {.name = "target",
                .type = MDL_MEMBER_ENUM,
                .required = true,
                .choices = targets,
                .summary = "What is to be predicted"},
    [RESOURCE] = {.name = "resource",
                  .type = MDL_MEMBER_TEXT,
                  .min = 1,
                  .max = DL_RESOURCE_MAX,
                  .summary = "What to learn from: transaction_log, or one day "
                             "of it"},
    {.name = NULL}};

const mdl_body mdl_api_train_body = {.members = members,
                                     .media = MDL_MEDIA_JSON,
                                     .limit = MDL_BODY_LARGE,
                                     .repeatable = true};

/* Whether Q's resource is there; OK: it is. */
static int find_resource(const char **text, mdl_request *q)
{
    const mdl_member_value *value = &q->members[RESOURCE];
    dl_resource resource;
    dl_lake_snapshot *snap;
    dl_lake_day found;
    dl_day day = DL_DAY_NONE;
    dl_error err;
    dl_status status;

    *text = value->given ? value->text : DATASET;
    if (dl_resource_parse(&resource, *text, strlen(*text), &err) != DL_OK ||
        (resource.kind != DL_RESOURCE_DATASET &&
         resource.kind != DL_RESOURCE_DAY)) {
        return mdl_body_refuse(q, &members[RESOURCE], "not-a-resource",
                               "must be a dataset, or DATASET/YYYY-MM-DD.json");
    }
    if (resource.name_len != strlen(DATASET) ||
        memcmp(resource.text, DATASET, resource.name_len) != 0) {
        return mdl_problem(q, MDL_PROBLEM_NOT_FOUND,
                           "Models are made of transaction_log and its days.");
    }
    if (resource.kind == DL_RESOURCE_DATASET) {
        return OK;
    }
    (void)dl_day_parse(&day, resource.text + resource.name_len + 1,
                       DL_DAY_TEXT - 1);
    status = mdl_lake_snapshot(&snap, q->site->lake, DATASET, &err, q->r->pool);
    if (status == DL_OK) {
        status = dl_lake_day_find(&found, snap, day, &err);
    }
    if (status == DL_NOT_FOUND) {
        return mdl_problem(q, MDL_PROBLEM_NOT_FOUND, "There is no such day.");
    }
    return status == DL_OK ? OK : mdl_http_fail(q, MDL_LAKE, &err);
}

/* A training that is asked for by a request. */
typedef struct asked {
    mdl_request *q;
    dl_train_call call;
} asked;

static dl_status ask(struct dl_wh *wh, void *context, dl_error *err)
{
    asked *a = context;

    a->call.job.created_at = dl_time_now();
    return dl_wh_train(wh, &a->call, err, a->q->r->pool);
}

int mdl_api_train(mdl_request *q)
{
    char job_id[DL_JOB_ID];
    asked a = {.q = q,
               .call = {.target = (dl_target)q->members[TARGET].choice,
                        .job = {.id = job_id,
                                .user_id = q->identity.user_id,
                                .not_before = DL_TIME_NONE}}};
    dl_error err;
    dl_status status;
    int found = find_resource(&a.call.resource, q);

    if (found != OK) {
        return found;
    }
    dl_token_new_id(job_id);
    status = mdl_wh_write(q->site->wh, ask, &a, &err);
    if (status == DL_BUSY) {
        return mdl_job_in_the_way(q, a.call.running,
                                  "A training of this target is under way.");
    }
    if (status != DL_OK) {
        return mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    return mdl_job_queued(
        q, &(mdl_queued){.message = "Training queued", .job_id = job_id});
}
