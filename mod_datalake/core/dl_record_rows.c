/* dl_record_rows.c - Element by element through an array of a canonical line.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_record_rows.h"

void dl_record_rows_begin(dl_record_rows *rows, const dl_record *rec, int child)
{
    const dl_dataset *ds = dl_judge_dataset(rec->judge);
    dl_json_slice array = rec->field[ds->children[child].field];

    rows->judge = dl_judge_child(rec->judge, child);
    rows->at = NULL;
    rows->end = NULL;
    if (array.kind == DL_JSON_ARRAY && array.len > 2) {
        rows->at = array.text + 1;
        rows->end = array.text + array.len - 1;
    }
}

/* Return the end of the string that begins at AT with its quotation mark: what
 * stands behind the one that closes it. */
static const char *behind_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++) {
        at += *at == '\\' ? 1 : 0;
    }
    return at < end ? at + 1 : end;
}

/* Return the end of the element that begins at AT. */
static const char *behind_element(const char *at, const char *end)
{
    int depth = 0;

    while (at < end && (depth > 0 || *at != ',')) {
        if (*at == '"') {
            at = behind_string(at, end);
            continue;
        }
        depth += *at == '{' || *at == '[' ? 1 : 0;
        depth -= *at == '}' || *at == ']' ? 1 : 0;
        at++;
    }
    return at;
}

bool dl_record_rows_each(dl_record *row, dl_record_rows *rows)
{
    const char *element = rows->at;
    const char *stop;

    if (element == NULL) {
        return false;
    }
    stop = behind_element(element, rows->end);
    rows->at = stop < rows->end ? stop + 1 : NULL;
    dl_record_judge(row, rows->judge, element, (size_t)(stop - element), 0);
    return true;
}

bool dl_record_rows_next(dl_record *row, dl_record_rows *rows)
{
    while (dl_record_rows_each(row, rows)) {
        if (row->verdict == DL_RECORD_GOOD) {
            return true;
        }
    }
    return false;
}
