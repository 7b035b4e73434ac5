/* test_mapping.c - rows and objects become records; values are transformed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_mapping.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "dl_date.h"
#include "dl_encoding.h"
#include "dl_json_write.h"
#include "dl_transform.h"

static apr_pool_t *pool;

/* Most columns of a test. */
#define MOST 8

/* Return the cells of the list VALUES, | between them: - is absent, ~ null, #x the JSON
 * x, all else a text. */
static void read_cells(dl_cell *cells, const char *values)
{
    char *list = apr_pstrdup(pool, values);
    char *value;
    char *state = NULL;
    int n = 0;

    memset(cells, 0, MOST * sizeof *cells);
    for (value = apr_strtok(list, "|", &state); value != NULL;
         value = apr_strtok(NULL, "|", &state), n++) {
        if (*value == '#') {
            cells[n] = dl_cell_json(value + 1, strlen(value + 1));
        }
        else if (*value == '~') {
            cells[n].kind = DL_CELL_NULL;
        }
        else if (*value != '-') {
            cells[n] = dl_cell_text(value, strlen(value));
        }
    }
}

/* Return the record of VALUES in columns a, b, c.d, e under MAPPING, with the
 * transforms LIST of MEMBER (NULL: none), or the sentence of the failure. */
static const char *record(const char *mapping, const char *member,
                          const char *list, const char *values)
{
    static const char *const names[] = {"a", "b", "c.d", "c.e", ""};
    dl_mapping_transform transform = {member, list};
    dl_mapping_rules rules = {mapping, &transform, member == NULL ? 0 : 1};
    dl_mapping_columns columns = {names, 5};
    dl_buf *out = dl_buf_create(100000, pool);
    dl_mapping_plan *plan;
    dl_mapping *m;
    dl_cell cells[MOST];
    dl_error err = {0};

    read_cells(cells, values);
    if (dl_mapping_create(&m, &rules, &err, pool) != DL_OK ||
        dl_mapping_bind(&plan, NULL, m, &columns, &err, pool) != DL_OK ||
        dl_mapping_write(out, plan, cells, &err) != DL_OK) {
        return out->len == 0 ? apr_pstrdup(pool, err.text) : "not cut back";
    }
    return apr_pstrmemdup(pool, out->data, out->len);
}

/* Likewise of the object JSON. */
static const char *object(const char *mapping, const char *member,
                          const char *list, const char *json)
{
    dl_mapping_transform transform = {member, list};
    dl_mapping_rules rules = {mapping, &transform, member == NULL ? 0 : 1};
    dl_buf *out = dl_buf_create(100000, pool);
    dl_mapping *m;
    dl_error err = {0};

    if (dl_mapping_create(&m, &rules, &err, pool) != DL_OK ||
        dl_mapping_write_json(out, m, json, strlen(json), &err) != DL_OK) {
        return out->len == 0 ? apr_pstrdup(pool, err.text) : "not cut back";
    }
    return apr_pstrmemdup(pool, out->data, out->len);
}

static void rows(void)
{
    is_str(record(NULL, NULL, NULL, "1|x|y|z"),
           "{\"a\":\"1\",\"b\":\"x\",\"c\":{\"d\":\"y\",\"e\":\"z\"}}",
           "without a list columns keep their names, dotted ones are nested");
    is_str(record("", NULL, NULL, "-|~|-|-"), "{\"b\":null}",
           "absent members are left out, an empty object too, null stays");
    is_str(record("x.y = b, x.z = a, n = c.d", NULL, NULL, "1|2|#[3]|-"),
           "{\"x\":{\"y\":\"2\",\"z\":\"1\"},\"n\":[3]}",
           "a list chooses, renames and nests; JSON is copied");
    is_str(record("x = b, y = b", NULL, NULL, "1|2"),
           "{\"x\":\"2\",\"y\":\"2\"}", "a column may become two members");
    is_str(record("b", NULL, NULL, "1|2"), "{\"b\":\"2\"}",
           "a name alone is member and column");
    is_str(record("b", NULL, NULL, "1|a\"b\\c\nd and more than sixteen"),
           "{\"b\":\"a\\\"b\\\\c\\nd and more than sixteen\"}",
           "what JSON wants escaped is escaped");
    is_str(record("b", NULL, NULL, "1|sixteen and more: caf\xC3\xA9"),
           "{\"b\":\"sixteen and more: caf\xC3\xA9\"}", "UTF-8 is kept");
    is_str(record("b", NULL, NULL, "1|caf\xE9"), "a value is not UTF-8",
           "a text that is not UTF-8 cannot be mapped");
    is_str(record("b", NULL, NULL, "1|0123456789abcdef"),
           "{\"b\":\"0123456789abcdef\"}", "sixteen bytes are copied whole");
}

