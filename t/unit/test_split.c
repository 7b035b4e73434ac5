/* test_split.c - rows of texts: lines, CSV, elements of JSON; the same rows
 * however a text is cut into pieces.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_split.h"

#include "tap.h"

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

static apr_pool_t *pool;
static dl_split_cells cells;

/* Append the row as [text] or, of CSV, [a|b|c]; a broken one as !text!. */
static const char *add_row(const char *list, const dl_split_row *row,
                           dl_split_kind kind)
{
    const char *text = apr_pstrmemdup(pool, row->text, row->len);

    if (row->broken != NULL) {
        return apr_psprintf(pool, "%s!%s!", list, text);
    }
    if (kind != DL_SPLIT_CSV) {
        return apr_psprintf(pool, "%s[%s]", list, text);
    }
    list = apr_pstrcat(pool, list, "[", NULL);
    for (int i = 0; i < cells.n; i++) {
        list = apr_pstrcat(
            pool, list, i == 0 ? "" : "|",
            apr_pstrmemdup(pool, cells.cells[i].text, cells.cells[i].len),
            NULL);
    }
    return apr_pstrcat(pool, list, "]", NULL);
}

/* The rows of the LEN bytes at TEXT, of KIND; they come PIECE bytes at a time,
 * and end there when WHOLE. */
static const char *rows_in(dl_split_kind kind, const char *text, size_t len,
                           size_t piece, bool whole)
{
    const char *list = "";
    char *copy = malloc(len + 1);
    size_t at = 0;
    size_t there = 0;

    while (at <= len) {
        dl_split_input input;
        dl_split_row row;
        bool found;

        there = there < at ? at : there;
        /* The bytes end where they are known to end. */
        memcpy(copy, text + at, there - at);
        input = (dl_split_input){copy, there - at, whole && there == len};
        found = dl_split_next(&row, &cells, kind, &input);
        if (found) {
            list = add_row(list, &row, kind);
        }
        at += row.used;
        if (!found && there == len) {
            break;
        }
        if (!found) {
            there = there + piece > len ? len : there + piece;
        }
    }
    free(copy);
    return list;
}

/* The rows of TEXT, which must be the same by pieces of any size. */
static const char *rows_of(dl_split_kind kind, const char *text, bool whole)
{
    size_t len = strlen(text);
    const char *list = rows_in(kind, text, len, len + 1, whole);

    for (size_t piece = 1; piece < len; piece++) {
        const char *other = rows_in(kind, text, len, piece, whole);

        if (strcmp(list, other) != 0) {
            return apr_psprintf(pool, "%s, but by pieces of %zu %s", list,
                                piece, other);
        }
    }
    return list;
}

static void test_lines(void)
{
    is_str(rows_of(DL_SPLIT_LINES, "a\nb\r\n\n\r\nc\n", false), "[a][b][c]",
           "lines of both kinds; empty ones are passed over");
    is_str(rows_of(DL_SPLIT_LINES, "a\nhalf", false), "[a]",
           "half a last line waits");
    is_str(rows_of(DL_SPLIT_LINES, "a\nhalf", true), "[a][half]",
           "... and is one when the text ends there");
    is_str(rows_of(DL_SPLIT_LINES, "\r", true), "",
           "a carriage return alone is none");
}

static void test_csv(void)
{
    is_str(rows_of(DL_SPLIT_CSV, "a,b\n1,\n,\nx\n", false), "[a|b][1|][|][x]",
           "fields, also empty ones");
    is_str(rows_of(DL_SPLIT_CSV, "\"a\",\"b \"\"c\"\"\"\r\n\"\",2\r\n", false),
           "[a|b \"c\"][|2]", "quoted fields, doubled quotation marks");
    is_str(rows_of(DL_SPLIT_CSV, "1,\"a\nb\r\nc\",2\n3\n", false),
           "[1|a\nb\r\nc|2][3]", "a field over lines keeps them");
    is_str(rows_of(DL_SPLIT_CSV, "5\" pipe,b\"c\n", false), "[5\" pipe|b\"c]",
           "a mark within a field is a character");
    is_str(rows_of(DL_SPLIT_CSV, "1,\"a\"b,2\n3,4\n", false),
           "!1,\"a\"b,2![3|4]", "text behind a closing mark breaks its row");
    is_str(rows_of(DL_SPLIT_CSV, "1,\"a\n2,3\n", false), "",
           "a mark that is not closed waits");
    is_str(rows_of(DL_SPLIT_CSV, "1,\"a\n2,3\n", true), "!1,\"a![2|3]",
           "... and breaks its line alone when the text ends");
    is_str(rows_of(DL_SPLIT_CSV, "a,b", false), "", "half a row waits");
    is_str(rows_of(DL_SPLIT_CSV, "\"a\",b\r", true), "[a|b]",
           "a carriage return ends the last row, too");
    is_str(rows_of(DL_SPLIT_CSV, "\"a\",\"b\"", true), "[a|b]",
           "a last row needs no line end");
    cells.separator = '\t';
    is_str(rows_of(DL_SPLIT_CSV, "a,b\t\"c\td\"\n", false), "[a,b|c\td]",
           "any separator");
    cells.separator = ',';
}

