/* mdl_rows.c - Counting elements and lines.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_rows.h"

#include <stdbool.h>
#include <string.h>

/* Where the counting stands. */
typedef struct row_count {
    unsigned depth; /* brackets and braces that are open */
    unsigned list;  /* depth inside the list that is counted; 0: none */
    bool empty;     /* nothing has stood in it yet */
    uint64_t rows;  /* rows so far */
} row_count;

/* Return the byte behind the string that begins at AT. */
static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++) {
        at += *at == '\\' ? 1 : 0;
    }
    return at < end ? at + 1 : end;
}

/* Judge C, which belongs to no string. */
static void judge(row_count *count, char c, bool is_object)
{
    if (count->list == count->depth && count->list > 0 && c != ']') {
        count->rows += count->empty || c == ',' ? 1 : 0;
        count->empty = false;
    }
    if (c == '[' || c == '{') {
        count->depth++;
        if (c == '[' && count->list == 0 &&
            count->depth == (is_object ? 2U : 1U)) {
            count->list = count->depth;
            count->empty = true;
        }
    }
    else if (c == ']' || c == '}') {
        count->list = count->list == count->depth ? 0 : count->list;
        count->depth--;
    }
}

uint64_t mdl_rows_in_json(const char *text, size_t len)
{
    row_count count = {.depth = 0};
    bool is_object = len > 0 && *text == '{';
    const char *end = text + len;
    const char *at = text;

    while (at < end) {
        judge(&count, *at, is_object);
        at = *at == '"' ? skip_string(at, end) : at + 1;
    }
    return count.rows;
}

uint64_t mdl_rows_in_lines(const char *text, size_t len)
{
    const char *end = text + len;
    uint64_t n = 0;

    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));

        if (newline == NULL) {
            break;
        }
        n++;
        text = newline + 1;
    }
    return n;
}
