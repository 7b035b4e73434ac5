/* dlc_restore.c - From a backup to a lake and a warehouse.
 *
 * The whole backup is read and compared before anything is changed: the lake's
 * files on their way into ROOT/.restore, the tables' before the first is
 * emptied.  Then the tables are filled, then the datasets are moved into their
 * places.  What dies on the way is done again with "replace".
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_backup.h"
#include "dlc_backup_events.h"

#include "dl_config.h"
#include "dl_file.h"
#include "dl_json_values.h"
#include "dl_lake.h"
#include "dl_lake_format.h"
#include "dl_lake_io.h"
#include "dl_lake_writer.h"
#include "dl_statements.h"
#include "dl_wh.h"
#include "dl_wh_dump.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>
#include <apr_tables.h>

/* Where the lake's files wait, below the lake's folder; no dataset's name. */
#define WAITING ".restore"

/* Where the models lie, below it (MODEL.md). */
#define MODELS "_models"

#define ABOUT_MAX ((size_t)1 << 20)

/* A restore under way. */
typedef struct restore {
    const dlc_backup_job *job;    /* what was asked for */
    dlc_backup_done *done;        /* numbers */
    const char *root;             /* folder of the lake */
    const char *waiting;          /* ROOT/.restore */
    dlc_backup_list list;         /* files of the backup */
    dl_json_values about;         /* backup.json */
    int schema;                   /* of the warehouse's rows */
    apr_array_header_t *datasets; /* names, const char *, of the backup */
    apr_array_header_t *old;      /* likewise, of the lake as it is */
    apr_pool_t *pool;             /* lives as long */
} restore;

/* --- What is in the backup ------------------------------------------------ */

/* The number of the member NAME of the object at OBJECT of backup.json. */
static int64_t about_number(const restore *r, uint32_t object, const char *name)
{
    uint32_t at = dl_json_values_member(&r->about, object, name);

    return at > 0 && r->about.values[at].text != NULL
               ? strtoll(r->about.values[at].text, NULL, 10)
               : 0;
}

static dl_status about_load(restore *r, dl_error *err)
{
    const char *path =
        apr_pstrcat(r->pool, r->job->dir, "/", DLC_BACKUP_ABOUT, NULL);
    const char *text;
    int64_t format;
    size_t len;

    DL_TRY(dl_file_load(&text, &len, path, ABOUT_MAX, err, r->pool));
    if (dl_json_values_read(&r->about, text, len, r->pool) != DL_JSON_FINE) {
        return dl_fail(err, DL_CORRUPT, 0, "%s is damaged", path);
    }
    format = about_number(r, 0, "format");
    r->schema = (int)about_number(r, 0, "schema");
    if (format < 1 || r->schema < 1) {
        return dl_fail(err, DL_CORRUPT, 0, "%s is damaged", path);
    }
    if (format > DLC_BACKUP_FORMAT || r->schema > dl_wh_schema_known()) {
        return dl_fail(err, DL_UNSUPPORTED, 0, "%s was made by a newer program",
                       r->job->dir);
    }
    return DL_OK;
}

/* The id that the backup says TABLE gives next; 0: none. */
static int64_t next_id(const restore *r, const char *table)
{
    const dl_json_value *values = r->about.values;
    uint32_t warehouse = dl_json_values_member(&r->about, 0, "warehouse");
    uint32_t tables =
        warehouse > 0 ? dl_json_values_member(&r->about, warehouse, "tables")
                      : 0;

    for (uint32_t i = tables + 1; tables > 0 && i < values[tables].next;
         i = values[i].next) {
        uint32_t name = dl_json_values_member(&r->about, i, "table");

        if (name > 0 && values[name].text != NULL &&
            strcmp(values[name].text, table) == 0) {
            return about_number(r, i, "next_id");
        }
    }
    return 0;
}

static bool begins(const char *path, const char *with)
{
    return strncmp(path, with, strlen(with)) == 0;
}

