/* dl_query_value.c - Values by the type of their column.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_query_value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_decimal.h"
#include "dl_field_value.h"
#include "dl_number.h"

/* --- What a client asks for ------------------------------------------------
 */

static bool refuse(dl_query_fault *fault, const char *code,
                   const dl_query_member *member, const char *wanted)
{
    fault->code = code;
    snprintf(fault->detail, sizeof fault->detail, "%.60s takes %s",
             member->path, wanted);
    return false;
}

static bool read_time(dl_query_operand *operand, const dl_query_member *member,
                      dl_query_fault *fault)
{
    bool zone_missing = false;
    bool whole_day = false;

    if (!dl_time_parse_asked(&operand->time, &whole_day, &zone_missing,
                             operand->text, operand->len)) {
        return refuse(fault, "not-a-time", member,
                      "a time with a zone, a date, or unix seconds or "
                      "milliseconds");
    }
    if (zone_missing) {
        return refuse(fault, "time-zone-missing", member, "a time with a zone");
    }
    if (whole_day && operand->op == DL_QUERY_LTE &&
        member->type == DL_FIELD_TIME) {
        operand->time += DL_DAY_US - 1;
    }
    return true;
}

static bool read_bool(dl_query_operand *operand, const dl_query_member *member,
                      dl_query_fault *fault)
{
    operand->flag = strcmp(operand->text, "true") == 0;
    if (!operand->flag && strcmp(operand->text, "false") != 0) {
        return refuse(fault, "not-a-boolean", member, "true or false");
    }
    return operand->op == DL_QUERY_EQ || operand->op == DL_QUERY_NE ||
           operand->op == DL_QUERY_IN ||
           refuse(fault, "no-order", member, "no comparison by order");
}

static bool read_needle(dl_query_operand *operand,
                        const dl_query_member *member, dl_query_fault *fault,
                        apr_pool_t *pool)
{
    dl_error err;

    if (member->type != DL_FIELD_STR && member->type != DL_FIELD_ANY) {
        return refuse(fault, "not-a-text", member,
                      "no __contains, for it is no text");
    }
    return dl_needle_create(&operand->needle, operand->text, operand->len, &err,
                            pool) == DL_OK ||
           refuse(fault, "not-a-text", member,
                  "UTF-8 text of 1 to 1024 bytes with __contains");
}

/* A number that no double holds is no number to ask for (contract 14). */
static bool read_number(const dl_query_operand *operand,
                        const dl_query_member *member, dl_query_fault *fault)
{
    if (!operand->number) {
        return refuse(fault, "not-a-number", member, "a number");
    }
    return isfinite(strtod(operand->text, NULL)) ||
           refuse(fault, "out-of-range", member, "a number below 1e308");
}

bool dl_query_operand_read(dl_query_operand *operand,
                           const dl_query_member *member, const char *text,
                           size_t len, dl_query_fault *fault, apr_pool_t *pool)
{
    operand->text = apr_pstrmemdup(pool, text, len);
    operand->len = len;
    operand->number = dl_decimal_is_number(text, len);
    if (operand->op == DL_QUERY_CONTAINS) {
        return read_needle(operand, member, fault, pool);
    }
    switch (member->type) {
    case DL_FIELD_INT:
    case DL_FIELD_DEC:
    case DL_FIELD_NUM:
        return read_number(operand, member, fault);
    case DL_FIELD_BOOL:
        return read_bool(operand, member, fault);
    case DL_FIELD_TIME:
    case DL_FIELD_DATE:
        return read_time(operand, member, fault);
    case DL_FIELD_STR:
    case DL_FIELD_ANY:
        break;
    }
    return true;
}

/* --- What a record holds ---------------------------------------------------
 */

static int sign_of(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b ? 1 : 0;
}

static int compare_bytes(const char *a, size_t a_len, const char *b,
                         size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

    return order != 0 ? order : sign_of((int64_t)a_len, (int64_t)b_len);
}

/* Set *TEXT and *LEN to the characters of the string SLICE; SCRATCH holds them
 * when there are escapes. */
static void get_text(const char **text, size_t *len, dl_json_slice slice,
                     char *scratch)
{
    *text = slice.text;
    *len = slice.len;
    if (slice.escaped != 0) {
        *text = scratch;
        *len = dl_json_unescape(scratch, slice);
    }
}

static bool order_text(int *order, dl_json_slice slice,
                       const dl_query_operand *operand, char *scratch)
{
    const char *text;
    size_t len;

    if (slice.kind != DL_JSON_STRING) {
        return false;
    }
    get_text(&text, &len, slice, scratch);
    *order = compare_bytes(text, len, operand->text, operand->len);
    return true;
}

