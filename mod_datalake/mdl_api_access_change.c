/* mdl_api_access_change.c - POST /api/access/grant/, POST and DELETE
 * /api/access/revoke/: who gives and takes rights.
 *
 * The decision follows the content: 422, then 403, then 404.  The change is
 * on every server's way before the answer leaves, and in this one's mirror.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "mdl_access.h"
#include "mdl_account.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_body.h"
#include "mdl_grant.h"
#include "mdl_http.h"
#include "mdl_problem.h"

/* No answer is larger. */
#define ANSWER_MAX ((size_t)4096)

/* Longest texts that are read; the grammars are stricter. */
#define TEXT_MAX 255

enum {
    USERNAME,
    RESOURCE,
    ACCESS,
    EXPIRES_AT
};

static const char *const levels[] = {"read", "write", "admin", NULL};

static const mdl_member grant_members[] = {
    [USERNAME] = {.name = "username",
                  .type = MDL_MEMBER_TEXT,
                  .required = true,
                  .min = 1,
                  .max = TEXT_MAX,
                  .summary = "Account that gets the right"},
    [RESOURCE] = {.name = "resource",
                  .type = MDL_MEMBER_TEXT,
                  .required = true,
                  .min = 1,
                  .max = TEXT_MAX,
                  .summary = "dataset, dataset/YYYY-MM-DD.json, prefix* or "
                             "table:name"},
    [ACCESS] = {.name = "access",
                .type = MDL_MEMBER_ENUM,
                .choices = levels,
                .summary = "How much; read when left out"},
    [EXPIRES_AT] = {.name = "expires_at",
                    .type = MDL_MEMBER_TIME,
                    .nullable = true,
                    .summary = "When the right ends; never when left out"},
    {.name = NULL}};

const mdl_body mdl_api_access_grant_body = {
    .members = grant_members, .media = MDL_MEDIA_JSON, .limit = MDL_BODY_SMALL};

/* Both are checked by the handler: DELETE may name them in the query. */
static const mdl_member revoke_members[] = {
    [USERNAME] = {.name = "username",
                  .type = MDL_MEMBER_TEXT,
                  .required = true,
                  .min = 1,
                  .max = TEXT_MAX,
                  .summary = "Account that loses the right"},
    [RESOURCE] = {.name = "resource",
                  .type = MDL_MEMBER_TEXT,
                  .required = true,
                  .min = 1,
                  .max = TEXT_MAX,
                  .summary = "Of what, exactly as it was granted"},
    {.name = NULL}};

const mdl_body mdl_api_access_revoke_body = {.members = revoke_members,
                                             .media = MDL_MEDIA_JSON,
                                             .limit = MDL_BODY_SMALL};

static const mdl_member delete_members[] = {
    [USERNAME] = {.name = "username",
                  .type = MDL_MEMBER_TEXT,
                  .min = 1,
                  .max = TEXT_MAX,
                  .summary = "Account that loses the right"},
    [RESOURCE] = {.name = "resource",
                  .type = MDL_MEMBER_TEXT,
                  .min = 1,
                  .max = TEXT_MAX,
                  .summary = "Of what, exactly as it was granted"},
    {.name = NULL}};

const mdl_body mdl_api_access_delete_body = {.members = delete_members,
                                             .media = MDL_MEDIA_JSON,
                                             .limit = MDL_BODY_SMALL,
                                             .optional = true};

const mdl_param mdl_api_access_delete_params[] = {
    [USERNAME] = {.name = "username",
                  .type = MDL_PARAM_TEXT,
                  .min = 1,
                  .max = TEXT_MAX,
                  .summary = "Account that loses the right"},
    [RESOURCE] = {.name = "resource",
                  .type = MDL_PARAM_TEXT,
                  .min = 1,
                  .max = TEXT_MAX,
                  .summary = "Of what, exactly as it was granted"},
    {.name = NULL}};

/* --- What both do --------------------------------------------------------- */

