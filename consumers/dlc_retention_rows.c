/* dlc_retention_rows.c - Old rows of a table, and what they had added up to.
 *
 * Rows of a table with rollups are locked first and then taken one by one: a
 * loader that replaces one meanwhile waits, and finds it gone.  Only rows below
 * the watermark of the rollups go, because of the others nothing was added up
 * yet, and whoever does that may read them anew.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_retention_rows.h"

#include "dl_statements.h"
#include "dl_wh_rows.h"

#include <stdlib.h>
#include <string.h>

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

/* Return TEMPLATE for the table of ROWS. */
static const char *fill(const char *template, const dlc_retention_rows *rows,
                        apr_pool_t *pool)
{
    const dl_dataset *ds = rows->dataset;
    const char *out = "";

    for (;;) {
        const char *open = strchr(template, '{');
        const char *shut = open != NULL ? strchr(open, '}') : NULL;
        const char *name;

        if (shut == NULL) {
            return apr_pstrcat(pool, out, template, NULL);
        }
        name = strncmp(open, "{table}", 7) == 0
                   ? ds->table
                   : ds->fields[ds->time_field].column;
        out = apr_pstrcat(
            pool, out,
            apr_pstrmemdup(pool, template, (size_t)(open - template)), "`",
            name, "`", NULL);
        template = shut + 1;
    }
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

/* --- Without rollups ------------------------------------------------------ */

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

/* --- With rollups --------------------------------------------------------- */

/* Set PLACES to up to ROWS rows below the watermark, locked. */
static dl_status lock_rows(place *places, int *n,
                           const dlc_retention_rows *rows, dl_error *err,
                           apr_pool_t *pool)
{
    dl_wh_stmt *st;
    bool more;

    *n = 0;
    DL_TRY(
        dl_wh_prepare(&st, rows->wh, fill(STMT_RETIRE_LOCK, rows, pool), err));
    dl_wh_bind_str(st, 0, rows->dataset->topic);
    dl_wh_bind_time(st, 1, rows->before);
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

static dl_status take_back(const dlc_retention_rows *rows, const place *at,
                           const char *adjust, const char *remove,
                           dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, rows->wh, adjust, err));
    dl_wh_bind_str(st, 0, rows->dataset->topic);
    dl_wh_bind_int(st, 1, REVISION);
    dl_wh_bind_int(st, 2, at->generation);
    dl_wh_bind_int(st, 3, at->partition);
    dl_wh_bind_int(st, 4, at->offset);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_prepare(&st, rows->wh, remove, err));
    dl_wh_bind_int(st, 0, at->generation);
    dl_wh_bind_int(st, 1, at->partition);
    dl_wh_bind_int(st, 2, at->offset);
    return dl_wh_run(st, err);
}

static dl_status remove_some(int *n, const dlc_retention_rows *rows,
                             dl_error *err, apr_pool_t *pool)
{
    const char *adjust = fill(STMT_RETIRE_ADJUST, rows, pool);
    const char *remove = fill(STMT_RETIRE_ROW, rows, pool);
    place *places = apr_palloc(pool, ROWS * sizeof *places);

    DL_TRY(lock_rows(places, n, rows, err, pool));
    for (int i = 0; i < *n; i++) {
        DL_TRY(take_back(rows, &places[i], adjust, remove, err));
    }
    return DL_OK;
}

static dl_status remove_adjusted(uint64_t *n, const dlc_retention_rows *rows,
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
    return rows->dataset->rollup != NULL
               ? remove_adjusted(n, rows, err, scratch_pool)
               : remove_plain(n, rows, err, scratch_pool);
}
