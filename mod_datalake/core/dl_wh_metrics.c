/* dl_wh_metrics.c - Reads the spend metrics: in one snapshot each.
 *
 * The watermarks name the tail as ranges of the fact table's primary key; the
 * statements (sql/statements.sql, STMT_METRIC_*) add rollup, tail and
 * adjustments up in the server, so what comes over is the answer alone.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_wh_metrics.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>

#include "dl_buf.h"
#include "dl_statements.h"
#include "dl_wh.h"

/* Ranges of the tail that a statement has room for: as few of these as do, so
 * that a connection holds four texts of a statement at most. */
#define RANGES_LEAST 16
#define RANGES_MOST  1024
#define RANGES_STEP  4

/* Where STMT_WORD_RANGE goes. */
#define TAIL "{tail}"

/* Bytes that the text of a statement may have. */
#define SQL_MAX ((size_t)128 * 1024)

/* Users that STMT_METRIC_SHARES asks for at once. */
#define SHARE_USERS 32

/* Facts past the watermark: one range of a partition. */
typedef struct range {
    int64_t generation; /* life of the topic */
    int64_t partition;  /* its number */
    int64_t from;       /* first offset past the watermark */
} range;

/* A read in one snapshot. */
typedef struct reading {
    dl_wh *wh;                        /* the connection */
    const dl_wh_selection *selection; /* what counts */
    char currency[9];                 /* upper case, "" for all */
    int n;                            /* ranges in use */
    int room;                         /* ranges that statements have */
    range tail[RANGES_MOST];          /* the facts past the watermark */
    dl_wh_stmt *st;                   /* statement being bound */
    unsigned next;                    /* its next parameter */
} reading;

/* --- The snapshot --------------------------------------------------------- */

static dl_status tail_add(reading *read, int64_t generation, int64_t partition,
                          int64_t from, dl_error *err)
{
    if (read->n == RANGES_MOST) {
        return dl_fail(err, DL_UNSUPPORTED, 0,
                       "the metrics of %s need more than %d ranges of offsets",
                       read->selection->topic, RANGES_MOST);
    }
    read->tail[read->n++] = (range){generation, partition, from};
    return DL_OK;
}

/* Set the ranges of READ from the watermarks of its topic. */
static dl_status tail_load(reading *read, dl_error *err)
{
    dl_wh_stmt *st;
    bool more;

    DL_TRY(dl_wh_prepare(&st, read->wh, STMT_METRIC_WATERMARK, err));
    dl_wh_bind_str(st, 0, read->selection->topic);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more) {
        int64_t partition = dl_wh_int(st, 0);
        int64_t generation = dl_wh_int(st, 1);
        int64_t from = dl_wh_int(st, 2);
        int64_t newest = dl_wh_int(st, 3);

        for (; generation <= newest; generation++) {
            DL_TRY(tail_add(read, generation, partition, from, err));
            from = 0;
        }
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    while (read->room < read->n) {
        read->room *= RANGES_STEP;
    }
    return DL_OK;
}

/* Begin READ: a snapshot of WH for SELECTION. */
static dl_status read_begin(reading *read, dl_wh *wh,
                            const dl_wh_selection *selection, dl_error *err)
{
    dl_status status;
    size_t i;

    read->wh = wh;
    read->n = 0;
    read->room = RANGES_LEAST;
    memset(read->currency, 0, sizeof read->currency);
    read->selection = selection;
    for (i = 0; selection->currency != NULL && selection->currency[i] != '\0' &&
                i < sizeof read->currency - 1;
         i++) {
        read->currency[i] =
            (char)toupper((unsigned char)selection->currency[i]);
    }
    DL_TRY(dl_wh_begin_snapshot(wh, err));
    status = tail_load(read, err);
    if (status != DL_OK) {
        dl_wh_rollback(wh);
    }
    return status;
}

