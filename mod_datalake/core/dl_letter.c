/* dl_letter.c - Reading dead letters, and discarding one.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_letter.h"

#include "dl_statements.h"
#include "dl_wh.h"

/* Before and later than any dead letter (1970, 9999-12-31). */
#define EVER    INT64_C(0)
#define FOREVER INT64_C(253402214400000000)

/* Columns of every statement that reads dead letters. */
enum letter_column {
    COLUMN_ID,
    COLUMN_TOPIC,
    COLUMN_GENERATION,
    COLUMN_PARTITION,
    COLUMN_OFFSET,
    COLUMN_KEY,
    COLUMN_REASON,
    COLUMN_DETAIL,
    COLUMN_VALUE,
    COLUMN_SIZE,
    COLUMN_STATE,
    COLUMN_ATTEMPTS,
    COLUMN_RECEIVED_AT,
    COLUMN_REPLAY_ID,
    COLUMN_LAKE_ID,
    COLUMN_FILE,
    COLUMN_PLACE
};

/* The text of column COLUMN, NULL when it is NULL. */
static const char *text_of(const dl_wh_stmt *st, unsigned column)
{
    return dl_wh_is_null(st, column) ? NULL : dl_wh_text(st, column, NULL);
}

static void read_letter(dl_letter *letter, const dl_wh_stmt *st)
{
    letter->id = dl_wh_int(st, COLUMN_ID);
    letter->topic = text_of(st, COLUMN_TOPIC);
    letter->generation = (int32_t)dl_wh_int(st, COLUMN_GENERATION);
    letter->partition = (int32_t)dl_wh_int(st, COLUMN_PARTITION);
    letter->offset = dl_wh_int(st, COLUMN_OFFSET);
    letter->key = text_of(st, COLUMN_KEY);
    letter->reason = text_of(st, COLUMN_REASON);
    letter->detail = text_of(st, COLUMN_DETAIL);
    letter->value = dl_wh_text(st, COLUMN_VALUE, &letter->value_len);
    letter->size = dl_wh_is_null(st, COLUMN_SIZE) ? (int64_t)letter->value_len
                                                  : dl_wh_int(st, COLUMN_SIZE);
    letter->state = text_of(st, COLUMN_STATE);
    letter->attempts = dl_wh_int(st, COLUMN_ATTEMPTS);
    letter->received_at = dl_wh_time(st, COLUMN_RECEIVED_AT);
    letter->replay_id = text_of(st, COLUMN_REPLAY_ID);
    letter->place.lake = (uint64_t)dl_wh_int(st, COLUMN_LAKE_ID);
    letter->place.file = (uint64_t)dl_wh_int(st, COLUMN_FILE);
    letter->place.at = (uint64_t)dl_wh_int(st, COLUMN_PLACE);
}

/* Run ST and call EACH with its rows; set *N to how many there were. */
static dl_status read_letters(int *n, dl_wh_stmt *st, dl_letter_each *each,
                              void *context, dl_error *err)
{
    bool more = false;
    dl_letter letter;

    *n = 0;
    DL_TRY(dl_wh_run(st, err));
    for (;;) {
        DL_TRY(dl_wh_fetch(&more, st, err));
        if (!more) {
            return DL_OK;
        }
        read_letter(&letter, st);
        ++*n;
        DL_TRY(each(context, &letter, err));
    }
}

dl_status dl_letter_read(dl_wh *wh, const dl_letter_page *page,
                         dl_letter_each *each, void *context, dl_error *err)
{
    bool first = page->before == DL_TIME_NONE;
    dl_time before = first ? FOREVER : page->before;
    dl_wh_stmt *st;
    int n;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_LETTER_PAGE, err));
    dl_wh_bind_str(st, 0, page->topic);
    dl_wh_bind_str(st, 1, page->topic);
    dl_wh_bind_str(st, 2, page->reason);
    dl_wh_bind_str(st, 3, page->reason);
    dl_wh_bind_str(st, 4, page->state);
    dl_wh_bind_str(st, 5, page->state);
    dl_wh_bind_time(st, 6, page->from == DL_TIME_NONE ? EVER : page->from);
    dl_wh_bind_time(st, 7, page->to == DL_TIME_NONE ? FOREVER : page->to);
    dl_wh_bind_time(st, 8, before);
    dl_wh_bind_time(st, 9, before);
    dl_wh_bind_int(st, 10, first ? INT64_MAX : page->before_id);
    dl_wh_bind_int(st, 11, page->max);
    return read_letters(&n, st, each, context, err);
}

dl_status dl_letter_find(dl_wh *wh, int64_t id, dl_letter_each *each,
                         void *context, dl_error *err)
{
    dl_wh_stmt *st;
    int n;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_LETTER_FIND, err));
    dl_wh_bind_int(st, 0, id);
    DL_TRY(read_letters(&n, st, each, context, err));
    return n > 0
               ? DL_OK
               : dl_fail(err, DL_NOT_FOUND, 0, "there is no such dead letter");
}

dl_status dl_letter_discard(dl_wh *wh, int64_t id, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_LETTER_DISCARD, err));
    dl_wh_bind_int(st, 0, id);
    DL_TRY(dl_wh_run(st, err));
    return dl_wh_affected(st) == 1
               ? DL_OK
               : dl_fail(err, DL_CONFLICT, 0, "the dead letter is not open");
}
