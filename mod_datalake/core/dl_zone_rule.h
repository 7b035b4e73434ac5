/* dl_zone_rule.h - The rule for the future at the end of a TZif file.
 *
 * A text like "CET-1CEST,M3.5.0,M10.5.0/3" (POSIX TZ with the extensions of
 * RFC 8536, 3.3.1).  For dl_zone.c only.
 *
 * Thread: any, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_ZONE_RULE_H
#define DL_ZONE_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a day of the year is named. */
typedef enum dl_zone_day {
    DL_ZONE_MONTH,  /* Mm.w.d: weekday d of week w (5: the last) of month m */
    DL_ZONE_JULIAN, /* Jn: day n from 1, February 29 never counted */
    DL_ZONE_ZERO    /* n: day n from 0, February 29 counted */
} dl_zone_day;

/* The moment of a change, in the local time before it. */
typedef struct dl_zone_change {
    dl_zone_day kind;     /* which of the members below */
    int month, week, day; /* MONTH: all three; else day alone */
    int32_t seconds;      /* behind midnight, may be negative */
} dl_zone_change;

/* A rule. */
typedef struct dl_zone_rule {
    int32_t standard_s;   /* seconds ahead of UTC in winter */
    bool has_summer;      /* the rest is set */
    int32_t summer_s;     /* seconds ahead of UTC in summer */
    dl_zone_change start; /* of summer time */
    dl_zone_change end;   /* of summer time */
} dl_zone_rule;

/* Set *RULE from the N bytes at S; false when they are none. */
bool dl_zone_rule_parse(dl_zone_rule *rule, const char *s, size_t n);

/* Return the seconds ahead of UTC at SECONDS since 1970. */
int32_t dl_zone_rule_offset(const dl_zone_rule *rule, int64_t seconds);

#endif
