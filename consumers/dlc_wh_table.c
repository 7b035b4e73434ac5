/* dlc_wh_table.c - Fill the statement templates of sql/statements.sql.
 *
 * Names come from the declaration, whose parser allows identifiers only, and
 * from information_schema; they are put between backticks.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_wh_table.h"

#include "dl_statements.h"
#include "dl_wh.h"
#include "dl_wh_words.h"

#include <string.h>

#include <apr_strings.h>

/* One column as information_schema tells it. */
typedef struct known_column {
    const char *name;      /* of the column */
    const char *type;      /* as in CREATE TABLE */
    const char *collation; /* NULL: not a text */
} known_column;

static dl_status known_load(known_column *known, int *n, dl_wh *wh,
                            const char *table, dl_error *err, apr_pool_t *pool)
{
    dl_wh_stmt *st;
    bool more;

    *n = 0;
    DL_TRY(dl_wh_prepare(&st, wh, STMT_TABLE_COLUMNS, err));
    dl_wh_bind_str(st, 0, table);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more && *n < DLC_WH_COLUMNS) {
        known[*n].name = apr_pstrdup(pool, dl_wh_text(st, 0, NULL));
        known[*n].type = apr_pstrdup(pool, dl_wh_text(st, 1, NULL));
        known[*n].collation = dl_wh_is_null(st, 2)
                                  ? NULL
                                  : apr_pstrdup(pool, dl_wh_text(st, 2, NULL));
        (*n)++;
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    dl_wh_finish(st);
    return DL_OK;
}

static const known_column *known_find(const known_column *known, int n,
                                      const char *name)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(known[i].name, name) == 0) {
            return &known[i];
        }
    }
    return NULL;
}

