/* dlc_wh_change.c - Change events of the lake, applied to a table again.
 *
 * The objects "key" and "changes" of an event have the members of a record,
 * so the judge of the dataset reads them, with nothing required.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_wh_change.h"

#include "dl_json_values.h"
#include "dl_record.h"
#include "dl_statements.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

struct dlc_wh_change {
    dl_wh *wh;                 /* connection */
    const dlc_wh_table *table; /* to be changed */
    const dl_dataset *partial; /* the dataset, with nothing required */
    dl_judge *judges[2];       /* of key and changes, NULL: not needed yet */
    apr_pool_t *pool;          /* of the judges */
    apr_pool_t *event;         /* of one event */
};

/* One event, taken apart. */
typedef struct change_event {
    const dlc_lake_record *record; /* it */
    bool deletes;                  /* or changes */
    dl_json_values values;         /* all of it */
    uint32_t upto;                 /* index of that member */
    dl_record key;                 /* what is changed */
    dl_record changes;             /* how */
} change_event;

dl_status dlc_wh_change_create(dlc_wh_change **change, dl_wh *wh,
                               const dlc_wh_table *table, dl_error *err,
                               apr_pool_t *pool)
{
    dlc_wh_change *c = apr_pcalloc(pool, sizeof *c);
    dl_dataset *partial =
        apr_pmemdup(pool, table->dataset, sizeof *table->dataset);
    dl_field *fields =
        apr_pmemdup(pool, partial->fields,
                    (size_t)partial->n_fields * sizeof *partial->fields);

    (void)err;
    for (int i = 0; i < partial->n_fields; i++) {
        fields[i].required = false;
    }
    partial->fields = fields;
    c->wh = wh;
    c->table = table;
    c->partial = partial;
    c->pool = pool;
    apr_pool_create(&c->event, pool);
    *change = c;
    return DL_OK;
}

bool dlc_wh_change_is(const dlc_lake_record *record)
{
    const char *value;
    size_t len;

    return record->note != NULL &&
           dl_line_note_find(&value, &len, record->note, "dl-event");
}

/* --- Taking apart --------------------------------------------------------- */

static dl_status no_event(const dlc_lake_record *record, const char *what,
                          dl_error *err)
{
    return dl_fail(
        err, DL_CORRUPT, 0, "the change event at partition %d offset %lld: %s",
        record->coord.partition, (long long)record->coord.offset, what);
}

/* Judge the object that is member NAME of EVENT into REC with judge WHICH. */
static dl_status judge_member(dl_record *rec, dlc_wh_change *c,
                              const change_event *event, int which,
                              dl_error *err)
{
    static const char *const names[] = {"key", "changes"};
    uint32_t at = dl_json_values_member(&event->values, 0, names[which]);
    const dl_json_value *value = &event->values.values[at];

    if (at == 0 || value->kind != DL_JSON_OBJECT) {
        return no_event(event->record, "key or changes is no object", err);
    }
    if (c->judges[which] == NULL) {
        c->judges[which] = dl_judge_create(c->partial, c->pool);
    }
    dl_record_judge(rec, c->judges[which], event->record->text + value->first,
                    value->end - value->first, event->record->coord.time);
    if (rec->verdict != DL_RECORD_GOOD) {
        return no_event(event->record, rec->detail, err);
    }
    return DL_OK;
}

static dl_status take_apart(change_event *event, dlc_wh_change *c,
                            const dlc_lake_record *record, dl_error *err)
{
    const char *kind = "";
    size_t len = 0;

    event->record = record;
    if (dl_json_values_read(&event->values, record->text, record->len,
                            c->event) != DL_JSON_FINE) {
        return no_event(record, "it is no JSON object", err);
    }
    (void)dl_line_note_find(&kind, &len, record->note, "dl-event");
    event->deletes = len == 6 && memcmp(kind, "delete", 6) == 0;
    if (!event->deletes && (len != 6 || memcmp(kind, "update", 6) != 0)) {
        return no_event(record, "it is neither update nor delete", err);
    }
    event->upto = dl_json_values_member(&event->values, 0, "upto");
    if (event->upto == 0 ||
        event->values.values[event->upto].kind != DL_JSON_OBJECT) {
        return no_event(record, "it does not say what was loaded", err);
    }
    DL_TRY(judge_member(&event->key, c, event, 0, err));
    return event->deletes ? DL_OK
                          : judge_member(&event->changes, c, event, 1, err);
}

/* --- The statement -------------------------------------------------------- */

/* Whether column I of TABLE is a member that REC has. */
static bool has_column(const dlc_wh_table *table, int i, const dl_record *rec)
{
    const dlc_wh_column *column = &table->columns[i];

    return column->origin == DLC_WH_FIELD &&
           rec->field[column->field].kind != DL_JSON_ABSENT;
}

/* The columns that REC has, each with a parameter, BETWEEN them. */
static const char *join(const dlc_wh_table *table, const dl_record *rec,
                        const char *between, apr_pool_t *pool)
{
    const char *out = "";

    for (int i = 0; i < table->n; i++) {
        if (has_column(table, i, rec)) {
            out = apr_pstrcat(pool, out, *out == '\0' ? "" : between, "`",
                              table->columns[i].name, "` = ?", NULL);
        }
    }
    return out;
}

