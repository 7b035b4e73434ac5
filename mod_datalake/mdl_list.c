/* mdl_list.c - Opens a list by time and id, counts its rows, sends it.
 *
 * The position of a cursor is the time of the last row in microseconds, a
 * space and the row's id.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_list.h"

#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "mdl_answer.h"
#include "mdl_http.h"
#include "mdl_page.h"
#include "mdl_route.h"

int mdl_list_open(mdl_list *list, mdl_request *q, const char *filters,
                  int limit, int cursor)
{
    const char *position;
    const char *id;
    int status;

    *list = (mdl_list){
        .q = q,
        .binding = {q->route->template,
                    apr_pstrcat(q->r->pool, filters, "\x1f",
                                q->values[limit].text, NULL)},
        .rows = (int)q->values[limit].number,
        .before = DL_TIME_NONE,
        .before_id = "",
    };
    status = mdl_page_open(&position, q, &list->binding, cursor);
    if (status != OK || position == NULL) {
        return status;
    }
    id = strchr(position, ' ');
    if (id == NULL) {
        return mdl_page_refuse(q, cursor);
    }
    list->before = apr_atoi64(position);
    list->before_id = id + 1;
    return OK;
}

void mdl_list_begin(mdl_list *list, const char *name, size_t max)
{
    if (list->buf == NULL) {
        list->buf = mdl_answer_buf(list->q, max);
    }
    list->buf->len = 0;
    list->n = 0;
    list->more = false;
    dl_json_writer_begin(&list->w, list->buf);
    dl_json_write_object_begin(&list->w);
    dl_json_write_key(&list->w, name);
    dl_json_write_array_begin(&list->w);
}

bool mdl_list_takes(mdl_list *list)
{
    list->more = list->more || list->n == list->rows;
    return !list->more;
}

void mdl_list_took(mdl_list *list, dl_time at, const char *id)
{
    list->n++;
    list->last = at;
    apr_cpystrn(list->last_id, id, sizeof list->last_id);
}

int mdl_list_send(mdl_list *list)
{
    mdl_request *q = list->q;
    const char *cursor = NULL;
    dl_error err;

    if (list->more) {
        cursor = mdl_page_next(q, &list->binding,
                               apr_psprintf(q->r->pool, "%" PRId64 " %s",
                                            list->last, list->last_id));
        mdl_answer_link_next(q, cursor);
    }
    dl_json_write_array_end(&list->w);
    dl_json_write_key(&list->w, "next_cursor");
    dl_json_write_text(&list->w, cursor);
    dl_json_write_object_end(&list->w);
    if (dl_json_writer_finish(&list->w, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_OURSELVES, &err);
    }
    q->rows = (uint64_t)list->n;
    /* A cursor holds the time it was made at: such a page has no validator
     * that stays. */
    return cursor == NULL ? mdl_answer_state(q, list->buf)
                          : mdl_answer_buffer(q, list->buf);
}
