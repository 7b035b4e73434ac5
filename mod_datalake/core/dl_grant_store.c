/* dl_grant_store.c - The statements on access_grant.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_grant_store.h"

#include <string.h>

#include "dl_identity.h"
#include "dl_statements.h"
#include "dl_wh.h"

/* --- Changes -------------------------------------------------------------- */

dl_status dl_grant_put(bool *replaced, dl_wh *wh, const dl_grant_new *grant,
                       dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_GRANT_PUT, err));
    dl_wh_bind_int(st, 0, grant->user_id);
    dl_wh_bind_str(st, 1, grant->resource);
    dl_wh_bind_str(st, 2, dl_level_name(grant->level));
    dl_wh_bind_time(st, 3, grant->expires_at);
    if (grant->granted_by != 0) {
        dl_wh_bind_int(st, 4, grant->granted_by);
    }
    dl_wh_bind_time(st, 5, grant->granted_at);
    DL_TRY(dl_wh_run(st, err));
    /* 1: inserted, 2: replaced, 0: replaced by the same. */
    *replaced = dl_wh_affected(st) != 1;
    return dl_identity_tell(wh, grant->user_id, err);
}

dl_status dl_grant_delete(dl_wh *wh, int64_t user_id, const char *resource,
                          dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_GRANT_DELETE, err));
    dl_wh_bind_int(st, 0, user_id);
    dl_wh_bind_str(st, 1, resource);
    DL_TRY(dl_wh_run(st, err));
    if (dl_wh_affected(st) == 0) {
        return dl_fail(err, DL_NOT_FOUND, 0,
                       "the account has no grant of that resource");
    }
    return dl_identity_tell(wh, user_id, err);
}

/* --- Of one account ------------------------------------------------------- */

/* Add the row ST stands on to SET.  What this program does not understand
 * grants nothing.  False: there is no room. */
static bool add_row(dl_grant_set *set, const dl_wh_stmt *st)
{
    size_t len;
    const char *text = dl_wh_text(st, 1, &len);
    dl_grant grant = {.expires_at = dl_wh_time(st, 2)};

    if (!dl_level_parse(&grant.level, text, len)) {
        return true;
    }
    text = dl_wh_text(st, 0, &len);
    return dl_resource_parse(&grant.resource, text, len, NULL) != DL_OK ||
           dl_grant_set_add(set, &grant);
}

dl_status dl_grant_load(dl_grant_set *set, bool *complete, dl_wh *wh,
                        int64_t user_id, dl_time now, dl_error *err)
{
    /* No more can fit: each grant takes more than ten bytes. */
    size_t limit = set->max / 10 + 1;
    size_t rows = 0;
    dl_wh_stmt *st;
    bool more = false;

    *complete = false;
    DL_TRY(dl_wh_prepare(&st, wh, STMT_GRANT_LOAD, err));
    dl_wh_bind_int(st, 0, user_id);
    dl_wh_bind_time(st, 1, now);
    dl_wh_bind_int(st, 2, (int64_t)limit);
    DL_TRY(dl_wh_run(st, err));
    for (;; rows++) {
        DL_TRY(dl_wh_fetch(&more, st, err));
        if (!more) {
            *complete = rows < limit;
            return DL_OK;
        }
        if (!add_row(set, st)) {
            dl_wh_finish(st);
            return DL_OK;
        }
    }
}

/* --- Lists ---------------------------------------------------------------- */

static dl_status read_row(dl_grant_row *row, const dl_wh_stmt *st,
                          dl_error *err)
{
    size_t len;
    const char *level = dl_wh_text(st, 2, &len);

    if (!dl_level_parse(&row->level, level, len)) {
        return dl_fail(err, DL_UNSUPPORTED, 0,
                       "access_grant.access has a value of a newer program");
    }
    row->expires_at = dl_wh_time(st, 3);
    row->granted_at = dl_wh_time(st, 5);
    DL_TRY(dl_wh_copy_text(row->username, sizeof row->username, st, 0, err));
    DL_TRY(dl_wh_copy_text(row->resource, sizeof row->resource, st, 1, err));
    return dl_wh_copy_text(row->granted_by, sizeof row->granted_by, st, 4, err);
}

/* Set *ST to the statement of QUERY with its parameters but the last bound;
 * *NEXT is that one's place. */
static dl_status prepare_list(dl_wh_stmt **st, unsigned *next, dl_wh *wh,
                              const dl_grant_query *query, dl_error *err)
{
    bool one = query->resource[0] != '\0';

    *next = 2;
    if (query->user_id != 0) {
        DL_TRY(dl_wh_prepare(
            st, wh, one ? STMT_GRANT_FIND : STMT_GRANT_LIST_USER, err));
        dl_wh_bind_int(*st, 0, query->user_id);
        dl_wh_bind_str(*st, 1, one ? query->resource : query->after_resource);
        return DL_OK;
    }
    if (one) {
        DL_TRY(dl_wh_prepare(st, wh, STMT_GRANT_LIST_RESOURCE, err));
        dl_wh_bind_str(*st, 0, query->resource);
        dl_wh_bind_str(*st, 1, query->after_username);
        return DL_OK;
    }
    DL_TRY(dl_wh_prepare(st, wh, STMT_GRANT_LIST, err));
    dl_wh_bind_str(*st, 0, query->after_username);
    dl_wh_bind_str(*st, 1, query->after_username);
    dl_wh_bind_str(*st, 2, query->after_resource);
    *next = 3;
    return DL_OK;
}

dl_status dl_grant_read(dl_grant_list *list, dl_wh *wh,
                        const dl_grant_query *query, dl_error *err)
{
    dl_wh_stmt *st;
    unsigned next;
    bool more = false;

    list->n = 0;
    DL_TRY(prepare_list(&st, &next, wh, query, err));
    dl_wh_bind_int(st, next, (int64_t)list->max);
    DL_TRY(dl_wh_run(st, err));
    for (;;) {
        DL_TRY(dl_wh_fetch(&more, st, err));
        if (!more || list->n == list->max) {
            dl_wh_finish(st);
            return DL_OK;
        }
        DL_TRY(read_row(&list->rows[list->n], st, err));
        list->n++;
    }
}
