/* mdl_grant.c - The access decision.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_grant.h"

#include <string.h>
#include <strings.h>

#include <httpd.h>

#include <apr_strings.h>

#include "dl_grant_name.h"
#include "dl_log.h"
#include "mdl_account.h"
#include "mdl_http.h"
#include "mdl_problem.h"
#include "mdl_site.h"

/* Between needs, and behind one that a table meets as well. */
#define AND   " + "
#define TABLE "|table"

/* --- Refusals ------------------------------------------------------------- */

int mdl_grant_refuse(mdl_request *q, const char *missing)
{
    apr_table_setn(q->r->err_headers_out, "WWW-Authenticate",
                   "Bearer error=\"insufficient_scope\"");
    mdl_problem_member(q, "missing", missing);
    dl_log(DL_LOG_INFO, "DL1105 request %s: account %" PRId64 " lacks a right",
           q->id, q->identity.user_id);
    return mdl_problem(q, MDL_PROBLEM_FORBIDDEN,
                       "This request needs a right that the caller does not "
                       "have: %s.",
                       missing);
}

const char *mdl_grant_text(const dl_resource *resource, dl_level level,
                           apr_pool_t *pool)
{
    return apr_psprintf(pool, "grant(%.*s,%s)", (int)resource->len,
                        resource->text, dl_level_name(level));
}

/* --- The caller's grants -------------------------------------------------- */

int mdl_grant_read(dl_grant_set *set, mdl_request *q, int64_t user_id)
{
    /* Few accounts have more than a thousand grants. */
    static const size_t sizes[] = {(size_t)32 * 1024, MDL_GRANT_BYTES};
    dl_error err = {DL_OK, 0, ""};
    bool complete = false;
    size_t i;

    for (i = 0; i < sizeof sizes / sizeof sizes[0] && !complete; i++) {
        *set = (dl_grant_set){apr_palloc(q->r->pool, sizes[i]), sizes[i], 0};
        if (mdl_account_load_grants(set, &complete, q->site->wh, user_id,
                                    &err) != DL_OK) {
            return mdl_http_fail(q, MDL_WAREHOUSE, &err);
        }
    }
    if (complete) {
        return OK;
    }
    dl_log(DL_LOG_WARNING,
           "DL1106 account %" PRId64 " has more grants than one request can "
           "look through",
           user_id);
    return mdl_problem(q, MDL_PROBLEM_OVERLOADED,
                       "The account has too many grants.");
}

int mdl_grant_load(mdl_request *q)
{
    mdl_identity *caller = &q->identity;
    int status;

    if (!caller->known || caller->all_grants || caller->role == DL_ROLE_ADMIN) {
        return OK;
    }
    status = mdl_grant_read(&caller->grants, q, caller->user_id);
    caller->all_grants = status == OK;
    return status;
}

static dl_time now_of(const mdl_request *q)
{
    return (dl_time)q->r->request_time;
}

bool mdl_grant_allows(const mdl_request *q, const dl_resource *resource,
                      dl_level level)
{
    return q->identity.known &&
           (q->identity.role == DL_ROLE_ADMIN ||
            dl_grant_set_allows(NULL, &q->identity.grants, resource, level,
                                now_of(q)));
}

bool mdl_grant_touches(const mdl_request *q, const char *dataset)
{
    return q->identity.known &&
           (q->identity.role == DL_ROLE_ADMIN ||
            dl_grant_set_touches(&q->identity.grants, dataset, now_of(q)));
}

uint64_t mdl_grant_mark(const mdl_request *q)
{
    return dl_grant_set_hash(&q->identity.grants, now_of(q)) +
           (uint64_t)q->identity.role;
}

/* --- Decisions ------------------------------------------------------------ */

int mdl_grant_require_role(mdl_request *q, dl_role role)
{
    if (q->identity.known &&
        (role == DL_ROLE_USER || q->identity.role == role ||
         q->identity.role == DL_ROLE_ADMIN)) {
        return OK;
    }
    return mdl_grant_refuse(
        q, apr_pstrcat(q->r->pool, "role ", dl_role_name(role), NULL));
}

