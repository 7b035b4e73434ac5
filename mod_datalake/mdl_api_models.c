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
    mdl_request *q;
    mdl_cursor_binding binding;            /* of this list's cursors */
    dl_model_page page;                    /* a model more than the page */
    char current[DL_TARGETS][DL_MODEL_ID]; /* ids of the current models */
    dl_buf *buf;                           /* the answer */
    dl_json_writer w;                      /* into it */
    int n;                                 /* models written */
    dl_time last;                          /* when the last of them was made */
    char last_id[DL_MODEL_ID];             /* and its id */
    bool more;                             /* there is another page */
} model_list;

/* Find out which models are current. */
static dl_status read_current(model_list *list, dl_error *err)
{
    mdl_models *models = list->q->site->models;
    mdl_models_held *held;

    for (int i = 0; i < DL_TARGETS; i++) {
        dl_status status = mdl_models_current(&held, models, (dl_target)i, err);

        list->current[i][0] = '\0';
        if (status == DL_NOT_FOUND) {
            continue;
        }
        DL_TRY(status);
        apr_cpystrn(list->current[i], mdl_models_of(held)->id, DL_MODEL_ID);
        mdl_models_release(models, held);
    }
    return DL_OK;
}

static dl_status write_row(void *context, const dl_model_row *row,
                           dl_error *err)
{
    model_list *list = context;
    bool current = false;

    (void)err;
    list->more = list->n == list->page.max - 1;
    if (list->more) {
        return DL_OK;
    }
    for (int i = 0; i < DL_TARGETS; i++) {
        current = current || strcmp(list->current[i], row->id) == 0;
    }
    dl_wh_model_write(&list->w, row, current);
    list->last = row->trained_at;
    apr_cpystrn(list->last_id, row->id, sizeof list->last_id);
    list->n++;
    return DL_OK;
}

static dl_status read_list(struct dl_wh *wh, void *context, dl_error *err)
{
    model_list *list = context;

    list->n = 0;
    list->more = false;
    list->buf->len = 0;
    dl_json_writer_begin(&list->w, list->buf);
    dl_json_write_object_begin(&list->w);
    dl_json_write_key(&list->w, "models");
    dl_json_write_array_begin(&list->w);
    return dl_wh_model_read(wh, &list->page, write_row, list, err);
}

/* Set where LIST begins. */
static int open_list(model_list *list)
{
    mdl_request *q = list->q;
    const char *position;
    const char *id;
    int status;

    list->page = (dl_model_page){.before = DL_TIME_NONE,
                                 .before_id = "",
                                 .max = (int)q->values[LIMIT].number + 1};
    list->binding = (mdl_cursor_binding){"/api/models/", q->values[LIMIT].text};
    status = mdl_page_open(&position, q, &list->binding, CURSOR);
    if (status != OK || position == NULL) {
        return status;
    }
    id = strchr(position, ' ');
    if (id == NULL) {
        return mdl_page_refuse(q, CURSOR);
    }
    list->page.before = apr_atoi64(position);
    list->page.before_id = id + 1;
    return OK;
}

int mdl_api_models(mdl_request *q)
{
    model_list list = {.q = q};
    const char *cursor = NULL;
    char etag[MDL_ETAG_TEXT];
    dl_error err;
    int status = open_list(&list);

    if (status != OK) {
        return status;
    }
    if (read_current(&list, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_LAKE, &err);
    }
    list.buf = mdl_answer_buf(q, LIST_MAX);
    if (mdl_wh_read(q->site->wh, read_list, &list, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    if (list.more) {
        cursor = mdl_page_next(q, &list.binding,
                               apr_psprintf(q->r->pool, "%" PRId64 " %s",
                                            list.last, list.last_id));
        mdl_answer_link_next(q, cursor);
    }
    dl_json_write_array_end(&list.w);
    dl_json_write_key(&list.w, "next_cursor");
    dl_json_write_text(&list.w, cursor);
    dl_json_write_object_end(&list.w);
    if (dl_json_writer_finish(&list.w, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_OURSELVES, &err);
    }
    q->rows = (uint64_t)list.n;
    /* A cursor holds the time it was made at: such a page has no validator
     * that stays. */
    if (cursor == NULL) {
        mdl_answer_etag(etag, list.buf->data, list.buf->len);
        if (mdl_answer_unchanged(q, etag)) {
            return mdl_answer_not_modified(q);
        }
    }
    return mdl_answer_buffer(q, list.buf);
}
