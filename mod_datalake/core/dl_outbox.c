/* dl_outbox.c - Numbers, rows and the lease of the outbox.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_outbox.h"

#include "dl_statements.h"

dl_status dl_outbox_number(int64_t *id, dl_wh *wh, const char *topic,
                           dl_time now, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_OUTBOX_NUMBER, err));
    dl_wh_bind_str(st, 0, topic);
    dl_wh_bind_int(st, 1, now);
    DL_TRY(dl_wh_run(st, err));
    *id = dl_wh_insert_id(st);
    if (*id == 0) {
        *id = now; /* the first of its topic */
    }
    return DL_OK;
}

dl_status dl_outbox_add(dl_wh *wh, const dl_outbox_event *event, dl_error *err)
{
    dl_wh_stmt *st;
    dl_status status;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_OUTBOX_ADD, err));
    dl_wh_bind_int(st, 0, event->id);
    dl_wh_bind_str(st, 1, event->topic);
    dl_wh_bind_str(st, 2, event->key);
    dl_wh_bind_text(st, 3, event->value, event->len);
    dl_wh_bind_time(st, 4, event->created_at);
    status = dl_wh_run(st, err);
    return status == DL_CONFLICT ? dl_fail(err, DL_RETRY, 0,
                                           "an event of another topic has the "
                                           "same id")
                                 : status;
}

dl_status dl_outbox_read(dl_wh *wh, int max, dl_outbox_taker *taker,
                         void *context, dl_error *err)
{
    dl_outbox_event event;
    dl_wh_stmt *st;
    bool more;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_OUTBOX_WAITING, err));
    dl_wh_bind_int(st, 0, max);
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
    dl_wh_bind_str(st, 1, sent->topic);
    dl_wh_bind_int(st, 2, sent->first);
    dl_wh_bind_int(st, 3, sent->last);
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
