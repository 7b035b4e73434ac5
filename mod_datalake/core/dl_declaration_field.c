/* dl_declaration_field.c - Read the fields of a declaration.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_declaration.h"

#include <string.h>

#include <apr_strings.h>

#include "dl_json_line.h"

/* Bounds of the fields. */
enum {
    MAX_FIELDS = 500,
    MAX_PATHS = 8,
    MAX_PATH_BYTES = 200,
    MAX_TEXT_CHARS = 16383,
    DEFAULT_TEXT_CHARS = 255
};

/* Check one PATH of a field at POINTER. */
static dl_status check_path(const dl_decl *r, const json_t *value,
                            const char *pointer)
{
    if (!json_is_string(value) || json_string_length(value) == 0 ||
        json_string_length(value) > MAX_PATH_BYTES ||
        strlen(json_string_value(value)) != json_string_length(value)) {
        return dl_decl_wrong(
            r, pointer,
            "must be a member path such as \"location.city\", at "
            "most %d bytes",
            MAX_PATH_BYTES);
    }
    return DL_OK;
}

/* Read the further paths of F from LIST, whose first one is the field's. */
static dl_status read_alternates(dl_decl *r, dl_field *f, const json_t *list,
                                 const char *pointer)
{
    size_t n = json_array_size(list);
    const char **paths = apr_pcalloc(r->pool, n * sizeof *paths);

    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(list, i);

        DL_TRY(check_path(r, value, dl_decl_step_index(r, pointer, i)));
        paths[i] = apr_pstrdup(r->pool, json_string_value(value));
    }
    f->path = paths[0];
    f->alternates = paths + 1;
    f->n_alternates = (int)n - 1;
    r->n_alternates += f->n_alternates;
    return DL_OK;
}

static dl_status read_member(dl_decl *r, dl_field *f, const json_t *object,
                             const char *pointer)
{
    const json_t *value = json_object_get(object, "member");

    pointer = dl_decl_step(r, pointer, "member");
    if (json_is_array(value) && json_array_size(value) >= 1 &&
        json_array_size(value) <= MAX_PATHS) {
        DL_TRY(read_alternates(r, f, value, pointer));
    }
    else if (json_is_string(value)) {
        DL_TRY(check_path(r, value, pointer));
        f->path = apr_pstrdup(r->pool, json_string_value(value));
    }
    else {
        return dl_decl_wrong(
            r, pointer,
            "must be a member path, or a list of up to %d of which "
            "the first one present counts",
            MAX_PATHS);
    }
    for (const dl_field *other = r->fields; other < f; other++) {
        if (strcmp(other->path, f->path) == 0) {
            return dl_decl_wrong(r, pointer, "is declared twice: %s", f->path);
        }
    }
    return DL_OK;
}

static dl_status read_type(const dl_decl *r, dl_field *f, const json_t *object,
                           const char *pointer)
{
    static const dl_decl_word types[] = {
        {"str", DL_FIELD_STR},   {"int", DL_FIELD_INT},
        {"long", DL_FIELD_INT},  {"dec", DL_FIELD_DEC},
        {"num", DL_FIELD_NUM},   {"bool", DL_FIELD_BOOL},
        {"time", DL_FIELD_TIME}, {"date", DL_FIELD_DATE},
        {"any", DL_FIELD_ANY},   {NULL, 0},
    };
    const char *text;
    unsigned value = 0;

    DL_TRY(dl_decl_get_text(&text, r, object, pointer, "type"));
    DL_TRY(dl_decl_get_word(&value, r, types, dl_decl_step(r, pointer, "type"),
                            text));
    f->type = (dl_field_type)value;
    f->min = INT32_MIN;
    f->max = INT32_MAX;
    if (strcmp(text, "long") == 0) {
        f->min = INT64_MIN;
        f->max = INT64_MAX;
    }
    return DL_OK;
}

