/* dl_zone_rule.c - Parse and apply the rule of a zone.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_zone_rule.h"

#include <string.h>

#include "dl_time.h"

/* Bounds of RFC 8536: hours of an offset and of a time. */
enum {
    DAY_S = 86400,
    MAX_OFFSET_HOURS = 24,
    MAX_TIME_HOURS = 167
};

/* The rest of a rule's text. */
typedef struct cursor {
    const char *s;   /* the next byte */
    const char *end; /* behind the last one */
} cursor;

static bool take(cursor *c, char wanted)
{
    if (c->s < c->end && *c->s == wanted) {
        c->s++;
        return true;
    }
    return false;
}

/* Read a number of at most MOST. */
static bool get_number(int *value, cursor *c, int most)
{
    const char *first = c->s;
    int sum = 0;

    while (c->s < c->end && *c->s >= '0' && *c->s <= '9' && sum <= most) {
        sum = sum * 10 + (*c->s++ - '0');
    }
    *value = sum;
    return c->s > first && sum <= most;
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Skip an abbreviation: letters, or anything between < and >. */
static bool skip_name(cursor *c)
{
    const char *first = c->s;

    if (take(c, '<')) {
        const char *stop = memchr(c->s, '>', (size_t)(c->end - c->s));

        if (stop == NULL) {
            return false;
        }
        c->s = stop + 1;
        return true;
    }
    while (c->s < c->end && is_letter(*c->s)) {
        c->s++;
    }
    return c->s - first >= 3;
}

/* Read [+-]hh[:mm[:ss]]. */
static bool get_clock(int32_t *seconds, cursor *c, int most_hours)
{
    bool negative = take(c, '-');
    int hours;
    int minutes = 0;
    int rest = 0;

    if (!negative) {
        take(c, '+');
    }
    if (!get_number(&hours, c, most_hours)) {
        return false;
    }
    if (take(c, ':') && !get_number(&minutes, c, 59)) {
        return false;
    }
    if (take(c, ':') && !get_number(&rest, c, 59)) {
        return false;
    }
    *seconds = hours * 3600 + minutes * 60 + rest;
    *seconds = negative ? -*seconds : *seconds;
    return true;
}

static bool get_month(dl_zone_change *change, cursor *c)
{
    change->kind = DL_ZONE_MONTH;
    return get_number(&change->month, c, 12) && change->month >= 1 &&
           take(c, '.') && get_number(&change->week, c, 5) &&
           change->week >= 1 && take(c, '.') && get_number(&change->day, c, 6);
}

/* Read ",date[/time]". */
static bool get_change(dl_zone_change *change, cursor *c)
{
    bool fine;

    change->seconds = 7200;
    if (!take(c, ',')) {
        return false;
    }
    if (take(c, 'M')) {
        fine = get_month(change, c);
    }
    else if (take(c, 'J')) {
        change->kind = DL_ZONE_JULIAN;
        fine = get_number(&change->day, c, 365) && change->day >= 1;
    }
    else {
        change->kind = DL_ZONE_ZERO;
        fine = get_number(&change->day, c, 365);
    }
    if (fine && take(c, '/')) {
        fine = get_clock(&change->seconds, c, MAX_TIME_HOURS);
    }
    return fine;
}

bool dl_zone_rule_parse(dl_zone_rule *rule, const char *s, size_t n)
{
    cursor c = {.s = s, .end = s + n};

    memset(rule, 0, sizeof *rule);
    if (!skip_name(&c) || !get_clock(&rule->standard_s, &c, MAX_OFFSET_HOURS)) {
        return false;
    }
    /* The text counts westward. */
    rule->standard_s = -rule->standard_s;
    if (c.s == c.end) {
        return true;
    }
    rule->has_summer = true;
    rule->summer_s = rule->standard_s + 3600;
    if (!skip_name(&c)) {
        return false;
    }
    if (c.s < c.end && *c.s != ',') {
        if (!get_clock(&rule->summer_s, &c, MAX_OFFSET_HOURS)) {
            return false;
        }
        rule->summer_s = -rule->summer_s;
    }
    return get_change(&rule->start, &c) && get_change(&rule->end, &c) &&
           c.s == c.end;
}

static bool is_leap(int year)
{
    return dl_day_exists(year, 2, 29);
}

/* The day of an Mm.w.d CHANGE in YEAR. */
static dl_day month_day(const dl_zone_change *change, int year)
{
    dl_day first = dl_day_of(year, change->month, 1);
    /* 1970-01-01 was a Thursday, day 4. */
    int weekday = ((first + 4) % 7 + 7) % 7;
    int day = 1 + (change->day - weekday + 7) % 7 + (change->week - 1) * 7;

    while (!dl_day_exists(year, change->month, day)) {
        day -= 7;
    }
    return first + day - 1;
}

/* The local second of CHANGE in YEAR. */
static int64_t change_at(const dl_zone_change *change, int year)
{
    dl_day day = 0;

    switch (change->kind) {
    case DL_ZONE_MONTH:
        day = month_day(change, year);
        break;
    case DL_ZONE_JULIAN:
        day = dl_day_of(year, 1, 1) + change->day - 1;
        day += is_leap(year) && change->day >= 60 ? 1 : 0;
        break;
    case DL_ZONE_ZERO:
        day = dl_day_of(year, 1, 1) + change->day;
        break;
    }
    return (int64_t)day * DAY_S + change->seconds;
}

/* The year SECONDS lies in. */
static int year_of(int64_t seconds)
{
    int year = 1970 + (int)(seconds / (int64_t)(365.2425 * DAY_S));

    while ((int64_t)dl_day_of(year, 1, 1) * DAY_S > seconds) {
        year--;
    }
    while ((int64_t)dl_day_of(year + 1, 1, 1) * DAY_S <= seconds) {
        year++;
    }
    return year;
}

int32_t dl_zone_rule_offset(const dl_zone_rule *rule, int64_t seconds)
{
    int64_t start;
    int64_t end;
    int year;
    bool summer;

    if (!rule->has_summer) {
        return rule->standard_s;
    }
    year = year_of(seconds + rule->standard_s);
    start = change_at(&rule->start, year) - rule->standard_s;
    end = change_at(&rule->end, year) - rule->summer_s;
    if (start < end) {
        summer = seconds >= start && seconds < end;
    }
    else {
        summer = seconds >= start || seconds < end;
    }
    return summer ? rule->summer_s : rule->standard_s;
}
