/* dlc_wh_advance.c - Advance, recover, adjust.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_wh_advance.h"

#include "dl_statements.h"

#include <string.h>

/* Fact rows of one transaction of recover; sql_spend_range has the same. */
#define RECOVER_ROWS 50000

/* Adjustments of one transaction; STMT_ADJUST_READ has the same. */
#define ADJUST_ROWS 2000

/* End the open transaction as STATUS asks for. */
static dl_status transaction_end(dl_wh *wh, dl_status status, dl_error *err)
{
    if (status == DL_OK) {
        return dl_wh_commit(wh, err);
    }
    dl_wh_rollback(wh);
    return status;
}

dl_status dlc_wh_watermark(int64_t *next, int32_t *generation, dl_wh *wh,
                           const dlc_wh_end *end, dl_error *err)
{
    dl_wh_stmt *st;
    bool more;

    *next = -1;
    *generation = 0;
    DL_TRY(dl_wh_prepare(&st, wh, STMT_WATERMARK, err));
    dl_wh_bind_str(st, 0, end->topic);
    dl_wh_bind_int(st, 1, end->partition);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    if (more) {
        *next = dl_wh_int(st, 0);
        *generation = (int32_t)dl_wh_int(st, 1);
        dl_wh_finish(st);
    }
    return DL_OK;
}

/* A move of a watermark. */
typedef struct step {
    int32_t generation, to_generation; /* before and after */
    int64_t from, to;                  /* before and after */
} step;

static dl_status watermark_move(dl_wh *wh, const dlc_wh_end *end,
                                const step *move, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_WATERMARK_MOVE, err));
    dl_wh_bind_int(st, 0, move->to);
    dl_wh_bind_int(st, 1, move->to_generation);
    dl_wh_bind_str(st, 2, end->topic);
    dl_wh_bind_int(st, 3, end->partition);
    dl_wh_bind_int(st, 4, move->generation);
    dl_wh_bind_int(st, 5, move->from);
    DL_TRY(dl_wh_run(st, err));
    if (dl_wh_affected(st) != 1) {
        return dl_fail(err, DL_CONFLICT, 0,
                       "%s/%d: the watermark of the rollups is not %lld",
                       end->topic, end->partition, (long long)move->from);
    }
    return DL_OK;
}

/* --- Advance ---------------------------------------------------------------
 */

static dl_status advance_write(dl_wh *wh, dlc_spend_writer *writer,
                               const dlc_spend *spend, const dlc_wh_end *ends,
                               int n, dl_error *err)
{
    /* the watermarks first: a conflict costs nothing then */
    for (int i = 0; i < n; i++) {
        step move = {ends[i].generation, ends[i].generation, ends[i].from,
                     ends[i].to};

        if (move.from != move.to) {
            DL_TRY(watermark_move(wh, &ends[i], &move, err));
        }
    }
    return dlc_spend_write(writer, spend, err);
}

dl_status dlc_wh_advance(dl_wh *wh, dlc_spend_writer *writer,
                         const dlc_spend *spend, const dlc_wh_end *ends, int n,
                         dl_error *err)
{
    DL_TRY(dl_wh_begin(wh, err));
    return transaction_end(wh, advance_write(wh, writer, spend, ends, n, err),
                           err);
}

/* --- Recover ---------------------------------------------------------------
 */

static dlc_text column_text(const dl_wh_stmt *st, unsigned col)
{
    dlc_text text = {NULL, 0};

    if (!dl_wh_is_null(st, col)) {
        text.text = dl_wh_text(st, col, &text.len);
    }
    return text;
}

/* Add the fact row ST stands on, columns of STMT_SPEND_RANGE, to SPEND. */
static void fact_add(dlc_spend *spend, const dl_wh_stmt *st,
                     const dlc_wh_end *end, int32_t generation)
{
    dlc_spend_row row;

    memset(&row, 0, sizeof row);
    row.time = dl_wh_time(st, 1);
    row.user_id = column_text(st, 2);
    row.product_id = column_text(st, 3);
    row.product_name = column_text(st, 4);
    row.currency = column_text(st, 5);
    row.type = column_text(st, 6);
    row.status = column_text(st, 7);
    row.category = column_text(st, 8);
    row.sums.n = 1;
    row.sums.amount = dl_wh_decimal(st, 9).units;
    row.sums.base = dl_wh_decimal(st, 10).units;
    row.sums.unconverted = !dl_wh_is_null(st, 9) && dl_wh_is_null(st, 10);
    row.sums.quantity = dl_wh_is_null(st, 11) ? 1 : dl_wh_int(st, 11);
    row.coord.time = dl_wh_time(st, 12);
    row.coord.generation = generation;
    row.coord.partition = end->partition;
    row.coord.offset = dl_wh_int(st, 0);
    dlc_spend_add(spend, &row, 1);
}

