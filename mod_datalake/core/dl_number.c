/* dl_number.c - Numbers as sign, digits and the place of the point.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_number.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* The largest exponent that is told apart. */
#define EXPONENT_MAX INT64_C(1000000000)

/* A number read from its text: +-0.DIGITS times ten to the POINT, where the
 * digits are those of the text between the first and the last that is not 0,
 * without the point. */
typedef struct number {
    const char *at;  /* first digit that is not 0 */
    const char *end; /* behind the last digit of the mantissa */
    int64_t point;   /* digits in front of the point; may be negative */
    int sign;        /* -1, 0, 1 */
} number;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Read the exponent behind the mantissa that ends at S. */
static int64_t read_exponent(const char *s, const char *end)
{
    int64_t exponent = 0;
    bool negative;

    if (s == end) {
        return 0;
    }
    s++; /* e */
    negative = *s == '-';
    s += negative || *s == '+' ? 1 : 0;
    for (; s < end; s++) {
        exponent = exponent * 10 + (*s - '0');
        if (exponent > EXPONENT_MAX) {
            exponent = EXPONENT_MAX;
        }
    }
    return negative ? -exponent : exponent;
}

static void read_number(number *n, const char *s, size_t len)
{
    const char *end = s + len;
    bool negative = *s == '-';
    bool fraction = false;

    s += negative ? 1 : 0;
    n->at = n->end = NULL;
    n->point = 0;
    for (; s < end && (is_digit(*s) || *s == '.'); s++) {
        if (*s == '.') {
            fraction = true;
            continue;
        }
        if (n->at == NULL && *s != '0') {
            n->at = s;
        }
        if (n->at == NULL) {
            n->point -= fraction ? 1 : 0;
            continue;
        }
        n->point += fraction ? 0 : 1;
        n->end = *s != '0' ? s + 1 : n->end;
    }
    n->sign = n->at == NULL ? 0 : negative ? -1 : 1;
    n->point += read_exponent(s, end);
}

/* Return the digit at *S and go on; 0 behind END. */
static int next_digit(const char **s, const char *end)
{
    if (*s < end && **s == '.') {
        (*s)++;
    }
    return *s < end ? *(*s)++ - '0' : 0;
}

static int compare_digits(const number *a, const number *b)
{
    const char *x = a->at;
    const char *y = b->at;

    while (x < a->end || y < b->end) {
        int difference = next_digit(&x, a->end) - next_digit(&y, b->end);

        if (difference != 0) {
            return difference;
        }
    }
    return 0;
}

int dl_number_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
    number x;
    number y;

    read_number(&x, a, a_len);
    read_number(&y, b, b_len);
    if (x.sign != y.sign) {
        return x.sign - y.sign;
    }
    if (x.sign == 0) {
        return 0;
    }
    if (x.point != y.point) {
        return (x.point < y.point ? -1 : 1) * x.sign;
    }
    return compare_digits(&x, &y) * x.sign;
}

size_t dl_number_cut(char *out, size_t max, const char *text, size_t len)
{
    char exponent[32];
    size_t n = 0;
    size_t tail;
    number read;

    if (len <= max) {
        memcpy(out, text, len);
        return len;
    }
    read_number(&read, text, len);
    if (read.sign == 0) {
        out[0] = '0';
        return 1;
    }
    tail = (size_t)snprintf(exponent, sizeof exponent, "e%" PRId64, read.point);
    out[n++] = '-';
    n -= read.sign > 0 ? 1 : 0;
    out[n++] = '0';
    out[n++] = '.';
    while (read.at < read.end && n + tail < max) {
        out[n++] = (char)('0' + next_digit(&read.at, read.end));
    }
    memcpy(out + n, exponent, tail);
    return n + tail;
}
