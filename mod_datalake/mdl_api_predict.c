/* mdl_api_predict.c - POST /api/predict/: what a model says about a
 * transaction.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <httpd.h>

#include "dl_json_write.h"
#include "dl_model_store.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_body.h"
#include "mdl_features.h"
#include "mdl_http.h"
#include "mdl_models.h"
#include "mdl_problem.h"
#include "mdl_site.h"

/* Digits of an answer. */
#define DIGITS 6

enum {
    TARGET,
    MODEL_ID,
    FEATURES
};

static const char *const targets[] = {"completed", "amount", NULL};

static const mdl_member members[] = {
    [TARGET] = {.name = "target",
                .type = MDL_MEMBER_ENUM,
                .choices = targets,
                .summary = "What is to be predicted; completed without it"},
    [MODEL_ID] = {.name = "model_id",
                  .type = MDL_MEMBER_TEXT,
                  .min = 1,
                  .max = 64,
                  .summary = "By which model; the current one without it"},
    [FEATURES] = {.name = "features",
                  .type = MDL_MEMBER_ANY,
                  .required = true,
                  .summary = "Raw fields of the transaction"},
    {.name = NULL}};

const mdl_body mdl_api_predict_body = {
    .members = members, .media = MDL_MEDIA_JSON, .limit = MDL_BODY_LARGE};

/* Set *HELD to the model that Q asks; OK: there is one. */
static int find_model(mdl_models_held **held, mdl_request *q)
{
    const mdl_member_value *target = &q->members[TARGET];
    const mdl_member_value *id = &q->members[MODEL_ID];
    dl_target wanted =
        target->given ? (dl_target)target->choice : DL_TARGET_COMPLETED;
    mdl_models *models = q->site->models;
    dl_error err;
    dl_status status = id->given
                           ? mdl_models_find(held, models, id->text, &err)
                           : mdl_models_current(held, models, wanted, &err);

    if (status == DL_OK && target->given &&
        mdl_models_of(*held)->target != wanted) {
        mdl_models_release(models, *held);
        status = DL_NOT_FOUND;
    }
    if (status == DL_NOT_FOUND) {
        return mdl_problem(q, MDL_PROBLEM_NOT_FOUND,
                           id->given ? "There is no such model of this target."
                                     : "Nothing is trained for this target.");
    }
    return status == DL_OK ? OK : mdl_http_fail(q, MDL_LAKE, &err);
}

/* Write what MODEL says about FEATURES. */
static void write_answer(dl_json_writer *w, const dl_model *model,
                         mdl_features *features)
{
    dl_prediction said;

    mdl_features_convert(features, model);
    dl_model_predict(&said, model, &features->row);
    dl_json_write_object_begin(w);
    dl_json_write_key(w, "model_id");
    dl_json_write_text(w, model->id);
    dl_json_write_key(w, "version");
    dl_json_write_int(w, model->version);
    dl_json_write_key(w, "target");
    dl_json_write_text(w, dl_target_name(model->target));
    dl_json_write_key(w, "prediction");
    if (model->target == DL_TARGET_COMPLETED) {
        dl_json_write_bool(w, said.is_true);
        dl_json_write_key(w, "probability");
        dl_json_write_number(w, (double)said.probability, DIGITS);
    }
    else {
        dl_json_write_number(w, (double)said.margin, DIGITS);
        dl_json_write_key(w, "probability");
        dl_json_write_null(w);
    }
    dl_json_write_object_end(w);
}

int mdl_api_predict(mdl_request *q)
{
    mdl_features features;
    mdl_models_held *held = NULL;
    dl_buf *buf = mdl_answer_buf(q, 1024);
    dl_json_writer w;
    dl_error err;
    int status =
        mdl_features_read(&features, q, "features", &q->members[FEATURES]);

    if (status != OK) {
        return status;
    }
    status = find_model(&held, q);
    if (status != OK) {
        return status;
    }
    dl_json_writer_begin(&w, buf);
    write_answer(&w, mdl_models_of(held), &features);
    mdl_models_release(q->site->models, held);
    if (dl_json_writer_finish(&w, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_OURSELVES, &err);
    }
    return mdl_answer_buffer(q, buf);
}