/* Collect the datasets: each has a journal. */
static dl_status datasets_find(restore *r, dl_error *err)
{
    static const char before[] = DLC_BACKUP_LAKE "/" DL_LAKE_META "/";
    static const char behind[] = "/" DL_LAKE_JOURNAL;

    for (int i = 0; i < r->list.n; i++) {
        const char *name = r->list.files[i].path + sizeof before - 1;
        size_t len;

        if (!begins(r->list.files[i].path, before)) {
            continue;
        }
        len = strcspn(name, "/");
        if (strcmp(name + len, behind) == 0) {
            *(const char **)apr_array_push(r->datasets) =
                apr_pstrmemdup(r->pool, name, len);
        }
    }
    if (r->datasets->nelts == 0) {
        return dl_fail(err, DL_CORRUPT, 0, "%s has no dataset", r->job->dir);
    }
    r->done->datasets = r->datasets->nelts;
    return DL_OK;
}

/* --- What is there -------------------------------------------------------- */

/* Lock the dataset NAME as its writer would, until the end. */
static dl_status writer_lock(const restore *r, const char *name, dl_error *err)
{
    const char *path = apr_pstrcat(r->pool, r->root, "/", DL_LAKE_META, "/",
                                   name, "/", DL_LAKE_LOCK, NULL);
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0) {
        return errno == ENOENT
                   ? DL_OK
                   : dl_fail(err, DL_IO, errno, "cannot open %s", path);
    }
    /* kept open until the process ends: the lock goes with it */
    if (dl_lake_lock(&dl_lake_io_real, fd, LOCK_EX | LOCK_NB, path, err) !=
        DL_OK) {
        close(fd);
        return dl_fail(err, DL_BUSY, 0,
                       "%s is being written: stop datalake-lake first", name);
    }
    return DL_OK;
}

static dl_status lake_look(restore *r, dl_error *err)
{
    const char *const *names;
    dl_lake *lake;
    int n;

    DL_TRY(dl_lake_open(&lake, r->root, err, r->pool));
    DL_TRY(dl_lake_datasets(&names, &n, lake, err, r->pool));
    if (n > 0 && !r->job->replace) {
        return dl_fail(err, DL_CONFLICT, 0,
                       "the lake %s holds %s and is not empty: --replace "
                       "removes what it has",
                       r->root, names[0]);
    }
    for (int i = 0; i < n; i++) {
        DL_TRY(writer_lock(r, names[i], err));
        *(const char **)apr_array_push(r->old) = names[i];
    }
    return DL_OK;
}

static dl_status warehouse_look(const restore *r, dl_wh *wh, dl_error *err)
{
    const char *value;
    int version;

    DL_TRY(dl_wh_schema_version(&version, wh, err));
    if (version == 0) {
        return DL_OK;
    }
    if (version != dl_wh_schema_known()) {
        return dl_fail(err, DL_CONFLICT, 0,
                       "the warehouse has schema %d: drop the database, or "
                       "run \"datalakectl migrate\" first",
                       version);
    }
    if (r->schema != version) {
        /* its rows would lack what migrations do with the rows they find */
        return dl_fail(err, DL_CONFLICT, 0,
                       "%s has rows of schema %d, the warehouse has %d: drop "
                       "the database and make it anew, empty",
                       r->job->dir, r->schema, version);
    }
    DL_TRY(dl_wh_ask(&value, wh, STMT_RESTORE_FOUND, err, r->pool));
    if (!r->job->replace && (value == NULL || strcmp(value, "0") != 0)) {
        return dl_fail(err, DL_CONFLICT, 0,
                       "the warehouse %s is not empty: --replace removes "
                       "what it has",
                       r->job->cfg->warehouse.database);
    }
    return DL_OK;
}

