/* dl_syslog.h - Syslog messages: RFC 5424, and RFC 3164 as it is found.
 *
 *     <34>1 2003-10-11T22:14:15.003Z host su 77 ID47 [ex@1 a="b"] text
 *     <34>Oct 11 22:14:15 host su[77]: text
 *
 * Any message can be read: what is neither is one of facility 1 and severity
 * 5 whose text is the whole, as RFC 3164 4.3.3 wants it.  A time of RFC 3164
 * has no year: that which brings it nearest to now is taken; it has no zone
 * either and is written without one.
 *
 * Thread: any, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_SYSLOG_H
#define DL_SYSLOG_H

#include <stddef.h>

#include "dl_buf.h"
#include "dl_cell.h"
#include "dl_error.h"
#include "dl_time.h"

/* Columns of a message. */
#define DL_SYSLOG_COLUMNS 9

/* Their names: facility, severity (numbers), timestamp, host, program, pid,
 * msgid, structured_data (an object of objects of texts), message. */
extern const char *const dl_syslog_names[DL_SYSLOG_COLUMNS];

/* Set CELLS to what the LEN bytes at TEXT say, received at NOW; they point
 * into TEXT and into ROOM, which is emptied first and needs room for 8 * LEN
 * + 64 bytes.  DL_LIMIT: ROOM is full.  Thread: the owner of ROOM. */
DL_MUSTCHECK dl_status dl_syslog_parse(dl_cell cells[DL_SYSLOG_COLUMNS],
                                       dl_buf *room, const char *text,
                                       size_t len, dl_time now, dl_error *err);

#endif
