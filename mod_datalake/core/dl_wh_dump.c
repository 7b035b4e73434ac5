/* dl_wh_dump.c - The rows of a table as text.
 *
 * Rows are fetched as the server sends them, so memory is one piece of text
 * whatever the table's size.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_wh_dump.h"

#include "dl_statements.h"
#include "dl_wh_private.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>

/* Bytes of text that are handed over at once, and the most a row may have. */
#define PIECE     ((size_t)256 * 1024)
#define PIECE_MAX ((size_t)1 << 30)

const char *dl_wh_dump_fill(const char *template, const char *table,
                            const char *columns, apr_pool_t *pool)
{
    const char *out = "";

    for (;;) {
        const char *open = strchr(template, '{');
        const char *shut = open != NULL ? strchr(open, '}') : NULL;

        if (shut == NULL) {
            return apr_pstrcat(pool, out, template, NULL);
        }
        out = apr_pstrcat(
            pool, out,
            apr_pstrmemdup(pool, template, (size_t)(open - template)),
            open[1] == 'c' ? columns : "`", open[1] == 'c' ? "" : table,
            open[1] == 'c' ? "" : "`", NULL);
        template = shut + 1;
    }
}

/* --- Tables --------------------------------------------------------------- */

static bool is_binary(const char *type)
{
    return strstr(type, "binary") != NULL || strstr(type, "blob") != NULL;
}

static dl_status columns_load(dl_wh_dump_table *table, dl_wh *wh, dl_error *err,
                              apr_pool_t *pool)
{
    apr_array_header_t *columns =
        apr_array_make(pool, 32, (int)sizeof(dl_wh_dump_column));
    dl_wh_stmt *st;
    bool more;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_TABLE_COLUMNS, err));
    dl_wh_bind_str(st, 0, table->name);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more) {
        dl_wh_dump_column *column = apr_array_push(columns);

        column->name = apr_pstrdup(pool, dl_wh_text(st, 0, NULL));
        column->binary = is_binary(dl_wh_text(st, 1, NULL));
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    dl_wh_finish(st);
    table->n = columns->nelts;
    table->columns = (dl_wh_dump_column *)(void *)columns->elts;
    return DL_OK;
}

dl_status dl_wh_dump_tables(const dl_wh_dump_table **tables, int *n, dl_wh *wh,
                            dl_error *err, apr_pool_t *pool)
{
    apr_array_header_t *found =
        apr_array_make(pool, 32, (int)sizeof(dl_wh_dump_table));
    dl_wh_dump_table *all;
    dl_wh_stmt *st;
    bool more;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_DUMP_TABLES, err));
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more) {
        dl_wh_dump_table *table = apr_array_push(found);

        table->name = apr_pstrdup(pool, dl_wh_text(st, 0, NULL));
        table->next_id = dl_wh_is_null(st, 1) ? 0 : dl_wh_int(st, 1);
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    dl_wh_finish(st);
    all = (dl_wh_dump_table *)(void *)found->elts;
    for (int i = 0; i < found->nelts; i++) {
        DL_TRY(columns_load(&all[i], wh, err, pool));
    }
    *tables = all;
    *n = found->nelts;
    return DL_OK;
}

/* --- Text ----------------------------------------------------------------- */

/* The letter behind the backslash that stands for C, 0: C stands for itself. */
static char letter_of(char c)
{
    switch (c) {
    case '\\':
        return '\\';
    case '\t':
        return 't';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\0':
        return '0';
    default:
        return 0;
    }
}

static char *put_text(char *to, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char letter = letter_of(text[i]);

        if (letter == 0) {
            *to++ = text[i];
        }
        else {
            *to++ = '\\';
            *to++ = letter;
        }
    }
    return to;
}

static char *put_hex(char *to, const char *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        *to++ = digits[(unsigned char)bytes[i] >> 4];
        *to++ = digits[bytes[i] & 15];
    }
    return to;
}

