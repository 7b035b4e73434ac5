/* dl_wh_quota.c - Saving, loading and forgetting quota windows.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_wh_quota.h"

#include <string.h>

#include "dl_statements.h"

dl_status dl_wh_quota_save(dl_wh *wh, const dl_wh_quota_row *row, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_QUOTA_SAVE, err));
    dl_wh_bind_str(st, 0, row->subject);
    dl_wh_bind_str(st, 1, row->policy);
    dl_wh_bind_time(st, 2, row->began);
    dl_wh_bind_int(st, 3, row->used);
    return dl_wh_run(st, err);
}

/* Copy column COL of ST, which has to fit into SIZE bytes, to OUT. */
static bool read_text(char *out, size_t size, const dl_wh_stmt *st,
                      unsigned col)
{
    size_t len;
    const char *text = dl_wh_text(st, col, &len);

    if (len >= size) {
        return false;
    }
    memcpy(out, text, len);
    out[len] = '\0';
    return true;
}

dl_status dl_wh_quota_load(dl_wh_quota_rows *out, dl_wh *wh, dl_time since,
                           dl_error *err)
{
    dl_wh_stmt *st;
    bool more = false;

    out->n = 0;
    DL_TRY(dl_wh_prepare(&st, wh, STMT_QUOTA_LOAD, err));
    dl_wh_bind_time(st, 0, since);
    dl_wh_bind_int(st, 1, (int64_t)out->max);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more && out->n < out->max) {
        dl_wh_quota_row *row = &out->rows[out->n];

        /* A longer text is nothing that we have written. */
        if (read_text(row->subject, sizeof row->subject, st, 0) &&
            read_text(row->policy, sizeof row->policy, st, 1)) {
            row->began = dl_wh_time(st, 2);
            row->used = dl_wh_int(st, 3);
            out->n++;
        }
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    dl_wh_finish(st);
    return DL_OK;
}

dl_status dl_wh_quota_forget(dl_wh *wh, dl_time before, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_QUOTA_FORGET, err));
    dl_wh_bind_time(st, 0, before);
    return dl_wh_run(st, err);
}
