/* dl_change_apply.c - Statements made of an event.
 *
 * One statement changes all columns; its text is the same whatever members the
 * event has, so that a connection prepares it once.  Most events have one: for
 * each column there is a statement of its own, which costs the server half.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_change_within.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_record_rows.h"
#include "dl_statements.h"
#include "dl_wh_rows.h"
#include "dl_wh_words.h"

bool dl_change_has(const dl_change *change, const dl_record *rec, int i)
{
    return change->ds->fields[i].column != NULL &&
           rec->field[i].kind != DL_JSON_ABSENT;
}

/* --- Words ---------------------------------------------------------------- */

/* The columns of the key, each of the table and with what bind_key binds. */
static const char *join_where(const dl_change *c)
{
    dl_wh_word words[] = {
        {"table", c->ds->table}, {"column", NULL}, {NULL, NULL}};
    const char *out = "";

    for (int i = 0; i < c->ds->n_fields; i++) {
        bool text = c->ds->fields[i].type == DL_FIELD_STR;

        if (dl_change_has(c, &c->key, i)) {
            words[1].value = c->ds->fields[i].column;
            out = apr_pstrcat(
                c->event, out, *out == '\0' ? "" : " AND ",
                dl_wh_words_fill(text ? STMT_WORD_IS_TEXT : STMT_WORD_IS, words,
                                 c->event),
                NULL);
        }
    }
    return out;
}

/* The condition that a row stems from a record that was loaded. */
static const char *join_below(const dl_change *c)
{
    const dl_json_value *values = c->values.values;
    const char *out = STMT_WORD_BELOW;
    uint32_t i;

    for (i = c->upto + 1; i < values[c->upto].next; i = values[i].next) {
        out = apr_pstrcat(c->event, out, " ", STMT_WORD_BELOW_PART, NULL);
    }
    return out;
}

/* Set *ST to TEMPLATE with the words of C's event and WORDS (may be NULL),
 * which go first. */
static dl_status prepare(dl_wh_stmt **st, const dl_change *c, dl_wh *wh,
                         const char *template, const dl_wh_word *words,
                         dl_error *err)
{
    const dl_wh_word common[] = {
        {"table", dl_wh_words_quote(c->ds->table, c->event)},
        {"where", join_where(c)},
        {"below", c->upto > 0 ? join_below(c) : ""},
        {NULL, NULL}};
    dl_wh_word all[16];
    int n = 0;

    while (words != NULL && words[n].name != NULL) {
        all[n] = words[n];
        n++;
    }
    memcpy(&all[n], common, sizeof common);
    return dl_wh_prepare(st, wh, dl_wh_words_fill(template, all, c->event),
                         err);
}

/* --- Values --------------------------------------------------------------- */

