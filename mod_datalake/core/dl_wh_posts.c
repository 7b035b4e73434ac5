/* dl_wh_posts.c - Reads tables social_post and social_comment.
 *
 * All statements have the same columns, so one function reads a row of a post
 * and one that of a comment.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_wh_posts.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_statements.h"

/* No post is later (the end of 9999), and no key behind that one, whose
 * character is the last there is. */
#define FOREVER  INT64_C(253402300799999999)
#define LAST_KEY "\xF4\x8F\xBF\xBF"

/* Columns of every statement here. */
enum post_column {
    COLUMN_IS_COMMENT, /* 0: a post, 1: a comment */
    COLUMN_POST,       /* post_id */
    COLUMN_WHO,        /* user_id of a post, user of a comment */
    COLUMN_TEXT,       /* content or text */
    COLUMN_TIMESTAMP,  /* when it was written */
    COLUMN_NAME,       /* name of the user, or comment_id */
    COLUMN_FOLLOWERS,  /* of the user */
    COLUMN_LIKES       /* of the post */
};

/* Return a copy of the text of COL in POOL, NULL for NULL. */
static const char *copy_text(const dl_wh_stmt *st, unsigned col,
                             apr_pool_t *pool)
{
    size_t len;
    const char *text;

    if (dl_wh_is_null(st, col)) {
        return NULL;
    }
    text = dl_wh_text(st, col, &len);
    return apr_pstrmemdup(pool, text, len);
}

static dl_maybe_int maybe_int(const dl_wh_stmt *st, unsigned col)
{
    return (dl_maybe_int){!dl_wh_is_null(st, col), dl_wh_int(st, col)};
}

static void read_post(dl_post *post, const dl_wh_stmt *st, apr_pool_t *pool)
{
    *post = (dl_post){.post_id = copy_text(st, COLUMN_POST, pool),
                      .user_id = copy_text(st, COLUMN_WHO, pool),
                      .name = copy_text(st, COLUMN_NAME, pool),
                      .followers = maybe_int(st, COLUMN_FOLLOWERS),
                      .content = copy_text(st, COLUMN_TEXT, pool),
                      .timestamp = dl_wh_time(st, COLUMN_TIMESTAMP),
                      .likes = maybe_int(st, COLUMN_LIKES),
                      .comments = apr_array_make(pool, 4, sizeof(dl_comment))};
}

static void read_comment(dl_post *post, const dl_wh_stmt *st)
{
    apr_pool_t *pool = post->comments->pool;
    dl_comment *comment = apr_array_push(post->comments);

    *comment = (dl_comment){.comment_id = copy_text(st, COLUMN_NAME, pool),
                            .user = copy_text(st, COLUMN_WHO, pool),
                            .text = copy_text(st, COLUMN_TEXT, pool),
                            .timestamp = dl_wh_time(st, COLUMN_TIMESTAMP)};
}

static int compare_comments(const void *a, const void *b)
{
    const dl_comment *left = a;
    const dl_comment *right = b;

    if (left->timestamp != right->timestamp) {
        return left->timestamp < right->timestamp ? -1 : 1;
    }
    return strcmp(left->comment_id, right->comment_id);
}

/* Put the comments of POST in order: those without time first. */
static void sort_comments(const dl_post *post)
{
    qsort(post->comments->elts, (size_t)post->comments->nelts,
          sizeof(dl_comment), compare_comments);
}

dl_status dl_wh_post_find(dl_post *post, dl_wh *wh, const char *post_id,
                          dl_error *err, apr_pool_t *result_pool)
{
    dl_wh_stmt *st;
    bool found = false;
    bool more;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_POST_FIND, err));
    dl_wh_bind_str(st, 0, post_id);
    dl_wh_bind_str(st, 1, post_id);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more) {
        if (dl_wh_int(st, COLUMN_IS_COMMENT) == 0) {
            read_post(post, st, result_pool);
            /* The database passes over spaces at the end. */
            found = strcmp(post->post_id, post_id) == 0;
        }
        else if (found) {
            read_comment(post, st);
        }
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    if (!found) {
        return dl_fail(err, DL_NOT_FOUND, 0, "there is no such post");
    }
    sort_comments(post);
    return DL_OK;
}

