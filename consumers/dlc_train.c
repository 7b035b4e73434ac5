/* dlc_train.c - A training, step by step.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_train.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "dl_json_values.h"
#include "dl_lake.h"
#include "dl_log.h"
#include "dl_model_store.h"
#include "dl_wh_model.h"
#include "dlc_train_learn.h"
#include "dlc_train_read.h"

/* One training. */
typedef struct training {
    dlc_work *work;            /* its job */
    dlc_work_outcome *outcome; /* what is said about it */
    dl_wh *wh;                 /* the job's connection */
    dl_lake_snapshot *snap;    /* the lake */
    int lake_fd;               /* its root */
    const char *dataset;       /* what is read */
    dl_day only;               /* of it this day; DL_DAY_NONE: all */
    dl_time as_of;             /* state of the lake */
    int64_t lines;             /* in it */
    int64_t step;              /* units of work of a round */
    dlc_train_rows *rows;      /* what was read */
    dl_model model;            /* being made */
    dlc_train_learned learned; /* with it */
} training;

/* --- What is asked for ---------------------------------------------------- */

/* The text of the member NAME of the JSON object TEXT, or NULL. */
static const char *member_of(const char *text, const char *name,
                             apr_pool_t *pool)
{
    dl_json_values all;
    uint32_t at;

    if (text == NULL ||
        dl_json_values_read(&all, text, strlen(text), pool) != DL_JSON_FINE) {
        return NULL;
    }
    at = dl_json_values_member(&all, 0, name);
    return at != 0 ? all.values[at].text : NULL;
}

/* Take target and resource from the parameters of the job. */
static dl_status parse_parameters(training *t, dl_error *err, apr_pool_t *pool)
{
    const dl_job_claim *claim = dlc_work_claim(t->work);
    const char *target = member_of(claim->parameters, "target", pool);
    const char *resource = member_of(claim->parameters, "resource", pool);
    const char *slash = resource != NULL ? strchr(resource, '/') : NULL;

    if (target == NULL || resource == NULL ||
        !dl_target_find(&t->model.target, target) ||
        (slash != NULL && !dl_day_parse(&t->only, slash + 1, 10))) {
        t->outcome->code = "bad-parameters";
        return dl_fail(err, DL_INVALID, 0, "nothing to train is named");
    }
    t->dataset = slash != NULL ? apr_pstrmemdup(pool, resource,
                                                (size_t)(slash - resource))
                               : resource;
    apr_cpystrn(t->model.id, claim->id, sizeof t->model.id);
    return DL_OK;
}

/* --- The state of the lake ------------------------------------------------ */

/* Pin the state of the lake: the one a former attempt pinned, or this one. */
static dl_status pin(training *t, dl_error *err, apr_pool_t *pool)
{
    const dl_job_claim *claim = dlc_work_claim(t->work);
    const char *pinned = member_of(claim->state_text, "as_of", pool);
    const dl_lake_totals *totals = dl_lake_snapshot_totals(t->snap);
    dl_job_progress progress = {.done = claim->done, .total = claim->total};
    char text[DL_TIME_TEXT];
    bool zone_missing;
    bool cancelled;

    if (pinned != NULL && dl_time_parse_rfc3339(&t->as_of, &zone_missing,
                                                pinned, strlen(pinned))) {
        return DL_OK;
    }
    t->as_of = totals->last_commit;
    dl_time_format(text, t->as_of);
    progress.state_text = apr_psprintf(pool, "{\"as_of\":\"%s\"}", text);
    return dl_job_tell(&cancelled, t->wh, claim, &progress, dl_time_now(), err);
}