/* One change of a right. */
typedef struct change {
    mdl_request *q;
    const char *username; /* as sent */
    const char *resource; /* as sent */
    dl_resource parsed;   /* resource, well formed */
    dl_account account;   /* of username */
    dl_grant_new grant;   /* what is stored */
    bool replaced;        /* there was one before */
} change;

/* Begin the change C; what it is about stands in the audit log, however it
 * ends. */
static void begin(change *c, const char *username, const char *resource)
{
    c->username = username;
    c->resource = resource;
    c->q->subject.resource = resource;
    c->q->subject.action = "grant";
}

static int bad_resource(mdl_request *q)
{
    return mdl_body_refuse(
        q, &grant_members[RESOURCE], "not-a-resource",
        "A resource is a dataset, dataset/YYYY-MM-DD.json, the beginning of "
        "one and *, or table:name.");
}

static bool parse_resource(change *c)
{
    return dl_resource_parse(&c->parsed, c->resource, strlen(c->resource),
                             NULL) == DL_OK;
}

/* Run WRITER for C and make this server see what it changed.  *STATUS is what
 * became of it. */
static dl_status write_change(change *c, mdl_wh_writer *writer, dl_error *err)
{
    dl_status status = mdl_wh_write(c->q->site->wh, writer, c, err);

    /* Also when nobody knows whether it happened. */
    mdl_account_refresh(c->q->site, c->account.id);
    return status;
}

/* --- Grant ---------------------------------------------------------------- */

static dl_status put(struct dl_wh *wh, void *context, dl_error *err)
{
    change *c = context;

    return dl_grant_put(&c->replaced, wh, &c->grant, err);
}

/* Read level and end of the grant C. */
static int read_grant(change *c)
{
    const mdl_member_value *access = &c->q->members[ACCESS];
    const mdl_member_value *end = &c->q->members[EXPIRES_AT];

    c->grant.granted_at = dl_time_now();
    c->grant.granted_by = c->q->identity.user_id;
    c->grant.resource = c->resource;
    c->grant.level = DL_LEVEL_READ;
    c->grant.expires_at = DL_TIME_NONE;
    if (access->given) {
        c->grant.level = (dl_level)(DL_LEVEL_READ + access->choice);
    }
    if (end->given) {
        c->grant.expires_at = end->time;
        if (end->time <= c->grant.granted_at) {
            return mdl_body_refuse(c->q, &grant_members[EXPIRES_AT],
                                   "out-of-range",
                                   "The end of a right lies in the future.");
        }
    }
    return parse_resource(c) ? OK : bad_resource(c->q);
}

static int answer_grant(const change *c)
{
    dl_grant_row row = {.level = c->grant.level,
                        .expires_at = c->grant.expires_at,
                        .granted_at = c->grant.granted_at};
    dl_buf *buf = mdl_answer_buf(c->q, ANSWER_MAX);
    mdl_answer answer = {.status = c->replaced ? HTTP_OK : HTTP_CREATED,
                         .life = MDL_LIFE_REQUEST};
    dl_error err;
    dl_json_writer w;

    apr_cpystrn(row.username, c->account.username, sizeof row.username);
    apr_cpystrn(row.resource, c->resource, sizeof row.resource);
    apr_cpystrn(row.granted_by, c->q->identity.username, sizeof row.granted_by);
    dl_json_writer_begin(&w, buf);
    dl_json_write_object_begin(&w);
    mdl_access_write_row(&w, &row);
    dl_json_write_key(&w, "message");
    dl_json_write_text(&w, "Access granted");
    dl_json_write_object_end(&w);
    if (dl_json_writer_finish(&w, &err) != DL_OK) {
        return mdl_http_fail(c->q, MDL_OURSELVES, &err);
    }
    answer.data = buf->data;
    answer.len = buf->len;
    return mdl_answer_send(c->q, &answer);
}

