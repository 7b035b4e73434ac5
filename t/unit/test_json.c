/* test_json.c - The canonical line, what is picked out, and the bounds.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_json.h"

#include "tap.h"

#include <stdlib.h>

#include <apr_general.h>

static apr_pool_t *pool;
static char scratch[DL_JSON_MAX_BYTES + 1 + DL_JSON_SLACK];
static dl_json_result result;
static dl_json_slice slots[8];
static const dl_json_shape *shape;

static const char *const paths[] = {
    "a", "b.c", "b.d", "b", "deep.er.still", "a_rather_long_member_name_of_40"};

static dl_json_fault scan(const char *text)
{
    return dl_json_scan(&result, slots, shape, scratch, text, strlen(text));
}

/* The canonical line of TEXT. */
static const char *line(const char *text)
{
    static char copy[500];

    if (scan(text) != DL_JSON_FINE) {
        return result.reason;
    }
    snprintf(copy, sizeof copy, "%.*s", (int)result.line_len, result.line);
    return copy;
}

/* Slot N as text. */
static const char *slot(int n)
{
    static char copy[200];

    if (slots[n].kind == DL_JSON_ABSENT) {
        return "(absent)";
    }
    snprintf(copy, sizeof copy, "%.*s", (int)slots[n].len, slots[n].text);
    return copy;
}

/* Slot N without its escapes. */
static const char *plain(int n)
{
    static char copy[200];

    copy[dl_json_unescape(copy, slots[n])] = '\0';
    return copy;
}

static void test_white_space(void)
{
    is_str(line(" { \"x\" : [ 1 , 2 ] , \"y\" : { } } \n"),
           "{\"x\":[1,2],\"y\":{}}", "white space outside strings goes");
    is_str(line("{\"x\":\" a  b \"}"), "{\"x\":\" a  b \"}",
           "white space in strings stays");
    is_str(line("{\n\t\"one\": 1.50,\r\n\t\"two\": \"x\"\r\n}\r\n"),
           "{\"one\":1.50,\"two\":\"x\"}", "lines become one line");
    scan("{\"x\":1}");
    ok(result.line != scratch, "a canonical text is not copied");
    scan("  {\"x\":1}\n");
    ok(result.line != scratch, "nor one with white space around it");
    is_int(result.line_len, 7, "... which is left out");
    scan("{\"x\\n\":\"\\n\"}");
    ok(result.line != scratch, "nor one with escapes that stay");
    scan("{\"x\": 1}");
    ok(result.line == scratch, "white space inside makes a copy");
}

static void test_escapes(void)
{
    is_str(line("{\"x\":\"\\u00e9\\u20ac\\uD83D\\uDE00\"}"),
           "{\"x\":\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"}",
           "printable characters become UTF-8");
    is_str(line("{\"x\":\"\\u0041\\u0020\\u007e\\u002f\"}"), "{\"x\":\"A ~/\"}",
           "ASCII, too");
    is_str(line("{\"x\":\"\\u0000\\u001F\\u007f\\u009F\"}"),
           "{\"x\":\"\\u0000\\u001F\\u007f\\u009F\"}",
           "controls stay as they came");
    is_str(line("{\"x\":\"\\u0022\\u005c\\u005C\"}"),
           "{\"x\":\"\\u0022\\u005c\\u005C\"}",
           "quotation mark and backslash stay");
    is_str(line("{\"x\":\"\\n\\t\\/\\\"\\\\\"}"),
           "{\"x\":\"\\n\\t\\/\\\"\\\\\"}", "short escapes stay");
    is_str(line("{\"x\":\"\\u00ad\\u200b\\u200F\\u2028\\u202e\\u2060\\u206f"
                "\\ufeff\\ufff0\\ufffb\"}"),
           "{\"x\":\"\\u00ad\\u200b\\u200F\\u2028\\u202e\\u2060\\u206f"
           "\\ufeff\\ufff0\\ufffb\"}",
           "invisible characters stay escaped");
    is_str(line("{\"x\":\"\\ufdd0\\ufffe\\uffff\\ud83f\\udffe\"}"),
           "{\"x\":\"\\ufdd0\\ufffe\\uffff\\ud83f\\udffe\"}",
           "noncharacters stay escaped");
    is_str(line("{\"x\":\"\\u00a0\\u00ae\\u200a\\u2010\\u2027\\u202f\\u205f"
                "\\u2070\\ufffc\\ufffd\\ue000\"}"),
           "{\"x\":\"\xC2\xA0\xC2\xAE\xE2\x80\x8A\xE2\x80\x90\xE2\x80\xA7"
           "\xE2\x80\xAF\xE2\x81\x9F\xE2\x81\xB0\xEF\xBF\xBC\xEF\xBF\xBD"
           "\xEE\x80\x80\"}",
           "their neighbours become UTF-8");
    is_str(line("{\"\\u0078\":1}"), "{\"x\":1}", "names are strings, too");
    is_str(line("{\"x\":\"\xE2\x80\xA8\"}"), "{\"x\":\"\xE2\x80\xA8\"}",
           "what came as UTF-8 stays");
}

