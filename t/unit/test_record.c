/* test_record.c - The judge: each rule of contract 9, on transaction_log.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_record.h"

#include "tap.h"

#include <stdlib.h>

#include <apr_general.h>

#include "dl_file.h"

/* Kafka's timestamp of every record: 2026-05-18T09:30:00Z. */
#define KAFKA_TIME 1779096600000000

static apr_pool_t *pool;
static dl_judge *judge;
static const dl_dataset *ds;
static dl_record rec;

/* Judge TEXT; return the name of the verdict. */
static const char *verdict(const char *text)
{
    dl_record_judge(&rec, judge, text, strlen(text), KAFKA_TIME);
    return dl_verdict_name(rec.verdict);
}

/* The event time of a good record with "timestamp": VALUE, as text. */
static const char *event_time(const char *value)
{
    static char text[DL_TIME_TEXT];
    char record[200];

    snprintf(record, sizeof record,
             "{\"transaction_id\":\"t\",\"timestamp\":%s}", value);
    if (strcmp(verdict(record), "good") != 0) {
        return dl_verdict_name(rec.verdict);
    }
    dl_time_format(text, rec.event_time);
    return text;
}

static const char *line(void)
{
    static char text[2000];

    snprintf(text, sizeof text, "%.*s", (int)rec.line_len, rec.line);
    return text;
}

/* The characters of field PATH, "(null)" when its column is NULL. */
static const char *text_of(const char *path)
{
    static char copy[400];
    const char *text;
    size_t len;

    if (!dl_record_text(&text, &len, &rec, dl_dataset_field(ds, path))) {
        return "(null)";
    }
    snprintf(copy, sizeof copy, "%.*s", (int)len, text);
    return copy;
}

static long long int_of(const char *path)
{
    int64_t value;

    return dl_record_int(&value, &rec, dl_dataset_field(ds, path)) ? value
                                                                   : -999;
}

static const char *decimal_of(const char *path)
{
    static char text[DL_DECIMAL_TEXT];
    dl_decimal value;

    if (!dl_record_decimal(&value, &rec, dl_dataset_field(ds, path))) {
        return "(null)";
    }
    dl_decimal_format_sql(text, value);
    return text;
}

static bool setup(void)
{
    const dl_zone *zone;
    dl_dataset_source source = {.file = "conf/datasets/transaction_log.json"};
    dl_error err = {0};

    if (dl_zone_load(&zone, "UTC", &err, pool) != DL_OK ||
        dl_file_load(&source.text, &source.len, source.file, 1 << 20, &err,
                     pool) != DL_OK) {
        puts(err.text);
        return false;
    }
    source.zone = zone;
    if (dl_dataset_parse(&ds, &source, &err, pool) != DL_OK) {
        puts(err.text);
        return false;
    }
    judge = dl_judge_create(ds, pool);
    return true;
}

static void test_good(void)
{
    is_str(verdict("{\"transaction_id\":\"t1\",\"amount\":49.90,"
                   "\"quantity\":\"3\",\"location\":{\"city\":\"Li\\u00e8ge\","
                   "\"country\":\"BE\"},\"extra\":[1,2]}"),
           "good", "a record with some members is good");
    is_str(line(),
           "{\"transaction_id\":\"t1\",\"amount\":49.90,\"quantity\":\"3\","
           "\"location\":{\"city\":\"Li\xC3\xA8ge\",\"country\":\"BE\"},"
           "\"extra\":[1,2]}",
           "its line keeps number text and unknown members");
    is_str(text_of("transaction_id"), "t1", "a text");
    is_str(text_of("location.city"), "Li\xC3\xA8ge", "a nested text");
    is_str(decimal_of("amount"), "49.9", "a decimal");
    is_int(int_of("quantity"), 3, "a number that came as a string");
    is_str(text_of("user_id"), "(null)", "a missing member is NULL");
    is_int(rec.event_time, KAFKA_TIME, "a missing time is Kafka's");
    is_int(rec.day, 20591, "... and its day");
    is_str(verdict("{\"transaction_id\":\"a\\nb\\u0001\\\"\"}"), "good",
           "escapes that stay");
    is_str(text_of("transaction_id"), "a\nb\x01\"", "... are decoded for SQL");
    is_str(text_of("transaction_id"), "a\nb\x01\"", "... twice if asked");
    is_str(verdict(" {\n \"transaction_id\" : \"t\" }\n"), "good",
           "white space is no fault");
    is_str(line(), "{\"transaction_id\":\"t\"}", "... and leaves the line");
}

