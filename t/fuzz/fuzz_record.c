/* fuzz_record.c - The judge: whatever comes, a verdict; and the same one for
 * the line it makes.
 *
 * The first byte chooses Kafka's timestamp.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include "dl_dataset.h"
#include "dl_record.h"

const char *const fuzz_seeds[] = {
    "0{\"transaction_id\":\"t\",\"timestamp\":1684489425.5,\"amount\":49.90,"
    "\"quantity\":3,\"user\":{\"id\":\"u\"},\"on\":true,\"day\":"
    "\"2023-05-19\"}",
    "1{\"transaction_id\":\"t\",\"timestamp\":\"2026-05-18T09:30:00+02:00\","
    "\"amount\":\"1e3\",\"quantity\":\"5.0\",\"name\":\"caf\\u00e9\\n\"}",
    "2{\"transaction_id\":\"t\",\"timestamp\":\"2026-05-18 09:30:00\"}",
    "3{\"transaction_id\":\"t\",\"other\":null,\"name\":null}", NULL};

const char *const fuzz_words[] = {"\"timestamp\":",
                                  "1e400",
                                  "\"\"",
                                  "null",
                                  "-",
                                  "9223372036854775807",
                                  "9999-12-31T23:59:60Z",
                                  "\\u0000",
                                  "\\ud83f\\udffe",
                                  "0123456789abcdef0123456789abcdef",
                                  "999999999999999999999",
                                  "{",
                                  "}",
                                  "\xC3\xA9",
                                  "\xFF",
                                  NULL};

static const char declaration[] =
    "{\"dataset\":\"shop\",\"description\":\"x\",\"topic\":{\"partitions\":1,"
    "\"retention_days\":1},\"event_time\":{\"member\":\"timestamp\","
    "\"formats\":[\"unix\",\"rfc3339\",\"local\",\"date\"]},\"table\":{"
    "\"name\":\"t\",\"unique\":[\"id\"],\"on_repeat\":\"supersede\"},"
    "\"fields\":[{\"member\":\"transaction_id\",\"type\":\"str\",\"required\":"
    "true,\"column\":\"id\",\"max\":64},{\"member\":\"timestamp\",\"type\":"
    "\"time\"},{\"member\":\"amount\",\"type\":\"dec\"},{\"member\":"
    "\"quantity\",\"type\":\"int\"},{\"member\":[\"name\",\"other\"],"
    "\"type\":\"str\",\"column\":\"name\",\"max\":10},{\"member\":\"user.id\","
    "\"type\":\"str\"},{\"member\":\"on\",\"type\":\"bool\"},{\"member\":"
    "\"day\",\"type\":\"date\"},{\"member\":\"when\",\"type\":\"time\"}]}";

static dl_judge *judge;
static dl_judge *second;
static const dl_dataset *ds;

/* Made once: it is what a daemon does. */
static void make_judges(void)
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
    judge = dl_judge_create(ds, pool);
    second = dl_judge_create(ds, pool);
}

/* Ask everything of field F; return how many answers there were. */
static int convert(const dl_record *rec, int f)
{
    const char *text;
    size_t len;
    int64_t number;
    dl_decimal decimal;
    dl_time t;
    dl_day day;
    bool on;
    int n = 0;

    if (dl_record_text(&text, &len, rec, f)) {
        fuzz_check(ds->fields[f].max_chars == 0 ||
                       dl_json_count_chars(text, len) <=
                           ds->fields[f].max_chars,
                   "a text fits its column");
        n++;
    }
    n += dl_record_int(&number, rec, f) ? 1 : 0;
    n += dl_record_decimal(&decimal, rec, f) ? 1 : 0;
    n += dl_record_number(&text, &len, rec, f) ? 1 : 0;
    n += dl_record_bool(&on, rec, f) ? 1 : 0;
    n += dl_record_time(&t, rec, f) ? 1 : 0;
    n += dl_record_date(&day, rec, f) ? 1 : 0;
    return n;
}

void fuzz_one(const unsigned char *data, size_t len, apr_pool_t *pool)
{
    static const dl_time times[] = {1779096600000000, DL_TIME_NONE, 0,
                                    DL_TIME_END - 1};
    dl_time kafka = times[len > 0 ? data[0] % 4 : 0];
    dl_record rec;
    dl_record again;

    (void)pool;
    if (judge == NULL) {
        make_judges();
    }
    data += len > 0 ? 1 : 0;
    len -= len > 0 ? 1 : 0;
    dl_record_judge(&rec, judge, data, len, kafka);
    if (rec.verdict != DL_RECORD_GOOD) {
        fuzz_check(rec.detail[0] != '\0', "a bad record has a reason");
        return;
    }
    fuzz_check(rec.event_time >= 0 && rec.event_time < DL_TIME_END &&
                   rec.day == dl_time_day(rec.event_time),
               "the event time has a day");
    dl_record_judge(&again, second, rec.line, rec.line_len, kafka);
    fuzz_check(again.verdict == DL_RECORD_GOOD &&
                   again.event_time == rec.event_time &&
                   again.line == rec.line && again.line_len == rec.line_len,
               "its line is judged alike");
    for (int f = 0; f < ds->n_fields; f++) {
        fuzz_check(convert(&rec, f) == convert(&again, f),
                   "... and converted alike");
    }
}
