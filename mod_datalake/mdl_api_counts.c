/* mdl_api_counts.c - GET /v1/logs/count, /v1/social/count and
 * /v1/transactions/count.
 *
 * The number is kept with the rows (dl_wh_rows.h) as soon as a loader has
 * begun that; until then they are counted, ten million in seconds.  A count
 * that took long is good for twenty times as long in this child, unless a
 * request of this server has changed rows since; the database spends a
 * twentieth of a processor on it at most, a child.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include <httpd.h>

#include "dl_json_write.h"
#include "dl_time.h"
#include "dl_wh_count.h"
#include "mdl_api.h"
#include "mdl_http.h"
#include "mdl_kept.h"
#include "mdl_site.h"
#include "mdl_wh.h"

/* No answer is larger. */
#define ANSWER_MAX 256

/* A count that takes longer is kept, for so many times as long. */
#define SLOW_US    INT64_C(200000)
#define GOOD_TIMES 20

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

/* The last count of each kind that took long. */
static struct latest {
    pthread_mutex_t mutex; /* held while rows are counted, too: nobody else
                              counts them meanwhile */
    const struct mdl_site *site; /* whose rows; NULL: none is kept */
    uint64_t changes;            /* mdl_kept_changes() before it */
    int64_t n;                   /* how many */
    int64_t until_us;            /* it is good until then */
} latest[] = {[DL_COUNT_LOGS] = {.mutex = PTHREAD_MUTEX_INITIALIZER},
              [DL_COUNT_POSTS] = {.mutex = PTHREAD_MUTEX_INITIALIZER},
              [DL_COUNT_PAYMENTS] = {.mutex = PTHREAD_MUTEX_INITIALIZER}};

/* Count what COUNT names for Q, unless LAST is still good; its mutex is
 * held. */
static dl_status count_rows(counting *count, struct latest *last,
                            const mdl_request *q, dl_error *err)
{
    uint64_t changes = mdl_kept_changes();
    int64_t begin_us = dl_time_monotonic_us();
    int64_t took_us;

    if (last->site == q->site && last->changes == changes &&
        begin_us < last->until_us) {
        count->n = last->n;
        return DL_OK;
    }
    DL_TRY(mdl_wh_read(q->site->wh, read_count, count, err));
    took_us = dl_time_monotonic_us() - begin_us;
    last->site = took_us > SLOW_US ? q->site : NULL;
    last->changes = changes;
    last->n = count->n;
    last->until_us = begin_us + took_us * (GOOD_TIMES + 1);
    return DL_OK;
}

/* Set COUNT to how many rows there are for Q. */
static dl_status find_count(counting *count, const mdl_request *q,
                            dl_error *err)
{
    struct latest *last = &latest[count->what];
    dl_status status;

    pthread_mutex_lock(&last->mutex);
    status = count_rows(count, last, q, err);
    pthread_mutex_unlock(&last->mutex);
    return status;
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
    if (find_count(&count, q, &err) != DL_OK ||
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
