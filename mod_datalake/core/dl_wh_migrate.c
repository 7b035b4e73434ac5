/* dl_wh_migrate.c - Bring a database to our schema and make its accounts.
 *
 * Migrations are the files sql/NNNN-name.sql, embedded at build time.  DDL
 * commits by itself, so a file is written to run twice: it is recorded in
 * schema_version after its last statement, and one that was cut off runs
 * again.  A lock keeps two programs apart.
 *
 * Rights: GRANT is repeated at each run and harmless; REVOKE, which would
 * trip running programs, only when the text of the rights has changed.  The
 * mark of that text is the row 0 of schema_version.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_wh_private.h"

#include "dl_config.h"
#include "dl_dataset.h"
#include "dl_migrations.h"
#include "dl_secret.h"
#include "dl_statements.h"

#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#define KNOWN ((int)(sizeof dl_migrations / sizeof dl_migrations[0]))

int dl_wh_schema_known(void)
{
    return KNOWN;
}

static dl_status number_ask(int64_t *value, dl_wh *wh, const char *sql,
                            dl_error *err)
{
    dl_wh_stmt *st;
    bool more;

    *value = 0;
    DL_TRY(dl_wh_prepare(&st, wh, sql, err));
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    if (more) {
        *value = dl_wh_int(st, 0);
    }
    dl_wh_finish(st);
    return DL_OK;
}

dl_status dl_wh_schema_version(int *version, dl_wh *wh, dl_error *err)
{
    int64_t value;

    *version = 0;
    DL_TRY(number_ask(&value, wh, STMT_SCHEMA_EXISTS, err));
    if (value > 0) {
        DL_TRY(number_ask(&value, wh, STMT_SCHEMA_VERSION, err));
        *version = (int)value;
    }
    return DL_OK;
}

static dl_status too_new(int version, dl_error *err)
{
    return dl_fail(err, DL_UNSUPPORTED, 0,
                   "the warehouse has schema %d, newer than this program's %d",
                   version, KNOWN);
}

dl_status dl_wh_schema_check(dl_wh *wh, dl_error *err)
{
    int version;

    DL_TRY(dl_wh_schema_version(&version, wh, err));
    if (version > KNOWN) {
        return too_new(version, err);
    }
    if (version < KNOWN) {
        return dl_fail(err, DL_UNSUPPORTED, 0,
                       "the warehouse has schema %d, this program needs %d: "
                       "run \"datalakectl migrate\"",
                       version, KNOWN);
    }
    return DL_OK;
}

static void say(const dl_wh_migration_options *options, const char *sentence)
{
    if (options->say != NULL) {
        options->say(options->context, sentence);
    }
}

static dl_status record(dl_wh *wh, int version, const char *name, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_SCHEMA_RECORD, err));
    dl_wh_bind_int(st, 0, version);
    dl_wh_bind_str(st, 1, name);
    dl_wh_bind_time(st, 2, dl_time_now());
    return dl_wh_run(st, err);
}

static dl_status migration_apply(dl_wh *wh, int version, dl_error *err)
{
    const char *name = dl_migrations[version - 1].name;
    const char *const *sql = dl_migrations[version - 1].statements;

    for (; *sql != NULL; sql++) {
        if (dl_wh_exec(wh, *sql, NULL, err) != DL_OK) {
            return dl_wrap(err, "%s", name);
        }
    }
    return record(wh, version, name, err);
}

static dl_status base_currency_set(dl_wh *wh, const char *base, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_RATE_BASE, err));
    dl_wh_bind_str(st, 0, base);
    dl_wh_bind_str(st, 1, base);
    return dl_wh_run(st, err);
}

/* --- Accounts --------------------------------------------------------------
 */

/* What the words in braces of accounts.sql stand for. */
typedef struct words {
    dl_wh *wh;                        /* quotes texts */
    const dl_config_account *account; /* of the line */
    const char *name;                 /* its word: "ingest" */
    const char *password;             /* in clear, "" for none */
    const char *database;             /* schema */
    const char *table;                /* of a dataset, or NULL */
    apr_pool_t *pool;                 /* for the texts */
} words;

