/* dl_date.c - Dates and times in formats of other programs, both ways.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_date.h"

#include <stdio.h>
#include <string.h>

/* What was read so far. */
typedef struct date_reading {
    const char *s;     /* the next byte */
    size_t left;       /* bytes from there on */
    int year;          /* 0: not told */
    int month;         /* 1..12 */
    int day;           /* 1..31 */
    int hour;          /* 0..23, or 1..12 with a half */
    int minute;        /* 0..59 */
    int second;        /* 0..59 */
    int half;          /* 1: AM, 2: PM, 0: not told */
    bool twelve;       /* the hour is one of twelve */
    int64_t fraction;  /* microseconds */
    int zone;          /* minutes east of UTC */
    dl_time unix_time; /* DL_TIME_NONE: not told */
} date_reading;

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* Pass over white space. */
static void skip_space(date_reading *d)
{
    while (d->left > 0 && *d->s == ' ') {
        d->s++;
        d->left--;
    }
}

/* Read LEAST to MOST digits into *VALUE. */
static bool read_digits(int *value, date_reading *d, size_t least, size_t most)
{
    size_t n = 0;

    *value = 0;
    while (n < most && n < d->left && d->s[n] >= '0' && d->s[n] <= '9') {
        *value = *value * 10 + (d->s[n++] - '0');
    }
    d->s += n;
    d->left -= n;
    return n >= least;
}

/* Read a fraction of a second. */
static bool read_fraction(date_reading *d)
{
    size_t before = d->left;
    int digits;
    size_t n;

    if (!read_digits(&digits, d, 1, 9)) {
        return false;
    }
    d->fraction = digits;
    for (n = before - d->left; n < 6; n++) {
        d->fraction *= 10;
    }
    for (; n > 6; n--) {
        d->fraction /= 10;
    }
    return true;
}

/* Read seconds since 1970. */
static bool read_unix(date_reading *d)
{
    size_t n = 0;

    while (n < d->left &&
           ((d->s[n] >= '0' && d->s[n] <= '9') || d->s[n] == '.')) {
        n++;
    }
    if (!dl_time_parse_unix(&d->unix_time, d->s, n)) {
        return false;
    }
    d->s += n;
    d->left -= n;
    return true;
}

/* Read the English name of a month. */
static bool read_month(date_reading *d)
{
    char name[3];

    if (d->left < 3) {
        return false;
    }
    for (int i = 0; i < 3; i++) {
        name[i] = (char)(d->s[i] | 0x20);
    }
    name[0] = (char)(name[0] & ~0x20);
    for (d->month = 1; d->month <= 12; d->month++) {
        if (memcmp(months + (size_t)3 * (size_t)(d->month - 1), name, 3) == 0) {
            d->s += 3;
            d->left -= 3;
            return true;
        }
    }
    return false;
}

/* Read AM or PM. */
static bool read_half(date_reading *d)
{
    int letter = d->left < 2 ? 0 : d->s[0] | 0x20;

    if ((letter != 'a' && letter != 'p') || (d->s[1] | 0x20) != 'm') {
        return false;
    }
    d->half = letter == 'a' ? 1 : 2;
    d->s += 2;
    d->left -= 2;
    return true;
}

/* Read Z, +0100 or +01:00. */
static bool read_zone(date_reading *d)
{
    int hours;
    int minutes;
    int sign;

    if (d->left == 0) {
        return false;
    }
    sign = *d->s == '-' ? -1 : 1;
    if (*d->s != '+' && *d->s != '-' && *d->s != 'Z' && *d->s != 'z') {
        return false;
    }
    d->left--;
    if (*d->s == 'Z' || *d->s == 'z') {
        d->s++;
        return true;
    }
    d->s++;
    if (!read_digits(&hours, d, 2, 2)) {
        return false;
    }
    if (d->left > 0 && *d->s == ':') {
        d->s++;
        d->left--;
    }
    d->zone = 0;
    if (!read_digits(&minutes, d, 2, 2) || hours > 23 || minutes > 59) {
        return false;
    }
    d->zone = sign * (hours * 60 + minutes);
    return true;
}

