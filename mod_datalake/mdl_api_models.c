/* mdl_api_models.c - GET /api/models/: what was trained, and which of it
 * answers.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "dl_wh_model.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_http.h"
#include "mdl_list.h"
#include "mdl_models.h"
#include "mdl_page.h"
#include "mdl_problem.h"
#include "mdl_site.h"
#include "mdl_wh.h"

/* A model takes less than 1 KiB; 1,000 of them. */
#define LIST_MAX ((size_t)4 * 1024 * 1024)

enum {
    LIMIT,
    CURSOR
};

const mdl_param mdl_api_models_params[] = {
    MDL_PAGE_LIMIT(LIMIT, "50"), MDL_PAGE_CURSOR(CURSOR), {.name = NULL}};

/* One page. */
typedef struct model_list {
    mdl_list list;
    dl_model_page page;                    /* a model more than the page */
    char current[DL_TARGETS][DL_MODEL_ID]; /* ids of the current models */
} model_list;

/* Find out which models are current. */
static dl_status read_current(model_list *all, dl_error *err)
{
    mdl_models *models = all->list.q->site->models;
    mdl_models_held *held;

    for (int i = 0; i < DL_TARGETS; i++) {
        dl_status status = mdl_models_current(&held, models, (dl_target)i, err);

        all->current[i][0] = '\0';
        if (status == DL_NOT_FOUND) {
            continue;
        }
        DL_TRY(status);
        apr_cpystrn(all->current[i], mdl_models_of(held)->id, DL_MODEL_ID);
        mdl_models_release(models, held);
    }
    return DL_OK;
}

static dl_status write_row(void *context, const dl_model_row *row,
                           dl_error *err)
{
    model_list *all = context;
    bool current = false;

    (void)err;
    if (!mdl_list_takes(&all->list)) {
        return DL_OK;
    }
    for (int i = 0; i < DL_TARGETS; i++) {
        current = current || strcmp(all->current[i], row->id) == 0;
    }
    dl_wh_model_write(&all->list.w, row, current);
    mdl_list_took(&all->list, row->trained_at, row->id);
    return DL_OK;
}

static dl_status read_list(struct dl_wh *wh, void *context, dl_error *err)
{
    model_list *all = context;

    mdl_list_begin(&all->list, "models", LIST_MAX);
    return dl_wh_model_read(wh, &all->page, write_row, all, err);
}

int mdl_api_models(mdl_request *q)
{
    model_list all;
    dl_error err;
    int status = mdl_list_open(&all.list, q, "", LIMIT, CURSOR);

    if (status != OK) {
        return status;
    }
    all.page = (dl_model_page){.before = all.list.before,
                               .before_id = all.list.before_id,
                               .max = all.list.rows + 1};
    if (read_current(&all, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_LAKE, &err);
    }
    if (mdl_wh_read(q->site->wh, read_list, &all, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    return mdl_list_send(&all.list);
}
