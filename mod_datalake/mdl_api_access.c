/* mdl_api_access.c - GET /api/access/ and POST /api/access/check/: which
 * grants there are, and what they allow.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>

#include <httpd.h>

#include <apr_strings.h>

#include "dl_grant_name.h"
#include "mdl_access.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_body.h"
#include "mdl_config.h"
#include "mdl_grant.h"
#include "mdl_http.h"
#include "mdl_page.h"
#include "mdl_problem.h"

/* No answer is larger: 1,000 rows of at most half a kilobyte. */
#define ANSWER_MAX ((size_t)1024 * 1024)

/* Longest texts that are read; the grammars are stricter. */
#define TEXT_MAX 255

/* --- The list ------------------------------------------------------------- */

enum {
    USER,
    RESOURCE,
    LIMIT,
    CURSOR
};

const mdl_param mdl_api_access_list_params[] = {
    [USER] = {.name = "user",
              .type = MDL_PARAM_TEXT,
              .resource = true,
              .account = true,
              .min = 1,
              .max = TEXT_MAX,
              .summary = "Only this account's; another one's needs role admin"},
    [RESOURCE] = {.name = "resource",
                  .type = MDL_PARAM_TEXT,
                  .min = 1,
                  .max = TEXT_MAX,
                  .summary = "Only those of this very text"},
    MDL_PAGE_LIMIT(LIMIT, "50"),
    MDL_PAGE_CURSOR(CURSOR),
    {.name = NULL}};

/* One page of grants. */
typedef struct grant_page {
    mdl_request *q;
    mdl_cursor_binding binding; /* of this list's cursors */
    const char *username;       /* only this account's, NULL: all */
    dl_grant_query query;       /* what is read */
    dl_grant_list list;         /* and what came: a row more than the page */
} grant_page;

static dl_status read_page(struct dl_wh *wh, void *context, dl_error *err)
{
    grant_page *page = context;
    dl_account account;

    page->list.n = 0;
    if (page->username != NULL) {
        dl_status status = dl_identity_find(&account, wh, page->username, err);

        if (status == DL_NOT_FOUND) {
            return DL_OK;
        }
        DL_TRY(status);
        page->query.user_id = account.id;
    }
    return dl_grant_read(&page->list, wh, &page->query, err);
}

/* Set whose grants PAGE lists: an admin's choice, or the caller's own. */
static void choose_account(grant_page *page)
{
    mdl_request *q = page->q;
    const mdl_value *user = &q->values[USER];

    if (q->identity.role == DL_ROLE_ADMIN) {
        page->username = user->given ? user->text : NULL;
    }
    else {
        page->query.user_id = q->identity.user_id;
    }
}

/* Set where PAGE begins. */
static int open_page(grant_page *page)
{
    mdl_request *q = page->q;
    const char *user = q->values[USER].given ? q->values[USER].text : "";
    const char *position;
    const char *line;
    int status;

    page->query.resource =
        q->values[RESOURCE].given ? q->values[RESOURCE].text : "";
    page->query.after_username = "";
    page->query.after_resource = "";
    page->binding = (mdl_cursor_binding){
        "/api/access/",
        apr_psprintf(q->r->pool, "%" PRId64 "\x1f%s\x1f%s\x1f%s",
                     q->identity.user_id, user, page->query.resource,
                     q->values[LIMIT].text)};
    status = mdl_page_open(&position, q, &page->binding, CURSOR);
    if (status != OK || position == NULL) {
        return status;
    }
    line = strchr(position, '\n');
    if (line == NULL) {
        return mdl_page_refuse(q, CURSOR);
    }
    page->query.after_username =
        apr_pstrmemdup(q->r->pool, position, (apr_size_t)(line - position));
    page->query.after_resource = line + 1;
    return OK;
}

