/* dl_wh_fill.c - The text of a dump back into its table.
 *
 * Rows go by INSERTs of about a megabyte, in the order of the text.  Every
 * value is quoted anew from its bytes, so nothing in the text can become more
 * than a value.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_wh_dump.h"

#include "dl_statements.h"
#include "dl_wh_private.h"

#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

/* A statement is sent when it has so many bytes; the most it may have, as the
 * longest line. */
#define STATEMENT     ((size_t)1 << 20)
#define STATEMENT_MAX ((size_t)1 << 30)

struct dl_wh_fill {
    dl_wh *wh;                     /* where to */
    const dl_wh_dump_table *table; /* of it */
    apr_pool_t *pool;              /* for the statement's beginning */
    dl_buf *line;                  /* a line that is not complete yet */
    dl_buf *sql;                   /* the statement being made */
    dl_buf *value;                 /* a field without escapes */
    const char *insert;            /* how it begins; NULL: before the names */
    int n;                         /* columns of the text */
    bool *binary;                  /* for each: hexadecimal */
    uint64_t waiting;              /* rows in SQL */
    uint64_t rows;                 /* rows stored */
};

static dl_status broken(const dl_wh_fill *fill, const char *what, dl_error *err)
{
    return dl_fail(err, DL_CORRUPT, 0, "rows of %s: %s behind row %llu",
                   fill->table->name, what,
                   (unsigned long long)(fill->rows + fill->waiting));
}

/* --- Names ---------------------------------------------------------------- */

static const dl_wh_dump_column *find_column(const dl_wh_dump_table *table,
                                            const char *name, size_t len)
{
    for (int i = 0; i < table->n; i++) {
        if (strlen(table->columns[i].name) == len &&
            memcmp(table->columns[i].name, name, len) == 0) {
            return &table->columns[i];
        }
    }
    return NULL;
}

/* Take the first line, LEN bytes at TEXT: the columns. */
static dl_status take_names(dl_wh_fill *fill, const char *text, size_t len,
                            dl_error *err)
{
    const char *end = text + len;
    const char *columns = "";

    fill->binary =
        apr_pcalloc(fill->pool, ((size_t)fill->table->n + 1) * sizeof(bool));
    while (text <= end) {
        const char *stop = memchr(text, '\t', (size_t)(end - text));
        size_t n = (size_t)((stop != NULL ? stop : end) - text);
        bool binary = n > 4 && memcmp(text + n - 4, ":hex", 4) == 0;
        const dl_wh_dump_column *c =
            find_column(fill->table, text, binary ? n - 4 : n);

        if (c == NULL || c->binary != binary || fill->n == fill->table->n) {
            return broken(fill, "columns that the table has not", err);
        }
        columns = apr_pstrcat(fill->pool, columns, fill->n > 0 ? ", `" : "`",
                              c->name, "`", NULL);
        fill->binary[fill->n++] = binary;
        text += n + 1;
    }
    fill->insert =
        dl_wh_dump_fill(STMT_INSERT, fill->table->name, columns, fill->pool);
    return DL_OK;
}

/* --- Rows ----------------------------------------------------------------- */

/* The byte that the escape with LETTER stands for, -1: there is none. */
static int byte_of(char letter)
{
    switch (letter) {
    case '\\':
        return '\\';
    case 't':
        return '\t';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case '0':
        return '\0';
    default:
        return -1;
    }
}

static dl_status put_text(dl_wh_fill *fill, const char *text, size_t len,
                          dl_error *err)
{
    dl_buf *value = fill->value;
    char *to;

    value->len = 0;
    DL_TRY(dl_buf_reserve(value, len + 1, err));
    for (size_t i = 0; i < len; i++) {
        int byte = (unsigned char)text[i];

        if (text[i] == '\\') {
            byte = ++i < len ? byte_of(text[i]) : -1;
        }
        if (byte < 0) {
            return broken(fill, "an escape that is none", err);
        }
        value->data[value->len++] = (char)byte;
    }
    DL_TRY(dl_buf_reserve(fill->sql, 2 * value->len + 3, err));
    to = fill->sql->data + fill->sql->len;
    *to++ = '\'';
    to += mysql_real_escape_string(fill->wh->mysql, to, value->data,
                                   (unsigned long)value->len);
    *to++ = '\'';
    fill->sql->len = (size_t)(to - fill->sql->data);
    return DL_OK;
}

static dl_status put_hex(dl_wh_fill *fill, const char *text, size_t len,
                         dl_error *err)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\0' || strchr("0123456789abcdef", text[i]) == NULL) {
            return broken(fill, "a byte that is no hexadecimal digit", err);
        }
    }
    if (len % 2 != 0) {
        return broken(fill, "half a byte", err);
    }
    DL_TRY(dl_buf_append(fill->sql, "x'", 2, err));
    DL_TRY(dl_buf_append(fill->sql, text, len, err));
    return dl_buf_append(fill->sql, "'", 1, err);
}

