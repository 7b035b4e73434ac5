/* dl_csv.c - Flattening objects, quoting cells.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_csv.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_tables.h>

#include "dl_json.h"

/* Bytes of a flattened name, at most. */
#define NAME_MAX_BYTES 1024

/* A value: a part of the object's text. */
typedef struct cell {
    const char *text; /* NULL: empty */
    size_t len;       /* its bytes, quotation marks included */
} cell;

struct dl_csv {
    apr_pool_t *pool;          /* of the names */
    apr_array_header_t *names; /* const char *, in order */
    apr_hash_t *places;        /* name to its cell, int * */
    cell *cells;               /* DL_CSV_COLUMNS of them */
    bool learned;              /* columns are of the objects' own */
    dl_buf *scratch;           /* a text without escapes */
};

/* A walk over one object. */
typedef struct walk {
    dl_csv *csv;               /* the table */
    bool learning;             /* add columns; else fill cells */
    const char *at;            /* next byte */
    const char *end;           /* behind the last */
    char name[NAME_MAX_BYTES]; /* of the value at hand */
} walk;

dl_csv *dl_csv_create(apr_pool_t *pool)
{
    dl_csv *csv = apr_pcalloc(pool, sizeof *csv);

    csv->pool = pool;
    csv->names = apr_array_make(pool, 32, sizeof(const char *));
    csv->places = apr_hash_make(pool);
    csv->cells = apr_pcalloc(pool, sizeof *csv->cells * DL_CSV_COLUMNS);
    csv->scratch = dl_buf_create(DL_JSON_MAX_BYTES + DL_JSON_SLACK, pool);
    return csv;
}

/* The place of the column NAME of LEN bytes, or -1. */
static int find_column(const dl_csv *csv, const char *name, size_t len)
{
    const int *place = apr_hash_get(csv->places, name, (apr_ssize_t)len);

    return place == NULL ? -1 : *place;
}

static dl_status add_column(dl_csv *csv, const char *name, size_t len,
                            dl_error *err)
{
    int *place;

    if (find_column(csv, name, len) >= 0) {
        return DL_OK;
    }
    if (csv->names->nelts == DL_CSV_COLUMNS) {
        return dl_fail(err, DL_LIMIT, 0, "a table may have %d columns",
                       DL_CSV_COLUMNS);
    }
    place = apr_palloc(csv->pool, sizeof *place);
    *place = csv->names->nelts;
    name = apr_pstrmemdup(csv->pool, name, len);
    APR_ARRAY_PUSH(csv->names, const char *) = name;
    apr_hash_set(csv->places, name, (apr_ssize_t)len, place);
    return DL_OK;
}

dl_status dl_csv_column(dl_csv *csv, const char *name, dl_error *err)
{
    return add_column(csv, name, strlen(name), err);
}

/* --- Walking -------------------------------------------------------------- */

/* Move WALK behind the string it stands on. */
static void skip_string(walk *w)
{
    for (w->at++; w->at < w->end && *w->at != '"'; w->at++) {
        w->at += *w->at == '\\' ? 1 : 0;
    }
    w->at += w->at < w->end ? 1 : 0;
}

/* Move WALK behind the value it stands on. */
static void skip_value(walk *w)
{
    int depth = 0;

    while (w->at < w->end) {
        char c = *w->at;

        if (depth == 0 && (c == ',' || c == '}' || c == ']')) {
            return;
        }
        if (c == '"') {
            skip_string(w);
            continue;
        }
        depth += c == '{' || c == '[' ? 1 : 0;
        depth -= c == '}' || c == ']' ? 1 : 0;
        w->at++;
    }
}

/* Take the value WALK stands on, named by the first LEN bytes of its name. */
static dl_status take_value(walk *w, size_t len, dl_error *err)
{
    const char *begin = w->at;
    int place;

    if (w->learning) {
        DL_TRY(add_column(w->csv, w->name, len, err));
    }
    place = find_column(w->csv, w->name, len);
    skip_value(w);
    if (place >= 0 && *begin != 'n') {
        w->csv->cells[place] = (cell){begin, (size_t)(w->at - begin)};
    }
    return DL_OK;
}

/* Append the name WALK stands on to the LEN bytes it has; set *MORE to the
 * bytes with it. */
static dl_status take_name(walk *w, size_t len, size_t *more, dl_error *err)
{
    dl_json_slice slice = {.kind = DL_JSON_STRING, .escaped = 1};
    const char *begin = w->at + 1;

    skip_string(w);
    slice.text = begin;
    slice.len = (uint32_t)(w->at - begin - 1);
    if (len + slice.len + 2 > sizeof w->name) {
        return dl_fail(err, DL_LIMIT, 0, "a name is too long for a column");
    }
    if (len > 0) {
        w->name[len++] = '.';
    }
    *more = len + dl_json_unescape(w->name + len, slice);
    w->at++; /* the colon */
    return DL_OK;
}