/* Bind parameter I of ST to field AT of REC, as the loader stores it. */
static void bind_field(dl_wh_stmt *st, unsigned i, const dl_record *rec, int at)
{
    const dl_field *field = &dl_judge_dataset(rec->judge)->fields[at];
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

/* Bind the key from parameter I on; return the one behind. */
static unsigned bind_key(dl_wh_stmt *st, unsigned i, const dl_change *c)
{
    for (int at = 0; at < c->ds->n_fields; at++) {
        const char *text;
        size_t len = 0;

        if (!dl_change_has(c, &c->key, at)) {
            continue;
        }
        bind_field(st, i++, &c->key, at);
        if (c->ds->fields[at].type == DL_FIELD_STR) {
            (void)dl_record_text(&text, &len, &c->key, at);
            dl_wh_bind_int(st, i++, (int64_t)len);
        }
    }
    return i;
}

/* Bind the key and what was loaded from parameter I on. */
static void bind_rows(dl_wh_stmt *st, unsigned i, const dl_change *c)
{
    const dl_json_value *values = c->values.values;
    uint32_t at;

    i = bind_key(st, i, c);
    dl_wh_bind_int(st, i++, c->generation);
    for (at = c->upto + 1; at < values[c->upto].next; at = values[at].next) {
        dl_wh_bind_int(st, i++, c->generation);
        dl_wh_bind_int(st, i++, strtoll(values[at].name, NULL, 10));
        dl_wh_bind_int(
            st, i++,
            values[at].text == NULL ? 0 : strtoll(values[at].text, NULL, 10));
    }
}

/* --- Rows ----------------------------------------------------------------- */

/* Lock the rows with the key of C and set *ST to what reads where they stem
 * from. */
static dl_status run_lock(dl_wh_stmt **st, const dl_change *c, dl_wh *wh,
                          dl_error *err)
{
    DL_TRY(prepare(st, c, wh, STMT_CHANGE_LOCK, NULL, err));
    (void)bind_key(*st, 0, c);
    return dl_wh_run(*st, err);
}

/* Where the row stems from that ST stands on. */
static dl_coord coord_of(const dl_wh_stmt *st)
{
    return (dl_coord){.generation = (int32_t)dl_wh_int(st, 0),
                      .partition = (int32_t)dl_wh_int(st, 1),
                      .offset = dl_wh_int(st, 2)};
}

/* Remember that a row at COORD was locked. */
static void note_row(dl_change *c, dl_coord coord)
{
    dl_coord *all = (dl_coord *)c->last->elts;

    for (int i = 0; i < c->last->nelts; i++) {
        if (all[i].generation == coord.generation &&
            all[i].partition == coord.partition) {
            all[i].offset =
                coord.offset > all[i].offset ? coord.offset : all[i].offset;
            return;
        }
    }
    APR_ARRAY_PUSH(c->last, dl_coord) = coord;
}

dl_status dl_change_lock(uint64_t *rows, dl_change *change, dl_wh *wh,
                         dl_error *err)
{
    dl_wh_stmt *st;
    bool more;

    change->upto = 0;
    change->locked = 0;
    apr_array_clear(change->last);
    DL_TRY(run_lock(&st, change, wh, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more) {
        change->locked++;
        note_row(change, coord_of(st));
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    *rows = change->locked;
    return DL_OK;
}

static bool is_loaded(const dl_change_loaded *loaded, const dl_coord *coord)
{
    return dl_change_covers(loaded->generation, loaded->bounds, loaded->n,
                            coord);
}

dl_status dl_change_count(dl_change *change, dl_wh *wh,
                          const dl_change_loaded *loaded, dl_error *err)
{
    const dl_coord *last = (const dl_coord *)change->last->elts;
    bool all = true;
    dl_wh_stmt *st;
    bool more;

    for (int i = 0; i < change->last->nelts; i++) {
        all = all && is_loaded(loaded, &last[i]);
    }
    if (all) {
        return DL_OK;
    }
    /* What is loaded was set back by hand: count one by one. */
    change->locked = 0;
    DL_TRY(run_lock(&st, change, wh, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more) {
        dl_coord coord = coord_of(st);

        change->locked += is_loaded(loaded, &coord) ? 1 : 0;
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    return DL_OK;
}

/* --- Columns -------------------------------------------------------------- */

/* Whether field I is a column that an event may change: not that of its key. */
static bool may_change(const dl_change *c, int i)
{
    return c->ds->fields[i].column != NULL && !dl_change_has(c, &c->key, i);
}

/* Whether the event changes a column. */
static bool changes_any(const dl_change *c)
{
    for (int i = 0; i < c->ds->n_fields; i++) {
        if (may_change(c, i) && dl_change_has(c, &c->changes, i)) {
            return true;
        }
    }
    return false;
}

/* Whether the event time has a column and is made of two members. */
static bool has_clock(const dl_change *c)
{
    return c->ds->time_column != NULL && c->ds->clock_field >= 0;
}

/* The only field with a column that the event has; -1: there are more, or it is
 * part of the event time. */
static int find_only(const dl_change *c)
{
    int only = -1;

    for (int i = 0; i < c->ds->n_fields; i++) {
        if (may_change(c, i) && dl_change_has(c, &c->changes, i)) {
            if (only >= 0) {
                return -1;
            }
            only = i;
        }
    }
    return has_clock(c) &&
                   (only == c->ds->time_field || only == c->ds->clock_field)
               ? -1
               : only;
}

/* Give field ONLY's column the value that the event has. */
static dl_status set_only(const dl_change *c, int only, dl_wh *wh,
                          dl_error *err)
{
    const dl_wh_word column[] = {{"column", c->ds->fields[only].column},
                                 {NULL, NULL}};
    const dl_wh_word words[] = {
        {"set", dl_wh_words_fill(STMT_WORD_SET_ONE, column, c->event)},
        {NULL, NULL}};
    dl_wh_stmt *st;

    DL_TRY(prepare(&st, c, wh, STMT_CHANGE_UPDATE, words, err));
    bind_field(st, 0, &c->changes, only);
    bind_rows(st, 1, c);
    return dl_wh_run(st, err);
}

/* What all columns are set to. */
static const char *join_set(const dl_change *c)
{
    dl_wh_word column[] = {{"column", NULL}, {NULL, NULL}};
    const char *out = "";

    for (int i = 0; i < c->ds->n_fields; i++) {
        if (may_change(c, i)) {
            column[0].value = c->ds->fields[i].column;
            out = apr_pstrcat(c->event, out, *out == '\0' ? "" : ", ",
                              dl_wh_words_fill(STMT_WORD_SET, column, c->event),
                              NULL);
        }
    }
    if (has_clock(c)) {
        column[0].value = c->ds->time_column;
        out = apr_pstrcat(
            c->event, out, ", ",
            dl_wh_words_fill(STMT_WORD_SET_TIME, column, c->event), NULL);
    }
    return out;
}

/* Bind I and the next parameter of ST to whether the event has a new day, or a
 * time of day, in FIELD, and to it.  One that is none, which no record ever
 * had, changes nothing. */
static void bind_time_part(dl_wh_stmt *st, unsigned i, const dl_change *c,
                           int field)
{
    bool day = field == c->ds->time_field;
    const char *text;
    dl_time when;
    size_t len;
    bool good;

    good = dl_record_text(&text, &len, &c->changes, field) &&
           dl_time_parse_log(&when, day ? text : "01/Jan/1970", day ? len : 11,
                             day ? "00:00:00" : text, day ? 8 : len);
    dl_wh_bind_int(st, i, good ? 1 : 0);
    if (good) {
        dl_wh_bind_time(st, i + 1, when);
    }
}

/* Give all columns the values that the event has. */
static dl_status set_all(const dl_change *c, dl_wh *wh, dl_error *err)
{
    const dl_wh_word words[] = {{"set", join_set(c)}, {NULL, NULL}};
    unsigned i = 0;
    dl_wh_stmt *st;

    DL_TRY(prepare(&st, c, wh, STMT_CHANGE_UPDATE, words, err));
    for (int at = 0; at < c->ds->n_fields; at++) {
        if (may_change(c, at)) {
            dl_wh_bind_int(st, i, dl_change_has(c, &c->changes, at) ? 1 : 0);
            if (dl_change_has(c, &c->changes, at)) {
                bind_field(st, i + 1, &c->changes, at);
            }
            i += 2;
        }
    }
    if (has_clock(c)) {
        bind_time_part(st, i, c, c->ds->time_field);
        bind_time_part(st, i + 2, c, c->ds->clock_field);
        i += 4;
    }
    bind_rows(st, i, c);
    return dl_wh_run(st, err);
}

/* Give the columns the values that the event has. */
static dl_status set_columns(const dl_change *c, dl_wh *wh, dl_error *err)
{
    int only = find_only(c);

    return only >= 0 ? set_only(c, only, wh, err) : set_all(c, wh, err);
}

/* --- Rows that follow them ------------------------------------------------ */

static dl_status clear_child(const dl_change *c, dl_wh *wh, int child,
                             dl_error *err)
{
    const char *table = c->ds->children[child].items->table;
    const dl_wh_word words[] = {
        {"child", dl_wh_words_quote(table, c->event)},
        {"child_match", dl_wh_words_match(table, c->ds, c->event)},
        {NULL, NULL}};
    dl_wh_stmt *st;

    DL_TRY(prepare(&st, c, wh, STMT_CHANGE_CHILD_DELETE, words, err));
    bind_rows(st, 0, c);
    return dl_wh_run(st, err);
}

/* Set *ST to what adds a row to the table of child CHILD. */
static dl_status prepare_add(dl_wh_stmt **st, const dl_change *c, dl_wh *wh,
                             int child, dl_error *err)
{
    const dl_dataset *items = c->ds->children[child].items;
    const char *columns = "";
    const char *values = "";
    const char *assign = "";

    for (int i = 0; i < c->ds->n_unique; i++) {
        columns = apr_pstrcat(c->event, columns, i > 0 ? ", `" : "`",
                              c->ds->unique[i], "`", NULL);
        values = apr_pstrcat(c->event, values, i > 0 ? ", `" : "`",
                             c->ds->table, "`.`", c->ds->unique[i], "`", NULL);
    }
    for (int i = 0; i < items->n_fields; i++) {
        const char *name = items->fields[i].column;

        if (name != NULL) {
            columns = apr_pstrcat(c->event, columns, ", `", name, "`", NULL);
            values = apr_pstrcat(c->event, values, ", ?", NULL);
            assign =
                apr_pstrcat(c->event, assign, *assign == '\0' ? "`" : ", `",
                            name, "` = VALUES(`", name, "`)", NULL);
        }
    }
    return prepare(
        st, c, wh, STMT_CHANGE_CHILD_ADD,
        (dl_wh_word[]){{"child", dl_wh_words_quote(items->table, c->event)},
                       {"columns", columns},
                       {"values", values},
                       {"assign", assign},
                       {NULL, NULL}},
        err);
}

/* Put the objects of the array of child CHILD in place of the rows. */
static dl_status replace_child(const dl_change *c, dl_wh *wh, int child,
                               dl_error *err)
{
    const dl_dataset *items = c->ds->children[child].items;
    dl_record_rows rows;
    dl_record row;
    dl_wh_stmt *st;

    DL_TRY(clear_child(c, wh, child, err));
    dl_record_rows_begin(&rows, &c->changes, child);
    while (dl_record_rows_next(&row, &rows)) {
        unsigned i = 0;

        DL_TRY(prepare_add(&st, c, wh, child, err));
        for (int at = 0; at < items->n_fields; at++) {
            if (items->fields[at].column != NULL) {
                bind_field(st, i++, &row, at);
            }
        }
        bind_rows(st, i, c);
        DL_TRY(dl_wh_run(st, err));
    }
    return DL_OK;
}

/* --- The event ------------------------------------------------------------ */

static dl_status apply_delete(uint64_t *rows, const dl_change *c, dl_wh *wh,
                              dl_error *err)
{
    uint64_t deleted;
    dl_wh_stmt *st;

    for (int i = 0; i < c->ds->n_children; i++) {
        DL_TRY(clear_child(c, wh, i, err));
    }
    DL_TRY(prepare(&st, c, wh, STMT_CHANGE_DELETE, NULL, err));
    bind_rows(st, 0, c);
    DL_TRY(dl_wh_run(st, err));
    deleted = dl_wh_affected(st);
    if (rows != NULL) {
        *rows = deleted;
    }
    return dl_wh_rows_removed(wh, c->ds, deleted, err);
}

static dl_status apply_update(uint64_t *rows, const dl_change *c, dl_wh *wh,
                              dl_error *err)
{
    bool any = changes_any(c);

    if (any) {
        DL_TRY(set_columns(c, wh, err));
    }
    for (int i = 0; i < c->ds->n_children; i++) {
        if (c->changes.field[c->ds->children[i].field].kind != DL_JSON_ABSENT) {
            DL_TRY(replace_child(c, wh, i, err));
            any = true;
        }
    }
    if (rows != NULL && any) {
        *rows = c->locked;
    }
    return DL_OK;
}

dl_status dl_change_apply(uint64_t *rows, dl_change *change, dl_wh *wh,
                          dl_error *err)
{
    if (rows != NULL) {
        *rows = 0;
    }
    if (!change->concerns) {
        return DL_OK;
    }
    return change->deletes ? apply_delete(rows, change, wh, err)
                           : apply_update(rows, change, wh, err);
}
