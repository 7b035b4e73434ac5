/* fuzz_split.c - Rows of lines, CSV and JSON: within the text, one behind the
 * other, and the same when the text comes in two pieces; the text in older
 * encodings becomes UTF-8.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include "dl_encoding.h"
#include "dl_split.h"
#include "dl_utf8.h"

const char *const fuzz_seeds[] = {
    "0a\nb\r\n\nhalf", "1a,b\n\"1\",\"x\ny\"\"\"\r\n2,\"open\n3,4\n",
    "2[{\"a\":\"}\"},\n 7,{\"b\":{}}]", "did;\"n\"\n1;2\n", NULL};

const char *const fuzz_words[] = {"\"", "\"\"", ",", "\n",   "\r\n", "{",
                                  "}",  "[",    "]", "\\\"", NULL};

/* Check ROW of INPUT. */
static void check_row(const dl_split_row *row, const dl_split_cells *cells,
                      dl_split_kind kind, const dl_split_input *input)
{
    const char *end = input->text + input->len;

    fuzz_check(row->text >= input->text && row->text + row->len <= end,
               "a row lies in the text");
    fuzz_check(row->used > 0 && row->used <= input->len,
               "a row takes bytes that are there");
    fuzz_check(row->before <= row->lines, "lines are counted");
    if (kind == DL_SPLIT_CSV && row->broken == NULL) {
        fuzz_check(cells->n > 0 && cells->n <= DL_SPLIT_FIELDS,
                   "a row has fields");
        for (int i = 0; i < cells->n; i++) {
            fuzz_check(cells->cells[i].len <= row->len,
                       "a field is no longer than its row");
        }
    }
}

/* Take TEXT for one in an older encoding. */
static void check_encodings(const char *text, size_t len, apr_pool_t *pool)
{
    static const dl_encoding encodings[] = {DL_ENCODING_LATIN1,
                                            DL_ENCODING_WINDOWS_1252};

    for (int i = 0; i < 2; i++) {
        dl_buf *out = dl_buf_create(3 * len + 64, pool);

        fuzz_check(dl_encoding_decode(out, encodings[i], text, len, NULL) ==
                       DL_OK,
                   "three bytes a character are room enough");
        fuzz_check(out->len >= len && dl_utf8_check_text(out->data, out->len),
                   "any bytes become UTF-8");
    }
}

void fuzz_one(const unsigned char *data, size_t len, apr_pool_t *pool)
{
    dl_split_kind kind;
    dl_split_cells cells;
    dl_split_input input;
    dl_split_row row;

    if (len == 0) {
        return;
    }
    kind = (dl_split_kind)(*data % 3);
    check_encodings((const char *)data + 1, len - 1, pool);
    dl_split_cells_create(&cells, *data > 63 ? ';' : ',', pool);
    input = (dl_split_input){(const char *)data + 1, len - 1, true};
    while (dl_split_next(&row, &cells, kind, &input)) {
        const dl_split_input half = {input.text, row.used, false};
        dl_split_row again;

        check_row(&row, &cells, kind, &input);
        if (row.broken == NULL && row.used < input.len &&
            dl_split_next(&again, &cells, kind, &half)) {
            fuzz_check(again.text == row.text && again.len == row.len,
                       "a row is the same where nothing follows yet");
        }
        input.text += row.used;
        input.len -= row.used;
    }
    fuzz_check(row.used <= input.len, "the end is in the text");
}