static void test_slots(void)
{
    scan("{\"a\":\"x\",\"b\":{\"c\":1.50,\"d\":null,\"e\":2},\"deep\":{\"er\":"
         "{\"still\":true}},\"a_rather_long_member_name_of_40\":[1, 2]}");
    is_str(slot(0), "x", "a string, without quotes");
    is_int(slots[0].kind, DL_JSON_STRING, "... and its kind");
    is_str(slot(1), "1.50", "a number, as received");
    is_int(slots[2].kind, DL_JSON_NULL, "null");
    is_str(slot(3), "{\"c\":1.50,\"d\":null,\"e\":2}", "an object itself");
    is_int(slots[4].kind, DL_JSON_TRUE, "three levels down");
    is_str(slot(5), "[1,2]", "an array, in its canonical form");
    scan("{\"z\":0,\"b\":{\"d\":\"y\"},\"a\":false}");
    is_int(slots[0].kind, DL_JSON_FALSE, "in another order");
    is_str(slot(1), "(absent)", "a member that is not there");
    is_str(slot(2), "y", "its neighbour");
    scan("{\"b\":[{\"c\":1}],\"c\":2,\"aa\":3,\"A\":4}");
    is_str(slot(1), "(absent)", "arrays are not reached into");
    is_str(slot(0), "(absent)", "names are compared whole, with case");
    scan("{\"\\u0061\" : \"q\"}");
    is_str(slot(0), "q", "an escaped name is the same name");
    scan("{ \"x\":  0, \"a\" :\"\\u00e9\" , \"b\":{ \"c\" : \"z\" } }");
    is_str(slot(0), "\xC3\xA9", "slots lie in the canonical line");
    is_int(slots[0].escaped, 0, "... where nothing is escaped any more");
    is_str(slot(1), "z", "... behind many changes");
}

static void test_duplicates(void)
{
    is_str(line("{\"a\":1,\"a\":2}"), "{\"a\":1,\"a\":2}",
           "duplicates stay in the line");
    is_str(slot(0), "2", "the last one counts");
    scan("{\"b\":{\"c\":1},\"b\":{\"d\":2}}");
    is_str(slot(1), "(absent)", "... with everything under it");
    is_str(slot(2), "2", "... and nothing else");
    scan("{\"b\":{\"c\":1},\"b\":5}");
    is_str(slot(1), "(absent)", "also when it is no object");
}

static void test_unescape(void)
{
    scan("{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\\ud83f\\udffex\"}");
    is_str(plain(0), "\"\\/\b\f\n\r\t\x01\x1f\xF0\x9F\xBF\xBEx",
           "every escape that can stay is decoded");
    is_int(slots[0].escaped, 1, "the slot says that there are some");
    is_int((long long)dl_json_count_chars("a\xC3\xA9\xE2\x82\xAC"
                                          "\xF0\x9F\x98\x80",
                                          10),
           4, "characters are counted, not bytes");
}

