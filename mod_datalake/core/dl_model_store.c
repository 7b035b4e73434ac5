/* dl_model_store.c - Putting models away, and choosing the current one.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_model_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dl_lake_bytes.h"

/* Room for the longest name in the folder. */
#define NAME_MAX_LEN 64

bool dl_model_id_ok(const char *id)
{
    for (int i = 0; i < DL_MODEL_ID - 1; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool hex =
            (id[i] >= '0' && id[i] <= '9') || (id[i] >= 'a' && id[i] <= 'f');

        if (dash ? id[i] != '-' : !hex) {
            return false;
        }
    }
    return id[DL_MODEL_ID - 1] == '\0';
}

static void current_name(char name[NAME_MAX_LEN], dl_target target)
{
    snprintf(name, NAME_MAX_LEN, "%s.current", dl_target_name(target));
}

/* Set *FD to the folder; with MAKE it is made. */
static dl_status open_folder(int *fd, int lake_fd, bool make, dl_error *err)
{
    if (make && mkdirat(lake_fd, DL_MODEL_FOLDER, 0750) != 0 &&
        errno != EEXIST) {
        return dl_fail(err, errno == ENOSPC ? DL_NO_SPACE : DL_IO, errno,
                       "cannot make the folder " DL_MODEL_FOLDER);
    }
    *fd = openat(lake_fd, DL_MODEL_FOLDER,
                 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (*fd < 0) {
        return dl_fail(err, errno == ENOENT ? DL_NOT_FOUND : DL_IO, errno,
                       "cannot open the folder " DL_MODEL_FOLDER);
    }
    return DL_OK;
}

static void set_stamp(dl_model_stamp *stamp, const struct stat *info)
{
    stamp->inode = (uint64_t)info->st_ino;
    stamp->size = (int64_t)info->st_size;
    stamp->written_ns = (int64_t)info->st_mtim.tv_sec * 1000000000 +
                        (int64_t)info->st_mtim.tv_nsec;
}

dl_status dl_model_store_stamp(dl_model_stamp *stamp, int lake_fd,
                               dl_target target, dl_error *err)
{
    char name[NAME_MAX_LEN + sizeof DL_MODEL_FOLDER];
    struct stat info;

    snprintf(name, sizeof name, DL_MODEL_FOLDER "/%s.current",
             dl_target_name(target));
    if (fstatat(lake_fd, name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
        return dl_fail(err, errno == ENOENT ? DL_NOT_FOUND : DL_IO, errno,
                       "there is no current model of %s",
                       dl_target_name(target));
    }
    set_stamp(stamp, &info);
    return DL_OK;
}

/* --- Reading -------------------------------------------------------------- */

static apr_status_t free_data(void *data)
{
    free(data);
    return APR_SUCCESS;
}

/* Read the SIZE bytes of FD to DATA; false: they are not there. */
static bool read_all(char *data, size_t size, int fd)
{
    size_t used = 0;

    while (used < size) {
        ssize_t got = read(fd, data + used, size - used);

        if (got <= 0 && !(got < 0 && errno == EINTR)) {
            return false;
        }
        used += got > 0 ? (size_t)got : 0;
    }
    return true;
}

/* Set *MODEL to what the open file FD holds, and *STAMP to its stamp. */
static dl_status load(const dl_model **model, dl_model_stamp *stamp, int fd,
                      dl_error *err, apr_pool_t *pool)
{
    struct stat info;
    char *data;

    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) ||
        info.st_size > (off_t)DL_MODEL_BYTES) {
        return dl_fail(err, DL_CORRUPT, 0, "not a regular file, or too large");
    }
    set_stamp(stamp, &info);
    data = malloc((size_t)info.st_size + 1);
    if (data == NULL) {
        abort();
    }
    apr_pool_cleanup_register(pool, data, free_data, apr_pool_cleanup_null);
    if (!read_all(data, (size_t)info.st_size, fd)) {
        return dl_fail(err, DL_IO, errno, "cannot be read");
    }
    return dl_model_parse(model, data, (size_t)info.st_size, err, pool);
}

/* Set *MODEL to what NAME in the folder holds. */
static dl_status load_name(const dl_model **model, dl_model_stamp *stamp,
                           int lake_fd, const char *name, dl_error *err,
                           apr_pool_t *pool)
{
    dl_status status;
    int folder = -1;
    int fd;
    int os_error;

    DL_TRY(open_folder(&folder, lake_fd, false, err));
    fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    os_error = errno;
    (void)close(folder);
    if (fd < 0) {
        return dl_fail(err, os_error == ENOENT ? DL_NOT_FOUND : DL_IO, os_error,
                       "model %s", name);
    }
    status = load(model, stamp, fd, err, pool);
    (void)close(fd);
    return status == DL_OK ? DL_OK : dl_wrap(err, "model %s", name);
}

dl_status dl_model_store_current(const dl_model **model, dl_model_stamp *stamp,
                                 int lake_fd, dl_target target, dl_error *err,
                                 apr_pool_t *result_pool)
{
    char name[NAME_MAX_LEN];

    current_name(name, target);
    DL_TRY(load_name(model, stamp, lake_fd, name, err, result_pool));
    return (*model)->target == target
               ? DL_OK
               : dl_fail(err, DL_CORRUPT, 0, "model %s is of another target",
                         name);
}

