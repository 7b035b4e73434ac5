/* dlc_ctl_model.c - datalakectl model: what was trained, and which of it
 * answers.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_config.h"
#include "dl_model_store.h"
#include "dl_wh_model.h"
#include "dlc_ctl.h"
#include "dlc_ctl_account.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

/* Models that a list shows. */
#define MODELS_MAX 1000

/* What the command line asks for. */
typedef struct model_request {
    dlc_ctl *ctl;                          /* the run */
    dl_wh *wh;                             /* to the warehouse */
    int lake_fd;                           /* the lake's root */
    char current[DL_TARGETS][DL_MODEL_ID]; /* ids of the current models */
    dl_json_writer w;                      /* with --json */
} model_request;

static dl_status open_lake(model_request *request, dl_error *err)
{
    const dl_config *cfg;

    DL_TRY(dlc_ctl_config(&cfg, request->ctl, err));
    request->lake_fd = open(cfg->lake.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return request->lake_fd >= 0
               ? DL_OK
               : dl_fail(err, DL_IO, errno, "cannot open %s", cfg->lake.path);
}

static dl_status read_current(model_request *request, dl_error *err)
{
    for (int i = 0; i < DL_TARGETS; i++) {
        const dl_model *model = NULL;
        dl_model_stamp stamp;
        dl_status status =
            dl_model_store_current(&model, &stamp, request->lake_fd,
                                   (dl_target)i, err, request->ctl->pool);

        request->current[i][0] = '\0';
        if (status == DL_OK) {
            apr_cpystrn(request->current[i], model->id, DL_MODEL_ID);
        }
        else if (status != DL_NOT_FOUND) {
            return status;
        }
    }
    return DL_OK;
}

static void print_row(const dl_model_row *row, bool current)
{
    char trained[DL_TIME_TEXT];

    dl_time_format(trained, row->trained_at);
    printf("%s  ", row->id);
    dlc_ctl_print_text(row->target, 10);
    printf("%4lld  %.19sZ  %9lld  %s  %s\n", (long long)row->version, trained,
           (long long)row->n_train, current ? "current" : "       ",
           row->metrics);
}

/* Print ROW, or write it. */
static dl_status give_row(void *context, const dl_model_row *row, dl_error *err)
{
    model_request *request = context;
    bool current = false;

    (void)err;
    for (int i = 0; i < DL_TARGETS; i++) {
        current = current || strcmp(request->current[i], row->id) == 0;
    }
    if (request->ctl->json) {
        dl_wh_model_write(&request->w, row, current);
    }
    else {
        print_row(row, current);
    }
    return DL_OK;
}

static dl_status list_models(model_request *request, dl_error *err)
{
    const dl_model_page page = {
        .before = DL_TIME_NONE, .before_id = "", .max = MODELS_MAX};

    DL_TRY(read_current(request, err));
    dl_json_write_array_begin(&request->w);
    DL_TRY(dl_wh_model_read(request->wh, &page, give_row, request, err));
    dl_json_write_array_end(&request->w);
    return DL_OK;
}

/* Let ID be current, and show it. */
static dl_status use_model(model_request *request, const char *id,
                           dl_error *err)
{
    dl_status status =
        dl_model_store_use(request->lake_fd, id, err, request->ctl->pool);

    if (status == DL_NOT_FOUND) {
        return dl_fail(err, DL_NOT_FOUND, 0, "there is no model \"%.60s\"", id);
    }
    DL_TRY(status);
    DL_TRY(read_current(request, err));
    return dl_wh_model_find(request->wh, id, give_row, request, err);
}

int dlc_ctl_model(dlc_ctl *ctl, int argc, const char *const *argv)
{
    model_request request = {.ctl = ctl};
    dl_error err = {.status = DL_OK};
    dlc_positionals rest;
    dl_status status;
    bool use;
    int exit_status = dlc_ctl_parse(&rest, ctl, NULL, argc, argv);

    if (exit_status < 0) {
        exit_status = dlc_ctl_want(ctl, &rest, 1, 2);
    }
    if (exit_status >= 0) {
        return exit_status;
    }
    use = strcmp(rest.text[0], "use") == 0;
    if (!use && strcmp(rest.text[0], "list") != 0) {
        return dlc_ctl_usage(ctl, "unknown verb \"%.40s\"", rest.text[0]);
    }
    exit_status = dlc_ctl_want(ctl, &rest, use ? 2 : 1, use ? 2 : 1);
    if (exit_status >= 0) {
        return exit_status;
    }
    request.w = dlc_ctl_json(ctl);
    status = open_lake(&request, &err);
    if (status == DL_OK) {
        status = dlc_ctl_accounts(&request.wh, ctl, &err);
    }
    if (status == DL_OK) {
        status = use ? use_model(&request, rest.text[1], &err)
                     : list_models(&request, &err);
    }
    if (status != DL_OK) {
        return dlc_ctl_fail(ctl, &err);
    }
    return ctl->json ? dlc_ctl_print_json(ctl, &request.w) : DLC_CTL_OK;
}
