/* dl_outbox.c - Rows, numbers and the lease of the outbox.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_outbox.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>

#include "dl_statements.h"

dl_status dl_outbox_add(dl_wh *wh, const dl_outbox_event *event, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_OUTBOX_ADD, err));
    dl_wh_bind_str(st, 0, event->topic);
    dl_wh_bind_str(st, 1, event->key);
    dl_wh_bind_text(st, 2, event->value, event->len);
    dl_wh_bind_time(st, 3, event->created_at);
    return dl_wh_run(st, err);
}

/* --- Numbers -------------------------------------------------------------- */

/* An event without a number. */
typedef struct fresh {
    int64_t row;       /* its place in the table */
    const char *topic; /* where it goes */
    int64_t id;        /* the number it is to get, 0: none yet */
} fresh;

/* Set ALL, of DL_OUTBOX_BATCH places, and *N to events without a number behind
 * row AFTER. */
static dl_status read_fresh(fresh *all, int *n, dl_wh *wh, int64_t after,
                            dl_error *err, apr_pool_t *pool)
{
    dl_wh_stmt *st;
    bool more;

    *n = 0;
    DL_TRY(dl_wh_prepare(&st, wh, STMT_OUTBOX_NEW, err));
    dl_wh_bind_int(st, 0, after);
    dl_wh_bind_int(st, 1, DL_OUTBOX_BATCH);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more && *n < DL_OUTBOX_BATCH) {
        all[*n].row = dl_wh_int(st, 0);
        all[*n].topic = apr_pstrdup(pool, dl_wh_text(st, 1, NULL));
        all[*n].id = 0;
        (*n)++;
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    dl_wh_finish(st);
    return DL_OK;
}

/* Check that it is OWNER's turn, and that it stays so until the transaction of
 * WH ends. */
static dl_status check_owner(dl_wh *wh, const char *owner, dl_error *err)
{
    dl_wh_stmt *st;
    bool same;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_OUTBOX_OWNER, err));
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&same, st, err));
    same = same && strcmp(dl_wh_text(st, 0, NULL), owner) == 0;
    dl_wh_finish(st);
    return same ? DL_OK
                : dl_fail(err, DL_RETRY, 0,
                          "another program sends change events");
}

/* Choose numbers for the N events from ALL on that have the topic of the first
 * one. */
static dl_status reserve(fresh *all, int n, dl_wh *wh, dl_time now,
                         dl_error *err)
{
    dl_wh_stmt *st;
    int64_t last;
    int count = 0;

    for (int i = 0; i < n; i++) {
        count += strcmp(all[i].topic, all[0].topic) == 0 ? 1 : 0;
    }
    DL_TRY(dl_wh_prepare(&st, wh, STMT_OUTBOX_RESERVE, err));
    dl_wh_bind_str(st, 0, all[0].topic);
    dl_wh_bind_int(st, 1, now);
    dl_wh_bind_int(st, 2, count);
    DL_TRY(dl_wh_run(st, err));
    last = dl_wh_insert_id(st);
    last = last == 0 ? now : last; /* the first of its topic */
    for (int i = n - 1; i >= 0; i--) {
        if (strcmp(all[i].topic, all[0].topic) == 0) {
            all[i].id = last--;
        }
    }
    return DL_OK;
}

static dl_status store_numbers(const fresh *all, int n, dl_wh *wh,
                               dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_OUTBOX_NUMBER, err));
    for (int i = 0; i < n; i++) {
        dl_wh_bind_int(st, 0, all[i].id);
        dl_wh_bind_int(st, 1, all[i].row);
        DL_TRY(dl_wh_run(st, err));
        if (dl_wh_affected(st) != 1) {
            return dl_fail(err, DL_RETRY, 0,
                           "another program has numbered change events");
        }
    }
    return DL_OK;
}

/* Give ALL their numbers in the transaction of WH, which holds the lease's
 * row. */
static dl_status number_all(fresh *all, int n, dl_wh *wh, dl_time now,
                            dl_error *err)
{
    for (int i = 0; i < n; i++) {
        if (all[i].id == 0) {
            DL_TRY(reserve(&all[i], n - i, wh, now, err));
        }
    }
    return store_numbers(all, n, wh, err);
}

