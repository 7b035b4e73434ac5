/* mdl_api_posts_change.c - PUT, DELETE /v1/social/{post_id}: a post and its
 * comments.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "dl_json_values.h"
#include "mdl_api.h"
#include "mdl_body.h"
#include "mdl_change.h"
#include "mdl_multi.h"

/* Longest text of the column, in characters. */
#define CONTENT_MAX 16383

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

static int refuse(mdl_request *q, int i, const char *code, const char *detail)
{
    return mdl_body_refuse(q, &post_members[i], code, detail);
}

/* Whether NAME is one of NAMES, which ends in NULL. */
static bool is_one_of(const char *name, const char *const *names)
{
    while (*names != NULL && strcmp(name, *names) != 0) {
        names++;
    }
    return *names != NULL;
}

/* Judge the names in "user"; the declaration judges the values. */
static int check_user(mdl_request *q)
{
    static const char *const names[] = {"name", "followers", NULL};
    const mdl_member_value *value = &q->members[USER];
    dl_json_values all;

    if (!value->given) {
        return OK;
    }
    if (dl_json_values_read(&all, value->text, value->len, q->r->pool) !=
        DL_JSON_FINE) {
        return refuse(q, USER, "wrong-type", "It must be an object.");
    }
    for (uint32_t i = 1; i < all.n; i = all.values[i].next) {
        if (!is_one_of(all.values[i].name, names)) {
            return refuse(q, USER, "unknown",
                          "It has name and followers, nothing else; the key "
                          "of a user does not change.");
        }
        if (all.values[i].kind == DL_JSON_NULL) {
            return refuse(q, USER, "wrong-type", "It has no null.");
        }
    }
    return all.n > 1 ? OK
                     : refuse(q, USER, "required", "It must not be empty.");
}

/* Whether the comment at I of ALL has the id of one before it. */
static bool is_repeated(const dl_json_values *all, uint32_t first, uint32_t i)
{
    uint32_t id = dl_json_values_member(all, i, "comment_id");
    const dl_json_value *values = all->values;
    uint32_t other;

    for (uint32_t k = first; id != 0 && k < i; k = values[k].next) {
        other = dl_json_values_member(all, k, "comment_id");
        if (other != 0 && values[other].len == values[id].len &&
            values[id].text != NULL && values[other].text != NULL &&
            memcmp(values[other].text, values[id].text, values[id].len) == 0) {
            return true;
        }
    }
    return false;
}

/* Judge one comment: its names, and that its id is its own. */
static int check_comment(mdl_request *q, const dl_json_values *all,
                         uint32_t first, uint32_t i)
{
    static const char *const names[] = {"comment_id", "user", "text",
                                        "timestamp", NULL};
    uint32_t k;

    if (all->values[i].kind != DL_JSON_OBJECT) {
        return refuse(q, COMMENTS, "wrong-type", "A comment is an object.");
    }
    for (k = i + 1; k < all->values[i].next; k = all->values[k].next) {
        if (!is_one_of(all->values[k].name, names)) {
            return refuse(q, COMMENTS, "unknown",
                          "A comment has comment_id, user, text, timestamp, "
                          "nothing else.");
        }
    }
    return is_repeated(all, first, i)
               ? refuse(q, COMMENTS, "repeated",
                        "Two comments have one comment_id.")
               : OK;
}

static int check_comments(mdl_request *q)
{
    const mdl_member_value *value = &q->members[COMMENTS];
    dl_json_values all;
    const char *text;
    int status = OK;

    if (!value->given) {
        return OK;
    }
    text = apr_pstrcat(q->r->pool, "{\"all\":",
                       apr_pstrmemdup(q->r->pool, value->text, value->len), "}",
                       NULL);
    if (dl_json_values_read(&all, text, strlen(text), q->r->pool) !=
            DL_JSON_FINE ||
        all.values[1].kind != DL_JSON_ARRAY) {
        return refuse(q, COMMENTS, "wrong-type", "It must be an array.");
    }
    for (uint32_t i = 2; status == OK && i < all.n; i = all.values[i].next) {
        status = check_comment(q, &all, 2, i);
    }
    return status;
}

/* Write member I as it was sent. */
static void write_raw(dl_json_writer *w, const mdl_request *q, int i)
{
    if (q->members[i].given) {
        dl_json_write_key(w, post_members[i].name);
        dl_json_write_raw(w, q->members[i].text, q->members[i].len);
    }
}

static void write_members(dl_json_writer *w, const mdl_request *q)
{
    mdl_change_text(w, q, CONTENT, "content");
    if (q->members[TIMESTAMP].given) {
        dl_json_write_time_member(w, "timestamp", q->members[TIMESTAMP].time);
    }
    if (q->members[LIKES].given) {
        dl_json_write_int_member(w, "likes", q->members[LIKES].number);
    }
    write_raw(w, q, COMMENTS);
    write_raw(w, q, USER);
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
    int status = check_user(q);

    if (status == OK) {
        status = check_comments(q);
    }
    if (status == OK) {
        write_members(&w, q);
        status = mdl_change_judge(&w, q, changes, post_kind.dataset);
    }
    return status == OK ? run(q, changes) : status;
}

int mdl_api_post_delete(mdl_request *q)
{
    return run(q, NULL);
}
