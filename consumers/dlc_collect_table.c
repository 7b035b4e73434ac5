/* dlc_collect_table.c - The reader of tables, whatever database has them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_collect_table.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_json_write.h"
#include "dl_time.h"
#include "dlc_collect.h"
#include "dlc_collect_settle.h"

/* Bytes of a page with a row that is much too long, at most. */
#define BYTES_MAX ((size_t)32 << 20)

/* Before the first row: no key is less than 0. */
#define NO_KEY (-1)

/* A value of a page; its text lies in the page's bytes. */
typedef struct page_cell {
    size_t at;         /* where it begins */
    size_t len;        /* bytes of it */
    dl_cell_kind kind; /* what it is */
} page_cell;

struct dlc_collect_page {
    dl_mapping_columns columns[2]; /* rows that are given may still have the
                                      other ones when new ones come */
    apr_pool_t *pools[2];          /* of each */
    int which;                     /* that of now */
    int key;                       /* number of the key's column */
    int most;                      /* rows it takes */
    int64_t keys[DLC_COLLECT_PAGE_ROWS]; /* of each row */
    int n;                               /* rows */
    int64_t last;                        /* greatest key seen */
    page_cell *cells;                    /* of all rows, one behind the other */
    size_t cells_size;                   /* there is room for so many */
    dl_buf *bytes;                       /* their texts */
};

/* A reader. */
typedef struct table_reader {
    dlc_collect_reader seen;        /* for the collector */
    dlc_collect_backend *backend;   /* reads pages */
    const dl_config_source *source; /* its section */
    dlc_collect_page page;          /* the rows in hand */
    int next;                       /* that of them which is given next */
    int64_t given;                  /* key of the last row given, or NO_KEY */
    dlc_collect_settle settle;      /* which rows may be given */
    bool held;                      /* the next row may not be given yet */
    bool begun;                     /* its turn is under way */
    bool follow;                    /* there is no end */
    bool ended;                     /* all was given */
    dl_cell *row;                   /* the row that is given */
    size_t row_size;                /* cells of it */
    dl_buf *raw;                    /* the same as a JSON array */
} table_reader;

/* --- Pages ---------------------------------------------------------------- */

/* Return whether PAGE has COLUMNS already. */
static bool same_columns(const dlc_collect_page *page,
                         const dl_mapping_columns *columns)
{
    const dl_mapping_columns *now = &page->columns[page->which];

    if (now->n != columns->n) {
        return false;
    }
    for (int i = 0; i < now->n; i++) {
        if (strcmp(now->names[i], columns->names[i]) != 0) {
            return false;
        }
    }
    return true;
}

dl_status dlc_collect_page_columns(dlc_collect_page *page,
                                   const dl_mapping_columns *columns, int key,
                                   dl_error *err)
{
    apr_pool_t *pool = page->pools[page->which ^ 1];
    const char **names;

    page->key = key;
    if (columns->n > DL_MAPPING_MEMBERS) {
        return dl_fail(err, DL_LIMIT, 0, "more than %d columns",
                       DL_MAPPING_MEMBERS);
    }
    if (same_columns(page, columns)) {
        return DL_OK;
    }
    apr_pool_clear(pool);
    names = apr_pcalloc(pool, (apr_size_t)(columns->n + 1) * sizeof *names);
    for (int i = 0; i < columns->n; i++) {
        names[i] = apr_pstrdup(pool, columns->names[i]);
    }
    page->which ^= 1;
    page->columns[page->which] = (dl_mapping_columns){names, columns->n};
    return DL_OK;
}

/* Set *KEY to the number in CELL; false: it is none from 0 on. */
static bool read_key(int64_t *key, const dl_cell *cell)
{
    char text[21];
    char *end;

    if ((cell->kind != DL_CELL_TEXT && cell->kind != DL_CELL_JSON) ||
        cell->len == 0 || cell->len > 19) {
        return false;
    }
    memcpy(text, cell->text, cell->len);
    text[cell->len] = '\0';
    *key = strtoll(text, &end, 10);
    /* One is added where 0 means that there is none. */
    return *end == '\0' && text[0] >= '0' && text[0] <= '9' && *key < INT64_MAX;
}

/* Make room for N cells more. */
static void grow_cells(dlc_collect_page *page, size_t n)
{
    size_t used = (size_t)page->n * n;

    if (used + n <= page->cells_size) {
        return;
    }
    page->cells_size = 2 * (used + n);
    page->cells = realloc(page->cells, page->cells_size * sizeof *page->cells);
    if (page->cells == NULL) {
        abort();
    }
}

