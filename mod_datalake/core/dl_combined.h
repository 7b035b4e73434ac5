/* dl_combined.h - Lines of a web server's log: Apache's common and combined
 * formats.
 *
 *     127.0.0.1 - frank [20/Jan/2023:12:37:58 +0100] "GET /a HTTP/1.1" 200 2326
 *         "http://example.org/" "Mozilla/5.0"          (one line; common ends
 *                                                       before the referer)
 *
 * The columns are called as the members of dataset network_logs where there
 * is one.  Date and Time are in UTC.  Escapes (\", \\, \n, \xhh) are undone
 * where that gives UTF-8.  "-" stands for nothing: the cell is absent, but a
 * size of "-" is 0.  A request that is not three words is the URL, without
 * Method and HTTP_Version.
 *
 * Thread: any, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_COMBINED_H
#define DL_COMBINED_H

#include <stdbool.h>
#include <stddef.h>

#include "dl_buf.h"
#include "dl_cell.h"

/* Columns of a line. */
#define DL_COMBINED_COLUMNS 12

/* Their names: IP_Address, Date, Time, Method, URL, HTTP_Version, Status_Code,
 * Response_Size, ident, user, referer, user_agent. */
extern const char *const dl_combined_names[DL_COMBINED_COLUMNS];

/* Set CELLS to what the LEN bytes at LINE (without its newline) say; they
 * point into LINE and into ROOM, which is emptied first and needs room for
 * LEN + 64 bytes.  False: it is no such line, or ROOM is too small. */
bool dl_combined_parse(dl_cell cells[DL_COMBINED_COLUMNS], dl_buf *room,
                       const char *line, size_t len);

#endif
