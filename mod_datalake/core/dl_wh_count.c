/* dl_wh_count.c - Counts rows.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_wh_count.h"

#include "dl_statements.h"

dl_status dl_wh_count(int64_t *n, dl_wh *wh, dl_counted what, dl_error *err)
{
    static const char *const statements[] = {
        [DL_COUNT_LOGS] = STMT_COUNT_LOGS,
        [DL_COUNT_POSTS] = STMT_COUNT_POSTS,
        [DL_COUNT_PAYMENTS] = STMT_COUNT_PAYMENTS};
    dl_wh_stmt *st;
    bool more;

    *n = 0;
    DL_TRY(dl_wh_prepare(&st, wh, statements[what], err));
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    if (more) {
        *n = dl_wh_int(st, 0);
    }
    dl_wh_finish(st);
    return DL_OK;
}