int mdl_api_access_grant(mdl_request *q)
{
    change c = {.q = q};
    dl_error err;
    int status;

    begin(&c, q->members[USERNAME].text, q->members[RESOURCE].text);
    status = read_grant(&c);
    if (status == OK) {
        status = mdl_access_may_change(q, &c.parsed, c.grant.level, c.username);
    }
    if (status == OK) {
        status = mdl_access_find_account(&c.account, q, c.username);
    }
    if (status == OK) {
        status = mdl_access_check_resource(q, &c.parsed);
    }
    if (status != OK) {
        return status;
    }
    c.grant.user_id = c.account.id;
    if (write_change(&c, put, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    return answer_grant(&c);
}

/* --- Revoke --------------------------------------------------------------- */

static dl_status take(struct dl_wh *wh, void *context, dl_error *err)
{
    const change *c = context;

    return dl_grant_delete(wh, c->account.id, c->resource, err);
}

static int answer_revoke(const change *c)
{
    dl_buf *buf = mdl_answer_buf(c->q, ANSWER_MAX);
    dl_error err;
    dl_json_writer w;

    dl_json_writer_begin(&w, buf);
    dl_json_write_object_begin(&w);
    dl_json_write_key(&w, "message");
    dl_json_write_text(&w, "Access revoked");
    dl_json_write_key(&w, "username");
    dl_json_write_text(&w, c->account.username);
    dl_json_write_key(&w, "resource");
    dl_json_write_text(&w, c->resource);
    dl_json_write_object_end(&w);
    if (dl_json_writer_finish(&w, &err) != DL_OK) {
        return mdl_http_fail(c->q, MDL_OURSELVES, &err);
    }
    return mdl_answer_buffer(c->q, buf);
}

/* Take the right that C names away. */
static int take_away(change *c)
{
    mdl_request *q = c->q;
    dl_error err;
    dl_status status;
    int refused =
        mdl_access_may_change(q, &c->parsed, DL_LEVEL_NONE, c->username);

    if (refused == OK) {
        refused = mdl_access_find_account(&c->account, q, c->username);
    }
    if (refused != OK) {
        return refused;
    }
    status = write_change(c, take, &err);
    if (status == DL_NOT_FOUND) {
        return mdl_problem(q, MDL_PROBLEM_NOT_FOUND,
                           "The account has no grant of that resource.");
    }
    return status == DL_OK ? answer_revoke(c)
                           : mdl_http_fail(q, MDL_WAREHOUSE, &err);
}

int mdl_api_access_revoke(mdl_request *q)
{
    change c = {.q = q};

    begin(&c, q->members[USERNAME].text, q->members[RESOURCE].text);
    return parse_resource(&c) ? take_away(&c) : bad_resource(q);
}

/* Set *TEXT to the value of member and parameter I, one of which has to be
 * there. */
static int pick(const char **text, mdl_request *q, int i)
{
    const mdl_member_value *member = &q->members[i];
    const mdl_value *param = &q->values[i];

    if (member->given && param->given) {
        return mdl_param_refuse(q, &q->route->params[i], "repeated",
                                "it stands in the query and in the body");
    }
    if (!member->given && !param->given) {
        return mdl_body_refuse(q, &delete_members[i], "required",
                               "It has to stand in the body or in the query.");
    }
    *text = member->given ? member->text : param->text;
    return OK;
}

int mdl_api_access_delete(mdl_request *q)
{
    const char *username = "";
    const char *resource = "";
    change c = {.q = q};
    int status = pick(&username, q, USERNAME);

    if (status == OK) {
        status = pick(&resource, q, RESOURCE);
    }
    if (status != OK) {
        return status;
    }
    begin(&c, username, resource);
    if (parse_resource(&c)) {
        return take_away(&c);
    }
    return q->values[RESOURCE].given
               ? mdl_param_refuse(q, &q->route->params[RESOURCE],
                                  "not-a-resource", "it names no resource")
               : bad_resource(q);
}