static dl_status put_field(dl_wh_fill *fill, int column, const char *text,
                           size_t len, dl_error *err)
{
    DL_TRY(dl_buf_append(fill->sql, ",", column > 0 ? 1 : 0, err));
    if (len == 2 && memcmp(text, "\\N", 2) == 0) {
        return dl_buf_append(fill->sql, "NULL", 4, err);
    }
    return fill->binary[column] ? put_hex(fill, text, len, err)
                                : put_text(fill, text, len, err);
}

static dl_status store(dl_wh_fill *fill, dl_error *err)
{
    uint64_t affected = 0;

    if (fill->waiting == 0) {
        return DL_OK;
    }
    DL_TRY(dl_buf_append(fill->sql, "", 1, err)); /* its NUL */
    if (dl_wh_exec(fill->wh, fill->sql->data, &affected, err) != DL_OK) {
        return dl_wrap(err, "rows of %s", fill->table->name);
    }
    if (affected != fill->waiting) {
        return dl_fail(err, DL_INTERNAL, 0, "%s took %llu of %llu rows",
                       fill->table->name, (unsigned long long)affected,
                       (unsigned long long)fill->waiting);
    }
    fill->rows += fill->waiting;
    fill->waiting = 0;
    fill->sql->len = 0;
    return DL_OK;
}

/* Take one line, LEN bytes at TEXT without its end. */
static dl_status take_line(dl_wh_fill *fill, const char *text, size_t len,
                           dl_error *err)
{
    const char *end = text + len;
    int column = 0;

    if (fill->insert == NULL) {
        return take_names(fill, text, len, err);
    }
    if (fill->waiting == 0) {
        DL_TRY(
            dl_buf_append(fill->sql, fill->insert, strlen(fill->insert), err));
    }
    DL_TRY(dl_buf_append(fill->sql, fill->waiting > 0 ? ",(" : "(",
                         fill->waiting > 0 ? 2 : 1, err));
    while (text <= end && column < fill->n) {
        const char *stop = memchr(text, '\t', (size_t)(end - text));
        size_t n = (size_t)((stop != NULL ? stop : end) - text);

        DL_TRY(put_field(fill, column++, text, n, err));
        text += n + 1;
    }
    if (text <= end || column != fill->n) {
        return broken(fill, "another number of fields", err);
    }
    DL_TRY(dl_buf_append(fill->sql, ")", 1, err));
    fill->waiting++;
    return fill->sql->len >= STATEMENT ? store(fill, err) : DL_OK;
}

/* --- The whole ------------------------------------------------------------ */

dl_status dl_wh_fill_begin(dl_wh_fill **result, dl_wh *wh,
                           const dl_wh_dump_table *table, dl_error *err,
                           apr_pool_t *pool)
{
    dl_wh_fill *fill = apr_pcalloc(pool, sizeof *fill);
    uint64_t affected = 1;

    fill->wh = wh;
    fill->table = table;
    fill->pool = pool;
    fill->line = dl_buf_create(STATEMENT_MAX, pool);
    fill->sql = dl_buf_create(2 * STATEMENT_MAX, pool);
    fill->value = dl_buf_create(STATEMENT_MAX, pool);
    while (affected > 0) {
        DL_TRY(dl_wh_exec(
            wh, dl_wh_dump_fill(STMT_DUMP_EMPTY, table->name, "", pool),
            &affected, err));
    }
    *result = fill;
    return DL_OK;
}

dl_status dl_wh_fill_put(dl_wh_fill *fill, const char *data, size_t len,
                         dl_error *err)
{
    const char *end = data + len;
    const char *stop;

    while ((stop = memchr(data, '\n', (size_t)(end - data))) != NULL) {
        const char *text = data;
        size_t n = (size_t)(stop - data);

        if (fill->line->len > 0) {
            DL_TRY(dl_buf_append(fill->line, data, n, err));
            text = fill->line->data;
            n = fill->line->len;
        }
        DL_TRY(take_line(fill, text, n, err));
        fill->line->len = 0;
        data = stop + 1;
    }
    return dl_buf_append(fill->line, data, (size_t)(end - data), err);
}

dl_status dl_wh_fill_end(uint64_t *rows, dl_wh_fill *fill, dl_error *err)
{
    if (fill->line->len > 0 || fill->insert == NULL) {
        return broken(fill, "no line end", err);
    }
    DL_TRY(store(fill, err));
    if (fill->table->next_id > 0) {
        char id[24];

        snprintf(id, sizeof id, "%lld", (long long)fill->table->next_id);
        DL_TRY(dl_wh_exec(fill->wh,
                          dl_wh_dump_fill(STMT_DUMP_NEXT_ID, fill->table->name,
                                          id, fill->pool),
                          NULL, err));
    }
    *rows = fill->rows;
    return DL_OK;
}
