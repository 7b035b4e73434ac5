/* mdl_body_member.c - Judging members of a body.
 *
 * Values are never told back: a fault names the member and what it must be.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_body_member.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "dl_field_value.h"
#include "dl_utf8.h"
#include "mdl_body.h"
#include "mdl_problem.h"
#include "mdl_value.h"

/* Longest name of an unknown member that is told back. */
#define ECHO_MAX 64

/* Longest text where the row names no length. */
#define TEXT_MAX 255

static int find_row(const mdl_member *rows, const char *name, size_t len)
{
    int i;

    for (i = 0; rows[i].name != NULL; i++) {
        if ((strlen(rows[i].name) == len &&
             memcmp(rows[i].name, name, len) == 0) ||
            (rows[i].alias != NULL && strlen(rows[i].alias) == len &&
             memcmp(rows[i].alias, name, len) == 0)) {
            return i;
        }
    }
    return -1;
}

bool mdl_body_member_sent(const mdl_request *q, const char *name, size_t len)
{
    int i = find_row(q->route->body->members, name, len);

    return i >= 0 && (q->members[i].given || q->members[i].is_null);
}

/* --- Faults ----------------------------------------------------------------
 */

/* The JSON pointer of the member NAME of the whole, without its slash. */
static const char *pointer_of(const char *name, apr_pool_t *pool)
{
    char *out = apr_palloc(pool, 2 * strlen(name) + 1);
    char *at = out;

    for (; *name != '\0'; name++) {
        if (*name == '~' || *name == '/') {
            *at++ = '~';
            *at++ = *name == '~' ? '0' : '1';
        }
        else {
            *at++ = *name;
        }
    }
    *at = '\0';
    return out;
}

/* Name the fault CODE of the member NAME (NULL: the whole) of the object at
 * the JSON pointer WITHIN. */
static void fault_in(mdl_request *q, const char *within, const char *name,
                     const char *code, const char *detail)
{
    const char *pointer = within;

    if (name != NULL) {
        pointer = apr_pstrcat(q->r->pool, within, "/",
                              pointer_of(name, q->r->pool), NULL);
    }
    mdl_problem_pointer(q, pointer, code, "%s", detail);
    (void)mdl_problem(q, MDL_PROBLEM_VALIDATION, "%s",
                      "The body breaks rules of this resource; errors says "
                      "which member and why.");
}

/* The same of the body. */
static void fault(mdl_request *q, const char *name, const char *code,
                  const char *detail)
{
    fault_in(q, "", name, code, detail);
}

void mdl_body_member_fault(mdl_request *q, const mdl_member *member,
                           const char *code, const char *detail)
{
    fault(q, member == NULL ? NULL : member->name, code, detail);
}

/* --- Types -----------------------------------------------------------------
 */

/* Whether CODE controls the terminal or the direction of text. */
static bool is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x061C ||
           code == 0x200E || code == 0x200F ||
           (code >= 0x2028 && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x2069);
}

/* The character of WIDTH bytes at P, which is valid. */
static uint32_t decode(const unsigned char *p, size_t width)
{
    uint32_t code = width == 1 ? p[0] : p[0] & (0x7Fu >> width);
    size_t i;

    for (i = 1; i < width; i++) {
        code = code << 6 | (p[i] & 0x3Fu);
    }
    return code;
}

/* Count the characters of the valid UTF-8 at TEXT; whether any controls. */
static bool has_control(size_t *characters, const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    const unsigned char *end = p + len;
    bool found = false;

    *characters = 0;
    while (p < end) {
        size_t width = dl_utf8_check(p, (size_t)(end - p));

        width = width == 0 ? 1 : width;
        found = found || is_control(decode(p, width));
        p += width;
        *characters += 1;
    }
    return found;
}

typedef const char *judge_function(mdl_member_value *out, const mdl_member *row,
                                   const dl_json_value *value);

static const char *judge_text(mdl_member_value *out, const mdl_member *row,
                              const dl_json_value *value)
{
    int64_t max = row->max > 0 ? row->max : TEXT_MAX;
    size_t characters;
    bool control;
    int64_t len;

    if (value->kind != DL_JSON_STRING) {
        return "wrong-type";
    }
    control = has_control(&characters, value->text, value->len);
    len = (int64_t)(row->characters ? characters : value->len);
    if (len < row->min) {
        return "too-short";
    }
    if (len > max) {
        return "too-long";
    }
    if (control && !row->free_text) {
        return "control-character";
    }
    out->text = value->text;
    out->len = value->len;
    return NULL;
}

