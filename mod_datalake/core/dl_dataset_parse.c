/* dl_dataset_parse.c - Read a declaration; say what is wrong with it and
 * where.
 *
 * One function an object of the declaration, in the order of
 * conf/dataset.schema.json.  A pointer such as /fields/3/type names the
 * place of a mistake; its line is looked up only then.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_dataset.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>
#include <jansson.h>

#include "dl_json_line.h"

/* Bounds of a declaration. */
enum {
    MAX_FIELDS = 500,
    MAX_PATHS = 8,
    MAX_PATH_BYTES = 200,
    MAX_TEXT_CHARS = 16383,
    DEFAULT_TEXT_CHARS = 255
};

/* A declaration being read. */
typedef struct reading {
    const dl_dataset_source *source; /* its text */
    dl_dataset *ds;                  /* what it becomes */
    dl_field *fields;                /* of ds, still to be written */
    int n_alternates;                /* slots behind the fields */
    dl_error *err;                   /* of the caller */
    apr_pool_t *pool;                /* of the result */
} reading;

/* A word of the declaration and what it stands for. */
typedef struct word {
    const char *text; /* as written */
    unsigned value;   /* an enum value */
} word;

/* Fail with the line of POINTER and the sentence of FORMAT. */
__attribute__((format(printf, 3, 4))) static dl_status
wrong(const reading *r, const char *pointer, const char *format, ...)
{
    char text[300];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return dl_fail(r->err, DL_INVALID, 0, "%.200s:%d: %.100s %s",
                   r->source->file,
                   dl_json_line(r->source->text, r->source->len, pointer),
                   *pointer == '\0' ? "the declaration" : pointer, text);
}

/* POINTER with one more step. */
static const char *step(const reading *r, const char *pointer, const char *name)
{
    return apr_pstrcat(r->pool, pointer, "/", name, NULL);
}

static const char *step_index(const reading *r, const char *pointer, size_t i)
{
    /* APR does not know %zu. */
    return apr_psprintf(r->pool, "%s/%d", pointer, (int)i);
}

/* Check that VALUE at POINTER is an object of the members NAMES (comma and
 * space between them), none else. */
static dl_status check_members(const reading *r, const json_t *value,
                               const char *pointer, const char *names)
{
    const char *key;
    json_t *member;
    json_t *object;

    if (!json_is_object(value)) {
        return wrong(r, pointer, "must be an object of %s", names);
    }
    memcpy(&object, &value, sizeof object);
    json_object_foreach(object, key, member)
    {
        const char *found = strstr(names, key);
        size_t len = strlen(key);

        while (found != NULL && ((found > names && found[-1] != ' ') ||
                                 (found[len] != ',' && found[len] != '\0'))) {
            found = strstr(found + 1, key);
        }
        if (found == NULL || len == 0) {
            return wrong(r, step(r, pointer, key), "is not known; known are %s",
                         names);
        }
    }
    return DL_OK;
}

/* Set *TEXT to member NAME of OBJECT, or to NULL when it is not there. */
static dl_status get_text(const char **text, const reading *r,
                          const json_t *object, const char *pointer,
                          const char *name)
{
    const json_t *value = json_object_get(object, name);

    *text = NULL;
    if (value == NULL) {
        return DL_OK;
    }
    if (!json_is_string(value) || json_string_length(value) == 0 ||
        strlen(json_string_value(value)) != json_string_length(value)) {
        return wrong(r, step(r, pointer, name), "must be a text, not empty");
    }
    *text = apr_pstrdup(r->pool, json_string_value(value));
    return DL_OK;
}

/* Set *NUMBER to member NAME of OBJECT, which must be from 1 to MOST; when it
 * is not there *NUMBER stays, unless that is 0. */
static dl_status get_count(int *number, const reading *r, const json_t *object,
                           const char *pointer, const char *name, int most)
{
    const json_t *value = json_object_get(object, name);

    if (value == NULL && *number > 0) {
        return DL_OK;
    }
    if (!json_is_integer(value) || json_integer_value(value) < 1 ||
        json_integer_value(value) > most) {
        return wrong(r, step(r, pointer, name),
                     "must be a whole number from 1 to %d", most);
    }
    *number = (int)json_integer_value(value);
    return DL_OK;
}