/* End READ, which came to STATUS. */
static dl_status read_end(const reading *read, dl_status status, dl_error *err)
{
    if (status != DL_OK) {
        dl_wh_rollback(read->wh);
        return status;
    }
    return dl_wh_commit(read->wh, err);
}

/* --- Parameters, in the order of the statements --------------------------- */

static dl_status prepare(reading *read, const char *sql, dl_error *err)
{
    read->next = 0;
    return dl_wh_prepare(&read->st, read->wh, sql, err);
}

/* Append TEXT to SQL. */
static dl_status sql_add(dl_buf *sql, const char *text, dl_error *err)
{
    return dl_buf_append(sql, text, strlen(text), err);
}

/* Set SQL to TEMPLATE with its {tail} filled in for ROOM ranges. */
static dl_status sql_fill(dl_buf *sql, const char *template, int room,
                          dl_error *err)
{
    const char *tail = strstr(template, TAIL);
    int i;

    DL_TRY(dl_buf_append(sql, template, (size_t)(tail - template), err));
    for (i = 0; i < room; i++) {
        DL_TRY(sql_add(sql, i > 0 ? " OR " STMT_WORD_RANGE : STMT_WORD_RANGE,
                       err));
    }
    DL_TRY(sql_add(sql, tail + sizeof TAIL - 1, err));
    return dl_buf_append(sql, "", 1, err);
}

/* Prepare TEMPLATE, a statement with {tail}. */
static dl_status prepare_tail(reading *read, const char *template,
                              dl_error *err)
{
    apr_pool_t *scratch;
    dl_buf *sql;
    dl_status status;

    if (apr_pool_create(&scratch, NULL) != APR_SUCCESS) {
        abort();
    }
    sql = dl_buf_create(SQL_MAX, scratch);
    status = sql_fill(sql, template, read->room, err);
    if (status == DL_OK) {
        status = prepare(read, sql->data, err);
    }
    apr_pool_destroy(scratch);
    return status;
}

static void bind_text(reading *read, const char *text)
{
    dl_wh_bind_str(read->st, read->next++, text);
}

static void bind_int(reading *read, int64_t value)
{
    dl_wh_bind_int(read->st, read->next++, value);
}

static void bind_time(reading *read, dl_time t)
{
    dl_wh_bind_time(read->st, read->next++, t);
}

/* Which rows count: status, type, currency, each asked twice. */
static void bind_selection(reading *read)
{
    bind_text(read, read->selection->status);
    bind_text(read, read->selection->status);
    bind_text(read, read->selection->transaction_type);
    bind_text(read, read->selection->transaction_type);
    bind_text(read, read->currency);
    bind_text(read, read->currency);
}

/* The tail: ranges of the primary key. */
static void bind_tail(reading *read)
{
    int i;

    for (i = 0; i < read->room; i++) {
        bind_int(read, i < read->n ? read->tail[i].generation : -1);
        bind_int(read, i < read->n ? read->tail[i].partition : -1);
        bind_int(read, i < read->n ? read->tail[i].from : 0);
    }
}

/* --- Window --------------------------------------------------------------- */

/* Add what the bound statement of READ says to *WINDOW. */
static dl_status window_add(dl_wh_window *window, reading *read, dl_error *err)
{
    bool all = read->currency[0] == '\0';
    bool more;

    DL_TRY(dl_wh_run(read->st, err));
    DL_TRY(dl_wh_fetch(&more, read->st, err));
    if (more) {
        window->transactions += dl_wh_int(read->st, 0);
        dl_decimal_add(&window->total, dl_wh_decimal(read->st, all ? 2 : 1));
        window->unconverted += all ? dl_wh_int(read->st, 3) : 0;
    }
    return DL_OK;
}