/* Read a year of two digits: 1970 to 2069. */
static bool read_short_year(date_reading *d)
{
    if (!read_digits(&d->year, d, 2, 2)) {
        return false;
    }
    d->year += d->year < 70 ? 2000 : 1900;
    return true;
}

/* Read the hour, one of twelve when TWELVE. */
static bool read_hour(date_reading *d, bool twelve)
{
    d->twelve = twelve;
    return read_digits(&d->hour, d, 1, 2);
}

/* Read what DIRECTIVE, behind %, stands for. */
static bool read_directive(date_reading *d, char directive)
{
    switch (directive) {
    case 'Y':
        return read_digits(&d->year, d, 4, 4);
    case 'y':
        return read_short_year(d);
    case 'm':
        return read_digits(&d->month, d, 1, 2);
    case 'e':
        skip_space(d);
        return read_digits(&d->day, d, 1, 2);
    case 'd':
        return read_digits(&d->day, d, 1, 2);
    case 'b':
        return read_month(d);
    case 'H':
    case 'I':
        return read_hour(d, directive == 'I');
    case 'M':
        return read_digits(&d->minute, d, 1, 2);
    case 'S':
        return read_digits(&d->second, d, 1, 2);
    case 'f':
        return read_fraction(d);
    case 'p':
        return read_half(d);
    case 's':
        return read_unix(d);
    case 'z':
        return read_zone(d);
    default:
        return false;
    }
}

/* Set *T to what D has read; false: there is no such instant. */
static bool make_time(dl_time *t, const date_reading *d)
{
    int hour = d->hour;
    dl_time made;

    if (d->unix_time != DL_TIME_NONE) {
        *t = d->unix_time;
        return true;
    }
    if (d->twelve) {
        if (hour < 1 || hour > 12) {
            return false;
        }
        hour = hour % 12 + (d->half == 2 ? 12 : 0);
    }
    if (d->year < 1970 || d->month < 1 || d->month > 12 ||
        !dl_day_exists(d->year, d->month, d->day) || hour > 23 ||
        d->minute > 59 || d->second > 59) {
        return false;
    }
    made = dl_day_start(dl_day_of(d->year, d->month, d->day)) +
           ((hour * 60 + d->minute - d->zone) * INT64_C(60) + d->second) *
               DL_SECOND_US +
           d->fraction;
    if (made < 0 || made >= DL_TIME_END) {
        return false;
    }
    *t = made;
    return true;
}

bool dl_date_parse(dl_time *t, const char *s, size_t n, const char *format)
{
    date_reading d = {
        .s = s, .left = n, .month = 1, .day = 1, .unix_time = DL_TIME_NONE};

    for (; *format != '\0'; format++) {
        if (*format == '%' && format[1] != '%') {
            if (!read_directive(&d, *++format)) {
                return false;
            }
            continue;
        }
        if (*format == '%') {
            format++;
        }
        if (d.left == 0 || *d.s != *format) {
            return false;
        }
        d.s++;
        d.left--;
    }
    return d.left == 0 && make_time(t, &d);
}

/* What of a date each directive tells. */
enum {
    YEAR = 1,
    MONTH = 2,
    DAY = 4,
    HOUR = 8,
    ZONE = 16,
    OTHER = 32,
    ALL = YEAR | MONTH | DAY | HOUR | ZONE
};

/* Return what DIRECTIVE tells, 0: it is none. */
static int told_by(char directive)
{
    static const char letters[] = "YymbdeHIzsMSfp";
    static const int tells[] = {YEAR, YEAR, MONTH, MONTH, DAY,   DAY,   HOUR,
                                HOUR, ZONE, ALL,   OTHER, OTHER, OTHER, OTHER};
    const char *at = directive == '\0' ? NULL : strchr(letters, directive);

    return at == NULL ? 0 : tells[at - letters];
}