/* --- The lake's files ----------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int kind,
                      struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

/* Remove PATH and all below it.  That it is not there is fine. */
static dl_status remove_tree(const char *path, dl_error *err)
{
    if (nftw(path, remove_one, 16, /* NOLINT: there is one thread */
             FTW_DEPTH | FTW_PHYS) != 0 &&
        errno != ENOENT) {
        return dl_fail(err, DL_IO, errno, "cannot remove %s", path);
    }
    return DL_OK;
}

static dl_status folder_make(const char *path, dl_error *err)
{
    if (mkdir(path, DL_LAKE_DIR_MODE) != 0 && errno != EEXIST) {
        return dl_fail(err, dl_lake_errno_status(errno), errno,
                       "cannot make %s", path);
    }
    return DL_OK;
}

/* Make the folders above the file PATH, which has room for changes, from its
 * byte FROM on. */
static dl_status folders_make(char *path, size_t from, dl_error *err)
{
    for (char *at = strchr(path + from, '/'); at != NULL;
         at = strchr(at + 1, '/')) {
        dl_status status;

        *at = '\0';
        status = folder_make(path, err);
        *at = '/';
        DL_TRY(status);
    }
    return DL_OK;
}

static dl_status file_copy(const restore *r, dlc_backup_walk *walk,
                           const dlc_backup_file *file, apr_pool_t *pool,
                           dl_error *err)
{
    char *to = apr_pstrcat(pool, r->waiting, "/",
                           file->path + strlen(DLC_BACKUP_LAKE "/"), NULL);
    dl_status status;
    int out;

    DL_TRY(folders_make(to, strlen(r->waiting) + 1, err));
    out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, DL_LAKE_FILE_MODE);
    if (out < 0) {
        return dl_fail(err, dl_lake_errno_status(errno), errno,
                       "cannot make %s", to);
    }
    status = dlc_backup_walk_file(walk, file, out, err);
    close(out);
    return status;
}

/* Read the whole backup, writing the lake's files to where they wait. */
static dl_status files_copy(const restore *r, dl_error *err)
{
    dl_status status = DL_OK;
    dlc_backup_walk walk;
    apr_pool_t *iterpool;

    DL_TRY(remove_tree(r->waiting, err));
    DL_TRY(folder_make(r->waiting, err));
    apr_pool_create(&iterpool, r->pool);
    dlc_backup_walk_begin(&walk, &r->list, r->job->dir, "", r->job->quiet,
                          r->pool);
    for (int i = 0; status == DL_OK && i < r->list.n; i++) {
        const dlc_backup_file *file = &r->list.files[i];

        apr_pool_clear(iterpool);
        status = begins(file->path, DLC_BACKUP_LAKE "/")
                     ? file_copy(r, &walk, file, iterpool, err)
                     : dlc_backup_walk_file(&walk, file, -1, err);
    }
    dlc_backup_walk_end(&walk);
    r->done->files = r->list.n;
    return status;
}

/* Move WHAT of a dataset to its place; what is there goes first. */
static dl_status place(const restore *r, const char *what, dl_error *err)
{
    const char *from = apr_pstrcat(r->pool, r->waiting, "/", what, NULL);
    const char *to = apr_pstrcat(r->pool, r->root, "/", what, NULL);

    DL_TRY(remove_tree(to, err));
    if (rename(from, to) != 0 && errno != ENOENT) {
        return dl_fail(err, dl_lake_errno_status(errno), errno,
                       "cannot move %s", to);
    }
    return DL_OK;
}

