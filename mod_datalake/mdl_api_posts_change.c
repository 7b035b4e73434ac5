/* mdl_api_posts_change.c - PUT, DELETE /v1/social/{post_id}: a post and its
 * comments.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <httpd.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "dl_json_values.h"
#include "mdl_api.h"
#include "mdl_body.h"
#include "mdl_change.h"
#include "mdl_multi.h"

/* Longest texts of columns, in characters. */
#define CONTENT_MAX 16383
#define TEXT_MAX    255
#define KEY_MAX     64

enum {
    CONTENT,
    TIMESTAMP,
    LIKES,
    COMMENTS,
    USER
};

static const mdl_member post_members[] = {
    [CONTENT] = {.name = "content",
                 .type = MDL_MEMBER_TEXT,
                 .free_text = true,
                 .characters = true,
                 .max = CONTENT_MAX,
                 .summary = "What was written"},
    [TIMESTAMP] = {.name = "timestamp",
                   .type = MDL_MEMBER_TIME,
                   .summary = "When"},
    [LIKES] = {.name = "likes",
               .type = MDL_MEMBER_INT,
               .max = INT32_MAX,
               .summary = "How many like it"},
    [COMMENTS] = {.name = "comments",
                  .type = MDL_MEMBER_ANY,
                  .summary = "All comments, in place of those that are there: "
                             "objects with comment_id, user, text, timestamp"},
    [USER] = {.name = "user",
              .type = MDL_MEMBER_ANY,
              .summary = "name and followers of who wrote it, one or both"},
    {.name = NULL}};

const mdl_body mdl_api_post_body = {.members = post_members,
                                    .media = MDL_MEDIA_JSON,
                                    .limit = MDL_BODY_LARGE,
                                    .not_empty = true};

const mdl_param mdl_api_post_change_params[] = {{.name = "post_id",
                                                 .type = MDL_PARAM_TEXT,
                                                 .in_path = true,
                                                 .min = 1,
                                                 .max = 255,
                                                 .summary = "Key of the post"},
                                                {.name = NULL}};

/* --- Key and validator ---------------------------------------------------- */

static dl_status write_key(dl_json_writer *w, const mdl_change *change,
                           struct dl_wh *wh, int try, dl_error *err)
{
    (void)wh;
    if (try > 0) {
        return dl_fail(err, DL_NOT_FOUND, 0, "no such post");
    }
    dl_json_write_text_member(w, "post_id", change->record_key);
    return DL_OK;
}

static dl_status make_etag(char etag[MDL_ETAG_TEXT], const mdl_change *change,
                           struct dl_wh *wh, int try, dl_error *err)
{
    (void)try;
    return mdl_multi_post_etag(etag, wh, change->record_key, err,
                               change->q->r->pool);
}

static const mdl_change_kind post_kind = {.dataset = "social_posts",
                                          .missing = "There is no such post.",
                                          .key = write_key,
                                          .etag = make_etag};

/* --- Members -------------------------------------------------------------- */

enum {
    USER_NAME,
    USER_FOLLOWERS,
    USER_MEMBERS
};

static const mdl_member user_members[] = {
    [USER_NAME] = {.name = "name",
                   .type = MDL_MEMBER_TEXT,
                   .characters = true,
                   .max = TEXT_MAX},
    [USER_FOLLOWERS] = {.name = "followers",
                        .type = MDL_MEMBER_INT,
                        .max = INT32_MAX},
    [USER_MEMBERS] = {.name = NULL}};

enum {
    COMMENT_ID,
    COMMENT_USER,
    COMMENT_TEXT,
    COMMENT_TIMESTAMP,
    COMMENT_MEMBERS
};

static const mdl_member comment_members[] = {
    [COMMENT_ID] = {.name = "comment_id",
                    .type = MDL_MEMBER_TEXT,
                    .required = true,
                    .characters = true,
                    .max = KEY_MAX},
    [COMMENT_USER] = {.name = "user",
                      .type = MDL_MEMBER_TEXT,
                      .nullable = true,
                      .characters = true,
                      .max = TEXT_MAX},
    [COMMENT_TEXT] = {.name = "text",
                      .type = MDL_MEMBER_TEXT,
                      .nullable = true,
                      .free_text = true,
                      .characters = true,
                      .max = CONTENT_MAX},
    [COMMENT_TIMESTAMP] = {.name = "timestamp",
                           .type = MDL_MEMBER_TIME,
                           .nullable = true},
    [COMMENT_MEMBERS] = {.name = NULL}};

static int refuse(mdl_request *q, int i, const char *code, const char *detail)
{
    return mdl_body_refuse(q, &post_members[i], code, detail);
}

/* Write the text VALUE as member NAME, if it was given. */
static void write_text(dl_json_writer *w, const char *name,
                       const mdl_member_value *value)
{
    if (value->given) {
        dl_json_write_key(w, name);
        dl_json_write_string(w, value->text, value->len);
    }
}