/* Whether WALK stands on an object with members, to be taken apart. */
static bool opens(const walk *w, size_t len)
{
    return w->at + 1 < w->end && *w->at == '{' && w->at[1] != '}' &&
           (w->csv->learned || find_column(w->csv, w->name, len) < 0);
}

/* Walk through the object WALK stands on; its name has LEN bytes.  Depth is
 * bounded by what the scanner let pass (dl_json.h). */
static dl_status walk_object(walk *w, size_t len, dl_error *err)
{
    size_t more = 0;

    w->at++;
    while (w->at < w->end && *w->at == '"') {
        DL_TRY(take_name(w, len, &more, err));
        if (opens(w, more)) {
            DL_TRY(walk_object(w, more, err)); /* NOLINT(misc-no-recursion) */
        }
        else {
            DL_TRY(take_value(w, more, err));
        }
        w->at += w->at < w->end && *w->at == ',' ? 1 : 0;
    }
    w->at += w->at < w->end ? 1 : 0;
    return DL_OK;
}

dl_status dl_csv_learn(dl_csv *csv, const char *json, size_t len, dl_error *err)
{
    walk w = {.csv = csv, .learning = true, .at = json, .end = json + len};

    csv->learned = true;
    return len > 0 && *json == '{' ? walk_object(&w, 0, err) : DL_OK;
}

/* --- Writing -------------------------------------------------------------- */

/* Append LEN bytes of TEXT as a cell. */
static dl_status put_cell(dl_buf *out, const char *text, size_t len, bool guard,
                          dl_error *err)
{
    bool quoted = false;

    if (guard && len > 0 && strchr("=+-@\t\r", *text) != NULL && *text != 0) {
        DL_TRY(dl_buf_append(out, "\"'", 2, err));
        quoted = true;
    }
    else if (memchr(text, '"', len) != NULL || memchr(text, ',', len) != NULL ||
             memchr(text, '\r', len) != NULL ||
             memchr(text, '\n', len) != NULL) {
        DL_TRY(dl_buf_append(out, "\"", 1, err));
        quoted = true;
    }
    while (len > 0) {
        const char *quote = quoted ? memchr(text, '"', len) : NULL;
        size_t part = quote == NULL ? len : (size_t)(quote - text) + 1;

        DL_TRY(dl_buf_append(out, text, part, err));
        DL_TRY(dl_buf_append(out, "\"", quote == NULL ? 0 : 1, err));
        text += part;
        len -= part;
    }
    return dl_buf_append(out, "\"", quoted ? 1 : 0, err);
}

dl_status dl_csv_header(dl_buf *out, const dl_csv *csv, dl_error *err)
{
    for (int i = 0; i < csv->names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(csv->names, i, const char *);

        DL_TRY(dl_buf_append(out, ",", i > 0 ? 1 : 0, err));
        DL_TRY(put_cell(out, name, strlen(name), true, err));
    }
    return dl_buf_append(out, "\r\n", 2, err);
}

/* Append the value of CELL. */
static dl_status put_value(dl_buf *out, const dl_csv *csv, const cell *value,
                           dl_error *err)
{
    dl_json_slice slice = {.kind = DL_JSON_STRING, .escaped = 1};

    if (value->text == NULL) {
        return DL_OK;
    }
    if (*value->text != '"') {
        return put_cell(out, value->text, value->len, false, err);
    }
    slice.text = value->text + 1;
    slice.len = (uint32_t)(value->len - 2);
    csv->scratch->len = 0;
    DL_TRY(dl_buf_reserve(csv->scratch, value->len, err));
    return put_cell(out, csv->scratch->data,
                    dl_json_unescape(csv->scratch->data, slice), true, err);
}

dl_status dl_csv_row(dl_buf *out, dl_csv *csv, const char *json, size_t len,
                     dl_error *err)
{
    walk w = {.csv = csv, .at = json, .end = json + len};

    memset(csv->cells, 0, sizeof *csv->cells * (size_t)csv->names->nelts);
    if (len > 0 && *json == '{') {
        DL_TRY(walk_object(&w, 0, err));
    }
    for (int i = 0; i < csv->names->nelts; i++) {
        DL_TRY(dl_buf_append(out, ",", i > 0 ? 1 : 0, err));
        DL_TRY(put_value(out, csv, &csv->cells[i], err));
    }
    return dl_buf_append(out, "\r\n", 2, err);
}
