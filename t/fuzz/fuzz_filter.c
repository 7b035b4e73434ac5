/* fuzz_filter.c - Filters of stored lines: what is asked for is refused with
 * words or kept by every line it finds, and so is the hint for an index.
 *
 * The input is a path, a value and a line, newlines between them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_dataset.h"
#include "dl_query.h"
#include "dl_query_hint.h"
#include "dl_search.h"

const char *const fuzz_seeds[] = {
    "id\na\n{\"id\":\"a\",\"timestamp\":1779096600,\"amount\":49.90}",
    "amount\n49.9\n{\"id\":\"a\",\"amount\":\"49.90\"}",
    "timestamp\n2026-05-18\n{\"timestamp\":\"2026-05-18T09:30:00Z\"}",
    "quantity\n5\n{\"quantity\":5e0,\"user\":{\"id\":\"u\"}}",
    "user.id\nU\n{\"user\":{\"id\":\"u\"}}",
    "id\nDesk/lamp \"x\"\n{\"id\":\"\\u0044esk\\/lamp \\\"x\\\"\"}",
    "id\nfirst,secon\n{\"id\":\"secon\"}",
    "amount\n-0.1\n{\"amount\":\"-1e-1\"}",
    "on\ntrue\n{\"on\":true,\"day\":\"2023-05-19\"}",
    NULL};

const char *const fuzz_words[] = {"\n",       "id",
                                  "amount",   "timestamp",
                                  "user.id",  "null",
                                  "1e400",    "-0",
                                  "\"\"",     "\\u0000",
                                  "{",        "}",
                                  ",",        "9223372036854775808",
                                  "\xC3\xA9", "\xFF",
                                  NULL};

static const char declaration[] =
    "{\"dataset\":\"shop\",\"description\":\"x\",\"topic\":{\"partitions\":1,"
    "\"retention_days\":1},\"event_time\":{\"member\":\"timestamp\","
    "\"formats\":[\"unix\",\"rfc3339\",\"date\"]},\"table\":{\"name\":\"t\","
    "\"unique\":[\"id\"],\"on_repeat\":\"supersede\"},\"fields\":[{\"member\":"
    "\"id\",\"type\":\"str\",\"required\":true,\"column\":\"id\",\"max\":64},"
    "{\"member\":\"timestamp\",\"type\":\"time\"},{\"member\":\"amount\","
    "\"type\":\"dec\"},{\"member\":\"quantity\",\"type\":\"int\"},{\"member\":"
    "\"user.id\",\"type\":\"str\"},{\"member\":\"on\",\"type\":\"bool\"},"
    "{\"member\":\"day\",\"type\":\"date\"}]}";

static const dl_dataset *ds;

static void make_dataset(void)
{
    static apr_pool_t *pool;
    dl_dataset_source source = {.file = "shop.json",
                                .text = declaration,
                                .len = sizeof declaration - 1};
    dl_error err = {0};

    fuzz_check(apr_pool_create(&pool, NULL) == APR_SUCCESS &&
                   dl_zone_load(&source.zone, "UTC", &err, pool) == DL_OK &&
                   dl_dataset_parse(&ds, &source, &err, pool) == DL_OK,
               "the declaration is right");
}

/* A text with its length. */
typedef struct piece {
    const char *text; /* its bytes */
    size_t len;       /* how many */
} piece;

/* Cut the next line off REST. */
static piece cut(piece *rest)
{
    const char *end =
        rest->len == 0 ? NULL : memchr(rest->text, '\n', rest->len);
    piece out = {rest->text,
                 end == NULL ? rest->len : (size_t)(end - rest->text)};
    size_t used = out.len + (end == NULL ? 0 : 1);

    rest->text += used;
    rest->len -= used;
    return out;
}

/* Whether LINE holds TEXT, as text or in a value. */
static bool holds(const piece *line, const dl_lake_hint_text *text,
                  apr_pool_t *pool)
{
    dl_search *search;
    dl_error err = {0};

    if (dl_search_create(&search, text->text, text->len, &err, pool) != DL_OK) {
        return text->len > 1024; /* too long for a search: not looked at */
    }
    return dl_search_text(search, line->text, line->len) ||
           dl_search_values(search, line->text, line->len);
}

