/* dlc_letters_store.c - Rows of dead_letter and dead_letter_position.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_letters_store.h"

#include "dl_letter.h"
#include "dl_statements.h"
#include "dl_utf8.h"

/* --- Positions ------------------------------------------------------------ */

dl_status dlc_letters_position_read(dlc_letters_position *position, dl_wh *wh,
                                    dl_error *err)
{
    dl_wh_stmt *st;

    position->known = false;
    position->place = (dl_lake_quarantine_place){0, 0, 0};
    DL_TRY(dl_wh_prepare(&st, wh, STMT_LETTER_PLACE, err));
    dl_wh_bind_str(st, 0, position->dataset);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&position->known, st, err));
    if (position->known) {
        position->place.lake = (uint64_t)dl_wh_int(st, 0);
        position->place.number = (uint64_t)dl_wh_int(st, 1);
        position->place.at = (uint64_t)dl_wh_int(st, 2);
    }
    dl_wh_finish(st);
    return DL_OK;
}

static void bind_place(dl_wh_stmt *st, unsigned at,
                       const dl_lake_quarantine_place *place)
{
    dl_wh_bind_int(st, at, (int64_t)place->lake);
    dl_wh_bind_int(st, at + 1, (int64_t)place->number);
    dl_wh_bind_int(st, at + 2, (int64_t)place->at);
}

dl_status dlc_letters_position_move(dl_wh *wh,
                                    const dlc_letters_position *position,
                                    const dl_lake_quarantine_place *next,
                                    dl_error *err)
{
    dl_wh_stmt *st;

    if (!position->known) {
        DL_TRY(dl_wh_prepare(&st, wh, STMT_LETTER_PLACE_ADD, err));
        dl_wh_bind_str(st, 0, position->dataset);
        bind_place(st, 1, next);
        return dl_wh_run(st, err);
    }
    DL_TRY(dl_wh_prepare(&st, wh, STMT_LETTER_PLACE_MOVE, err));
    bind_place(st, 0, next);
    dl_wh_bind_str(st, 3, position->dataset);
    bind_place(st, 4, &position->place);
    DL_TRY(dl_wh_run(st, err));
    return dl_wh_affected(st) == 1
               ? DL_OK
               : dl_fail(err, DL_CONFLICT, 0,
                         "another program lists the quarantine of %s",
                         position->dataset);
}

/* --- Rows ----------------------------------------------------------------- */

/* How many of the LEN bytes at TEXT fit into MAX without cutting a
 * character. */
static size_t cut(const unsigned char *text, size_t len, size_t max)
{
    size_t n = max;

    if (len <= max) {
        return len;
    }
    while (n > max - 3 && (text[n] & 0xC0) == 0x80) {
        n--;
    }
    return n;
}

static bool is_text(const unsigned char *text, size_t len)
{
    size_t at = 0;

    while (at < len) {
        size_t n = dl_utf8_check(text + at, len - at);

        if (n == 0) {
            return false;
        }
        at += n;
    }
    return true;
}

static void bind_key(dl_wh_stmt *st, unsigned at, const dl_lake_set_aside *q)
{
    size_t len = q->key == NULL ? 0 : cut(q->key, q->key_len, DL_LETTER_KEY);

    if (q->key != NULL && is_text(q->key, len)) {
        dl_wh_bind_text(st, at, q->key, len);
    }
}

dl_status dlc_letters_add(dl_wh *wh, const char *topic,
                          const dl_lake_set_aside *q, dl_error *err)
{
    dl_time received =
        q->coord.time == DL_TIME_NONE ? dl_time_now() : q->coord.time;
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_LETTER_ADD, err));
    dl_wh_bind_str(st, 0, topic);
    dl_wh_bind_int(st, 1, q->coord.generation);
    dl_wh_bind_int(st, 2, q->coord.partition);
    dl_wh_bind_int(st, 3, q->coord.offset);
    bind_key(st, 4, q);
    dl_wh_bind_str(st, 5, dl_lake_reason_name(q->reason));
    dl_wh_bind_str(st, 6, q->detail);
    dl_wh_bind_bytes(st, 7, q->payload,
                     cut(q->payload, q->len, DL_LETTER_VALUE));
    dl_wh_bind_int(st, 8, (int64_t)q->len);
    dl_wh_bind_time(st, 9, received);
    bind_place(st, 10, &q->here);
    return dl_wh_run(st, err);
}

dl_status dlc_letters_open(dl_wh *wh, dlc_letters_each *each, void *context,
                           dl_error *err)
{
    dl_wh_stmt *st;
    bool more = false;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_LETTER_OPEN, err));
    DL_TRY(dl_wh_run(st, err));
    for (;;) {
        DL_TRY(dl_wh_fetch(&more, st, err));
        if (!more) {
            return DL_OK;
        }
        each(context, dl_wh_text(st, 0, NULL), dl_wh_int(st, 1));
    }
}
