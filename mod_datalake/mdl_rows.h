/* mdl_rows.h - How many rows an answer of ours has, for quotas in rows.
 *
 * Rows are the elements of the list an answer is, or of the lists that are
 * members of the object it is.  Pure text: nothing here knows httpd.
 *
 * Thread: any; nothing here has state.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_ROWS_H
#define MDL_ROWS_H

#include <stddef.h>
#include <stdint.h>

/* Return the rows in the LEN bytes of well-formed JSON at TEXT. */
uint64_t mdl_rows_in_json(const char *text, size_t len);

/* Return how many lines end in the LEN bytes at TEXT. */
uint64_t mdl_rows_in_lines(const char *text, size_t len);

#endif
