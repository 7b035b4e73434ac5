/* dlc_collect_sqlite.c - Pages of a table of an SQLite file that another
 * program may be writing.
 *
 * The file is opened for reading alone.  A page is one short transaction, so
 * that a writer's checkpoint never waits for us; when the file is locked it is
 * asked for again later.  There is one writer at a time, who takes a number
 * when nobody else can: rows appear in the order of their keys, and none needs
 * to be held back.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <apr_strings.h>
#include <apr_tables.h>
#include <sqlite3.h>

#include "dl_decimal.h"
#include "dl_statements.h"
#include "dlc_collect_table.h"

/* How long a lock is waited for. */
#define BUSY_MS 1000

/* A backend. */
typedef struct sqlite_backend {
    dlc_collect_backend seen;       /* for the reader */
    const dl_config_source *source; /* its section */
    sqlite3 *db;                    /* NULL: not open */
    sqlite3_stmt *page;             /* STMT_FOREIGN_PAGE; NULL: not yet */
    apr_pool_t *opened;             /* what lives while it is open */
    dev_t device;                   /* which file that is */
    ino_t inode;                    /* and on its device */
    const char **names;             /* of the columns */
    dl_cell *cells;                 /* of one row */
    int n;                          /* how many */
    int key;                        /* which one is the key */
} sqlite_backend;

/* Fill ERR from the last failure of B; return its status. */
static dl_status failed(const sqlite_backend *b, int code, dl_error *err)
{
    const char *text =
        b->db == NULL ? sqlite3_errstr(code) : sqlite3_errmsg(b->db);

    switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return dl_fail(err, DL_BUSY, 0, "%s: %s", b->source->path, text);
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
    case SQLITE_SCHEMA:
        return dl_fail(err, DL_UNAVAILABLE, 0, "%s: %s", b->source->path, text);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return dl_fail(err, DL_CORRUPT, 0, "%s: %s", b->source->path, text);
    default:
        return dl_fail(err, DL_INVALID, 0, "%s: %s", b->source->path, text);
    }
}

/* Close the file. */
static void close_file(sqlite_backend *b)
{
    (void)sqlite3_finalize(b->page);
    (void)sqlite3_close(b->db);
    b->page = NULL;
    b->db = NULL;
}

static apr_status_t close_cleanup(void *backend)
{
    close_file(backend);
    return APR_SUCCESS;
}

/* Read the columns of the table of B with ST, and set *LIST to them as SQL. */
static dl_status read_columns(const char **list, sqlite_backend *b,
                              sqlite3_stmt *st, dl_error *err)
{
    apr_array_header_t *names =
        apr_array_make(b->opened, 16, (int)sizeof(const char *));
    int code;

    *list = "";
    b->key = -1;
    while ((code = sqlite3_step(st)) == SQLITE_ROW) {
        const char *name =
            apr_pstrdup(b->opened, (const char *)sqlite3_column_text(st, 1));
        const char *quoted = dlc_collect_quote(name, b->opened);

        if (quoted == NULL) {
            continue;
        }
        if (strcmp(name, b->source->key) == 0) {
            b->key = names->nelts;
        }
        *list = apr_pstrcat(b->opened, *list, names->nelts > 0 ? ", " : "",
                            quoted, NULL);
        *(const char **)apr_array_push(names) = name;
    }
    b->names = (const char **)(void *)names->elts;
    b->n = names->nelts;
    b->cells =
        apr_pcalloc(b->opened, (apr_size_t)(b->n + 1) * sizeof *b->cells);
    if (code != SQLITE_DONE) {
        return failed(b, code, err);
    }
    return b->key >= 0 ? DL_OK
                       : dl_fail(err, DL_UNAVAILABLE, 0,
                                 "%s: it has no such table with a column %s",
                                 b->source->path, b->source->key);
}

/* Return whether another file lies at the path of B now. */
static bool replaced(const sqlite_backend *b)
{
    struct stat now;

    return stat(b->source->path, &now) != 0 || now.st_dev != b->device ||
           now.st_ino != b->inode;
}

