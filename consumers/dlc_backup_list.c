/* dlc_backup_list.c - The files of a backup: the list, and reading them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_backup.h"

#include "dl_file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>
#include <apr_tables.h>

/* Most bytes of SHA256SUMS: two million files or so. */
#define SUMS_MAX ((size_t)1 << 28)

#define SUM_LEN (DL_SHA256_TEXT - 1)

/* --- The list ------------------------------------------------------------- */

/* Whether PATH may stand in a list: below the folder, and nothing that a shell
 * or a terminal would take for something else. */
static bool path_is_safe(const char *path)
{
    if (path[0] == '/' || strstr(path, "..") != NULL || path[0] == '\0') {
        return false;
    }
    return strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "0123456789._-=/") == strlen(path);
}

static dl_status line_take(apr_array_header_t *files, const char *line,
                           dl_error *err)
{
    dlc_backup_file *file = apr_array_push(files);

    if (strlen(line) < SUM_LEN + 3 ||
        strspn(line, "0123456789abcdef") != SUM_LEN ||
        strncmp(line + SUM_LEN, "  ", 2) != 0 ||
        !path_is_safe(line + SUM_LEN + 2)) {
        return dl_fail(err, DL_CORRUPT, 0, "%s: line %d is none",
                       DLC_BACKUP_SUMS, files->nelts);
    }
    memcpy(file->sum, line, SUM_LEN);
    file->sum[SUM_LEN] = '\0';
    file->path = line + SUM_LEN + 2;
    return DL_OK;
}

dl_status dlc_backup_list_load(dlc_backup_list *list, const char *dir,
                               dl_error *err, apr_pool_t *pool)
{
    apr_array_header_t *files =
        apr_array_make(pool, 64, (int)sizeof(dlc_backup_file));
    const char *path = apr_pstrcat(pool, dir, "/", DLC_BACKUP_SUMS, NULL);
    const char *text;
    dl_status status;
    size_t len;
    char *at;
    char *end;

    status = dl_file_load(&text, &len, path, SUMS_MAX, err, pool);
    if (status == DL_NOT_FOUND) {
        return dl_fail(err, DL_NOT_FOUND, 0,
                       "%s is no complete backup: it has no %s", dir,
                       DLC_BACKUP_SUMS);
    }
    DL_TRY(status);
    at = apr_pstrmemdup(pool, text, len);
    for (; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        *end = '\0';
        DL_TRY(line_take(files, at, err));
    }
    if (*at != '\0' || files->nelts == 0) {
        return dl_fail(err, DL_CORRUPT, 0, "%s is cut", path);
    }
    list->n = files->nelts;
    list->files = (dlc_backup_file *)(void *)files->elts;
    return DL_OK;
}

/* --- Walking -------------------------------------------------------------- */

static uint64_t bytes_of(const dlc_backup_list *list, const char *dir,
                         const char *prefix, apr_pool_t *pool)
{
    uint64_t bytes = 0;
    struct stat st;

    for (int i = 0; i < list->n; i++) {
        if (strncmp(list->files[i].path, prefix, strlen(prefix)) == 0 &&
            stat(apr_pstrcat(pool, dir, "/", list->files[i].path, NULL), &st) ==
                0) {
            bytes += (uint64_t)st.st_size;
        }
    }
    return bytes;
}

static apr_status_t free_block(void *block)
{
    free(block);
    return APR_SUCCESS;
}

void dlc_backup_walk_begin(dlc_backup_walk *walk, const dlc_backup_list *list,
                           const char *dir, const char *prefix, bool quiet,
                           apr_pool_t *pool)
{
    walk->dir = dir;
    walk->done = 0;
    walk->block = calloc(1, DLC_BACKUP_BLOCK);
    if (walk->block == NULL) {
        abort();
    }
    apr_pool_cleanup_register(pool, walk->block, free_block,
                              apr_pool_cleanup_null);
    apr_pool_create(&walk->pool, pool);
    dlc_progress_begin(&walk->bar, "MB",
                       (int64_t)(bytes_of(list, dir, prefix, walk->pool) >> 20),
                       quiet);
}

