/* mdl_openapi_schema.c - From a row of a table to its schema.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_openapi_schema.h"

#include <stdio.h>
#include <string.h>

#include "mdl_body.h"
#include "mdl_format.h"
#include "mdl_param.h"

/* Longest text where a row names no length. */
#define TEXT_MAX INT64_C(255)

/* Largest number that is read: 18 digits (mdl_value.c). */
#define NUMBER_MAX INT64_C(999999999999999999)

/* A time as contract 1.3 takes it. */
#define TIME_FORMS                                                             \
    "\"anyOf\":[{\"type\":\"string\",\"format\":\"date-time\"},"               \
    "{\"type\":\"string\",\"format\":\"date\"},"                               \
    "{\"type\":\"integer\",\"minimum\":100000000,"                             \
    "\"maximum\":99999999999999}]"

/* Text without control characters. */
#define CLEAN_TEXT "^[^\\x00-\\x1F\\x7F]*$"

/* "*", or a comma list of items of 1 to 255 characters. */
#define LIST_ITEM     "[^,\\x00-\\x1F\\x7F]{1,255}"
#define RESOURCE_FORM "^[a-z][a-z0-9_-]*(/[0-9]{4}-[0-9]{2}-[0-9]{2}\\.json)?$"
#define COMMA_LIST    "^(\\*|" LIST_ITEM "(," LIST_ITEM ")*)$"

/* IPv4 and IPv6 as inet_pton(3) takes them, but for IPv6 that ends in IPv4
 * behind more than "::" and "::ffff:". */
#define BYTE4 "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
#define IPV4  "(?:" BYTE4 "\\.){3}" BYTE4
#define HEX4  "[0-9A-Fa-f]{1,4}"
#define ADDRESS_FORM                                                           \
    "^(?:" IPV4 "|(?:" HEX4 ":){7}" HEX4 "|(?:" HEX4 ":){1,7}:|(?:" HEX4       \
    ":){1,6}(?::" HEX4 "){1,1}|(?:" HEX4 ":){1,5}(?::" HEX4 "){1,2}|(?:" HEX4  \
    ":){1,4}(?::" HEX4 "){1,3}|(?:" HEX4 ":){1,3}(?::" HEX4 "){1,4}|(?:" HEX4  \
    ":){1,2}(?::" HEX4 "){1,5}|(?:" HEX4 ":){1,1}(?::" HEX4                    \
    "){1,6}|:(?::" HEX4 "){1,7}|::|::(?:[Ff]{4}:)?" IPV4 ")$"

void mdl_openapi_text(dl_json_writer *w, const char *name, const char *text)
{
    dl_json_write_key(w, name);
    dl_json_write_text(w, text);
}

void mdl_openapi_raw(dl_json_writer *w, const char *name, const char *json)
{
    if (json != NULL) {
        dl_json_write_key(w, name);
        dl_json_write_raw(w, json, strlen(json));
    }
}

void mdl_openapi_reference(dl_json_writer *w, const char *kind,
                           const char *name)
{
    char address[128];

    (void)snprintf(address, sizeof address, "#/components/%s/%s", kind, name);
    dl_json_write_object_begin(w);
    mdl_openapi_text(w, "$ref", address);
    dl_json_write_object_end(w);
}

/* Write NAME with the whole number VALUE, however large. */
static void write_whole(dl_json_writer *w, const char *name, int64_t value)
{
    char digits[24];

    (void)snprintf(digits, sizeof digits, "%" PRId64, value);
    mdl_openapi_raw(w, name, digits);
}

static void write_flag(dl_json_writer *w, const char *name, bool value)
{
    dl_json_write_key(w, name);
    dl_json_write_bool(w, value);
}

static void write_lengths(dl_json_writer *w, int64_t min, int64_t max)
{
    if (min > 0) {
        write_whole(w, "minLength", min);
    }
    write_whole(w, "maxLength", max > 0 ? max : TEXT_MAX);
}

static void write_range(dl_json_writer *w, int64_t min, int64_t max)
{
    mdl_openapi_text(w, "type", "integer");
    write_whole(w, "minimum", min);
    write_whole(w, "maximum", max < NUMBER_MAX ? max : NUMBER_MAX);
}

static void write_choices(dl_json_writer *w, const char *const *choices)
{
    mdl_openapi_text(w, "type", "string");
    dl_json_write_key(w, "enum");
    dl_json_write_array_begin(w);
    for (; *choices != NULL; choices++) {
        dl_json_write_text(w, *choices);
    }
    dl_json_write_array_end(w);
}

