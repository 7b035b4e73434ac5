/* dl_wh_logs.c - Reads table network_log by its index (IP_Address, timestamp).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_wh_logs.h"

#include "dl_statements.h"

/* Later than any line (9999-12-31). */
#define FOREVER INT64_C(253402214400000000)

/* Columns of STMT_LOG_PAGE; the members begin at FIRST. */
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

dl_status dl_wh_logs_read(dl_wh *wh, const dl_log_page *page, dl_log_each *each,
                          void *context, dl_error *err)
{
    bool first = page->before == DL_TIME_NONE;
    dl_time before = first ? FOREVER : page->before;
    dl_log_line line;
    dl_wh_stmt *st;
    bool more;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_LOG_PAGE, err));
    dl_wh_bind_str(st, 0, page->address);
    dl_wh_bind_time(st, 1, before);
    dl_wh_bind_time(st, 2, before);
    dl_wh_bind_int(st, 3, first ? INT64_MAX : page->before_id);
    dl_wh_bind_int(st, 4, page->max);
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
