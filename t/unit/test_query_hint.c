/* test_query_hint.c - What queries tell an index about their matches.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_query_hint.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "dl_lake_column.h"
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
    "{\"member\":[\"amount\",\"sum\"],\"type\":\"dec\"},"
    "{\"member\":\"paid\",\"type\":\"bool\"},"
    "{\"member\":\"due\",\"type\":\"date\"},"
    "{\"member\":\"extra\",\"type\":\"any\"}]}";

/* The hint of PATH OP VALUE over DS. */
static const dl_lake_hint *hint_of(const dl_dataset *ds, const char *path,
                                   dl_query_op op, const char *value)
{
    dl_query_fault fault;
    dl_query *query;

    dl_query_create(&query, ds, pool);
    if (dl_query_filter(query, path, op, value, strlen(value), &fault) !=
        DL_OK) {
        printf("# %s\n", fault.detail);
        return NULL;
    }
    return dl_query_hint(query, pool);
}

/* The text conditions of HINT: "a & b|c". */
static const char *texts_of(const dl_lake_hint *hint)
{
    const char *out = "";
    int i;
    int k;

    for (i = 0; hint != NULL && i < hint->n; i++) {
        const dl_lake_condition *c = &hint->conditions[i];

        if (c->kind != DL_LAKE_HINT_TEXTS_OF) {
            continue;
        }
        for (k = 0; k < c->n_texts; k++) {
            const char *between = k > 0 ? "|" : out[0] != '\0' ? " & " : "";

            out = apr_psprintf(pool, "%s%s%.*s", out, between,
                               (int)c->texts[k].len, c->texts[k].text);
        }
    }
    return out;
}

/* The condition of KIND in HINT, or NULL. */
static const dl_lake_condition *find(const dl_lake_hint *hint,
                                     dl_lake_hint_kind kind)
{
    int i;

    for (i = 0; hint != NULL && i < hint->n; i++) {
        if (hint->conditions[i].kind == kind) {
            return &hint->conditions[i];
        }
    }
    return NULL;
}

static void test_texts(void)
{
    is_str(texts_of(hint_of(typed, "name", DL_QUERY_EQ, "Desk lamp")),
           "Desk lamp", "a text is itself");
    is_str(texts_of(hint_of(typed, "name", DL_QUERY_CONTAINS, "sk la")),
           "sk la", "also inside another");
    is_str(texts_of(hint_of(typed, "name", DL_QUERY_EQ,
                            "said \"yes\" a/b c:\\path\tlong")),
           "said  & b c: & path & long",
           "it is cut where a line may write it otherwise");
    is_str(texts_of(hint_of(typed, "name", DL_QUERY_EQ, "abc")), "",
           "less than a gram says nothing");
    is_str(texts_of(hint_of(typed, "name", DL_QUERY_IN, "lamp,a/table,sofa")),
           "lamp|table|sofa", "of a list one is enough");
    is_str(texts_of(hint_of(typed, "name", DL_QUERY_IN, "lamp,bed")), "",
           "but each has to say something");
    ok(hint_of(typed, "name", DL_QUERY_NE, "Desk lamp") == NULL,
       "what is not equal says nothing");
    ok(hint_of(typed, "name", DL_QUERY_GT, "Desk lamp") == NULL,
       "nor does an order of texts");
    ok(hint_of(typed, "paid", DL_QUERY_EQ, "true") == NULL, "nor truth");
}

static void test_numbers(void)
{
    const dl_lake_condition *c = find(
        hint_of(typed, "amount", DL_QUERY_EQ, "0.1"), DL_LAKE_HINT_NUMBERS);

    ok(c != NULL && c->low < 0.1 && c->high > 0.1 && c->high - c->low < 1e-15,
       "a number lies between its neighbours");
    is_str(c == NULL ? "" : c->path,
           dl_lake_column_name(typed, 3, DL_LAKE_COLUMN_NUMBERS, pool),
           "in the column of all its paths");
    c = find(hint_of(typed, "amount", DL_QUERY_GTE, "40"),
             DL_LAKE_HINT_NUMBERS);
    ok(c != NULL && c->low < 40 && c->low > 39.9 && isinf(c->high),
       "above has no end");
    c = find(hint_of(typed, "amount", DL_QUERY_LT, "40"), DL_LAKE_HINT_NUMBERS);
    ok(c != NULL && c->high > 40 && isinf(c->low), "below has no beginning");
    c = find(hint_of(typed, "amount", DL_QUERY_IN, "7,-3,5"),
             DL_LAKE_HINT_NUMBERS);
    ok(c != NULL && c->low < -3 && c->high > 7 && c->high < 7.1,
       "a list lies between its ends");
    ok(hint_of(typed, "amount", DL_QUERY_NE, "40") == NULL,
       "what is not equal lies anywhere");
}

static void test_times(void)
{
    const dl_lake_condition *c = find(
        hint_of(typed, "at", DL_QUERY_LTE, "2026-05-18"), DL_LAKE_HINT_TIMES);

    ok(c != NULL && c->first == INT64_MIN &&
           c->last == INT64_C(1779148799999999),
       "up to a day takes the whole of it in");
    c = find(hint_of(typed, "at", DL_QUERY_GT, "1779096600"),
             DL_LAKE_HINT_TIMES);
    ok(c != NULL && c->first == INT64_C(1779096600000000) &&
           c->last == INT64_MAX,
       "behind a second has no end");
    c = find(hint_of(typed, "due", DL_QUERY_IN, "2026-05-18,2026-05-20"),
             DL_LAKE_HINT_TIMES);
    ok(c != NULL && c->first == INT64_C(1779062400000000) &&
           c->last == INT64_C(1779235200000000),
       "days are the instants they begin with");
}

static void test_any(void)
{
    is_str(texts_of(hint_of(untyped, "name", DL_QUERY_EQ, "Desk lamp")),
           "Desk lamp", "without a type a text is a text");
    ok(hint_of(untyped, "n", DL_QUERY_EQ, "1000.0") == NULL,
       "what may be a number may be written otherwise");
    ok(hint_of(untyped, "n", DL_QUERY_IN, "lamp,1000.0") == NULL,
       "one of a list is enough for that");
    is_str(texts_of(hint_of(untyped, "n", DL_QUERY_CONTAINS, "1000.0")),
           "1000.0", "but only texts contain something");
    is_str(texts_of(hint_of(typed, "extra", DL_QUERY_EQ, "true")), "true",
           "true is written as it is");
    ok(find(hint_of(untyped, "n", DL_QUERY_GT, "1000"), DL_LAKE_HINT_NUMBERS) ==
           NULL,
       "an untyped column has no bounds");
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
    test_texts();
    test_numbers();
    test_times();
    test_any();
    apr_terminate();
    return done();
}