/* Add up the rows of MOVE, at most RECOVER_ROWS; then MOVE->to is lowered. */
static dl_status facts_read(dlc_spend *spend, step *move, dl_wh *wh,
                            const dlc_wh_end *end, dl_error *err)
{
    dl_wh_stmt *st;
    bool more;
    int rows = 0;

    DL_TRY(dl_wh_prepare(&st, wh, end->table->sql_spend_range, err));
    dl_wh_bind_int(st, 0, move->generation);
    dl_wh_bind_int(st, 1, end->partition);
    dl_wh_bind_int(st, 2, move->from);
    dl_wh_bind_int(st, 3, move->to);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more) {
        fact_add(spend, st, end, move->generation);
        if (++rows == RECOVER_ROWS) {
            move->to = dl_wh_int(st, 0) + 1;
            move->to_generation = move->generation;
        }
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    return DL_OK;
}

/* One adjustment by its key. */
typedef struct adjust_key {
    int64_t offset, revision; /* of the row concerned */
} adjust_key;

static dl_status adjust_delete(dl_wh *wh, const dlc_wh_end *end,
                               int32_t generation, const adjust_key *key,
                               dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_ADJUST_DELETE, err));
    dl_wh_bind_str(st, 0, end->topic);
    dl_wh_bind_int(st, 1, generation);
    dl_wh_bind_int(st, 2, end->partition);
    dl_wh_bind_int(st, 3, key->offset);
    dl_wh_bind_int(st, 4, key->revision);
    return dl_wh_run(st, err);
}

/* Delete the adjustments that the snapshot has inside MOVE: their rows are
 * not in the gap any more.  One that comes later stays: its row was read. */
static dl_status gap_adjusts_delete(dl_wh *wh, const dlc_wh_end *end,
                                    const step *move, dl_error *err)
{
    adjust_key keys[256];
    int n;

    do {
        dl_wh_stmt *st;
        bool more;

        n = 0;
        DL_TRY(dl_wh_prepare(&st, wh, STMT_ADJUST_KEYS, err));
        dl_wh_bind_str(st, 0, end->topic);
        dl_wh_bind_int(st, 1, move->generation);
        dl_wh_bind_int(st, 2, end->partition);
        dl_wh_bind_int(st, 3, move->from);
        dl_wh_bind_int(st, 4, move->to);
        DL_TRY(dl_wh_run(st, err));
        DL_TRY(dl_wh_fetch(&more, st, err));
        while (more && n < 256) {
            keys[n].offset = dl_wh_int(st, 0);
            keys[n++].revision = dl_wh_int(st, 1);
            DL_TRY(dl_wh_fetch(&more, st, err));
        }
        dl_wh_finish(st);
        for (int i = 0; i < n; i++) {
            DL_TRY(adjust_delete(wh, end, move->generation, &keys[i], err));
        }
    } while (n == 256); /* what is deleted is not read again */
    return DL_OK;
}

static dl_status recover_write(dl_wh *wh, dlc_spend_writer *writer,
                               const dlc_wh_end *end, step *move, dl_error *err)
{
    dlc_spend *spend = dlc_spend_create();
    dl_status status = facts_read(spend, move, wh, end, err);

    if (status == DL_OK) {
        status = gap_adjusts_delete(wh, end, move, err);
    }
    if (status == DL_OK) {
        status = watermark_move(wh, end, move, err);
    }
    if (status == DL_OK) {
        status = dlc_spend_write(writer, spend, err);
    }
    dlc_spend_destroy(spend);
    return status;
}

static dl_status watermark_create(dl_wh *wh, const dlc_wh_end *end,
                                  dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_OFFSET_ADD, err));
    dl_wh_bind_str(st, 0, "rollup");
    dl_wh_bind_str(st, 1, end->topic);
    dl_wh_bind_int(st, 2, end->partition);
    dl_wh_bind_int(st, 3, 0);
    dl_wh_bind_int(st, 4, 0);
    dl_wh_bind_str(st, 5, "");
    return dl_wh_run(st, err);
}

