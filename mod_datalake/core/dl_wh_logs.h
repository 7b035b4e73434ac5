/* dl_wh_logs.h - Lines of web servers' logs as the warehouse has them.
 *
 * Thread: the connection's, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_WH_LOGS_H
#define DL_WH_LOGS_H

#include <stdint.h>

#include "dl_wh.h"

/* Members that a line has as they were produced. */
#define DL_LOG_MEMBERS 8

/* Their names, in the order of dl_log_line. */
extern const char *const dl_log_members[DL_LOG_MEMBERS];

/* One line.  Texts live in the statement and are dead after the call that got
 * them. */
typedef struct dl_log_line {
    int64_t id;                        /* made of the place of its record */
    const char *texts[DL_LOG_MEMBERS]; /* by dl_log_members; NULL: it has no
                                          such member */
    dl_time timestamp;                 /* Date and Time */
} dl_log_line;

/* Receives one line; a return other than DL_OK ends the walk and is passed on.
 * It must not use the connection. */
typedef dl_status dl_log_each(void *context, const dl_log_line *line,
                              dl_error *err);

/* A page of the lines of an address. */
typedef struct dl_log_page {
    const char *address; /* the IP_Address as it is stored */
    dl_time before;      /* older than this; DL_TIME_NONE: the newest */
    int64_t before_id;   /* ... or as old, with an id below this one */
    int max;             /* at most so many */
} dl_log_page;

/* Call EACH with the lines of PAGE, by time and id, both falling. */
DL_MUSTCHECK dl_status dl_wh_logs_read(dl_wh *wh, const dl_log_page *page,
                                       dl_log_each *each, void *context,
                                       dl_error *err);

#endif
