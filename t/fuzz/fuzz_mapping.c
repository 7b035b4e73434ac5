/* fuzz_mapping.c - Rows and objects of foreign sources as records.
 *
 * The input is three lines: a mapping, the transforms of member a, and the
 * cells of columns a, b and c.d with | between them; of one that begins with {
 * the third line is an object.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_date.h"
#include "dl_json.h"
#include "dl_mapping.h"

const char *const fuzz_seeds[] = {
    "\ntrim, upper\n x |2|3",
    "a = c.d, x.y = b\ndate %d/%m/%Y %H:%M %z to %s\n1|2|20/01/2023 11:37 Z",
    "a = b, a.b = c\nconstant x, y\n||",
    "\ndrop\n{\"a\":1,\"c\":{\"d\":\"\\u00e9\",\"e\":[1,\"}\"]}}",
    "q = a, r = c.d\n\n{\"c\":{\"d\":[{}]},\"a\":null}",
    "a\ndecimal comma, rename z\n1.234,56|x|y",
    NULL};

const char *const fuzz_words[] = {"=",
                                  ",",
                                  ".",
                                  "|",
                                  "trim, ",
                                  "lower, ",
                                  "upper, ",
                                  "%Y",
                                  "%b",
                                  "%f",
                                  "%p%I",
                                  "%",
                                  " to ",
                                  "constant ",
                                  "{",
                                  "\"a\":",
                                  "\\u0000",
                                  "\\\"",
                                  "decimal comma",
                                  "rename a",
                                  "drop",
                                  "}",
                                  "[",
                                  "]",
                                  "null",
                                  "\xC2\xA0",
                                  "\xC3\x9F",
                                  NULL};

/* Return the line that *TEXT begins with, and go behind it. */
static char *line_of(char **text)
{
    char *line = *text;
    char *end = strchr(line, '\n');

    *text = end == NULL ? line + strlen(line) : end + 1;
    if (end != NULL) {
        *end = '\0';
    }
    return line;
}

/* Check that OUT is one JSON object. */
static void check_object(const dl_buf *out, apr_pool_t *pool)
{
    char *scratch = malloc(out->len + DL_JSON_SLACK);
    const dl_json_shape *shape;
    dl_json_result result;
    dl_json_slice slots[1];

    if (scratch == NULL ||
        dl_json_shape_create(&shape, NULL, 0, NULL, pool) != DL_OK) {
        abort();
    }
    fuzz_check(dl_json_scan(&result, slots, shape, scratch, out->data,
                            out->len) == DL_JSON_FINE,
               "a record is a JSON object");
    free(scratch);
}

/* Write the row LINE. */
static dl_status write_row(dl_buf *out, dl_mapping *m, char *line,
                           apr_pool_t *pool)
{
    static const char *const names[] = {"a", "b", "c.d"};
    dl_mapping_columns columns = {names, 3};
    dl_cell cells[3] = {{NULL, 0, DL_CELL_ABSENT}};
    dl_mapping_plan *plan;

    DL_TRY(dl_mapping_bind(&plan, NULL, m, &columns, NULL, pool));
    for (int i = 0; i < 3 && line != NULL; i++) {
        char *bar = strchr(line, '|');
        size_t len = bar == NULL ? strlen(line) : (size_t)(bar - line);

        cells[i] = dl_cell_text(line, len);
        line = bar == NULL ? NULL : bar + 1;
    }
    return dl_mapping_write(out, plan, cells, NULL);
}

/* Take TEXT as a format, and what it writes as its input. */
static void check_date(const char *text)
{
    char out[DL_DATE_TEXT];
    char again[DL_DATE_TEXT];
    dl_date_parts parts;
    dl_time t;

    if (!dl_date_format_check(&parts, text)) {
        return;
    }
    (void)dl_date_format(out, INT64_C(1674214678250000), text);
    if (dl_date_parse(&t, out, strlen(out), text)) {
        (void)dl_date_format(again, t, text);
        fuzz_check(strcmp(out, again) == 0, "a date comes back");
    }
}

void fuzz_one(const unsigned char *data, size_t len, apr_pool_t *pool)
{
    char *text = malloc(len + 1);
    char *at = text;
    dl_mapping_transform transform = {"a", NULL};
    dl_mapping_rules rules = {NULL, &transform, 0};
    dl_buf *out = dl_buf_create(1 << 20, pool);
    dl_mapping *m;
    dl_status status;

    if (text == NULL) {
        abort();
    }
    memcpy(text, data, len);
    text[len] = '\0';
    rules.mapping = line_of(&at);
    transform.list = line_of(&at);
    rules.n = *transform.list == '\0' ? 0 : 1;
    check_date(transform.list);
    if (dl_mapping_create(&m, &rules, NULL, pool) == DL_OK) {
        status = *at == '{'
                     ? dl_mapping_write_json(out, m, at, strlen(at), NULL)
                     : write_row(out, m, at, pool);
        if (status == DL_OK) {
            check_object(out, pool);
        }
        fuzz_check(status == DL_OK || out->len == 0,
                   "what fails leaves nothing");
    }
    free(text);
}