static const char *quoted(const words *w, const char *text)
{
    size_t len = strlen(text);
    char *out = apr_palloc(w->pool, 2 * len + 3);
    unsigned long n;

    out[0] = '\'';
    n = mysql_real_escape_string(w->wh->mysql, out + 1, text, len);
    out[n + 1] = '\'';
    out[n + 2] = '\0';
    return out;
}

static const char *word_value(const words *w, const char *word)
{
    size_t n = strlen(w->name);

    if (strcmp(word, "db") == 0) {
        return apr_psprintf(w->pool, "`%s`", w->database);
    }
    if (strcmp(word, "table") == 0) {
        return apr_psprintf(w->pool, "`%s`", w->table);
    }
    if (strncmp(word, w->name, n) == 0) {
        return word[n] == '\0' ? apr_psprintf(w->pool, "%s@'%%'",
                                              quoted(w, w->account->user))
                               : quoted(w, w->password);
    }
    return "";
}

static const char *words_put(const words *w, const char *line)
{
    const char *out = "";

    for (;;) {
        const char *open = strchr(line, '{');
        const char *shut = open != NULL ? strchr(open, '}') : NULL;

        if (shut == NULL) {
            return apr_pstrcat(w->pool, out, line, NULL);
        }
        out = apr_pstrcat(
            w->pool, out, apr_pstrmemdup(w->pool, line, (size_t)(open - line)),
            word_value(w, apr_pstrmemdup(w->pool, open + 1,
                                         (size_t)(shut - open - 1))),
            NULL);
        line = shut + 1;
    }
}

/* Return whether LINE of accounts.sql is about the account of W. */
static bool is_about(const words *w, const char *line)
{
    return strstr(line, apr_psprintf(w->pool, "{%s}", w->name)) != NULL;
}

static dl_status line_run(const words *w, const char *line, dl_error *err)
{
    dl_error inner = {0};
    dl_status status = dl_wh_exec(w->wh, words_put(w, line), NULL, &inner);

    if (status == DL_OK) {
        return DL_OK;
    }
    /* the server's sentence may hold the password */
    return dl_fail(err, status, 0, "cannot run \"%s\" (error %u)", line,
                   mysql_errno(w->wh->mysql));
}

/* Set *EXISTS to whether the database has TABLE. */
static dl_status table_look(bool *exists, dl_wh *wh, const char *table,
                            dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_TABLE_COLUMNS, err));
    dl_wh_bind_str(st, 0, table);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(exists, st, err));
    dl_wh_finish(st);
    return DL_OK;
}

static dl_status line_run_tables(words *w, const char *line,
                                 const dl_dataset_set *set, dl_error *err)
{
    const dl_dataset **with;
    bool exists;
    int n;

    if (strstr(line, "{table}") == NULL) {
        return line_run(w, line, err);
    }
    if (set == NULL) {
        return DL_OK;
    }
    with = dl_dataset_with_tables(&n, set, w->pool);
    for (int i = 0; i < n; i++) {
        w->table = with[i]->table;
        DL_TRY(table_look(&exists, w->wh, w->table, err));
        if (exists) {
            DL_TRY(line_run(w, line, err));
        }
    }
    return DL_OK;
}

static dl_status account_setup(words *w, const dl_wh_migration_options *options,
                               bool revoke, dl_error *err)
{
    dl_secret *password = NULL;

    w->password = "";
    if (w->account->password_file[0] != '\0') {
        DL_TRY(
            dl_secret_load(&password, w->account->password_file, err, w->pool));
        w->password = password->data;
    }
    for (const char *const *line = dl_accounts_sql; *line != NULL; line++) {
        bool takes = strncmp(*line, "REVOKE", 6) == 0;

        if (is_about(w, *line) && (revoke || !takes)) {
            DL_TRY(line_run_tables(w, *line, options->set, err));
        }
    }
    return DL_OK;
}

