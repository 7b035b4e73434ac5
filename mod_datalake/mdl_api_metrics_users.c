/* mdl_api_metrics_users.c - GET /api/metrics/total-by-user/ and
 * /api/metrics/total_by_user/.
 *
 * Both are lists by keyset: one row more than a page is read, and when it is
 * there, the last row shown is the position of the next page.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "mdl_api.h"
#include "mdl_page.h"
#include "mdl_spend.h"

enum {
    LIMIT = MDL_SPEND_OWN,
    CURSOR,
    DECIMALS
};

const mdl_param mdl_api_users_params[] = {MDL_SPEND_PARAMS,
                                          MDL_PAGE_LIMIT(LIMIT, "1000"),
                                          MDL_PAGE_CURSOR(CURSOR),
                                          MDL_SPEND_DECIMALS(DECIMALS),
                                          {.name = NULL}};

/* What these metrics read. */
typedef struct listing {
    mdl_cursor_binding binding; /* of this list's cursors */
    dl_wh_page page;            /* what is asked for: one row more */
    dl_wh_users users;          /* by total */
    dl_wh_user_types types;     /* by user and type */
} listing;

/* Set SPEND and LIST to what Q asks of the list ROUTE, and *POSITION to the
 * position in its cursor, NULL without one. */
static int parse(mdl_spend *spend, listing *list, const char **position,
                 mdl_request *q, const char *route)
{
    int status = mdl_spend_parse(spend, q);

    if (status != OK) {
        return status;
    }
    mdl_spend_bind(spend, "limit", q->values[LIMIT].text);
    mdl_spend_bind(spend, "decimals", q->values[DECIMALS].text);
    spend->decimals_as_text = q->values[DECIMALS].choice == 1;
    spend->own = list;
    *list = (listing){.binding = {route, spend->parameters},
                      .page = {.limit = (int)q->values[LIMIT].number + 1}};
    status = mdl_page_open(position, q, &list->binding, CURSOR);
    if (status == OK && *position != NULL) {
        mdl_spend_bind(spend, "cursor", *position);
    }
    return status;
}

/* Make POSITION the place where SPEND's next page begins. */
static void go_on_behind(mdl_spend *spend, const char *position)
{
    const listing *list = spend->own;

    spend->next_cursor = mdl_page_next(spend->q, &list->binding, position);
}

/* Write UNCONVERTED when there is something to tell. */
static void write_unconverted(dl_json_writer *w, int64_t unconverted)
{
    if (unconverted > 0) {
        dl_json_write_key(w, "unconverted");
        dl_json_write_int(w, unconverted);
    }
}

/* --- total-by-user: position = total, newline, user ------------------------
 */

static dl_status read_by_total(struct dl_wh *wh, void *context, dl_error *err)
{
    mdl_spend *spend = context;
    listing *list = spend->own;

    return dl_wh_users_by_total(&list->users, wh, &spend->selection,
                                &list->page, err, spend->q->r->pool);
}

/* Write the N SHARES as one object under NAME. */
static void write_shares(dl_json_writer *w, const mdl_spend *spend,
                         const char *name, const dl_wh_share *shares, int n)
{
    int i;

    dl_json_write_key(w, name);
    dl_json_write_object_begin(w);
    for (i = 0; i < n; i++) {
        dl_json_write_key(w, shares[i].name);
        mdl_spend_write_decimal(w, spend, shares[i].total);
    }
    dl_json_write_object_end(w);
}

static void write_user(dl_json_writer *w, const mdl_spend *spend,
                       const dl_wh_user *user)
{
    dl_json_write_object_begin(w);
    dl_json_write_key(w, "user_id");
    dl_json_write_text(w, user->user_id);
    dl_json_write_key(w, "total");
    mdl_spend_write_decimal(w, spend, user->total);
    write_shares(w, spend, "by_category", user->by_category,
                 user->n_categories);
    write_shares(w, spend, "by_type", user->by_type, user->n_types);
    write_unconverted(w, user->unconverted);
    dl_json_write_object_end(w);
}

