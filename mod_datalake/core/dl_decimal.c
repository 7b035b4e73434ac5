/* dl_decimal.c - Decimals read, computed and written.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_decimal.h"

#include <stdint.h>
#include <string.h>

/* Units of one, and of the first value that is too large: 10^18. */
#define ONE   ((__int128)10000000000)
#define LIMIT (ONE * 1000000000000000000)

/* The most digits a value within LIMIT can have: 18 before, ten after. */
enum {
    INTEGER_DIGITS = 18,
    MAX_DIGITS = 28,
    EXPONENT_END = 100000
};

/* A number text taken apart: the value is DIGITS x 10^EXPONENT, where DIGITS
 * are those between first and last that are not the point. */
typedef struct number_parts {
    bool negative;     /* it begins with - */
    const char *first; /* the first digit */
    const char *end;   /* behind the last digit of the fraction */
    long integers;     /* digits before the point */
    long exponent;     /* what is written behind e, bounded */
} number_parts;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *skip_digits(const char *s, const char *end)
{
    while (s < end && is_digit(*s)) {
        s++;
    }
    return s;
}

/* Read "e-12" at S up to END; NULL when that is no exponent. */
static const char *get_exponent(long *exponent, const char *s, const char *end)
{
    bool negative = false;
    const char *first;
    long value = 0;

    s++;
    if (s < end && (*s == '+' || *s == '-')) {
        negative = *s++ == '-';
    }
    first = s;
    for (; s < end && is_digit(*s); s++) {
        if (value < EXPONENT_END) {
            value = value * 10 + (*s - '0');
        }
    }
    *exponent = negative ? -value : value;
    return s > first ? s : NULL;
}

/* Take the N bytes at S apart, which must be one JSON number. */
static bool take_apart(number_parts *parts, const char *s, size_t n)
{
    const char *end = s + n;

    parts->negative = n > 0 && *s == '-';
    s += parts->negative ? 1 : 0;
    parts->first = s;
    s = skip_digits(s, end);
    parts->integers = s - parts->first;
    parts->exponent = 0;
    if (parts->integers == 0 || (*parts->first == '0' && parts->integers > 1)) {
        return false;
    }
    if (s < end && *s == '.') {
        const char *point = s;

        s = skip_digits(s + 1, end);
        if (s == point + 1) {
            return false;
        }
    }
    parts->end = s;
    if (s < end && (*s == 'e' || *s == 'E')) {
        s = get_exponent(&parts->exponent, s, end);
    }
    return s == end;
}

/* Set *UNITS to the absolute value of PARTS and *NEXT to the first digit that
 * no longer fits behind the point; false: too large. */
static bool take_units(__int128 *units, int *next, const number_parts *parts)
{
    /* Digits that count: those before the point of the value, and ten. */
    long wanted = parts->integers + parts->exponent + DL_DECIMAL_SCALE;
    __int128 sum = 0;
    long taken = 0;
    const char *s = parts->first;

    *next = 0;
    for (; s < parts->end && taken < wanted; s++) {
        if (*s == '.') {
            continue;
        }
        sum = sum * 10 + (*s - '0');
        taken++;
        if (sum >= LIMIT) {
            return false;
        }
    }
    if (s < parts->end && *s == '.') {
        s++;
    }
    if (s < parts->end && taken == wanted) {
        *next = *s - '0';
    }
    for (; taken < wanted && sum != 0; taken++) {
        sum *= 10;
        if (sum >= LIMIT) {
            return false;
        }
    }
    *units = sum;
    return true;
}

/* Both ways of parsing; ROUND or cut. */
static bool parse(dl_decimal *d, const char *s, size_t n, bool round)
{
    number_parts parts;
    __int128 units;
    int next;

    if (!take_apart(&parts, s, n) || !take_units(&units, &next, &parts)) {
        return false;
    }
    if (round && next >= 5) {
        units++;
    }
    if (units >= LIMIT) {
        return false;
    }
    d->units = parts.negative ? -units : units;
    return true;
}

bool dl_decimal_parse(dl_decimal *d, const char *s, size_t n)
{
    return parse(d, s, n, true);
}