static int answer_page(const grant_page *page)
{
    mdl_request *q = page->q;
    size_t n = (size_t)q->values[LIMIT].number;
    dl_buf *buf = mdl_answer_buf(q, ANSWER_MAX);
    const char *cursor = NULL;
    dl_error err;
    dl_json_writer w;
    size_t i;

    if (page->list.n > n) {
        const dl_grant_row *last = &page->list.rows[n - 1];

        cursor = mdl_page_next(q, &page->binding,
                               apr_pstrcat(q->r->pool, last->username, "\n",
                                           last->resource, NULL));
        mdl_answer_link_next(q, cursor);
    }
    dl_json_writer_begin(&w, buf);
    dl_json_write_object_begin(&w);
    dl_json_write_key(&w, "grants");
    dl_json_write_array_begin(&w);
    for (i = 0; i < page->list.n && i < n; i++) {
        dl_json_write_object_begin(&w);
        mdl_access_write_row(&w, &page->list.rows[i]);
        dl_json_write_object_end(&w);
    }
    dl_json_write_array_end(&w);
    dl_json_write_key(&w, "next_cursor");
    dl_json_write_text(&w, cursor);
    dl_json_write_object_end(&w);
    if (dl_json_writer_finish(&w, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_OURSELVES, &err);
    }
    return mdl_answer_buffer(q, buf);
}

