/* test_query.c - Filters, columns and order over stored lines.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_query.h"

#include <apr_general.h>

#include "tap.h"

static apr_pool_t *pool;
static const dl_dataset *typed;
static const dl_dataset *untyped;

static const char DECLARATION[] =
    "{\"dataset\":\"sale\",\"description\":\"Sales.\","
    "\"topic\":{\"key\":\"id\",\"partitions\":1,\"retention_days\":7},"
    "\"event_time\":{\"member\":\"at\",\"formats\":[\"unix\",\"rfc3339\"]},"
    "\"fields\":["
    "{\"member\":\"id\",\"type\":\"str\",\"required\":true},"
    "{\"member\":\"at\",\"type\":\"time\"},"
    "{\"member\":[\"name\",\"old_name\"],\"type\":\"str\"},"
    "{\"member\":\"amount\",\"type\":\"dec\"},"
    "{\"member\":\"n\",\"type\":\"int\"},"
    "{\"member\":\"paid\",\"type\":\"bool\"},"
    "{\"member\":\"due\",\"type\":\"date\"},"
    "{\"member\":\"place.city\",\"type\":\"str\"}]}";

/* Whether LINE of DS matches PATH OP VALUE; -1: the filter is refused. */
static int match(const dl_dataset *ds, const char *path, dl_query_op op,
                 const char *value, const char *line)
{
    dl_query_fault fault;
    dl_query *query;
    dl_error err;

    dl_query_create(&query, ds, pool);
    if (dl_query_filter(query, path, op, value, strlen(value), &fault) !=
            DL_OK ||
        dl_query_prepare(query, &err) != DL_OK) {
        return -1;
    }
    return dl_query_match(query, line, strlen(line)) ? 1 : 0;
}

/* The code with which PATH OP VALUE is refused. */
static const char *fault(const char *path, dl_query_op op, const char *value)
{
    static dl_query_fault found;
    dl_query *query;

    dl_query_create(&query, typed, pool);
    return dl_query_filter(query, path, op, value, strlen(value), &found) ==
                   DL_OK
               ? "fine"
               : found.code;
}

static void test_numbers(void)
{
    const char *line = "{\"id\":\"a\",\"amount\":49.90,\"n\":\"7\"}";

    is_int(match(typed, "amount", DL_QUERY_EQ, "49.9", line), 1,
           "a decimal equals itself however it is written");
    is_int(match(typed, "amount", DL_QUERY_GT, "49.8999999999999999999", line),
           1, "and is told from one that differs far behind the point");
    is_int(match(typed, "amount", DL_QUERY_LT, "49.9", line), 0,
           "it is not less than itself");
    is_int(match(typed, "amount", DL_QUERY_LTE, "4.99e1", line), 1,
           "exponents are read");
    is_int(match(typed, "n", DL_QUERY_EQ, "7", line), 1,
           "a number in a string is a number");
    is_int(match(typed, "amount", DL_QUERY_IN, "1,49.9,3", line), 1,
           "one of a list is enough");
    is_int(match(typed, "amount", DL_QUERY_NE, "49.90", line), 0,
           "what is equal is not unequal");
    is_str(fault("amount", DL_QUERY_EQ, "abc"), "not-a-number",
           "a word is no number");
    is_str(fault("amount", DL_QUERY_EQ, "1e400"), "out-of-range",
           "nor what no double holds");
    is_str(fault("amount", DL_QUERY_IN, "1,-1e400"), "out-of-range",
           "in a list neither");
    is_str(fault("amount", DL_QUERY_IN, "1,,2"), "empty",
           "nor is an empty item");
    is_str(fault("amount", DL_QUERY_CONTAINS, "4"), "not-a-text",
           "a number contains nothing");
}

static void test_texts(void)
{
    const char *line = "{\"id\":\"a\",\"name\":\"Caf\xC3\xA9 \\\"X\\\"\","
                       "\"place\":{\"city\":\"Paris\"}}";
    const char *old = "{\"id\":\"a\",\"name\":null,\"old_name\":\"Tea\"}";

    is_int(match(typed, "place.city", DL_QUERY_EQ, "Paris", line), 1,
           "a dotted path leads inside");
    is_int(match(typed, "place.city", DL_QUERY_EQ, "paris", line), 0,
           "equality knows case");
    is_int(match(typed, "place.city", DL_QUERY_CONTAINS, "ARI", line), 1,
           "contains does not");
    is_int(match(typed, "name", DL_QUERY_EQ, "Caf\xC3\xA9 \"X\"", line), 1,
           "escapes are what they stand for");
    is_int(match(typed, "name", DL_QUERY_CONTAINS, "\xC3\x89 \"x", line), 1,
           "also for contains");
    is_int(match(typed, "name", DL_QUERY_EQ, "Tea", old), 1,
           "an alternate stands in for a null");
    is_int(match(typed, "name", DL_QUERY_GT, "Cafe", line), 1,
           "texts are ordered by code point");
    is_str(fault("colour", DL_QUERY_EQ, "red"), "unknown-field",
           "an undeclared field is unknown");
    is_str(fault("place", DL_QUERY_EQ, "x"), "unknown-field",
           "so is the object around one");
}