static void test_alternates(void)
{
    verdict("{\"transaction_id\":\"t\",\"product\":\"lamp\"}");
    is_str(text_of("product_name"), "lamp", "product stands in");
    verdict("{\"transaction_id\":\"t\",\"product\":\"lamp\","
            "\"product_name\":\"Lamp 2\"}");
    is_str(text_of("product_name"), "Lamp 2", "product_name wins");
    verdict("{\"transaction_id\":\"t\",\"product\":\"lamp\","
            "\"product_name\":null}");
    is_str(text_of("product_name"), "lamp", "... unless it is null");
}

static void test_optional_ill_typed(void)
{
    is_str(verdict("{\"transaction_id\":\"t\",\"user_id\":42,"
                   "\"quantity\":1.5,\"amount\":\"abc\",\"location\":\"Paris\","
                   "\"thread\":3000000000,\"customer_rating\":null}"),
           "good", "ill-typed optional members do not matter");
    is_str(text_of("user_id"), "(null)", "a number is no text");
    is_int(int_of("quantity"), -999, "1.5 is not whole");
    is_str(decimal_of("amount"), "(null)", "abc is no number");
    is_str(text_of("location.city"), "(null)", "a string has no members");
    is_int(int_of("thread"), -999, "3,000,000,000 does not fit an int");
    is_int(int_of("customer_rating"), -999, "null is NULL");
    verdict("{\"transaction_id\":\"t\",\"quantity\":5.0,\"thread\":\"2e1\"}");
    is_int(int_of("quantity"), 5, "5.0 is whole");
    is_int(int_of("thread"), 20, "a string 2e1 is 20");
}

static void test_schema(void)
{
    char text[600];

    is_str(verdict("{\"amount\":1}"), "schema", "transaction_id is required");
    is_str(rec.detail, "transaction_id is missing and required",
           "... and named");
    is_str(verdict("{\"transaction_id\":null}"), "schema", "null is missing");
    is_str(verdict("{\"transaction_id\":42}"), "schema",
           "an ill-typed required member");
    is_str(rec.detail, "transaction_id is a number and must be a string",
           "... says what would be right");
    snprintf(text, sizeof text, "{\"transaction_id\":\"%064d\"}", 0);
    is_str(verdict(text), "good", "64 characters fit");
    snprintf(text, sizeof text, "{\"transaction_id\":\"%065d\"}", 0);
    is_str(verdict(text), "schema", "65 do not");
    snprintf(text, sizeof text,
             "{\"transaction_id\":\"t\",\"user_name\":\"%0256d\"}", 0);
    is_str(verdict(text), "schema", "an optional text that is too long");
    snprintf(text, sizeof text, "{\"transaction_id\":\"\xC3\xA9%063d\"}", 0);
    is_str(verdict(text), "good", "characters count, not bytes");
    snprintf(text, sizeof text, "{\"transaction_id\":\"\\n%063d\"}", 0);
    is_str(verdict(text), "good", "an escape is one character");
    snprintf(text, sizeof text, "{\"transaction_id\":\"\\ud83f\\udffe%063d\"}",
             0);
    is_str(verdict(text), "good", "a kept pair of escapes is one, too");
    is_str(verdict("{\"transaction_id\":\"t\",\"amount\":"
                   "1000000000000000000}"),
           "schema", "19 digits before the point");
    is_str(verdict("{\"transaction_id\":\"t\",\"amount\":"
                   "\"1000000000000000000\"}"),
           "schema", "... as a string");
    is_str(verdict("{\"transaction_id\":\"t\",\"amount\":1e18}"), "schema",
           "... by exponent");
    is_str(verdict("{\"transaction_id\":\"t\",\"amount\":"
                   "999999999999999999.99999}"),
           "good", "18 digits fit");
}

