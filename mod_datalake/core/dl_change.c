/* dl_change.c - Events taken apart; dl_change_apply.c makes statements of them.
 *
 * The objects "key" and "changes" have the members of a record, so the judge of
 * the dataset reads them, with nothing required and without an event time.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_change_within.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_field_value.h"
#include "dl_record_rows.h"

/* A copy of DS in which nothing is required and nothing is the event time. */
static const dl_dataset *make_partial(const dl_dataset *ds, apr_pool_t *pool)
{
    dl_dataset *partial = apr_pmemdup(pool, ds, sizeof *ds);
    dl_field *fields = apr_pmemdup(pool, ds->fields,
                                   (size_t)ds->n_fields * sizeof *ds->fields);

    for (int i = 0; i < ds->n_fields; i++) {
        fields[i].required = false;
    }
    partial->fields = fields;
    partial->time_field = -1;
    partial->clock_field = -1;
    return partial;
}

dl_change *dl_change_create(const dl_dataset *ds, const char *of,
                            apr_pool_t *pool)
{
    dl_change *c = apr_pcalloc(pool, sizeof *c);
    const dl_dataset *partial = make_partial(ds, pool);

    c->ds = ds;
    c->own = strcmp(ds->name, of) == 0;
    c->key_judge = dl_judge_create(partial, pool);
    c->changes_judge = dl_judge_create(partial, pool);
    apr_pool_create(&c->event, pool);
    c->last = apr_array_make(pool, 4, sizeof(dl_coord));
    return c;
}

/* --- Checking what a client sent ------------------------------------------ */

static dl_status refuse(const char **member, const char *name, const char *what,
                        dl_error *err)
{
    *member = name;
    return dl_fail(err, DL_INVALID, 0, "%s", what);
}

/* Whether every object of the array of child CHILD of REC is a row. */
static bool rows_are_good(const dl_record *rec, int child)
{
    dl_record_rows rows;
    dl_record row;
    bool good = true;

    dl_record_rows_begin(&rows, rec, child);
    while (good && dl_record_rows_each(&row, &rows)) {
        const dl_dataset *items = dl_judge_dataset(row.judge);

        good = row.verdict == DL_RECORD_GOOD;
        for (int i = 0; good && i < items->n_fields; i++) {
            good = row.field[i].kind <= DL_JSON_NULL ||
                   dl_field_well_typed(items, &items->fields[i], row.field[i]);
        }
    }
    return good;
}

/* The children of C's changes: arrays of objects that are rows. */
static dl_status check_children(const char **member, const dl_change *c,
                                dl_error *err)
{
    for (int i = 0; i < c->ds->n_children; i++) {
        int field = c->ds->children[i].field;
        uint8_t kind = c->changes.field[field].kind;

        if (kind != DL_JSON_ABSENT &&
            (kind != DL_JSON_ARRAY || !rows_are_good(&c->changes, i))) {
            return refuse(member, c->ds->fields[field].path,
                          "It must be an array of objects as records have "
                          "them.",
                          err);
        }
    }
    return DL_OK;
}

dl_status dl_change_check(const char **member, dl_change *change,
                          const char *changes, size_t len, dl_error *err)
{
    const dl_dataset *ds = dl_judge_dataset(change->changes_judge);
    dl_record *rec = &change->changes;
    const char *behind;

    *member = NULL;
    dl_record_judge(rec, change->changes_judge, changes, len, DL_TIME_NONE);
    for (int i = 0; rec->verdict == DL_RECORD_SCHEMA && i < ds->n_fields; i++) {
        behind = rec->detail + strlen(ds->fields[i].path);
        if (strncmp(rec->detail, ds->fields[i].path,
                    strlen(ds->fields[i].path)) == 0 &&
            *behind == ' ') {
            return refuse(member, ds->fields[i].path, behind + 1, err);
        }
    }
    if (rec->verdict != DL_RECORD_GOOD) {
        return refuse(member, NULL, rec->detail, err);
    }
    for (int i = 0; i < ds->n_fields; i++) {
        const dl_field *f = &ds->fields[i];

        if (rec->field[i].kind > DL_JSON_NULL &&
            !dl_field_well_typed(ds, f, rec->field[i])) {
            *member = f->path;
            return dl_fail(err, DL_INVALID, 0, "It must be %s.",
                           dl_field_type_name(f));
        }
    }
    return check_children(member, change, err);
}

/* --- Taking apart --------------------------------------------------------- */

static dl_status no_event(const char *what, dl_error *err)
{
    return dl_fail(err, DL_CORRUPT, 0, "no change event: %s", what);
}