/* Append {"key":"<LEN bytes at TEXT>","other":"o"} to OUT, as dl_json_write.h
 * writes it. */
static void write_slowly(dl_buf *out, const char *text, size_t len)
{
    dl_json_writer w;

    dl_json_writer_begin(&w, out);
    dl_json_write_object_begin(&w);
    dl_json_write_key(&w, "key");
    dl_json_write_string(&w, text, len);
    dl_json_write_key(&w, "other");
    dl_json_write_string(&w, "o", 1);
    dl_json_write_object_end(&w);
    if (dl_json_writer_finish(&w, NULL) != DL_OK) {
        out->len = 0;
    }
}

/* Return whether the record of the LEN bytes at TEXT is right, and its key
 * picked out just when all of it is PLAIN. */
static bool picks(dl_mapping_plan *plan, const char *text, size_t len,
                  bool plain)
{
    static const char before[] = "{\"key\":\"";
    const dl_cell cells[] = {dl_cell_text("o", 1), dl_cell_text(text, len)};
    dl_buf *quick = dl_buf_create(1000, pool);
    dl_buf *slow = dl_buf_create(1000, pool);
    size_t at;
    size_t picked;

    write_slowly(slow, text, len);
    return dl_mapping_write(quick, plan, cells, NULL) == DL_OK &&
           quick->len == slow->len &&
           memcmp(quick->data, slow->data, slow->len) == 0 &&
           dl_mapping_picked(&at, &picked, plan) == plain &&
           (!plain || (at == sizeof before - 1 && picked == len));
}

static void picked(void)
{
    static const char *const names[] = {"other", "key"};
    static const char odd[] = "\"\\\n\x1F";
    dl_mapping_rules rules = {"key, other", NULL, 0};
    dl_mapping_plan *plan = NULL;
    dl_mapping *m = NULL;
    dl_cell cells[] = {dl_cell_text("o", 1), dl_cell_json("1", 1)};
    int wrong = 0;
    size_t at;
    size_t len;

    ok(dl_mapping_create(&m, &rules, NULL, pool) == DL_OK &&
           dl_mapping_bind(&plan, NULL, m, &(dl_mapping_columns){names, 2},
                           NULL, pool) == DL_OK,
       "given a mapping of columns alone");
    dl_mapping_pick(plan, "key");
    for (len = 0; len < 50; len++) {
        /* Memory that ends with the text. */
        char *text = malloc(len + 1);

        memset(text, 'x', len);
        wrong += !picks(plan, text + 0, len, true);
        for (size_t i = 0; i < len; i++) {
            for (size_t c = 0; c < sizeof odd - 1; c++) {
                text[i] = odd[c];
                wrong += !picks(plan, text, len, false);
                text[i] = 'x';
            }
        }
        free(text);
    }
    is_int(wrong, 0,
           "rows of plain texts are written as others are, and their "
           "key picked out");
    ok(dl_mapping_write(dl_buf_create(1000, pool), plan, cells, NULL) ==
               DL_OK &&
           !dl_mapping_picked(&at, &len, plan),
       "a row with a JSON value is looked through");
    ok(dl_mapping_write(dl_buf_create(20, pool), plan, cells, NULL) == DL_LIMIT,
       "a row that does not fit is refused");
    dl_mapping_pick(plan, "a.b");
    cells[1] = dl_cell_text("x", 1);
    ok(dl_mapping_write(dl_buf_create(1000, pool), plan, cells, NULL) ==
               DL_OK &&
           !dl_mapping_picked(&at, &len, plan),
       "a nested key is looked for in the record");
    dl_mapping_pick(plan, "absent");
    ok(dl_mapping_write(dl_buf_create(1000, pool), plan, cells, NULL) ==
               DL_OK &&
           dl_mapping_picked(&at, &len, plan) && len == 0,
       "one that no column has is not there");
}

