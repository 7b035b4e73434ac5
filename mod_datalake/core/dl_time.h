/* dl_time.h - Instants, days and their texts, without libc's calendar.
 *
 * An instant is a count of microseconds since 1970-01-01T00:00:00Z, a day a
 * count of days since then.  Both calendars are the proleptic Gregorian one,
 * UTC, without leap seconds.  Only years 1970 to 9999 are formatted or
 * parsed.  Nothing here reads TZ or the locale.
 *
 * Thread: any, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_TIME_H
#define DL_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Microseconds since 1970-01-01T00:00:00Z. */
typedef int64_t dl_time;

/* Days since 1970-01-01. */
typedef int32_t dl_day;

/* No instant at all: unknown, missing. */
#define DL_TIME_NONE INT64_MIN

/* No day at all. */
#define DL_DAY_NONE INT32_MIN

/* Microseconds of a second and of a day. */
#define DL_SECOND_US 1000000
#define DL_DAY_US    86400000000

/* The first instant that is too late to have a text: 10000-01-01. */
#define DL_TIME_END 253402300800000000

/* Room for a text and its NUL: 2026-05-18, 2026-05-18T09:30:00.000000Z,
 * 2026-05-18 09:30:00.000000. */
#define DL_DAY_TEXT  11
#define DL_TIME_TEXT 28
#define DL_TIME_SQL  27

/* Return the wall clock. */
dl_time dl_time_now(void);

/* Return microseconds of a clock that never goes back; only differences mean
 * anything. */
int64_t dl_time_monotonic_us(void);

/* Return the UTC day T lies in; T may lie before 1970. */
dl_day dl_time_day(dl_time t);

/* Return the first instant of D. */
dl_time dl_day_start(dl_day d);

/* Return the day of YEAR (0..9999), MONTH (1..12), DAY; the caller has
 * checked that there is such a day. */
dl_day dl_day_of(int year, int month, int day);

/* Return whether YEAR-MONTH-DAY is a day of the calendar. */
bool dl_day_exists(int year, int month, int day);

/* Write D as 2026-05-18.  A day outside the years 1970..9999 is written as
 * the nearest day inside. */
void dl_day_format(char out[DL_DAY_TEXT], dl_day d);

/* Set *D from the N bytes at S, which must be exactly YYYY-MM-DD, a day of
 * the calendar, year 1970..9999; else return false, *D untouched. */
bool dl_day_parse(dl_day *d, const char *s, size_t n);

/* Write T as RFC 3339 with six digits and Z.  An instant outside the years
 * 1970..9999 is written as the nearest one inside. */
void dl_time_format(char out[DL_TIME_TEXT], dl_time t);

/* Write T as SQL text, 2026-05-18 09:30:00.000000, bounded likewise. */
void dl_time_format_sql(char out[DL_TIME_SQL], dl_time t);

/* Set *T from the N bytes at S: YYYY-MM-DD, 'T', 't' or a space, HH:MM:SS, an
 * optional fraction of 1 to 9 digits (cut after six), and 'Z', 'z' or
 * +HH:MM / -HH:MM.  Without the last *ZONE_MISSING is set and *T is the
 * instant as if it were UTC (see dl_zone.h).  Second 60 stands for the next
 * minute and is allowed only where a leap second can be: at 23:59 UTC, or,
 * when the zone is missing, at any minute 59.  Return false, outputs untouched,
 * for anything else, also for years outside 1970..9999. */
bool dl_time_parse_rfc3339(dl_time *t, bool *zone_missing, const char *s,
                           size_t n);

/* Set *T from the N bytes at S, a number of unix seconds in JSON syntax
 * (exponent allowed).  Digits past the microsecond are cut.  Return false,
 * *T untouched, for anything else, also for years outside 1970..9999. */
bool dl_time_parse_unix(dl_time *t, const char *s, size_t n);

/* Set *T from the N_DATE bytes at DATE, a day as logs in Common Log Format
 * write it, 20/Jan/2023, and the N_CLOCK bytes at CLOCK, 11:37:58, in UTC;
 * return false, *T untouched, for anything else, also for years outside
 * 1970..9999. */
bool dl_time_parse_log(dl_time *t, const char *date, size_t n_date,
                       const char *clock, size_t n_clock);

/* Set *T from the N bytes at S as a client may write a time: RFC 3339 with a
 * zone, a date (its first instant), 9 to 11 digits (unix seconds) or 12 to 14
 * (milliseconds).  *WHOLE_DAY: it was a date; *ZONE_MISSING as above.  Return
 * false, outputs untouched, for anything else. */
bool dl_time_parse_asked(dl_time *t, bool *whole_day, bool *zone_missing,
                         const char *s, size_t n);

#endif
