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

/* Events that one statement numbers. */
#define NUMBERED 16

/* Events without a number. */
typedef struct fresh {
    dl_outbox_numbered all[DL_OUTBOX_BATCH]; /* they; number 0: none yet */
    const char *topics[DL_OUTBOX_BATCH];     /* where each goes */
    int n;                                   /* how many */
} fresh;

/* Set FOUND to events without a number behind row AFTER. */
static dl_status read_fresh(fresh *found, dl_wh *wh, int64_t after,
                            dl_error *err, apr_pool_t *pool)
{
    dl_wh_stmt *st;
    bool more;

    found->n = 0;
    DL_TRY(dl_wh_prepare(&st, wh, STMT_OUTBOX_NEW, err));
    dl_wh_bind_int(st, 0, after);
    dl_wh_bind_int(st, 1, DL_OUTBOX_BATCH);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more && found->n < DL_OUTBOX_BATCH) {
        found->all[found->n] = (dl_outbox_numbered){dl_wh_int(st, 0), 0};
        found->topics[found->n] = apr_pstrdup(pool, dl_wh_text(st, 1, NULL));
        found->n++;
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

/* Choose numbers for the events of FOUND from FIRST on that have its topic. */
static dl_status reserve(fresh *found, int first, dl_wh *wh, dl_time now,
                         dl_error *err)
{
    const char *topic = found->topics[first];
    dl_wh_stmt *st;
    int64_t last;
    int count = 0;

    for (int i = first; i < found->n; i++) {
        count += strcmp(found->topics[i], topic) == 0 ? 1 : 0;
    }
    DL_TRY(dl_wh_prepare(&st, wh, STMT_OUTBOX_RESERVE, err));
    dl_wh_bind_str(st, 0, topic);
    dl_wh_bind_int(st, 1, now);
    dl_wh_bind_int(st, 2, count);
    DL_TRY(dl_wh_run(st, err));
    last = dl_wh_insert_id(st);
    last = last == 0 ? now : last; /* the first of its topic */
    for (int i = found->n - 1; i >= first; i--) {
        if (strcmp(found->topics[i], topic) == 0) {
            found->all[i].id = last--;
        }
    }
    return DL_OK;
}

/* Store the N numbers from ALL on, NUMBERED at most, and set *STORED to how
 * many of their events had none. */
static dl_status store_some(uint64_t *stored, const dl_outbox_numbered *all,
                            int n, dl_wh *wh, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_OUTBOX_NUMBER, err));
    for (unsigned i = 0; i < NUMBERED; i++) {
        const dl_outbox_numbered *one = &all[(int)i < n ? (int)i : 0];

        dl_wh_bind_int(st, 2 * i, one->row);
        dl_wh_bind_int(st, 2 * i + 1, one->id);
        dl_wh_bind_int(st, 2 * NUMBERED + i, one->row);
    }
    DL_TRY(dl_wh_run(st, err));
    *stored = dl_wh_affected(st);
    return DL_OK;
}

static dl_status store_numbers(uint64_t *stored, const dl_outbox_numbered *all,
                               int n, dl_wh *wh, dl_error *err)
{
    *stored = 0;
    for (int i = 0; i < n; i += NUMBERED) {
        int left = n - i;
        uint64_t some;

        DL_TRY(store_some(&some, &all[i], left < NUMBERED ? left : NUMBERED, wh,
                          err));
        *stored += some;
    }
    return DL_OK;
}

/* Give FOUND their numbers in the transaction of WH, which holds the lease's
 * row. */
static dl_status number_all(fresh *found, dl_wh *wh, dl_time now, dl_error *err)
{
    uint64_t stored;

    for (int i = 0; i < found->n; i++) {
        if (found->all[i].id == 0) {
            DL_TRY(reserve(found, i, wh, now, err));
        }
    }
    DL_TRY(store_numbers(&stored, found->all, found->n, wh, err));
    return stored == (uint64_t)found->n
               ? DL_OK
               : dl_fail(err, DL_RETRY, 0,
                         "another program has numbered change events");
}

dl_status dl_outbox_number(dl_wh *wh, const char *owner, dl_time now,
                           dl_error *err, apr_pool_t *scratch_pool)
{
    fresh *found = apr_palloc(scratch_pool, sizeof *found);
    dl_status status;

    DL_TRY(read_fresh(found, wh, 0, err, scratch_pool));
    if (found->n == 0) {
        return DL_OK;
    }
    DL_TRY(dl_wh_begin(wh, err));
    status = check_owner(wh, owner, err);
    if (status == DL_OK) {
        status = number_all(found, wh, now, err);
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
    fresh *found = apr_palloc(scratch_pool, sizeof *found);
    int64_t after = 0;

    do {
        DL_TRY(read_fresh(found, seen, after, err, scratch_pool));
        DL_TRY(number_all(found, wh, now, err));
        for (int i = 0; i < found->n; i++) {
            APR_ARRAY_PUSH(numbers, dl_outbox_numbered) = found->all[i];
            after = found->all[i].row;
        }
    } while (found->n == DL_OUTBOX_BATCH);
    return dl_wh_commit(wh, err);
}

dl_status dl_outbox_number_again(const dl_outbox_numbered *numbers, int n,
                                 dl_wh *wh, dl_error *err)
{
    uint64_t stored;

    DL_TRY(dl_wh_begin(wh, err));
    DL_TRY(store_numbers(&stored, numbers, n, wh, err));
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
