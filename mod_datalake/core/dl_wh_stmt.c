/* dl_wh_stmt.c - Prepared statements: bind, run, fetch.
 *
 * Parameters and columns have storage that is allocated once, at prepare.
 * Numbers are fetched as 64-bit integers, dates and times as their parts,
 * everything else (decimals too) as text that grows when a value is longer
 * than any before.  Results are streamed; one statement of a connection may
 * have unread rows, and whoever runs the next throws them away.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_wh_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

/* Bytes a text column begins with. */
#define TEXT_ROOM 64

/* Storage of one parameter. */
typedef struct param {
    int64_t number;             /* of an integer */
    char text[DL_DECIMAL_TEXT]; /* of times and decimals */
    unsigned long len;          /* bytes of text */
} param;

/* How a column is fetched. */
typedef enum column_kind {
    COLUMN_INT,  /* into number */
    COLUMN_TIME, /* into when */
    COLUMN_TEXT  /* into text */
} column_kind;

/* Storage of one column. */
typedef struct column {
    column_kind kind;  /* which of the following */
    int64_t number;    /* an integer */
    MYSQL_TIME when;   /* a date or time */
    char *text;        /* malloc'ed, NUL behind the bytes */
    size_t room;       /* bytes of text, without the NUL */
    unsigned long len; /* bytes in use */
    my_bool null;      /* the value is NULL */
    my_bool cut;       /* the value is longer than room */
} column;

struct dl_wh_stmt {
    dl_wh *wh;           /* the connection */
    dl_wh_stmt *next;    /* next in the list of the connection */
    const char *sql;     /* its text */
    MYSQL_STMT *stmt;    /* NULL when closed */
    unsigned n_params;   /* parameters */
    unsigned n_columns;  /* columns of the result, 0: none */
    MYSQL_BIND *binds;   /* of the parameters */
    param *params;       /* their storage */
    MYSQL_BIND *results; /* of the columns */
    column *columns;     /* their storage */
};

static dl_status stmt_fail(dl_wh_stmt *st, dl_error *err)
{
    char what[64];

    (void)snprintf(what, sizeof what, "%.60s", st->sql);
    if (mysql_stmt_errno(st->stmt) == 0) {
        /* a failure in the middle of a result stays with the connection */
        return dl_wh_fail(st->wh, err, what);
    }
    return dl_wh_fail_number(st->wh, err, what, mysql_stmt_errno(st->stmt),
                             mysql_stmt_error(st->stmt));
}

void dl_wh_stmt_close_all(dl_wh *wh)
{
    for (dl_wh_stmt *st = wh->first; st != NULL; st = st->next) {
        mysql_stmt_close(st->stmt);
        st->stmt = NULL;
        for (unsigned i = 0; i < st->n_columns; i++) {
            free(st->columns[i].text);
        }
        st->n_columns = 0;
    }
    wh->first = NULL;
    wh->active = NULL;
}

static void params_unbind(dl_wh_stmt *st)
{
    for (unsigned i = 0; i < st->n_params; i++) {
        dl_wh_bind_null(st, i);
    }
}

static bool is_time_type(enum enum_field_types type)
{
    return type == MYSQL_TYPE_DATE || type == MYSQL_TYPE_NEWDATE ||
           type == MYSQL_TYPE_DATETIME || type == MYSQL_TYPE_TIMESTAMP;
}

static bool is_int_type(enum enum_field_types type)
{
    return type == MYSQL_TYPE_TINY || type == MYSQL_TYPE_SHORT ||
           type == MYSQL_TYPE_INT24 || type == MYSQL_TYPE_LONG ||
           type == MYSQL_TYPE_LONGLONG || type == MYSQL_TYPE_YEAR;
}

static void column_text_bind(MYSQL_BIND *bind, column *c)
{
    bind->buffer_type = MYSQL_TYPE_STRING;
    bind->buffer = c->text;
    bind->buffer_length = c->room;
}