/* Open the lake, and count what is to be read. */
static dl_status open_lake(training *t, dl_error *err, apr_pool_t *pool)
{
    const dl_config *cfg = dlc_work_config(t->work);
    dl_lake *lake;
    dl_status status;

    DL_TRY(dl_lake_open(&lake, cfg->lake.path, err, pool));
    status = dl_lake_snapshot_open(&t->snap, lake, t->dataset, err, pool);
    if (status == DL_NOT_FOUND ||
        (status == DL_OK &&
         dl_lake_snapshot_totals(t->snap)->last_commit == DL_TIME_NONE)) {
        t->outcome->code = "not-enough-data";
        return dl_fail(err, DL_NOT_FOUND, 0, "%s has no record", t->dataset);
    }
    DL_TRY(status);
    for (int i = 0; i < dl_lake_days(t->snap); i++) {
        const dl_lake_day *day = dl_lake_day_at(t->snap, i);

        if (t->only == DL_DAY_NONE || t->only == day->day) {
            t->lines += (int64_t)day->records;
        }
    }
    t->step = t->lines / DLC_BOOST_ROUNDS + 1;
    return DL_OK;
}

/* --- Reading and learning ------------------------------------------------- */

static int64_t total_of(const training *t)
{
    return t->lines + t->step * DLC_BOOST_ROUNDS;
}

static void progress(void *context, int64_t lines)
{
    training *t = context;

    dlc_work_tell(t->work, lines, total_of(t));
}

static bool stop(void *context)
{
    training *t = context;

    return dlc_work_ends(t->work);
}

static bool next_round(void *context, int done)
{
    training *t = context;

    dlc_work_tell(t->work, t->lines + t->step * done, total_of(t));
    return !dlc_work_ends(t->work);
}

static dl_status read_rows(training *t, dl_error *err, apr_pool_t *pool)
{
    const dl_config *cfg = dlc_work_config(t->work);
    dlc_train_reading reading = {.cfg = cfg,
                                 .snap = t->snap,
                                 .only = t->only,
                                 .as_of = t->as_of,
                                 .rates = &t->model,
                                 .context = t,
                                 .stop = stop,
                                 .progress = progress};

    t->rows = dlc_train_rows_create((size_t)cfg->train.rows, pool);
    DL_TRY(dl_wh_model_rates(&t->model, t->wh, cfg->warehouse.base_currency,
                             err, pool));
    return dlc_train_read(t->rows, &reading, err, pool);
}

/* Make the model, unless the job ends meanwhile. */
static dl_status learn(training *t, dl_error *err, apr_pool_t *pool)
{
    char version[DL_TIME_TEXT];
    dlc_train_lesson lesson = {.rows = t->rows,
                               .threads =
                                   (int)dlc_work_config(t->work)->train.threads,
                               .lake_version = version,
                               .now = dl_time_now(),
                               .context = t,
                               .round = next_round};
    int64_t last;
    dl_status status;

    dl_time_format(version, t->as_of);
    DL_TRY(dl_wh_model_last(&last, t->wh, t->model.target, err));
    t->model.version = (uint32_t)last + 1;
    status = dlc_train_learn(&t->learned, &t->model, &lesson, err, pool);
    if (status == DL_NOT_FOUND) {
        t->outcome->code = "not-enough-data";
    }
    if (status == DL_OK && t->learned.whole) {
        status =
            dl_model_store_put(t->lake_fd, &t->model, t->learned.boosted.native,
                               t->learned.boosted.native_len, err, pool);
    }
    return status;
}

/* --- The end -------------------------------------------------------------- */

/* Set ROW to what the details of MODEL say. */
static void row_of(dl_model_row *row, const dl_model *model, apr_pool_t *pool)
{
    dl_json_values all = {.n = 0};
    uint32_t at;
    bool zone_missing;
    const char *text = model->details;

    *row = (dl_model_row){.id = model->id,
                          .target = dl_target_name(model->target),
                          .version = model->version,
                          .algorithm = "xgboost",
                          .metrics = "{}",
                          .details = text,
                          .lake_version = ""};
    if (dl_json_values_read(&all, text, model->details_len, pool) !=
        DL_JSON_FINE) {
        return;
    }
    row->n_train = apr_atoi64(member_of(text, "n_train", pool));
    row->n_test = apr_atoi64(member_of(text, "n_test", pool));
    row->lake_version = member_of(text, "lake_version", pool);
    at = dl_json_values_member(&all, 0, "trained_at");
    if (at == 0 ||
        !dl_time_parse_rfc3339(&row->trained_at, &zone_missing,
                               all.values[at].text, all.values[at].len)) {
        row->trained_at = dl_time_now();
    }
    at = dl_json_values_member(&all, 0, "metrics");
    if (at != 0) {
        row->metrics =
            apr_pstrmemdup(pool, text + all.values[at].first,
                           all.values[at].end - all.values[at].first);
    }
}