/* --- The posts of a user -------------------------------------------------- */

/* A page that is being read. */
typedef struct post_reading {
    dl_wh *wh;                /* the connection */
    const dl_post_page *page; /* what is asked for */
    dl_post_list *list;       /* what was found */
    size_t bytes;             /* of the texts in it */
} post_reading;

/* Return the bytes of the text that the row of ST has. */
static size_t text_of(const dl_wh_stmt *st)
{
    size_t len;

    (void)dl_wh_text(st, COLUMN_TEXT, &len);
    return len;
}

/* Run SQL for the page of READ, at most MAX posts of it. */
static dl_status run(dl_wh_stmt **st, const post_reading *read, const char *sql,
                     int max, dl_error *err)
{
    const dl_post_page *page = read->page;
    bool first = page->before == DL_TIME_NONE;
    dl_time before = first ? FOREVER : page->before;

    DL_TRY(dl_wh_prepare(st, read->wh, sql, err));
    dl_wh_bind_str(*st, 0, page->user_id);
    dl_wh_bind_time(*st, 1, before);
    dl_wh_bind_time(*st, 2, before);
    dl_wh_bind_str(*st, 3, first ? LAST_KEY : page->before_id);
    dl_wh_bind_int(*st, 4, max);
    return dl_wh_run(*st, err);
}

/* Set the posts, without their comments. */
static dl_status read_posts(post_reading *read, dl_error *err, apr_pool_t *pool)
{
    dl_post_list *list = read->list;
    dl_wh_stmt *st;
    bool more;

    DL_TRY(run(&st, read, STMT_POST_PAGE, read->page->max + 1, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more && list->rows->nelts < read->page->max &&
           read->bytes < DL_POSTS_FULL) {
        read_post(apr_array_push(list->rows), st, pool);
        read->bytes += text_of(st);
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    list->more = more;
    dl_wh_finish(st);
    return DL_OK;
}

/* Give the posts, which come in the same order, their comments; a page that is
 * full ends before the post whose comments it has no room for, unless that is
 * its first. */
static dl_status read_comments(post_reading *read, dl_error *err)
{
    dl_post_list *list = read->list;
    dl_post *posts = (dl_post *)(void *)list->rows->elts;
    dl_wh_stmt *st;
    int i = 0;
    bool more;

    DL_TRY(run(&st, read, STMT_POST_COMMENTS, list->rows->nelts, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more) {
        const char *post_id = dl_wh_text(st, COLUMN_POST, NULL);

        while (i < list->rows->nelts &&
               strcmp(posts[i].post_id, post_id) != 0) {
            i++;
        }
        if (i == list->rows->nelts) {
            break;
        }
        read->bytes += text_of(st);
        if (i > 0 && read->bytes > DL_POSTS_FULL) {
            list->rows->nelts = i;
            list->more = true;
            break;
        }
        read_comment(&posts[i], st);
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    dl_wh_finish(st);
    return DL_OK;
}

dl_status dl_wh_posts_read(dl_post_list *list, dl_wh *wh,
                           const dl_post_page *page, dl_error *err,
                           apr_pool_t *result_pool)
{
    post_reading read = {.wh = wh, .page = page, .list = list};
    dl_status status;
    int i;

    list->rows = apr_array_make(result_pool, 16, sizeof(dl_post));
    list->more = false;
    DL_TRY(dl_wh_begin_snapshot(wh, err));
    status = read_posts(&read, err, result_pool);
    if (status == DL_OK && list->rows->nelts > 0) {
        status = read_comments(&read, err);
    }
    if (status != DL_OK) {
        dl_wh_rollback(wh);
        return status;
    }
    for (i = 0; i < list->rows->nelts; i++) {
        sort_comments(&APR_ARRAY_IDX(list->rows, i, dl_post));
    }
    return dl_wh_commit(wh, err);
}
