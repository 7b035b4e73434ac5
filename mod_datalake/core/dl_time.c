/* dl_time.c - The calendar, written and read.
 *
 * Days and dates are converted by counting 400-year eras of 146,097 days with
 * the year beginning in March, so that the leap day comes last.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_time.h"

#include <string.h>
#include <time.h>

#include "dl_decimal.h"

/* 9999-12-31, the last day with a text. */
#define LAST_DAY ((dl_day)(DL_TIME_END / DL_DAY_US) - 1)

dl_time dl_time_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (dl_time)now.tv_sec * DL_SECOND_US + now.tv_nsec / 1000;
}

int64_t dl_time_monotonic_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * DL_SECOND_US + now.tv_nsec / 1000;
}

dl_day dl_time_day(dl_time t)
{
    int64_t day = t / DL_DAY_US;

    return (dl_day)(t % DL_DAY_US < 0 ? day - 1 : day);
}

dl_time dl_day_start(dl_day d)
{
    return (dl_time)d * DL_DAY_US;
}

dl_day dl_day_of(int year, int month, int day)
{
    int y = month <= 2 ? year - 1 : year;
    int era = (y >= 0 ? y : y - 399) / 400;
    int year_of_era = y - era * 400;
    int day_of_year =
        (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * 146097 + day_of_era - 719468;
}

bool dl_day_exists(int year, int month, int day)
{
    static const char lengths[] = {31, 28, 31, 30, 31, 30,
                                   31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    if (month < 1 || month > 12 || day < 1) {
        return false;
    }
    return day <= lengths[month - 1] + (month == 2 && leap ? 1 : 0);
}

/* Write VALUE as exactly WIDTH digits. */
static void put_digits(char *out, int width, int64_t value)
{
    for (int i = width - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
}

void dl_day_format(char out[DL_DAY_TEXT], dl_day d)
{
    int day = (d < 0 ? 0 : d > LAST_DAY ? LAST_DAY : d) + 719468;
    int era = day / 146097;
    int day_of_era = day - era * 146097;
    int year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 -
                       day_of_era / 146096) /
                      365;
    int day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int march_month = (5 * day_of_year + 2) / 153;
    int month = march_month < 10 ? march_month + 3 : march_month - 9;

    put_digits(out, 4, year_of_era + era * 400 + (month <= 2 ? 1 : 0));
    out[4] = '-';
    put_digits(out + 5, 2, month);
    out[7] = '-';
    put_digits(out + 8, 2, day_of_year - (153 * march_month + 2) / 5 + 1);
    out[10] = '\0';
}

/* Write date, BETWEEN, time and fraction of T: 26 characters. */
static void put_instant(char *out, dl_time t, char between)
{
    int64_t rest;

    t = t < 0 ? 0 : t >= DL_TIME_END ? DL_TIME_END - 1 : t;
    rest = t % DL_DAY_US;
    dl_day_format(out, dl_time_day(t));
    out[10] = between;
    put_digits(out + 11, 2, rest / (3600LL * DL_SECOND_US));
    out[13] = ':';
    put_digits(out + 14, 2, rest / (60LL * DL_SECOND_US) % 60);
    out[16] = ':';
    put_digits(out + 17, 2, rest / DL_SECOND_US % 60);
    out[19] = '.';
    put_digits(out + 20, 6, rest % DL_SECOND_US);
}

void dl_time_format(char out[DL_TIME_TEXT], dl_time t)
{
    put_instant(out, t, 'T');
    out[26] = 'Z';
    out[27] = '\0';
}

void dl_time_format_sql(char out[DL_TIME_SQL], dl_time t)
{
    put_instant(out, t, ' ');
    out[26] = '\0';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Set *VALUE to the WIDTH digits at S. */
static bool get_digits(int *value, const char *s, int width)
{
    int sum = 0;

    for (int i = 0; i < width; i++) {
        if (!is_digit(s[i])) {
            return false;
        }
        sum = sum * 10 + (s[i] - '0');
    }
    *value = sum;
    return true;
}

bool dl_day_parse(dl_day *d, const char *s, size_t n)
{
    int year;
    int month;
    int day;

    if (n != 10 || s[4] != '-' || s[7] != '-' || !get_digits(&year, s, 4) ||
        !get_digits(&month, s + 5, 2) || !get_digits(&day, s + 8, 2)) {
        return false;
    }
    if (year < 1970 || !dl_day_exists(year, month, day)) {
        return false;
    }
    *d = dl_day_of(year, month, day);
    return true;
}

/* A time of day with zone, taken apart. */
typedef struct clock_parts {
    int hour, minute, second; /* as written */
    int64_t fraction_us;      /* cut to microseconds */
    bool zone;                /* there is one */
    int offset_minutes;       /* ahead of UTC */
} clock_parts;

/* Read ".ddd" at S, if it is there; set *USED to its bytes. */
static bool get_fraction(int64_t *us, size_t *used, const char *s, size_t n)
{
    size_t i = 1;

    *us = 0;
    *used = 0;
    if (n == 0 || s[0] != '.') {
        return true;
    }
    for (; i < n && is_digit(s[i]); i++) {
        if (i <= 6) {
            *us = *us * 10 + (s[i] - '0');
        }
    }
    if (i == 1 || i > 10) {
        return false;
    }
    *used = i;
    for (; i <= 6; i++) {
        *us *= 10;
    }
    return true;
}

/* Read the rest of a time, a zone or nothing, into PARTS. */
static bool get_zone(clock_parts *parts, const char *s, size_t n)
{
    int hours;
    int minutes;

    parts->zone = n > 0;
    parts->offset_minutes = 0;
    if (n == 0 || (n == 1 && (s[0] == 'Z' || s[0] == 'z'))) {
        return true;
    }
    if (n != 6 || (s[0] != '+' && s[0] != '-') || s[3] != ':' ||
        !get_digits(&hours, s + 1, 2) || !get_digits(&minutes, s + 4, 2) ||
        hours > 23 || minutes > 59) {
        return false;
    }
    minutes += hours * 60;
    parts->offset_minutes = s[0] == '-' ? -minutes : minutes;
    return true;
}

/* Whether a second 60 can be where PARTS says. */
static bool leap_second_ok(const clock_parts *parts)
{
    int minute = parts->hour * 60 + parts->minute;

    if (!parts->zone) {
        return parts->minute == 59;
    }
    minute = (minute - parts->offset_minutes) % 1440;
    return (minute < 0 ? minute + 1440 : minute) == 1439;
}

/* Read HH:MM:SS, fraction and zone. */
static bool get_clock(clock_parts *parts, const char *s, size_t n)
{
    size_t used;

    if (n < 8 || s[2] != ':' || s[5] != ':' ||
        !get_digits(&parts->hour, s, 2) ||
        !get_digits(&parts->minute, s + 3, 2) ||
        !get_digits(&parts->second, s + 6, 2)) {
        return false;
    }
    if (parts->hour > 23 || parts->minute > 59 || parts->second > 60) {
        return false;
    }
    if (!get_fraction(&parts->fraction_us, &used, s + 8, n - 8) ||
        !get_zone(parts, s + 8 + used, n - 8 - used)) {
        return false;
    }
    return parts->second < 60 || leap_second_ok(parts);
}

bool dl_time_parse_rfc3339(dl_time *t, bool *zone_missing, const char *s,
                           size_t n)
{
    clock_parts parts;
    dl_day day;
    dl_time sum;

    if (n < 19 || !dl_day_parse(&day, s, 10) ||
        (s[10] != 'T' && s[10] != 't' && s[10] != ' ') ||
        !get_clock(&parts, s + 11, n - 11)) {
        return false;
    }
    sum = (parts.hour * 60LL + parts.minute - parts.offset_minutes) * 60 +
          parts.second;
    sum = dl_day_start(day) + sum * DL_SECOND_US + parts.fraction_us;
    if (sum < 0 || sum >= DL_TIME_END) {
        return false;
    }
    *t = sum;
    *zone_missing = !parts.zone;
    return true;
}

/* The usual form, up to 12 digits, a point, any number of digits: false when it
 * is another one. */
static bool get_plain_seconds(dl_time *t, const char *s, size_t n)
{
    int64_t us = 0;
    size_t i = 0;
    size_t first;

    for (; i < n && is_digit(s[i]); i++) {
        if (i == 12) {
            return false;
        }
        us = us * 10 + (s[i] - '0');
    }
    if (i == 0 || (i > 1 && s[0] == '0') || (i < n && s[i] != '.')) {
        return false;
    }
    first = ++i;
    for (; i < first + 6; i++) {
        us *= 10;
        if (i < n) {
            if (!is_digit(s[i])) {
                return false;
            }
            us += s[i] - '0';
        }
    }
    for (; i < n; i++) {
        if (!is_digit(s[i])) {
            return false;
        }
    }
    if (n == first || us >= DL_TIME_END) {
        return false;
    }
    *t = us;
    return true;
}

bool dl_time_parse_unix(dl_time *t, const char *s, size_t n)
{
    dl_decimal seconds;
    __int128 us;

    if (get_plain_seconds(t, s, n)) {
        return true;
    }
    if (!dl_decimal_parse_cut(&seconds, s, n) || seconds.units < 0) {
        return false;
    }
    us = seconds.units / 10000;
    if (us >= DL_TIME_END) {
        return false;
    }
    *t = (dl_time)us;
    return true;
}

/* Return the number of the month NAME, three letters, 0: none. */
static int month_of(const char *name)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    for (int i = 0; i < 12; i++) {
        if (memcmp(names + (size_t)i * 3, name, 3) == 0) {
            return i + 1;
        }
    }
    return 0;
}

bool dl_time_parse_log(dl_time *t, const char *date, size_t n_date,
                       const char *clock, size_t n_clock)
{
    clock_parts parts = {0};
    int day;
    int month;
    int year;

    if (n_date != 11 || date[2] != '/' || date[6] != '/' ||
        !get_digits(&day, date, 2) || !get_digits(&year, date + 7, 4) ||
        n_clock != 8 || clock[2] != ':' || clock[5] != ':' ||
        !get_digits(&parts.hour, clock, 2) ||
        !get_digits(&parts.minute, clock + 3, 2) ||
        !get_digits(&parts.second, clock + 6, 2)) {
        return false;
    }
    month = month_of(date + 3);
    if (month == 0 || year < 1970 || !dl_day_exists(year, month, day) ||
        parts.hour > 23 || parts.minute > 59 || parts.second > 59) {
        return false;
    }
    *t = dl_day_start(dl_day_of(year, month, day)) +
         ((parts.hour * 60 + parts.minute) * INT64_C(60) + parts.second) *
             DL_SECOND_US;
    return true;
}

/* Set *T from N digits at S: unix seconds or milliseconds. */
static bool parse_digits(dl_time *t, const char *s, size_t n)
{
    int64_t number = 0;
    size_t i;

    if (n < 9 || n > 14) {
        return false;
    }
    for (i = 0; i < n; i++) {
        number = number * 10 + (s[i] - '0');
    }
    number *= n <= 11 ? DL_SECOND_US : 1000;
    if (number >= DL_TIME_END) {
        return false;
    }
    *t = number;
    return true;
}

bool dl_time_parse_asked(dl_time *t, bool *whole_day, bool *zone_missing,
                         const char *s, size_t n)
{
    bool no_zone = false;
    dl_day day;
    size_t i = 0;

    while (i < n && s[i] >= '0' && s[i] <= '9') {
        i++;
    }
    if (n > 0 && i == n) {
        *whole_day = *zone_missing = false;
        return parse_digits(t, s, n);
    }
    if (dl_day_parse(&day, s, n)) {
        *t = dl_day_start(day);
        *whole_day = true;
        *zone_missing = false;
        return true;
    }
    if (!dl_time_parse_rfc3339(t, &no_zone, s, n)) {
        return false;
    }
    *whole_day = false;
    *zone_missing = no_zone;
    return true;
}