int mdl_grant_require_consent(mdl_request *q)
{
    if (!q->identity.known || q->identity.consent) {
        return OK;
    }
    mdl_problem_pointer(q, "", "consent-required",
                        "the account has withdrawn its consent");
    return mdl_problem(q, MDL_PROBLEM_CONSENT_WITHDRAWN,
                       "The account has withdrawn its consent; only its own "
                       "data under /user/ can be reached.");
}

/* Whether the caller may do LEVEL with the table of the dataset RESOURCE. */
static bool allows_table(const mdl_request *q, const dl_resource *resource,
                         dl_level level)
{
    apr_pool_t *pool = q->r->pool;
    const char *table = dl_grant_table(
        q->site->datasets, apr_pstrmemdup(pool, resource->text, resource->len));
    dl_resource wants = {.kind = DL_RESOURCE_TABLE};

    if (table == NULL) {
        return false;
    }
    wants.text = apr_pstrcat(pool, "table:", table, NULL);
    wants.len = strlen(wants.text);
    wants.name_len = strlen(table);
    return mdl_grant_allows(q, &wants, level);
}

int mdl_grant_require(mdl_request *q, const dl_resource *resource,
                      dl_level level, bool or_table)
{
    int status = mdl_grant_load(q);

    if (status != OK || mdl_grant_allows(q, resource, level) ||
        (or_table && allows_table(q, resource, level))) {
        return status;
    }
    return mdl_grant_refuse(q, mdl_grant_text(resource, level, q->r->pool));
}

/* --- The resource of a row ------------------------------------------------ */

/* Return the place of the parameter whose name is the LEN bytes at NAME, or
 * -1. */
static int find_param(const mdl_route *row, const char *name, size_t len)
{
    int i;

    for (i = 0; row->params != NULL && row->params[i].name != NULL; i++) {
        if (strlen(row->params[i].name) == len &&
            memcmp(row->params[i].name, name, len) == 0) {
            return i;
        }
    }
    return -1;
}

/* The text that the parameter at place I puts into a resource. */
static const char *text_of(const mdl_request *q, int i)
{
    char date[DL_DAY_TEXT];

    if (q->route->params[i].type != MDL_PARAM_DATE) {
        return q->values[i].text;
    }
    dl_day_format(date, q->values[i].day);
    return apr_pstrcat(q->r->pool, date, ".json", NULL);
}

/* Return the LEN bytes of TEMPLATE with the values of Q put in. */
static const char *fill_in(const mdl_request *q, const char *template,
                           size_t len)
{
    const char *end = template + len;
    apr_pool_t *pool = q->r->pool;
    const char *text = "";

    while (template <end) {
        const char *brace = memchr(template, '{', (size_t)(end - template));
        const char *stop = brace != NULL ? brace : end;
        const char *words =
            apr_pstrmemdup(pool, template, (apr_size_t)(stop - template));

        text = apr_pstrcat(pool, text, words, NULL);
        template = stop;
        if (brace != NULL) {
            const char *close = strchr(brace, '}');
            int i =
                find_param(q->route, brace + 1, (size_t)(close - brace) - 1);

            text = apr_pstrcat(pool, text, text_of(q, i), NULL);
            template = close + 1;
        }
    }
    return text;
}

/* Set WANTS to what TEXT, made from TEMPLATE, names.  What the client sent as
 * a dataset need not be a name: it may look like a day, a prefix or a table.
 * It stays a dataset then, of a name that nothing has. */
static void read_wanted(dl_resource *wants, const char *text,
                        const char *template)
{
    bool any = strstr(template, "{resource}") != NULL;
    dl_resource_kind expected =
        strchr(template, '/') != NULL ? DL_RESOURCE_DAY : DL_RESOURCE_DATASET;

    if (dl_resource_parse(wants, text, strlen(text), NULL) != DL_OK ||
        (!any && wants->kind != expected)) {
        dl_resource_of_dataset(wants, text);
    }
}

