/* dl_json_line.h - In which line of a JSON text a member stands.
 *
 * For messages about configuration; jansson forgets lines.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_JSON_LINE_H
#define DL_JSON_LINE_H

#include <stddef.h>

/* Return the line, from 1, in which the member or element POINTER ("" the
 * whole, "/fields/3/type"; RFC 6901 without ~ escapes) of the LEN bytes of
 * valid JSON at TEXT begins; when it is not there, that of the longest part
 * of POINTER that is.  Thread: any. */
int dl_json_line(const char *text, size_t len, const char *pointer);

#endif
