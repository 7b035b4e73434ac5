/* test_json_write.c - What the appending writer writes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_json_write.h"

#include "tap.h"

#include <math.h>
#include <stdlib.h>

#include <apr_general.h>

static apr_pool_t *pool;
static dl_buf *buf;
static dl_json_writer w;

static void begin(void)
{
    buf->len = 0;
    dl_json_writer_begin(&w, buf);
}

/* What was written since begin. */
static const char *written(void)
{
    static char copy[1000];
    dl_error err = {0};

    if (dl_json_writer_finish(&w, &err) != DL_OK) {
        return "(failed)";
    }
    snprintf(copy, sizeof copy, "%.*s", (int)buf->len, buf->data);
    return copy;
}

static const char *number(double value, int digits)
{
    begin();
    dl_json_write_number(&w, value, digits);
    return written();
}

static const char *whole(int64_t value)
{
    begin();
    dl_json_write_int(&w, value);
    return written();
}

static const char *string(const char *text, size_t len)
{
    begin();
    dl_json_write_string(&w, text, len);
    return written();
}

static void test_structure(void)
{
    begin();
    dl_json_write_object_begin(&w);
    dl_json_write_key(&w, "a");
    dl_json_write_array_begin(&w);
    dl_json_write_int(&w, 1);
    dl_json_write_null(&w);
    dl_json_write_object_begin(&w);
    dl_json_write_object_end(&w);
    dl_json_write_array_begin(&w);
    dl_json_write_array_end(&w);
    dl_json_write_array_end(&w);
    dl_json_write_key(&w, "b");
    dl_json_write_bool(&w, true);
    dl_json_write_key(&w, "c");
    dl_json_write_raw(&w, "{\"x\":1}", 7);
    dl_json_write_key(&w, "d");
    dl_json_write_text(&w, NULL);
    dl_json_write_object_end(&w);
    is_str(written(),
           "{\"a\":[1,null,{},[]],\"b\":true,\"c\":{\"x\":1},\"d\":null}",
           "commas and colons stand where they must");
    begin();
    dl_json_write_array_begin(&w);
    dl_json_write_array_end(&w);
    is_str(written(), "[]", "an empty array");
}

/* 300 characters that stand as they are. */
static char letters[301];

static void test_strings(void)
{
    is_str(string("abc", 3), "\"abc\"", "plain text");
    is_str(string("a\"b\\c/", 6), "\"a\\\"b\\\\c/\"",
           "quotation mark and backslash");
    is_str(string("\b\t\n\v\f\r\x1f\0", 8),
           "\"\\b\\t\\n\\u000b\\f\\r\\u001f\\u0000\"", "controls");
    is_str(string("\xC3\xA9\x7f", 3), "\"\xC3\xA9\x7f\"",
           "UTF-8 stays, and delete");
    is_str(string("a\xFF\xC3", 3), "\"a\xEF\xBF\xBD\xEF\xBF\xBD\"",
           "what is not UTF-8 is replaced");
    is_str(string("", 0), "\"\"", "nothing");
}

/* Strings of every length around the writer's steps, with a mark, a control
 * and a character of two bytes at every place. */
static void test_places(void)
{
    static const char *const odd[] = {"\"", "\\", "\n", "\xC3\xA9"};
    static const char *const as[] = {"\\\"", "\\\\", "\\n", "\xC3\xA9"};
    size_t wrong = 0;

    for (size_t len = 1; len < 300; len++) {
        for (size_t at = 0; at < len * 4; at++) {
            char text[310];
            char wanted[320];
            size_t k = at % 4;
            int n;
            int m;

            n = snprintf(text, sizeof text, "%.*s%s%.*s", (int)(at / 4),
                         letters, odd[k], (int)(len - at / 4 - 1), letters);
            m = snprintf(wanted, sizeof wanted, "\"%.*s%s%.*s\"", (int)(at / 4),
                         letters, as[k], (int)(len - at / 4 - 1), letters);
            (void)string(text, (size_t)n);
            wrong += (size_t)m != buf->len ||
                             memcmp(wanted, buf->data, buf->len) != 0
                         ? 1
                         : 0;
        }
    }
    ok(wrong == 0, "a mark at any place of a string of any length");
}

static void test_numbers(void)
{
    dl_decimal d = {.units = 499000000000};

    is_str(whole(0), "0", "zero");
    is_str(whole(-12), "-12", "a negative number");
    is_str(whole(9007199254740992), "9007199254740992", "2^53 is a number");
    is_str(whole(9007199254740993), "\"9007199254740993\"",
           "2^53 + 1 is a string");
    is_str(whole(INT64_MIN), "\"-9223372036854775808\"", "the least number");
    is_str(number(0.5, 2), "0.5", "the shortest form");
    is_str(number(1, 2), "1.0", "at least one digit behind the point");
    is_str(number(2.5, 0), "3.0", "half away from zero");
    is_str(number(-2.5, 0), "-3.0", "... below it");
    is_str(number(0.125, 2), "0.13", "... behind the point");
    is_str(number(12.3456, 2), "12.35", "rounded to two digits");
    is_str(number(0.004, 2), "0.0", "rounded to nothing");
    is_str(number(-0.004, 2), "0.0", "... without a sign");
    is_str(number(100, 3), "100.0", "zeros before the point stay");
    is_str(number(1e17, 3), "100000000000000000.0", "a large number");
    is_str(number(NAN, 2), "null", "no number is null");
    is_str(number(INFINITY, 2), "null", "infinity is null");
    begin();
    dl_json_write_decimal(&w, d);
    is_str(written(), "49.90", "a decimal");
    begin();
    dl_json_write_decimal_text(&w, d);
    is_str(written(), "\"49.90\"", "a decimal as a string");
}

static void test_times(void)
{
    begin();
    dl_json_write_array_begin(&w);
    dl_json_write_time(&w, 1779096600000000);
    dl_json_write_time(&w, DL_TIME_NONE);
    dl_json_write_day(&w, 20591);
    dl_json_write_day(&w, DL_DAY_NONE);
    dl_json_write_array_end(&w);
    is_str(written(),
           "[\"2026-05-18T09:30:00.000000Z\",null,\"2026-05-18\",null]",
           "times and days");
}

static void test_bound(void)
{
    dl_buf *small = dl_buf_create(4, pool);
    dl_error err = {0};

    dl_json_writer_begin(&w, small);
    dl_json_write_text(&w, "abc");
    is_int(dl_json_writer_finish(&w, &err), DL_LIMIT,
           "the bound of the buffer is reported at the end");
    is_str(err.text, "the answer is longer than 4 bytes", "... with its size");
}

int main(void)
{
    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return EXIT_FAILURE;
    }
    buf = dl_buf_create(1000, pool);
    test_structure();
    memset(letters, 'x', sizeof letters - 1);
    test_strings();
    test_places();
    test_numbers();
    test_times();
    test_bound();
    apr_terminate();
    return done();
}
