/* fuzz_json.c - The scanner against a second parser, jansson.
 *
 * Both must take or refuse a text alike, picked out members must be equal,
 * and the canonical line must mean the same and be canonical.  Jansson also
 * refuses numbers past a double or 64 bits, NUL in a name, and more than our
 * depth it takes: those it cannot decide.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "dl_json.h"

const char *const fuzz_seeds[] = {
    "{\"a\":1,\"b\":{\"c\":\"x\",\"d\":[1,2.5e3,null]},\"e\":true}",
    "{ \"a\" : \"\\u00e9\\ud83d\\ude00\\n\\u0001\" , \"b\":{ } }",
    "{\"b\":{\"c\":1},\"b\":{\"d\":2},\"a\":false,\"a\":null}",
    "{\"a\":\"caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80 0123456789abcdef\"}",
    "[1,[2,[3,{\"a\":-0.0e-1}]]]",
    "{\"\\u0061\":\"\\\"\\\\\\/\\b\\f\\r\\t\",\"b\":{\"\\u0063\":0}}",
    NULL};

const char *const fuzz_words[] = {"\\u0000",
                                  "\\ud800",
                                  "\\udc00",
                                  "\\uffff",
                                  "\\u2028",
                                  "\\u",
                                  "\\",
                                  "\"",
                                  "{\"a\":",
                                  "[[[[[[",
                                  "]",
                                  "}",
                                  ",",
                                  ":",
                                  "1e400",
                                  "-",
                                  "0.",
                                  "01",
                                  "true",
                                  "nul",
                                  " ",
                                  "\n",
                                  "\x80",
                                  "\xC3",
                                  "\xED\xA0\x80",
                                  "\xEF\xBB\xBF",
                                  "\xF4\x90",
                                  "\"b\":{\"c\":",
                                  "\\u0022",
                                  NULL};

static const char *const paths[] = {"a", "b.c", "b", "e"};

/* Whether slot S is what jansson found: VALUE, or NULL. */
static void compare(dl_json_slice s, const json_t *value)
{
    char *text;
    size_t len;

    if (value == NULL) {
        fuzz_check(s.kind == DL_JSON_ABSENT, "an absent member is absent");
        return;
    }
    switch (json_typeof(value)) {
    case JSON_STRING:
        fuzz_check(s.kind == DL_JSON_STRING, "a string is one");
        text = malloc(s.len + 1);
        len = dl_json_unescape(text, s);
        fuzz_check(len == json_string_length(value) &&
                       memcmp(text, json_string_value(value), len) == 0,
                   "its characters are equal");
        free(text);
        return;
    case JSON_OBJECT:
        fuzz_check(s.kind == DL_JSON_OBJECT, "an object is one");
        return;
    case JSON_ARRAY:
        fuzz_check(s.kind == DL_JSON_ARRAY, "an array is one");
        return;
    case JSON_INTEGER:
    case JSON_REAL:
        fuzz_check(s.kind == DL_JSON_NUMBER, "a number is one");
        return;
    case JSON_TRUE:
        fuzz_check(s.kind == DL_JSON_TRUE, "true is true");
        return;
    case JSON_FALSE:
        fuzz_check(s.kind == DL_JSON_FALSE, "false is false");
        return;
    case JSON_NULL:
        fuzz_check(s.kind == DL_JSON_NULL, "null is null");
        return;
    }
}

/* Check the line of a text that was taken; ROOT is what jansson made of the
 * text. */
static void check_line(const dl_json_result *result, const dl_json_shape *shape,
                       const json_t *root)
{
    char *scratch = malloc(result->line_len + DL_JSON_SLACK);
    char *line = malloc(result->line_len);
    dl_json_slice slots[4];
    dl_json_result again;
    json_error_t error;
    json_t *same;

    memcpy(line, result->line, result->line_len);
    fuzz_check(dl_json_scan(&again, slots, shape, scratch, line,
                            result->line_len) == DL_JSON_FINE,
               "the line is taken");
    fuzz_check(again.line == line && again.line_len == result->line_len,
               "the line is canonical");
    fuzz_check(memchr(line, '\n', result->line_len) == NULL,
               "the line is one line");
    same = json_loadb(line, result->line_len,
                      JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
    fuzz_check(same != NULL && json_equal(root, same) == 1,
               "the line means the same");
    json_decref(same);
    free(line);
    free(scratch);
}

static void compare_all(const dl_json_slice *slots, const json_t *root)
{
    const json_t *b = json_object_get(root, "b");

    compare(slots[0], json_object_get(root, "a"));
    compare(slots[1], json_object_get(b, "c"));
    compare(slots[2], b);
    compare(slots[3], json_object_get(root, "e"));
}

/* Whether jansson's refusal says nothing about ours. */
static bool undecided(const json_error_t *error)
{
    enum json_error_code code = json_error_code(error);

    return code == json_error_numeric_overflow ||
           code == json_error_null_byte_in_key ||
           code == json_error_out_of_memory;
}

void fuzz_one(const unsigned char *data, size_t len, apr_pool_t *pool)
{
    const dl_json_shape *shape;
    dl_json_slice slots[4];
    dl_json_result result;
    dl_json_fault fault;
    json_error_t error = {0};
    json_t *root = json_loadb(
        (const char *)data, len,
        JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL | JSON_DECODE_ANY, &error);
    char *scratch = malloc(len + DL_JSON_SLACK);

    fuzz_check(dl_json_shape_create(&shape, paths, 4, NULL, pool) == DL_OK,
               "the shape is made");
    fault =
        dl_json_scan(&result, slots, shape, scratch, (const char *)data, len);
    fuzz_check(fault == DL_JSON_FINE || result.offset <= len,
               "a mistake lies in the text");
    if (memchr(data, 0, len) != NULL) {
        /* Jansson takes a NUL behind a text for its end. */
        fuzz_check(fault != DL_JSON_FINE && fault != DL_JSON_NOT_OBJECT,
                   "a NUL is never JSON");
        json_decref(root);
        root = NULL;
    }
    else if (root == NULL && !undecided(&error)) {
        fuzz_check(fault != DL_JSON_FINE, "refused by both");
        fuzz_check(fault != DL_JSON_NOT_OBJECT, "not even JSON for both");
    }
    if (root != NULL && fault != DL_JSON_TOO_BIG) {
        fuzz_check(
            fault == (json_is_object(root) ? DL_JSON_FINE : DL_JSON_NOT_OBJECT),
            "taken by both");
    }
    if (root != NULL && fault == DL_JSON_FINE) {
        compare_all(slots, root);
        check_line(&result, shape, root);
    }
    json_decref(root);
    free(scratch);
}