static void column_setup(MYSQL_BIND *bind, column *c,
                         enum enum_field_types type)
{
    bind->length = &c->len;
    bind->is_null = &c->null;
    bind->error = &c->cut;
    if (is_int_type(type)) {
        c->kind = COLUMN_INT;
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        bind->buffer = &c->number;
        return;
    }
    if (is_time_type(type)) {
        c->kind = COLUMN_TIME;
        bind->buffer_type = MYSQL_TYPE_DATETIME;
        bind->buffer = &c->when;
        bind->buffer_length = sizeof c->when;
        return;
    }
    c->kind = COLUMN_TEXT;
    c->room = TEXT_ROOM;
    c->text = malloc(c->room + 1);
    if (c->text == NULL) {
        abort();
    }
    column_text_bind(bind, c);
}

static dl_status columns_setup(dl_wh_stmt *st, dl_error *err)
{
    MYSQL_RES *meta = mysql_stmt_result_metadata(st->stmt);
    MYSQL_FIELD *fields;
    unsigned n;

    if (meta == NULL) {
        return mysql_stmt_errno(st->stmt) != 0 ? stmt_fail(st, err) : DL_OK;
    }
    n = mysql_num_fields(meta);
    fields = mysql_fetch_fields(meta);
    st->results = apr_pcalloc(st->wh->pool, n * sizeof *st->results);
    st->columns = apr_pcalloc(st->wh->pool, n * sizeof *st->columns);
    for (unsigned i = 0; i < n; i++) {
        column_setup(&st->results[i], &st->columns[i], fields[i].type);
    }
    st->n_columns = n;
    mysql_free_result(meta);
    return DL_OK;
}

static dl_status stmt_create(dl_wh_stmt **out, dl_wh *wh, const char *sql,
                             dl_error *err)
{
    dl_wh_stmt *st = apr_pcalloc(wh->pool, sizeof *st);

    st->wh = wh;
    st->sql = apr_pstrdup(wh->pool, sql);
    st->stmt = mysql_stmt_init(wh->mysql);
    if (st->stmt == NULL) {
        return dl_fail(err, DL_INTERNAL, 0, "no memory for a statement");
    }
    if (mysql_stmt_prepare(st->stmt, sql, strlen(sql)) != 0) {
        dl_status status = stmt_fail(st, err);

        mysql_stmt_close(st->stmt);
        return status;
    }
    st->next = wh->first;
    wh->first = st;
    st->n_params = (unsigned)mysql_stmt_param_count(st->stmt);
    st->binds = apr_pcalloc(wh->pool, (st->n_params + 1) * sizeof *st->binds);
    st->params = apr_pcalloc(wh->pool, (st->n_params + 1) * sizeof *st->params);
    *out = st;
    return columns_setup(st, err);
}

dl_status dl_wh_prepare(dl_wh_stmt **st, dl_wh *wh, const char *sql,
                        dl_error *err)
{
    dl_wh_stmt *found = wh->first;

    if (wh->mysql == NULL || wh->lost) {
        return dl_fail(err, DL_UNAVAILABLE, 0, "the connection is closed");
    }
    while (found != NULL && strcmp(found->sql, sql) != 0) {
        found = found->next;
    }
    if (found == NULL) {
        if (wh->active != NULL) {
            dl_wh_finish(wh->active);
        }
        DL_TRY(stmt_create(&found, wh, sql, err));
    }
    params_unbind(found);
    *st = found;
    return DL_OK;
}

void dl_wh_bind_null(dl_wh_stmt *st, unsigned i)
{
    st->binds[i].buffer_type = MYSQL_TYPE_NULL;
}

void dl_wh_bind_int(dl_wh_stmt *st, unsigned i, int64_t value)
{
    st->params[i].number = value;
    st->binds[i].buffer_type = MYSQL_TYPE_LONGLONG;
    st->binds[i].buffer = &st->params[i].number;
    st->binds[i].is_unsigned = 0;
}

/* Bind LEN bytes at DATA as TYPE. */
static void bytes_bind(dl_wh_stmt *st, unsigned i, enum enum_field_types type,
                       const void *data, size_t len)
{
    union {
        const void *in;
        void *out;
    } pointer = {.in = data};

    st->params[i].len = len;
    st->binds[i].buffer_type = type;
    st->binds[i].buffer = pointer.out; /* the library only reads it */
    st->binds[i].buffer_length = len;
    st->binds[i].length = &st->params[i].len;
}

