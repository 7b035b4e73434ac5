/* mdl_value.c - From the text of a parameter to its value.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "dl_grant.h"
#include "dl_utf8.h"

/* Longest text or list item where the row names no length. */
#define TEXT_MAX 255

/* Digits of the largest number. */
#define INT64_DIGITS 19

typedef const char *value_parser(mdl_value *value, const mdl_param *param,
                                 apr_pool_t *pool);

static int64_t text_max(const mdl_param *param)
{
    return param->max > 0 ? param->max : TEXT_MAX;
}

static bool is_clean_text(const char *text, size_t len)
{
    size_t i = 0;

    while (i < len) {
        unsigned char c = (unsigned char)text[i];
        size_t step =
            c < 0x80 ? 1
                     : dl_utf8_check((const unsigned char *)text + i, len - i);

        if (step == 0 || c < 0x20 || c == 0x7F) {
            return false;
        }
        i += step;
    }
    return true;
}

static const char *check_length(size_t len, const mdl_param *param)
{
    if ((int64_t)len < param->min) {
        return "too-short";
    }
    return (int64_t)len > text_max(param) ? "too-long" : NULL;
}

static const char *parse_text(mdl_value *value, const mdl_param *param,
                              apr_pool_t *pool)
{
    (void)pool;
    return check_length(value->len, param);
}

static const char *parse_int(mdl_value *value, const mdl_param *param,
                             apr_pool_t *pool)
{
    const char *digits = value->text + (value->text[0] == '-' ? 1 : 0);
    size_t n = strspn(digits, "0123456789");

    (void)pool;
    if (n == 0 || digits[n] != '\0') {
        return "not-a-number";
    }
    errno = 0;
    value->number = apr_atoi64(value->text);
    return n > INT64_DIGITS || errno == ERANGE || value->number < param->min ||
                   value->number > param->max
               ? "out-of-range"
               : NULL;
}

static const char *parse_date(mdl_value *value, const mdl_param *param,
                              apr_pool_t *pool)
{
    (void)param;
    (void)pool;
    return dl_day_parse(&value->day, value->text, value->len) ? NULL
                                                              : "not-a-date";
}

static const char *parse_time(mdl_value *value, const mdl_param *param,
                              apr_pool_t *pool)
{
    bool zone_missing;
    bool whole_day;

    (void)pool;
    if (!dl_time_parse_asked(&value->time, &whole_day, &zone_missing,
                             value->text, value->len)) {
        return "not-a-time";
    }
    if (whole_day && param->end) {
        value->time += DL_DAY_US;
    }
    return zone_missing ? "time-zone-missing" : NULL;
}

static const char *parse_bool(mdl_value *value, const mdl_param *param,
                              apr_pool_t *pool)
{
    (void)param;
    (void)pool;
    value->flag = strcmp(value->text, "true") == 0;
    return value->flag || strcmp(value->text, "false") == 0 ? NULL
                                                            : "not-a-boolean";
}

static const char *parse_enum(mdl_value *value, const mdl_param *param,
                              apr_pool_t *pool)
{
    (void)pool;
    for (value->choice = 0; param->choices[value->choice] != NULL;
         value->choice++) {
        if (strcmp(param->choices[value->choice], value->text) == 0) {
            return NULL;
        }
    }
    return "not-a-choice";
}

static const char *parse_list(mdl_value *value, const mdl_param *param,
                              apr_pool_t *pool)
{
    const char *at = value->text;
    const char **items;
    int commas = 0;

    value->all = strcmp(at, "*") == 0;
    if (value->all) {
        return NULL;
    }
    for (at = strchr(at, ','); at != NULL; at = strchr(at + 1, ',')) {
        commas++;
    }
    items = apr_palloc(pool, sizeof *items * ((size_t)commas + 1));
    value->items = items;
    for (at = value->text; value->n_items <= commas; at++) {
        size_t len = strcspn(at, ",");
        const char *fault = len == 0 ? "empty" : check_length(len, param);

        if (fault != NULL) {
            return fault;
        }
        items[value->n_items++] = apr_pstrmemdup(pool, at, len);
        at += len;
    }
    return NULL;
}

static const char *parse_resource(mdl_value *value, const mdl_param *param,
                                  apr_pool_t *pool)
{
    dl_resource resource;

    (void)param;
    (void)pool;
    if (dl_resource_parse(&resource, value->text, value->len, NULL) != DL_OK ||
        (resource.kind != DL_RESOURCE_DATASET &&
         resource.kind != DL_RESOURCE_DAY)) {
        return "not-a-resource";
    }
    return NULL;
}

