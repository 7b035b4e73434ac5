/* dlc_backup_events.c - Numbers of change events, out of the database and back.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_backup_events.h"

#include "dl_config.h"
#include "dl_file.h"
#include "dl_outbox.h"
#include "dl_time.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>

/* Most bytes of the file: five million events or so. */
#define TEXT_MAX ((size_t)1 << 28)

dl_status dlc_backup_events_begin(dl_buf **text, dl_wh *wh,
                                  const struct dl_config *cfg, dl_error *err,
                                  apr_pool_t *pool)
{
    apr_array_header_t *numbers =
        apr_array_make(pool, 256, (int)sizeof(dl_outbox_numbered));
    apr_pool_t *own;
    dl_wh *holder;

    apr_pool_create(&own, pool);
    DL_TRY(dl_wh_connect(&holder, cfg, DL_WH_MIGRATE, err, own));
    DL_TRY(dl_outbox_hold(holder, err));
    DL_TRY(dl_wh_begin_snapshot(wh, err));
    DL_TRY(dl_outbox_number_seen(numbers, holder, wh, dl_time_now(), err, own));
    apr_pool_destroy(own);
    *text = dl_buf_create(TEXT_MAX, pool);
    for (int i = 0; i < numbers->nelts; i++) {
        const dl_outbox_numbered *one =
            &APR_ARRAY_IDX(numbers, i, dl_outbox_numbered);
        char line[64];
        int len = snprintf(line, sizeof line, "%" PRId64 " %" PRId64 "\n",
                           one->row, one->id);

        DL_TRY(dl_buf_append(*text, line, (size_t)len, err));
    }
    return DL_OK;
}

/* Read the line at *TEXT into ONE and go behind it. */
static dl_status take_line(dl_outbox_numbered *one, const char **text,
                           dl_error *err)
{
    char *end;

    one->row = strtoll(*text, &end, 10);
    if (end != *text && *end == ' ' && one->row > 0) {
        one->id = strtoll(end + 1, &end, 10);
        if (*end == '\n' && one->id > 0) {
            *text = end + 1;
            return DL_OK;
        }
    }
    return dl_fail(err, DL_CORRUPT, 0, "%s: a line is none", DLC_BACKUP_EVENTS);
}

dl_status dlc_backup_events_restore(dl_wh *wh, const char *dir, dl_error *err,
                                    apr_pool_t *scratch_pool)
{
    apr_array_header_t *numbers =
        apr_array_make(scratch_pool, 256, (int)sizeof(dl_outbox_numbered));
    const char *path =
        apr_pstrcat(scratch_pool, dir, "/", DLC_BACKUP_EVENTS, NULL);
    const char *text;
    size_t len;
    dl_status status =
        dl_file_load(&text, &len, path, TEXT_MAX, err, scratch_pool);

    if (status == DL_NOT_FOUND) {
        return DL_OK;
    }
    DL_TRY(status);
    while (*text != '\0') {
        DL_TRY(take_line(apr_array_push(numbers), &text, err));
    }
    return dl_outbox_number_again(
        (const dl_outbox_numbered *)(const void *)numbers->elts, numbers->nelts,
        wh, err);
}