/* Set *VALUE to what TEXT stands for in WORDS, or fail listing them. */
static dl_status get_word(unsigned *value, const reading *r, const word *words,
                          const char *pointer, const char *text)
{
    const char *list = "";

    for (; words->text != NULL; words++) {
        if (text != NULL && strcmp(words->text, text) == 0) {
            *value = words->value;
            return DL_OK;
        }
        list = apr_pstrcat(r->pool, list, *list == '\0' ? "" : ", ",
                           words->text, NULL);
    }
    return wrong(r, pointer, "must be one of %s", list);
}

/* Whether NAME can be a table or column. */
static bool column_ok(const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    size_t len = strlen(name);

    return len > 0 && len <= 64 && strspn(name, allowed) == len &&
           (*name < '0' || *name > '9');
}

static int find_column(const reading *r, const char *column)
{
    for (int i = 0; i < r->ds->n_fields; i++) {
        if (r->fields[i].column != NULL &&
            strcmp(r->fields[i].column, column) == 0) {
            return i;
        }
    }
    return -1;
}

/* --- /fields -------------------------------------------------------------- */

/* Check one PATH of a field at POINTER. */
static dl_status check_path(const reading *r, const json_t *value,
                            const char *pointer)
{
    if (!json_is_string(value) || json_string_length(value) == 0 ||
        json_string_length(value) > MAX_PATH_BYTES ||
        strlen(json_string_value(value)) != json_string_length(value)) {
        return wrong(r, pointer,
                     "must be a member path such as \"location.city\", at "
                     "most %d bytes",
                     MAX_PATH_BYTES);
    }
    return DL_OK;
}

/* Read the further paths of F from LIST, whose first one is the field's. */
static dl_status read_alternates(reading *r, dl_field *f, const json_t *list,
                                 const char *pointer)
{
    size_t n = json_array_size(list);
    const char **paths = apr_pcalloc(r->pool, n * sizeof *paths);

    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(list, i);

        DL_TRY(check_path(r, value, step_index(r, pointer, i)));
        paths[i] = apr_pstrdup(r->pool, json_string_value(value));
    }
    f->path = paths[0];
    f->alternates = paths + 1;
    f->n_alternates = (int)n - 1;
    r->n_alternates += f->n_alternates;
    return DL_OK;
}

static dl_status read_member(reading *r, dl_field *f, const json_t *object,
                             const char *pointer)
{
    const json_t *value = json_object_get(object, "member");

    pointer = step(r, pointer, "member");
    if (json_is_array(value) && json_array_size(value) >= 1 &&
        json_array_size(value) <= MAX_PATHS) {
        DL_TRY(read_alternates(r, f, value, pointer));
    }
    else if (json_is_string(value)) {
        DL_TRY(check_path(r, value, pointer));
        f->path = apr_pstrdup(r->pool, json_string_value(value));
    }
    else {
        return wrong(r, pointer,
                     "must be a member path, or a list of up to %d of which "
                     "the first one present counts",
                     MAX_PATHS);
    }
    for (const dl_field *other = r->fields; other < f; other++) {
        if (strcmp(other->path, f->path) == 0) {
            return wrong(r, pointer, "is declared twice: %s", f->path);
        }
    }
    return DL_OK;
}

static dl_status read_type(const reading *r, dl_field *f, const json_t *object,
                           const char *pointer)
{
    static const word types[] = {
        {"str", DL_FIELD_STR},   {"int", DL_FIELD_INT},
        {"long", DL_FIELD_INT},  {"dec", DL_FIELD_DEC},
        {"num", DL_FIELD_NUM},   {"bool", DL_FIELD_BOOL},
        {"time", DL_FIELD_TIME}, {"date", DL_FIELD_DATE},
        {"any", DL_FIELD_ANY},   {NULL, 0},
    };
    const char *text;
    unsigned value = 0;

    DL_TRY(get_text(&text, r, object, pointer, "type"));
    DL_TRY(get_word(&value, r, types, step(r, pointer, "type"), text));
    f->type = (dl_field_type)value;
    f->min = INT32_MIN;
    f->max = INT32_MAX;
    if (strcmp(text, "long") == 0) {
        f->min = INT64_MIN;
        f->max = INT64_MAX;
    }
    return DL_OK;
}

