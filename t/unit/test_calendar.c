/* test_calendar.c - Calendar expressions: what is one, and when it is due.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_calendar.h"

#include "tap.h"

#include <apr_general.h>

static apr_pool_t *pool;

/* The first time behind AFTER at which TEXT is due in ZONE. */
static const char *next(const char *text, const char *zone, const char *after)
{
    static char out[DL_TIME_TEXT];
    const dl_zone *loaded = NULL;
    dl_calendar calendar;
    dl_time t = 0;
    bool zone_missing;

    if (!dl_calendar_parse(&calendar, text) ||
        dl_zone_load(&loaded, zone, NULL, pool) != DL_OK ||
        !dl_time_parse_rfc3339(&t, &zone_missing, after, strlen(after))) {
        return "(not read)";
    }
    t = dl_calendar_next(&calendar, loaded, t);
    if (t == DL_TIME_NONE) {
        return "never";
    }
    dl_time_format(out, t);
    return out;
}

static void test_next(void)
{
    is_str(next("*-*-* 02:00", "UTC", "2026-05-18T01:59:59Z"),
           "2026-05-18T02:00:00.000000Z", "every night, this one");
    is_str(next("*-*-* 02:00", "UTC", "2026-05-18T02:00:00Z"),
           "2026-05-19T02:00:00.000000Z", "behind it, the next");
    is_str(next("*-*-08 10:00", "UTC", "2026-12-08T10:00:00Z"),
           "2027-01-08T10:00:00.000000Z", "a day of the month, over the year");
    is_str(next("Mon *-*-* 06:30", "UTC", "2026-11-21T00:00:00Z"),
           "2026-11-23T06:30:00.000000Z", "a day of the week");
    is_str(next("Sat,Sun *-*-* 06:30", "UTC", "2026-11-21T07:00:00Z"),
           "2026-11-22T06:30:00.000000Z", "or of two");
    is_str(next("*-*-* *:00,30", "UTC", "2026-11-21T23:30:00Z"),
           "2026-11-22T00:00:00.000000Z", "each half hour");
    is_str(next("*-02-29 00:00", "UTC", "2096-02-29T00:00:00Z"),
           "2104-02-29T00:00:00.000000Z", "a leap day, eight years on");
    is_str(next("*-*-31 00:00", "UTC", "2026-01-31T00:00:00Z"),
           "2026-03-31T00:00:00.000000Z", "months without that day pass");
    is_str(next("*-*-* 00:00", "UTC", "9999-12-31T00:00:00Z"), "never",
           "not behind the last year");
}

static void test_zones(void)
{
    is_str(next("*-*-* 00:00", "Europe/Paris", "2026-07-14T21:59:59Z"),
           "2026-07-14T22:00:00.000000Z", "midnight in Paris in summer");
    is_str(next("*-*-* 00:00", "Europe/Paris", "2026-12-14T22:00:00Z"),
           "2026-12-14T23:00:00.000000Z", "... and in winter");
    is_str(next("*-*-* 02:30", "Europe/Paris", "2026-03-28T12:00:00Z"),
           "2026-03-29T01:30:00.000000Z",
           "a time that is skipped comes behind");
    is_str(next("*-*-* 02:30", "Europe/Paris", "2026-10-24T12:00:00Z"),
           "2026-10-25T00:30:00.000000Z", "of one shown twice the first");
    is_str(next("*-*-* 02:30", "Europe/Paris", "2026-10-25T00:30:00Z"),
           "2026-10-26T01:30:00.000000Z", "... and not the second");
    is_str(next("*-*-* 23:00", "America/Los_Angeles", "2026-05-18T05:00:00Z"),
           "2026-05-18T06:00:00.000000Z", "clocks behind UTC");
}

static void test_no_calendars(void)
{
    static const char *const wrong[] = {
        "",
        "daily",
        "*-*-* 24:00",
        "*-*-* 1:60",
        "*-13-* 0:0",
        "*-0-* 0:0",
        "*-*-32 0:0",
        "*-02-30 00:00",
        "2026-*-*",
        "*-*-* 02:00:0",
        "*-*-* 02:00 ",
        " *-*-* 02:00",
        "*-*-*02:00",
        "*-*-* ,:00",
        "*-*-* 001:00",
        "Mon,*-*-* 02:00",
        "Mun *-*-* 02:00",
        "*-*-* 02:",
        "*-*-* 0x:00",
        "*-*-1, 02:00",
    };
    dl_calendar calendar;
    size_t i;

    for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char name[64];

        snprintf(name, sizeof name, "\"%s\" is none", wrong[i]);
        ok(!dl_calendar_parse(&calendar, wrong[i]), name);
    }
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_next();
    test_zones();
    test_no_calendars();
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