/* Decide one need, the LEN bytes of TEXT. */
static int require_need(mdl_request *q, const char *text, size_t len,
                        dl_level level)
{
    const size_t mark = strlen(TABLE);
    bool or_table = len > mark && memcmp(text + len - mark, TABLE, mark) == 0;
    const char *template =
        apr_pstrmemdup(q->r->pool, text, or_table ? len - mark : len);
    dl_resource wants;

    read_wanted(&wants, fill_in(q, template, strlen(template)), template);
    return mdl_grant_require(q, &wants, level, or_table);
}

/* Decide all needs of Q's row. */
static int require_resource(mdl_request *q, dl_level level)
{
    const char *at = q->route->resource;
    int status = OK;

    while (at != NULL && status == OK) {
        const char *and = strstr(at, AND);

        status = require_need(
            q, at, and != NULL ? (size_t)(and-at) : strlen(at), level);
        at = and != NULL ? and+strlen(AND) : NULL;
    }
    return status;
}

bool mdl_grant_row_ok(const mdl_route *row)
{
    const char *at = row->resource;
    bool needs = row->class == MDL_CLASS_READ ||
                 row->class == MDL_CLASS_WRITE ||
                 row->class == MDL_CLASS_READ_OR_AUDITOR;

    if (at == NULL || *at == '\0') {
        return !needs;
    }
    while ((at = strchr(at, '{')) != NULL) {
        const char *close = strchr(++at, '}');
        int i = close != NULL ? find_param(row, at, (size_t)(close - at)) : -1;

        if (i < 0 || (!row->params[i].resource && !row->params[i].in_path)) {
            return false;
        }
    }
    return true;
}

/* --- The class of a row --------------------------------------------------- */

/* Whether an account reaches Q's row after it has withdrawn its consent. */
static bool is_own_business(const mdl_request *q)
{
    return strncmp(q->resource->template, "/user/", 6) == 0;
}

/* Decide whether the caller may ask for the account that a parameter of Q's
 * row names. */
static int require_own_account(mdl_request *q)
{
    const mdl_param *params = q->route->params;
    int i;

    for (i = 0; params != NULL && params[i].name != NULL; i++) {
        if (params[i].account && q->values[i].given &&
            strcasecmp(q->values[i].text, q->identity.username) != 0) {
            return mdl_grant_require_role(q, DL_ROLE_ADMIN);
        }
    }
    return OK;
}

bool mdl_grant_is_open(const mdl_request *q)
{
    return q->route->resource == NULL || q->site->config->market_open == 1;
}

static int decide_class(mdl_request *q)
{
    switch (q->route->class) {
    case MDL_CLASS_PUBLIC:
        return OK;
    case MDL_CLASS_ANONYMOUS:
        return mdl_grant_is_open(q) ? OK : require_resource(q, DL_LEVEL_READ);
    case MDL_CLASS_USER:
        return require_own_account(q);
    case MDL_CLASS_READ:
        return require_resource(q, DL_LEVEL_READ);
    case MDL_CLASS_WRITE:
        return require_resource(q, DL_LEVEL_WRITE);
    case MDL_CLASS_READ_OR_AUDITOR:
        return q->identity.role == DL_ROLE_AUDITOR
                   ? OK
                   : require_resource(q, DL_LEVEL_READ);
    case MDL_CLASS_AUDITOR:
        return mdl_grant_require_role(q, DL_ROLE_AUDITOR);
    case MDL_CLASS_ADMIN:
        return mdl_grant_require_role(q, DL_ROLE_ADMIN);
    case MDL_CLASS_SCRAPER:
        return q->identity.known ? mdl_grant_require_role(q, DL_ROLE_ADMIN)
                                 : OK;
    case MDL_CLASS_NONE:
        break;
    }
    return mdl_problem(q, MDL_PROBLEM_FORBIDDEN,
                       "This resource is open to nobody.");
}

int mdl_grant_decide(mdl_request *q)
{
    int status = is_own_business(q) ? OK : mdl_grant_require_consent(q);

    return status == OK ? decide_class(q) : status;
}