/* Judge the LEN bytes of TEXT into REC with JUDGE. */
static dl_status judge_part(dl_record *rec, dl_judge *judge, const char *text,
                            size_t len, dl_error *err)
{
    dl_record_judge(rec, judge, text, len, DL_TIME_NONE);
    return rec->verdict == DL_RECORD_GOOD ? DL_OK : no_event(rec->detail, err);
}

/* The same of member NAME of C's event, an object. */
static dl_status judge_member(dl_record *rec, dl_judge *judge,
                              const dl_change *c, const char *name,
                              dl_error *err)
{
    uint32_t at = dl_json_values_member(&c->values, 0, name);
    const dl_json_value *value = &c->values.values[at];

    if (at == 0 || value->kind != DL_JSON_OBJECT) {
        return no_event("key or changes is no object", err);
    }
    return judge_part(rec, judge, c->text + value->first,
                      value->end - value->first, err);
}

static bool has_key(const dl_change *c)
{
    for (int i = 0; i < c->ds->n_fields; i++) {
        if (dl_change_has(c, &c->key, i)) {
            return true;
        }
    }
    return false;
}

dl_status dl_change_key(dl_change *change, const char *key, size_t len,
                        dl_error *err)
{
    DL_TRY(judge_part(&change->key, change->key_judge, key, len, err));
    return has_key(change) ? DL_OK
                           : no_event("no column of the table is its key", err);
}

/* Set what member NAME of the object at OBJECT says, a number; else 0. */
static int64_t number_of(const dl_change *c, uint32_t object, const char *name)
{
    uint32_t at = dl_json_values_member(&c->values, object, name);

    return at == 0 || c->values.values[at].text == NULL
               ? 0
               : strtoll(c->values.values[at].text, NULL, 10);
}

/* Find what was loaded of C's table. */
static dl_status find_upto(dl_change *c, dl_error *err)
{
    uint32_t object = 0;

    c->concerns = true;
    if (!c->own) {
        object = dl_json_values_member(&c->values, 0, "also");
        object = object == 0
                     ? 0
                     : dl_json_values_member(&c->values, object, c->ds->name);
        c->concerns = object != 0;
        if (!c->concerns) {
            return DL_OK;
        }
    }
    c->upto = dl_json_values_member(&c->values, object, "upto");
    c->generation = (int32_t)number_of(c, object, "generation");
    return c->upto != 0 && c->values.values[c->upto].kind == DL_JSON_OBJECT
               ? DL_OK
               : no_event("it does not say what was loaded", err);
}

static dl_status find_kind(dl_change *c, dl_error *err)
{
    uint32_t at = dl_json_values_member(&c->values, 0, "_event");
    const char *kind = at == 0 ? NULL : c->values.values[at].text;

    c->deletes = kind != NULL && strcmp(kind, "delete") == 0;
    return c->deletes || (kind != NULL && strcmp(kind, "update") == 0)
               ? DL_OK
               : no_event("it is neither update nor delete", err);
}

dl_status dl_change_read(dl_change *change, const char *text, size_t len,
                         dl_error *err)
{
    apr_pool_clear(change->event);
    change->text = text;
    if (dl_json_values_read(&change->values, text, len, change->event) !=
        DL_JSON_FINE) {
        return no_event("it is no JSON object", err);
    }
    DL_TRY(find_kind(change, err));
    DL_TRY(find_upto(change, err));
    DL_TRY(judge_member(&change->key, change->key_judge, change, "key", err));
    if (!has_key(change)) {
        return no_event("no column of the table is its key", err);
    }
    return change->deletes
               ? DL_OK
               : judge_member(&change->changes, change->changes_judge, change,
                              "changes", err);
}

bool dl_change_concerns(const dl_change *change)
{
    return change->concerns;
}

bool dl_change_deletes(const dl_change *change)
{
    return change->deletes;
}

const dl_record *dl_change_key_record(const dl_change *change)
{
    return &change->key;
}

bool dl_change_is_key(const dl_change *change, int i)
{
    return dl_change_has(change, &change->key, i);
}

int dl_change_bounds(int32_t *generation, dl_change_bound *bounds, int max,
                     const dl_change *change)
{
    const dl_json_value *values = change->values.values;
    int n = 0;
    uint32_t i;

    *generation = change->generation;
    for (i = change->upto + 1; i < values[change->upto].next && n < max;
         i = values[i].next) {
        bounds[n++] = (dl_change_bound){
            strtoll(values[i].name, NULL, 10),
            values[i].text == NULL ? 0 : strtoll(values[i].text, NULL, 10)};
    }
    return n;
}

bool dl_change_covers(int32_t generation, const dl_change_bound *bounds, int n,
                      const dl_coord *coord)
{
    if (coord->generation != generation) {
        return coord->generation < generation;
    }
    for (int i = 0; i < n; i++) {
        if (bounds[i].partition == coord->partition) {
            return coord->offset < bounds[i].next;
        }
    }
    return false;
}
