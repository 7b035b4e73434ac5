/* dl_field_value.c - Values by the type of their field.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_field_value.h"

#include <string.h>

#include "dl_decimal.h"

bool dl_field_is_number(dl_json_slice slice)
{
    if (slice.kind == DL_JSON_NUMBER) {
        return true;
    }
    return slice.kind == DL_JSON_STRING && slice.escaped == 0 &&
           dl_decimal_is_number(slice.text, slice.len);
}

/* Set *VALUE to "-123" of up to 18 digits; false: it is more than that. */
static bool get_short_int(int64_t *value, dl_json_slice slice)
{
    bool negative = slice.len > 0 && slice.text[0] == '-';
    uint32_t i = negative ? 1 : 0;
    int64_t sum = 0;

    if (slice.len - i == 0 || slice.len - i > 18) {
        return false;
    }
    for (; i < slice.len; i++) {
        if (slice.text[i] < '0' || slice.text[i] > '9') {
            return false;
        }
        sum = sum * 10 + (slice.text[i] - '0');
    }
    *value = negative ? -sum : sum;
    return true;
}

/* Set *VALUE to a number of any form that is whole and fits. */
static bool get_any_int(int64_t *value, dl_json_slice slice)
{
    const __int128 one = 10000000000;
    dl_decimal d;
    char digits[24];
    size_t n = slice.len;

    if (dl_decimal_parse(&d, slice.text, slice.len)) {
        /* Digits past the tenth would have been rounded away. */
        dl_decimal cut;

        if (d.units % one != 0 ||
            !dl_decimal_parse_cut(&cut, slice.text, slice.len) ||
            cut.units != d.units) {
            return false;
        }
        *value = (int64_t)(d.units / one);
        return true;
    }
    /* 19 digits can fit into 64 bits but not into a decimal. */
    if (n == 0 || n >= sizeof digits) {
        return false;
    }
    memcpy(digits, slice.text, n);
    digits[n] = '\0';
    *value = 0;
    for (size_t i = digits[0] == '-' ? 1 : 0; i < n; i++) {
        int digit = digits[i] - '0';

        if (digit < 0 || digit > 9 ||
            __builtin_mul_overflow(*value, (int64_t)10, value) ||
            __builtin_sub_overflow(*value, (int64_t)digit, value)) {
            return false;
        }
    }
    return digits[0] == '-' ||
           !__builtin_sub_overflow((int64_t)0, *value, value);
}

bool dl_field_int(int64_t *value, const dl_field *f, dl_json_slice slice)
{
    int64_t number;

    if (!dl_field_is_number(slice)) {
        return false;
    }
    if (!get_short_int(&number, slice) && !get_any_int(&number, slice)) {
        return false;
    }
    if (number < f->min || number > f->max) {
        return false;
    }
    *value = number;
    return true;
}

bool dl_field_decimal_overflows(dl_json_slice slice)
{
    dl_decimal d;

    if (slice.kind == DL_JSON_NUMBER && slice.len <= 18 &&
        memchr(slice.text, 'e', slice.len) == NULL &&
        memchr(slice.text, 'E', slice.len) == NULL) {
        return false;
    }
    return dl_field_is_number(slice) &&
           !dl_decimal_parse(&d, slice.text, slice.len);
}

/* Set *T to a text of date and time. */
static bool get_text_time(dl_time *t, dl_json_slice slice, unsigned formats,
                          const dl_zone *zone)
{
    bool zone_missing;
    dl_time read;

    if (!dl_time_parse_rfc3339(&read, &zone_missing, slice.text, slice.len)) {
        return false;
    }
    if (!zone_missing) {
        *t = read;
        return (formats & DL_TIME_RFC3339) != 0;
    }
    *t = dl_zone_instant(zone, read);
    return (formats & DL_TIME_LOCAL) != 0 && *t >= 0 && *t < DL_TIME_END;
}

bool dl_field_time(dl_time *t, dl_json_slice slice, unsigned formats,
                   const dl_zone *zone)
{
    dl_day day;

    if (slice.kind != DL_JSON_NUMBER &&
        (slice.kind != DL_JSON_STRING || slice.escaped != 0)) {
        return false;
    }
    if (slice.kind == DL_JSON_STRING &&
        get_text_time(t, slice, formats, zone)) {
        return true;
    }
    if ((formats & DL_TIME_DATE) != 0 && slice.kind == DL_JSON_STRING &&
        dl_day_parse(&day, slice.text, slice.len)) {
        *t = dl_day_start(day);
        return true;
    }
    return (formats & DL_TIME_UNIX) != 0 &&
           dl_time_parse_unix(t, slice.text, slice.len);
}

bool dl_field_well_typed(const dl_dataset *ds, const dl_field *f,
                         dl_json_slice slice)
{
    int64_t number;
    dl_time t;
    dl_day day;

    switch (f->type) {
    case DL_FIELD_STR:
        return slice.kind == DL_JSON_STRING;
    case DL_FIELD_INT:
        return dl_field_int(&number, f, slice);
    case DL_FIELD_DEC:
    case DL_FIELD_NUM:
        return dl_field_is_number(slice);
    case DL_FIELD_BOOL:
        return slice.kind == DL_JSON_TRUE || slice.kind == DL_JSON_FALSE;
    case DL_FIELD_TIME:
        /* The event time has a verdict of its own. */
        return dl_dataset_is_time(ds, (int)(f - ds->fields)) ||
               dl_field_time(&t, slice,
                             DL_TIME_UNIX | DL_TIME_RFC3339 | DL_TIME_LOCAL,
                             ds->zone);
    case DL_FIELD_DATE:
        return dl_dataset_is_time(ds, (int)(f - ds->fields)) ||
               (slice.kind == DL_JSON_STRING &&
                dl_day_parse(&day, slice.text, slice.len));
    case DL_FIELD_ANY:
        return true;
    }
    return false;
}

/* Whether the four digits at S are the first half of a pair. */
static bool is_high_surrogate(const char *s)
{
    return (s[0] == 'd' || s[0] == 'D') && strchr("89abAB", s[1]) != NULL;
}

size_t dl_field_escape_chars(dl_json_slice slice)
{
    size_t fewer = 0;

    for (uint32_t i = 0; i < slice.len; i++) {
        if (slice.text[i] != '\\') {
            continue;
        }
        i++;
        if (slice.text[i] != 'u') {
            fewer += 1;
        }
        else if (is_high_surrogate(slice.text + i + 1)) {
            fewer += 11;
            i += 6;
        }
        else {
            fewer += 5;
        }
    }
    return fewer;
}

const char *dl_field_type_name(const dl_field *f)
{
    switch (f->type) {
    case DL_FIELD_STR:
        return "a string";
    case DL_FIELD_INT:
        return "a whole number in the bounds of its column";
    case DL_FIELD_DEC:
    case DL_FIELD_NUM:
        return "a number";
    case DL_FIELD_BOOL:
        return "true or false";
    case DL_FIELD_TIME:
        return "a time";
    case DL_FIELD_DATE:
        return "a date";
    case DL_FIELD_ANY:
        return "anything";
    }
    return "anything";
}
