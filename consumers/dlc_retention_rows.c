/* dlc_retention_rows.c - Old rows of a table, and what they had added up to.
 *
 * Rows of a table with rollups are locked first and then taken one by one: a
 * loader that replaces one meanwhile waits, and finds it gone.  Only rows below
 * the watermark of the rollups go, because of the others nothing was added up
 * yet, and whoever does that may read them anew.  Rows with others that follow
 * them are locked and taken one by one, too.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_retention_rows.h"

#include "dl_statements.h"
#include "dl_wh_rows.h"
#include "dl_wh_words.h"

#include <apr_strings.h>

/* Rows of one transaction. */
#define ROWS 1000

/* Revision of what retention takes back: none of a loader's or of rates'. */
#define REVISION (-1)

/* Where a row came from. */
typedef struct place {
    int64_t generation; /* life of the topic */
    int64_t partition;  /* of it */
    int64_t offset;     /* in it */
} place;

const char *dlc_retention_rows_time(const dl_dataset *ds)
{
    return ds->clock_field < 0 ? ds->fields[ds->time_field].column
                               : ds->time_column;
}

/* Return TEMPLATE for the table of ROWS. */
static const char *fill(const char *template, const dlc_retention_rows *rows,
                        apr_pool_t *pool)
{
    const dl_dataset *ds = rows->dataset;
    const dl_wh_word words[] = {
        {"table", dl_wh_words_quote(ds->table, pool)},
        {"time", dl_wh_words_quote(dlc_retention_rows_time(ds), pool)},
        {NULL, NULL}};

    return dl_wh_words_fill(template, words, pool);
}

/* Return what removes the rows of CHILD that go with a row of DS. */
static const char *fill_child(const dl_dataset *ds, const dl_dataset *child,
                              apr_pool_t *pool)
{
    const dl_wh_word words[] = {
        {"table", dl_wh_words_quote(ds->table, pool)},
        {"child", dl_wh_words_quote(child->table, pool)},
        {"child_match", dl_wh_words_match(child->table, ds, pool)},
        {NULL, NULL}};

    return dl_wh_words_fill(STMT_RETIRE_CHILD, words, pool);
}

dl_status dlc_retention_rows_count(uint64_t *n, const dlc_retention_rows *rows,
                                   dl_error *err, apr_pool_t *scratch_pool)
{
    dl_wh_stmt *st;
    bool more;

    DL_TRY(dl_wh_prepare(&st, rows->wh,
                         fill(STMT_RETIRE_COUNT, rows, scratch_pool), err));
    dl_wh_bind_time(st, 0, rows->before);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    *n = more ? (uint64_t)dl_wh_int(st, 0) : 0;
    dl_wh_finish(st);
    return DL_OK;
}

static bool stops(const dlc_retention_rows *rows)
{
    return rows->stop != NULL && rows->stop(rows->context);
}

/* --- Many at once --------------------------------------------------------- */

/* Remove some rows by SQL, and say how many. */
static dl_status remove_counted(uint64_t *removed,
                                const dlc_retention_rows *rows, const char *sql,
                                dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, rows->wh, sql, err));
    dl_wh_bind_time(st, 0, rows->before);
    DL_TRY(dl_wh_run(st, err));
    *removed = dl_wh_affected(st);
    return dl_wh_rows_removed(rows->wh, rows->dataset, *removed, err);
}

static dl_status remove_plain(uint64_t *n, const dlc_retention_rows *rows,
                              dl_error *err, apr_pool_t *pool)
{
    const char *sql = fill(STMT_RETIRE_PLAIN, rows, pool);
    uint64_t removed;
    dl_status status;

    do {
        DL_TRY(dl_wh_begin(rows->wh, err));
        status = remove_counted(&removed, rows, sql, err);
        if (status == DL_OK) {
            status = dl_wh_commit(rows->wh, err);
        }
        if (status != DL_OK) {
            dl_wh_rollback(rows->wh);
            return status;
        }
        *n += removed;
    } while (removed > 0 && !stops(rows));
    return DL_OK;
}

/* --- One by one ----------------------------------------------------------- */

/* What removes a row. */
typedef struct removal {
    const char *adjust;    /* has its sums taken back; NULL: it is in none */
    const char **children; /* removes what follows it, a text for each child */
    const char *row;       /* removes it */
} removal;