/* Whether VALUE came from a form, where every type is written as text. */
static bool is_field(const dl_json_value *value)
{
    return value->end == 0;
}

bool mdl_body_whole(int64_t *number, const dl_json_value *value)
{
    const dl_field any = {
        .type = DL_FIELD_INT, .min = INT64_MIN, .max = INT64_MAX};
    const dl_json_slice slice = {
        .text = value->text, .len = value->len, .kind = value->kind};

    return value->kind == DL_JSON_NUMBER && dl_field_int(number, &any, slice);
}

static const char *judge_int(mdl_member_value *out, const mdl_member *row,
                             const dl_json_value *value)
{
    const char *digits;
    size_t n;

    if (value->kind != DL_JSON_NUMBER && !is_field(value)) {
        return "wrong-type";
    }
    digits = value->text + (value->text[0] == '-' ? 1 : 0);
    n = strspn(digits, "0123456789");
    if (digits + n != value->text + value->len) {
        /* 500.0 and 5e2 are whole numbers of JSON, though not of a form. */
        if (is_field(value) || !mdl_body_whole(&out->number, value)) {
            return "wrong-type";
        }
    }
    else if (n == 0) {
        return "wrong-type";
    }
    else if (n > 18) {
        return "out-of-range";
    }
    else {
        out->number = apr_atoi64(value->text);
    }
    return out->number < row->min || out->number > row->max ? "out-of-range"
                                                            : NULL;
}

static const char *judge_bool(mdl_member_value *out, const mdl_member *row,
                              const dl_json_value *value)
{
    (void)row;
    if (is_field(value)) {
        out->flag = strcmp(value->text, "true") == 0;
        return out->flag || strcmp(value->text, "false") == 0 ? NULL
                                                              : "wrong-type";
    }
    out->flag = value->kind == DL_JSON_TRUE;
    return out->flag || value->kind == DL_JSON_FALSE ? NULL : "wrong-type";
}

static const char *judge_time(mdl_member_value *out, const mdl_member *row,
                              const dl_json_value *value)
{
    const mdl_param time = {.type = MDL_PARAM_TIME, .end = row->end};
    mdl_value parsed = {.text = value->text, .len = value->len};
    char digits[24];
    const char *wanted;
    const char *code;
    int64_t number;

    if (value->kind != DL_JSON_STRING && value->kind != DL_JSON_NUMBER) {
        return "wrong-type";
    }
    if (value->len == 0 || strlen(value->text) != value->len) {
        return "not-a-time";
    }
    if (mdl_body_whole(&number, value)) { /* 1779096600.0 is one, too */
        parsed.len =
            (size_t)apr_snprintf(digits, sizeof digits, "%" PRId64, number);
        parsed.text = digits;
    }
    code = mdl_value_parse(&parsed, &wanted, &time, NULL);
    out->time = parsed.time;
    if (code != NULL && strcmp(code, "not-utf-8") == 0) {
        return "control-character";
    }
    return code;
}

static const char *judge_enum(mdl_member_value *out, const mdl_member *row,
                              const dl_json_value *value)
{
    if (value->kind != DL_JSON_STRING) {
        return "wrong-type";
    }
    out->text = value->text;
    out->len = value->len;
    for (out->choice = 0; row->choices[out->choice] != NULL; out->choice++) {
        if (strlen(row->choices[out->choice]) == value->len &&
            memcmp(row->choices[out->choice], value->text, value->len) == 0) {
            return NULL;
        }
    }
    return "not-a-choice";
}

/* What a value of ROW must be, in words. */
static const char *words_of(const mdl_member *row, apr_pool_t *pool)
{
    const char *words;
    int i;

    switch (row->type) {
    case MDL_MEMBER_INT:
        return apr_psprintf(
            pool, "must be a whole number from %" PRId64 " to %" PRId64,
            row->min, row->max);
    case MDL_MEMBER_BOOL:
        return "must be true or false";
    case MDL_MEMBER_TIME:
        return "must be a time with a zone (RFC 3339), a date, or unix "
               "seconds or milliseconds";
    case MDL_MEMBER_ENUM:
        words = apr_pstrcat(pool, "must be one of ", row->choices[0], NULL);
        for (i = 1; row->choices[i] != NULL; i++) {
            words = apr_pstrcat(pool, words, ", ", row->choices[i], NULL);
        }
        return words;
    case MDL_MEMBER_ANY:
        return "must be given";
    case MDL_MEMBER_TEXT:
        break;
    }
    return apr_psprintf(pool,
                        "must be a string of %" PRId64 " to %" PRId64 " %s%s",
                        row->min, row->max > 0 ? row->max : TEXT_MAX,
                        row->characters ? "characters" : "bytes",
                        row->free_text ? "" : " without control characters");
}