bool dl_date_format_check(dl_date_parts *parts, const char *format)
{
    const int day = YEAR | MONTH | DAY;
    bool unix_time = false;
    int fractions = 0;
    int told = 0;
    int n = 0;
    const char *f;

    if (strlen(format) >= DL_DATE_FORMAT) {
        return false;
    }
    for (f = format; *f != '\0'; f++) {
        if (*f != '%') {
            continue;
        }
        f++;
        if (*f == '%') {
            continue;
        }
        if (told_by(*f) == 0) {
            return false;
        }
        told |= told_by(*f);
        unix_time = unix_time || *f == 's';
        fractions += *f == 'f' ? 1 : 0;
        n++;
    }
    parts->day = (told & day) == day;
    parts->clock = (told & HOUR) != 0;
    parts->zone = (told & ZONE) != 0;
    return n > 0 && fractions < 2 && (n == 1 || !unix_time);
}

/* What is written of an instant. */
typedef struct date_written {
    int year;          /* 1970..9999 */
    int month;         /* 1..12 */
    int day;           /* 1..31 */
    int hour;          /* 0..23 */
    int minute;        /* 0..59 */
    int second;        /* 0..59 */
    int us;            /* microseconds */
    int64_t unix_time; /* seconds since 1970 */
} date_written;

/* Take T apart. */
static date_written take_apart(dl_time t)
{
    char text[DL_TIME_SQL];
    date_written w;
    dl_time own;
    bool ignored;

    dl_time_format_sql(text, t);
    (void)dl_time_parse_rfc3339(&own, &ignored, text, strlen(text));
    w.year = (text[0] - '0') * 1000 + (text[1] - '0') * 100 +
             (text[2] - '0') * 10 + (text[3] - '0');
    w.month = (text[5] - '0') * 10 + (text[6] - '0');
    w.day = (text[8] - '0') * 10 + (text[9] - '0');
    w.hour = (text[11] - '0') * 10 + (text[12] - '0');
    w.minute = (text[14] - '0') * 10 + (text[15] - '0');
    w.second = (text[17] - '0') * 10 + (text[18] - '0');
    w.us = (int)(own % DL_SECOND_US);
    w.unix_time = own / DL_SECOND_US;
    return w;
}

/* Write what DIRECTIVE stands for to the SIZE bytes at OUT; return its
 * length. */
static int write_directive(char *out, size_t size, const date_written *w,
                           char directive)
{
    int twelve = w->hour % 12 == 0 ? 12 : w->hour % 12;

    switch (directive) {
    case 'Y':
        return snprintf(out, size, "%04d", w->year);
    case 'y':
        return snprintf(out, size, "%02d", w->year % 100);
    case 'm':
        return snprintf(out, size, "%02d", w->month);
    case 'd':
        return snprintf(out, size, "%02d", w->day);
    case 'e':
        return snprintf(out, size, "%2d", w->day);
    case 'b':
        return snprintf(out, size, "%.3s",
                        months + (size_t)3 * (size_t)(w->month - 1));
    case 'H':
        return snprintf(out, size, "%02d", w->hour);
    case 'I':
        return snprintf(out, size, "%02d", twelve);
    case 'M':
        return snprintf(out, size, "%02d", w->minute);
    case 'S':
        return snprintf(out, size, "%02d", w->second);
    case 'f':
        return snprintf(out, size, "%06d", w->us);
    case 'p':
        return snprintf(out, size, "%s", w->hour < 12 ? "AM" : "PM");
    case 's':
        return snprintf(out, size, "%lld", (long long)w->unix_time);
    case 'z':
        return snprintf(out, size, "+0000");
    default:
        return snprintf(out, size, "%%");
    }
}

size_t dl_date_format(char out[DL_DATE_TEXT], dl_time t, const char *format)
{
    date_written w = take_apart(t);
    size_t n = 0;

    /* The longest, %s, writes 12 bytes for two. */
    for (; *format != '\0' && n < DL_DATE_TEXT - 16; format++) {
        if (*format == '%' && format[1] != '\0') {
            n += (size_t)write_directive(out + n, DL_DATE_TEXT - n, &w,
                                         *++format);
        }
        else {
            out[n++] = *format;
        }
    }
    out[n] = '\0';
    return n;
}
