/* test_header.c - Values of headers, and rows of answers.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_header.h"
#include "mdl_rows.h"

#include "tap.h"

static void test_tags(void)
{
    ok(mdl_header_names_tag("\"a\"", "\"a\""), "a tag names itself");
    ok(mdl_header_names_tag("W/\"a\"", "\"a\""), "a weak one, too");
    ok(mdl_header_names_tag("*", "\"a\""), "* names everything");
    ok(mdl_header_names_tag("\"x\" , W/\"y\",\"a\"", "\"a\""),
       "one of a list is found");
    ok(!mdl_header_names_tag("\"x\", \"y\"", "\"a\""), "none is not");
    ok(!mdl_header_names_tag("\"xa\"", "\"a\""), "the end is not the whole");
    ok(!mdl_header_names_tag("\"ab\"", "\"a\""), "nor is the beginning");
    ok(!mdl_header_names_tag("a", "\"a\""), "quotes belong to it");
    ok(!mdl_header_names_tag("\"x,\"a\"", "\"a\""),
       "a comma in a tag parts nothing");
    ok(!mdl_header_names_tag("", "\"a\""), "an empty list names nothing");
    ok(!mdl_header_names_tag(",,, ,", "\"a\""), "nor do commas");
    ok(!mdl_header_names_tag("W/", "\"a\""), "nor does half a weak tag");
    ok(!mdl_header_names_tag("\"", "\"a\""), "nor half a tag");
    ok(mdl_header_names_tag_strongly("\"x\", \"a\"", "\"a\""),
       "a strong tag names itself");
    ok(!mdl_header_names_tag_strongly("W/\"a\"", "\"a\""),
       "a weak one does not where strong ones count");
    ok(mdl_header_names_tag_strongly("*", "\"a\""), "* does");
}

static void test_preferences(void)
{
    ok(mdl_header_prefers("handling=lenient", "handling=lenient"), "alone");
    ok(mdl_header_prefers("a=1;b, HANDLING=Lenient ;x", "handling=lenient"),
       "among others, in any case");
    ok(!mdl_header_prefers("handling=lenientish", "handling=lenient"),
       "not the beginning of another");
    ok(!mdl_header_prefers("xhandling=lenient", "handling=lenient"),
       "nor the end");
    ok(!mdl_header_prefers("", "handling=lenient"), "nor in nothing");
}

static void test_keys(void)
{
    char key[257];

    memset(key, 'k', sizeof key);
    key[256] = '\0';
    ok(!mdl_header_is_key(key), "256 characters are no key");
    key[255] = '\0';
    ok(mdl_header_is_key(key), "255 are");
    ok(mdl_header_is_key("!"), "one is");
    ok(!mdl_header_is_key(""), "none is not");
    ok(!mdl_header_is_key("a b"), "nor with a space");
    ok(!mdl_header_is_key("\x7F"), "nor with a control character");
    ok(!mdl_header_is_key("\xC3\xA9"), "nor beyond ASCII");
}

static void test_origins(void)
{
    ok(mdl_header_is_origin("https://app.example.org"), "scheme and host");
    ok(mdl_header_is_origin("http://localhost:3000"), "with a port");
    ok(mdl_header_is_origin("http://127.0.0.1:1"), "an address");
    ok(mdl_header_is_origin("http://[::1]:8080"), "an IPv6 address");
    ok(!mdl_header_is_origin("*"), "no wildcard");
    ok(!mdl_header_is_origin("null"), "not null");
    ok(!mdl_header_is_origin("https://*.example.org"), "no wildcard in it");
    ok(!mdl_header_is_origin("https://a.example/"), "no path");
    ok(!mdl_header_is_origin("https://u@a.example"), "no user");
    ok(!mdl_header_is_origin("https://A.example"), "no upper case");
    ok(!mdl_header_is_origin("HTTPS://a.example"), "not in the scheme either");
    ok(!mdl_header_is_origin("https://a.example:443"), "not the own port");
    ok(!mdl_header_is_origin("http://a.example:80"), "of either scheme");
    ok(mdl_header_is_origin("http://a.example:443"), "but the other's");
    ok(!mdl_header_is_origin("http://a.example:"), "no empty port");
    ok(!mdl_header_is_origin("http://a.example:123456"), "no long one");
    ok(!mdl_header_is_origin("http://a.example:080"),
       "none with a zero before");
    ok(!mdl_header_is_origin("http://a.example:1x"), "nor with a letter");
    ok(!mdl_header_is_origin("https://"), "a host there must be");
    ok(!mdl_header_is_origin("://a.example"), "and a scheme");
    ok(!mdl_header_is_origin("http://[::1"), "a bracket is closed");
    ok(!mdl_header_is_origin("http://[]"), "and not empty");
    ok(!mdl_header_is_origin(""), "nothing is none");
}

static uint64_t rows(const char *json)
{
    return mdl_rows_in_json(json, strlen(json));
}

static void test_rows(void)
{
    is_int((long long)rows("[]"), 0, "an empty list has no rows");
    is_int((long long)rows("[1]"), 1, "one");
    is_int((long long)rows("[\"a,b\",\"]\",\"\\\"[\"]"), 3,
           "strings are one each, whatever is in them");
    is_int((long long)rows("[{\"a\":[1,2,3]},{},[4,5]]"), 3,
           "what is inside of a row is not counted");
    is_int((long long)rows("{\"a\":[1,2],\"next_cursor\":null,\"b\":[3]}"), 3,
           "the lists of an object count together");
    is_int((long long)rows("{\"a\":{\"b\":[1,2]},\"c\":[]}"), 0,
           "lists deeper inside do not");
    is_int((long long)rows("{\"total\":1,\"x\":2}"), 0, "an object is no row");
    is_int((long long)rows(""), 0, "nothing has none");
    is_int((long long)mdl_rows_in_lines("a\nb\n", 4), 2, "lines are counted");
    is_int((long long)mdl_rows_in_lines("a\nb", 3), 1, "by their ends");
    is_int((long long)mdl_rows_in_lines("", 0), 0, "an empty text has none");
}

int main(void)
{
    test_tags();
    test_preferences();
    test_keys();
    test_origins();
    test_rows();
    return done();
}