static dl_status read_column(const reading *r, dl_field *f,
                             const json_t *object, const char *pointer)
{
    const char *column;
    int other;

    DL_TRY(get_text(&column, r, object, pointer, "column"));
    if (column == NULL) {
        return DL_OK;
    }
    pointer = step(r, pointer, "column");
    if (!column_ok(column)) {
        return wrong(r, pointer,
                     "must be 1 to 64 letters, digits and _, no digit first");
    }
    if (r->ds->table == NULL) {
        return wrong(r, pointer, "needs a table: add a member \"table\"");
    }
    if (f->type == DL_FIELD_ANY) {
        return wrong(r, pointer, "cannot hold type any: give a type");
    }
    other = find_column(r, column);
    if (other >= 0) {
        return wrong(r, pointer, "is the column of %s already: %s",
                     r->fields[other].path, column);
    }
    f->column = column;
    return DL_OK;
}

/* Read the longest text of F; without one a column has the usual length. */
static dl_status read_max(const reading *r, dl_field *f, const json_t *object,
                          const char *pointer)
{
    int max = DEFAULT_TEXT_CHARS;

    if (json_object_get(object, "max") != NULL &&
        (f->type != DL_FIELD_STR || f->column == NULL)) {
        return wrong(r, step(r, pointer, "max"),
                     "is for a str with a column: the characters it holds");
    }
    DL_TRY(get_count(&max, r, object, pointer, "max", MAX_TEXT_CHARS));
    if (f->type == DL_FIELD_STR && f->column != NULL) {
        f->max_chars = (uint32_t)max;
    }
    return DL_OK;
}

static dl_status read_field(reading *r, dl_field *f, const json_t *object,
                            const char *pointer)
{
    const json_t *required;

    DL_TRY(check_members(r, object, pointer,
                         "member, type, required, column, max"));
    DL_TRY(read_member(r, f, object, pointer));
    DL_TRY(read_type(r, f, object, pointer));
    required = json_object_get(object, "required");
    if (required != NULL && !json_is_boolean(required)) {
        return wrong(r, step(r, pointer, "required"), "must be true or false");
    }
    f->required = json_is_true(required);
    DL_TRY(read_column(r, f, object, pointer));
    return read_max(r, f, object, pointer);
}

static dl_status read_fields(reading *r, const json_t *root)
{
    const json_t *list = json_object_get(root, "fields");
    size_t n = json_array_size(list);

    if (!json_is_array(list) || n == 0 || n > MAX_FIELDS) {
        return wrong(r, "/fields", "must be a list of 1 to %d fields",
                     MAX_FIELDS);
    }
    r->fields = apr_pcalloc(r->pool, n * sizeof *r->fields);
    r->ds->fields = r->fields;
    for (size_t i = 0; i < n; i++) {
        DL_TRY(read_field(r, &r->fields[i], json_array_get(list, i),
                          step_index(r, "/fields", i)));
        r->ds->n_fields++;
    }
    return DL_OK;
}

/* --- /topic, /event_time, /table ------------------------------------------ */

/* Set *FIELD to the field member NAME of OBJECT names, -1 when there is no
 * such member. */
static dl_status get_field(int *field, const reading *r, const json_t *object,
                           const char *pointer, const char *name)
{
    const char *path;

    DL_TRY(get_text(&path, r, object, pointer, name));
    *field = path == NULL ? -1 : dl_dataset_field(r->ds, path);
    if (path != NULL && *field < 0) {
        return wrong(r, step(r, pointer, name),
                     "must be the member of a field, %s is not", path);
    }
    return DL_OK;
}

