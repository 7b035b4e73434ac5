/* test_time.c - Instants, days and their texts.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_time.h"

#include "tap.h"

/* Read TEXT strictly; DL_TIME_NONE when it is refused or lacks a zone. */
static dl_time read_time(const char *text)
{
    bool zone_missing;
    dl_time t;

    if (!dl_time_parse_rfc3339(&t, &zone_missing, text, strlen(text)) ||
        zone_missing) {
        return DL_TIME_NONE;
    }
    return t;
}

/* Read TEXT, whose zone must be missing. */
static dl_time read_local(const char *text)
{
    bool zone_missing;
    dl_time t;

    if (!dl_time_parse_rfc3339(&t, &zone_missing, text, strlen(text)) ||
        !zone_missing) {
        return DL_TIME_NONE;
    }
    return t;
}

static dl_time read_unix(const char *text)
{
    dl_time t;

    return dl_time_parse_unix(&t, text, strlen(text)) ? t : DL_TIME_NONE;
}

static bool refuses_time(const char *text)
{
    bool zone_missing;
    dl_time t;

    return !dl_time_parse_rfc3339(&t, &zone_missing, text, strlen(text));
}

static dl_day read_day(const char *text)
{
    dl_day d;

    return dl_day_parse(&d, text, strlen(text)) ? d : DL_DAY_NONE;
}

static void test_days(void)
{
    char text[DL_DAY_TEXT];

    is_int(read_day("1970-01-01"), 0, "the first day is day 0");
    is_int(read_day("2000-02-29"), 11016, "2000 was a leap year");
    is_int(read_day("2026-05-18"), 20591, "a day of 2026");
    is_int(read_day("9999-12-31"), 2932896, "the last day");
    is_int(read_day("2100-02-29"), DL_DAY_NONE, "2100 is no leap year");
    is_int(read_day("2026-02-30"), DL_DAY_NONE, "February has no 30th");
    is_int(read_day("2026-13-01"), DL_DAY_NONE, "there is no month 13");
    is_int(read_day("2026-00-01"), DL_DAY_NONE, "there is no month 0");
    is_int(read_day("2026-01-00"), DL_DAY_NONE, "there is no day 0");
    is_int(read_day("1969-12-31"), DL_DAY_NONE, "1969 is too early");
    is_int(read_day("2026-5-18"), DL_DAY_NONE, "a month has two digits");
    is_int(read_day("2026-05-18 "), DL_DAY_NONE, "nothing follows a day");
    is_int(read_day("+026-05-18"), DL_DAY_NONE, "a year has no sign");
    dl_day_format(text, 20591);
    is_str(text, "2026-05-18", "a day is written as it is read");
    dl_day_format(text, 11016);
    is_str(text, "2000-02-29", "a leap day is written");
    dl_day_format(text, 2932896);
    is_str(text, "9999-12-31", "the last day is written");
    dl_day_format(text, -5);
    is_str(text, "1970-01-01", "a day before all is written as the first");
    is_int(dl_time_day(-1), -1, "the instant before 1970 lies on day -1");
    is_int(dl_time_day(86400000000 - 1), 0, "a day ends at its last instant");
    is_int(dl_time_day(86400000000), 1, "... and the next one begins");
}

static void test_every_day(void)
{
    char text[DL_DAY_TEXT];
    bool same = true;

    for (dl_day d = 0; d <= 2932896; d++) {
        dl_day_format(text, d);
        same = same && read_day(text) == d;
    }
    ok(same, "each day of 8,030 years is read back from its text");
}

static void test_instants(void)
{
    char text[DL_TIME_TEXT];
    char sql[DL_TIME_SQL];

    is_int(read_time("1970-01-01T00:00:00Z"), 0, "the first instant is 0");
    is_int(read_time("2026-05-18T09:30:00Z"), 1779096600000000,
           "an instant in UTC");
    is_int(read_time("2026-05-18t09:30:00z"), 1779096600000000,
           "small t and z are allowed");
    is_int(read_time("2026-05-18 11:30:00+02:00"), 1779096600000000,
           "a zone ahead of UTC, with a space");
    is_int(read_time("2026-05-18T04:00:00-05:30"), 1779096600000000,
           "a zone behind UTC");
    is_int(read_time("2026-05-18T09:30:00-00:00"), 1779096600000000,
           "minus zero is UTC");
    is_int(read_time("2026-05-18T09:30:00.5Z"), 1779096600500000,
           "one digit of a fraction");
    is_int(read_time("2026-05-18T09:30:00.123456789Z"), 1779096600123456,
           "nine digits are cut after six");
    is_int(read_local("2026-05-18T09:30:00"), 1779096600000000,
           "a missing zone is reported");
    is_int(read_local("2026-05-18 09:30:00.25"), 1779096600250000,
           "a missing zone behind a fraction");
    is_int(read_time("2016-12-31T23:59:60Z"), 1483228800000000,
           "a leap second is the next minute");
    is_int(read_time("2017-01-01T05:29:60+05:30"), 1483228800000000,
           "a leap second in India");
    is_int(read_time("9999-12-31T23:59:59.999999Z"), 253402300799999999,
           "the last instant");
    dl_time_format(text, 1779096600123456);
    is_str(text, "2026-05-18T09:30:00.123456Z", "an instant is written");
    dl_time_format(text, 1779096600000001);
    is_str(text, "2026-05-18T09:30:00.000001Z", "zeros are kept");
    dl_time_format_sql(sql, 1779096600123456);
    is_str(sql, "2026-05-18 09:30:00.123456", "an instant for SQL");
    dl_time_format(text, DL_TIME_NONE);
    is_str(text, "1970-01-01T00:00:00.000000Z", "bounds hold when writing");
}