static dl_status write_out(int fd, const char *data, size_t len, dl_error *err)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno != EINTR) {
            return dl_fail(err, errno == ENOSPC ? DL_NO_SPACE : DL_IO, errno,
                           "cannot write");
        }
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
    return DL_OK;
}

static dl_status read_through(dlc_backup_walk *walk, dl_sha256 *sum, int in,
                              int out, dl_error *err)
{
    ssize_t n;

    while ((n = read(in, walk->block, DLC_BACKUP_BLOCK)) != 0) {
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return dl_fail(err, DL_IO, errno, "cannot read");
        }
        dl_sha256_add(sum, walk->block, (size_t)n);
        if (out >= 0) {
            DL_TRY(write_out(out, walk->block, (size_t)n, err));
        }
        walk->done += (uint64_t)n;
        dlc_progress_update(&walk->bar, (int64_t)(walk->done >> 20));
    }
    return DL_OK;
}

dl_status dlc_backup_walk_file(dlc_backup_walk *walk,
                               const dlc_backup_file *file, int out_fd,
                               dl_error *err)
{
    char text[DL_SHA256_TEXT];
    const char *path;
    dl_sha256 *sum;
    dl_status status;
    int in;

    apr_pool_clear(walk->pool);
    path = apr_pstrcat(walk->pool, walk->dir, "/", file->path, NULL);
    in = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (in < 0) {
        return dl_fail(err, errno == ENOENT ? DL_NOT_FOUND : DL_IO, errno,
                       "cannot open %s", path);
    }
    sum = dl_sha256_create(walk->pool);
    status = read_through(walk, sum, in, out_fd, err);
    close(in);
    if (status != DL_OK) {
        return dl_wrap(err, "%s", path);
    }
    dl_sha256_text(text, sum);
    if (strcmp(text, file->sum) != 0) {
        return dl_fail(err, DL_CORRUPT, 0, "%s has not its checksum", path);
    }
    return DL_OK;
}

void dlc_backup_walk_end(dlc_backup_walk *walk)
{
    dlc_progress_end(&walk->bar);
}

/* --- Verify --------------------------------------------------------------- */

/* Files found below the folder; nftw gives its callback nothing of ours. */
static int found_files; /* one thread */

static int count_file(const char *path, const struct stat *st, int kind,
                      struct FTW *ftw)
{
    (void)path;
    (void)st;
    (void)ftw;
    found_files += kind != FTW_D ? 1 : 0;
    return 0;
}

dl_status dlc_backup_verify(dlc_backup_done *done, const dlc_backup_job *job,
                            dl_error *err, apr_pool_t *pool)
{
    dlc_backup_walk walk;
    dlc_backup_list list;
    dl_status status = DL_OK;

    memset(done, 0, sizeof *done);
    DL_TRY(dlc_backup_list_load(&list, job->dir, err, pool));
    dlc_backup_walk_begin(&walk, &list, job->dir, "", job->quiet, pool);
    for (int i = 0; status == DL_OK && i < list.n; i++) {
        status = dlc_backup_walk_file(&walk, &list.files[i], -1, err);
    }
    dlc_backup_walk_end(&walk);
    DL_TRY(status);
    done->files = list.n;
    done->bytes = walk.done;
    found_files = 0;
    if (nftw(job->dir, count_file, 16, /* NOLINT: there is one thread */
             FTW_PHYS) != 0) {
        return dl_fail(err, DL_IO, errno, "cannot list %s", job->dir);
    }
    if (found_files != list.n + 1) {
        return dl_fail(err, DL_CORRUPT, 0, "%s holds %d files, its list has %d",
                       job->dir, found_files - 1, list.n);
    }
    return DL_OK;
}