static dl_status read_topic(reading *r, const json_t *root)
{
    const json_t *object = json_object_get(root, "topic");
    dl_dataset *ds = r->ds;

    DL_TRY(check_members(r, object, "/topic",
                         "name, key, partitions, retention_days"));
    DL_TRY(get_text(&ds->topic, r, object, "/topic", "name"));
    if (ds->topic == NULL) {
        ds->topic = ds->name;
    }
    if (strlen(ds->topic) > 200 ||
        strspn(ds->topic, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                          "0123456789._-") != strlen(ds->topic)) {
        return wrong(r, "/topic/name",
                     "must be at most 200 letters, digits, '.', '_' and '-'");
    }
    DL_TRY(get_field(&ds->key_field, r, object, "/topic", "key"));
    DL_TRY(get_count(&ds->partitions, r, object, "/topic", "partitions", 1000));
    return get_count(&ds->kafka_retention_days, r, object, "/topic",
                     "retention_days", 3650);
}

static dl_status read_formats(reading *r, const json_t *list)
{
    static const word formats[] = {
        {"unix", DL_TIME_UNIX},
        {"rfc3339", DL_TIME_RFC3339},
        {"local", DL_TIME_LOCAL},
        {"date", DL_TIME_DATE},
        {NULL, 0},
    };
    size_t n = json_array_size(list);

    if (!json_is_array(list) || n == 0 || n > 4) {
        return wrong(r, "/event_time/formats",
                     "must be a list of unix, rfc3339, local, date");
    }
    for (size_t i = 0; i < n; i++) {
        unsigned value = 0;

        DL_TRY(get_word(&value, r, formats,
                        step_index(r, "/event_time/formats", i),
                        json_string_value(json_array_get(list, i))));
        r->ds->time_formats |= value;
    }
    return DL_OK;
}

static dl_status read_event_time(reading *r, const json_t *root)
{
    const json_t *object = json_object_get(root, "event_time");
    dl_field_type type;

    DL_TRY(check_members(r, object, "/event_time", "member, formats"));
    DL_TRY(get_field(&r->ds->time_field, r, object, "/event_time", "member"));
    if (r->ds->time_field < 0) {
        return wrong(r, "/event_time/member", "must be the member of a field");
    }
    type = r->fields[r->ds->time_field].type;
    if (type != DL_FIELD_TIME && type != DL_FIELD_DATE) {
        return wrong(r, "/event_time/member",
                     "must be a field of type time or date");
    }
    return read_formats(r, json_object_get(object, "formats"));
}

/* Read what of /table the fields need: its name. */
static dl_status read_table_name(reading *r, const json_t *root)
{
    const json_t *object = json_object_get(root, "table");

    if (object == NULL) {
        return DL_OK;
    }
    DL_TRY(
        check_members(r, object, "/table", "name, unique, on_repeat, rollup"));
    DL_TRY(get_text(&r->ds->table, r, object, "/table", "name"));
    if (r->ds->table == NULL || !column_ok(r->ds->table)) {
        return wrong(r, "/table/name",
                     "must be 1 to 64 letters, digits and _, no digit first");
    }
    return DL_OK;
}

static dl_status read_unique(reading *r, const json_t *list)
{
    size_t n = json_array_size(list);
    const char **columns;

    if (!json_is_array(list) || n == 0 || n > 16) {
        return wrong(r, "/table/unique",
                     "must be a list of the columns that make a row unique");
    }
    columns = apr_palloc(r->pool, n * sizeof *columns);
    for (size_t i = 0; i < n; i++) {
        const char *column = json_string_value(json_array_get(list, i));
        int field = column == NULL ? -1 : find_column(r, column);

        if (field < 0) {
            return wrong(r, step_index(r, "/table/unique", i),
                         "must be the column of a field");
        }
        if (!r->fields[field].required) {
            return wrong(r, step_index(r, "/table/unique", i),
                         "must be the column of a required field, %s is not",
                         r->fields[field].path);
        }
        columns[i] = r->fields[field].column;
    }
    r->ds->unique = columns;
    r->ds->n_unique = (int)n;
    return DL_OK;
}

