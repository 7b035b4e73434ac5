/* mdl_api_posts.c - GET /v1/social/{post_id} and /v1/social/user/{user_id}.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "dl_json_write.h"
#include "dl_wh_posts.h"
#include "mdl_api.h"
#include "mdl_http.h"
#include "mdl_kept.h"
#include "mdl_multi.h"
#include "mdl_page.h"
#include "mdl_problem.h"
#include "mdl_site.h"
#include "mdl_wh.h"

/* No answer is larger: texts of DL_POSTS_FULL, or one post, each byte escaped
 * as six; and a thousand posts of other members. */
#define ANSWER_MAX ((size_t)64 * 1024 * 1024)

enum {
    USER,
    LIMIT,
    CURSOR
};

const mdl_param mdl_api_post_params[] = {{.name = "post_id",
                                          .type = MDL_PARAM_TEXT,
                                          .in_path = true,
                                          .min = 1,
                                          .max = 256,
                                          .summary = "Key of the post"},
                                         {.name = NULL}};

const mdl_param mdl_api_user_posts_params[] = {
    [USER] = {.name = "user_id",
              .type = MDL_PARAM_TEXT,
              .in_path = true,
              .min = 1,
              .max = 256,
              .summary = "Who wrote them"},
    MDL_PAGE_LIMIT(LIMIT, MDL_MULTI_LIMIT_TEXT),
    MDL_PAGE_CURSOR(CURSOR),
    {.name = NULL}};

/* Write the member NAME: NUMBER, or null. */
static void write_maybe(dl_json_writer *w, const char *name,
                        dl_maybe_int number)
{
    if (number.given) {
        dl_json_write_int_member(w, name, number.value);
    }
    else {
        dl_json_write_text_member(w, name, NULL);
    }
}

static void write_comments(dl_json_writer *w, const dl_post *post)
{
    int i;

    dl_json_write_array_begin(w);
    for (i = 0; i < post->comments->nelts; i++) {
        const dl_comment *comment =
            &APR_ARRAY_IDX(post->comments, i, dl_comment);

        dl_json_write_object_begin(w);
        dl_json_write_text_member(w, "comment_id", comment->comment_id);
        dl_json_write_text_member(w, "user", comment->user);
        dl_json_write_text_member(w, "text", comment->text);
        dl_json_write_time_member(w, "timestamp", comment->timestamp);
        dl_json_write_object_end(w);
    }
    dl_json_write_array_end(w);
}

static void write_post(dl_json_writer *w, const dl_post *post)
{
    dl_json_write_object_begin(w);
    dl_json_write_text_member(w, "post_id", post->post_id);
    dl_json_write_key(w, "user");
    dl_json_write_object_begin(w);
    dl_json_write_text_member(w, "user_id", post->user_id);
    dl_json_write_text_member(w, "name", post->name);
    write_maybe(w, "followers", post->followers);
    dl_json_write_object_end(w);
    dl_json_write_text_member(w, "content", post->content);
    dl_json_write_time_member(w, "timestamp", post->timestamp);
    write_maybe(w, "likes", post->likes);
    dl_json_write_key(w, "comments");
    write_comments(w, post);
    dl_json_write_object_end(w);
}

/* Answer what BUF holds, with the CURSOR of the next page. */
static int answer(mdl_kept *kept, const dl_buf *buf, const char *cursor)
{
    char etag[MDL_ETAG_TEXT];

    mdl_answer_etag(etag, buf->data, buf->len);
    return mdl_kept_keep(kept, etag, buf->data, buf->len, cursor);
}

/* --- One post ------------------------------------------------------------- */

/* A post as it was found. */
typedef struct found_post {
    const char *post_id; /* which */
    dl_buf *buf;         /* it, written */
    apr_pool_t *pool;    /* its texts */
} found_post;

static dl_status read_one(struct dl_wh *wh, void *context, dl_error *err)
{
    found_post *found = context;
    dl_json_writer w;
    dl_post post;

    DL_TRY(dl_wh_post_find(&post, wh, found->post_id, err, found->pool));
    found->buf->len = 0;
    dl_json_writer_begin(&w, found->buf);
    write_post(&w, &post);
    return dl_json_writer_finish(&w, err);
}