/* What WORDS say about NAME beyond its row: members without braces; "" when
 * nothing. */
static const char *more_of(const mdl_words *words, const char *name)
{
    const mdl_words_part *more = words->refine;

    for (; more != NULL && more->name != NULL; more++) {
        if (strcmp(more->name, name) == 0) {
            return more->json;
        }
    }
    return "";
}

/* Write MORE behind the members that the open object has. */
static void write_more(dl_json_writer *w, const char *more)
{
    if (*more != '\0') {
        dl_json_write_raw(w, more, strlen(more));
    }
}

/* Write that a text has no control characters, unless MORE has a pattern. */
static void write_clean(dl_json_writer *w, const char *more)
{
    if (strstr(more, "\"pattern\":") == NULL) {
        mdl_openapi_text(w, "pattern", CLEAN_TEXT);
    }
}

/* --- Parameters ----------------------------------------------------------- */

static void write_param_type(dl_json_writer *w, const mdl_param *row,
                             const char *more)
{
    switch (row->type) {
    case MDL_PARAM_TEXT:
        mdl_openapi_text(w, "type", "string");
        write_lengths(w, row->min > 0 ? row->min : 1, row->max);
        write_clean(w, more);
        break;
    case MDL_PARAM_INT:
        write_range(w, row->min, row->max);
        break;
    case MDL_PARAM_DATE:
        mdl_openapi_text(w, "type", "string");
        mdl_openapi_text(w, "format", "date");
        mdl_openapi_text(w, "description", "From 1970-01-01 on.");
        break;
    case MDL_PARAM_TIME:
        dl_json_write_raw(w, TIME_FORMS, sizeof TIME_FORMS - 1);
        break;
    case MDL_PARAM_BOOL:
        mdl_openapi_text(w, "type", "boolean");
        break;
    case MDL_PARAM_ENUM:
        write_choices(w, row->choices);
        break;
    case MDL_PARAM_LIST:
        mdl_openapi_text(w, "type", "string");
        mdl_openapi_text(w, "pattern", COMMA_LIST);
        break;
    case MDL_PARAM_RESOURCE:
        mdl_openapi_text(w, "type", "string");
        mdl_openapi_text(w, "pattern", RESOURCE_FORM);
        break;
    case MDL_PARAM_FILTERS:
        mdl_openapi_text(w, "type", "object");
        mdl_openapi_raw(w, "additionalProperties",
                        "{\"type\":\"string\",\"minLength\":1}");
        break;
    case MDL_PARAM_ADDRESS:
        mdl_openapi_text(w, "type", "string");
        mdl_openapi_text(w, "pattern", ADDRESS_FORM);
        break;
    case MDL_PARAM_UUID:
        mdl_openapi_text(w, "type", "string");
        mdl_openapi_text(w, "format", "uuid");
        break;
    case MDL_PARAM_CURSOR:
        mdl_openapi_text(w, "type", "string");
        write_whole(w, "minLength", 1);
        mdl_openapi_text(w, "format", "cursor");
        break;
    }
}

/* Write the default of ROW in its own type. */
static void write_default(dl_json_writer *w, const mdl_param *row)
{
    if (row->fallback == NULL) {
        return;
    }
    if (row->type == MDL_PARAM_INT || row->type == MDL_PARAM_BOOL) {
        mdl_openapi_raw(w, "default", row->fallback);
    }
    else {
        mdl_openapi_text(w, "default", row->fallback);
    }
}

static const mdl_words_value *find_value(const mdl_words *words,
                                         const char *name)
{
    const mdl_words_value *value;

    for (value = words->values; value != NULL && value->name != NULL; value++) {
        if (strcmp(value->name, name) == 0) {
            return value;
        }
    }
    return NULL;
}

/* Write what all parameters have: name, place, example. */
static void begin_parameter(dl_json_writer *w, const mdl_words *words,
                            const char *name, const char *place)
{
    const mdl_words_value *value = find_value(words, name);

    dl_json_write_object_begin(w);
    mdl_openapi_text(w, "name", name);
    mdl_openapi_text(w, "in", place);
    if (value != NULL) {
        mdl_openapi_raw(w, "example", value->json);
    }
}