dl_status dlc_collect_page_add(bool *full, dlc_collect_page *page,
                               const dl_cell *cells, dl_error *err)
{
    size_t n = (size_t)page->columns[page->which].n;
    page_cell *to;
    int64_t key;

    if (!read_key(&key, &cells[page->key]) || key <= page->last) {
        return dl_fail(err, DL_INVALID, 0,
                       "column %s behind %lld is no whole number that rises",
                       page->columns[page->which].names[page->key],
                       (long long)page->last);
    }
    grow_cells(page, n);
    to = page->cells + (size_t)page->n * n;
    for (size_t i = 0; i < n; i++) {
        bool text =
            cells[i].kind == DL_CELL_TEXT || cells[i].kind == DL_CELL_JSON;

        to[i] = (page_cell){page->bytes->len, text ? cells[i].len : 0,
                            cells[i].kind};
        if (text) {
            DL_TRY(
                dl_buf_append(page->bytes, cells[i].text, cells[i].len, err));
        }
    }
    page->keys[page->n++] = key;
    page->last = key;
    *full = page->n == page->most || page->bytes->len >= DLC_COLLECT_PAGE_BYTES;
    return DL_OK;
}

int dlc_collect_page_most(const dlc_collect_page *page)
{
    return page->most;
}

const char *dlc_collect_quote(const char *name, apr_pool_t *pool)
{
    return strchr(name, '`') != NULL ? NULL
                                     : apr_pstrcat(pool, "`", name, "`", NULL);
}

dl_status dlc_collect_page_text(const char **text, const char *form,
                                const dl_config_source *source,
                                const char *columns, dl_error *err,
                                apr_pool_t *pool)
{
    const char *table = dlc_collect_quote(source->table, pool);
    const char *key = dlc_collect_quote(source->key, pool);
    const char *rest = form;
    const char *out = "";

    if (table == NULL || key == NULL) {
        return dl_fail(err, DL_INVALID, 0,
                       "a name of table or key has a backtick");
    }
    for (;;) {
        const char *open = strchr(rest, '{');
        const char *shut = open == NULL ? NULL : strchr(open, '}');

        if (shut == NULL) {
            *text = apr_pstrcat(pool, out, rest, NULL);
            return DL_OK;
        }
        out = apr_pstrcat(pool, out,
                          apr_pstrmemdup(pool, rest, (size_t)(open - rest)),
                          open[1] == 'c'   ? columns
                          : open[1] == 't' ? table
                                           : key,
                          NULL);
        rest = shut + 1;
    }
}

/* --- The reader ----------------------------------------------------------- */

/* Look at the greatest key of the table of R, if that is due. */
static dl_status look(table_reader *r, dl_error *err)
{
    int64_t top = NO_KEY;

    if (!dlc_collect_settle_due(&r->settle, dl_time_monotonic_us())) {
        return DL_OK;
    }
    DL_TRY(r->backend->top(&top, r->backend, err));
    dlc_collect_settle_look(&r->settle, top, dl_time_monotonic_us());
    return DL_OK;
}

/* Read the next page of R. */
static dl_status read_page(table_reader *r, dl_error *err)
{
    dl_status status = look(r, err);

    dlc_collect_settle_read(&r->settle, dl_time_monotonic_us());
    r->next = 0;
    r->page.n = 0;
    r->page.last = r->given;
    r->page.bytes->len = 0;
    /* While a row is held back only what may have come before it is new. */
    r->page.most = r->held ? 1 : DLC_COLLECT_PAGE_ROWS;
    if (status == DL_OK) {
        status = r->backend->read(r->backend, &r->page, r->given, err);
    }
    if (status != DL_OK) {
        r->page.n = 0;
        return dl_wrap(err, "table %s", r->source->table);
    }
    return DL_OK;
}

/* Write the row of CELLS as an array, which is no record. */
static dl_status write_raw(table_reader *r, int n, dl_error *err)
{
    dl_json_writer w;

    r->raw->len = 0;
    dl_json_writer_begin(&w, r->raw);
    dl_json_write_array_begin(&w);
    for (int i = 0; i < n; i++) {
        const dl_cell *cell = &r->row[i];

        if (cell->kind == DL_CELL_JSON) {
            dl_json_write_raw(&w, cell->text, cell->len);
        }
        else if (cell->kind == DL_CELL_TEXT) {
            dl_json_write_string(&w, cell->text, cell->len);
        }
        else {
            dl_json_write_null(&w);
        }
    }
    dl_json_write_array_end(&w);
    return dl_json_writer_finish(&w, err);
}

