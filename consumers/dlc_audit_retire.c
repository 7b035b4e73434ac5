/* dlc_audit_retire.c - Telling of old audit files, forgetting those gone.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_audit_retire.h"

#include "dl_audit_cut.h"
#include "dl_audit_folder.h"
#include "dl_log.h"
#include "dl_statements.h"
#include "dlc_directives.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_tables.h>

/* --- The folder ----------------------------------------------------------- */

/* The audit folder of a configuration. */
typedef struct folder {
    dlc_directives directives; /* where it and its key are */
    int fd;                    /* -1: there is none */
} folder;

static apr_status_t close_folder(void *data)
{
    close(((folder *)data)->fd);
    return APR_SUCCESS;
}

static dl_status open_folder(folder *made, const dl_config *cfg, dl_error *err,
                             apr_pool_t *pool)
{
    DL_TRY(
        dlc_directives_load(&made->directives, cfg->run.httpd_conf, err, pool));
    made->fd =
        open(made->directives.audit_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (made->fd >= 0) {
        apr_pool_cleanup_register(pool, made, close_folder,
                                  apr_pool_cleanup_null);
        return DL_OK;
    }
    return errno == ENOENT
               ? DL_OK
               : dl_fail(err, DL_IO, errno, "cannot open the audit folder %s",
                         made->directives.audit_dir);
}

/* --- What would go -------------------------------------------------------- */

static void count_gone(void *context, const dl_audit_gone *gone)
{
    *(uint64_t *)context += (uint64_t)gone->files;
}

static void tell_kept(void *context, const char *file, const char *why)
{
    (void)context;
    dl_log(DL_LOG_WARNING, "DL0907 audit: %s is old but stays: %s", file, why);
}

dl_status dlc_audit_old_files(uint64_t *files, const dl_config *cfg,
                              dl_time before, dl_error *err,
                              apr_pool_t *scratch_pool)
{
    dl_audit_retiring run = {.before = before,
                             .dry_run = true,
                             .context = files,
                             .gone = count_gone,
                             .kept = tell_kept};
    folder *dir = apr_pcalloc(scratch_pool, sizeof *dir);
    dl_status status;

    *files = 0;
    DL_TRY(open_folder(dir, cfg, err, scratch_pool));
    if (dir->fd < 0) {
        return DL_OK;
    }
    status = dl_audit_key_load(&run.key, dir->directives.audit_key_file, err,
                               scratch_pool);
    if (status == DL_NOT_FOUND) {
        return DL_OK;
    }
    DL_TRY(status);
    run.dir_fd = dir->fd;
    return dl_audit_retire(&run, err, scratch_pool);
}

/* --- Forgetting ----------------------------------------------------------- */

/* A file the warehouse knows. */
typedef struct known {
    const char *chain; /* its chain */
    const char *file;  /* its name without suffix */
    int64_t length;    /* lines of the chain that were loaded */
} known;

dl_status dlc_audit_young(bool *young, dl_wh *wh, const char *chain,
                          int64_t length, dl_time before, dl_error *err)
{
    dl_wh_stmt *st;
    bool more;

    *young = true;
    DL_TRY(dl_wh_prepare(&st, wh, STMT_AUDIT_YOUNG, err));
    dl_wh_bind_str(st, 0, chain);
    dl_wh_bind_int(st, 1, length);
    dl_wh_bind_time(st, 2, before);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    *young = !more || dl_wh_int(st, 0) != 0;
    dl_wh_finish(st);
    return DL_OK;
}

/* Set *THERE to the files of DIR by their names without suffix. */
static dl_status list_files(apr_hash_t **there, const folder *dir,
                            dl_error *err, apr_pool_t *pool)
{
    const dl_audit_listed *list;
    int n;

    *there = apr_hash_make(pool);
    DL_TRY(dl_audit_folder_list(&list, &n, dir->fd, err, pool));
    for (int i = 0; i < n; i++) {
        if (list[i].stage != DL_AUDIT_GONE) {
            apr_hash_set(
                *there,
                apr_pstrndup(pool, list[i].name, (size_t)DL_AUDIT_CHAIN + 6),
                APR_HASH_KEY_STRING, "");
        }
    }
    return DL_OK;
}

/* Set *FOUND to the files (known) the warehouse WH knows. */
static dl_status list_known(apr_array_header_t **found, dl_wh *wh,
                            dl_error *err, apr_pool_t *pool)
{
    dl_wh_stmt *st;
    bool more;

    *found = apr_array_make(pool, 16, sizeof(known));
    DL_TRY(dl_wh_prepare(&st, wh, STMT_AUDIT_FILES, err));
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more) {
        known *one = &APR_ARRAY_PUSH(*found, known);

        one->chain = apr_pstrdup(pool, dl_wh_text(st, 0, NULL));
        one->file = apr_pstrdup(pool, dl_wh_text(st, 1, NULL));
        one->length = dl_wh_int(st, 3);
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    return DL_OK;
}

/* Forget FILE within a transaction, adding to *N what went. */
static dl_status forget_within(uint64_t *n, dl_wh *wh, const known *file,
                               dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_AUDIT_HEADS_FORGET, err));
    dl_wh_bind_str(st, 0, file->chain);
    dl_wh_bind_int(st, 1, file->length);
    DL_TRY(dl_wh_run(st, err));
    *n += dl_wh_affected(st);
    DL_TRY(dl_wh_prepare(&st, wh, STMT_AUDIT_FILE_FORGET, err));
    dl_wh_bind_str(st, 0, file->chain);
    dl_wh_bind_str(st, 1, file->file);
    dl_wh_bind_int(st, 2, file->length);
    DL_TRY(dl_wh_run(st, err));
    *n += dl_wh_affected(st);
    return DL_OK;
}

/* Forget FILE unless one of its lines is not older than BEFORE. */
static dl_status forget(uint64_t *n, dl_wh *wh, const known *file,
                        dl_time before, dl_error *err)
{
    dl_status status;
    bool young;

    DL_TRY(dlc_audit_young(&young, wh, file->chain, file->length, before, err));
    if (young) {
        return DL_OK;
    }
    DL_TRY(dl_wh_begin(wh, err));
    status = forget_within(n, wh, file, err);
    if (status != DL_OK) {
        dl_wh_rollback(wh);
        return status;
    }
    return dl_wh_commit(wh, err);
}

dl_status dlc_audit_forget(uint64_t *n, dl_wh *wh, const dl_config *cfg,
                           dl_time before, dl_error *err,
                           apr_pool_t *scratch_pool)
{
    folder *dir = apr_pcalloc(scratch_pool, sizeof *dir);
    apr_array_header_t *files;
    apr_hash_t *there;

    *n = 0;
    DL_TRY(open_folder(dir, cfg, err, scratch_pool));
    if (dir->fd < 0) {
        return DL_OK;
    }
    /* The rows first: a file that is made in between has none. */
    DL_TRY(list_known(&files, wh, err, scratch_pool));
    DL_TRY(list_files(&there, dir, err, scratch_pool));
    for (int i = 0; i < files->nelts; i++) {
        const known *file = &APR_ARRAY_IDX(files, i, known);

        if (apr_hash_get(there, file->file, APR_HASH_KEY_STRING) == NULL) {
            DL_TRY(forget(n, wh, file, before, err));
        }
    }
    return DL_OK;
}
