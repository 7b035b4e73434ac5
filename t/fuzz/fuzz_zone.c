/* fuzz_zone.c - Time zone files and their rules.
 *
 * The input is the rule of a file of two changes when it begins with a letter
 * or an angle; otherwise it is the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

#include "dl_zone.h"

const char *const fuzz_seeds[] = {"CET-1CEST,M3.5.0,M10.5.0/3",
                                  "AEST-10AEDT,M10.1.0,M4.1.0/3",
                                  "<-03>3<-02>,J60/-1,J300/24",
                                  "EST5EDT4:30,0,365/167",
                                  "TZif2",
                                  NULL};

const char *const fuzz_words[] = {"0", "9", "-", ",", "/",  ":",  "M1.1.0",
                                  "J", "<", ">", "5", "99", "24", NULL};

/* Put the file with RULE into FILE; return its bytes. */
static size_t make_file(unsigned char file[1000], const unsigned char *rule,
                        size_t len)
{
    static const unsigned char block[] = {
        'T', 'Z', 'i', 'f', '2', 0, 0, 0, 0, 0, 0,  0,  0, 0, 0,   0,   0,   0,
        0,   0,   0,   0,   0,   0, 0, 0, 0, 0, 0,  0,  0, 0, 0,   0,   0,   0,
        0,   0,   0,   1,   0,   0, 0, 4, 0, 0, 14, 16, 0, 0, 'A', 'B', 'C', 0};
    size_t n = sizeof block;

    memcpy(file, block, n);
    memcpy(file + n, block, sizeof block);
    n += sizeof block;
    file[n++] = '\n';
    len = len < 500 ? len : 500;
    memcpy(file + n, rule, len);
    n += len;
    file[n++] = '\n';
    return n;
}

void fuzz_one(const unsigned char *data, size_t len, apr_pool_t *pool)
{
    unsigned char file[1000];
    const dl_zone *zone;
    dl_status status;

    if (len > 4 && memcmp(data, "TZif", 4) == 0) {
        status = dl_zone_decode(&zone, data, len, NULL, pool);
    }
    else {
        len = make_file(file, data, len);
        status = dl_zone_decode(&zone, file, len, NULL, pool);
    }
    if (status != DL_OK) {
        return;
    }
    for (dl_time t = 0; t < DL_TIME_END; t += DL_TIME_END / 97) {
        dl_time back = dl_zone_instant(zone, t);

        fuzz_check(back > t - 8 * DL_DAY_US && back < t + 8 * DL_DAY_US,
                   "a local time is near its instant");
    }
}