static void bad_rules(void)
{
    is_str(record("a = b, a = c", NULL, NULL, "1"),
           "mapping: member a comes twice", "a member is mapped once");
    is_str(record("a = b, a.x = c", NULL, NULL, "1"),
           "a.x: is a value and an object at once", "no value is an object");
    is_str(record("a.x = b, a = c", NULL, NULL, "1"), "member a comes twice",
           "nor the other way round");
    is_str(record("a..x = b", NULL, NULL, "1"),
           "mapping: a..x: a member must be names joined by dots",
           "names are not empty");
    is_str(record("a = b,", NULL, NULL, "1"),
           "mapping: must be a comma list of member = column",
           "nor are columns");
    is_str(record("a = b", "z", "trim", "1"),
           "transform.z: the mapping has no such member",
           "a transform belongs to a member");
    is_str(record("a\"x = b", NULL, NULL, "1"),
           "mapping: a name of a member has no quotation marks, backslashes "
           "and control characters, and is UTF-8",
           "a name stands in JSON as it is");
    is_str(record(NULL, "a", "rename x\xFF", "1"),
           "transform.a: a name of a member has no quotation marks, "
           "backslashes and control characters, and is UTF-8",
           "a new one, too");
    is_str(record("a = b", "a", "trim, shout", "1"),
           "transform.a: shout: must be trim, upper, lower, date FORMAT, "
           "decimal comma, constant TEXT, rename NAME or drop",
           "an unknown step is refused with those there are");
    is_str(record("a = b", "a", "date %H:%M", "1"),
           "transform.a: date %H:%M: must name year, month and day by %Y, %m, "
           "%d, %b, ... or %s",
           "a date has a day");
}

static void columns(void)
{
    static const char *const twice[] = {"a", "b", "a"};
    static const char *const bad[] = {"a", "\xE9"};
    static const char *const none[] = {"a"};
    dl_mapping_rules rules = {"x = a, y = b", NULL, 0};
    dl_mapping_rules equal = {NULL, NULL, 0};
    dl_mapping_plan *plan;
    const char *missing = NULL;
    dl_mapping *m = NULL;
    dl_mapping *all = NULL;
    dl_error err = {0};

    ok(dl_mapping_create(&m, &rules, &err, pool) == DL_OK &&
           dl_mapping_create(&all, &equal, &err, pool) == DL_OK,
       "given two mappings");
    ok(!dl_mapping_plain(m) && dl_mapping_plain(all),
       "one without list and transforms leaves objects as they are");
    is_int(dl_mapping_bind(&plan, &missing, m, &(dl_mapping_columns){none, 1},
                           &err, pool),
           DL_OK, "a column that is not there is no failure");
    is_str(missing, "b", "but told");
    is_int(dl_mapping_bind(&plan, NULL, m, &(dl_mapping_columns){twice, 3},
                           &err, pool),
           DL_INVALID, "a column that is there twice is refused");
    is_int(dl_mapping_bind(&plan, NULL, m, &(dl_mapping_columns){bad, 2}, &err,
                           pool),
           DL_INVALID, "one that is not UTF-8, too");
}