static int column_find(const dlc_wh_table *table, const char *name)
{
    for (int i = 0; i < table->n; i++) {
        if (strcmp(table->columns[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

static dl_status columns_choose(dlc_wh_table *table, const known_column *known,
                                int n_known, dl_error *err, apr_pool_t *pool)
{
    const dl_dataset *ds = table->dataset;
    const dlc_wh_column own[] = {
        {"src_generation", DLC_WH_GENERATION, -1},
        {"src_partition", DLC_WH_PARTITION, -1},
        {"src_offset", DLC_WH_OFFSET, -1},
        {"src_time", DLC_WH_TIME, -1},
        {ds->time_column, DLC_WH_EVENT, -1},
        {ds->hash_column, DLC_WH_HASH, -1},
        {ds->id_column, DLC_WH_ID, -1},
        {"origin", DLC_WH_ORIGIN, -1},
        {"amount_base", DLC_WH_AMOUNT_BASE, -1},
    };
    int n_own = (int)(sizeof own / sizeof own[0]);
    dlc_wh_column *columns =
        apr_pcalloc(pool, (size_t)(ds->n_fields + n_own) * sizeof *columns);

    for (int i = 0; i < ds->n_fields + n_own; i++) {
        dlc_wh_column c = {NULL, DLC_WH_FIELD, i};

        if (i < ds->n_fields) {
            c.name = ds->fields[i].column;
        }
        else {
            c = own[i - ds->n_fields];
        }
        if (c.name == NULL) {
            continue;
        }
        if (known_find(known, n_known, c.name) != NULL) {
            columns[table->n++] = c;
        }
        else if (c.origin != DLC_WH_ORIGIN && c.origin != DLC_WH_AMOUNT_BASE) {
            return dl_fail(err, DL_UNSUPPORTED, 0,
                           "dataset %s: table %s has no column %s: run "
                           "\"datalakectl migrate\" or add a migration",
                           ds->name, ds->table, c.name);
        }
    }
    table->columns = columns;
    return DL_OK;
}

static dl_status unique_choose(dlc_wh_table *table, dl_error *err,
                               apr_pool_t *pool)
{
    const dl_dataset *ds = table->dataset;
    int *unique = apr_pcalloc(pool, ((size_t)ds->n_unique + 1) * sizeof(int));

    if (ds->n_unique < 1 || ds->n_unique > DLC_WH_UNIQUE) {
        return dl_fail(err, DL_UNSUPPORTED, 0,
                       "dataset %s: a table needs 1 to %d unique columns",
                       ds->name, DLC_WH_UNIQUE);
    }
    for (int i = 0; i < ds->n_unique; i++) {
        unique[i] = column_find(table, ds->unique[i]);
        if (unique[i] < 0) {
            return dl_fail(err, DL_UNSUPPORTED, 0,
                           "dataset %s: no field fills the unique column %s",
                           ds->name, ds->unique[i]);
        }
    }
    table->unique = unique;
    table->n_unique = ds->n_unique;
    return DL_OK;
}

static void spend_choose(dlc_wh_table *table)
{
    const dl_dataset *ds = table->dataset;
    const char *time = ds->fields[ds->time_field].column;

    table->spend = ds->rollup != NULL && strcmp(ds->rollup, "spend") == 0;
    table->at.time = time != NULL ? column_find(table, time) : -1;
    table->at.user_id = column_find(table, "user_id");
    table->at.product_id = column_find(table, "product_id");
    table->at.product_name = column_find(table, "product_name");
    table->at.currency = column_find(table, "currency");
    table->at.type = column_find(table, "transaction_type");
    table->at.status = column_find(table, "status");
    table->at.category = column_find(table, "product_category");
    table->at.amount = column_find(table, "amount");
    table->at.amount_base = column_find(table, "amount_base");
    table->at.quantity = column_find(table, "quantity");
}

/* Return all columns as FORMAT (%1$s: the name) says, joined by commas. */
static const char *columns_join(const dlc_wh_table *table, const char *before,
                                const char *between, apr_pool_t *pool)
{
    const char *out = "";

    for (int i = 0; i < table->n; i++) {
        const char *name = table->columns[i].name;

        out = apr_pstrcat(pool, out, i > 0 ? ", " : "", before, "`", name, "`",
                          NULL);
        if (between != NULL) {
            out = apr_pstrcat(pool, out, between, "`", name, "`", NULL);
        }
    }
    return out;
}

/* Return that the unique columns of the row LEFT and of s are equal. */
static const char *match_join(const dlc_wh_table *table, const char *left,
                              apr_pool_t *pool)
{
    const char *out = "";

    for (int i = 0; i < table->n_unique; i++) {
        const char *name = table->columns[table->unique[i]].name;

        out = apr_pstrcat(pool, out, i > 0 ? " AND " : "", left, ".`", name,
                          "` = s.`", name, "`", NULL);
    }
    return out;
}

static const char *key_join(const dlc_wh_table *table, apr_pool_t *pool)
{
    const char *out = "";

    for (int i = 0; i < table->n_unique; i++) {
        out = apr_pstrcat(pool, out, i > 0 ? ", " : "", "`",
                          table->columns[table->unique[i]].name, "`", NULL);
    }
    return out;
}

static const char *staging_columns(const dlc_wh_table *table,
                                   const known_column *known, int n_known,
                                   apr_pool_t *pool)
{
    const char *out = "";

    for (int i = 0; i < table->n; i++) {
        const known_column *k =
            known_find(known, n_known, table->columns[i].name);

        if (k == NULL) {
            continue; /* columns_choose took known ones only */
        }
        out = apr_pstrcat(pool, out, i > 0 ? ", " : "", "`", k->name, "` ",
                          k->type, k->collation != NULL ? " COLLATE " : "",
                          k->collation != NULL ? k->collation : "", NULL);
    }
    return out;
}

static void statements_fill(dlc_wh_table *table, const dl_wh_word *words,
                            apr_pool_t *pool)
{
    dl_wh_word into_staging[2] = {{"into", table->staging}, {NULL, NULL}};
    dl_wh_word into_table[2] = {
        {"into", apr_psprintf(pool, "`%s`", table->dataset->table)},
        {NULL, NULL}};
    const char *load = dl_wh_words_fill(STMT_LOAD, words, pool);
    const char *insert = dl_wh_words_fill(STMT_INSERT, words, pool);

    /* the first fill leaves the word "into" as {into} */
    table->sql_load = dl_wh_words_fill(load, into_table, pool);
    table->sql_load_staging = dl_wh_words_fill(load, into_staging, pool);
    table->sql_insert = dl_wh_words_fill(insert, into_table, pool);
    table->sql_insert_staging = dl_wh_words_fill(insert, into_staging, pool);
    table->sql_create_staging =
        dl_wh_words_fill(STMT_STAGING_CREATE, words, pool);
    table->sql_drop_staging = dl_wh_words_fill(STMT_STAGING_DROP, words, pool);
    table->sql_empty_staging =
        dl_wh_words_fill(STMT_STAGING_EMPTY, words, pool);
    table->sql_repeats = dl_wh_words_fill(STMT_REPEATS, words, pool);
    table->sql_adjust = dl_wh_words_fill(STMT_ADJUST_ADD, words, pool);
    table->sql_supersede = dl_wh_words_fill(STMT_SUPERSEDE, words, pool);
    table->sql_add = dl_wh_words_fill(STMT_STAGING_ADD, words, pool);
    table->sql_spend_range = dl_wh_words_fill(STMT_SPEND_RANGE, words, pool);
    table->sql_rate_day = dl_wh_words_fill(STMT_RATE_DAY, words, pool);
    table->sql_rate_rows = dl_wh_words_fill(STMT_RATE_ROWS, words, pool);
    table->sql_rate_apply = dl_wh_words_fill(STMT_RATE_APPLY, words, pool);
}

/* --- Children --------------------------------------------------------------
 */

/* Give CHILD its columns: the unique ones of TABLE, then those of its fields;
 * all have to be KNOWN. */
static dl_status child_columns(dlc_wh_table *child, const dlc_wh_table *table,
                               const known_column *known, int n_known,
                               dl_error *err, apr_pool_t *pool)
{
    const dl_dataset *items = child->dataset;
    dlc_wh_column *columns = apr_pcalloc(
        pool, (size_t)(table->n_unique + items->n_fields) * sizeof *columns);

    for (int i = 0; i < table->n_unique; i++) {
        columns[child->n] = table->columns[table->unique[i]];
        columns[child->n++].origin = DLC_WH_PARENT;
    }
    for (int i = 0; i < items->n_fields; i++) {
        if (items->fields[i].column != NULL) {
            columns[child->n++] =
                (dlc_wh_column){items->fields[i].column, DLC_WH_FIELD, i};
        }
    }
    child->columns = columns;
    for (int i = 0; i < child->n; i++) {
        if (known_find(known, n_known, columns[i].name) == NULL) {
            return dl_fail(err, DL_UNSUPPORTED, 0,
                           "dataset %s: table %s has no column %s: run "
                           "\"datalakectl migrate\" or add a migration",
                           items->name, items->table, columns[i].name);
        }
    }
    return DL_OK;
}

/* Give CHILD its statements. */
static void child_statements(dlc_wh_table *child, const dlc_wh_table *table,
                             apr_pool_t *pool)
{
    const char *name = apr_psprintf(pool, "`%s`", child->dataset->table);
    const dl_wh_word words[] = {
        {"child", name},
        {"into", name},
        {"table", apr_psprintf(pool, "`%s`", table->dataset->table)},
        {"staging", table->staging},
        {"columns", columns_join(child, "", NULL, pool)},
        {"match", match_join(table, "f", pool)},
        {"child_match", match_join(table, "c", pool)},
        {NULL, NULL},
    };

    child->sql_load = dl_wh_words_fill(STMT_LOAD, words, pool);
    child->sql_insert = dl_wh_words_fill(STMT_INSERT, words, pool);
    child->sql_clear = dl_wh_words_fill(STMT_CHILD_CLEAR, words, pool);
}

/* Add the table of ITEMS, a child, to TABLE. */
static dl_status child_add(dlc_wh_table *table, const dl_dataset *items,
                           dl_wh *wh, dl_error *err, apr_pool_t *pool)
{
    known_column *known = apr_pcalloc(pool, DLC_WH_COLUMNS * sizeof *known);
    dlc_wh_table *child = apr_pcalloc(pool, sizeof *child);
    int n_known;

    child->dataset = items;
    DL_TRY(known_load(known, &n_known, wh, items->table, err, pool));
    DL_TRY(child_columns(child, table, known, n_known, err, pool));
    DL_TRY(unique_choose(child, err, pool));
    child_statements(child, table, pool);
    table->children[table->n_children++] = child;
    return DL_OK;
}

dl_status dlc_wh_table_load(const dlc_wh_table **table, struct dl_wh *wh,
                            const dl_dataset *dataset, dl_error *err,
                            apr_pool_t *pool)
{
    known_column *known = apr_pcalloc(pool, DLC_WH_COLUMNS * sizeof *known);
    dlc_wh_table *made = apr_pcalloc(pool, sizeof *made);
    int n_known;

    made->dataset = dataset;
    DL_TRY(known_load(known, &n_known, wh, dataset->table, err, pool));
    if (n_known == 0) {
        return dl_fail(err, DL_UNSUPPORTED, 0,
                       "dataset %s: there is no table %s: run \"datalakectl "
                       "migrate\" or add a migration",
                       dataset->name, dataset->table);
    }
    DL_TRY(columns_choose(made, known, n_known, err, pool));
    DL_TRY(unique_choose(made, err, pool));
    spend_choose(made);
    made->staging = apr_psprintf(pool, "`staging_%s`", dataset->table);
    statements_fill(
        made,
        (dl_wh_word[]){
            {"table", apr_psprintf(pool, "`%s`", dataset->table)},
            {"into", "{into}"},
            {"staging", made->staging},
            {"definition", staging_columns(made, known, n_known, pool)},
            {"columns", columns_join(made, "", NULL, pool)},
            {"values", columns_join(made, "s.", NULL, pool)},
            {"assign", columns_join(made, "f.", " = s.", pool)},
            {"match", match_join(made, "f", pool)},
            {"key", key_join(made, pool)},
            {"later", STMT_WORD_LATER},
            {NULL, NULL},
        },
        pool);
    for (int i = 0; i < dataset->n_children; i++) {
        DL_TRY(child_add(made, dataset->children[i].items, wh, err, pool));
    }
    *table = made;
    return DL_OK;
}
