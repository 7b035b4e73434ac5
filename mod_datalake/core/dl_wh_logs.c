/* dl_wh_logs.c - Reads table network_log by its index (IP_Address, timestamp).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_wh_logs.h"

#include "dl_statements.h"

/* Columns of both statements; the members begin at FIRST. */
enum log_column {
    COLUMN_ID,
    COLUMN_TIMESTAMP,
    COLUMN_FIRST
};

const char *const dl_log_members[DL_LOG_MEMBERS] = {
    "IP_Address", "Date",         "Time",        "Method",
    "URL",        "HTTP_Version", "Status_Code", "Response_Size"};

static void read_line(dl_log_line *line, const dl_wh_stmt *st)
{
    unsigned i;

    line->id = dl_wh_int(st, COLUMN_ID);
    line->timestamp = dl_wh_time(st, COLUMN_TIMESTAMP);
    for (i = 0; i < DL_LOG_MEMBERS; i++) {
        line->texts[i] = dl_wh_is_null(st, COLUMN_FIRST + i)
                             ? NULL
                             : dl_wh_text(st, COLUMN_FIRST + i, NULL);
    }
}

/* Set *ST to the statement for PAGE, with its parameters. */
static dl_status prepare_page(dl_wh_stmt **st, dl_wh *wh,
                              const dl_log_page *page, dl_error *err)
{
    bool first = page->before == DL_TIME_NONE;

    DL_TRY(dl_wh_prepare(st, wh, first ? STMT_LOG_NEWEST : STMT_LOG_PAGE, err));
    dl_wh_bind_str(*st, 0, page->address);
    if (first) {
        dl_wh_bind_int(*st, 1, page->max);
        return DL_OK;
    }
    dl_wh_bind_time(*st, 1, page->before);
    dl_wh_bind_time(*st, 2, page->before);
    dl_wh_bind_int(*st, 3, page->before_id);
    dl_wh_bind_int(*st, 4, page->max);
    return DL_OK;
}

dl_status dl_wh_logs_read(dl_wh *wh, const dl_log_page *page, dl_log_each *each,
                          void *context, dl_error *err)
{
    dl_log_line line;
    dl_wh_stmt *st;
    bool more;

    DL_TRY(prepare_page(&st, wh, page, err));
    DL_TRY(dl_wh_run(st, err));
    for (;;) {
        DL_TRY(dl_wh_fetch(&more, st, err));
        if (!more) {
            return DL_OK;
        }
        read_line(&line, st);
        DL_TRY(each(context, &line, err));
    }
}