static void transforms(void)
{
    is_str(record("a", "a", "trim", " \t x y\xC2\xA0 "), "{\"a\":\"x y\"}",
           "trim takes white space from both ends");
    is_str(record("a", "a", "upper",
                  "stra\xC3\x9F"
                  "e \xC3\xA9\xC3\xBF\xCE\xBC\xCF\x83"),
           "{\"a\":\"STRA\xC3\x9F"
           "E \xC3\x89\xC5\xB8\xCE\x9C\xCE\xA3\"}",
           "upper changes letters of all scripts, one for one");
    is_str(record("a", "a", "lower", "\xC3\x89T\xC3\x89 \xD0\x96"),
           "{\"a\":\"\xC3\xA9t\xC3\xA9 \xD0\xB6\"}", "lower too");
    is_str(record("a", "a", "date %d/%m/%Y", "20/01/2023"),
           "{\"a\":\"2023-01-20\"}", "a date is written as ISO 8601");
    is_str(record("a", "a", "date %d/%m/%Y %H:%M", "20/1/2023 9:05"),
           "{\"a\":\"2023-01-20 09:05:00\"}", "a time behind it too");
    is_str(record("a", "a", "date %Y-%m-%dT%H:%M:%S%z",
                  "2023-01-20T00:30:00+01:00"),
           "{\"a\":\"2023-01-19T23:30:00.000000Z\"}",
           "with a zone it becomes UTC");
    is_str(record("a", "a", "date %Y-%m-%d to %d/%b/%Y", "2023-01-20"),
           "{\"a\":\"20/Jan/2023\"}", "another form can be asked for");
    is_str(record("a", "a", "date %d/%m/%Y", "31/02/2023"),
           "a: the value is no date %d/%m/%Y",
           "a date that is none cannot be mapped");
    is_str(record("a", "a", "decimal comma", "1.234.567,89"),
           "{\"a\":\"1234567.89\"}", "a decimal comma becomes a point");
    is_str(record("a", "a", "decimal comma",
                  "\xC2\xA0-1\xC2\xA0"
                  "234'5"),
           "{\"a\":\"-12345\"}", "groups go away");
    is_str(record("a", "a", "decimal comma", "12,3,4"),
           "a: the value is no number with a comma", "two commas are none");
    is_str(record("a", "z", "constant a, b", "1"),
           "{\"a\":\"1\",\"z\":\"a, b\"}",
           "a constant adds a member, with all that follows");
    is_str(record("a", "a", "constant k", "-"), "{\"a\":\"k\"}",
           "or stands for what is absent");
    is_str(record(NULL, "b", "drop", "1|2"), "{\"a\":\"1\"}",
           "drop leaves a member out");
    is_str(record(NULL, "c.d", "rename f, upper", "1|-|x"),
           "{\"a\":\"1\",\"c\":{\"f\":\"X\"}}",
           "rename keeps a member where it is; steps follow each other");
    is_str(record("a", "a", "trim, lower, upper, trim", " \xC3\xA9 "),
           "{\"a\":\"\xC3\x89\"}", "many steps change one value");
    is_str(record("a, b", "a", "date %Y%m%d", "~|x"),
           "{\"a\":null,\"b\":\"x\"}", "null goes through");
    is_str(record("a", "a", "date %s", "#1674213478"),
           "{\"a\":\"2023-01-20T11:17:58.000000Z\"}",
           "a JSON number is a text to a step");
}