bool dl_decimal_parse_cut(dl_decimal *d, const char *s, size_t n)
{
    return parse(d, s, n, false);
}

bool dl_decimal_is_number(const char *s, size_t n)
{
    number_parts parts;

    return take_apart(&parts, s, n);
}

dl_decimal dl_decimal_of_int(long long value)
{
    return (dl_decimal){.units = value * ONE};
}

void dl_decimal_add(dl_decimal *a, dl_decimal b)
{
    a->units += b.units;
}

void dl_decimal_sub(dl_decimal *a, dl_decimal b)
{
    a->units -= b.units;
}

static unsigned __int128 absolute(__int128 value)
{
    return value < 0 ? -(unsigned __int128)value : (unsigned __int128)value;
}

/* Set LIMBS (64 bits each, lowest first) to A times B. */
static void multiply(uint64_t limbs[4], unsigned __int128 a,
                     unsigned __int128 b)
{
    uint64_t left[2] = {(uint64_t)a, (uint64_t)(a >> 64)};
    uint64_t right[2] = {(uint64_t)b, (uint64_t)(b >> 64)};

    memset(limbs, 0, 4 * sizeof *limbs);
    for (int i = 0; i < 2; i++) {
        uint64_t carry = 0;

        for (int k = 0; k < 2; k++) {
            unsigned __int128 sum =
                (unsigned __int128)left[i] * right[k] + limbs[i + k] + carry;

            limbs[i + k] = (uint64_t)sum;
            carry = (uint64_t)(sum >> 64);
        }
        limbs[i + 2] += carry;
    }
}

/* Divide LIMBS in place by 10^10 and return the rest. */
static uint64_t divide(uint64_t limbs[4])
{
    unsigned __int128 rest = 0;

    for (int i = 3; i >= 0; i--) {
        rest = rest << 64 | limbs[i];
        limbs[i] = (uint64_t)(rest / (uint64_t)ONE);
        rest %= (uint64_t)ONE;
    }
    return (uint64_t)rest;
}

bool dl_decimal_mul(dl_decimal *out, dl_decimal a, dl_decimal b)
{
    uint64_t limbs[4];
    uint64_t rest;
    __int128 units;

    multiply(limbs, absolute(a.units), absolute(b.units));
    rest = divide(limbs);
    if (limbs[3] != 0 || limbs[2] != 0 || limbs[1] >= (uint64_t)1 << 62) {
        return false;
    }
    units = (__int128)((unsigned __int128)limbs[1] << 64 | limbs[0]);
    if (rest >= (uint64_t)ONE / 2) {
        units++;
    }
    out->units = (a.units < 0) != (b.units < 0) ? -units : units;
    return true;
}

int dl_decimal_compare(dl_decimal a, dl_decimal b)
{
    return (a.units > b.units) - (a.units < b.units);
}

/* Write D with at least FEWEST digits behind the point. */
static size_t format(char out[DL_DECIMAL_TEXT], dl_decimal d, int fewest)
{
    char digits[DL_DECIMAL_TEXT];
    unsigned __int128 rest = absolute(d.units);
    int kept = DL_DECIMAL_SCALE;
    size_t n = 0;
    int i = 0;

    for (; i <= DL_DECIMAL_SCALE || rest != 0; i++) {
        digits[i] = (char)('0' + (int)(rest % 10));
        rest /= 10;
    }
    while (kept > fewest && digits[DL_DECIMAL_SCALE - kept] == '0') {
        kept--;
    }
    if (d.units < 0) {
        out[n++] = '-';
    }
    while (i > DL_DECIMAL_SCALE) {
        out[n++] = digits[--i];
    }
    if (kept > 0) {
        out[n++] = '.';
    }
    for (int k = 0; k < kept; k++) {
        out[n++] = digits[--i];
    }
    out[n] = '\0';
    return n;
}

size_t dl_decimal_format(char out[DL_DECIMAL_TEXT], dl_decimal d)
{
    return format(out, d, 2);
}

size_t dl_decimal_format_sql(char out[DL_DECIMAL_TEXT], dl_decimal d)
{
    return format(out, d, 0);
}
