/* dlc_collect_settle.h - Which rows of a table may be taken now, so that none
 * is passed over.
 *
 * A server gives a transaction its number (AUTO_INCREMENT) long before it
 * commits: while number 7 is open, 8 can be there already.  Who reads 8 and
 * goes on behind it never sees 7.  So a row is taken when
 *
 *   - its key follows on the key of the last one: nothing fits in between, or
 *   - its key is not above the greatest key that could be seen SETTLE ago:
 *     what was given a smaller number has been committed since, or never is.
 *
 * Rows without gaps are thus taken at once, and a number that was never used
 * costs SETTLE once.  A transaction that stays open for longer than that may be
 * passed over.
 *
 * Times are those of dl_time_monotonic_us.  Thread: the owner.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_COLLECT_SETTLE_H
#define DLC_COLLECT_SETTLE_H

#include <stdbool.h>
#include <stdint.h>

/* Looks at the greatest key that are kept: SETTLE is cut into so many. */
#define DLC_COLLECT_SETTLE_LOOKS 8

/* One look. */
typedef struct dlc_collect_look {
    int64_t top;   /* the greatest key that could be seen */
    int64_t at_us; /* when; 0: no such look */
} dlc_collect_look;

/* What is known of a table.  Zeroed, it holds nothing back. */
typedef struct dlc_collect_settle {
    int64_t settle_us; /* see above; 0: nothing is held back */
    int64_t first_top; /* of the first look; below 0: none yet, or no row */
    int64_t sure;      /* the greatest key of a look that is old enough */
    dlc_collect_look looks[DLC_COLLECT_SETTLE_LOOKS]; /* a ring */
    int last;                                         /* the newest of them */
    bool looked;                                      /* there was one */
} dlc_collect_settle;

/* Set S to hold rows back for SETTLE_MS. */
void dlc_collect_settle_begin(dlc_collect_settle *s, int64_t settle_ms);

/* Return whether the greatest key is to be looked at, now, at NOW_US. */
bool dlc_collect_settle_due(const dlc_collect_settle *s, int64_t now_us);

/* TOP was the greatest key, below 0: there was no row; the answer was there at
 * NOW_US. */
void dlc_collect_settle_look(dlc_collect_settle *s, int64_t top,
                             int64_t now_us);

/* Rows are read from NOW_US on: what is said of them holds for that time. */
void dlc_collect_settle_read(dlc_collect_settle *s, int64_t now_us);

/* Return whether the row of KEY, behind that of LAST, may be taken. */
bool dlc_collect_settle_may(const dlc_collect_settle *s, int64_t key,
                            int64_t last);

/* Return whether KEY was not there at the first look: who collects what is
 * there leaves it to the next time. */
bool dlc_collect_settle_later(const dlc_collect_settle *s, int64_t key);

#endif