static dl_status read_table(reading *r, const json_t *root)
{
    static const word rules[] = {{"supersede", DL_REPEAT_SUPERSEDE},
                                 {"ignore", DL_REPEAT_IGNORE},
                                 {NULL, 0}};
    static const word rollups[] = {{"spend", 0}, {NULL, 0}};
    const json_t *object = json_object_get(root, "table");
    const char *text;
    unsigned value = 0;

    if (object == NULL) {
        return DL_OK;
    }
    DL_TRY(read_unique(r, json_object_get(object, "unique")));
    DL_TRY(get_text(&text, r, object, "/table", "on_repeat"));
    DL_TRY(get_word(&value, r, rules, "/table/on_repeat", text));
    r->ds->on_repeat = (dl_repeat_rule)value;
    DL_TRY(get_text(&r->ds->rollup, r, object, "/table", "rollup"));
    if (r->ds->rollup != NULL) {
        DL_TRY(get_word(&value, r, rollups, "/table/rollup", r->ds->rollup));
    }
    return DL_OK;
}

/* --- the whole ------------------------------------------------------------ */

static dl_status read_name(reading *r, const json_t *root)
{
    const char *slash = strrchr(r->source->file, '/');
    const char *base = slash == NULL ? r->source->file : slash + 1;
    dl_dataset *ds = r->ds;

    DL_TRY(get_text(&ds->name, r, root, "", "dataset"));
    if (ds->name == NULL || !dl_dataset_name_ok(ds->name)) {
        return wrong(r, "/dataset",
                     "must be 1 to 100 of a-z 0-9 _ - that begin with a "
                     "letter");
    }
    if (strlen(base) != strlen(ds->name) + 5 ||
        strncmp(base, ds->name, strlen(ds->name)) != 0) {
        return wrong(r, "/dataset", "must be as its file says, not %s",
                     ds->name);
    }
    DL_TRY(get_text(&ds->description, r, root, "", "description"));
    if (ds->description == NULL) {
        return wrong(r, "/description", "must be a sentence");
    }
    return DL_OK;
}

/* Compile the paths; those of alternates stand behind the fields'. */
static dl_status make_shape(reading *r)
{
    int n = r->ds->n_fields;
    const char **paths =
        apr_palloc(r->pool, (size_t)(n + r->n_alternates) * sizeof *paths);
    int slot = n;

    for (int i = 0; i < n; i++) {
        dl_field *f = &r->fields[i];

        paths[i] = f->path;
        f->alternate_slot = slot;
        for (int k = 0; k < f->n_alternates; k++) {
            paths[slot++] = f->alternates[k];
        }
    }
    if (dl_json_shape_create(&r->ds->shape, paths, slot, r->err, r->pool) !=
        DL_OK) {
        return dl_wrap(
            r->err, "%s:%d: /fields", r->source->file,
            dl_json_line(r->source->text, r->source->len, "/fields"));
    }
    return DL_OK;
}

static dl_status read_all(reading *r, const json_t *root)
{
    DL_TRY(check_members(r, root, "",
                         "dataset, description, topic, event_time, table, "
                         "fields"));
    DL_TRY(read_name(r, root));
    DL_TRY(read_table_name(r, root));
    DL_TRY(read_fields(r, root));
    DL_TRY(read_topic(r, root));
    DL_TRY(read_event_time(r, root));
    DL_TRY(read_table(r, root));
    return make_shape(r);
}

static apr_status_t free_json(void *value)
{
    json_decref(value);
    return APR_SUCCESS;
}

dl_status dl_dataset_parse(const dl_dataset **ds,
                           const dl_dataset_source *source, dl_error *err,
                           apr_pool_t *result_pool)
{
    reading r = {.source = source,
                 .ds = apr_pcalloc(result_pool, sizeof *r.ds),
                 .err = err,
                 .pool = result_pool};
    json_error_t mistake;
    json_t *root =
        json_loadb(source->text, source->len, JSON_REJECT_DUPLICATES, &mistake);

    if (root == NULL) {
        return dl_fail(err, DL_INVALID, 0, "%s:%d: must be JSON: %s",
                       source->file, mistake.line, mistake.text);
    }
    apr_pool_cleanup_register(result_pool, root, free_json,
                              apr_pool_cleanup_null);
    r.ds->declared = true;
    r.ds->zone = source->zone;
    DL_TRY(read_all(&r, root));
    apr_pool_cleanup_run(result_pool, root, free_json);
    *ds = r.ds;
    return DL_OK;
}