static bool order_any(int *order, dl_json_slice slice,
                      const dl_query_operand *operand, char *scratch)
{
    switch (slice.kind) {
    case DL_JSON_NUMBER:
        if (operand->number) {
            *order = dl_number_compare(slice.text, slice.len, operand->text,
                                       operand->len);
        }
        return operand->number;
    case DL_JSON_STRING:
        return order_text(order, slice, operand, scratch);
    case DL_JSON_TRUE:
    case DL_JSON_FALSE:
        *order =
            compare_bytes(slice.text, slice.len, operand->text, operand->len);
        return *order == 0;
    default:
        return false;
    }
}

bool dl_query_order(int *order, const dl_query_member *member,
                    dl_json_slice slice, const dl_query_operand *operand,
                    char *scratch)
{
    dl_time time;

    if (slice.kind <= DL_JSON_NULL) {
        return false;
    }
    switch (member->type) {
    case DL_FIELD_STR:
        return order_text(order, slice, operand, scratch);
    case DL_FIELD_INT:
    case DL_FIELD_DEC:
    case DL_FIELD_NUM:
        if (!dl_field_is_number(slice)) {
            return false;
        }
        *order = dl_number_compare(slice.text, slice.len, operand->text,
                                   operand->len);
        return true;
    case DL_FIELD_BOOL:
        *order = (slice.kind == DL_JSON_TRUE) - operand->flag;
        return slice.kind == DL_JSON_TRUE || slice.kind == DL_JSON_FALSE;
    case DL_FIELD_TIME:
    case DL_FIELD_DATE:
        if (!dl_field_time(&time, slice, member->formats, member->zone)) {
            return false;
        }
        *order = sign_of(time, operand->time);
        return true;
    case DL_FIELD_ANY:
        break;
    }
    return order_any(order, slice, operand, scratch);
}

bool dl_query_holds(dl_json_slice slice, const dl_query_operand *operand,
                    char *scratch)
{
    const char *text;
    size_t len;
    dl_hit hit;

    if (slice.kind != DL_JSON_STRING) {
        return false;
    }
    get_text(&text, &len, slice, scratch);
    return dl_needle_find(&hit, operand->needle, text, len, 0);
}

/* --- Order of two values ---------------------------------------------------
 */

/* Where values of the kind of SLICE stand in a column without a type. */
static int rank_of(dl_json_slice slice)
{
    static const int ranks[] = {
        [DL_JSON_ABSENT] = 0, [DL_JSON_NULL] = 0,   [DL_JSON_FALSE] = 1,
        [DL_JSON_TRUE] = 2,   [DL_JSON_NUMBER] = 3, [DL_JSON_STRING] = 4,
        [DL_JSON_OBJECT] = 5, [DL_JSON_ARRAY] = 5};

    return ranks[slice.kind];
}

static int order_any_values(dl_json_slice a, dl_json_slice b, char *scratch)
{
    int order = rank_of(a) - rank_of(b);
    const char *x;
    const char *y;
    size_t x_len;
    size_t y_len;

    if (order != 0 ||
        rank_of(a) < rank_of((dl_json_slice){.kind = DL_JSON_NUMBER})) {
        return order;
    }
    if (a.kind == DL_JSON_NUMBER) {
        return dl_number_compare(a.text, a.len, b.text, b.len);
    }
    get_text(&x, &x_len, a, scratch);
    get_text(&y, &y_len, b, scratch + a.len);
    return compare_bytes(x, x_len, y, y_len);
}

/* Whether SLICE is of the type of MEMBER. */
static bool is_typed(const dl_query_member *member, dl_json_slice slice,
                     dl_time *time)
{
    switch (member->type) {
    case DL_FIELD_STR:
        return slice.kind == DL_JSON_STRING;
    case DL_FIELD_INT:
    case DL_FIELD_DEC:
    case DL_FIELD_NUM:
        return dl_field_is_number(slice);
    case DL_FIELD_BOOL:
        return slice.kind == DL_JSON_TRUE || slice.kind == DL_JSON_FALSE;
    case DL_FIELD_TIME:
    case DL_FIELD_DATE:
        return dl_field_time(time, slice, member->formats, member->zone);
    case DL_FIELD_ANY:
        break;
    }
    return slice.kind > DL_JSON_NULL;
}

int dl_query_order_values(const dl_query_member *member, dl_json_slice a,
                          dl_json_slice b, char *scratch)
{
    dl_time x = 0;
    dl_time y = 0;
    bool has_a = is_typed(member, a, &x);
    bool has_b = is_typed(member, b, &y);

    if (!has_a || !has_b) {
        return (int)has_a - (int)has_b;
    }
    if (member->type == DL_FIELD_TIME || member->type == DL_FIELD_DATE) {
        return sign_of(x, y);
    }
    if (member->type == DL_FIELD_INT || member->type == DL_FIELD_DEC ||
        member->type == DL_FIELD_NUM) {
        return dl_number_compare(a.text, a.len, b.text, b.len);
    }
    return order_any_values(a, b, scratch);
}
