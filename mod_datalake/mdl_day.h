/* mdl_day.h - A day's records on their way out, of any length, in any format.
 *
 *   JSON     an array; NDJSON  the lines as they stand in the file
 *   CSV      reads the day twice: its columns are the names its records have
 *
 * Memory: one stretch of lines (dl_lake_stretch.h), one block of the stream
 * and, but for NDJSON, one buffer of the same size; whatever the day's size.
 *
 * A client that reads slowly keeps a thread of httpd busy, so at most half of
 * the server's threads send days of more than MDL_DAY_LONG bytes at once; the
 * next one is 503 overloaded, and everything else goes on.
 *
 * Thread: the request's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_DAY_H
#define MDL_DAY_H

#include <stdbool.h>

#include <httpd.h>

#include "dl_error.h"
#include "dl_lake_reader.h"
#include "mdl_request.h"

/* Bytes of a day from which on it takes a place. */
#define MDL_DAY_LONG ((uint64_t)1048576)

/* A day to be sent. */
typedef struct mdl_day {
    mdl_request *q;         /* the request, whose format it gets */
    const char *dataset;    /* whose day */
    const char *name;       /* "dataset/date.json", for log lines */
    dl_lake_snapshot *snap; /* the state it is read from */
    dl_lake_range range;    /* which lines; coordinates are _dl */
    dl_lake_scan *scan;     /* the lines, opened over RANGE */
} mdl_day;

/* Make the places, kept over graceful restarts.  DL_IO: no shared memory.
 * Thread: start only. */
DL_MUSTCHECK dl_status mdl_day_open(const server_rec *server, dl_error *err);

/* Answer with DAY: 200, or 503 when it is damaged at its begin or too many
 * are being sent.  Damage further on cuts the connection.  Returns OK or the
 * status of a problem. */
int mdl_day_send(const mdl_day *day);

#endif
