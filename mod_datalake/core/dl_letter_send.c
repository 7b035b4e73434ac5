/* dl_letter_send.c - Attempts to send dead letters again.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_letter_send.h"

#include "dl_statements.h"
#include "dl_wh.h"

dl_status dl_letter_take(dl_wh *wh, const dl_letter_attempt *attempt,
                         dl_time now, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_LETTER_TAKE, err));
    dl_wh_bind_str(st, 0, attempt->replay_id);
    dl_wh_bind_time(st, 1, now + DL_LETTER_DOUBT_US);
    dl_wh_bind_int(st, 2, attempt->id);
    DL_TRY(dl_wh_run(st, err));
    return dl_wh_affected(st) == 1
               ? DL_OK
               : dl_fail(err, DL_CONFLICT, 0, "the dead letter is not open");
}

/* Run SQL, which names an attempt. */
static dl_status change(dl_wh *wh, const char *sql,
                        const dl_letter_attempt *attempt, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, sql, err));
    dl_wh_bind_int(st, 0, attempt->id);
    dl_wh_bind_str(st, 1, attempt->replay_id);
    return dl_wh_run(st, err);
}

dl_status dl_letter_sent(dl_wh *wh, const dl_letter_attempt *attempt,
                         dl_error *err)
{
    return change(wh, STMT_LETTER_SENT, attempt, err);
}

dl_status dl_letter_back(dl_wh *wh, const dl_letter_attempt *attempt,
                         dl_error *err)
{
    return change(wh, STMT_LETTER_BACK, attempt, err);
}

dl_status dl_letter_doubts(dl_wh *wh, dl_time now, dl_letter_doubt_each *each,
                           void *context, dl_error *err)
{
    bool more = false;
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_LETTER_DOUBTS, err));
    dl_wh_bind_time(st, 0, now);
    DL_TRY(dl_wh_run(st, err));
    for (;;) {
        dl_letter_doubt doubt;

        DL_TRY(dl_wh_fetch(&more, st, err));
        if (!more) {
            return DL_OK;
        }
        doubt.attempt.id = dl_wh_int(st, 0);
        doubt.topic = dl_wh_text(st, 1, NULL);
        DL_TRY(dl_wh_copy_text(doubt.attempt.replay_id,
                               sizeof doubt.attempt.replay_id, st, 2, err));
        doubt.taken = dl_wh_time(st, 3) - DL_LETTER_DOUBT_US;
        DL_TRY(each(context, &doubt, err));
    }
}