dl_status dlc_wh_recover(dl_wh *wh, dlc_spend_writer *writer,
                         const dlc_wh_end *end, dl_error *err)
{
    for (;;) {
        step move;

        DL_TRY(dlc_wh_watermark(&move.from, &move.generation, wh, end, err));
        if (move.from < 0) {
            DL_TRY(watermark_create(wh, end, err));
            continue;
        }
        if (move.generation > end->generation ||
            (move.generation == end->generation && move.from >= end->to)) {
            return DL_OK;
        }
        move.to_generation = end->generation;
        move.to = end->to;
        if (move.generation < end->generation) {
            move.to_generation = move.generation + 1;
            move.to = INT64_MAX;
        }
        DL_TRY(dl_wh_begin_snapshot(wh, err));
        if (move.to == INT64_MAX) {
            /* the rest of an old life of the topic; the new one begins at 0 */
            step rest = move;

            rest.to_generation = move.generation;
            DL_TRY(transaction_end(
                wh, recover_write(wh, writer, end, &rest, err), err));
            if (rest.to == INT64_MAX) {
                step over = {move.generation, move.to_generation, INT64_MAX, 0};

                DL_TRY(watermark_move(wh, end, &over, err));
            }
            continue;
        }
        DL_TRY(transaction_end(wh, recover_write(wh, writer, end, &move, err),
                               err));
    }
}

/* --- Adjust ----------------------------------------------------------------
 */

/* Add the adjustment ST stands on, columns of STMT_ADJUST_READ, to SPEND. */
static void adjust_add(dlc_spend *spend, const dl_wh_stmt *st)
{
    dlc_spend_row row;

    memset(&row, 0, sizeof row);
    row.time = dl_wh_time(st, 1);
    row.user_id = column_text(st, 2);
    row.product_id = column_text(st, 3);
    row.currency = column_text(st, 4);
    row.type = column_text(st, 5);
    row.status = column_text(st, 6);
    row.category = column_text(st, 7);
    row.sums.n = dl_wh_int(st, 8);
    row.sums.amount = dl_wh_decimal(st, 9).units;
    row.sums.base = dl_wh_decimal(st, 10).units;
    row.sums.unconverted = dl_wh_int(st, 11);
    row.sums.quantity = dl_wh_int(st, 12);
    dlc_spend_add(spend, &row, 1);
}

static dl_status adjusts_read(dlc_spend *spend, adjust_key *last, uint64_t *n,
                              dl_wh *wh, const dlc_wh_end *end, dl_error *err)
{
    dl_wh_stmt *st;
    bool more;

    *n = 0;
    DL_TRY(dl_wh_prepare(&st, wh, STMT_ADJUST_READ, err));
    dl_wh_bind_str(st, 0, end->topic);
    dl_wh_bind_int(st, 1, end->generation);
    dl_wh_bind_int(st, 2, end->partition);
    dl_wh_bind_int(st, 3, end->to);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more) {
        adjust_add(spend, st);
        last->offset = dl_wh_int(st, 0);
        last->revision = dl_wh_int(st, 13);
        (*n)++;
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    return DL_OK;
}

/* Delete the N adjustments up to LAST; another number is a lost race. */
static dl_status adjusts_delete(dl_wh *wh, const dlc_wh_end *end,
                                const adjust_key *last, uint64_t n,
                                dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_ADJUST_DELETE_TO, err));
    dl_wh_bind_str(st, 0, end->topic);
    dl_wh_bind_int(st, 1, end->generation);
    dl_wh_bind_int(st, 2, end->partition);
    dl_wh_bind_int(st, 3, last->offset);
    dl_wh_bind_int(st, 4, last->offset);
    dl_wh_bind_int(st, 5, last->revision);
    DL_TRY(dl_wh_run(st, err));
    if (dl_wh_affected(st) != n) {
        return dl_fail(err, DL_RETRY, 0, "%s/%d: adjustments came in between",
                       end->topic, end->partition);
    }
    return DL_OK;
}

static dl_status adjust_write(uint64_t *n, dl_wh *wh, dlc_spend_writer *writer,
                              const dlc_wh_end *end, dl_error *err)
{
    dlc_spend *spend = dlc_spend_create();
    adjust_key last = {-1, 0};
    dl_status status = adjusts_read(spend, &last, n, wh, end, err);

    if (status == DL_OK && *n > 0) {
        status = adjusts_delete(wh, end, &last, *n, err);
    }
    if (status == DL_OK && *n > 0) {
        status = dlc_spend_write(writer, spend, err);
    }
    dlc_spend_destroy(spend);
    return status;
}

dl_status dlc_wh_adjust(dl_wh *wh, dlc_spend_writer *writer,
                        const dlc_wh_end *end, dl_error *err)
{
    uint64_t n;

    do {
        DL_TRY(dl_wh_begin(wh, err));
        DL_TRY(
            transaction_end(wh, adjust_write(&n, wh, writer, end, err), err));
    } while (n >= ADJUST_ROWS);
    return DL_OK;
}
