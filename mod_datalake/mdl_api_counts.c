/* mdl_api_counts.c - GET /v1/logs/count, /v1/social/count and
 * /v1/transactions/count.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <httpd.h>

#include "dl_json_write.h"
#include "dl_wh_count.h"
#include "mdl_api.h"
#include "mdl_http.h"
#include "mdl_kept.h"
#include "mdl_site.h"
#include "mdl_wh.h"

/* No answer is larger. */
#define ANSWER_MAX 256

/* What is counted. */
typedef struct counting {
    dl_counted what; /* the rows */
    int64_t n;       /* how many */
} counting;

static dl_status read_count(struct dl_wh *wh, void *context, dl_error *err)
{
    counting *count = context;

    return dl_wh_count(&count->n, wh, count->what, err);
}

/* Write COUNT into BUF as the member NAME. */
static dl_status write_count(dl_buf *buf, const counting *count,
                             const char *name, dl_error *err)
{
    dl_json_writer w;

    dl_json_writer_begin(&w, buf);
    dl_json_write_object_begin(&w);
    dl_json_write_int_member(&w, name, count->n);
    dl_json_write_object_end(&w);
    return dl_json_writer_finish(&w, err);
}

/* Answer how many rows of WHAT there are, as the member NAME. */
static int answer_count(mdl_request *q, dl_counted what, const char *name)
{
    counting count = {.what = what};
    mdl_cursor_binding binding = {"count", name};
    dl_buf *buf = mdl_answer_buf(q, ANSWER_MAX);
    char etag[MDL_ETAG_TEXT];
    mdl_kept kept;
    dl_error err;

    (void)mdl_kept_begin(&kept, q, &binding, -1);
    if (mdl_kept_find(&kept)) {
        return mdl_kept_send(&kept);
    }
    if (mdl_wh_read(q->site->wh, read_count, &count, &err) != DL_OK ||
        write_count(buf, &count, name, &err) != DL_OK) {
        mdl_kept_forget(&kept);
        return mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    mdl_answer_etag(etag, buf->data, buf->len);
    return mdl_kept_keep(&kept, etag, buf->data, buf->len, NULL);
}

int mdl_api_log_count(mdl_request *q)
{
    return answer_count(q, DL_COUNT_LOGS, "total_logs");
}

int mdl_api_post_count(mdl_request *q)
{
    return answer_count(q, DL_COUNT_POSTS, "total_posts");
}

int mdl_api_payment_count(mdl_request *q)
{
    return answer_count(q, DL_COUNT_PAYMENTS, "total_transactions");
}