/* Scan DEPTH arrays inside an object. */
static dl_json_fault scan_depth(int depth)
{
    static char text[300];

    snprintf(
        text, sizeof text, "{\"x\":%.*s%.*s}", depth - 1,
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
        depth - 1,
        "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
    return scan(text);
}

/* Scan an array of N zeros in an object: N + 2 values. */
static dl_json_fault scan_values(int n)
{
    static char text[30000];
    size_t used = 0;

    used += (size_t)snprintf(text, sizeof text, "{\"x\":[0");
    for (int i = 1; i < n; i++) {
        text[used++] = ',';
        text[used++] = '0';
    }
    memcpy(text + used, "]}", 3);
    return scan(text);
}

static void test_bounds(void)
{
    is_int(scan_depth(64), DL_JSON_FINE, "64 levels are taken");
    is_int(scan_depth(65), DL_JSON_TOO_BIG, "65 are not");
    is_int(scan_values(9998), DL_JSON_FINE, "10,000 values are taken");
    is_int(scan_values(9999), DL_JSON_TOO_BIG, "10,001 are not");
    is_int(dl_json_scan(&result, slots, shape, scratch, NULL, 0),
           DL_JSON_SYNTAX, "no text at all");
}

static void test_reasons(void)
{
    scan("{\"x\":1,}");
    is_str(result.reason, "a member name is missing", "a reason");
    is_int(result.offset, 7, "... and its byte");
    scan("{\"x\" 1}");
    is_str(result.reason, "':' is missing", "a missing colon");
    scan("{\"x\":1");
    is_str(result.reason, "the text ends too early", "a cut-off text");
    is_int(result.offset, 6, "... at its end");
    scan("{\"x\":\"\\q\"}");
    is_str(result.reason, "an unknown escape", "an escape");
    is_int(result.offset, 6, "... where it begins");
    scan("[{}]");
    is_str(result.reason, "the value is not an object", "an array");
    scan("{\"x\":\"\xC3(\"}");
    is_str(result.reason, "a byte that is not UTF-8", "bad UTF-8");
    is_int(result.offset, 6, "... at the character");
}

static void test_shapes(void)
{
    static const char *const twice[] = {"a", "b", "a"};
    static const char *const empty[] = {""};
    static const char *const gap[] = {"a..b"};
    static const char *const quote[] = {"a\"b"};
    static const char *const last[] = {"a."};
    const dl_json_shape *other;
    dl_error err = {0};

    is_int(dl_json_shape_create(&other, twice, 3, &err, pool), DL_INVALID,
           "a path twice is refused");
    is_str(err.text, "path 'a' is there twice", "... and named");
    is_int(dl_json_shape_create(&other, empty, 1, &err, pool), DL_INVALID,
           "an empty path is refused");
    is_int(dl_json_shape_create(&other, gap, 1, &err, pool), DL_INVALID,
           "an empty name is refused");
    is_int(dl_json_shape_create(&other, last, 1, &err, pool), DL_INVALID,
           "... at the end, too");
    is_int(dl_json_shape_create(&other, quote, 1, &err, pool), DL_INVALID,
           "a quotation mark is refused");
    is_int(dl_json_shape_create(&other, NULL, 0, &err, pool), DL_OK,
           "no path at all is a shape");
    is_int(
        dl_json_scan(&result, slots, other, scratch, "{\"a\":{\"b\":1}}", 13),
        DL_JSON_FINE, "... that scans");
}

int main(void)
{
    dl_error err;

    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS ||
        dl_json_shape_create(&shape, paths, 6, &err, pool) != DL_OK) {
        return EXIT_FAILURE;
    }
    test_white_space();
    test_escapes();
    test_slots();
    test_duplicates();
    test_unescape();
    test_bounds();
    test_reasons();
    test_shapes();
    apr_terminate();
    return done();
}