static removal removal_make(const dlc_retention_rows *rows, apr_pool_t *pool)
{
    const dl_dataset *ds = rows->dataset;
    removal r = {.row = fill(STMT_RETIRE_ROW, rows, pool)};

    if (ds->rollup != NULL) {
        r.adjust = fill(STMT_RETIRE_ADJUST, rows, pool);
    }
    r.children =
        apr_palloc(pool, ((size_t)ds->n_children + 1) * sizeof *r.children);
    for (int i = 0; i < ds->n_children; i++) {
        r.children[i] = fill_child(ds, ds->children[i].items, pool);
    }
    return r;
}

/* Set PLACES to up to ROWS rows that may go, locked. */
static dl_status lock_rows(place *places, int *n,
                           const dlc_retention_rows *rows, dl_error *err,
                           apr_pool_t *pool)
{
    bool summed = rows->dataset->rollup != NULL;
    unsigned i = 0;
    dl_wh_stmt *st;
    bool more;

    *n = 0;
    DL_TRY(dl_wh_prepare(
        &st, rows->wh,
        fill(summed ? STMT_RETIRE_LOCK : STMT_RETIRE_LOCK_PLAIN, rows, pool),
        err));
    if (summed) {
        dl_wh_bind_str(st, i++, rows->dataset->topic);
    }
    dl_wh_bind_time(st, i, rows->before);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more && *n < ROWS) {
        places[(*n)++] =
            (place){dl_wh_int(st, 0), dl_wh_int(st, 1), dl_wh_int(st, 2)};
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    dl_wh_finish(st);
    return DL_OK;
}

/* Run ST, whose parameters from I on are the place AT. */
static dl_status run_at(dl_wh_stmt *st, unsigned i, const place *at,
                        dl_error *err)
{
    dl_wh_bind_int(st, i, at->generation);
    dl_wh_bind_int(st, i + 1, at->partition);
    dl_wh_bind_int(st, i + 2, at->offset);
    return dl_wh_run(st, err);
}

static dl_status remove_row(const dlc_retention_rows *rows, const removal *r,
                            const place *at, dl_error *err)
{
    dl_wh_stmt *st;

    if (r->adjust != NULL) {
        DL_TRY(dl_wh_prepare(&st, rows->wh, r->adjust, err));
        dl_wh_bind_str(st, 0, rows->dataset->topic);
        dl_wh_bind_int(st, 1, REVISION);
        DL_TRY(run_at(st, 2, at, err));
    }
    for (int i = 0; i < rows->dataset->n_children; i++) {
        DL_TRY(dl_wh_prepare(&st, rows->wh, r->children[i], err));
        DL_TRY(run_at(st, 0, at, err));
    }
    DL_TRY(dl_wh_prepare(&st, rows->wh, r->row, err));
    return run_at(st, 0, at, err);
}

static dl_status remove_some(int *n, const dlc_retention_rows *rows,
                             dl_error *err, apr_pool_t *pool)
{
    const removal r = removal_make(rows, pool);
    place *places = apr_palloc(pool, ROWS * sizeof *places);

    DL_TRY(lock_rows(places, n, rows, err, pool));
    for (int i = 0; i < *n; i++) {
        DL_TRY(remove_row(rows, &r, &places[i], err));
    }
    return dl_wh_rows_removed(rows->wh, rows->dataset, (uint64_t)*n, err);
}

static dl_status remove_each(uint64_t *n, const dlc_retention_rows *rows,
                             dl_error *err, apr_pool_t *pool)
{
    apr_pool_t *iterpool;
    int removed = 1;

    apr_pool_create(&iterpool, pool);
    while (removed > 0 && !stops(rows)) {
        dl_status status;

        apr_pool_clear(iterpool);
        removed = 0;
        DL_TRY(dl_wh_begin(rows->wh, err));
        status = remove_some(&removed, rows, err, iterpool);
        if (status == DL_OK) {
            status = dl_wh_commit(rows->wh, err);
        }
        if (status != DL_OK) {
            dl_wh_rollback(rows->wh);
            return status;
        }
        *n += (uint64_t)removed;
    }
    apr_pool_destroy(iterpool);
    return DL_OK;
}

dl_status dlc_retention_rows_remove(uint64_t *n, const dlc_retention_rows *rows,
                                    dl_error *err, apr_pool_t *scratch_pool)
{
    *n = 0;
    return rows->dataset->rollup != NULL || rows->dataset->n_children > 0
               ? remove_each(n, rows, err, scratch_pool)
               : remove_plain(n, rows, err, scratch_pool);
}
