/* test_replay.c - Stored records with another event time.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_replay.h"

#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

static apr_pool_t *pool;
static const dl_zone *zone;
static dl_error err;

/* 2026-05-18T09:30:00.000000Z. */
#define NOW INT64_C(1779096600000000)

/* A replay of records whose time has FORMATS; *KEY is their key. */
static dl_replay *replay_of(const char *formats)
{
    const char *text = apr_pstrcat(
        pool,
        "{\"dataset\":\"shop\",\"description\":\"A shop.\","
        "\"topic\":{\"key\":\"id\",\"partitions\":1,\"retention_days\":2},"
        "\"event_time\":{\"member\":\"at\",\"formats\":[",
        formats,
        "]},\"fields\":[{\"member\":\"id\",\"type\":\"str\"},"
        "{\"member\":\"at\",\"type\":\"time\"}]}",
        NULL);
    dl_dataset_source source = {.file = "/d/shop.json",
                                .text = text,
                                .len = strlen(text),
                                .zone = zone};
    const dl_dataset *ds;

    return dl_dataset_parse(&ds, &source, &err, pool) == DL_OK
               ? dl_replay_create(ds, pool)
               : NULL;
}

/* What REPLAY makes of LINE: key, a blank, value; or its mistake. */
static const char *made(dl_replay *replay, const char *line)
{
    dl_replay_record record;

    if (dl_replay_line(&record, replay, line, strlen(line), NOW, &err) !=
        DL_OK) {
        return dl_status_name(err.status);
    }
    return apr_pstrcat(
        pool,
        record.key == NULL ? "-"
                           : apr_pstrmemdup(pool, record.key, record.key_len),
        " ", apr_pstrmemdup(pool, record.value->data, record.value->len), NULL);
}

#define T "\"2026-05-18T09:30:00.000000Z\""

static void test_texts(void)
{
    dl_replay *r = replay_of("\"rfc3339\",\"unix\"");

    is_str(made(r, "{\"id\":\"a\",\"at\":\"2020-01-01T00:00:00Z\",\"x\":1.50}"),
           "a {\"id\":\"a\",\"at\":" T ",\"x\":1.50}",
           "a time is exchanged, the rest stays");
    is_str(made(r, "{\"at\":1577836800,\"id\":\"a\"}"),
           "a {\"at\":" T ",\"id\":\"a\"}", "a number becomes a text");
    is_str(made(r, "{\"id\":\"a\",\"at\":null}"),
           "a {\"id\":\"a\",\"at\":" T "}", "null, too");
    is_str(made(r, "{\"id\":\"a\"}"), "a {\"id\":\"a\",\"at\":" T "}",
           "a time that is missing comes last");
    is_str(made(r, "{}"), "- {\"at\":" T "}", "also in an empty record");
    is_str(made(r, "{\"at\":1,\"x\":{\"at\":2},\"at\":3}"),
           "- {\"at\":1,\"x\":{\"at\":2},\"at\":" T "}",
           "of two times the last one counts");
    is_str(made(r, "{\"id\":\"a\\\"b\",\"at\":1}"),
           "a\"b {\"id\":\"a\\\"b\",\"at\":" T "}",
           "the key is the text, without escapes");
    is_str(made(r, "{\"id\":7,\"at\":1}"), "7 {\"id\":7,\"at\":" T "}",
           "a number as it is written");
    is_str(made(r, "{\"id\":null,\"at\":1}"), "- {\"id\":null,\"at\":" T "}",
           "null is no key");
    is_str(made(r, "{\"id\":"), "corrupt", "what is no record is refused");
}

static void test_forms(void)
{
    is_str(made(replay_of("\"unix\""), "{\"at\":1}"),
           "- {\"at\":1779096600.000000}",
           "seconds, where only they are known");
    is_str(made(replay_of("\"date\""), "{\"at\":\"2020-01-01\"}"),
           "- {\"at\":\"2026-05-18\"}", "a date likewise");
    is_str(made(replay_of("\"local\""), "{\"at\":\"2020-01-01 00:00:00\"}"),
           "unsupported", "a time without zone cannot be written");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    if (dl_zone_load(&zone, "UTC", &err, pool) != DL_OK) {
        return 1;
    }
    test_texts();
    test_forms();
    return done();
}
