/* dl_wh_posts.h - Posts of social networks, with comments, as the warehouse
 * has them.
 *
 * Thread: the connection's, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_WH_POSTS_H
#define DL_WH_POSTS_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>
#include <apr_tables.h>

#include "dl_wh.h"

/* A page ends behind the post or comment with which its texts are so long. */
#define DL_POSTS_FULL ((size_t)4 * 1024 * 1024)

/* A number that may be missing. */
typedef struct dl_maybe_int {
    bool given;    /* it is there */
    int64_t value; /* it */
} dl_maybe_int;

/* One comment. */
typedef struct dl_comment {
    const char *comment_id; /* key within its post */
    const char *user;       /* who wrote it, NULL: unknown */
    const char *text;       /* what, NULL: nothing */
    dl_time timestamp;      /* when, DL_TIME_NONE: unknown */
} dl_comment;

/* One post. */
typedef struct dl_post {
    const char *post_id;          /* key */
    const char *user_id;          /* who wrote it */
    const char *name;             /* name of that user, NULL: unknown */
    dl_maybe_int followers;       /* how many follow that user */
    const char *content;          /* what was written, NULL: nothing */
    dl_time timestamp;            /* when */
    dl_maybe_int likes;           /* how many like it */
    apr_array_header_t *comments; /* of dl_comment, by time and id */
} dl_post;

/* A page of the posts of a user. */
typedef struct dl_post_page {
    const char *user_id;   /* whose */
    dl_time before;        /* older than this; DL_TIME_NONE: the newest */
    const char *before_id; /* ... or as old, with an id before this one */
    int max;               /* at most so many */
} dl_post_page;

/* Posts that were found. */
typedef struct dl_post_list {
    apr_array_header_t *rows; /* of dl_post, by time and id, both falling */
    bool more;                /* there are others behind them */
} dl_post_list;

/* Set *POST to the post POST_ID, in RESULT_POOL: one statement, so that post
 * and comments are of one moment.  DL_NOT_FOUND: there is none. */
DL_MUSTCHECK dl_status dl_wh_post_find(dl_post *post, dl_wh *wh,
                                       const char *post_id, dl_error *err,
                                       apr_pool_t *result_pool);

/* Set *LIST to the posts of PAGE, or fewer when their texts are past
 * DL_POSTS_FULL, of one moment, in RESULT_POOL.  It is a transaction of its
 * own. */
DL_MUSTCHECK dl_status dl_wh_posts_read(dl_post_list *list, dl_wh *wh,
                                        const dl_post_page *page, dl_error *err,
                                        apr_pool_t *result_pool);

#endif