int mdl_api_post(mdl_request *q)
{
    found_post found = {.post_id = q->values[0].text, .pool = q->r->pool};
    mdl_cursor_binding binding = {"/v1/social/{post_id}", found.post_id};
    mdl_kept kept;
    dl_error err;
    dl_status status;

    (void)mdl_kept_begin(&kept, q, &binding, -1);
    if (mdl_kept_find(&kept)) {
        return mdl_kept_send(&kept);
    }
    found.buf = mdl_answer_buf(q, ANSWER_MAX);
    status = mdl_wh_read(q->site->wh, read_one, &found, &err);
    if (status != DL_OK) {
        mdl_kept_forget(&kept);
        return status == DL_NOT_FOUND ? mdl_problem(q, MDL_PROBLEM_NOT_FOUND,
                                                    "There is no such post.")
                                      : mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    return answer(&kept, found.buf, NULL);
}

dl_status mdl_multi_post_etag(char etag[MDL_ETAG_TEXT], struct dl_wh *wh,
                              const char *post_id, dl_error *err,
                              apr_pool_t *pool)
{
    found_post found = {post_id, dl_buf_create(ANSWER_MAX, pool), pool};

    DL_TRY(read_one(wh, &found, err));
    mdl_answer_etag(etag, found.buf->data, found.buf->len);
    return DL_OK;
}

/* --- The posts of a user -------------------------------------------------- */

/* One page. */
typedef struct post_page {
    dl_post_page page; /* what is read */
    dl_post_list list; /* what was found */
    apr_pool_t *pool;  /* its texts */
} post_page;

static dl_status read_page(struct dl_wh *wh, void *context, dl_error *err)
{
    post_page *page = context;

    return dl_wh_posts_read(&page->list, wh, &page->page, err, page->pool);
}

/* Answer PAGE, which is to be kept as KEPT. */
static int answer_page(const post_page *page, mdl_kept *kept)
{
    const apr_array_header_t *rows = page->list.rows;
    dl_buf *buf = mdl_answer_buf(kept->q, ANSWER_MAX);
    const char *cursor = NULL;
    dl_json_writer w;
    dl_error err;
    int i;

    dl_json_writer_begin(&w, buf);
    dl_json_write_array_begin(&w);
    for (i = 0; i < rows->nelts; i++) {
        write_post(&w, &APR_ARRAY_IDX(rows, i, dl_post));
    }
    dl_json_write_array_end(&w);
    if (dl_json_writer_finish(&w, &err) != DL_OK) {
        mdl_kept_forget(kept);
        return mdl_http_fail(kept->q, MDL_OURSELVES, &err);
    }
    if (page->list.more && rows->nelts > 0) {
        const dl_post *last = &APR_ARRAY_IDX(rows, rows->nelts - 1, dl_post);

        cursor = mdl_kept_next(kept, last->timestamp, last->post_id);
    }
    return answer(kept, buf, cursor);
}

int mdl_api_user_posts(mdl_request *q)
{
    const mdl_value *v = q->values;
    post_page page = {
        .page = {.user_id = v[USER].text, .max = (int)v[LIMIT].number},
        .pool = q->r->pool};
    mdl_cursor_binding binding = {
        "/v1/social/user/{user_id}",
        apr_psprintf(q->r->pool, "%s\x1f%s", v[USER].text, v[LIMIT].text)};
    mdl_kept kept;
    dl_error err;
    int status = mdl_kept_begin(&kept, q, &binding, CURSOR);

    if (status != OK) {
        return status;
    }
    if (mdl_kept_find(&kept)) {
        return mdl_kept_send(&kept);
    }
    page.page.before = kept.before;
    page.page.before_id = kept.before_id;
    if (mdl_wh_read(q->site->wh, read_page, &page, &err) != DL_OK) {
        mdl_kept_forget(&kept);
        return mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    return answer_page(&page, &kept);
}