static const char *judge(mdl_request *q, mdl_member_value *out,
                         const mdl_member *row, const dl_json_value *value)
{
    static judge_function *const judges[] = {
        [MDL_MEMBER_TEXT] = judge_text, [MDL_MEMBER_INT] = judge_int,
        [MDL_MEMBER_BOOL] = judge_bool, [MDL_MEMBER_TIME] = judge_time,
        [MDL_MEMBER_ENUM] = judge_enum, [MDL_MEMBER_ANY] = NULL};

    if (judges[row->type] != NULL) {
        return judges[row->type](out, row, value);
    }
    out->text = is_field(value) ? value->text : q->body.text + value->first;
    out->len = is_field(value) ? value->len : value->end - value->first;
    return NULL;
}

/* --- Members ---------------------------------------------------------------
 */

static void refuse_unknown(mdl_request *q, const char *within,
                           const dl_json_value *value)
{
    if (value->name_len > ECHO_MAX || strlen(value->name) < value->name_len) {
        fault_in(q, within, NULL, "unknown",
                 "a member is not one of this resource");
        return;
    }
    fault_in(q, within, value->name, "unknown",
             "is not a member of this resource");
}

void mdl_body_member_take(mdl_request *q, const dl_json_value *value)
{
    const mdl_member *rows = q->route->body->members;
    int i = find_row(rows, value->name, value->name_len);
    mdl_member_value *out;
    const char *code;

    if (i < 0) {
        refuse_unknown(q, "", value);
        return;
    }
    out = &q->members[i];
    if (out->given || out->is_null) {
        fault(q, rows[i].name, "repeated", "may be given once");
        return;
    }
    out->is_null = value->kind == DL_JSON_NULL;
    out->given = !out->is_null;
    if (rows[i].ignored || (out->is_null && rows[i].nullable)) {
        return;
    }
    code = out->is_null ? "wrong-type" : judge(q, out, &rows[i], value);
    if (code != NULL) {
        fault(q, rows[i].name, code, words_of(&rows[i], q->r->pool));
    }
}

int mdl_body_member_finish(mdl_request *q)
{
    const mdl_body *body = q->route->body;
    bool any = false;
    int i;

    for (i = 0; body->members[i].name != NULL; i++) {
        bool sent = q->members[i].given || q->members[i].is_null;

        any = any || sent;
        if (body->members[i].required && !sent) {
            fault(q, body->members[i].name, "required", "is required");
        }
    }
    if (body->not_empty && !any && q->problem == NULL) {
        fault(q, NULL, "required", "at least one member must be given");
    }
    return q->problem == NULL
               ? OK
               : mdl_problem_type_of(MDL_PROBLEM_VALIDATION)->status;
}

/* --- Objects inside -------------------------------------------------------- */

int mdl_body_judge_inside(mdl_member_value *out, mdl_request *q,
                          const mdl_body_inside *inside)
{
    const dl_json_value *values = inside->values->values;
    const mdl_member *rows = inside->rows;
    const char *within = inside->pointer;
    bool good = true;
    uint32_t at;
    int i;

    for (i = 0; rows[i].name != NULL; i++) {
        out[i] = (mdl_member_value){.given = false};
    }
    for (at = inside->at + 1; at < values[inside->at].next;
         at = values[at].next) {
        const dl_json_value *value = &values[at];
        const char *code = NULL;

        i = find_row(rows, value->name, value->name_len);
        if (i < 0) {
            refuse_unknown(q, within, value);
            good = false;
            continue;
        }
        out[i].is_null = value->kind == DL_JSON_NULL;
        out[i].given = !out[i].is_null;
        if (out[i].given || !rows[i].nullable) {
            code = out[i].is_null ? "wrong-type"
                                  : judge(q, &out[i], &rows[i], value);
        }
        if (code != NULL) {
            fault_in(q, within, rows[i].name, code,
                     words_of(&rows[i], q->r->pool));
            good = false;
        }
    }
    for (i = 0; rows[i].name != NULL; i++) {
        if (rows[i].required && !out[i].given && !out[i].is_null) {
            fault_in(q, within, rows[i].name, "required", "is required");
            good = false;
        }
    }
    return good ? OK : mdl_problem_type_of(MDL_PROBLEM_VALIDATION)->status;
}