void dl_wh_bind_text(dl_wh_stmt *st, unsigned i, const char *text, size_t len)
{
    if (text == NULL) {
        dl_wh_bind_null(st, i);
        return;
    }
    bytes_bind(st, i, MYSQL_TYPE_STRING, text, len);
}

void dl_wh_bind_str(dl_wh_stmt *st, unsigned i, const char *text)
{
    dl_wh_bind_text(st, i, text, text != NULL ? strlen(text) : 0);
}

void dl_wh_bind_bytes(dl_wh_stmt *st, unsigned i, const void *data, size_t len)
{
    bytes_bind(st, i, MYSQL_TYPE_BLOB, data, len);
}

void dl_wh_bind_time(dl_wh_stmt *st, unsigned i, dl_time t)
{
    if (t == DL_TIME_NONE) {
        dl_wh_bind_null(st, i);
        return;
    }
    dl_time_format_sql(st->params[i].text, t);
    dl_wh_bind_str(st, i, st->params[i].text);
}

void dl_wh_bind_day(dl_wh_stmt *st, unsigned i, dl_day day)
{
    if (day == DL_DAY_NONE) {
        dl_wh_bind_null(st, i);
        return;
    }
    dl_day_format(st->params[i].text, day);
    dl_wh_bind_str(st, i, st->params[i].text);
}

void dl_wh_bind_decimal(dl_wh_stmt *st, unsigned i, dl_decimal value)
{
    size_t len = dl_decimal_format_sql(st->params[i].text, value);

    dl_wh_bind_text(st, i, st->params[i].text, len);
}

dl_status dl_wh_run(dl_wh_stmt *st, dl_error *err)
{
    dl_wh *wh = st->wh;

    if (st->stmt == NULL || wh->lost) {
        return dl_fail(err, DL_UNAVAILABLE, 0, "the connection is closed");
    }
    if (wh->active != NULL) {
        dl_wh_finish(wh->active);
    }
    if ((st->n_params > 0 && mysql_stmt_bind_param(st->stmt, st->binds) != 0) ||
        mysql_stmt_execute(st->stmt) != 0) {
        dl_status status = stmt_fail(st, err);

        params_unbind(st);
        return status;
    }
    params_unbind(st);
    if (st->n_columns > 0) {
        if (mysql_stmt_bind_result(st->stmt, st->results) != 0) {
            return stmt_fail(st, err);
        }
        wh->active = st;
    }
    return DL_OK;
}

/* Fetch the texts of the current row that were longer than their room. */
static dl_status texts_grow(dl_wh_stmt *st, dl_error *err)
{
    for (unsigned i = 0; i < st->n_columns; i++) {
        column *c = &st->columns[i];
        char *larger;

        if (c->kind != COLUMN_TEXT || c->null || c->len <= c->room) {
            continue;
        }
        larger = realloc(c->text, c->len + 1);
        if (larger == NULL) {
            return dl_fail(err, DL_INTERNAL, 0, "no memory for a column");
        }
        c->text = larger;
        c->room = c->len;
        column_text_bind(&st->results[i], c);
        if (mysql_stmt_fetch_column(st->stmt, &st->results[i], i, 0) != 0) {
            return stmt_fail(st, err);
        }
    }
    if (mysql_stmt_bind_result(st->stmt, st->results) != 0) {
        return stmt_fail(st, err);
    }
    return DL_OK;
}

dl_status dl_wh_fetch(bool *more, dl_wh_stmt *st, dl_error *err)
{
    int came;

    *more = false;
    if (st->wh->active != st) {
        return DL_OK;
    }
    came = mysql_stmt_fetch(st->stmt);
    if (came == MYSQL_NO_DATA) {
        dl_wh_finish(st);
        return DL_OK;
    }
    if (came == 1) {
        dl_status status = stmt_fail(st, err);

        dl_wh_finish(st);
        return status;
    }
    if (came == MYSQL_DATA_TRUNCATED) {
        DL_TRY(texts_grow(st, err));
    }
    for (unsigned i = 0; i < st->n_columns; i++) {
        if (st->columns[i].kind == COLUMN_TEXT) {
            st->columns[i].text[st->columns[i].null ? 0 : st->columns[i].len] =
                '\0';
        }
    }
    *more = true;
    return DL_OK;
}

