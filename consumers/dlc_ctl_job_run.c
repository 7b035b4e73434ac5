/* dlc_ctl_job_run.c - datalakectl job run: begin long work and wait for it.
 *
 * Each kind has its words; what becomes parameters of the job is checked as
 * the routes check it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_grant.h"
#include "dl_json_write.h"
#include "dl_lake.h"
#include "dl_token.h"
#include "dl_wh_model.h"
#include "dlc_ctl.h"
#include "dlc_ctl_account.h"
#include "dlc_ctl_job.h"

#include <string.h>

#include <apr_strings.h>

/* Room for the parameters of a job. */
#define PARAMETERS_MAX 8192

/* --- Times ---------------------------------------------------------------- */

int dlc_ctl_read_time(dl_time *t, const dlc_ctl *ctl, const char *option,
                      const char *text, bool end)
{
    bool whole_day = false;
    bool zone_missing = false;

    *t = DL_TIME_NONE;
    if (text == NULL) {
        return -1;
    }
    if (!dl_time_parse_asked(t, &whole_day, &zone_missing, text,
                             strlen(text)) ||
        zone_missing) {
        return dlc_ctl_usage(ctl,
                             "%s must be a date or a time with a zone, not "
                             "\"%.60s\"",
                             option, text);
    }
    if (whole_day && end) {
        *t += DL_DAY_US;
    }
    return -1;
}

/* --- Train ---------------------------------------------------------------- */

/* Whether TEXT is transaction_log or a day of it. */
static bool is_resource(const char *text)
{
    dl_resource resource;
    dl_error err;

    return dl_resource_parse(&resource, text, strlen(text), &err) == DL_OK &&
           (resource.kind == DL_RESOURCE_DATASET ||
            resource.kind == DL_RESOURCE_DAY) &&
           resource.name_len == strlen(DL_REPUSH_DATASET) &&
           strncmp(text, DL_REPUSH_DATASET, resource.name_len) == 0;
}

/* Queue CALL in a transaction. */
static dl_status queue_training(dl_wh *wh, dl_train_call *call, dl_error *err,
                                apr_pool_t *pool)
{
    dl_status status;

    DL_TRY(dl_wh_begin(wh, err));
    status = dl_wh_train(wh, call, err, pool);
    if (status == DL_OK) {
        return dl_wh_commit(wh, err);
    }
    dl_wh_rollback(wh);
    return status;
}

static int run_train(dlc_ctl *ctl, int argc, const char *const *argv)
{
    char id[DL_JOB_ID];
    dl_train_call call = {.resource = DL_REPUSH_DATASET,
                          .job = {.id = id, .not_before = DL_TIME_NONE}};
    dl_error err = {.status = DL_OK};
    dlc_positionals rest;
    dl_wh *wh;
    int exit_status = dlc_ctl_parse(&rest, ctl, NULL, argc, argv);

    if (exit_status < 0) {
        exit_status = dlc_ctl_want(ctl, &rest, 1, 2);
    }
    if (exit_status >= 0) {
        return exit_status;
    }
    if (!dl_target_find(&call.target, rest.text[0])) {
        return dlc_ctl_usage(
            ctl, "the target must be completed or amount, not \"%.40s\"",
            rest.text[0]);
    }
    if (rest.n > 1) {
        call.resource = rest.text[1];
    }
    if (!is_resource(call.resource)) {
        return dlc_ctl_usage(ctl,
                             "models are made of " DL_REPUSH_DATASET
                             " or a day of it, " DL_REPUSH_DATASET
                             "/YYYY-MM-DD.json, not of \"%.60s\"",
                             call.resource);
    }
    dl_token_new_id(id);
    call.job.created_at = dl_time_now();
    if (dlc_ctl_accounts(&wh, ctl, &err) != DL_OK ||
        queue_training(wh, &call, &err, ctl->pool) != DL_OK) {
        return dlc_ctl_fail(ctl, &err);
    }
    return dlc_ctl_job_follow(ctl, wh, id);
}

/* --- Redrive -------------------------------------------------------------- */

/* What dead letters are sent again. */
typedef struct redrive_request {
    const char *topic;  /* --topic */
    const char *reason; /* --reason */
    const char *from;   /* --from */
    const char *to;     /* --to */
} redrive_request;

/* Write the numbers of REST; -1: go on. */
static int write_ids(dl_json_writer *w, const dlc_ctl *ctl,
                     const dlc_positionals *rest)
{
    int i;

    dl_json_write_key(w, "ids");
    dl_json_write_array_begin(w);
    for (i = 0; i < rest->n; i++) {
        const char *text = rest->text[i];
        size_t len = strlen(text);

        if (len == 0 || len > 15 || strspn(text, "0123456789") != len) {
            return dlc_ctl_usage(ctl, "\"%.40s\" is no number of a dead letter",
                                 text);
        }
        dl_json_write_int(w, apr_atoi64(text));
    }
    dl_json_write_array_end(w);
    return -1;
}

/* Write the member NAME of a filter, the time of the option --NAME; -1: go
 * on. */
static int write_bound(dl_json_writer *w, const dlc_ctl *ctl, const char *name,
                       const char *text)
{
    dl_time t;
    int exit_status =
        dlc_ctl_read_time(&t, ctl, apr_pstrcat(ctl->pool, "--", name, NULL),
                          text, strcmp(name, "to") == 0);

    if (exit_status < 0 && t != DL_TIME_NONE) {
        dl_json_write_time_member(w, name, t);
    }
    return exit_status;
}

