/* dl_number.h - Comparing numbers by their text, exactly.
 *
 * A filter compares what a record holds with what a client asks for.  Both
 * are numbers in JSON syntax, of any size and precision; neither passes
 * through a double or is rounded.
 *
 * Thread: any, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_NUMBER_H
#define DL_NUMBER_H

#include <stddef.h>

/* Return below, at or above 0 as the number of the A_LEN bytes at A is less
 * than, equal to or above that of the B_LEN bytes at B.  Both are numbers in
 * JSON syntax (dl_decimal_is_number); -0 equals 0.  An exponent past a billion
 * counts as a billion. */
int dl_number_compare(const char *a, size_t a_len, const char *b, size_t b_len);

/* Write the number of the LEN bytes at TEXT to OUT, which has room for MAX
 * (at least 64) bytes, with as many of its leading digits as fit; return its
 * length.  The rest of the digits are cut. */
size_t dl_number_cut(char *out, size_t max, const char *text, size_t len);

#endif
