/* mdl_header.h - Reading values of request headers.
 *
 * Pure text: nothing here knows httpd, a fuzz target runs it.  Values come as
 * httpd holds them: NUL-terminated, repeated fields joined by a comma.
 *
 * Thread: any; nothing here has state.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_HEADER_H
#define MDL_HEADER_H

#include <stdbool.h>

/* Return whether LIST, of If-None-Match, names the entity tag TAG (with its
 * quotes), or is "*".  A weak tag names the strong one, too. */
bool mdl_header_names_tag(const char *list, const char *tag);

/* The same for If-Match, where a weak tag names nothing. */
bool mdl_header_names_tag_strongly(const char *list, const char *tag);

/* Return whether PREFER, of Prefer, holds the preference WANTED, such as
 * "handling=lenient". */
bool mdl_header_prefers(const char *prefer, const char *wanted);

/* Return whether KEY, of Idempotency-Key, is one: 1 to 255 visible ASCII. */
bool mdl_header_is_key(const char *key);

/* Return whether TEXT is an origin as browsers write it: scheme, "://", host
 * in lower case, port unless it is the scheme's own; no path, no wildcard. */
bool mdl_header_is_origin(const char *text);

#endif