static dl_status lake_swap(const restore *r, dl_error *err)
{
    const char *meta = apr_pstrcat(r->pool, r->root, "/", DL_LAKE_META, NULL);
    int fd;

    DL_TRY(dl_lake_dir_open(&fd, &dl_lake_io_real, AT_FDCWD, r->root, 0, err));
    dl_lake_all_sync(&dl_lake_io_real, fd, r->root);
    close(fd);
    DL_TRY(folder_make(meta, err));
    for (int i = 0; i < r->old->nelts; i++) {
        const char *name = APR_ARRAY_IDX(r->old, i, const char *);

        DL_TRY(
            remove_tree(apr_pstrcat(r->pool, r->root, "/", name, NULL), err));
        DL_TRY(remove_tree(apr_pstrcat(r->pool, meta, "/", name, NULL), err));
    }
    for (int i = 0; i < r->datasets->nelts; i++) {
        const char *name = APR_ARRAY_IDX(r->datasets, i, const char *);

        DL_TRY(place(r, name, err));
        DL_TRY(
            folder_make(apr_pstrcat(r->pool, r->root, "/", name, NULL), err));
        DL_TRY(
            place(r, apr_pstrcat(r->pool, DL_LAKE_META "/", name, NULL), err));
    }
    if (access(apr_pstrcat(r->pool, r->waiting, "/" MODELS, NULL), F_OK) == 0) {
        DL_TRY(place(r, MODELS, err));
    }
    return remove_tree(r->waiting, err);
}

/* Recover each dataset as its writer will: its readers get a head. */
static dl_status lake_recover(const restore *r, dl_error *err)
{
    for (int i = 0; i < r->datasets->nelts; i++) {
        dl_lake_options o = {.root = r->root,
                             .dataset =
                                 APR_ARRAY_IDX(r->datasets, i, const char *)};
        const dl_lake_totals *totals;
        dl_lake_snapshot *snap;
        dl_lake_writer *w;
        dl_lake *lake;
        apr_pool_t *own;

        apr_pool_create(&own, r->pool);
        DL_TRY(dl_lake_writer_open(&w, &o, err, own));
        apr_pool_destroy(own);
        apr_pool_create(&own, r->pool);
        DL_TRY(dl_lake_open(&lake, r->root, err, own));
        DL_TRY(dl_lake_snapshot_open(&snap, lake, o.dataset, err, own));
        totals = dl_lake_snapshot_totals(snap);
        r->done->records += totals->records;
        r->done->bytes += totals->bytes;
        apr_pool_destroy(own);
    }
    return DL_OK;
}

/* --- The tables ----------------------------------------------------------- */

static dl_status table_put(dl_wh_fill *fill, const char *path, char *block,
                           dl_error *err)
{
    dl_status status = DL_OK;
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0) {
        return dl_fail(err, DL_IO, errno, "cannot open %s", path);
    }
    while (status == DL_OK && (n = read(fd, block, DLC_BACKUP_BLOCK)) != 0) {
        if (n > 0) {
            status = dl_wh_fill_put(fill, block, (size_t)n, err);
        }
        else if (errno != EINTR) {
            status = dl_fail(err, DL_IO, errno, "cannot read %s", path);
        }
    }
    close(fd);
    return status;
}

/* Fill the table of FILE. */
static dl_status table_fill(const restore *r, dl_wh *wh,
                            const dl_wh_dump_table *table,
                            const dlc_backup_file *file, dl_error *err)
{
    dl_wh_dump_table own = *table;
    apr_pool_t *pool;
    dl_wh_fill *fill;
    uint64_t rows;
    char *block;

    apr_pool_create(&pool, r->pool);
    block = apr_palloc(pool, DLC_BACKUP_BLOCK);
    own.next_id = next_id(r, table->name);
    DL_TRY(dl_wh_fill_begin(&fill, wh, &own, err, pool));
    DL_TRY(table_put(fill,
                     apr_pstrcat(pool, r->job->dir, "/", file->path, NULL),
                     block, err));
    DL_TRY(dl_wh_fill_end(&rows, fill, err));
    apr_pool_destroy(pool);
    r->done->rows += rows;
    r->done->tables++;
    return DL_OK;
}

static const dl_wh_dump_table *table_find(const dl_wh_dump_table *tables, int n,
                                          const char *path)
{
    const char *name = path + strlen(DLC_BACKUP_WAREHOUSE "/");
    size_t len = strcspn(name, ".");

    for (int i = 0; i < n; i++) {
        if (strlen(tables[i].name) == len &&
            strncmp(tables[i].name, name, len) == 0 &&
            strcmp(name + len, ".tsv") == 0) {
            return &tables[i];
        }
    }
    return NULL;
}