void dl_wh_finish(dl_wh_stmt *st)
{
    if (st->wh->active == st) {
        mysql_stmt_free_result(st->stmt);
        st->wh->active = NULL;
    }
}

bool dl_wh_is_null(const dl_wh_stmt *st, unsigned col)
{
    return st->columns[col].null;
}

/* Read the decimal text S of the server; of another text its digits. */
static dl_decimal decimal_read(const char *s)
{
    dl_decimal d = {0};
    bool negative = *s == '-';
    int digits = -1; /* after the point, -1 before it */

    for (s += negative ? 1 : 0; *s != '\0'; s++) {
        if (*s == '.') {
            digits = 0;
        }
        else if (*s >= '0' && *s <= '9' && digits < DL_DECIMAL_SCALE) {
            d.units = d.units * 10 + (*s - '0');
            digits += digits >= 0 ? 1 : 0;
        }
    }
    for (digits = digits < 0 ? 0 : digits; digits < DL_DECIMAL_SCALE;
         digits++) {
        d.units *= 10;
    }
    if (negative) {
        d.units = -d.units;
    }
    return d;
}

int64_t dl_wh_int(const dl_wh_stmt *st, unsigned col)
{
    const column *c = &st->columns[col];

    if (c->null || c->kind == COLUMN_TIME) {
        return 0;
    }
    return c->kind == COLUMN_INT ? c->number : strtoll(c->text, NULL, 10);
}

const char *dl_wh_text(const dl_wh_stmt *st, unsigned col, size_t *len)
{
    const column *c = &st->columns[col];
    bool has = !c->null && c->kind == COLUMN_TEXT;

    if (len != NULL) {
        *len = has ? c->len : 0;
    }
    return has ? c->text : "";
}

dl_status dl_wh_copy_text(char *out, size_t size, const dl_wh_stmt *st,
                          unsigned col, dl_error *err)
{
    size_t len;
    const char *text = dl_wh_text(st, col, &len);

    if (len >= size) {
        return dl_fail(err, DL_INTERNAL, 0,
                       "column %u has %zu bytes, at most %zu were expected",
                       col, len, size - 1);
    }
    memcpy(out, text, len);
    out[len] = '\0';
    return DL_OK;
}

dl_day dl_wh_day(const dl_wh_stmt *st, unsigned col)
{
    const column *c = &st->columns[col];

    if (c->null || c->kind != COLUMN_TIME) {
        return DL_DAY_NONE;
    }
    return dl_day_of((int)c->when.year, (int)c->when.month, (int)c->when.day);
}

dl_time dl_wh_time(const dl_wh_stmt *st, unsigned col)
{
    const column *c = &st->columns[col];

    if (c->null || c->kind != COLUMN_TIME) {
        return DL_TIME_NONE;
    }
    return dl_day_start(dl_wh_day(st, col)) +
           ((int64_t)c->when.hour * 3600 + (int64_t)c->when.minute * 60 +
            (int64_t)c->when.second) *
               DL_SECOND_US +
           (int64_t)c->when.second_part;
}

dl_decimal dl_wh_decimal(const dl_wh_stmt *st, unsigned col)
{
    const column *c = &st->columns[col];

    if (c->null || c->kind == COLUMN_TIME) {
        return (dl_decimal){0};
    }
    if (c->kind == COLUMN_INT) {
        return dl_decimal_of_int(c->number);
    }
    return decimal_read(c->text);
}

uint64_t dl_wh_affected(const dl_wh_stmt *st)
{
    return st->stmt != NULL ? mysql_stmt_affected_rows(st->stmt) : 0;
}

int64_t dl_wh_insert_id(const dl_wh_stmt *st)
{
    return st->stmt != NULL ? (int64_t)mysql_stmt_insert_id(st->stmt) : 0;
}
