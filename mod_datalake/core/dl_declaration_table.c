/* dl_declaration_table.c - Read the table of a declaration.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_declaration.h"

#include <string.h>

#include <apr_strings.h>

/* Bounds of the lists. */
enum {
    MAX_UNIQUE = 16,
    MAX_HASHED = 32
};

dl_status dl_decl_own_column(const dl_decl *r, const char *pointer,
                             const char *column)
{
    int field = dl_decl_find_column(r, column);

    if (r->ds->table == NULL) {
        return dl_decl_wrong(r, pointer,
                             "needs a table: add a member \"table\"");
    }
    if (!dl_decl_column_ok(column)) {
        return dl_decl_wrong(
            r, pointer,
            "must be 1 to 64 letters, digits and _, no digit first");
    }
    if (field >= 0) {
        return dl_decl_wrong(r, pointer, "is the column of %s already: %s",
                             r->fields[field].path, column);
    }
    return DL_OK;
}

/* Set *NAME to the column NAMED at POINTER that makes a row unique. */
static dl_status read_unique_column(const char **name, const dl_decl *r,
                                    const char *named, const char *pointer)
{
    int field = named == NULL ? -1 : dl_decl_find_column(r, named);

    if (named != NULL && r->ds->hash_column != NULL &&
        strcmp(named, r->ds->hash_column) == 0) {
        *name = r->ds->hash_column;
        return DL_OK;
    }
    if (field < 0) {
        return dl_decl_wrong(r, pointer, "must be the column of a field");
    }
    if (!r->fields[field].required) {
        return dl_decl_wrong(r, pointer,
                             "must be the column of a required field, %s is "
                             "not",
                             r->fields[field].path);
    }
    *name = r->fields[field].column;
    return DL_OK;
}

dl_status dl_decl_read_unique(dl_decl *r, const json_t *list,
                              const char *pointer)
{
    size_t n = json_array_size(list);
    const char **columns;

    if (!json_is_array(list) || n == 0 || n > MAX_UNIQUE) {
        return dl_decl_wrong(
            r, pointer, "must be a list of the columns that make a row unique");
    }
    columns = apr_palloc(r->pool, n * sizeof *columns);
    for (size_t i = 0; i < n; i++) {
        DL_TRY(read_unique_column(&columns[i], r,
                                  json_string_value(json_array_get(list, i)),
                                  dl_decl_step_index(r, pointer, i)));
    }
    r->ds->unique = columns;
    r->ds->n_unique = (int)n;
    return DL_OK;
}

/* Read which fields are hashed, by their members. */
static dl_status read_hashed(dl_decl *r, const json_t *list)
{
    size_t n = json_array_size(list);
    int *fields;

    if (!json_is_array(list) || n == 0 || n > MAX_HASHED) {
        return dl_decl_wrong(r, "/table/hash/members",
                             "must be a list of 1 to %d members of fields of "
                             "type str",
                             MAX_HASHED);
    }
    fields = apr_palloc(r->pool, n * sizeof *fields);
    for (size_t i = 0; i < n; i++) {
        const char *path = json_string_value(json_array_get(list, i));

        fields[i] = path == NULL ? -1 : dl_dataset_field(r->ds, path);
        if (fields[i] < 0 || r->fields[fields[i]].type != DL_FIELD_STR) {
            return dl_decl_wrong(
                r, dl_decl_step_index(r, "/table/hash/members", i),
                "must be the member of a field of type str");
        }
    }
    r->ds->hash = fields;
    r->ds->n_hash = (int)n;
    return DL_OK;
}

static dl_status read_hash(dl_decl *r, const json_t *object)
{
    if (object == NULL) {
        return DL_OK;
    }
    DL_TRY(dl_decl_check_members(r, object, "/table/hash", "column, members"));
    DL_TRY(dl_decl_get_text(&r->ds->hash_column, r, object, "/table/hash",
                            "column"));
    if (r->ds->hash_column == NULL) {
        return dl_decl_wrong(r, "/table/hash/column", "must be a column");
    }
    DL_TRY(dl_decl_own_column(r, "/table/hash/column", r->ds->hash_column));
    return read_hashed(r, json_object_get(object, "members"));
}

static dl_status read_id(dl_decl *r, const json_t *object)
{
    DL_TRY(dl_decl_get_text(&r->ds->id_column, r, object, "/table", "id"));
    return r->ds->id_column == NULL
               ? DL_OK
               : dl_decl_own_column(r, "/table/id", r->ds->id_column);
}

/* Read in which dataset's topic the changes of rows are told. */
static dl_status read_changes_in(dl_decl *r, const json_t *object)
{
    DL_TRY(dl_decl_get_text(&r->ds->changes_in, r, object, "/table",
                            "changes_in"));
    return r->ds->changes_in == NULL || dl_dataset_name_ok(r->ds->changes_in)
               ? DL_OK
               : dl_decl_wrong(r, "/table/changes_in",
                               "must be the name of a dataset");
}

dl_status dl_decl_read_table(dl_decl *r, const json_t *root)
{
    static const dl_decl_word rules[] = {{"supersede", DL_REPEAT_SUPERSEDE},
                                         {"ignore", DL_REPEAT_IGNORE},
                                         {NULL, 0}};
    static const dl_decl_word rollups[] = {{"spend", 0}, {NULL, 0}};
    const json_t *object = json_object_get(root, "table");
    const char *text;
    unsigned value = 0;

    if (object == NULL) {
        return DL_OK;
    }
    DL_TRY(read_hash(r, json_object_get(object, "hash")));
    DL_TRY(read_id(r, object));
    DL_TRY(read_changes_in(r, object));
    DL_TRY(dl_decl_read_unique(r, json_object_get(object, "unique"),
                               "/table/unique"));
    DL_TRY(dl_decl_get_text(&text, r, object, "/table", "on_repeat"));
    DL_TRY(dl_decl_get_word(&value, r, rules, "/table/on_repeat", text));
    r->ds->on_repeat = (dl_repeat_rule)value;
    DL_TRY(dl_decl_get_text(&r->ds->rollup, r, object, "/table", "rollup"));
    if (r->ds->rollup != NULL) {
        DL_TRY(dl_decl_get_word(&value, r, rollups, "/table/rollup",
                                r->ds->rollup));
    }
    return DL_OK;
}
