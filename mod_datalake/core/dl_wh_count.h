/* dl_wh_count.h - How many rows a table of the multi-source lake has.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_WH_COUNT_H
#define DL_WH_COUNT_H

#include <stdint.h>

#include "dl_wh.h"

/* What is counted. */
typedef enum dl_counted {
    DL_COUNT_LOGS,    /* lines of logs */
    DL_COUNT_POSTS,   /* posts */
    DL_COUNT_PAYMENTS /* payments of clients */
} dl_counted;

/* Set *N to how many rows there are of WHAT: what is kept with them
 * (dl_wh_rows.h), else they are counted.  Thread: the connection's. */
DL_MUSTCHECK dl_status dl_wh_count(int64_t *n, dl_wh *wh, dl_counted what,
                                   dl_error *err);

#endif
