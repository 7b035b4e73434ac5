/* dlc_collect_mysql.c - Pages of a table of a MariaDB or MySQL server.
 *
 * The account needs SELECT on the table, nothing else.  Transactions of the
 * server commit in another order than they took their numbers, so the reader
 * holds rows back (dlc_collect_settle.h), and asks for the greatest number.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <apr_strings.h>

#include "dl_decimal.h"
#include "dl_statements.h"
#include "dl_wh.h"
#include "dlc_collect_table.h"

/* A backend. */
typedef struct mysql_backend {
    dlc_collect_backend seen;       /* for the reader */
    const dl_config_source *source; /* its section */
    const dl_wh_target *target;     /* where */
    dl_wh *wh;                      /* NULL: not connected */
    const char *page;               /* STMT_FOREIGN_PAGE of the table */
    const char *top;                /* STMT_FOREIGN_TOP of it */
    apr_pool_t *opened;             /* what lives while it is connected */
    const char **names;             /* of the columns */
    bool *numbers;                  /* which are numbers */
    dl_cell *cells;                 /* of one row */
    int n;                          /* how many */
    int key;                        /* which one is the key */
} mysql_backend;

/* Return whether a column of TYPE, as the server tells it, is a number. */
static bool is_number(const char *type)
{
    static const char *const starts[] = {"tinyint", "smallint", "mediumint",
                                         "int",     "bigint",   "decimal",
                                         "float",   "double"};

    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        if (strncmp(type, starts[i], strlen(starts[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* Add the column that ST stands on to B and, as SQL, to *LIST. */
static void add_column(const char **list, mysql_backend *b, dl_wh_stmt *st)
{
    const char *name = apr_pstrdup(b->opened, dl_wh_text(st, 0, NULL));
    const char *quoted = dlc_collect_quote(name, b->opened);
    const char *form = STMT_FOREIGN_VALUE;
    const char *open = strchr(form, '{');
    const char *shut = strchr(form, '}');

    if (quoted == NULL || b->n == DL_MAPPING_MEMBERS) {
        return;
    }
    if (strcmp(name, b->source->key) == 0) {
        b->key = b->n;
    }
    b->names[b->n] = name;
    b->numbers[b->n] = is_number(dl_wh_text(st, 1, NULL));
    *list = apr_pstrcat(b->opened, *list, b->n > 0 ? ", " : "",
                        apr_pstrmemdup(b->opened, form, (size_t)(open - form)),
                        quoted, shut + 1, NULL);
    b->n++;
}

/* Read the columns of the table. */
static dl_status read_columns(const char **list, mysql_backend *b,
                              dl_error *err)
{
    dl_wh_stmt *st;
    bool more;

    *list = "";
    b->n = 0;
    b->key = -1;
    b->names =
        apr_pcalloc(b->opened, DL_MAPPING_MEMBERS * sizeof(const char *));
    b->cells = apr_pcalloc(b->opened, DL_MAPPING_MEMBERS * sizeof(dl_cell));
    b->numbers = apr_pcalloc(b->opened, DL_MAPPING_MEMBERS * sizeof(bool));
    DL_TRY(dl_wh_prepare(&st, b->wh, STMT_TABLE_COLUMNS, err));
    dl_wh_bind_str(st, 0, b->source->table);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more) {
        add_column(list, b, st);
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    dl_wh_finish(st);
    return b->key >= 0 ? DL_OK
                       : dl_fail(err, DL_UNAVAILABLE, 0,
                                 "there is no such table with a column %s that "
                                 "this account may read",
                                 b->source->key);
}

/* Connect, and learn what the table is. */
static dl_status open_server(mysql_backend *b, dl_error *err)
{
    const char *columns;

    apr_pool_clear(b->opened);
    DL_TRY(dl_wh_connect_target(&b->wh, b->target, err, b->opened));
    DL_TRY(read_columns(&columns, b, err));
    DL_TRY(dlc_collect_page_text(&b->top, STMT_FOREIGN_TOP, b->source, columns,
                                 err, b->opened));
    return dlc_collect_page_text(&b->page, STMT_FOREIGN_PAGE, b->source,
                                 columns, err, b->opened);
}

/* Return column I of the row ST stands on. */
static dl_cell read_cell(const mysql_backend *b, const dl_wh_stmt *st, int i)
{
    size_t len;
    const char *text = dl_wh_text(st, (unsigned)i, &len);

    if (dl_wh_is_null(st, (unsigned)i)) {
        return (dl_cell){NULL, 0, DL_CELL_NULL};
    }
    return b->numbers[i] && dl_decimal_is_number(text, len)
               ? dl_cell_json(text, len)
               : dl_cell_text(text, len);
}

/* Put the rows behind AFTER to PAGE. */
static dl_status read_rows(mysql_backend *b, dlc_collect_page *page,
                           int64_t after, dl_error *err)
{
    bool full = false;
    bool more;
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, b->wh, b->page, err));
    dl_wh_bind_int(st, 0, after);
    dl_wh_bind_int(st, 1, dlc_collect_page_most(page));
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more && !full) {
        for (int i = 0; i < b->n; i++) {
            b->cells[i] = read_cell(b, st, i);
        }
        DL_TRY(dlc_collect_page_add(&full, page, b->cells, err));
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    dl_wh_finish(st);
    return DL_OK;
}

/* Read the greatest key. */
static dl_status read_top(int64_t *top, mysql_backend *b, dl_error *err)
{
    dl_wh_stmt *st;
    bool more;

    DL_TRY(dl_wh_prepare(&st, b->wh, b->top, err));
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    if (more && !dl_wh_is_null(st, 0)) {
        *top = dl_wh_int(st, 0);
    }
    dl_wh_finish(st);
    return DL_OK;
}

/* Pass STATUS on; a connection that failed is closed.  What a server that is
 * not ours says in numbers that we do not know, and what would do if it were
 * asked once more, may pass: its table is being altered, say. */
static dl_status judged(mysql_backend *b, dl_status status, dl_error *err)
{
    if (status == DL_OK) {
        return DL_OK;
    }
    if (b->wh != NULL) {
        /* The next try connects anew and reads the columns again. */
        dl_wh_close(b->wh);
        b->wh = NULL;
    }
    if (status == DL_INTERNAL || status == DL_RETRY) {
        err->status = DL_UNAVAILABLE;
        return DL_UNAVAILABLE;
    }
    return status;
}

static dl_status mysql_read(dlc_collect_backend *backend,
                            dlc_collect_page *page, int64_t after,
                            dl_error *err)
{
    mysql_backend *b = (mysql_backend *)(void *)backend;
    dl_mapping_columns columns;
    dl_status status;

    status = b->wh == NULL ? open_server(b, err) : DL_OK;
    if (status == DL_OK) {
        columns = (dl_mapping_columns){b->names, b->n};
        status = dlc_collect_page_columns(page, &columns, b->key, err);
    }
    if (status == DL_OK) {
        status = read_rows(b, page, after, err);
    }
    return judged(b, status, err);
}

static dl_status mysql_top(int64_t *top, dlc_collect_backend *backend,
                           dl_error *err)
{
    mysql_backend *b = (mysql_backend *)(void *)backend;
    dl_status status = b->wh == NULL ? open_server(b, err) : DL_OK;

    if (status == DL_OK) {
        status = read_top(top, b, err);
    }
    return judged(b, status, err);
}

dl_status dlc_collect_mysql_create(dlc_collect_reader **reader,
                                   const dlc_collect_plan *plan, dl_error *err,
                                   apr_pool_t *pool)
{
    mysql_backend *b = apr_pcalloc(pool, sizeof *b);
    const char *ignored;

    b->seen.read = mysql_read;
    b->seen.top = mysql_top;
    b->source = plan->source;
    apr_pool_create(&b->opened, pool);
    DL_TRY(dl_wh_target_foreign(&b->target, plan->source->dsn_file, err, pool));
    DL_TRY(dlc_collect_page_text(&ignored, STMT_FOREIGN_PAGE, plan->source, "",
                                 err, pool));
    *reader = dlc_collect_table_create(&b->seen, plan, pool);
    return DL_OK;
}