static dl_status window_read(dl_wh_window *window, reading *read, dl_time from,
                             dl_time to, dl_error *err)
{
    DL_TRY(prepare(read, STMT_METRIC_WINDOW, err));
    bind_time(read, from);
    bind_time(read, to);
    bind_selection(read);
    DL_TRY(window_add(window, read, err));
    DL_TRY(prepare_tail(read, STMT_METRIC_WINDOW_TAIL, err));
    bind_time(read, from);
    bind_time(read, to);
    bind_selection(read);
    bind_tail(read);
    DL_TRY(window_add(window, read, err));
    DL_TRY(prepare(read, STMT_METRIC_WINDOW_ADJUST, err));
    bind_text(read, read->selection->topic);
    bind_time(read, from);
    bind_time(read, to);
    bind_selection(read);
    return window_add(window, read, err);
}

dl_status dl_wh_window_sum(dl_wh_window *window, dl_wh *wh,
                           const dl_wh_selection *selection, dl_time from,
                           dl_time to, dl_error *err)
{
    reading read;

    memset(window, 0, sizeof *window);
    DL_TRY(read_begin(&read, wh, selection, err));
    return read_end(&read, window_read(window, &read, from, to, err), err);
}

/* --- Products ------------------------------------------------------------- */

static dl_status products_read(dl_wh_products *ranking, reading *read, int x,
                               dl_error *err, apr_pool_t *pool)
{
    bool more;

    DL_TRY(prepare_tail(read, STMT_METRIC_PRODUCTS, err));
    bind_selection(read);
    bind_selection(read);
    bind_selection(read);
    bind_tail(read);
    bind_text(read, read->selection->topic);
    bind_selection(read);
    bind_int(read, x);
    DL_TRY(dl_wh_run(read->st, err));
    DL_TRY(dl_wh_fetch(&more, read->st, err));
    while (more && ranking->n < x) {
        dl_wh_product *row = &ranking->rows[ranking->n++];

        row->product_id = apr_pstrdup(pool, dl_wh_text(read->st, 0, NULL));
        row->name = apr_pstrdup(pool, dl_wh_text(read->st, 1, NULL));
        row->quantity = dl_wh_int(read->st, 2);
        row->total = dl_wh_int(read->st, 3);
        DL_TRY(dl_wh_fetch(&more, read->st, err));
    }
    return DL_OK;
}

dl_status dl_wh_top_products(dl_wh_products *ranking, dl_wh *wh,
                             const dl_wh_selection *selection, int x,
                             dl_error *err, apr_pool_t *result_pool)
{
    reading read;

    ranking->n = 0;
    ranking->rows = apr_palloc(result_pool, (size_t)x * sizeof *ranking->rows);
    DL_TRY(read_begin(&read, wh, selection, err));
    return read_end(&read, products_read(ranking, &read, x, err, result_pool),
                    err);
}

/* --- Users by total ------------------------------------------------------- */

/* A user whose shares are still being added up. */
typedef struct shares {
    apr_array_header_t *types;      /* of dl_wh_share */
    apr_array_header_t *categories; /* of dl_wh_share */
} shares;

/* Add TOTAL and UNCONVERTED to the share NAME of LIST. */
static void share_add(apr_array_header_t *list, const char *name,
                      dl_decimal total, int64_t unconverted)
{
    dl_wh_share *at = (dl_wh_share *)(void *)list->elts;
    dl_wh_share *end = at + list->nelts;

    while (at < end && strcmp(at->name, name) != 0) {
        at++;
    }
    if (at == end) {
        at = apr_array_push(list);
        memset(at, 0, sizeof *at);
        at->name = apr_pstrdup(list->pool, name);
    }
    dl_decimal_add(&at->total, total);
    at->unconverted += unconverted;
}

static int share_compare(const void *a, const void *b)
{
    return strcmp(((const dl_wh_share *)a)->name,
                  ((const dl_wh_share *)b)->name);
}

/* Sort LIST by name and return it as an array. */
static const dl_wh_share *share_list(apr_array_header_t *list, int *n)
{
    qsort(list->elts, (size_t)list->nelts, sizeof(dl_wh_share), share_compare);
    *n = list->nelts;
    return (const dl_wh_share *)(void *)list->elts;
}