/* Write the filter of REQUEST; -1: go on. */
static int write_filter(dl_json_writer *w, const dlc_ctl *ctl,
                        const redrive_request *request)
{
    int exit_status;

    if (request->reason != NULL &&
        dl_lake_reason_find(request->reason) == DL_LAKE_OTHER) {
        return dlc_ctl_usage(ctl,
                             "--reason must be not-json, not-object, encoding, "
                             "too-big, schema or bad-time, not \"%.40s\"",
                             request->reason);
    }
    dl_json_write_key(w, "filter");
    dl_json_write_object_begin(w);
    if (request->topic != NULL) {
        dl_json_write_text_member(w, "topic", request->topic);
    }
    if (request->reason != NULL) {
        dl_json_write_text_member(w, "reason", request->reason);
    }
    exit_status = write_bound(w, ctl, "from", request->from);
    if (exit_status < 0) {
        exit_status = write_bound(w, ctl, "to", request->to);
    }
    dl_json_write_object_end(w);
    return exit_status;
}

/* Set *PARAMETERS to what REST and REQUEST, one of both, ask for; -1: go on. */
static int read_redrive(const char **parameters, const dlc_ctl *ctl,
                        const dlc_positionals *rest,
                        const redrive_request *request)
{
    bool filter = request->topic != NULL || request->reason != NULL ||
                  request->from != NULL || request->to != NULL;
    dl_buf *buf = dl_buf_create(PARAMETERS_MAX, ctl->pool);
    dl_json_writer w;
    dl_error err;
    int exit_status;

    if (filter == (rest->n > 0)) {
        return dlc_ctl_usage(ctl, "either numbers of dead letters or --topic, "
                                  "--reason, --from, --to must be given");
    }
    dl_json_writer_begin(&w, buf);
    dl_json_write_object_begin(&w);
    exit_status =
        filter ? write_filter(&w, ctl, request) : write_ids(&w, ctl, rest);
    if (exit_status >= 0) {
        return exit_status;
    }
    dl_json_write_object_end(&w);
    if (dl_json_writer_finish(&w, &err) != DL_OK) {
        return dlc_ctl_usage(ctl, "that is too long");
    }
    *parameters = apr_pstrmemdup(ctl->pool, buf->data, buf->len);
    return -1;
}

static int run_redrive(dlc_ctl *ctl, int argc, const char *const *argv)
{
    char id[DL_JOB_ID];
    redrive_request request = {.topic = NULL};
    const dlc_option table[] = {{"topic", 0, DLC_OPTION_TEXT, &request.topic, 0,
                                 0, "TOPIC", "dead letters of this topic"},
                                {"reason", 0, DLC_OPTION_TEXT, &request.reason,
                                 0, 0, "REASON", "set aside for this reason"},
                                {"from", 0, DLC_OPTION_TEXT, &request.from, 0,
                                 0, "TIME", "received at this time or later"},
                                {"to", 0, DLC_OPTION_TEXT, &request.to, 0, 0,
                                 "TIME", "received before this time"},
                                {.name = NULL}};
    dl_job_new job = {.id = id, .kind = "redrive", .not_before = DL_TIME_NONE};
    dl_error err = {.status = DL_OK};
    dlc_positionals rest;
    dl_wh *wh;
    int exit_status = dlc_ctl_parse(&rest, ctl, table, argc, argv);

    if (exit_status < 0) {
        exit_status = read_redrive(&job.parameters, ctl, &rest, &request);
    }
    if (exit_status >= 0) {
        return exit_status;
    }
    dl_token_new_id(id);
    job.created_at = dl_time_now();
    if (dlc_ctl_accounts(&wh, ctl, &err) != DL_OK ||
        dl_job_add(wh, &job, &err) != DL_OK) {
        return dlc_ctl_fail(ctl, &err);
    }
    return dlc_ctl_job_follow(ctl, wh, id);
}

/* --- Repush --------------------------------------------------------------- */

static int run_repush(dlc_ctl *ctl, int argc, const char *const *argv)
{
    char id[DL_JOB_ID];
    dl_repush asked = {.filter = NULL};
    dl_error err = {.status = DL_OK};
    dl_wh *wh;
    int exit_status = dlc_ctl_replay_queue(id, &asked, ctl, argc, argv);

    if (exit_status >= 0) {
        return exit_status;
    }
    if (dlc_ctl_accounts(&wh, ctl, &err) != DL_OK) {
        return dlc_ctl_fail(ctl, &err);
    }
    return dlc_ctl_job_follow(ctl, wh, id);
}

/* --- The command line ----------------------------------------------------- */

int dlc_ctl_job_run(dlc_ctl *ctl, int argc, const char *const *argv)
{
    static const struct {
        const char *kind;
        int (*run)(dlc_ctl *ctl, int argc, const char *const *argv);
    } kinds[] = {{DL_REPUSH_KIND, run_repush},
                 {DL_TRAIN_KIND, run_train},
                 {"redrive", run_redrive}};
    size_t i;

    for (i = 0; argc > 0 && i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(argv[0], kinds[i].kind) == 0) {
            return kinds[i].run(ctl, argc - 1, argv + 1);
        }
    }
    return dlc_ctl_usage(
        ctl, "a kind must follow run: repush-all, train or redrive");
}