/* Open the file and prepare the statement. */
static dl_status open_file(sqlite_backend *b, dl_error *err)
{
    const char *columns;
    const char *text;
    sqlite3_stmt *st;
    struct stat now;
    dl_status status;
    int code;

    apr_pool_clear(b->opened);
    if (stat(b->source->path, &now) != 0) {
        return dl_fail(err, DL_UNAVAILABLE, errno, "cannot open %s",
                       b->source->path);
    }
    b->device = now.st_dev;
    b->inode = now.st_ino;
    code = sqlite3_open_v2(b->source->path, &b->db,
                           SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK) {
        return failed(b, code, err);
    }
    (void)sqlite3_busy_timeout(b->db, BUSY_MS);
    DL_TRY(dlc_collect_page_text(&text, STMT_FOREIGN_COLUMNS, b->source, "",
                                 err, b->opened));
    code = sqlite3_prepare_v2(b->db, text, -1, &st, NULL);
    if (code != SQLITE_OK) {
        return failed(b, code, err);
    }
    status = read_columns(&columns, b, st, err);
    (void)sqlite3_finalize(st);
    DL_TRY(status);
    DL_TRY(dlc_collect_page_text(&text, STMT_FOREIGN_PAGE, b->source, columns,
                                 err, b->opened));
    code = sqlite3_prepare_v2(b->db, text, -1, &b->page, NULL);
    return code == SQLITE_OK ? DL_OK : failed(b, code, err);
}

/* Return column I of the row that B stands on. */
static dl_cell read_cell(sqlite_backend *b, int i)
{
    int type = sqlite3_column_type(b->page, i);
    const char *text;
    size_t len;

    if (type == SQLITE_NULL) {
        return (dl_cell){NULL, 0, DL_CELL_NULL};
    }
    text = type == SQLITE_BLOB ? sqlite3_column_blob(b->page, i)
                               : (const char *)sqlite3_column_text(b->page, i);
    len = (size_t)sqlite3_column_bytes(b->page, i);
    if (text == NULL) {
        return dl_cell_text("", 0);
    }
    if ((type == SQLITE_INTEGER || type == SQLITE_FLOAT) &&
        dl_decimal_is_number(text, len)) {
        return dl_cell_json(text, len);
    }
    return dl_cell_text(text, len);
}

/* Put the rows of the statement to PAGE. */
static dl_status read_rows(sqlite_backend *b, dlc_collect_page *page,
                           dl_error *err)
{
    bool full = false;
    int code = SQLITE_DONE;

    while (!full && (code = sqlite3_step(b->page)) == SQLITE_ROW) {
        for (int i = 0; i < b->n; i++) {
            b->cells[i] = read_cell(b, i);
        }
        DL_TRY(dlc_collect_page_add(&full, page, b->cells, err));
    }
    return full || code == SQLITE_DONE ? DL_OK : failed(b, code, err);
}

static dl_status sqlite_read(dlc_collect_backend *backend,
                             dlc_collect_page *page, int64_t after,
                             dl_error *err)
{
    sqlite_backend *b = (sqlite_backend *)(void *)backend;
    dl_mapping_columns columns;
    dl_status status;

    if (b->db != NULL && replaced(b)) {
        close_file(b);
    }
    status = b->db == NULL ? open_file(b, err) : DL_OK;
    if (status == DL_OK) {
        columns = (dl_mapping_columns){b->names, b->n};
        status = dlc_collect_page_columns(page, &columns, b->key, err);
    }
    if (status == DL_OK) {
        (void)sqlite3_bind_int64(b->page, 1, after);
        (void)sqlite3_bind_int(b->page, 2, dlc_collect_page_most(page));
        status = read_rows(b, page, err);
        (void)sqlite3_reset(b->page);
    }
    if (status != DL_OK) {
        /* The next try opens the file that is there then. */
        close_file(b);
    }
    return status;
}

dl_status dlc_collect_sqlite_create(dlc_collect_reader **reader,
                                    const dlc_collect_plan *plan, dl_error *err,
                                    apr_pool_t *pool)
{
    sqlite_backend *b = apr_pcalloc(pool, sizeof *b);
    const char *ignored;

    b->seen.read = sqlite_read;
    b->source = plan->source;
    apr_pool_create(&b->opened, pool);
    apr_pool_cleanup_register(pool, b, close_cleanup, apr_pool_cleanup_null);
    DL_TRY(dlc_collect_page_text(&ignored, STMT_FOREIGN_PAGE, plan->source, "",
                                 err, pool));
    *reader = dlc_collect_table_create(&b->seen, plan, pool);
    return DL_OK;
}
