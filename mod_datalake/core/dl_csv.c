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

#include "dl_csv_walk.h"
#include "dl_json.h"

/* Bytes that a row may have beyond twice those of its object: a column's
 * comma, two quotation marks and the guard, and the line's end. */
#define COLUMN_MORE 4
#define ROW_MORE    2

/* Bytes that are copied at once. */
#define COPY_STEP 16

struct dl_csv {
    apr_pool_t *pool;          /* of the names */
    apr_array_header_t *names; /* const char *, in order */
    apr_hash_t *places;        /* name to its cell, int * */
    dl_csv_cell *cells;        /* DL_CSV_COLUMNS of them */
    bool learned;              /* columns are of the objects' own */
    dl_csv_walker *walker;     /* finds their values */
    dl_buf *scratch;           /* a text without escapes */
};

/* The place of the column NAME of LEN bytes, or -1. */
static int find_column(void *context, const char *name, size_t len)
{
    const dl_csv *csv = context;
    const int *place = apr_hash_get(csv->places, name, (apr_ssize_t)len);

    return place == NULL ? -1 : *place;
}

static dl_status add_column(void *context, const char *name, size_t len,
                            dl_error *err)
{
    dl_csv *csv = context;
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

dl_csv *dl_csv_create(apr_pool_t *pool)
{
    dl_csv *csv = apr_pcalloc(pool, sizeof *csv);
    const dl_csv_columns columns = {find_column, add_column, csv};

    csv->pool = pool;
    csv->names = apr_array_make(pool, 32, sizeof(const char *));
    csv->places = apr_hash_make(pool);
    csv->cells = apr_pcalloc(pool, sizeof *csv->cells * DL_CSV_COLUMNS);
    csv->scratch = dl_buf_create(DL_JSON_MAX_BYTES + DL_JSON_SLACK, pool);
    csv->walker = dl_csv_walker_create(&columns, pool);
    return csv;
}

dl_status dl_csv_column(dl_csv *csv, const char *name, dl_error *err)
{
    return add_column(csv, name, strlen(name), err);
}

dl_status dl_csv_learn(dl_csv *csv, const char *json, size_t len, dl_error *err)
{
    const dl_csv_object object = {.json = json, .len = len, .whole = true};

    csv->learned = true;
    return dl_csv_walk(csv->walker, &object, err);
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
static dl_status put_value(dl_buf *out, const dl_csv *csv,
                           const dl_csv_cell *cell, dl_error *err)
{
    dl_json_slice slice = {.kind = DL_JSON_STRING, .escaped = 1};

    if (cell->kind == DL_CSV_NOTHING) {
        return DL_OK;
    }
    if (cell->kind != DL_CSV_TEXT) {
        return put_cell(out, cell->text, cell->len, false, err);
    }
    slice.text = cell->text;
    slice.len = (uint32_t)cell->len;
    csv->scratch->len = 0;
    DL_TRY(dl_buf_reserve(csv->scratch, cell->len + DL_JSON_SLACK, err));
    return put_cell(out, csv->scratch->data,
                    dl_json_unescape(csv->scratch->data, slice), true, err);
}

/* Append the row of the cells of CSV, byte for byte as much room as it
 * takes. */
static dl_status put_row(dl_buf *out, const dl_csv *csv, dl_error *err)
{
    for (int i = 0; i < csv->names->nelts; i++) {
        DL_TRY(dl_buf_append(out, ",", i > 0 ? 1 : 0, err));
        DL_TRY(put_value(out, csv, &csv->cells[i], err));
    }
    return dl_buf_append(out, "\r\n", 2, err);
}

/* Copy the text of CELL to TO, behind which there is room for COPY_STEP bytes
 * more; the text lies before END.  Return where the next one goes. */
static char *copy(char *to, const dl_csv_cell *cell, const char *end)
{
    if (cell->len <= COPY_STEP && end - cell->text >= COPY_STEP) {
        memcpy(to, cell->text, COPY_STEP);
    }
    else {
        memcpy(to, cell->text, cell->len);
    }
    return to + cell->len;
}

/* As put_row for an object that ends at END, where OUT has room for
 * whatever the row may take. */
static dl_status put_row_fast(dl_buf *out, const dl_csv *csv, const char *end,
                              dl_error *err)
{
    char *to = out->data + out->len;

    for (int i = 0; i < csv->names->nelts; i++) {
        const dl_csv_cell *cell = &csv->cells[i];

        if (cell->kind == DL_CSV_AS_IS) {
            to = copy(to, cell, end);
        }
        else if (cell->kind == DL_CSV_QUOTED) {
            *to++ = '"';
            to = copy(to, cell, end);
            *to++ = '"';
        }
        else if (cell->kind != DL_CSV_NOTHING) {
            out->len = (size_t)(to - out->data);
            DL_TRY(put_value(out, csv, cell, err));
            to = out->data + out->len;
        }
        *to++ = ',';
    }
    to -= csv->names->nelts > 0 ? 1 : 0;
    *to++ = '\r';
    *to++ = '\n';
    out->len = (size_t)(to - out->data);
    return DL_OK;
}

dl_status dl_csv_row(dl_buf *out, dl_csv *csv, const char *json, size_t len,
                     dl_error *err)
{
    const dl_csv_object object = {
        .json = json, .len = len, .cells = csv->cells, .whole = csv->learned};
    size_t columns = (size_t)csv->names->nelts;

    memset(csv->cells, 0, sizeof *csv->cells * columns);
    DL_TRY(dl_csv_walk(csv->walker, &object, err));
    if (dl_buf_reserve(out,
                       2 * len + COLUMN_MORE * columns + ROW_MORE + COPY_STEP,
                       err) != DL_OK) {
        return put_row(out, csv, err); /* it may yet be enough */
    }
    return put_row_fast(out, csv, json + len, err);
}
