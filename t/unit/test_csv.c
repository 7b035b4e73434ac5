/* test_csv.c - objects as rows: what is compared with earlier objects comes
 * out as what is parsed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_csv.h"
#include "tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

static apr_pool_t *pool;

/* Members and values of which objects are made. */
static const char *const NAMES[] = {
    "a",
    "b",
    "c",
    "a.b",
    "long name of a member that is not short at all, no",
    "\\u0002\\u0000",
    "d",
    "e\\\"",
    ""};
static const char *const VALUES[] = {
    "1",
    "-2.50",
    "null",
    "true",
    "\"\"",
    "\"x\"",
    "\"=1+1\"",
    "\"a,b\"",
    "\"a\\\"b\"",
    "\"\\u00e9\\n\"",
    "{}",
    "[]",
    "[1,\"}\"]",
    "[{\"q\":1}]",
    "\"\\\\\"",
    "\"@\"",
    "\"-\"",
    "\"{\"",
    "\"abcdefghijklmnopqrstuvwxyz, 0123\"",
    "1e5",
    "\"\\t tab\"",
    "\"long text without anything special in it\""};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Append a random object to TEXT, which has room. */
static char *random_object(char *text, unsigned *seed, int depth)
{
    int n = rand_r(seed) % 5;
    int i;

    text += sprintf(text, "{");
    for (i = 0; i < n; i++) {
        const char *name = NAMES[(size_t)rand_r(seed) % COUNT(NAMES)];

        text += sprintf(text, "%s\"%s\":", i > 0 ? "," : "", name);
        if (depth < 3 && rand_r(seed) % 4 == 0) {
            text = random_object(text, seed, depth + 1);
        }
        else {
            text += sprintf(text, "%s",
                            VALUES[(size_t)rand_r(seed) % COUNT(VALUES)]);
        }
    }
    return text + sprintf(text, "}");
}

/* A table with the columns of all NAMES, and some nested ones. */
static dl_csv *known_columns(apr_pool_t *own)
{
    static const char *const columns[] = {"a", "b",     "a.b", "a.a", "c.d",
                                          "c", "d.a.b", ".a",  "e\"", ""};
    dl_csv *table = dl_csv_create(own);
    size_t i;

    for (i = 0; i < COUNT(columns); i++) {
        if (dl_csv_column(table, columns[i], NULL) != DL_OK) {
            abort();
        }
    }
    return table;
}

/* The row that TABLE makes of JSON, in OWN. */
static const char *row_of(dl_csv *table, const char *json, apr_pool_t *own)
{
    dl_buf *out = dl_buf_create(100000, own);

    if (dl_csv_row(out, table, json, strlen(json), NULL) != DL_OK ||
        dl_buf_append(out, "", 1, NULL) != DL_OK) {
        return "failed";
    }
    return out->data;
}

static void test_random_objects(void)
{
    unsigned seed = 7;
    dl_csv *warm = known_columns(pool);
    int wrong = 0;
    int i;

    for (i = 0; i < 20000; i++) {
        char json[65536];
        apr_pool_t *own;

        apr_pool_create(&own, pool);
        *random_object(json, &seed, 0) = '\0';
        if (strcmp(row_of(warm, json, own),
                   row_of(known_columns(own), json, own)) != 0) {
            printf("# %s\n", json);
            wrong++;
        }
        apr_pool_destroy(own);
    }
    is_int(wrong, 0, "20,000 objects come out as if each were the first");
}

/* The rows of the objects at JSON, NULL behind the last, whose columns are
 * their own. */
static const char *rows(const char *const *json)
{
    dl_buf *out = dl_buf_create(100000, pool);
    dl_csv *table = dl_csv_create(pool);
    int i;

    for (i = 0; json[i] != NULL; i++) {
        if (dl_csv_learn(table, json[i], strlen(json[i]), NULL) != DL_OK) {
            return "failed";
        }
    }
    if (dl_csv_header(out, table, NULL) != DL_OK) {
        return "failed";
    }
    for (i = 0; json[i] != NULL; i++) {
        if (dl_csv_row(out, table, json[i], strlen(json[i]), NULL) != DL_OK) {
            return "failed";
        }
    }
    return dl_buf_append(out, "", 1, NULL) == DL_OK ? out->data : "failed";
}

#define ROWS(...) rows((const char *const[]){__VA_ARGS__, NULL})

static void test_own_columns(void)
{
    is_str(ROWS("{\"a\":1,\"b\":{\"c\":2}}", "{\"a\":3,\"b\":{\"c\":4}}"),
           "a,b.c\r\n1,2\r\n3,4\r\n", "nested members have dotted names");
    is_str(ROWS("{\"a\":1,\"b\":{}}", "{\"a\":1,\"b\":{\"c\":2}}",
                "{\"a\":1,\"b\":{}}"),
           "a,b,b.c\r\n1,{},\r\n1,,2\r\n1,{},\r\n",
           "an empty object is a cell, also before one with members");
    is_str(ROWS("{\"a.b\":1,\"c\":2}", "{\"a\":{\"b\":3},\"c\":4}",
                "{\"a.b\":5,\"c\":6}", "{\"a\":{\"b\":7,\"c\":8}}"),
           "a.b,c,a.c\r\n1,2,\r\n3,4,\r\n5,6,\r\n7,,8\r\n",
           "a name with a dot shares the column and nothing else");
    is_str(ROWS("{\"a\":1,\"a\":2}", "{\"a\":3,\"a\":null}"), "a\r\n2\r\n3\r\n",
           "of a name that comes twice the last value counts");
    is_str(ROWS("{\"a\":1,\"b\":2}", "{\"b\":3}", "{}", "{\"b\":4,\"a\":5}"),
           "a,b\r\n1,2\r\n,3\r\n,\r\n5,4\r\n",
           "order and absence do not matter");
    is_str(ROWS("{\"a\":\"x, y\",\"b\":\"=1\"}",
                "{\"a\":\"-\",\"b\":\"q\\\"q\"}", "{\"a\":\"\\t\",\"b\":-1}"),
           "a,b\r\n\"x, y\",\"'=1\"\r\n\"'-\",\"q\"\"q\"\r\n\"'\t\",-1\r\n",
           "commas, quotation marks and guards");
    is_str(
        ROWS("{\"a\":[1,\"]\",{\"x\":\"}\"}],\"b\":1}", "{\"a\":[],\"b\":2}"),
        "a,b\r\n\"[1,\"\"]\"\",{\"\"x\"\":\"\"}\"\"}]\",1\r\n[],2\r\n",
        "an array is a cell of JSON");
}

static void test_little_room(void)
{
    dl_buf *out = dl_buf_create(6, pool);
    dl_csv *table = dl_csv_create(pool);

    is_int(dl_csv_column(table, "a", NULL), DL_OK, "a column");
    is_int(dl_csv_row(out, table, "{\"a\":1234}", 10, NULL), DL_OK,
           "a row that just fits is written");
    is_int(dl_csv_row(out, table, "{\"a\":1234}", 10, NULL), DL_LIMIT,
           "one that does not is DL_LIMIT");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_own_columns();
    test_little_room();
    test_random_objects();
    apr_terminate();
    return done();
}
