/* mdl_features.c - One rule for each raw field.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_features.h"

#include <math.h>
#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "dl_json_values.h"
#include "mdl_problem.h"

/* Longest name of an unknown field that is told back. */
#define ECHO_MAX 64

/* What a field is. */
typedef enum field_kind {
    FIELD_AMOUNT,
    FIELD_NUMBER, /* whole, for number .at */
    FIELD_TEXT,   /* for text .at */
    FIELD_TIME
} field_kind;

/* A raw field. */
typedef struct field {
    const char *name;
    field_kind kind;
    int at;
} field;

static const field fields[] = {
    {"amount", FIELD_AMOUNT, 0},
    {"currency", FIELD_TEXT, DL_FEATURE_CURRENCY},
    {"quantity", FIELD_NUMBER, DL_FEATURE_QUANTITY},
    {"customer_rating", FIELD_NUMBER, DL_FEATURE_RATING},
    {"transaction_type", FIELD_TEXT, DL_FEATURE_TYPE},
    {"payment_method", FIELD_TEXT, DL_FEATURE_METHOD},
    {"product_category", FIELD_TEXT, DL_FEATURE_CATEGORY},
    {"country", FIELD_TEXT, DL_FEATURE_COUNTRY},
    {"timestamp", FIELD_TIME, 0},
    {NULL, FIELD_TEXT, 0}};

/* Add the fault CODE of the field called FIELD_NAME. */
static void fault(mdl_request *q, const char *name, const char *field_name,
                  const char *code, const char *detail)
{
    mdl_problem_pointer(
        q, apr_pstrcat(q->r->pool, "/", name, "/", field_name, NULL), code,
        "%s", detail);
}

/* The name of VALUE, an unknown field, for a pointer: one that has unusual
 * characters or is long is not told back. */
static const char *echo(const dl_json_value *value)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

    return value->name_len <= ECHO_MAX &&
                   strspn(value->name, plain) == value->name_len
               ? value->name
               : "-";
}

/* Whether VALUE, a number or a text that is one, is an amount. */
static bool take_amount(mdl_features *features, const dl_json_value *value)
{
    features->has_amount =
        (value->kind == DL_JSON_NUMBER || value->kind == DL_JSON_STRING) &&
        dl_decimal_parse(&features->amount, value->text, value->len);
    return features->has_amount;
}

/* Whether VALUE is a whole number of 32 bits. */
static bool take_number(float *number, const dl_json_value *value)
{
    dl_decimal d;
    __int128 whole;

    if ((value->kind != DL_JSON_NUMBER && value->kind != DL_JSON_STRING) ||
        !dl_decimal_parse(&d, value->text, value->len)) {
        return false;
    }
    whole = d.units / 10000000000;
    if (whole * 10000000000 != d.units || whole > INT32_MAX ||
        whole < INT32_MIN) {
        return false;
    }
    *number = (float)(int64_t)whole;
    return true;
}

/* Return the code of what is wrong with VALUE as a time; NULL: nothing. */
static const char *take_time(mdl_features *features, const dl_json_value *value)
{
    bool whole_day;
    bool zone_missing = false;
    dl_time t;

    if (value->kind != DL_JSON_NUMBER && value->kind != DL_JSON_STRING) {
        return "wrong-type";
    }
    if (!dl_time_parse_asked(&t, &whole_day, &zone_missing, value->text,
                             value->len) &&
        !dl_time_parse_unix(&t, value->text, value->len)) {
        return "not-a-time";
    }
    if (zone_missing) {
        return "time-zone-missing";
    }
    features->day = dl_time_day(t);
    dl_feature_set_time(&features->row, t);
    return NULL;
}

/* Return the code of what is wrong with VALUE of FIELD; NULL: nothing. */
static const char *take(mdl_features *features, const field *f,
                        const dl_json_value *value)
{
    if (value->kind == DL_JSON_NULL) {
        return NULL;
    }
    switch (f->kind) {
    case FIELD_AMOUNT:
        return take_amount(features, value) ? NULL : "wrong-type";
    case FIELD_NUMBER:
        return take_number(&features->row.number[f->at], value) ? NULL
                                                                : "wrong-type";
    case FIELD_TIME:
        return take_time(features, value);
    case FIELD_TEXT:
        break;
    }
    if (value->kind != DL_JSON_STRING) {
        return "wrong-type";
    }
    features->row.text[f->at].text = value->text;
    features->row.text[f->at].len = value->len;
    return NULL;
}

static const field *find_field(const dl_json_value *value)
{
    const field *f = fields;

    while (f->name != NULL && (strlen(f->name) != value->name_len ||
                               strcmp(f->name, value->name) != 0)) {
        f++;
    }
    return f->name != NULL ? f : NULL;
}

/* Take all members of ALL; return how many are wrong. */
static int take_all(mdl_features *features, mdl_request *q, const char *name,
                    const dl_json_values *all)
{
    int faults = 0;

    for (uint32_t i = 1; i < all->values[0].next; i = all->values[i].next) {
        const dl_json_value *value = &all->values[i];
        const field *f = find_field(value);
        const char *code = f == NULL ? "unknown" : take(features, f, value);

        if (code != NULL) {
            faults++;
            fault(q, name, f != NULL ? f->name : echo(value), code,
                  f == NULL ? "no field of a transaction that models look at"
                            : "not what this field is in a transaction");
        }
    }
    return faults;
}

int mdl_features_read(mdl_features *features, mdl_request *q, const char *name,
                      const mdl_member_value *value)
{
    dl_json_values all;
    int faults;

    memset(features, 0, sizeof *features);
    dl_feature_clear(&features->row);
    features->day = DL_DAY_NONE;
    if (dl_json_values_read(&all, value->text, value->len, q->r->pool) !=
        DL_JSON_FINE) {
        faults = 1;
        mdl_problem_pointer(q, apr_pstrcat(q->r->pool, "/", name, NULL),
                            "wrong-type", "must be an object");
    }
    else {
        faults = take_all(features, q, name, &all);
    }
    return faults == 0
               ? OK
               : mdl_problem(q, MDL_PROBLEM_VALIDATION,
                             "The body breaks rules of this resource; errors "
                             "says which member and why.");
}

void mdl_features_convert(mdl_features *features, const dl_model *model)
{
    dl_decimal amount;

    features->row.number[DL_FEATURE_AMOUNT] = NAN;
    if (features->has_amount &&
        dl_model_convert(&amount, model, features->amount,
                         features->row.text[DL_FEATURE_CURRENCY],
                         features->day)) {
        features->row.number[DL_FEATURE_AMOUNT] = dl_feature_decimal(amount);
    }
}
