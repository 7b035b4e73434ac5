/* dl_wh_rows.c - Slots of a count.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_wh_rows.h"

#include <apr_strings.h>

#include "dl_statements.h"
#include "dl_wh_words.h"

bool dl_wh_rows_counted(const dl_dataset *ds)
{
    return ds->rollup == NULL;
}

dl_status dl_wh_rows_added(dl_wh *wh, const dl_dataset *ds, int32_t partition,
                           int64_t n, dl_error *err)
{
    dl_wh_stmt *st;

    if (n == 0 || !dl_wh_rows_counted(ds)) {
        return DL_OK;
    }
    DL_TRY(dl_wh_prepare(&st, wh, STMT_ROWS_ADD, err));
    dl_wh_bind_str(st, 0, ds->table);
    dl_wh_bind_int(st, 1, partition);
    dl_wh_bind_int(st, 2, n);
    return dl_wh_run(st, err);
}

dl_status dl_wh_rows_removed(dl_wh *wh, const dl_dataset *ds, uint64_t n,
                             dl_error *err)
{
    dl_wh_stmt *st;

    if (n == 0 || !dl_wh_rows_counted(ds)) {
        return DL_OK;
    }
    DL_TRY(dl_wh_prepare(&st, wh, STMT_ROWS_REMOVED, err));
    dl_wh_bind_str(st, 0, ds->table);
    dl_wh_bind_int(st, 1, -(int64_t)n);
    return dl_wh_run(st, err);
}

dl_status dl_wh_rows_read(int64_t *n, dl_wh *wh, const char *table,
                          dl_error *err)
{
    dl_wh_stmt *st;
    bool more;

    *n = -1;
    DL_TRY(dl_wh_prepare(&st, wh, STMT_ROWS_READ, err));
    dl_wh_bind_str(st, 0, table);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    if (more && dl_wh_int(st, 1) > 0) {
        *n = dl_wh_int(st, 0);
    }
    dl_wh_finish(st);
    return DL_OK;
}

/* Set *N to the rows of the table of DS that no slot has. */
static dl_status read_before(int64_t *n, dl_wh *wh, const dl_dataset *ds,
                             dl_error *err, apr_pool_t *pool)
{
    const dl_wh_word words[] = {
        {"table", apr_psprintf(pool, "`%s`", ds->table)}, {NULL, NULL}};
    dl_wh_stmt *st;
    bool more;

    DL_TRY(dl_wh_prepare(&st, wh,
                         dl_wh_words_fill(STMT_ROWS_BEFORE, words, pool), err));
    dl_wh_bind_str(st, 0, ds->table);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    *n = more ? dl_wh_int(st, 0) : 0;
    dl_wh_finish(st);
    return DL_OK;
}

dl_status dl_wh_rows_begin(dl_wh *wh, const dl_dataset *ds, dl_error *err,
                           apr_pool_t *scratch_pool)
{
    dl_wh_stmt *st;
    int64_t n;

    if (!dl_wh_rows_counted(ds)) {
        return DL_OK;
    }
    DL_TRY(dl_wh_rows_read(&n, wh, ds->table, err));
    if (n >= 0) {
        return DL_OK;
    }
    DL_TRY(read_before(&n, wh, ds, err, scratch_pool));
    DL_TRY(dl_wh_prepare(&st, wh, STMT_ROWS_BASE, err));
    dl_wh_bind_str(st, 0, ds->table);
    dl_wh_bind_int(st, 1, n);
    return dl_wh_run(st, err);
}

dl_status dl_wh_rows_forget(dl_wh *wh, const dl_dataset *ds, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_ROWS_FORGET, err));
    dl_wh_bind_str(st, 0, ds->table);
    return dl_wh_run(st, err);
}