static void write_by_total(dl_json_writer *w, mdl_spend *spend)
{
    const listing *list = spend->own;
    const dl_wh_users *users = &list->users;
    int shown = list->page.limit - 1;
    int i;

    dl_json_write_array_begin(w);
    for (i = 0; i < users->n && i < shown; i++) {
        write_user(w, spend, &users->rows[i]);
    }
    dl_json_write_array_end(w);
    if (users->n > shown) {
        const dl_wh_user *last = &users->rows[shown - 1];
        char total[DL_DECIMAL_TEXT];

        dl_decimal_format_sql(total, last->total);
        go_on_behind(spend, apr_pstrcat(spend->q->r->pool, total, "\n",
                                        last->user_id, NULL));
    }
}

int mdl_api_total_by_user(mdl_request *q)
{
    static const mdl_spend_kind kind = {"total-by-user",
                                        MDL_METRICS_TOTAL_BY_USER,
                                        read_by_total, write_by_total};
    mdl_spend spend;
    listing list;
    const char *position;
    int status = parse(&spend, &list, &position, q, kind.name);

    if (status != OK) {
        return status;
    }
    if (position != NULL) {
        const char *end = strchr(position, '\n');

        if (end == NULL || !dl_decimal_parse(&list.page.total, position,
                                             (size_t)(end - position))) {
            return mdl_page_refuse(q, CURSOR);
        }
        list.page.user_id = end + 1;
    }
    return mdl_spend_answer(&spend, &kind);
}

/* --- total_by_user: position = length of the user, colon, user, type -------
 */

static dl_status read_by_type(struct dl_wh *wh, void *context, dl_error *err)
{
    mdl_spend *spend = context;
    listing *list = spend->own;

    return dl_wh_users_by_type(&list->types, wh, &spend->selection, &list->page,
                               err, spend->q->r->pool);
}

static void write_by_type(dl_json_writer *w, mdl_spend *spend)
{
    const listing *list = spend->own;
    const dl_wh_user_types *types = &list->types;
    int shown = list->page.limit - 1;
    int i;

    dl_json_write_array_begin(w);
    for (i = 0; i < types->n && i < shown; i++) {
        const dl_wh_user_type *row = &types->rows[i];

        dl_json_write_object_begin(w);
        dl_json_write_key(w, "user_id");
        dl_json_write_text(w, row->user_id);
        dl_json_write_key(w, "transaction_type");
        dl_json_write_text(w, row->transaction_type);
        dl_json_write_key(w, "total_spent");
        mdl_spend_write_decimal(w, spend, row->total);
        write_unconverted(w, row->unconverted);
        dl_json_write_object_end(w);
    }
    dl_json_write_array_end(w);
    if (types->n > shown) {
        const dl_wh_user_type *last = &types->rows[shown - 1];

        go_on_behind(spend,
                     apr_psprintf(spend->q->r->pool, "%d:%s%s",
                                  (int)strlen(last->user_id), last->user_id,
                                  last->transaction_type));
    }
}

int mdl_api_total_by_user_type(mdl_request *q)
{
    static const mdl_spend_kind kind = {"total_by_user", MDL_METRICS_USER_TYPE,
                                        read_by_type, write_by_type};
    mdl_spend spend;
    listing list;
    const char *position;
    int status = parse(&spend, &list, &position, q, kind.name);

    if (status != OK) {
        return status;
    }
    if (position != NULL) {
        char *end = NULL;
        apr_int64_t len = apr_strtoi64(position, &end, 10);

        if (*end != ':' || len < 0 || (size_t)len > strlen(end + 1)) {
            return mdl_page_refuse(q, CURSOR);
        }
        list.page.user_id =
            apr_pstrmemdup(q->r->pool, end + 1, (apr_size_t)len);
        list.page.transaction_type = end + 1 + len;
    }
    return mdl_spend_answer(&spend, &kind);
}
