/* fuzz_time.c - Times and days: what is read is written as it was meant.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "dl_decimal.h"
#include "dl_time.h"

const char *const fuzz_seeds[] = {"2026-05-18T09:30:00.123456+05:30",
                                  "2026-05-18 09:30:00",
                                  "2016-12-31T23:59:60Z",
                                  "2024-02-29",
                                  "1684489425.123456",
                                  "1.5e9",
                                  NULL};

const char *const fuzz_words[] = {"0", "9",  "60",   "-", ":",   "T",
                                  ".", "Z",  "+",    "e", "-00", "9999",
                                  " ", "\0", "1970", NULL};

void fuzz_one(const unsigned char *data, size_t len, apr_pool_t *pool)
{
    const char *s = (const char *)data;
    char text[DL_TIME_TEXT];
    bool zone_missing;
    dl_decimal seconds;
    dl_time t;
    dl_time again;
    dl_day day;

    (void)pool;
    if (dl_time_parse_rfc3339(&t, &zone_missing, s, len)) {
        fuzz_check(t >= 0 && t < DL_TIME_END, "a time is in its bounds");
        dl_time_format(text, t);
        fuzz_check(dl_time_parse_rfc3339(&again, &zone_missing, text,
                                         DL_TIME_TEXT - 1) &&
                       again == t && !zone_missing,
                   "its text is read back");
    }
    if (dl_day_parse(&day, s, len)) {
        dl_day_format(text, day);
        fuzz_check(__builtin_memcmp(text, s, len) == 0,
                   "a day is written as it came");
    }
    if (dl_time_parse_unix(&t, s, len)) {
        fuzz_check(dl_decimal_parse_cut(&seconds, s, len) &&
                       seconds.units / 10000 == t,
                   "both ways of reading seconds agree");
    }
}