static void test_json(void)
{
    is_str(
        rows_of(DL_SPLIT_JSON, " [ {\"a\":1}, {\"b\":[{},2]}\n,{}\n] ", false),
        "[{\"a\":1}][{\"b\":[{},2]}][{}]", "objects of an array");
    is_str(rows_of(DL_SPLIT_JSON, "{\"a\":\"}\\\"{\"}\n{\n \"b\": 2\n}", false),
           "[{\"a\":\"}\\\"{\"}][{\n \"b\": 2\n}]",
           "objects one after another; braces in strings are characters");
    is_str(rows_of(DL_SPLIT_JSON, "[1, {\"a\":1}, \"x\", null]", false),
           "[1][{\"a\":1}][\"x\"][null]", "what is no object is a row, too");
    is_str(rows_of(DL_SPLIT_JSON, "[{\"a\":1},{\"b\":", false), "[{\"a\":1}]",
           "half an object waits");
    is_str(rows_of(DL_SPLIT_JSON, "[{\"a\":1},{\"b\":", true),
           "[{\"a\":1}]!{\"b\":!", "... and is broken when the text ends");
}

/* N bytes of C and then REST. */
static const char *long_text(char c, size_t n, const char *rest)
{
    size_t more = strlen(rest);
    char *text = apr_palloc(pool, n + more + 1);

    memset(text, c, n);
    memcpy(text + n, rest, more + 1);
    return text;
}

static void test_long(void)
{
    const char *text = long_text('x', DL_SPLIT_MAX + 10, "\nb\n");
    dl_split_input input = {text, strlen(text), false};
    dl_split_row row;
    size_t used;
    uint64_t lines;

    ok(dl_split_next(&row, &cells, DL_SPLIT_LINES, &input) && row.cut &&
           row.broken != NULL && row.len == DL_SPLIT_MAX,
       "a line that is too long is cut and broken");
    input.text += row.used;
    input.len -= row.used;
    ok(dl_split_skip(&used, &lines, DL_SPLIT_LINES, &input),
       "the rest of it is passed over");
    is_int((long long)used, 11, "... to behind its line end");
    is_int((long long)lines, 1, "... which is one line");
    input.text += used;
    input.len -= used;
    ok(dl_split_next(&row, &cells, DL_SPLIT_LINES, &input) && row.len == 1,
       "the next line is good");
    text = long_text('x', DL_SPLIT_MAX, "\nb\n");
    input = (dl_split_input){text, strlen(text), false};
    ok(dl_split_next(&row, &cells, DL_SPLIT_LINES, &input) && !row.cut &&
           row.len == DL_SPLIT_MAX,
       "one of just that length is not");
}

static void test_long_json(void)
{
    const char *text = apr_pstrcat(
        pool, "{\"a\":\"",
        long_text('x', DL_SPLIT_MAX, "\n ,\"b\":{\n}},\n  {\"c\":1}\n"), NULL);
    dl_split_input input = {text, strlen(text), true};
    dl_split_row row;
    size_t used;
    uint64_t lines;

    ok(dl_split_next(&row, &cells, DL_SPLIT_JSON, &input) && row.cut,
       "an object that is too long is cut");
    input.text += row.used;
    input.len -= row.used;
    ok(dl_split_skip(&used, &lines, DL_SPLIT_JSON, &input),
       "the rest of it is passed over");
    is_int((long long)lines, 3, "... to the line that begins with an object");
    input.text += used;
    input.len -= used;
    ok(dl_split_next(&row, &cells, DL_SPLIT_JSON, &input) &&
           row.len == strlen("{\"c\":1}") && row.broken == NULL,
       "which is good");
}

static void test_lines_counted(void)
{
    const char *text = "\n\n1,\"a\nb\"\n2\n";
    dl_split_input input = {text, strlen(text), false};
    dl_split_row row;

    ok(dl_split_next(&row, &cells, DL_SPLIT_CSV, &input), "a row over lines");
    is_int((long long)row.before, 2, "line ends before it");
    is_int((long long)row.lines, 4, "line ends up to its end");
}

int main(void)
{
    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return EXIT_FAILURE;
    }
    dl_split_cells_create(&cells, ',', pool);
    test_lines();
    test_csv();
    test_json();
    test_long();
    test_long_json();
    test_lines_counted();
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