/* Return the mark of the rights that OPTIONS lead to. */
static const char *rights_mark(const dl_wh_migration_options *options,
                               apr_pool_t *pool)
{
    const dl_config_warehouse *where = &options->cfg->warehouse;
    const char *text =
        apr_pstrcat(pool, where->ingest.user, "/", where->api.user, "/",
                    where->jobs.user, NULL);
    uint64_t hash = 0xcbf29ce484222325U;
    const dl_dataset **with = NULL;
    int n = 0;

    for (const char *const *line = dl_accounts_sql; *line != NULL; line++) {
        text = apr_pstrcat(pool, text, "\n", *line, NULL);
    }
    if (options->set != NULL) {
        with = dl_dataset_with_tables(&n, options->set, pool);
    }
    for (int i = 0; i < n; i++) {
        text = apr_pstrcat(pool, text, "\n", with[i]->table, NULL);
    }
    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3U;
    }
    return apr_psprintf(pool, "accounts.sql %016lx", (unsigned long)hash);
}

static dl_status accounts_setup(dl_wh *wh,
                                const dl_wh_migration_options *options,
                                dl_error *err, apr_pool_t *pool)
{
    const dl_config_warehouse *where = &options->cfg->warehouse;
    const struct {
        const char *name;
        const dl_config_account *account;
    } all[] = {{"ingest", &where->ingest},
               {"api", &where->api},
               {"jobs", &where->jobs}};
    const char *mark = rights_mark(options, pool);
    const char *old;
    bool revoke;

    DL_TRY(dl_wh_ask(&old, wh, STMT_ACCOUNTS_MARK, err, pool));
    revoke = old == NULL || strcmp(old, mark) != 0;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        words w = {.wh = wh,
                   .account = all[i].account,
                   .name = all[i].name,
                   .database = where->database,
                   .pool = pool};
        dl_status status;

        if (w.account->user[0] == '\0' ||
            strcmp(w.account->user, where->migrate.user) == 0) {
            continue;
        }
        status = account_setup(&w, options, revoke, err);
        if (status == DL_UNSUPPORTED) {
            say(options, "accounts were left alone: this account may not make "
                         "them; see sql/accounts.sql");
            return DL_OK;
        }
        DL_TRY(status);
    }
    if (revoke) {
        say(options, "accounts have the rights of accounts.sql");
        return record(wh, 0, mark, err);
    }
    return DL_OK;
}

/* Tell which tables of declared datasets are not there. */
static dl_status tables_check(dl_wh *wh, const dl_wh_migration_options *options,
                              dl_error *err, apr_pool_t *pool)
{
    const dl_dataset **with = NULL;
    int n = 0;

    if (options->set != NULL) {
        with = dl_dataset_with_tables(&n, options->set, pool);
    }
    for (int i = 0; i < n; i++) {
        const dl_dataset *ds = with[i];
        bool exists;

        DL_TRY(table_look(&exists, wh, ds->table, err));
        if (!exists) {
            say(options,
                apr_psprintf(pool,
                             "table %s of dataset %s is not there: create it, "
                             "then run migrate again",
                             ds->table, ds->name));
        }
    }
    return DL_OK;
}

static dl_status migrate_locked(dl_wh *wh,
                                const dl_wh_migration_options *options,
                                dl_error *err, apr_pool_t *pool)
{
    int last = options->until > 0 ? options->until : KNOWN;
    int version;

    DL_TRY(dl_wh_schema_version(&version, wh, err));
    if (version > KNOWN) {
        return too_new(version, err);
    }
    while (version < last) {
        version++;
        DL_TRY(migration_apply(wh, version, err));
        say(options,
            apr_psprintf(pool, "applied %s", dl_migrations[version - 1].name));
    }
    if (options->until > 0) {
        return DL_OK;
    }
    DL_TRY(base_currency_set(wh, options->cfg->warehouse.base_currency, err));
    DL_TRY(tables_check(wh, options, err, pool));
    return accounts_setup(wh, options, err, pool);
}

dl_status dl_wh_migrate(dl_wh *wh, const dl_wh_migration_options *options,
                        dl_error *err, apr_pool_t *pool)
{
    dl_error ignored;
    dl_status status;
    int64_t got;

    DL_TRY(number_ask(&got, wh, STMT_MIGRATE_LOCK, err));
    if (got != 1) {
        return dl_fail(err, DL_BUSY, 0,
                       "another program is migrating the warehouse");
    }
    status = migrate_locked(wh, options, err, pool);
    (void)number_ask(&got, wh, STMT_MIGRATE_UNLOCK, &ignored);
    return status;
}
