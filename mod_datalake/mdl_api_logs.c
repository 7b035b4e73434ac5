/* mdl_api_logs.c - GET /v1/logs/{ip}: the lines of logs of one address.
 *
 * A page ends early when its texts are large, so that no answer is.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "dl_json_write.h"
#include "dl_wh_logs.h"
#include "mdl_api.h"
#include "mdl_http.h"
#include "mdl_kept.h"
#include "mdl_multi.h"
#include "mdl_page.h"
#include "mdl_problem.h"
#include "mdl_site.h"
#include "mdl_wh.h"

/* A page ends behind the line with which its text is so long. */
#define PAGE_FULL ((size_t)4 * 1024 * 1024)
#define PAGE_MAX  (PAGE_FULL + (size_t)128 * 1024)

enum {
    IP,
    LIMIT,
    CURSOR
};

const mdl_param mdl_api_log_params[] = {
    [IP] = {.name = "ip",
            .type = MDL_PARAM_ADDRESS,
            .in_path = true,
            .summary = "IPv4 or IPv6 address"},
    MDL_PAGE_LIMIT(LIMIT, MDL_MULTI_LIMIT_TEXT),
    MDL_PAGE_CURSOR(CURSOR),
    {.name = NULL}};

/* One page. */
typedef struct log_list {
    const char *canonical; /* the address in its shortest form */
    dl_log_page page;      /* what is read: one more than the page */
    dl_buf *buf;           /* the answer */
    dl_json_writer w;      /* into it */
    int n;                 /* written */
    dl_time last;          /* time of the last one written */
    int64_t last_id;       /* and its id */
    bool more;             /* there is another page */
} log_list;

static dl_status write_line(void *context, const dl_log_line *line,
                            dl_error *err)
{
    log_list *list = context;
    unsigned i;

    (void)err;
    if (list->n == list->page.max - 1 || list->buf->len >= PAGE_FULL) {
        list->more = true;
        return DL_OK;
    }
    dl_json_write_object_begin(&list->w);
    for (i = 0; i < DL_LOG_MEMBERS; i++) {
        dl_json_write_text_member(&list->w, dl_log_members[i], line->texts[i]);
    }
    dl_json_write_text_member(&list->w, "source", "kafka");
    dl_json_write_time_member(&list->w, "timestamp", line->timestamp);
    dl_json_write_object_end(&list->w);
    list->last = line->timestamp;
    list->last_id = line->id;
    list->n++;
    return DL_OK;
}

static dl_status read_list(struct dl_wh *wh, void *context, dl_error *err)
{
    log_list *list = context;

    list->n = 0;
    list->more = false;
    list->buf->len = 0;
    dl_json_writer_begin(&list->w, list->buf);
    dl_json_write_array_begin(&list->w);
    DL_TRY(dl_wh_logs_read(wh, &list->page, write_line, list, err));
    if (list->n == 0 && strcmp(list->page.address, list->canonical) != 0) {
        list->page.address = list->canonical;
        DL_TRY(dl_wh_logs_read(wh, &list->page, write_line, list, err));
    }
    dl_json_write_array_end(&list->w);
    return dl_json_writer_finish(&list->w, err);
}

/* Answer LIST, which is to be kept as KEPT. */
static int answer_list(const log_list *list, mdl_kept *kept)
{
    apr_pool_t *pool = kept->q->r->pool;
    const char *cursor = NULL;
    char etag[MDL_ETAG_TEXT];

    if (list->n == 0 && list->page.before == DL_TIME_NONE) {
        mdl_kept_forget(kept);
        return mdl_problem(kept->q, MDL_PROBLEM_NOT_FOUND,
                           "There is no log of this address.");
    }
    if (list->more) {
        cursor = mdl_kept_next(kept, list->last,
                               apr_psprintf(pool, "%" PRId64, list->last_id));
    }
    mdl_answer_etag(etag, list->buf->data, list->buf->len);
    return mdl_kept_keep(kept, etag, list->buf->data, list->buf->len, cursor);
}

int mdl_api_logs(mdl_request *q)
{
    const mdl_value *v = q->values;
    log_list list = {
        .canonical = v[IP].canonical,
        .page = {.address = v[IP].text, .max = (int)v[LIMIT].number + 1}};
    mdl_cursor_binding binding = {
        "/v1/logs/{ip}",
        apr_psprintf(q->r->pool, "%s\x1f%s", v[IP].text, v[LIMIT].text)};
    mdl_kept kept;
    dl_error err;
    int status;

    status = mdl_kept_begin(&kept, q, &binding, CURSOR);
    if (status != OK) {
        return status;
    }
    if (mdl_kept_find(&kept)) {
        return mdl_kept_send(&kept);
    }
    list.page.before = kept.before;
    list.page.before_id = apr_atoi64(kept.before_id);
    list.buf = mdl_answer_buf(q, PAGE_MAX);
    if (mdl_wh_read(q->site->wh, read_list, &list, &err) != DL_OK) {
        mdl_kept_forget(&kept);
        return mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    return answer_list(&list, &kept);
}

dl_status mdl_multi_log_etag(char etag[MDL_ETAG_TEXT], struct dl_wh *wh,
                             const char *address, dl_error *err,
                             apr_pool_t *pool)
{
    log_list list = {.canonical = address,
                     .page = {.address = address,
                              .before = DL_TIME_NONE,
                              .max = MDL_MULTI_LIMIT + 1},
                     .buf = dl_buf_create(PAGE_MAX, pool)};

    DL_TRY(read_list(wh, &list, err));
    mdl_answer_etag(etag, list.buf->data, list.buf->len);
    return list.n > 0 ? DL_OK
                      : dl_fail(err, DL_NOT_FOUND, 0,
                                "there is no log of this address");
}
