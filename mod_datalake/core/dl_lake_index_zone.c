/* dl_lake_index_zone.c - Bounds of blocks: widened, written, asked.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_index_zone.h"

#include <math.h>
#include <string.h>

#include "dl_crc.h"
#include "dl_field_value.h"

/* Digits of a number that is converted, and the powers of ten that are exact.
 */
#define DIGITS_MAX 18
#define POWER_MAX  22

/* How far a bound lies outside: two roundings are less than half of it. */
#define OUTSIDE 0x1p-50

/* --- Numbers --------------------------------------------------------------- */

/* A number taken apart. */
typedef struct number {
    bool negative;     /* has a minus */
    uint64_t mantissa; /* its digits */
    int digits;        /* how many, without leading zeros */
    int power;         /* of ten */
} number;

/* Take the digits and the point at TEXT, up to END; return where they end. */
static const char *take_digits(number *n, const char *text, const char *end)
{
    bool fraction = false;

    for (; text < end; text++) {
        unsigned digit = (unsigned)(unsigned char)*text - '0';

        if (*text == '.') {
            fraction = true;
            continue;
        }
        if (digit > 9) {
            break;
        }
        n->power -= fraction ? 1 : 0;
        if (n->digits > 0 || digit > 0) {
            n->digits++;
        }
        if (n->digits > DIGITS_MAX) {
            break;
        }
        n->mantissa = n->mantissa * 10 + digit;
    }
    return text;
}

/* Add the exponent at TEXT, up to END; false: it is past all bounds. */
static bool take_exponent(number *n, const char *text, const char *end)
{
    bool negative = false;
    int value = 0;

    if (text == end) {
        return true;
    }
    text++;
    if (text < end && (*text == '-' || *text == '+')) {
        negative = *text == '-';
        text++;
    }
    for (; text < end; text++) {
        if (*text < '0' || *text > '9' || value > 10000) {
            return false;
        }
        value = value * 10 + (*text - '0');
    }
    n->power += negative ? -value : value;
    return true;
}

void dl_lake_zone_number(double *low, double *high, const char *text,
                         size_t len)
{
    static const double powers[POWER_MAX + 1] = {
        1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const char *end = text + len;
    number n = {.negative = len > 0 && *text == '-'};
    double value;

    text = take_digits(&n, text + (n.negative ? 1 : 0), end);
    if (n.digits > DIGITS_MAX || !take_exponent(&n, text, end) ||
        n.power < -POWER_MAX || n.power > POWER_MAX) {
        *low = -INFINITY;
        *high = INFINITY;
        return;
    }
    value = (double)n.mantissa;
    value = n.power < 0 ? value / powers[-n.power] : value * powers[n.power];
    value = n.negative ? -value : value;
    *low = value - fabs(value) * OUTSIDE;
    *high = value + fabs(value) * OUTSIDE;
}

/* --- Widening -------------------------------------------------------------- */

void dl_lake_zone_clear(dl_lake_zone *zone)
{
    zone->low = INFINITY;
    zone->high = -INFINITY;
    zone->first = INT64_MAX;
    zone->last = INT64_MIN;
}

void dl_lake_zone_widen(dl_lake_zone *zone, const dl_lake_column *column,
                        dl_json_slice slice)
{
    if (column->kind == DL_LAKE_COLUMN_TIMES) {
        dl_time t;

        if (dl_field_time(&t, slice, column->formats, column->zone)) {
            zone->first = t < zone->first ? t : zone->first;
            zone->last = t > zone->last ? t : zone->last;
        }
    }
    else if (dl_field_is_number(slice)) {
        double low;
        double high;

        dl_lake_zone_number(&low, &high, slice.text, slice.len);
        zone->low = low < zone->low ? low : zone->low;
        zone->high = high > zone->high ? high : zone->high;
    }
}

/* --- On disk --------------------------------------------------------------- */

static uint64_t bits_of(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

void dl_lake_zones_add(dl_lake_bytes *out, dl_lake_column_kind kind,
                       const dl_lake_zone *zones, int n)
{
    size_t at = out->len;

    for (int i = 0; i < n; i++) {
        const dl_lake_zone *zone = &zones[i];
        bool times = kind == DL_LAKE_COLUMN_TIMES;

        dl_lake_add_u64(out,
                        times ? (uint64_t)zone->first : bits_of(zone->low));
        dl_lake_add_u64(out,
                        times ? (uint64_t)zone->last : bits_of(zone->high));
    }
    dl_lake_add_u32(out, dl_crc32c(0, out->data + at, out->len - at));
}

/* Whether a block with the zone at IN may fulfil CONDITION: nothing says that
 * it lies outside, and what is no number lies nowhere. */
static bool may_fulfil(dl_lake_in *in, const dl_lake_condition *condition)
{
    uint64_t from = dl_lake_get_u64(in);
    uint64_t to = dl_lake_get_u64(in);
    double low;
    double high;

    if (condition->kind == DL_LAKE_HINT_TIMES) {
        return (int64_t)from <= condition->last &&
               (int64_t)to >= condition->first;
    }
    memcpy(&low, &from, sizeof low);
    memcpy(&high, &to, sizeof high);
    return !(low > condition->high) && !(high < condition->low);
}

void dl_lake_zones_ask(uint64_t *bits, const uint8_t *data, size_t len, int n,
                       const dl_lake_condition *condition)
{
    size_t zones = (size_t)n * DL_LAKE_INDEX_ZONE;
    dl_lake_in in = dl_lake_in_make(data, len);
    dl_lake_in crc;

    if (len != zones + 4) {
        return;
    }
    crc = dl_lake_in_make(data + zones, 4);
    if (dl_crc32c(0, data, zones) != dl_lake_get_u32(&crc)) {
        return;
    }
    for (int i = 0; i < n; i++) {
        if (!may_fulfil(&in, condition)) {
            bits[i >> 6] &= ~(UINT64_C(1) << (i & 63));
        }
    }
}
