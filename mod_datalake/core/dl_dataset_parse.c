/* dl_dataset_parse.c - Read a declaration; say what is wrong with it and
 * where.
 *
 * One function an object of the declaration, in the order of
 * conf/dataset.schema.json; the fields are read by dl_declaration_field.c, the
 * table by dl_declaration_table.c.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_dataset.h"

#include <string.h>

#include <apr_strings.h>
#include <jansson.h>

#include "dl_declaration.h"
#include "dl_json_line.h"

/* Set *FIELD to the field member NAME of OBJECT names, -1 when there is no
 * such member. */
static dl_status get_field(int *field, const dl_decl *r, const json_t *object,
                           const char *pointer, const char *name)
{
    const char *path;

    DL_TRY(dl_decl_get_text(&path, r, object, pointer, name));
    *field = path == NULL ? -1 : dl_dataset_field(r->ds, path);
    if (path != NULL && *field < 0) {
        return dl_decl_wrong(r, dl_decl_step(r, pointer, name),
                             "must be the member of a field, %s is not", path);
    }
    return DL_OK;
}

static dl_status read_topic(dl_decl *r, const json_t *root)
{
    const json_t *object = json_object_get(root, "topic");
    dl_dataset *ds = r->ds;

    DL_TRY(dl_decl_check_members(r, object, "/topic",
                                 "name, key, partitions, retention_days"));
    DL_TRY(dl_decl_get_text(&ds->topic, r, object, "/topic", "name"));
    if (ds->topic == NULL) {
        ds->topic = ds->name;
    }
    if (strlen(ds->topic) > 200 ||
        strspn(ds->topic, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                          "0123456789._-") != strlen(ds->topic)) {
        return dl_decl_wrong(
            r, "/topic/name",
            "must be at most 200 letters, digits, '.', '_' and '-'");
    }
    DL_TRY(get_field(&ds->key_field, r, object, "/topic", "key"));
    DL_TRY(dl_decl_get_count(&ds->partitions, r, object, "/topic", "partitions",
                             1000));
    return dl_decl_get_count(&ds->kafka_retention_days, r, object, "/topic",
                             "retention_days", 3650);
}

static dl_status read_formats(dl_decl *r, const json_t *list)
{
    static const dl_decl_word formats[] = {
        {"unix", DL_TIME_UNIX},
        {"rfc3339", DL_TIME_RFC3339},
        {"local", DL_TIME_LOCAL},
        {"date", DL_TIME_DATE},
        {NULL, 0},
    };
    static const dl_decl_word in_two[] = {{"log", DL_TIME_LOG}, {NULL, 0}};
    const dl_decl_word *words = r->ds->clock_field < 0 ? formats : in_two;
    size_t n = json_array_size(list);

    if (!json_is_array(list) || n == 0 || n > 4) {
        return dl_decl_wrong(
            r, "/event_time/formats",
            "must be a list of unix, rfc3339, local, date, or log for one in "
            "two fields");
    }
    for (size_t i = 0; i < n; i++) {
        unsigned value = 0;

        DL_TRY(dl_decl_get_word(&value, r, words,
                                dl_decl_step_index(r, "/event_time/formats", i),
                                json_string_value(json_array_get(list, i))));
        r->ds->time_formats |= value;
    }
    return DL_OK;
}

/* Read what makes an event time of two fields one: the second and a column. */
static dl_status read_clock(dl_decl *r, const json_t *object)
{
    dl_dataset *ds = r->ds;

    DL_TRY(get_field(&ds->clock_field, r, object, "/event_time", "clock"));
    DL_TRY(
        dl_decl_get_text(&ds->time_column, r, object, "/event_time", "column"));
    if (ds->time_column != NULL && ds->clock_field < 0) {
        return dl_decl_wrong(r, "/event_time/column",
                             "is for an event time in two fields; give the "
                             "field itself a column");
    }
    if (ds->time_column == NULL) {
        return DL_OK;
    }
    return dl_decl_own_column(r, "/event_time/column", ds->time_column);
}