static void test_times(void)
{
    const char *line = "{\"id\":\"a\",\"at\":1779096600.5,"
                       "\"due\":\"2026-05-18\",\"paid\":true}";

    is_int(
        match(typed, "at", DL_QUERY_EQ, "2026-05-18T11:30:00.500+02:00", line),
        1, "an instant equals itself in any zone");
    is_int(match(typed, "at", DL_QUERY_GTE, "2026-05-18", line), 1,
           "a date is its first instant");
    is_int(match(typed, "at", DL_QUERY_LT, "2026-05-18", line), 0,
           "so nothing of that day lies before it");
    is_int(match(typed, "at", DL_QUERY_LTE, "2026-05-18", line), 1,
           "as an upper bound it takes the day in");
    is_int(match(typed, "at", DL_QUERY_GT, "1779096600", line), 1,
           "unix seconds are read");
    is_int(match(typed, "at", DL_QUERY_EQ, "1779096600500", line), 1,
           "and milliseconds");
    is_int(match(typed, "due", DL_QUERY_EQ, "2026-05-18", line), 1,
           "a date is a date");
    is_int(match(typed, "paid", DL_QUERY_EQ, "true", line), 1, "true is true");
    is_int(match(typed, "paid", DL_QUERY_NE, "false", line), 1,
           "and not false");
    is_str(fault("at", DL_QUERY_GT, "2026-05-18T09:30:00"), "time-zone-missing",
           "a time without zone is refused");
    is_str(fault("at", DL_QUERY_GT, "noon"), "not-a-time", "and a word");
    is_str(fault("paid", DL_QUERY_EQ, "yes"), "not-a-boolean",
           "yes is not true");
    is_str(fault("paid", DL_QUERY_GT, "true"), "no-order",
           "truth has no order");
}

static void test_absent(void)
{
    const char *line = "{\"id\":\"a\",\"n\":null,\"amount\":\"dear\"}";

    is_int(match(typed, "n", DL_QUERY_NE, "1", line), 1, "null is unequal");
    is_int(match(typed, "n", DL_QUERY_LT, "1", line), 0, "and nothing else");
    is_int(match(typed, "due", DL_QUERY_NE, "2026-05-18", line), 1,
           "so is what is missing");
    is_int(match(typed, "amount", DL_QUERY_NE, "1", line), 1,
           "and what is no number where one belongs");
    is_int(match(typed, "amount", DL_QUERY_GT, "0", line), 0,
           "which is above nothing");
}

static void test_untyped(void)
{
    const char *line = "{\"timestamp\":1,\"a\":{\"b\":10},\"c\":\"x\","
                       "\"d\":true,\"e\":[1]}";

    is_int(match(untyped, "a.b", DL_QUERY_GT, "9", line), 1,
           "without a schema a number compares as one");
    is_int(match(untyped, "c", DL_QUERY_EQ, "x", line), 1, "a text as a text");
    is_int(match(untyped, "d", DL_QUERY_EQ, "true", line), 1, "true as true");
    is_int(match(untyped, "e", DL_QUERY_EQ, "[1]", line), 0,
           "an array as nothing");
    is_int(match(untyped, "a", DL_QUERY_NE, "1", line), 1,
           "an object is unequal");
    is_int(match(untyped, "c", DL_QUERY_GT, "9", line), 1,
           "a text is above another by code point");
    is_int(match(untyped, "a.b", DL_QUERY_EQ, "ten", line), 0,
           "a number is no word");
    is_int(match(untyped, "a..b", DL_QUERY_EQ, "1", line), -1,
           "a path with a hole is refused");
}

static void test_order(void)
{
    static const char *const lines[] = {
        "{\"id\":\"a\"}", "{\"id\":\"a\",\"amount\":\"dear\"}",
        "{\"id\":\"a\",\"amount\":-5}", "{\"id\":\"a\",\"amount\":9.99}",
        "{\"id\":\"a\",\"amount\":10}"};
    dl_json_slice before = {.text = NULL};
    dl_query_fault found;
    dl_query *query;
    dl_error err;
    int column;
    size_t i;

    dl_query_create(&query, typed, pool);
    ok(dl_query_column(&column, query, "amount", &found) == DL_OK,
       "a column is taken");
    ok(dl_query_prepare(query, &err) == DL_OK, "the query is ready");
    for (i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        dl_json_slice value;

        ok(dl_query_match(query, lines[i], strlen(lines[i])),
           "without filters every line matches");
        value = dl_query_value(query, column);
        ok(i < 2 ? dl_query_compare(query, column, before, value) == 0
                 : dl_query_compare(query, column, before, value) < 0,
           lines[i]);
        before = value;
    }
    ok(!dl_query_match(query, "no record", 9), "what is no record matches not");
}

int main(void)
{
    dl_dataset_source source = {.file = "sale.json",
                                .text = DECLARATION,
                                .len = sizeof DECLARATION - 1};
    dl_error err;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    if (!ok(dl_dataset_parse(&typed, &source, &err, pool) == DL_OK &&
                dl_dataset_create_untyped(&untyped, "raw", NULL, &err, pool) ==
                    DL_OK,
            "there are datasets")) {
        printf("# %s\n", err.text);
        return 1;
    }
    test_numbers();
    test_texts();
    test_times();
    test_absent();
    test_untyped();
    test_order();
    apr_terminate();
    return done();
}