/* Judge and write "user". */
static int write_user(dl_json_writer *w, mdl_request *q)
{
    const mdl_member_value *value = &q->members[USER];
    mdl_member_value user[USER_MEMBERS];
    dl_json_values all;
    mdl_body_inside inside = {&all, 0, user_members, "/user"};
    int status;

    if (!value->given) {
        return OK;
    }
    if (dl_json_values_read(&all, value->text, value->len, q->r->pool) !=
        DL_JSON_FINE) {
        return refuse(q, USER, "wrong-type", "It must be an object.");
    }
    if (all.n == 1) {
        return refuse(q, USER, "required", "It must not be empty.");
    }
    status = mdl_body_judge_inside(user, q, &inside);
    if (status != OK) {
        return status;
    }
    dl_json_write_key(w, "user");
    dl_json_write_object_begin(w);
    write_text(w, "name", &user[USER_NAME]);
    if (user[USER_FOLLOWERS].given) {
        dl_json_write_int_member(w, "followers", user[USER_FOLLOWERS].number);
    }
    dl_json_write_object_end(w);
    return OK;
}

/* Whether the comment_id VALUE is that of a comment in SEEN, to which it is
 * added.  The database takes texts for equal that differ in spaces at their
 * ends. */
static bool is_repeated(apr_hash_t *seen, const mdl_member_value *value)
{
    size_t len = value->len;

    while (len > 0 && value->text[len - 1] == ' ') {
        len--;
    }
    if (apr_hash_get(seen, value->text, (apr_ssize_t)len) != NULL) {
        return true;
    }
    apr_hash_set(seen, value->text, (apr_ssize_t)len, value->text);
    return false;
}

/* Judge and write the comment INSIDE; SEEN has those before it. */
static int write_comment(dl_json_writer *w, mdl_request *q,
                         const mdl_body_inside *inside, apr_hash_t *seen)
{
    mdl_member_value comment[COMMENT_MEMBERS];
    int status;

    if (inside->values->values[inside->at].kind != DL_JSON_OBJECT) {
        return refuse(q, COMMENTS, "wrong-type", "A comment is an object.");
    }
    status = mdl_body_judge_inside(comment, q, inside);
    if (status != OK) {
        return status;
    }
    if (is_repeated(seen, &comment[COMMENT_ID])) {
        return refuse(q, COMMENTS, "repeated",
                      "Two comments have one comment_id; spaces at its end do "
                      "not count.");
    }
    dl_json_write_object_begin(w);
    write_text(w, "comment_id", &comment[COMMENT_ID]);
    write_text(w, "user", &comment[COMMENT_USER]);
    write_text(w, "text", &comment[COMMENT_TEXT]);
    if (comment[COMMENT_TIMESTAMP].given) {
        dl_json_write_time_member(w, "timestamp",
                                  comment[COMMENT_TIMESTAMP].time);
    }
    dl_json_write_object_end(w);
    return OK;
}

/* Judge and write "comments", up to the first that is wrong. */
static int write_comments(dl_json_writer *w, mdl_request *q)
{
    const mdl_member_value *value = &q->members[COMMENTS];
    apr_pool_t *pool = q->r->pool;
    apr_hash_t *seen = apr_hash_make(pool);
    dl_json_values all;
    const char *text;
    int status = OK;
    int n = 0;

    if (!value->given) {
        return OK;
    }
    text = apr_pstrcat(
        pool, "{\"all\":", apr_pstrmemdup(pool, value->text, value->len), "}",
        NULL);
    if (dl_json_values_read(&all, text, strlen(text), pool) != DL_JSON_FINE ||
        all.values[1].kind != DL_JSON_ARRAY) {
        return refuse(q, COMMENTS, "wrong-type", "It must be an array.");
    }
    dl_json_write_key(w, "comments");
    dl_json_write_array_begin(w);
    for (uint32_t at = 2; status == OK && at < all.n;
         at = all.values[at].next) {
        const mdl_body_inside inside = {
            &all, at, comment_members, apr_psprintf(pool, "/comments/%d", n++)};

        status = write_comment(w, q, &inside, seen);
    }
    dl_json_write_array_end(w);
    return status;
}

static int write_members(dl_json_writer *w, mdl_request *q)
{
    int status;

    mdl_change_text(w, q, CONTENT, "content");
    if (q->members[TIMESTAMP].given) {
        dl_json_write_time_member(w, "timestamp", q->members[TIMESTAMP].time);
    }
    if (q->members[LIKES].given) {
        dl_json_write_int_member(w, "likes", q->members[LIKES].number);
    }
    status = write_comments(w, q);
    return status == OK ? write_user(w, q) : status;
}

/* --- The routes ----------------------------------------------------------- */

/* Change the post of Q by CHANGES, or delete it. */
static int run(mdl_request *q, const dl_buf *changes)
{
    const mdl_change change = {.q = q,
                               .kind = &post_kind,
                               .record_key = q->values[0].text,
                               .changes = changes};

    return mdl_change_run(&change);
}

int mdl_api_post_change(mdl_request *q)
{
    dl_json_writer w;
    dl_buf *changes = mdl_change_begin(&w, q);
    int status = write_members(&w, q);

    if (status == OK) {
        status = mdl_change_judge(&w, q, changes, post_kind.dataset);
    }
    return status == OK ? run(q, changes) : status;
}

int mdl_api_post_delete(mdl_request *q)
{
    return run(q, NULL);
}