int mdl_api_access_list(mdl_request *q)
{
    grant_page page = {.q = q};
    dl_error err;
    int status;

    choose_account(&page);
    status = open_page(&page);
    if (status != OK) {
        return status;
    }
    page.list.max = (size_t)q->values[LIMIT].number + 1;
    page.list.rows =
        apr_palloc(q->r->pool, page.list.max * sizeof *page.list.rows);
    if (mdl_wh_read(q->site->wh, read_page, &page, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    return answer_page(&page);
}

/* --- The check ------------------------------------------------------------ */

enum {
    CHECK_RESOURCE,
    CHECK_ACCESS,
    CHECK_USERNAME
};

static const char *const levels[] = {"read", "write", "admin", NULL};

static const mdl_member check_members[] = {
    [CHECK_RESOURCE] = {.name = "resource",
                        .type = MDL_MEMBER_TEXT,
                        .required = true,
                        .min = 1,
                        .max = TEXT_MAX,
                        .summary = "What is to be accessed"},
    [CHECK_ACCESS] = {.name = "access",
                      .type = MDL_MEMBER_ENUM,
                      .choices = levels,
                      .summary = "How much; read when left out"},
    [CHECK_USERNAME] = {.name = "username",
                        .type = MDL_MEMBER_TEXT,
                        .min = 1,
                        .max = TEXT_MAX,
                        .summary = "Whose right; another account's needs role "
                                   "admin"},
    {.name = NULL}};

const mdl_body mdl_api_access_check_body = {
    .members = check_members, .media = MDL_MEDIA_JSON, .limit = MDL_BODY_SMALL};

/* What is asked, and what comes out. */
typedef struct check {
    mdl_request *q;
    dl_resource resource; /* what is to be accessed */
    dl_level level;       /* how much */
    mdl_identity who;     /* whose right */
    const char *kind;     /* of the rule: role, grant, public, none */
    dl_grant rule;        /* the grant, when the kind is grant */
    const char *missing;  /* the right that is missing, NULL: none */
} check;

/* Fill who of C from the account called USERNAME. */
static int load_other(check *c, const char *username)
{
    mdl_request *q = c->q;
    dl_account account;
    dl_grant_set set;
    int status = mdl_access_find_account(&account, q, username);

    if (status == OK) {
        status = mdl_grant_read(&set, q, account.id);
    }
    if (status != OK) {
        return status;
    }
    c->who = (mdl_identity){.known = account.active,
                            .user_id = account.id,
                            .role = account.role,
                            .consent = account.consent,
                            .all_grants = true,
                            .grants = set};
    apr_cpystrn(c->who.username, account.username, sizeof c->who.username);
    return OK;
}

/* Fill who of C. */
static int load_account(check *c)
{
    mdl_request *q = c->q;
    const mdl_member_value *name = &q->members[CHECK_USERNAME];
    int status;

    if (name->given && strcasecmp(name->text, q->identity.username) != 0) {
        return q->identity.role == DL_ROLE_ADMIN
                   ? load_other(c, name->text)
                   : mdl_grant_refuse(q, "role admin");
    }
    status = mdl_grant_load(q);
    c->who = q->identity;
    return status;
}

/* Whether what C asks for is open to everybody. */
static bool is_public(const check *c)
{
    const char *table =
        c->resource.text + c->resource.len - c->resource.name_len;

    return c->resource.kind == DL_RESOURCE_TABLE && c->level == DL_LEVEL_READ &&
           c->q->site->config->market_open == 1 &&
           dl_grant_is_market_table(table);
}

/* Find the rule that decides C. */
static void decide(check *c)
{
    apr_pool_t *pool = c->q->r->pool;
    dl_time now = (dl_time)c->q->r->request_time;

    c->kind = "none";
    if (!c->who.known) {
        c->missing = "an active account";
    }
    else if (!c->who.consent) {
        c->missing = "consent";
    }
    else if (c->who.role == DL_ROLE_ADMIN) {
        c->kind = "role";
    }
    else if (dl_grant_set_allows(&c->rule, &c->who.grants, &c->resource,
                                 c->level, now)) {
        c->kind = "grant";
    }
    else if (is_public(c)) {
        c->kind = "public";
    }
    else {
        c->missing = mdl_grant_text(&c->resource, c->level, pool);
    }
}

/* Write the rule of C; only a grant has more than a kind. */
static void write_rule(dl_json_writer *w, const check *c)
{
    bool grant = strcmp(c->kind, "grant") == 0;

    dl_json_write_object_begin(w);
    dl_json_write_key(w, "kind");
    dl_json_write_text(w, c->kind);
    dl_json_write_key(w, "resource");
    if (grant) {
        dl_json_write_string(w, c->rule.resource.text, c->rule.resource.len);
    }
    else {
        dl_json_write_null(w);
    }
    dl_json_write_key(w, "access");
    dl_json_write_text(w, grant ? dl_level_name(c->rule.level) : NULL);
    dl_json_write_key(w, "expires_at");
    dl_json_write_time(w, grant ? c->rule.expires_at : DL_TIME_NONE);
    dl_json_write_object_end(w);
}

static int answer_check(const check *c)
{
    dl_buf *buf = mdl_answer_buf(c->q, ANSWER_MAX);
    dl_error err;
    dl_json_writer w;

    dl_json_writer_begin(&w, buf);
    dl_json_write_object_begin(&w);
    dl_json_write_key(&w, "allowed");
    dl_json_write_bool(&w, c->missing == NULL);
    dl_json_write_key(&w, "username");
    dl_json_write_text(&w, c->who.username);
    dl_json_write_key(&w, "resource");
    dl_json_write_string(&w, c->resource.text, c->resource.len);
    dl_json_write_key(&w, "access");
    dl_json_write_text(&w, dl_level_name(c->level));
    dl_json_write_key(&w, "rule");
    write_rule(&w, c);
    dl_json_write_key(&w, "missing");
    dl_json_write_text(&w, c->missing);
    dl_json_write_object_end(&w);
    if (dl_json_writer_finish(&w, &err) != DL_OK) {
        return mdl_http_fail(c->q, MDL_OURSELVES, &err);
    }
    return mdl_answer_buffer(c->q, buf);
}

int mdl_api_access_check(mdl_request *q)
{
    const mdl_member_value *text = &q->members[CHECK_RESOURCE];
    const mdl_member_value *access = &q->members[CHECK_ACCESS];
    check c = {.q = q, .level = DL_LEVEL_READ};
    int status;

    q->subject.resource = text->text;
    q->subject.action = "read";
    if (dl_resource_parse(&c.resource, text->text, strlen(text->text), NULL) !=
        DL_OK) {
        return mdl_body_refuse(
            q, &check_members[CHECK_RESOURCE], "not-a-resource",
            "A resource is a dataset, dataset/YYYY-MM-DD.json, the beginning "
            "of one and *, or table:name.");
    }
    if (access->given) {
        c.level = (dl_level)(DL_LEVEL_READ + access->choice);
    }
    status = load_account(&c);
    /* Only who may see everything learns that something is not there. */
    if (status == OK && q->identity.role == DL_ROLE_ADMIN) {
        status = mdl_access_check_resource(q, &c.resource);
    }
    if (status != OK) {
        return status;
    }
    decide(&c);
    return answer_check(&c);
}