static void test_times(void)
{
    is_str(event_time("1684489425.5"), "2023-05-19T09:43:45.500000Z",
           "unix seconds");
    is_str(event_time("\"1684489425.5\""), "2023-05-19T09:43:45.500000Z",
           "unix seconds in a string");
    is_str(event_time("\"2026-05-18T09:30:00+02:00\""),
           "2026-05-18T07:30:00.000000Z", "RFC 3339 with an offset");
    is_str(event_time("\"2026-05-18T09:30:00Z\""),
           "2026-05-18T09:30:00.000000Z", "RFC 3339 with Z");
    is_str(event_time("\"2026-05-18 09:30:00.25\""),
           "2026-05-18T09:30:00.250000Z", "without a zone: event_zone");
    is_str(event_time("null"), "2026-05-18T09:30:00.000000Z",
           "null is missing: Kafka's timestamp");
    is_str(event_time("\"2026-05-19T09:30:00Z\""),
           "2026-05-19T09:30:00.000000Z", "24 h after Kafka's is allowed");
    is_str(event_time("\"2026-05-19T09:30:00.000001Z\""), "bad-time",
           "a microsecond more is not");
    is_str(event_time("\"1971-01-01T00:00:00Z\""),
           "1971-01-01T00:00:00.000000Z", "a late event may be very late");
    is_str(event_time("\"yesterday\""), "bad-time", "a word");
    is_str(event_time("\"\""), "bad-time", "an empty text");
    is_str(event_time("true"), "bad-time", "a bool");
    is_str(event_time("{}"), "bad-time", "an object");
    is_str(event_time("-1"), "bad-time", "before 1970");
    is_str(event_time("1684489425123"), "bad-time", "milliseconds");
    is_str(event_time("\"2026-02-30T00:00:00Z\""), "bad-time",
           "a day that is none");
    is_str(event_time("\"2026-05-18\""), "bad-time", "a day alone");
    dl_record_judge(&rec, judge, "{\"transaction_id\":\"t\"}", 22,
                    DL_TIME_NONE);
    is_int(rec.verdict, DL_RECORD_BAD_TIME, "neither has a time");
    dl_record_judge(&rec, judge, "{\"transaction_id\":\"t\",\"timestamp\":9}",
                    36, -1);
    is_int(rec.verdict, DL_RECORD_GOOD, "its own time is enough");
}

static void test_text(void)
{
    static char big[DL_JSON_MAX_BYTES + 2];
    static const char small[22] = "{\"transaction_id\":\"t\"}";

    is_str(verdict("{\"transaction_id\":"), "not-json", "cut off");
    is_str(verdict(""), "not-json", "an empty value");
    dl_record_judge(&rec, judge, NULL, 0, KAFKA_TIME);
    is_int(rec.verdict, DL_RECORD_NOT_JSON, "no value (a tombstone)");
    is_str(verdict("[1,2]"), "not-object", "an array");
    is_str(verdict("\"text\""), "not-object", "a string");
    is_str(verdict("[1,"), "not-json", "half an array");
    is_str(verdict("{\"transaction_id\":\"\xFF\"}"), "encoding", "bad UTF-8");
    is_str(verdict("\xFF\xFE{"), "encoding", "UTF-16");
    is_str(verdict("{\"transaction_id\":\"\\ud800\"}"), "encoding",
           "a lone surrogate");
    is_str(verdict("\xEF\xBB\xBF{}"), "not-json", "a byte order mark");
    memset(big, ' ', sizeof big);
    memcpy(big, small, sizeof small);
    dl_record_judge(&rec, judge, big, DL_JSON_MAX_BYTES, KAFKA_TIME);
    is_int(rec.verdict, DL_RECORD_GOOD, "1 MiB is allowed");
    dl_record_judge(&rec, judge, big, DL_JSON_MAX_BYTES + 1, KAFKA_TIME);
    is_int(rec.verdict, DL_RECORD_TOO_BIG, "a byte more is not");
    is_str(rec.detail, "more than 1048576 bytes at byte 0", "... and says so");
}

static void test_untyped(void)
{
    const dl_dataset *untyped = NULL;
    dl_record other;
    dl_judge *its_judge;
    dl_error err;

    is_int(dl_dataset_create_untyped(&untyped, "clicks", ds->zone, &err, pool),
           DL_OK, "a dataset without declaration");
    its_judge = dl_judge_create(untyped, pool);
    dl_record_judge(&other, its_judge, "{\"timestamp\":86400}", 19, KAFKA_TIME);
    is_int(other.verdict, DL_RECORD_GOOD, "takes any object");
    is_int(other.day, 1, "its day follows member timestamp");
    dl_record_judge(&other, its_judge, "{\"a\":1}", 7, KAFKA_TIME);
    is_int(other.day, 20591, "or Kafka's");
    dl_record_judge(&other, its_judge, "{\"timestamp\":\"x\"}", 17, KAFKA_TIME);
    is_int(other.verdict, DL_RECORD_BAD_TIME, "an unreadable one is refused");
}

int main(void)
{
    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS || !setup()) {
        return EXIT_FAILURE;
    }
    test_good();
    test_alternates();
    test_optional_ill_typed();
    test_schema();
    test_times();
    test_text();
    test_untyped();
    apr_terminate();
    return done();
}