static void test_refused_instants(void)
{
    ok(refuses_time(""), "nothing is no time");
    ok(refuses_time("2026-05-18"), "a day alone is no time");
    ok(refuses_time("2026-05-18T09:30Z"), "seconds are needed");
    ok(refuses_time("2026-05-18T24:00:00Z"), "hours end at 23");
    ok(refuses_time("2026-05-18T09:60:00Z"), "minutes end at 59");
    ok(refuses_time("2026-05-18T09:30:61Z"), "seconds end at 60");
    ok(refuses_time("2026-05-18T09:30:60Z"), "no leap second at 09:30");
    ok(refuses_time("2026-05-18T09:30:60"), "nor without a zone");
    ok(refuses_time("2026-05-18T09:30:00."), "a fraction has digits");
    ok(refuses_time("2026-05-18T09:30:00.1234567890Z"),
       "a fraction has at most nine");
    ok(refuses_time("2026-05-18T09:30:00,5Z"), "a comma is no point");
    ok(refuses_time("2026-05-18T09:30:00+0200"), "a zone has a colon");
    ok(refuses_time("2026-05-18T09:30:00+24:00"), "zones end at 23 hours");
    ok(refuses_time("2026-05-18T09:30:00+02:60"), "... and 59 minutes");
    ok(refuses_time("2026-05-18T09:30:00Zx"), "nothing follows Z");
    ok(refuses_time("2026-05-18x09:30:00Z"), "T or a space, nothing else");
    ok(refuses_time("2026-02-29T09:30:00Z"), "2026 is no leap year");
    ok(refuses_time("1970-01-01T00:00:00+01:00"), "not before 1970");
    ok(refuses_time("9999-12-31T23:59:59-01:00"), "not after 9999");
    ok(refuses_time("1969-12-31T23:30:00-01:00"),
       "a year before 1970 is refused even when UTC is not");
    ok(refuses_time("20260518T093000Z"), "the short form is not RFC 3339");
}

static void test_unix(void)
{
    is_int(read_unix("0"), 0, "zero");
    is_int(read_unix("1684489425"), 1684489425000000, "whole seconds");
    is_int(read_unix("1684489425.123456"), 1684489425123456,
           "microseconds exactly");
    is_int(read_unix("1684489425.1234569"), 1684489425123456,
           "the seventh digit is cut");
    is_int(read_unix("1684489425.99999999999"), 1684489425999999,
           "many nines are cut, too");
    is_int(read_unix("1.684489425e9"), 1684489425000000, "an exponent");
    is_int(read_unix("168448942512345e-5"), 1684489425123450,
           "a negative exponent");
    is_int(read_unix("253402300799.999999"), 253402300799999999,
           "the last instant");
    is_int(read_unix("253402300800"), DL_TIME_NONE, "the year 10000");
    is_int(read_unix("-1"), DL_TIME_NONE, "before 1970");
    is_int(read_unix("-0.5"), DL_TIME_NONE, "half a second before 1970");
    is_int(read_unix("1684489425123"), DL_TIME_NONE,
           "milliseconds are a year too far away");
    is_int(read_unix("1e400"), DL_TIME_NONE, "a huge exponent");
    is_int(read_unix(""), DL_TIME_NONE, "nothing");
    is_int(read_unix("NaN"), DL_TIME_NONE, "not a number");
    is_int(read_unix(" 1"), DL_TIME_NONE, "white space");
    is_int(read_unix("01"), DL_TIME_NONE, "a leading zero");
}

static dl_time logged(const char *date, const char *clock)
{
    dl_time t;

    return dl_time_parse_log(&t, date, strlen(date), clock, strlen(clock))
               ? t
               : DL_TIME_NONE;
}

static void test_log(void)
{
    static const char *const wrong[][2] = {{"20/jan/2023", "11:37:58"},
                                           {"20/Jan/23", "11:37:58"},
                                           {"30/Feb/2023", "11:37:58"},
                                           {"20-Jan-2023", "11:37:58"},
                                           {"20/Jan/2023", "24:00:00"},
                                           {"20/Jan/2023", "11:37:60"},
                                           {"20/Jan/2023", "11:37"},
                                           {"20/Jan/1969", "11:37:58"},
                                           {"20/Jan/2023 ", "11:37:58"},
                                           {"20/Jan/2023", "11.37.58"},
                                           {"", ""},
                                           {"2x/Jan/2023", "11:37:58"}};

    is_int(logged("20/Jan/2023", "11:37:58"), INT64_C(1674214678000000),
           "a day and a time as logs have them");
    is_int(logged("29/Feb/2024", "00:00:00"), INT64_C(1709164800000000),
           "a leap day");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ok(logged(wrong[i][0], wrong[i][1]) == DL_TIME_NONE, wrong[i][0]);
    }
}

int main(void)
{
    int64_t before = dl_time_monotonic_us();

    test_days();
    test_every_day();
    test_instants();
    test_refused_instants();
    test_unix();
    test_log();
    ok(dl_time_monotonic_us() >= before,
       "the monotonic clock does not go back");
    ok(dl_time_now() > 1700000000000000, "the wall clock is past 2023");
    return done();
}