/* Give the next row of the page. */
static dl_status give(dlc_collect_row *row, table_reader *r, dl_error *err)
{
    const dl_mapping_columns *columns = &r->page.columns[r->page.which];
    const page_cell *cells =
        r->page.cells + (size_t)r->next * (size_t)columns->n;

    if (r->row_size < (size_t)columns->n) {
        r->row_size = (size_t)columns->n;
        r->row = realloc(r->row, r->row_size * sizeof *r->row);
        if (r->row == NULL) {
            abort();
        }
    }
    for (int i = 0; i < columns->n; i++) {
        const char *text =
            r->page.bytes->data == NULL ? "" : r->page.bytes->data;

        r->row[i] = (dl_cell){text + cells[i].at, cells[i].len, cells[i].kind};
    }
    DL_TRY(write_raw(r, columns->n, err));
    r->given = r->page.keys[r->next++];
    *row = (dlc_collect_row){.columns = columns,
                             .cells = r->row,
                             .raw = r->raw->data,
                             .raw_len = r->raw->len,
                             .number = (uint64_t)r->given + 1,
                             .line = (uint64_t)r->given,
                             .place = r->source->table};
    return DL_OK;
}

/* The next row of R may not be given yet: it is read anew, with what may have
 * come before it. */
static void hold_back(dlc_collect_got *got, table_reader *r)
{
    r->ended = !r->follow &&
               dlc_collect_settle_later(&r->settle, r->page.keys[r->next]);
    *got = r->ended ? DLC_COLLECT_END : DLC_COLLECT_NONE;
    r->page.n = 0;
    r->next = 0;
}

static dl_status table_next(dlc_collect_got *got, dlc_collect_row *row,
                            dlc_collect_reader *reader, dl_error *err)
{
    table_reader *r = (table_reader *)(void *)reader;

    if (!r->begun) {
        r->begun = true;
        *got = DLC_COLLECT_TURN;
        return DL_OK;
    }
    if (r->next == r->page.n) {
        DL_TRY(read_page(r, err));
    }
    if (r->page.n == 0) {
        r->ended = !r->follow;
        *got = r->follow ? DLC_COLLECT_NONE : DLC_COLLECT_END;
        return DL_OK;
    }
    r->held =
        !dlc_collect_settle_may(&r->settle, r->page.keys[r->next], r->given);
    if (r->held) {
        hold_back(got, r);
        return DL_OK;
    }
    *got = DLC_COLLECT_ROW;
    return give(row, r, err);
}

static void table_tell(char item[DLC_COLLECT_ITEM],
                       char text[DLC_COLLECT_POSITION],
                       const dlc_collect_reader *reader)
{
    const table_reader *r = (const table_reader *)(const void *)reader;

    apr_cpystrn(item, r->source->table, DLC_COLLECT_ITEM);
    apr_snprintf(text, DLC_COLLECT_POSITION, "%" APR_INT64_T_FMT, r->given);
}

/* Behind the END alone: a table is left for nothing else. */
static bool table_left(char item[DLC_COLLECT_ITEM],
                       char text[DLC_COLLECT_POSITION],
                       const dlc_collect_reader *reader)
{
    const table_reader *r = (const table_reader *)(const void *)reader;

    table_tell(item, text, reader);
    return r->ended;
}

static void table_progress(int64_t *done, int64_t *total,
                           const dlc_collect_reader *reader)
{
    const table_reader *r = (const table_reader *)(const void *)reader;

    *done = r->given + 1;
    *total = 0;
}

/* Take up the position that PLAN remembers, and its turn if that is under
 * way. */
static void resume(table_reader *r, const dlc_collect_plan *plan)
{
    const dlc_collect_memory *memory = plan->memory;
    const char *item = plan->source->table;

    for (int i = 0; i < memory->n; i++) {
        if (strcmp(memory->items[i].item, item) == 0) {
            r->given = strtoll(memory->items[i].text, NULL, 10);
            r->begun = memory->item != NULL && strcmp(memory->item, item) == 0;
        }
    }
}

static apr_status_t free_memory(void *reader)
{
    table_reader *r = reader;

    free(r->page.cells);
    free(r->row);
    return APR_SUCCESS;
}

dlc_collect_reader *dlc_collect_table_create(dlc_collect_backend *backend,
                                             const dlc_collect_plan *plan,
                                             apr_pool_t *pool)
{
    static const dlc_collect_reader_calls calls = {.next = table_next,
                                                   .tell = table_tell,
                                                   .left = table_left,
                                                   .progress = table_progress};
    table_reader *r = apr_pcalloc(pool, sizeof *r);

    r->seen.calls = &calls;
    r->seen.positions = true;
    r->backend = backend;
    r->source = plan->source;
    r->follow = plan->follow;
    if (backend->top != NULL && !plan->preview) {
        dlc_collect_settle_begin(&r->settle, plan->source->settle_ms);
    }
    r->given = NO_KEY;
    r->page.bytes = dl_buf_create(BYTES_MAX, pool);
    r->raw = dl_buf_create(6 * BYTES_MAX, pool);
    apr_pool_create(&r->page.pools[0], pool);
    apr_pool_create(&r->page.pools[1], pool);
    apr_pool_cleanup_register(pool, r, free_memory, apr_pool_cleanup_null);
    resume(r, plan);
    return &r->seen;
}