static dl_status header_append(dl_buf *piece, const dl_wh_dump_table *table,
                               dl_error *err)
{
    for (int i = 0; i < table->n; i++) {
        const dl_wh_dump_column *c = &table->columns[i];

        DL_TRY(dl_buf_append(piece, "\t", i > 0 ? 1 : 0, err));
        DL_TRY(dl_buf_append(piece, c->name, strlen(c->name), err));
        DL_TRY(dl_buf_append(piece, ":hex", c->binary ? 4 : 0, err));
    }
    return dl_buf_append(piece, "\n", 1, err);
}

/* Append the row of fields ROW, LENGTHS bytes each. */
static dl_status row_append(dl_buf *piece, const dl_wh_dump_table *table,
                            MYSQL_ROW row, const unsigned long *lengths,
                            dl_error *err)
{
    for (int i = 0; i < table->n; i++) {
        char *to;

        DL_TRY(dl_buf_reserve(piece, (size_t)lengths[i] * 2 + 4, err));
        to = piece->data + piece->len;
        if (i > 0) {
            *to++ = '\t';
        }
        if (row[i] == NULL) {
            *to++ = '\\';
            *to++ = 'N';
        }
        else if (table->columns[i].binary) {
            to = put_hex(to, row[i], lengths[i]);
        }
        else {
            to = put_text(to, row[i], lengths[i]);
        }
        piece->len = (size_t)(to - piece->data);
    }
    return dl_buf_append(piece, "\n", 1, err);
}

/* --- Dump ----------------------------------------------------------------- */

static const char *select_text(const dl_wh_dump_table *table, apr_pool_t *pool)
{
    const char *columns = "";

    for (int i = 0; i < table->n; i++) {
        columns = apr_pstrcat(pool, columns, i > 0 ? ", `" : "`",
                              table->columns[i].name, "`", NULL);
    }
    return dl_wh_dump_fill(STMT_DUMP, table->name, columns, pool);
}

/* A table being dumped. */
typedef struct dumping {
    dl_wh *wh;                     /* the connection */
    const dl_wh_dump_table *table; /* which */
    const dl_wh_dump_sink *sink;   /* where to */
    dl_buf *piece;                 /* text not handed over yet */
    uint64_t rows;                 /* so far */
} dumping;

static dl_status rows_give(dumping *d, MYSQL_RES *result, dl_error *err)
{
    dl_buf *piece = d->piece;
    MYSQL_ROW row;

    DL_TRY(header_append(piece, d->table, err));
    while ((row = mysql_fetch_row(result)) != NULL) {
        DL_TRY(
            row_append(piece, d->table, row, mysql_fetch_lengths(result), err));
        d->rows++;
        if (piece->len >= PIECE) {
            DL_TRY(
                d->sink->take(d->sink->context, piece->data, piece->len, err));
            piece->len = 0;
        }
    }
    if (mysql_errno(d->wh->mysql) != 0) {
        return dl_wh_fail(d->wh, err, "reading rows");
    }
    return d->sink->take(d->sink->context, piece->data, piece->len, err);
}

dl_status dl_wh_dump(uint64_t *rows, dl_wh *wh, const dl_wh_dump_table *table,
                     const dl_wh_dump_sink *sink, dl_error *err,
                     apr_pool_t *scratch_pool)
{
    const char *sql = select_text(table, scratch_pool);
    dumping d = {.wh = wh,
                 .table = table,
                 .sink = sink,
                 .piece = dl_buf_create(PIECE_MAX, scratch_pool)};
    MYSQL_RES *result;
    dl_status status;

    *rows = 0;
    if (wh->mysql == NULL || wh->lost) {
        return dl_fail(err, DL_UNAVAILABLE, 0, "the connection is closed");
    }
    if (mysql_real_query(wh->mysql, sql, strlen(sql)) != 0) {
        return dl_wh_fail(wh, err, table->name);
    }
    result = mysql_use_result(wh->mysql);
    if (result == NULL) {
        return dl_wh_fail(wh, err, table->name);
    }
    status = rows_give(&d, result, err);
    mysql_free_result(result); /* reads what is left */
    *rows = d.rows;
    return status;
}