dl_status dl_model_store_find(const dl_model **model, int lake_fd,
                              const char *id, dl_error *err,
                              apr_pool_t *result_pool)
{
    char name[NAME_MAX_LEN];
    dl_model_stamp stamp;

    if (!dl_model_id_ok(id)) {
        return dl_fail(err, DL_NOT_FOUND, 0, "no model has such an id");
    }
    snprintf(name, sizeof name, "%s.model", id);
    DL_TRY(load_name(model, &stamp, lake_fd, name, err, result_pool));
    return strcmp((*model)->id, id) == 0
               ? DL_OK
               : dl_fail(err, DL_CORRUPT, 0, "model %s has another id", id);
}

/* --- Writing -------------------------------------------------------------- */

static bool write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t put = write(fd, data, len);

        if (put < 0 && errno != EINTR) {
            return false;
        }
        if (put > 0) {
            data += put;
            len -= (size_t)put;
        }
    }
    return true;
}

static dl_status fail_write(dl_error *err, int os_error, const char *name)
{
    return dl_fail(
        err, os_error == ENOSPC || os_error == EDQUOT ? DL_NO_SPACE : DL_IO,
        os_error, "cannot write %s", name);
}

/* Write the LEN bytes of DATA as NAME in FOLDER, whole and durable. */
static dl_status write_file(int folder, const char *name, const void *data,
                            size_t len, dl_error *err)
{
    char hidden[NAME_MAX_LEN + 1];
    int os_error = 0;
    int fd;

    snprintf(hidden, sizeof hidden, ".%s", name);
    fd = openat(folder, hidden,
                O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
    if (fd < 0) {
        return fail_write(err, errno, name);
    }
    if (!write_all(fd, data, len) || fsync(fd) != 0) {
        os_error = errno;
    }
    if (close(fd) != 0 && os_error == 0) {
        os_error = errno;
    }
    if (os_error == 0 &&
        (renameat(folder, hidden, folder, name) != 0 || fsync(folder) != 0)) {
        os_error = errno;
    }
    if (os_error != 0) {
        (void)unlinkat(folder, hidden, 0);
        return fail_write(err, os_error, name);
    }
    return DL_OK;
}

static dl_status write_both(int folder, const dl_model *model,
                            const char *native, size_t native_len,
                            dl_error *err, apr_pool_t *pool)
{
    char name[NAME_MAX_LEN];
    dl_lake_bytes *bytes = apr_pcalloc(pool, sizeof *bytes);

    dl_lake_bytes_own(bytes, pool);
    dl_model_format(bytes, model);
    snprintf(name, sizeof name, "%s.xgb.json", model->id);
    DL_TRY(write_file(folder, name, native, native_len, err));
    snprintf(name, sizeof name, "%s.model", model->id);
    return write_file(folder, name, bytes->data, bytes->len, err);
}

dl_status dl_model_store_put(int lake_fd, const dl_model *model,
                             const char *native, size_t native_len,
                             dl_error *err, apr_pool_t *scratch_pool)
{
    apr_pool_t *pool;
    const dl_model *back;
    dl_status status;
    int folder = -1;

    DL_TRY(open_folder(&folder, lake_fd, true, err));
    apr_pool_create(&pool, scratch_pool);
    status = write_both(folder, model, native, native_len, err, pool);
    if (status == DL_OK) {
        status = dl_model_store_find(&back, lake_fd, model->id, err, pool);
    }
    apr_pool_destroy(pool);
    (void)close(folder);
    return status;
}

/* Rename a second name of the file NAME over CURRENT. */
static dl_status link_over(int folder, const char *name, const char *current,
                           dl_error *err)
{
    char hidden[NAME_MAX_LEN + 1];

    snprintf(hidden, sizeof hidden, ".%s", current);
    (void)unlinkat(folder, hidden, 0);
    if (linkat(folder, name, folder, hidden, 0) != 0 ||
        renameat(folder, hidden, folder, current) != 0 || fsync(folder) != 0) {
        return fail_write(err, errno, current);
    }
    /* A rename between two names of one file leaves both. */
    (void)unlinkat(folder, hidden, 0);
    return DL_OK;
}

dl_status dl_model_store_use(int lake_fd, const char *id, dl_error *err,
                             apr_pool_t *scratch_pool)
{
    char name[NAME_MAX_LEN];
    char current[NAME_MAX_LEN];
    apr_pool_t *pool;
    const dl_model *model = NULL;
    dl_status status;
    int folder = -1;

    apr_pool_create(&pool, scratch_pool);
    status = dl_model_store_find(&model, lake_fd, id, err, pool);
    if (status == DL_OK) {
        current_name(current, model->target);
        snprintf(name, sizeof name, "%s.model", id);
        status = open_folder(&folder, lake_fd, false, err);
        if (status == DL_OK) {
            status = link_over(folder, name, current, err);
            (void)close(folder);
        }
    }
    apr_pool_destroy(pool);
    return status;
}