static void write_param(dl_json_writer *w, const mdl_param *row,
                        const mdl_words *words)
{
    const char *more = more_of(words, row->name);
    char says[512];

    begin_parameter(w, words, row->name, row->in_path ? "path" : "query");
    (void)snprintf(says, sizeof says, "%s.%s%s%s",
                   row->summary != NULL ? row->summary : row->name,
                   row->alias != NULL ? " Also spelled " : "",
                   row->alias != NULL ? row->alias : "",
                   row->alias != NULL ? "." : "");
    mdl_openapi_text(w, "description", says);
    if (row->in_path || row->required) {
        write_flag(w, "required", true);
    }
    dl_json_write_key(w, "schema");
    dl_json_write_object_begin(w);
    write_param_type(w, row, more);
    write_default(w, row);
    write_more(w, more);
    dl_json_write_object_end(w);
    dl_json_write_object_end(w);
}

/* Whether the table of ROUTE has a row for the LEN bytes at NAME. */
static bool has_row(const mdl_route *route, const char *name, size_t len)
{
    const mdl_param *row;

    for (row = route->params; row != NULL && row->name != NULL; row++) {
        if (strncmp(row->name, name, len) == 0 && row->name[len] == '\0') {
            return true;
        }
    }
    return false;
}

/* Write the {names} of the template that have no row: any text. */
static void write_segments(dl_json_writer *w, const mdl_route *route,
                           const mdl_words *words)
{
    const char *at = strchr(route->template, '{');

    for (; at != NULL; at = strchr(at, '{')) {
        size_t len = strcspn(++at, "}");
        char name[64];

        if (has_row(route, at, len)) {
            continue;
        }
        (void)snprintf(name, sizeof name, "%.*s", (int)len, at);
        begin_parameter(w, words, name, "path");
        write_flag(w, "required", true);
        dl_json_write_key(w, "schema");
        dl_json_write_object_begin(w);
        mdl_openapi_text(w, "type", "string");
        write_more(w, more_of(words, name));
        dl_json_write_object_end(w);
        dl_json_write_object_end(w);
    }
}

/* Write format=, which rows of several formats take. */
static void write_format(dl_json_writer *w, unsigned formats)
{
    static const unsigned bits[] = {MDL_FORMAT_JSON, MDL_FORMAT_NDJSON,
                                    MDL_FORMAT_CSV};
    size_t i;

    dl_json_write_object_begin(w);
    mdl_openapi_text(w, "name", "format");
    mdl_openapi_text(w, "in", "query");
    mdl_openapi_text(w, "description", "Wins over Accept.");
    dl_json_write_key(w, "schema");
    dl_json_write_object_begin(w);
    mdl_openapi_text(w, "type", "string");
    dl_json_write_key(w, "enum");
    dl_json_write_array_begin(w);
    for (i = 0; i < sizeof bits / sizeof bits[0]; i++) {
        if ((formats & bits[i]) != 0) {
            dl_json_write_text(w, mdl_format_name(bits[i]));
        }
    }
    dl_json_write_array_end(w);
    dl_json_write_object_end(w);
    dl_json_write_object_end(w);
}

void mdl_openapi_parameters(dl_json_writer *w, const mdl_route *route,
                            const mdl_words *words)
{
    const char *const *header = words->parameters;
    const mdl_param *row;

    dl_json_write_array_begin(w);
    write_segments(w, route, words);
    for (row = route->params; row != NULL && row->name != NULL; row++) {
        write_param(w, row, words);
    }
    if (route->class != MDL_CLASS_PUBLIC &&
        (route->formats & (MDL_FORMAT_NDJSON | MDL_FORMAT_CSV)) != 0) {
        write_format(w, route->formats);
    }
    for (; header != NULL && *header != NULL; header++) {
        mdl_openapi_reference(w, "parameters", *header);
    }
    dl_json_write_array_end(w);
}

/* --- Bodies --------------------------------------------------------------- */

/* A body that is being written. */
typedef struct body_writer {
    dl_json_writer *w;      /* where to */
    const mdl_words *words; /* what is said of it */
    unsigned media;         /* the bit of mdl_media it is sent as */
} body_writer;

