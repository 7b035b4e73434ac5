/* dl_declaration_child.c - Read the arrays of a declaration that are rows of
 * tables of their own.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_declaration.h"

#include <string.h>

#include <apr_strings.h>

/* Set *FIELD to the array that OBJECT, at POINTER, names. */
static dl_status read_array(int *field, const dl_decl *r, const json_t *object,
                            const char *pointer)
{
    const char *path;

    DL_TRY(dl_decl_get_text(&path, r, object, pointer, "member"));
    *field = path == NULL ? -1 : dl_dataset_field(r->ds, path);
    if (*field < 0 || r->fields[*field].type != DL_FIELD_ANY) {
        return dl_decl_wrong(r, dl_decl_step(r, pointer, "member"),
                             "must be the member of a field of type any");
    }
    return DL_OK;
}

/* Whether a field of ITEMS has a column that makes a row of DS unique: its
 * table has that one from DS. */
static const char *taken_column(const dl_dataset *ds, const dl_dataset *items)
{
    for (int i = 0; i < ds->n_unique; i++) {
        for (int k = 0; k < items->n_fields; k++) {
            if (items->fields[k].column != NULL &&
                strcmp(items->fields[k].column, ds->unique[i]) == 0) {
                return ds->unique[i];
            }
        }
    }
    return NULL;
}

/* Read OBJECT, the items of a child, as R says. */
static dl_status read_items(dl_decl *r, const json_t *object,
                            const dl_dataset *parent)
{
    const char *taken;

    DL_TRY(dl_decl_get_text(&r->ds->table, r, object, "", "table"));
    if (r->ds->table == NULL || !dl_decl_column_ok(r->ds->table)) {
        return dl_decl_wrong(
            r, "/table",
            "must be 1 to 64 letters, digits and _, no digit first");
    }
    DL_TRY(dl_decl_read_fields(r, object));
    DL_TRY(
        dl_decl_read_unique(r, json_object_get(object, "unique"), "/unique"));
    taken = taken_column(parent, r->ds);
    if (taken != NULL) {
        return dl_decl_wrong(r, "/fields",
                             "cannot have the column %s: it is the record's",
                             taken);
    }
    return dl_decl_make_shape(r);
}

static dl_status read_child(dl_child *child, dl_decl *r, const json_t *object,
                            const char *pointer)
{
    dl_decl items = *r;

    DL_TRY(dl_decl_check_members(r, object, pointer,
                                 "member, table, unique, fields"));
    DL_TRY(read_array(&child->field, r, object, pointer));
    items.ds = apr_pcalloc(r->pool, sizeof *items.ds);
    items.fields = NULL;
    items.n_alternates = 0;
    items.base = pointer;
    items.ds->name = apr_pstrcat(r->pool, r->ds->name, ".",
                                 r->fields[child->field].path, NULL);
    items.ds->topic = "";
    items.ds->description = "";
    items.ds->declared = true;
    items.ds->key_field = -1;
    items.ds->time_field = -1;
    items.ds->clock_field = -1;
    items.ds->zone = r->ds->zone;
    child->items = items.ds;
    return read_items(&items, object, r->ds);
}

dl_status dl_decl_read_children(dl_decl *r, const json_t *root)
{
    const json_t *list = json_object_get(root, "children");
    size_t n = json_array_size(list);
    dl_child *children;

    if (list == NULL) {
        return DL_OK;
    }
    if (r->ds->table == NULL) {
        return dl_decl_wrong(r, "/children",
                             "need a table: add a member "
                             "\"table\"");
    }
    if (!json_is_array(list) || n == 0 || n > DL_DATASET_CHILDREN) {
        return dl_decl_wrong(r, "/children", "must be a list of 1 to %d arrays",
                             DL_DATASET_CHILDREN);
    }
    children = apr_pcalloc(r->pool, n * sizeof *children);
    for (size_t i = 0; i < n; i++) {
        DL_TRY(read_child(&children[i], r, json_array_get(list, i),
                          dl_decl_step_index(r, "/children", i)));
    }
    r->ds->children = children;
    r->ds->n_children = (int)n;
    return DL_OK;
}
