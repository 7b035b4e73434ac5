/* fuzz_log_line.c - Lines of web servers' logs and syslog messages.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "dl_combined.h"
#include "dl_json.h"
#include "dl_syslog.h"

const char *const fuzz_seeds[] = {
    "::1 - - [20/Jan/2023:12:37:58 +0100] \"GET / H\" 200 - \"-\" \"\\xA\"",
    "<34>1 2003-10-11T22:14:15.003Z h su 77 ID [e@1 a=\"b\\]\" c=\"\"][x] t",
    "<13>Oct 11 22:14:15 h su[12]: x", "<13>2023-01-20T11:37:58+01:00 h x: y",
    NULL};

const char *const fuzz_words[] = {
    "[",    "]", "\"", "\\", "\\x", "<13>",  "1 ",           " - ",
    "a=\"", ":", "-",  "\r", "Feb", "+0100", "\xEF\xBB\xBF", NULL};

/* Return whether CELL lies in the LEN bytes at TEXT, or in ROOM. */
static bool lies_in(const dl_cell *cell, const char *text, size_t len,
                    const dl_buf *room)
{
    return (cell->text >= text && cell->text + cell->len <= text + len) ||
           (room->data != NULL && cell->text >= room->data &&
            cell->text + cell->len <= room->data + room->len);
}

/* Check that CELL, which is JSON, is a number or an object. */
static void check_json(const dl_cell *cell, apr_pool_t *pool)
{
    char *scratch;
    const dl_json_shape *shape;
    dl_json_result result;
    dl_json_slice slots[1];

    if (*cell->text != '{') {
        fuzz_check(cell->len <= 3, "a number is short");
        return;
    }
    scratch = malloc(cell->len + DL_JSON_SLACK);
    if (scratch == NULL ||
        dl_json_shape_create(&shape, NULL, 0, NULL, pool) != DL_OK) {
        abort();
    }
    if (cell->len <= DL_JSON_MAX_BYTES) {
        dl_json_fault fault =
            dl_json_scan(&result, slots, shape, scratch, cell->text, cell->len);

        fuzz_check(fault == DL_JSON_FINE || fault == DL_JSON_TOO_BIG,
                   "structured data are a JSON object");
    }
    free(scratch);
}

void fuzz_one(const unsigned char *data, size_t len, apr_pool_t *pool)
{
    const char *text = (const char *)data;
    dl_buf *room = dl_buf_create(9 * len + 1000, pool);
    dl_cell web[DL_COMBINED_COLUMNS];
    dl_cell message[DL_SYSLOG_COLUMNS];

    if (dl_combined_parse(web, room, text, len)) {
        for (int i = 0; i < DL_COMBINED_COLUMNS; i++) {
            fuzz_check(web[i].kind == DL_CELL_ABSENT || web[i].len <= 1 ||
                           lies_in(&web[i], text, len, room),
                       "a column lies in the line or the room");
        }
    }
    fuzz_check(dl_syslog_parse(message, room, text, len,
                               INT64_C(1704164645000000), NULL) == DL_OK,
               "every message is read");
    for (int i = 0; i < DL_SYSLOG_COLUMNS; i++) {
        fuzz_check(message[i].kind == DL_CELL_ABSENT ||
                       lies_in(&message[i], text, len, room),
                   "a column lies in the message or the room");
        if (message[i].kind == DL_CELL_JSON) {
            check_json(&message[i], pool);
        }
    }
}
