/* dl_decimal.h - Exact decimals for money: 18 digits before the point, ten
 * after it, as DECIMAL(28,10).
 *
 * A value is a whole number of 10^-10 units in 128 bits, so sums of many
 * billion largest values still fit.  Rounding is half away from zero.  No
 * double, no locale.
 *
 * Thread: any, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_DECIMAL_H
#define DL_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>

/* 128 bits with the alignment that APR pools give, 8 bytes: the compiler may
 * use aligned moves for a plain __int128, and a pool's block faults then. */
typedef __int128 dl_int128 __attribute__((aligned(8)));

/* A decimal; compare and add with the functions below. */
typedef struct dl_decimal {
    dl_int128 units; /* the value times 10^10 */
} dl_decimal;

/* Digits after the point. */
#define DL_DECIMAL_SCALE 10

/* Room for the text of any dl_decimal and its NUL. */
#define DL_DECIMAL_TEXT 48

/* Set *D from the N bytes at S, a number in JSON syntax (exponent allowed).
 * Digits past the tenth after the point round half away from zero.  Return
 * false, *D untouched: not a number, or more than 18 digits before the
 * point (leading zeros of the value are no digits). */
bool dl_decimal_parse(dl_decimal *d, const char *s, size_t n);

/* As dl_decimal_parse, but digits past the tenth are cut. */
bool dl_decimal_parse_cut(dl_decimal *d, const char *s, size_t n);

/* Return whether the N bytes at S are one number in JSON syntax, of whatever
 * size. */
bool dl_decimal_is_number(const char *s, size_t n);

/* Return the decimal of the whole number VALUE. */
dl_decimal dl_decimal_of_int(long long value);

/* Add B to *A. */
void dl_decimal_add(dl_decimal *a, dl_decimal b);

/* Take B from *A. */
void dl_decimal_sub(dl_decimal *a, dl_decimal b);

/* Set *OUT to A times B, rounded half away from zero to ten digits; false,
 * *OUT untouched, when the product does not fit into 128 bits. */
bool dl_decimal_mul(dl_decimal *out, dl_decimal a, dl_decimal b);

/* Return below, at or above 0 as A is less than, equal to or above B. */
int dl_decimal_compare(dl_decimal a, dl_decimal b);

/* Write D for a client: no exponent, no trailing zeros, at least two digits
 * after the point (49.90).  Return the length. */
size_t dl_decimal_format(char out[DL_DECIMAL_TEXT], dl_decimal d);

/* Write D for SQL: as needed up to ten digits after the point, none when
 * whole.  Return the length. */
size_t dl_decimal_format_sql(char out[DL_DECIMAL_TEXT], dl_decimal d);

#endif
