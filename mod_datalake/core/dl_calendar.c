/* dl_calendar.c - Reading calendar expressions, and walking the days.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_calendar.h"

#include <string.h>
#include <strings.h>

/* Every date of the calendar comes within as many days. */
#define HORIZON (8 * 366 + 1)

/* Seconds of an hour and a minute in microseconds. */
#define HOUR_US   (INT64_C(3600) * DL_SECOND_US)
#define MINUTE_US (INT64_C(60) * DL_SECOND_US)

/* --- Reading -------------------------------------------------------------- */

/* Read a comma list of names of weekdays at *AT and the space behind it; true
 * without moving when there is none. */
static bool read_weekdays(uint32_t *set, const char **at)
{
    static const char names[] = "MonTueWedThuFriSatSun";

    *set = 0x7F;
    if (**at == '*') {
        return true;
    }
    *set = 0;
    for (;;) {
        int i;

        for (i = 0; i < 7 && strncasecmp(*at, names + (size_t)(3 * i), 3) != 0;
             i++) {
            continue;
        }
        if (i == 7) {
            return false;
        }
        *set |= 1u << i;
        *at += 3;
        if (**at != ',') {
            break;
        }
        ++*at;
    }
    if (**at != ' ') {
        return false;
    }
    ++*at;
    return true;
}

/* Read a number of one or two digits at *AT. */
static bool read_number(int *value, const char **at)
{
    const char *digit = *at;

    *value = 0;
    while (*digit >= '0' && *digit <= '9' && digit - *at < 3) {
        *value = *value * 10 + (*digit++ - '0');
    }
    if (digit == *at || digit - *at > 2) {
        return false;
    }
    *at = digit;
    return true;
}

/* Read * or a comma list of numbers in FIRST..LAST at *AT, and END behind. */
static bool read_set(uint64_t *set, const char **at, int first, int last,
                     char end)
{
    *set = 0;
    if (**at == '*') {
        ++*at;
        *set = ~UINT64_C(0);
    }
    else {
        for (;;) {
            int value;

            if (!read_number(&value, at) || value < first || value > last) {
                return false;
            }
            *set |= UINT64_C(1) << value;
            if (**at != ',') {
                break;
            }
            ++*at;
        }
    }
    if (**at != end) {
        return false;
    }
    *at += end != '\0';
    return true;
}

/* Whether there is a day as CALENDAR names it. */
static bool names_a_day(const dl_calendar *calendar)
{
    int month;
    int day;

    for (month = 1; month <= 12; month++) {
        for (day = 1; day <= 31; day++) {
            if ((calendar->months >> month & 1) != 0 &&
                (calendar->days >> day & 1) != 0 &&
                dl_day_exists(2000, month, day)) {
                return true;
            }
        }
    }
    return false;
}

bool dl_calendar_parse(dl_calendar *calendar, const char *text)
{
    uint64_t months;
    uint64_t days;
    uint64_t hours;

    if (!read_weekdays(&calendar->weekdays, &text) ||
        strncmp(text, "*-", 2) != 0) {
        return false;
    }
    text += 2;
    if (!read_set(&months, &text, 1, 12, '-') ||
        !read_set(&days, &text, 1, 31, ' ') ||
        !read_set(&hours, &text, 0, 23, ':') ||
        !read_set(&calendar->minutes, &text, 0, 59, '\0')) {
        return false;
    }
    calendar->months = (uint32_t)months;
    calendar->days = (uint32_t)days;
    calendar->hours = (uint32_t)hours;
    return names_a_day(calendar);
}

/* --- Walking -------------------------------------------------------------- */

/* Whether CALENDAR is due on the day D of the clocks. */
static bool is_due_on(const dl_calendar *calendar, dl_day d)
{
    char text[DL_DAY_TEXT];
    int month;
    int day;
    /* 1970-01-01 was a Thursday. */
    int weekday = (int)(((int64_t)d % 7 + 7 + 3) % 7);

    dl_day_format(text, d);
    month = (text[5] - '0') * 10 + (text[6] - '0');
    day = (text[8] - '0') * 10 + (text[9] - '0');
    return (calendar->months >> month & 1) != 0 &&
           (calendar->days >> day & 1) != 0 &&
           (calendar->weekdays >> weekday & 1) != 0;
}

/* Return the first instant behind AFTER at which CALENDAR is due on day D of
 * the clocks of ZONE, or DL_TIME_NONE. */
static dl_time first_on(const dl_calendar *calendar, const dl_zone *zone,
                        dl_day d, dl_time after)
{
    int hour;
    int minute;

    for (hour = 0; hour < 24; hour++) {
        for (minute = 0; minute < 60; minute++) {
            dl_time due;

            if ((calendar->hours >> hour & 1) == 0 ||
                (calendar->minutes >> minute & 1) == 0) {
                continue;
            }
            due = dl_zone_instant(zone, dl_day_start(d) + hour * HOUR_US +
                                            minute * MINUTE_US);
            if (due > after) {
                return due;
            }
        }
    }
    return DL_TIME_NONE;
}

dl_time dl_calendar_next(const dl_calendar *calendar, const dl_zone *zone,
                         dl_time after)
{
    /* The clocks may be behind UTC. */
    dl_day first = dl_time_day(after) - 1;
    dl_day d;

    for (d = first; d < first + HORIZON; d++) {
        dl_time due = DL_TIME_NONE;

        if (is_due_on(calendar, d)) {
            due = first_on(calendar, zone, d, after);
        }
        if (due != DL_TIME_NONE) {
            return due < DL_TIME_END ? due : DL_TIME_NONE;
        }
    }
    return DL_TIME_NONE;
}