/* Whether the number at PATH of LINE lies within the condition C. */
static bool is_within(const piece *line, const char *path,
                      const dl_lake_condition *c, apr_pool_t *pool)
{
    const dl_json_shape *shape = NULL;
    dl_json_result result;
    dl_json_slice slot = {.text = NULL};
    dl_error err = {0};
    char *scratch = apr_palloc(pool, line->len + DL_JSON_SLACK);
    double value;

    fuzz_check(dl_json_shape_create(&shape, &path, 1, &err, pool) == DL_OK &&
                   dl_json_scan(&result, &slot, shape, scratch, line->text,
                                line->len) == DL_JSON_FINE,
               "a line that was found can be read");
    value = strtod(apr_pstrmemdup(pool, slot.text, slot.len), NULL);
    return c->low <= value && value <= c->high;
}

/* Check that LINE, which QUERY found by PATH, fulfils its hint. */
static void check_hint(const dl_query *query, const char *path,
                       const piece *line, apr_pool_t *pool)
{
    const dl_lake_hint *hint = dl_query_hint(query, pool);
    int i;
    int k;

    for (i = 0; hint != NULL && i < hint->n; i++) {
        const dl_lake_condition *c = &hint->conditions[i];
        bool found = c->kind != DL_LAKE_HINT_TEXTS_OF;

        for (k = 0; c->kind == DL_LAKE_HINT_TEXTS_OF && k < c->n_texts; k++) {
            found = found || holds(line, &c->texts[k], pool);
        }
        fuzz_check(found, "what was found holds a text of its hint");
        fuzz_check(c->kind != DL_LAKE_HINT_NUMBERS ||
                       is_within(line, path, c, pool),
                   "and lies within its bounds");
    }
}

/* Whether LINE matches PATH OP VALUE: 1, 0; -1: the filter is refused. */
static int ask(const char *path, dl_query_op op, const piece *value,
               const piece *line, apr_pool_t *pool)
{
    dl_query_fault fault = {.code = NULL, .detail = ""};
    dl_error err = {0};
    dl_query *query;

    dl_query_create(&query, ds, pool);
    if (dl_query_filter(query, path, op, value->text, value->len, &fault) !=
        DL_OK) {
        fuzz_check(fault.code != NULL && fault.detail[0] != '\0',
                   "what is refused has a code and words");
        return -1;
    }
    fuzz_check(dl_query_filters(query) == 1, "one filter is one filter");
    if (dl_query_prepare(query, &err) != DL_OK) {
        return -1;
    }
    if (!dl_query_match(query, line->text, line->len)) {
        fuzz_check(!dl_query_match(query, line->text, line->len),
                   "what was not found is not found again");
        return 0;
    }
    fuzz_check(dl_query_match(query, line->text, line->len),
               "what was found once is found again");
    check_hint(query, path, line, pool);
    return 1;
}

void fuzz_one(const unsigned char *data, size_t len, apr_pool_t *pool)
{
    piece rest = {(const char *)data, len};
    piece name = cut(&rest);
    piece value = cut(&rest);
    const char *path = apr_pstrmemdup(pool, name.text, name.len);
    int got[DL_QUERY_CONTAINS + 1] = {0};

    if (ds == NULL) {
        make_dataset();
    }
    for (int op = DL_QUERY_EQ; op <= DL_QUERY_CONTAINS; op++) {
        got[op] = ask(path, (dl_query_op)op, &value, &rest, pool);
    }
    fuzz_check(got[DL_QUERY_EQ] != 1 || got[DL_QUERY_NE] != 1,
               "nothing is equal and not equal");
    if (value.len == DL_DAY_TEXT - 1 && value.text[4] == '-') {
        return; /* a day: begins at its start, ends at its end */
    }
    fuzz_check(got[DL_QUERY_GT] != 1 || got[DL_QUERY_LTE] != 1,
               "nothing is greater and not greater");
    fuzz_check(got[DL_QUERY_LT] != 1 || got[DL_QUERY_GTE] != 1,
               "nothing is less and not less");
    if (got[DL_QUERY_GTE] >= 0 && got[DL_QUERY_EQ] >= 0) {
        fuzz_check((got[DL_QUERY_GTE] == 1) ==
                       (got[DL_QUERY_GT] == 1 || got[DL_QUERY_EQ] == 1),
                   "at least is greater or equal");
    }
    if (got[DL_QUERY_IN] >= 0 && got[DL_QUERY_EQ] >= 0 &&
        memchr(value.text, ',', value.len) == NULL) {
        fuzz_check(got[DL_QUERY_IN] == got[DL_QUERY_EQ],
                   "in a list of one is equal");
    }
}