static dl_status read_event_time(dl_decl *r, const json_t *root)
{
    const json_t *object = json_object_get(root, "event_time");
    dl_field_type type;

    DL_TRY(dl_decl_check_members(r, object, "/event_time",
                                 "member, clock, formats, column"));
    DL_TRY(get_field(&r->ds->time_field, r, object, "/event_time", "member"));
    if (r->ds->time_field < 0) {
        return dl_decl_wrong(r, "/event_time/member",
                             "must be the member of a field");
    }
    DL_TRY(read_clock(r, object));
    type = r->fields[r->ds->time_field].type;
    if (r->ds->clock_field >= 0) {
        if (type != DL_FIELD_STR ||
            r->fields[r->ds->clock_field].type != DL_FIELD_STR) {
            return dl_decl_wrong(r, "/event_time/clock",
                                 "and member must be fields of type str");
        }
        return read_formats(r, json_object_get(object, "formats"));
    }
    if (type != DL_FIELD_TIME && type != DL_FIELD_DATE) {
        return dl_decl_wrong(r, "/event_time/member",
                             "must be a field of type time or date");
    }
    return read_formats(r, json_object_get(object, "formats"));
}

/* Read what of /table the fields need: its name. */
static dl_status read_table_name(dl_decl *r, const json_t *root)
{
    const json_t *object = json_object_get(root, "table");

    if (object == NULL) {
        return DL_OK;
    }
    DL_TRY(dl_decl_check_members(r, object, "/table",
                                 "name, unique, on_repeat, rollup, hash, id, "
                                 "changes_in"));
    DL_TRY(dl_decl_get_text(&r->ds->table, r, object, "/table", "name"));
    if (r->ds->table == NULL || !dl_decl_column_ok(r->ds->table)) {
        return dl_decl_wrong(
            r, "/table/name",
            "must be 1 to 64 letters, digits and _, no digit first");
    }
    return DL_OK;
}

static dl_status read_name(dl_decl *r, const json_t *root)
{
    const char *slash = strrchr(r->source->file, '/');
    const char *base = slash == NULL ? r->source->file : slash + 1;
    dl_dataset *ds = r->ds;

    DL_TRY(dl_decl_get_text(&ds->name, r, root, "", "dataset"));
    if (ds->name == NULL || !dl_dataset_name_ok(ds->name)) {
        return dl_decl_wrong(
            r, "/dataset",
            "must be 1 to 100 of a-z 0-9 _ - that begin with a "
            "letter");
    }
    if (strlen(base) != strlen(ds->name) + 5 ||
        strncmp(base, ds->name, strlen(ds->name)) != 0) {
        return dl_decl_wrong(r, "/dataset", "must be as its file says, not %s",
                             ds->name);
    }
    DL_TRY(dl_decl_get_text(&ds->description, r, root, "", "description"));
    if (ds->description == NULL) {
        return dl_decl_wrong(r, "/description", "must be a sentence");
    }
    return DL_OK;
}

/* Make the topic's key one of indexes, and count these. */
static dl_status check_keys(dl_decl *r)
{
    int n = 0;

    if (r->ds->key_field >= 0 &&
        r->fields[r->ds->key_field].type == DL_FIELD_STR) {
        r->fields[r->ds->key_field].key = true;
    }
    for (int i = 0; i < r->ds->n_fields; i++) {
        n += r->fields[i].key ? 1 : 0;
    }
    if (n > DL_DATASET_KEYS) {
        return dl_decl_wrong(r, "/fields",
                             "have %d keys, the topic's among them: at most %d",
                             n, DL_DATASET_KEYS);
    }
    return DL_OK;
}

static dl_status read_all(dl_decl *r, const json_t *root)
{
    DL_TRY(
        dl_decl_check_members(r, root, "",
                              "dataset, description, topic, event_time, table, "
                              "fields, children"));
    DL_TRY(read_name(r, root));
    DL_TRY(read_table_name(r, root));
    DL_TRY(dl_decl_read_fields(r, root));
    DL_TRY(read_topic(r, root));
    DL_TRY(check_keys(r));
    DL_TRY(read_event_time(r, root));
    DL_TRY(dl_decl_read_table(r, root));
    DL_TRY(dl_decl_read_children(r, root));
    return dl_decl_make_shape(r);
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
    dl_decl r = {.source = source,
                 .ds = apr_pcalloc(result_pool, sizeof *r.ds),
                 .base = "",
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
    r.ds->clock_field = -1;
    DL_TRY(read_all(&r, root));
    apr_pool_cleanup_run(result_pool, root, free_json);
    *ds = r.ds;
    return DL_OK;
}