/* Run STMT_METRIC_SHARES for the N users at ROWS. */
static dl_status shares_run(reading *read, const dl_wh_user *rows, int n,
                            dl_error *err)
{
    int branch;
    int i;

    DL_TRY(prepare_tail(read, STMT_METRIC_SHARES, err));
    bind_text(read, read->currency);
    bind_text(read, read->currency);
    for (branch = 0; branch < 3; branch++) {
        if (branch == 2) {
            bind_text(read, read->selection->topic);
        }
        for (i = 0; i < SHARE_USERS; i++) {
            bind_text(read, rows[i < n ? i : n - 1].user_id);
        }
        bind_selection(read);
        if (branch == 1) {
            bind_tail(read);
        }
    }
    return dl_wh_run(read->st, err);
}

/* Return the place of USER_ID among the N users at ROWS; it is one of them. */
static int user_place(const dl_wh_user *rows, int n, const char *user_id)
{
    int i = 0;

    while (i < n - 1 && strcmp(rows[i].user_id, user_id) != 0) {
        i++;
    }
    return i;
}

/* Set the shares of the N users at ROWS, at most SHARE_USERS. */
static dl_status shares_read(reading *read, dl_wh_user *rows, int n,
                             dl_error *err, apr_pool_t *pool)
{
    shares found[SHARE_USERS];
    bool more;
    int i;

    for (i = 0; i < n; i++) {
        found[i].types = apr_array_make(pool, 4, sizeof(dl_wh_share));
        found[i].categories = apr_array_make(pool, 8, sizeof(dl_wh_share));
    }
    DL_TRY(shares_run(read, rows, n, err));
    DL_TRY(dl_wh_fetch(&more, read->st, err));
    while (more) {
        shares *user =
            &found[user_place(rows, n, dl_wh_text(read->st, 0, NULL))];
        dl_decimal total = dl_wh_decimal(read->st, 3);
        int64_t unconverted = dl_wh_int(read->st, 4);

        share_add(user->types, dl_wh_text(read->st, 1, NULL), total,
                  unconverted);
        share_add(user->categories, dl_wh_text(read->st, 2, NULL), total,
                  unconverted);
        DL_TRY(dl_wh_fetch(&more, read->st, err));
    }
    for (i = 0; i < n; i++) {
        rows[i].by_type = share_list(found[i].types, &rows[i].n_types);
        rows[i].by_category =
            share_list(found[i].categories, &rows[i].n_categories);
    }
    return DL_OK;
}

/* Set the users of PAGE, without their shares. */
static dl_status users_read(dl_wh_users *users, reading *read,
                            const dl_wh_page *page, dl_error *err,
                            apr_pool_t *pool)
{
    bool more;

    DL_TRY(prepare_tail(read, STMT_METRIC_USERS, err));
    bind_text(read, read->currency);
    bind_text(read, read->currency);
    bind_text(read, "");
    bind_selection(read);
    bind_text(read, "");
    bind_selection(read);
    bind_tail(read);
    bind_text(read, read->selection->topic);
    bind_text(read, "");
    bind_selection(read);
    bind_int(read, page->user_id == NULL ? 1 : 0);
    dl_wh_bind_decimal(read->st, read->next++, page->total);
    dl_wh_bind_decimal(read->st, read->next++, page->total);
    bind_text(read, page->user_id != NULL ? page->user_id : "");
    bind_int(read, page->limit);
    DL_TRY(dl_wh_run(read->st, err));
    DL_TRY(dl_wh_fetch(&more, read->st, err));
    while (more && users->n < page->limit) {
        dl_wh_user *row = &users->rows[users->n++];

        row->user_id = apr_pstrdup(pool, dl_wh_text(read->st, 0, NULL));
        row->total = dl_wh_decimal(read->st, 1);
        row->unconverted = dl_wh_int(read->st, 2);
        DL_TRY(dl_wh_fetch(&more, read->st, err));
    }
    return DL_OK;
}