static const char *parse_address(mdl_value *value, const mdl_param *param,
                                 apr_pool_t *pool)
{
    struct in6_addr six;
    struct in_addr four;
    char out[INET6_ADDRSTRLEN];

    (void)param;
    if (inet_pton(AF_INET, value->text, &four) == 1) {
        value->canonical = value->text;
        return NULL;
    }
    if (inet_pton(AF_INET6, value->text, &six) != 1 ||
        inet_ntop(AF_INET6, &six, out, sizeof out) == NULL) {
        return "not-an-address";
    }
    value->canonical = apr_pstrdup(pool, out);
    return NULL;
}

static const char *parse_uuid(mdl_value *value, const mdl_param *param,
                              apr_pool_t *pool)
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    char *canonical = apr_pstrmemdup(pool, value->text, value->len);
    size_t i;

    (void)param;
    if (value->len != sizeof form - 1) {
        return "not-a-uuid";
    }
    for (i = 0; i < value->len; i++) {
        canonical[i] = (char)apr_tolower(canonical[i]);
        if (form[i] == '-' ? canonical[i] != '-'
                           : !apr_isxdigit(canonical[i])) {
            return "not-a-uuid";
        }
    }
    value->canonical = canonical;
    return NULL;
}

/* What a value of PARAM must be, in words. */
static const char *words_of(const mdl_param *param, apr_pool_t *pool)
{
    const char *words;
    int i;

    switch (param->type) {
    case MDL_PARAM_INT:
        return apr_psprintf(pool, "a whole number from %" PRId64 " to %" PRId64,
                            param->min, param->max);
    case MDL_PARAM_DATE:
        return "a day of the calendar, YYYY-MM-DD";
    case MDL_PARAM_TIME:
        return "a time with a zone (RFC 3339), a date, or unix seconds or "
               "milliseconds";
    case MDL_PARAM_BOOL:
        return "true or false";
    case MDL_PARAM_ENUM:
        words = param->choices[0];
        for (i = 1; param->choices[i] != NULL; i++) {
            words = apr_pstrcat(pool, words, ", ", param->choices[i], NULL);
        }
        return apr_pstrcat(pool, "one of ", words, NULL);
    case MDL_PARAM_LIST:
        return "* or a comma list without empty items";
    case MDL_PARAM_RESOURCE:
        return "a dataset, or dataset/YYYY-MM-DD.json";
    case MDL_PARAM_ADDRESS:
        return "an IPv4 or IPv6 address";
    case MDL_PARAM_UUID:
        return "a UUID, such as 4b7c8a52-0b1e-4c63-9d55-6b1f5a0c2f10";
    case MDL_PARAM_CURSOR:
        return "a cursor of this list";
    case MDL_PARAM_FILTERS:
    case MDL_PARAM_TEXT:
        break;
    }
    return apr_psprintf(pool, "UTF-8 text of %" PRId64 " to %" PRId64 " bytes",
                        param->min > 0 ? param->min : 1, text_max(param));
}

const char *mdl_value_parse(mdl_value *value, const char **wanted,
                            const mdl_param *param, apr_pool_t *pool)
{
    static value_parser *const parsers[] = {
        [MDL_PARAM_TEXT] = parse_text, [MDL_PARAM_INT] = parse_int,
        [MDL_PARAM_DATE] = parse_date, [MDL_PARAM_TIME] = parse_time,
        [MDL_PARAM_BOOL] = parse_bool, [MDL_PARAM_ENUM] = parse_enum,
        [MDL_PARAM_LIST] = parse_list, [MDL_PARAM_RESOURCE] = parse_resource,
        [MDL_PARAM_FILTERS] = NULL,    [MDL_PARAM_ADDRESS] = parse_address,
        [MDL_PARAM_UUID] = parse_uuid, [MDL_PARAM_CURSOR] = NULL};
    value_parser *parse = parsers[param->type];
    const char *fault = NULL;

    if (value->len == 0) {
        fault = "empty";
    }
    else if (!is_clean_text(value->text, value->len)) {
        fault = "not-utf-8";
    }
    else if (parse != NULL) {
        fault = parse(value, param, pool);
    }
    if (fault != NULL) {
        *wanted = words_of(param, pool);
    }
    return fault;
}
