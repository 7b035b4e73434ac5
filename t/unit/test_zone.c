/* test_zone.c - Local times of zones, and files that are no zones.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_zone.h"

#include "tap.h"

#include <stdlib.h>

#include <apr_general.h>

static apr_pool_t *pool;

/* When the clocks of ZONE show LOCAL, in UTC. */
static const char *utc(const dl_zone *zone, const char *local)
{
    static char text[DL_TIME_TEXT];
    bool zone_missing;
    dl_time t = 0;

    if (!dl_time_parse_rfc3339(&t, &zone_missing, local, strlen(local))) {
        return "(no time)";
    }
    dl_time_format(text, dl_zone_instant(zone, t));
    return text;
}

static void test_utc(void)
{
    const dl_zone *zone = NULL;

    is_int(dl_zone_load(&zone, "UTC", NULL, pool), DL_OK, "UTC needs no file");
    is_str(utc(zone, "2026-05-18T09:30:00"), "2026-05-18T09:30:00.000000Z",
           "... and changes nothing");
}

static void test_paris(const dl_zone *zone)
{
    is_str(utc(zone, "2026-01-15T12:00:00"), "2026-01-15T11:00:00.000000Z",
           "winter in Paris");
    is_str(utc(zone, "2026-07-15T12:00:00.5"), "2026-07-15T10:00:00.500000Z",
           "summer in Paris");
    is_str(utc(zone, "2026-03-29T01:59:59"), "2026-03-29T00:59:59.000000Z",
           "the last second of winter");
    is_str(utc(zone, "2026-03-29T02:30:00"), "2026-03-29T01:30:00.000000Z",
           "a time that is skipped lies behind the change");
    is_str(utc(zone, "2026-03-29T03:00:00"), "2026-03-29T01:00:00.000000Z",
           "the first second of summer");
    is_str(utc(zone, "2026-10-25T02:30:00"), "2026-10-25T00:30:00.000000Z",
           "of a time shown twice the first one counts");
    is_str(utc(zone, "2026-10-25T03:00:00"), "2026-10-25T02:00:00.000000Z",
           "behind the second one");
    is_str(utc(zone, "1970-06-01T12:00:00"), "1970-06-01T11:00:00.000000Z",
           "no summer time in 1970");
    is_str(utc(zone, "2150-07-15T12:00:00"), "2150-07-15T10:00:00.000000Z",
           "the rule holds in far summers");
    is_str(utc(zone, "2150-12-15T12:00:00"), "2150-12-15T11:00:00.000000Z",
           "... and winters");
}

static void test_others(void)
{
    const dl_zone *zone = NULL;

    is_int(dl_zone_load(&zone, "Australia/Sydney", NULL, pool), DL_OK,
           "a zone of the south");
    is_str(utc(zone, "2120-01-15T12:00:00"), "2120-01-15T01:00:00.000000Z",
           "summer over the new year");
    is_str(utc(zone, "2120-07-15T12:00:00"), "2120-07-15T02:00:00.000000Z",
           "winter in July");
    is_int(dl_zone_load(&zone, "Asia/Kolkata", NULL, pool), DL_OK,
           "a zone without summer time");
    is_str(utc(zone, "2120-01-15T12:00:00"), "2120-01-15T06:30:00.000000Z",
           "half an hour counts");
    is_int(dl_zone_load(&zone, "America/Caracas", NULL, pool), DL_OK,
           "a zone with a name in angles");
    is_int(dl_zone_offset_s(zone, 4102444800000000), -14400,
           "its offset in 2100");
}

static void test_refused(void)
{
    const dl_zone *zone;
    dl_error err = {0};

    is_int(dl_zone_load(&zone, "Mars/Olympus", &err, pool), DL_NOT_FOUND,
           "there is no such zone");
    is_int(dl_zone_load(&zone, "../../etc/passwd", &err, pool), DL_INVALID,
           "a name does not climb");
    is_int(dl_zone_load(&zone, "/etc/localtime", &err, pool), DL_INVALID,
           "a name is not absolute");
    is_int(dl_zone_load(&zone, "", &err, pool), DL_INVALID,
           "a name is not empty");
    is_int(dl_zone_load(&zone, "Europe", &err, pool), DL_NOT_FOUND,
           "a folder is no zone");
    is_int(dl_zone_decode(&zone, "TZif", 4, &err, pool), DL_CORRUPT,
           "a file of four bytes is none");
    is_int(dl_zone_decode(&zone, "", 0, &err, pool), DL_CORRUPT,
           "nor an empty one");
}

/* A file of version 2 without changes, one type of 3,600 s, and RULE. */
static dl_status decode(const dl_zone **zone, const char *rule)
{
    static const unsigned char header[44] = {'T', 'Z',      'i',     'f',
                                             '2', [39] = 1, [43] = 4};
    static const unsigned char type[10] = {0, 0,   0x0E, 0x10, 0,
                                           0, 'A', 'B',  'C',  0};
    unsigned char file[300];
    size_t n = 0;

    for (int i = 0; i < 2; i++) {
        memcpy(file + n, header, sizeof header);
        memcpy(file + n + sizeof header, type, sizeof type);
        n += sizeof header + sizeof type;
    }
    n += (size_t)snprintf((char *)file + n, sizeof file - n, "\n%s\n", rule);
    return dl_zone_decode(zone, file, n, NULL, pool);
}

static void test_rules(void)
{
    const dl_zone *zone = NULL;

    is_int(decode(&zone, "CET-1"), DL_OK, "a rule without summer");
    is_int(dl_zone_offset_s(zone, 0), 3600, "... is the offset");
    is_int(decode(&zone, ""), DL_OK, "no rule at all");
    is_int(dl_zone_offset_s(zone, 0), 3600, "... leaves the last type");
    is_int(decode(&zone, "AAA3BBB,J60/0,J300/0"), DL_OK, "Julian days");
    is_int(dl_zone_offset_s(zone, 951868800000000), -10800,
           "2000-03-01 00:00 UTC is still winter three hours behind");
    is_int(dl_zone_offset_s(zone, 951879600000000), -7200,
           "day 60 is March 1, also in a leap year");
    is_int(decode(&zone, "AAA0BBB,59/0,299/0"), DL_OK, "days from zero");
    is_int(dl_zone_offset_s(zone, 951782400000000), 3600,
           "day 59 is February 29 in a leap year");
    is_int(decode(&zone, "CET-1CEST,M3.5.0"), DL_CORRUPT,
           "summer needs an end");
    is_int(decode(&zone, "CET-1CEST,M3.6.0,M10.5.0"), DL_CORRUPT,
           "there is no week 6");
    is_int(decode(&zone, "CET-1CEST,M13.5.0,M10.5.0"), DL_CORRUPT,
           "nor a month 13");
    is_int(decode(&zone, "CET-99"), DL_CORRUPT, "nor an offset of 99 hours");
    is_int(decode(&zone, "C-1"), DL_CORRUPT, "a name has three letters");
    is_int(decode(&zone, "<C-1"), DL_CORRUPT, "an angle is closed");
}

int main(void)
{
    const dl_zone *zone;

    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return EXIT_FAILURE;
    }
    test_utc();
    if (dl_zone_load(&zone, "Europe/Paris", NULL, pool) == DL_OK) {
        test_paris(zone);
        test_others();
    }
    else {
        ok(true, "zones # SKIP package tzdata is not installed");
    }
    test_refused();
    test_rules();
    apr_terminate();
    return done();
}