dl_status dl_outbox_number(dl_wh *wh, const char *owner, dl_time now,
                           dl_error *err, apr_pool_t *scratch_pool)
{
    fresh *all = apr_palloc(scratch_pool, DL_OUTBOX_BATCH * sizeof *all);
    dl_status status;
    int n = 0;

    DL_TRY(read_fresh(all, &n, wh, 0, err, scratch_pool));
    if (n == 0) {
        return DL_OK;
    }
    DL_TRY(dl_wh_begin(wh, err));
    status = check_owner(wh, owner, err);
    if (status == DL_OK) {
        status = number_all(all, n, wh, now, err);
    }
    if (status != DL_OK) {
        dl_wh_rollback(wh);
        return status;
    }
    return dl_wh_commit(wh, err);
}

dl_status dl_outbox_hold(dl_wh *wh, dl_error *err)
{
    dl_wh_stmt *st;
    bool more;

    DL_TRY(dl_wh_begin(wh, err));
    DL_TRY(dl_wh_prepare(&st, wh, STMT_OUTBOX_OWNER, err));
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    dl_wh_finish(st);
    return DL_OK;
}

dl_status dl_outbox_number_seen(apr_array_header_t *numbers, dl_wh *wh,
                                dl_wh *seen, dl_time now, dl_error *err,
                                apr_pool_t *scratch_pool)
{
    fresh *all = apr_palloc(scratch_pool, DL_OUTBOX_BATCH * sizeof *all);
    int64_t after = 0;
    int n = DL_OUTBOX_BATCH;

    while (n == DL_OUTBOX_BATCH) {
        DL_TRY(read_fresh(all, &n, seen, after, err, scratch_pool));
        DL_TRY(number_all(all, n, wh, now, err));
        for (int i = 0; i < n; i++) {
            APR_ARRAY_PUSH(numbers, dl_outbox_numbered) =
                (dl_outbox_numbered){all[i].row, all[i].id};
            after = all[i].row;
        }
    }
    return dl_wh_commit(wh, err);
}

dl_status dl_outbox_number_again(const dl_outbox_numbered *numbers, int n,
                                 dl_wh *wh, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_begin(wh, err));
    DL_TRY(dl_wh_prepare(&st, wh, STMT_OUTBOX_NUMBER, err));
    for (int i = 0; i < n; i++) {
        dl_wh_bind_int(st, 0, numbers[i].id);
        dl_wh_bind_int(st, 1, numbers[i].row);
        DL_TRY(dl_wh_run(st, err));
    }
    DL_TRY(dl_wh_exec(wh, STMT_OUTBOX_TOPICS, NULL, err));
    return dl_wh_commit(wh, err);
}

/* --- Sending -------------------------------------------------------------- */

dl_status dl_outbox_read(dl_wh *wh, dl_outbox_taker *taker, void *context,
                         dl_error *err)
{
    dl_outbox_event event;
    dl_wh_stmt *st;
    bool more;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_OUTBOX_WAITING, err));
    dl_wh_bind_int(st, 0, DL_OUTBOX_BATCH);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more) {
        event.id = dl_wh_int(st, 0);
        event.topic = dl_wh_text(st, 1, NULL);
        event.key = dl_wh_text(st, 2, NULL);
        event.value = dl_wh_text(st, 3, &event.len);
        event.created_at = dl_wh_time(st, 4);
        DL_TRY(taker(context, &event, err));
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    return DL_OK;
}

dl_status dl_outbox_mark(dl_wh *wh, const dl_outbox_sent *sent, dl_time now,
                         dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_OUTBOX_SENT, err));
    dl_wh_bind_time(st, 0, now);
    dl_wh_bind_int(st, 1, sent->first);
    dl_wh_bind_int(st, 2, sent->last);
    dl_wh_bind_str(st, 3, sent->topic);
    return dl_wh_run(st, err);
}

dl_status dl_outbox_remove(uint64_t *removed, dl_wh *wh, dl_time before,
                           dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_OUTBOX_REMOVE, err));
    dl_wh_bind_time(st, 0, before);
    DL_TRY(dl_wh_run(st, err));
    *removed = dl_wh_affected(st);
    return DL_OK;
}

dl_status dl_outbox_lease(bool *mine, dl_wh *wh, const char *owner, dl_time now,
                          dl_time until, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_OUTBOX_LEASE, err));
    dl_wh_bind_str(st, 0, owner);
    dl_wh_bind_time(st, 1, until);
    dl_wh_bind_str(st, 2, owner);
    dl_wh_bind_time(st, 3, now);
    DL_TRY(dl_wh_run(st, err));
    *mine = dl_wh_affected(st) == 1;
    return DL_OK;
}
