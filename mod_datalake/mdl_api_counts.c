/* mdl_api_counts.c - GET /v1/logs/count, /v1/social/count and
 * /v1/transactions/count.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <httpd.h>

#include "dl_json_write.h"
#include "dl_wh_count.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_http.h"
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

/* Answer how many rows of WHAT there are, as the member NAME. */
static int answer_count(mdl_request *q, dl_counted what, const char *name)
{
    counting count = {.what = what};
    dl_buf *buf = mdl_answer_buf(q, ANSWER_MAX);
    char etag[MDL_ETAG_TEXT];
    dl_json_writer w;
    dl_error err;

    if (mdl_wh_read(q->site->wh, read_count, &count, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    dl_json_writer_begin(&w, buf);
    dl_json_write_object_begin(&w);
    dl_json_write_int_member(&w, name, count.n);
    dl_json_write_object_end(&w);
    if (dl_json_writer_finish(&w, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_OURSELVES, &err);
    }
    mdl_answer_etag(etag, buf->data, buf->len);
    return mdl_answer_unchanged(q, etag) ? mdl_answer_not_modified(q)
                                         : mdl_answer_buffer(q, buf);
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