static dl_status read_column(const dl_decl *r, dl_field *f,
                             const json_t *object, const char *pointer)
{
    const char *column;
    int other;

    DL_TRY(dl_decl_get_text(&column, r, object, pointer, "column"));
    if (column == NULL) {
        return DL_OK;
    }
    pointer = dl_decl_step(r, pointer, "column");
    if (!dl_decl_column_ok(column)) {
        return dl_decl_wrong(
            r, pointer,
            "must be 1 to 64 letters, digits and _, no digit first");
    }
    if (r->ds->table == NULL) {
        return dl_decl_wrong(r, pointer,
                             "needs a table: add a member \"table\"");
    }
    if (f->type == DL_FIELD_ANY) {
        return dl_decl_wrong(r, pointer, "cannot hold type any: give a type");
    }
    other = dl_decl_find_column(r, column);
    if (other >= 0) {
        return dl_decl_wrong(r, pointer, "is the column of %s already: %s",
                             r->fields[other].path, column);
    }
    f->column = column;
    return DL_OK;
}

/* Read the longest text of F; without one a column has the usual length. */
static dl_status read_max(const dl_decl *r, dl_field *f, const json_t *object,
                          const char *pointer)
{
    int max = DEFAULT_TEXT_CHARS;

    if (json_object_get(object, "max") != NULL &&
        (f->type != DL_FIELD_STR || f->column == NULL)) {
        return dl_decl_wrong(
            r, dl_decl_step(r, pointer, "max"),
            "is for a str with a column: the characters it holds");
    }
    DL_TRY(dl_decl_get_count(&max, r, object, pointer, "max", MAX_TEXT_CHARS));
    if (f->type == DL_FIELD_STR && f->column != NULL) {
        f->max_chars = (uint32_t)max;
    }
    return DL_OK;
}

/* Set *FLAG to the member NAME of OBJECT. */
static dl_status read_flag(bool *flag, const dl_decl *r, const json_t *object,
                           const char *pointer, const char *name)
{
    const json_t *value = json_object_get(object, name);

    if (value != NULL && !json_is_boolean(value)) {
        return dl_decl_wrong(r, dl_decl_step(r, pointer, name),
                             "must be true or false");
    }
    *flag = json_is_true(value);
    return DL_OK;
}

static dl_status read_field(dl_decl *r, dl_field *f, const json_t *object,
                            const char *pointer)
{
    DL_TRY(dl_decl_check_members(r, object, pointer,
                                 "member, type, required, key, column, max"));
    DL_TRY(read_member(r, f, object, pointer));
    DL_TRY(read_type(r, f, object, pointer));
    DL_TRY(read_flag(&f->required, r, object, pointer, "required"));
    DL_TRY(read_flag(&f->key, r, object, pointer, "key"));
    if (f->key && f->type != DL_FIELD_STR) {
        return dl_decl_wrong(r, dl_decl_step(r, pointer, "key"),
                             "is for a str: indexes list its texts");
    }
    DL_TRY(read_column(r, f, object, pointer));
    return read_max(r, f, object, pointer);
}

dl_status dl_decl_read_fields(dl_decl *r, const json_t *root)
{
    const json_t *list = json_object_get(root, "fields");
    size_t n = json_array_size(list);

    if (!json_is_array(list) || n == 0 || n > MAX_FIELDS) {
        return dl_decl_wrong(r, "/fields", "must be a list of 1 to %d fields",
                             MAX_FIELDS);
    }
    r->fields = apr_pcalloc(r->pool, n * sizeof *r->fields);
    r->ds->fields = r->fields;
    for (size_t i = 0; i < n; i++) {
        DL_TRY(read_field(r, &r->fields[i], json_array_get(list, i),
                          dl_decl_step_index(r, "/fields", i)));
        r->ds->n_fields++;
    }
    return DL_OK;
}

/* Those of alternates stand behind the fields'. */
dl_status dl_decl_make_shape(dl_decl *r)
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
        const char *pointer = apr_pstrcat(r->pool, r->base, "/fields", NULL);

        return dl_wrap(r->err, "%s:%d: %s", r->source->file,
                       dl_json_line(r->source->text, r->source->len, pointer),
                       pointer);
    }
    return DL_OK;
}