static void write_member_type(const body_writer *to, const mdl_member *row,
                              const char *more)
{
    dl_json_writer *w = to->w;

    switch (row->type) {
    case MDL_MEMBER_TEXT:
        mdl_openapi_text(w, "type", "string");
        write_lengths(w, row->min, row->max);
        if (row->free_text) {
            mdl_openapi_text(w, "pattern", "^[^\\x00]*$");
        }
        else {
            write_clean(w, more);
        }
        break;
    case MDL_MEMBER_INT:
        write_range(w, row->min, row->max);
        break;
    case MDL_MEMBER_BOOL:
        mdl_openapi_text(w, "type", "boolean");
        break;
    case MDL_MEMBER_TIME:
        dl_json_write_raw(w, TIME_FORMS, sizeof TIME_FORMS - 1);
        break;
    case MDL_MEMBER_ENUM:
        write_choices(w, row->choices);
        break;
    case MDL_MEMBER_ANY:
        if (to->media == MDL_MEDIA_FORM) {
            mdl_openapi_text(w, "type", "string");
        }
        break;
    }
}

/* Write the schema of ROW without null. */
static void write_value(const body_writer *to, const mdl_member *row)
{
    const char *more = more_of(to->words, row->name);
    dl_json_writer *w = to->w;

    dl_json_write_object_begin(w);
    write_member_type(to, row, more);
    if (row->secret) {
        write_flag(w, "writeOnly", true);
    }
    write_more(w, more);
    if (!row->nullable && row->summary != NULL) {
        mdl_openapi_text(w, "description", row->summary);
    }
    dl_json_write_object_end(w);
}

static void write_member(const body_writer *to, const char *name,
                         const mdl_member *row)
{
    dl_json_writer *w = to->w;

    dl_json_write_key(w, name);
    if (!row->nullable) {
        write_value(to, row);
        return;
    }
    dl_json_write_object_begin(w);
    dl_json_write_key(w, "anyOf");
    dl_json_write_array_begin(w);
    write_value(to, row);
    dl_json_write_raw(w, "{\"type\":\"null\"}", 15);
    dl_json_write_array_end(w);
    if (row->summary != NULL) {
        mdl_openapi_text(w, "description", row->summary);
    }
    dl_json_write_object_end(w);
}

/* Write which members have to be there; one of two names is enough. */
static void write_required(dl_json_writer *w, const mdl_member *members)
{
    const mdl_member *row;

    dl_json_write_key(w, "required");
    dl_json_write_array_begin(w);
    for (row = members; row->name != NULL; row++) {
        if (row->required && row->alias == NULL) {
            dl_json_write_text(w, row->name);
        }
    }
    dl_json_write_array_end(w);
    for (row = members; row->name != NULL; row++) {
        if (row->required && row->alias != NULL) {
            char either[160];

            (void)snprintf(either, sizeof either,
                           "[{\"required\":[\"%s\"]},{\"required\":[\"%s\"]}]",
                           row->name, row->alias);
            mdl_openapi_raw(w, "oneOf", either);
            break; /* no body has two of them */
        }
    }
}

static void write_members(const body_writer *to, const mdl_body *body)
{
    const mdl_member *row;
    dl_json_writer *w = to->w;

    dl_json_write_object_begin(w);
    mdl_openapi_text(w, "type", "object");
    dl_json_write_key(w, "properties");
    dl_json_write_object_begin(w);
    for (row = body->members; row->name != NULL; row++) {
        write_member(to, row->name, row);
        if (row->alias != NULL) {
            write_member(to, row->alias, row);
        }
    }
    dl_json_write_object_end(w);
    write_required(w, body->members);
    if (body->not_empty) {
        write_whole(w, "minProperties", 1);
    }
    write_more(w, more_of(to->words, "*"));
    write_flag(w, "additionalProperties", false);
    dl_json_write_object_end(w);
}

void mdl_openapi_body(dl_json_writer *w, const mdl_route *route,
                      const mdl_words *words)
{
    static const struct {
        unsigned bit;     /* of mdl_media */
        const char *type; /* its media type */
    } media[] = {{MDL_MEDIA_JSON, "application/json"},
                 {MDL_MEDIA_FORM, "application/x-www-form-urlencoded"}};
    size_t i;

    dl_json_write_object_begin(w);
    write_flag(w, "required", !route->body->optional);
    dl_json_write_key(w, "content");
    dl_json_write_object_begin(w);
    for (i = 0; i < sizeof media / sizeof media[0]; i++) {
        if ((route->body->media & media[i].bit) != 0) {
            body_writer to = {w, words, media[i].bit};

            dl_json_write_key(w, media[i].type);
            dl_json_write_object_begin(w);
            dl_json_write_key(w, "schema");
            write_members(&to, route->body);
            mdl_openapi_raw(w, "example", words->body);
            dl_json_write_object_end(w);
        }
    }
    dl_json_write_object_end(w);
    dl_json_write_object_end(w);
}
