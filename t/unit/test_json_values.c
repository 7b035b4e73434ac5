/* test_json_values.c - The flat array of a body's values, and what is refused.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_json_values.h"

#include "tap.h"

#include <stdlib.h>

#include <apr_general.h>

static apr_pool_t *pool;
static dl_json_values values;

static dl_json_fault read_bytes(const char *text, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);
    dl_json_fault fault;

    /* A copy of the exact size, so that reading past it is seen. */
    memcpy(copy, text, len);
    fault = dl_json_values_read(&values, copy, len, pool);
    free(copy);
    return fault;
}

static dl_json_fault read_text(const char *text)
{
    return read_bytes(text, strlen(text));
}

/* The text of member NAME of the whole. */
static const char *member(const char *name)
{
    uint32_t i = dl_json_values_member(&values, 0, name);

    return i == 0 ? "(absent)" : values.values[i].text;
}

static void test_flat(void)
{
    is_int(read_text(" { \"a\" : 1 ,\n\"b\":[2,{\"c\":3}], \"d\":\"x\" } "),
           DL_JSON_FINE, "an object with everything in it is read");
    is_int(values.n, 7, "each value has a place");
    is_int(values.values[0].next, 7, "the whole ends behind the last");
    is_int(values.values[2].next, 6, "an array leads past what is in it");
    is_int(values.values[5].parent, 4, "a member knows its object");
    is_str(values.values[5].name, "c", "and its name");
    is_str(values.values[5].text, "3", "a number is its text");
    is_int(values.values[4].first, 20, "a value knows where it begins");
    is_int(values.values[4].end, 27, "and where it ends");
    is_str(member("d"), "x", "a member of the whole is found by name");
    is_int(dl_json_values_member(&values, 0, "c"), 0,
           "a member of something inside is not one of the whole");
    is_int(dl_json_values_member(&values, 4, "c"), 5,
           "but one of what it is in");
    is_int(read_text("{}"), DL_JSON_FINE, "an empty object is read");
    is_int(values.n, 1, "and is one value");
}

static void test_strings(void)
{
    read_text("{\"a\":\"\\u00e9\\n\\ud83d\\ude00\\/\",\"\\u0062\":\"\"}");
    is_str(member("a"), "\xC3\xA9\n\xF0\x9F\x98\x80/",
           "escapes are the characters they stand for");
    is_str(member("b"), "", "in names as well");
    read_text("{\"p\":\"a\\u0000b\"}");
    is_int(values.values[1].len, 3, "an escaped NUL counts");
    ok(memcmp(values.values[1].text, "a\0b", 4) == 0, "and is one byte");
    read_text("{\"x\":[true,false,null,-1.5e3,\"\\\\\"]}");
    is_int(values.values[2].kind, DL_JSON_TRUE, "true");
    is_int(values.values[3].kind, DL_JSON_FALSE, "false");
    is_int(values.values[4].kind, DL_JSON_NULL, "null");
    is_str(values.values[5].text, "-1.5e3", "a number with all its parts");
    is_str(values.values[6].text, "\\", "a backslash before the end");
}

static void test_doubles(void)
{
    char text[2000] = "{";
    size_t len = 1;

    is_int(read_text("{\"a\":1,\"b\":2,\"a\":3}"), DL_JSON_SYNTAX,
           "a name that comes twice is refused");
    is_int(values.offset, 13, "where it comes again");
    is_str(values.reason, "a member name comes twice", "with its reason");
    is_int(read_text("{\"a\":1,\"\\u0061\":2}"), DL_JSON_SYNTAX,
           "however it is written");
    is_int(read_text("{\"a\":{\"a\":{\"a\":[{\"a\":1},{\"a\":1}]}}}"),
           DL_JSON_FINE, "in different objects it may come again");
    is_int(read_text("{\"x\":{\"a\":1,\"a\":1}}"), DL_JSON_SYNTAX,
           "an object inside is looked at, too");
    for (int i = 0; i < 100; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "\"m%d\":%d,", i,
                                i);
    }
    snprintf(text + len, sizeof text - len, "\"z\":1}");
    is_int(read_text(text), DL_JSON_FINE, "a hundred names are read");
    snprintf(text + len, sizeof text - len, "\"m7\":1,\"m3\":1}");
    is_int(read_text(text), DL_JSON_SYNTAX, "one of them twice is refused");
    is_int(values.offset, (long long)len, "at the first that comes again");
}

static void test_faults(void)
{
    char deep[300];

    is_int(read_text(""), DL_JSON_SYNTAX, "nothing is no JSON");
    is_int(read_text("{\"a\":1"), DL_JSON_SYNTAX, "a cut-off text is refused");
    is_int(values.offset, 6, "at its end");
    is_int(read_text("\xEF\xBB\xBF{}"), DL_JSON_SYNTAX,
           "a byte order mark is refused");
    is_int(read_bytes("{\"a\":\"\0\"}", 9), DL_JSON_SYNTAX, "a NUL is refused");
    is_int(read_text("{\"a\":\"\\ud800\"}"), DL_JSON_ENCODING,
           "a lone surrogate is refused");
    is_int(read_text("{\"a\":NaN}"), DL_JSON_SYNTAX, "NaN is refused");
    is_int(read_text("[1]"), DL_JSON_NOT_OBJECT, "an array is no object");
    is_int(values.n, 0, "and has no values here");
    memset(deep, '[', 64);
    snprintf(deep, sizeof deep, "{\"a\":%.*s1%.*s}", 63,
             "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
             63,
             "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
    is_int(read_text(deep), DL_JSON_FINE, "64 levels are read");
    is_int(values.n, 65, "each with its place");
    is_int(values.values[64].parent, 63, "the innermost in the one around it");
}

/* An object whose one member is an array of N numbers. */
static dl_json_fault read_many(int n)
{
    size_t size = (size_t)n * 2 + 10;
    char *text = malloc(size);
    size_t len = (size_t)snprintf(text, size, "{\"a\":[");
    dl_json_fault fault;

    for (int i = 0; i < n; i++) {
        text[len++] = '1';
        text[len++] = i + 1 < n ? ',' : ']';
    }
    text[len++] = '}';
    fault = read_bytes(text, len);
    free(text);
    return fault;
}

static void test_bounds(void)
{
    is_int(read_many(9998), DL_JSON_FINE, "10,000 values are read");
    is_int(values.n, 10000, "all of them");
    is_int(read_many(9999), DL_JSON_TOO_BIG, "one more is refused");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_flat();
    test_strings();
    test_doubles();
    test_faults();
    test_bounds();
    apr_pool_destroy(pool);
    return done();
}