/* Inside a transaction: tell of MODEL, and let it be current. */
static dl_status add_and_use(training *t, const dl_model *model, dl_error *err,
                             apr_pool_t *pool)
{
    dl_model_row row;

    row_of(&row, model, pool);
    DL_TRY(dl_wh_model_add(t->wh, &row, err));
    return dl_model_store_use(t->lake_fd, model->id, err, pool);
}

/* Let MODEL, which is put away, be the current one. */
static dl_status activate(training *t, const dl_model *model, dl_error *err,
                          apr_pool_t *pool)
{
    dl_status status;

    DL_TRY(dl_wh_begin(t->wh, err));
    status = add_and_use(t, model, err, pool);
    if (status == DL_OK) {
        return dl_wh_commit(t->wh, err);
    }
    dl_wh_rollback(t->wh);
    return status;
}

/* Say that MODEL is there. */
static void tell(training *t, const dl_model *model)
{
    snprintf(t->outcome->result, sizeof t->outcome->result, "{\"details\":%s}",
             model->details);
    snprintf(t->outcome->detail, sizeof t->outcome->detail,
             "version %u of %s is current", (unsigned)model->version,
             dl_target_name(model->target));
    t->outcome->finished = true;
    dlc_work_tell(t->work, total_of(t), total_of(t));
}

static dl_status is_told(void *context, const dl_model_row *row, dl_error *err)
{
    (void)row;
    (void)err;
    *(bool *)context = true;
    return DL_OK;
}

/* Do what a former attempt left undone behind its training.  DL_NOT_FOUND: no
 * attempt came so far. */
static dl_status take_up(training *t, dl_error *err, apr_pool_t *pool)
{
    const dl_model *model;
    bool told = false;
    dl_status status;

    DL_TRY(dl_model_store_find(&model, t->lake_fd, t->model.id, err, pool));
    status = dl_wh_model_find(t->wh, model->id, is_told, &told, err);
    if (status != DL_OK && status != DL_NOT_FOUND) {
        return status;
    }
    if (!told) {
        DL_TRY(activate(t, model, err, pool));
    }
    tell(t, model);
    return DL_OK;
}

static dl_status train(training *t, dl_error *err, apr_pool_t *pool)
{
    dl_status status = take_up(t, err, pool);

    if (status != DL_NOT_FOUND && status != DL_CORRUPT) {
        return status;
    }
    DL_TRY(open_lake(t, err, pool));
    DL_TRY(pin(t, err, pool));
    DL_TRY(read_rows(t, err, pool));
    if (dlc_work_ends(t->work)) {
        return DL_OK;
    }
    DL_TRY(learn(t, err, pool));
    if (!t->learned.whole || dlc_work_ends(t->work)) {
        return DL_OK;
    }
    DL_TRY(activate(t, &t->model, err, pool));
    tell(t, &t->model);
    return DL_OK;
}

dl_status dlc_train_run(dlc_work *work, dlc_work_outcome *outcome,
                        dl_error *err, apr_pool_t *scratch_pool)
{
    training *t = apr_pcalloc(scratch_pool, sizeof *t);
    const dl_config *cfg = dlc_work_config(work);
    dl_status status;

    t->work = work;
    t->outcome = outcome;
    t->only = DL_DAY_NONE;
    DL_TRY(parse_parameters(t, err, scratch_pool));
    DL_TRY(dlc_work_wh(&t->wh, work, err));
    t->lake_fd = open(cfg->lake.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (t->lake_fd < 0) {
        return dl_fail(err, DL_IO, errno, "cannot open %s", cfg->lake.path);
    }
    status = train(t, err, scratch_pool);
    (void)close(t->lake_fd);
    if (status == DL_OK && outcome->finished) {
        dl_log(DL_LOG_NOTICE, "DL0880 train: %s", outcome->detail);
    }
    return status;
}