static void objects(void)
{
    is_str(object("x = a.b, y = c", NULL, NULL,
                  "{ \"a\": {\"b\": [1, 2]}, \"c\": \"q\\\"\" }"),
           "{\"x\":[1,2],\"y\":\"q\\\"\"}",
           "members of an object are picked out by dotted names");
    is_str(object("x = a, y = b", NULL, NULL, "{\"b\":null}"), "{\"y\":null}",
           "what is not there is left out");
    is_str(object(NULL, "a.b", "upper",
                  "{\"k\":[{\"a\":1}],\"a\":{\"c\":2,\"b\":\"x\"},\"z\":{}}"),
           "{\"k\":[{\"a\":1}],\"a\":{\"c\":2,\"b\":\"X\"},\"z\":{}}",
           "without a list all is kept, and changed where it stands");
    is_str(object(NULL, "a", "drop", "{\"a\":\"}\\\"\",\"b\":-1.5}"),
           "{\"b\":-1.5}", "a member is dropped");
    is_str(object(NULL, "a", "rename q, trim", "{\"a\":\" x\",\"b\":true}"),
           "{\"q\":\"x\",\"b\":true}", "renamed");
    is_str(object(NULL, "a", "constant 7", "{\"b\":[]}"),
           "{\"b\":[],\"a\":\"7\"}", "or added");
    is_str(object(NULL, "a", "constant 7", "{\"a\":{\"x\":1}}"),
           "{\"a\":\"7\"}", "or replaced");
    is_str(object("x = a", NULL, NULL, "[1]"),
           "byte 0: the value is not an object",
           "what is no object cannot be mapped");
}

static void encodings(void)
{
    dl_buf *out = dl_buf_create(1000, pool);
    dl_encoding encoding;
    dl_error err = {0};

    ok(dl_encoding_find(&encoding, "Windows-1252") &&
           dl_encoding_decode(out, encoding, "\x80 caf\xE9", 6, &err) ==
               DL_OK &&
           out->len == 9 &&
           memcmp(out->data, "\xE2\x82\xAC caf\xC3\xA9", 9) == 0,
       "Windows-1252 has the euro at 0x80");
    out->len = 0;
    ok(dl_encoding_find(&encoding, "iso-8859-1") &&
           dl_encoding_decode(out, encoding, "\x80\xE9", 2, &err) == DL_OK &&
           out->len == 4 && memcmp(out->data, "\xC2\x80\xC3\xA9", 4) == 0,
       "ISO-8859-1 has a control there");
    ok(!dl_encoding_find(&encoding, "utf-16"), "others are not known");
}

static void dates(void)
{
    char text[DL_DATE_TEXT];
    dl_date_parts parts;
    dl_time t = 0;

    ok(dl_date_parse(&t, "20/Jan/2023:12:37:58 +0100", 26,
                     "%d/%b/%Y:%H:%M:%S %z") &&
           t == INT64_C(1674214678000000),
       "a web server's time is read");
    (void)dl_date_format(text, t, "%e.%m.%y %I:%M %p %s %f %z %%");
    is_str(text, "20.01.23 11:37 AM 1674214678 000000 +0000 %",
           "every directive is written");
    ok(dl_date_parse(&t, " 5.01.69 12:37 am.25", 20, "%e.%m.%y %I:%M %p.%f") &&
           t == INT64_C(3124571820250000),
       "and read: twelve at night, a short year, a fraction");
    ok(!dl_date_parse(&t, "2023-01-20 ", 11, "%Y-%m-%d") &&
           !dl_date_parse(&t, "2023-01-2", 9, "%Y-%m-%d %H") &&
           !dl_date_parse(&t, "0-01-20", 7, "%Y-%m-%d"),
       "too much, too little and too early are refused");
    ok(dl_date_format_check(&parts, "at %s %%") && parts.day && parts.zone &&
           dl_date_format_check(&parts, "%Y/%m/%Y-%m-%d") && parts.day,
       "seconds since 1970 tell all, a year may come twice");
    ok(!dl_date_format_check(&parts, "%s %f") &&
           !dl_date_format_check(&parts, "%Y %f%S%f") &&
           !dl_date_format_check(&parts, "%% at noon"),
       "what could not be read again is no format");
}

int main(void)
{
    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return 1;
    }
    rows();
    picked();
    bad_rules();
    columns();
    transforms();
    objects();
    encodings();
    dates();
    apr_pool_destroy(pool);
    return done();
}
