/* mdl_format.h - Which representation a client gets.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_FORMAT_H
#define MDL_FORMAT_H

/* The content type of FORMAT, one bit of mdl_format.  Static.
 * Thread: any. */
const char *mdl_format_type(unsigned format);

/* The name of FORMAT as format= takes it: "json", "ndjson", "csv", "text".
 * Static.  Thread: any. */
const char *mdl_format_name(unsigned format);

/* Return the bit among FORMATS whose name is NAME, or 0.  Thread: any. */
unsigned mdl_format_find(unsigned formats, const char *name);

/* Return the bit among FORMATS that the header value ACCEPT (NULL: none was
 * sent) likes best, the first of equals in order of mdl_format; 0 when it
 * excludes all of them.  Thread: any. */
unsigned mdl_format_choose(unsigned formats, const char *accept);

#endif
