/* dl_date.h - Dates and times in formats of other programs, both ways.
 *
 * A format is text with directives, a small part of strptime(3):
 *
 *     %Y year, 4 digits    %m month, 01..12    %d day, 01..31
 *     %y year, 2 digits: 1970..2069            %e day, also " 5" and "5"
 *     %b month, English: Jan, any case         %p AM or PM, with %I
 *     %H hour, 00..23      %I hour, 01..12     %M minute     %S second
 *     %f fraction of a second, 1 to 9 digits   %s unix seconds
 *     %z zone: Z, +0100, +01:00                %% a percent sign
 *
 * %m, %d, %H, %I, %M and %S also read one digit where a character that is no
 * digit follows.  All else stands for itself.  What a format has no directive for
 * is 1 January, 00:00:00 UTC; a year must be there.  %s, which also reads a
 * fraction, is the only directive of its format, and %f comes once, so that
 * what is written by a format can be read by it.
 *
 * Thread: any, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_DATE_H
#define DL_DATE_H

#include <stdbool.h>
#include <stddef.h>

#include "dl_time.h"

/* Most bytes of a format, and of a text made by one, its NUL included. */
#define DL_DATE_FORMAT 128
#define DL_DATE_TEXT   512

/* What a format holds. */
typedef struct dl_date_parts {
    bool day;   /* year, month and day, or seconds since 1970 */
    bool clock; /* the hour at least, or seconds since 1970 */
    bool zone;  /* a zone, or seconds since 1970 */
} dl_date_parts;

/* Set *PARTS to what FORMAT holds; false: it is none, or longer than a format
 * may be. */
bool dl_date_format_check(dl_date_parts *parts, const char *format);

/* Set *T from the N bytes at S, which must be FORMAT to their end, in UTC
 * where no zone is told; else false, *T untouched, also for years outside
 * 1970..9999. */
bool dl_date_parse(dl_time *t, const char *s, size_t n, const char *format);

/* Write T, in UTC, as FORMAT to OUT; return its length without the NUL. */
size_t dl_date_format(char out[DL_DATE_TEXT], dl_time t, const char *format);

#endif
