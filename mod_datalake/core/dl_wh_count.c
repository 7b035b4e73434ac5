/* dl_wh_count.c - Asks for a count, or counts rows.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_wh_count.h"

#include "dl_statements.h"
#include "dl_wh_rows.h"

static const char *table_of(dl_counted what)
{
    return what == DL_COUNT_LOGS    ? "network_log"
           : what == DL_COUNT_POSTS ? "social_post"
                                    : "client_transaction";
}

static dl_status prepare(dl_wh_stmt **st, dl_wh *wh, dl_counted what,
                         dl_error *err)
{
    switch (what) {
    case DL_COUNT_LOGS:
        return dl_wh_prepare(st, wh, STMT_COUNT_LOGS, err);
    case DL_COUNT_POSTS:
        return dl_wh_prepare(st, wh, STMT_COUNT_POSTS, err);
    case DL_COUNT_PAYMENTS:
        break;
    }
    return dl_wh_prepare(st, wh, STMT_COUNT_PAYMENTS, err);
}

dl_status dl_wh_count(int64_t *n, dl_wh *wh, dl_counted what, dl_error *err)
{
    dl_wh_stmt *st;
    bool more;

    DL_TRY(dl_wh_rows_read(n, wh, table_of(what), err));
    if (*n >= 0) {
        return DL_OK;
    }
    *n = 0;
    DL_TRY(prepare(&st, wh, what, err));
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    if (more) {
        *n = dl_wh_int(st, 0);
    }
    dl_wh_finish(st);
    return DL_OK;
}
