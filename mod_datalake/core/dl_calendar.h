/* dl_calendar.h - When something is due: calendar expressions.
 *
 *     [WEEKDAYS ]*-MONTHS-DAYS HOURS:MINUTES
 *
 * as systemd.time(7) writes them, without its ranges, steps and seconds: each
 * of the four is * or a comma list of numbers, WEEKDAYS a comma list of Mon to
 * Sun.  "*-*-* 02:00" is every night, "*-*-08 10:00" the eighth of each month,
 * "Mon *-*-* 06:30" each Monday, "*-*-* *:00,30" each half hour.
 *
 * Times are those that the clocks of a zone show.  One that a change of the
 * clocks leaves out is due just behind the change; of one that is shown twice
 * the first counts.
 *
 * Thread: any, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_CALENDAR_H
#define DL_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

#include "dl_time.h"
#include "dl_zone.h"

/* A calendar expression that was read: sets of numbers as bits. */
typedef struct dl_calendar {
    uint64_t minutes;  /* 0..59 */
    uint32_t hours;    /* 0..23 */
    uint32_t days;     /* 1..31 */
    uint32_t months;   /* 1..12 */
    uint32_t weekdays; /* 0 (Monday)..6 */
} dl_calendar;

/* Set *CALENDAR to what TEXT says; false: it is no calendar expression, or
 * names no day that there is (*-02-30). */
bool dl_calendar_parse(dl_calendar *calendar, const char *text);

/* Return the first instant behind AFTER at which CALENDAR is due by the clocks
 * of ZONE; DL_TIME_NONE: not before the year 10000. */
dl_time dl_calendar_next(const dl_calendar *calendar, const dl_zone *zone,
                         dl_time after);

#endif