static dl_status tables_fill(const restore *r, dl_wh *wh, dl_error *err)
{
    const dl_wh_dump_table *tables;
    dlc_progress bar;
    int n;

    DL_TRY(dl_wh_dump_tables(&tables, &n, wh, err, r->pool));
    for (int i = 0; i < r->list.n; i++) {
        const char *path = r->list.files[i].path;

        if (begins(path, DLC_BACKUP_WAREHOUSE "/") &&
            table_find(tables, n, path) == NULL) {
            return dl_fail(err, DL_UNSUPPORTED, 0,
                           "the warehouse has no table for %s: create it, then "
                           "try again",
                           path);
        }
    }
    dlc_progress_begin(&bar, "tables", n, r->job->quiet);
    for (int i = 0; i < r->list.n; i++) {
        const dlc_backup_file *file = &r->list.files[i];
        const dl_wh_dump_table *table =
            begins(file->path, DLC_BACKUP_WAREHOUSE "/")
                ? table_find(tables, n, file->path)
                : NULL;

        if (table != NULL) {
            DL_TRY(table_fill(r, wh, table, file, err));
            dlc_progress_update(&bar, r->done->tables);
        }
    }
    dlc_progress_end(&bar);
    return DL_OK;
}

/* No token and no log-in from before counts behind a restore: what was revoked
 * since the backup is not known any more. */
static dl_status logins_end(dl_wh *wh, dl_error *err)
{
    DL_TRY(dl_wh_exec(wh, STMT_RESTORE_EPOCHS, NULL, err));
    DL_TRY(dl_wh_exec(wh, STMT_RESTORE_SESSIONS, NULL, err));
    return dl_wh_exec(wh, STMT_RESTORE_TOLD, NULL, err);
}

static dl_status warehouse_fill(const restore *r, dl_wh *wh, dl_error *err)
{
    dl_wh_migration_options options = {
        .cfg = r->job->cfg, .set = r->job->set, .until = r->schema};
    int version;

    DL_TRY(dl_wh_schema_version(&version, wh, err));
    if (version == 0) {
        DL_TRY(dl_wh_migrate(wh, &options, err, r->pool));
    }
    DL_TRY(tables_fill(r, wh, err));
    options.until = 0;
    DL_TRY(dl_wh_migrate(wh, &options, err, r->pool));
    DL_TRY(dlc_backup_events_restore(wh, r->job->dir, err, r->pool));
    return logins_end(wh, err);
}

/* --- All ------------------------------------------------------------------ */

dl_status dlc_restore(dlc_backup_done *done, const dlc_backup_job *job,
                      dl_error *err, apr_pool_t *pool)
{
    restore r = {.job = job,
                 .done = done,
                 .root = job->cfg->lake.path,
                 .pool = pool,
                 .datasets = apr_array_make(pool, 16, sizeof(const char *)),
                 .old = apr_array_make(pool, 16, sizeof(const char *))};
    dl_wh *wh;

    memset(done, 0, sizeof *done);
    r.waiting = apr_pstrcat(pool, r.root, "/" WAITING, NULL);
    DL_TRY(dlc_backup_list_load(&r.list, job->dir, err, pool));
    DL_TRY(about_load(&r, err));
    DL_TRY(datasets_find(&r, err));
    DL_TRY(lake_look(&r, err));
    DL_TRY(dl_wh_connect(&wh, job->cfg, DL_WH_MIGRATE, err, pool));
    DL_TRY(warehouse_look(&r, wh, err));
    DL_TRY(files_copy(&r, err));
    DL_TRY(warehouse_fill(&r, wh, err));
    DL_TRY(lake_swap(&r, err));
    return lake_recover(&r, err);
}