/* The condition that a row stems from a record that was loaded. */
static const char *join_below(const change_event *event, apr_pool_t *pool)
{
    const dl_json_value *values = event->values.values;
    const char *out = STMT_WORD_BELOW;
    uint32_t i;

    for (i = event->upto + 1; i < values[event->upto].next;
         i = values[i].next) {
        out = apr_pstrcat(pool, out, " ", STMT_WORD_BELOW_PART, NULL);
    }
    return out;
}

/* Bind parameter I of ST to FIELD of REC, as the loader stores it. */
static void bind_field(dl_wh_stmt *st, unsigned i, const dl_record *rec,
                       const dl_field *field, int at)
{
    const char *text;
    dl_decimal decimal;
    int64_t number;
    dl_time when;
    size_t len;
    dl_day day;
    bool flag;

    if ((field->type == DL_FIELD_STR && dl_record_text(&text, &len, rec, at)) ||
        (field->type == DL_FIELD_NUM &&
         dl_record_number(&text, &len, rec, at))) {
        dl_wh_bind_text(st, i, text, len);
    }
    else if (field->type == DL_FIELD_INT && dl_record_int(&number, rec, at)) {
        dl_wh_bind_int(st, i, number);
    }
    else if (field->type == DL_FIELD_DEC &&
             dl_record_decimal(&decimal, rec, at)) {
        dl_wh_bind_decimal(st, i, decimal);
    }
    else if (field->type == DL_FIELD_BOOL && dl_record_bool(&flag, rec, at)) {
        dl_wh_bind_int(st, i, flag ? 1 : 0);
    }
    else if (field->type == DL_FIELD_TIME && dl_record_time(&when, rec, at)) {
        dl_wh_bind_time(st, i, when);
    }
    else if (field->type == DL_FIELD_DATE && dl_record_date(&day, rec, at)) {
        dl_wh_bind_day(st, i, day);
    }
    else if (field->type == DL_FIELD_ANY &&
             rec->field[at].kind > DL_JSON_NULL) {
        dl_wh_bind_text(st, i, rec->field[at].text, rec->field[at].len);
    }
    else {
        dl_wh_bind_null(st, i);
    }
}

/* Bind the columns that REC has from parameter I on; return the one behind. */
static unsigned bind_record(dl_wh_stmt *st, unsigned i,
                            const dlc_wh_table *table, const dl_record *rec)
{
    for (int column = 0; column < table->n; column++) {
        if (has_column(table, column, rec)) {
            int field = table->columns[column].field;

            bind_field(st, i++, rec, &table->dataset->fields[field], field);
        }
    }
    return i;
}

/* Bind what was loaded from parameter I on. */
static void bind_below(dl_wh_stmt *st, unsigned i, const change_event *event)
{
    const dl_json_value *values = event->values.values;
    uint32_t at;

    dl_wh_bind_int(st, i++, event->record->coord.generation);
    for (at = event->upto + 1; at < values[event->upto].next;
         at = values[at].next) {
        dl_wh_bind_int(st, i++, event->record->coord.generation);
        dl_wh_bind_int(st, i++, strtoll(values[at].name, NULL, 10));
        dl_wh_bind_int(
            st, i++,
            values[at].text == NULL ? 0 : strtoll(values[at].text, NULL, 10));
    }
}

dl_status dlc_wh_change_apply(dlc_wh_change *c, const dlc_lake_record *record,
                              dl_error *err)
{
    const dlc_wh_table *table = c->table;
    change_event event;
    const char *where;
    const char *set;
    dl_wh_stmt *st;
    unsigned i = 0;

    if (table->spend || table->n_children > 0) {
        return dl_fail(err, DL_UNSUPPORTED, 0,
                       "dataset %s has change events, which rollups and tables "
                       "of arrays would not follow",
                       table->dataset->name);
    }
    apr_pool_clear(c->event);
    DL_TRY(take_apart(&event, c, record, err));
    where = join(table, &event.key, " AND ", c->event);
    set = event.deletes ? "" : join(table, &event.changes, ", ", c->event);
    if (*where == '\0') {
        return no_event(record, "no column of the table is its key", err);
    }
    if (!event.deletes && *set == '\0') {
        return DL_OK; /* nothing of it is in this table */
    }
    DL_TRY(dl_wh_prepare(
        &st, c->wh,
        dlc_wh_table_fill(
            event.deletes ? STMT_CHANGE_DELETE : STMT_CHANGE_UPDATE,
            (dlc_wh_word[]){{"table", apr_psprintf(c->event, "`%s`",
                                                   table->dataset->table)},
                            {"set", set},
                            {"where", where},
                            {"below", join_below(&event, c->event)},
                            {NULL, NULL}},
            c->event),
        err));
    if (!event.deletes) {
        i = bind_record(st, i, table, &event.changes);
    }
    i = bind_record(st, i, table, &event.key);
    bind_below(st, i, &event);
    return dl_wh_run(st, err);
}