/* Set the users of PAGE with their shares. */
static dl_status users_read_all(dl_wh_users *users, reading *read,
                                const dl_wh_page *page, dl_error *err,
                                apr_pool_t *pool)
{
    int i;

    DL_TRY(users_read(users, read, page, err, pool));
    for (i = 0; i < users->n; i += SHARE_USERS) {
        int n = users->n - i < SHARE_USERS ? users->n - i : SHARE_USERS;

        DL_TRY(shares_read(read, &users->rows[i], n, err, pool));
    }
    return DL_OK;
}

dl_status dl_wh_users_by_total(dl_wh_users *users, dl_wh *wh,
                               const dl_wh_selection *selection,
                               const dl_wh_page *page, dl_error *err,
                               apr_pool_t *result_pool)
{
    reading read;

    users->n = 0;
    users->rows =
        apr_pcalloc(result_pool, (size_t)page->limit * sizeof *users->rows);
    DL_TRY(read_begin(&read, wh, selection, err));
    return read_end(&read, users_read_all(users, &read, page, err, result_pool),
                    err);
}

/* --- Users by type -------------------------------------------------------- */

static dl_status types_read(dl_wh_user_types *types, reading *read,
                            const dl_wh_page *page, dl_error *err,
                            apr_pool_t *pool)
{
    const char *from = page->user_id != NULL ? page->user_id : "";
    bool more;

    DL_TRY(prepare_tail(read, STMT_METRIC_USER_TYPES, err));
    bind_text(read, read->currency);
    bind_text(read, read->currency);
    bind_text(read, from);
    bind_selection(read);
    bind_text(read, from);
    bind_selection(read);
    bind_tail(read);
    bind_text(read, read->selection->topic);
    bind_text(read, from);
    bind_selection(read);
    bind_int(read, page->user_id == NULL ? 1 : 0);
    bind_text(read, from);
    bind_text(read, from);
    bind_text(read,
              page->transaction_type != NULL ? page->transaction_type : "");
    bind_int(read, page->limit);
    DL_TRY(dl_wh_run(read->st, err));
    DL_TRY(dl_wh_fetch(&more, read->st, err));
    while (more && types->n < page->limit) {
        dl_wh_user_type *row = &types->rows[types->n++];

        row->user_id = apr_pstrdup(pool, dl_wh_text(read->st, 0, NULL));
        row->transaction_type =
            apr_pstrdup(pool, dl_wh_text(read->st, 1, NULL));
        row->total = dl_wh_decimal(read->st, 2);
        row->unconverted = dl_wh_int(read->st, 3);
        DL_TRY(dl_wh_fetch(&more, read->st, err));
    }
    return DL_OK;
}

dl_status dl_wh_users_by_type(dl_wh_user_types *rows, dl_wh *wh,
                              const dl_wh_selection *selection,
                              const dl_wh_page *page, dl_error *err,
                              apr_pool_t *result_pool)
{
    reading read;

    rows->n = 0;
    rows->rows =
        apr_pcalloc(result_pool, (size_t)page->limit * sizeof *rows->rows);
    DL_TRY(read_begin(&read, wh, selection, err));
    return read_end(&read, types_read(rows, &read, page, err, result_pool),
                    err);
}

/* --- Position ------------------------------------------------------------- */

dl_status dl_wh_position(uint64_t *position, dl_wh *wh, const char *topic,
                         dl_error *err)
{
    dl_wh_stmt *st;
    bool more;

    *position = 0;
    DL_TRY(dl_wh_prepare(&st, wh, STMT_METRIC_POSITION, err));
    dl_wh_bind_str(st, 0, topic);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    if (more) {
        *position = (uint64_t)dl_wh_int(st, 0);
    }
    dl_wh_finish(st);
    return DL_OK;
}
