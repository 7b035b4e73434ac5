/* dl_secret.c - Guarded memory and the check of a secret file.
 *
 * libsodium's allocator gives what is wanted: pages of their own between guard
 * pages, locked, left out of core dumps, overwritten when freed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

static apr_status_t free_secret(void *data)
{
    sodium_free(data);
    return APR_SUCCESS;
}

static apr_status_t close_file(void *data)
{
    close(*(int *)data);
    return APR_SUCCESS;
}

/* Set *SECRET to guarded room for LEN bytes and a NUL. */
static dl_status reserve(dl_secret **secret, size_t len, dl_error *err,
                         apr_pool_t *pool)
{
    dl_secret *made = apr_pcalloc(pool, sizeof *made);

    if (sodium_init() < 0) {
        return dl_fail(err, DL_INTERNAL, 0, "libsodium cannot start");
    }
    made->data = sodium_malloc(len + 1);
    if (made->data == NULL) {
        return dl_fail(err, DL_UNAVAILABLE, errno,
                       "no memory for a secret of %zu bytes", len);
    }
    apr_pool_cleanup_register(pool, made->data, free_secret,
                              apr_pool_cleanup_null);
    made->data[len] = '\0';
    made->len = len;
    *secret = made;
    return DL_OK;
}

dl_status dl_secret_copy(dl_secret **secret, const void *data, size_t len,
                         dl_error *err, apr_pool_t *result_pool)
{
    if (len > DL_SECRET_MAX) {
        return dl_fail(err, DL_LIMIT, 0,
                       "a secret may have at most %d bytes, this has %zu",
                       DL_SECRET_MAX, len);
    }
    DL_TRY(reserve(secret, len, err, result_pool));
    memcpy((*secret)->data, data, len);
    return DL_OK;
}

/* Refuse the file INFO of PATH unless it is private and of a usable size. */
static dl_status check_file(const struct stat *info, const char *path,
                            dl_error *err)
{
    if (!S_ISREG(info->st_mode)) {
        return dl_fail(err, DL_INVALID, 0,
                       "secret file %s must be a regular file", path);
    }
    if ((info->st_mode & S_IRWXO) != 0) {
        return dl_fail(err, DL_INVALID, 0,
                       "secret file %s is open to everybody (mode %03o): "
                       "chmod o-rwx %s",
                       path, (unsigned)(info->st_mode & 0777), path);
    }
    if (info->st_size == 0) {
        return dl_fail(err, DL_INVALID, 0, "secret file %s is empty", path);
    }
    if (info->st_size > DL_SECRET_MAX) {
        return dl_fail(err, DL_INVALID, 0,
                       "secret file %s may have at most %d bytes", path,
                       DL_SECRET_MAX);
    }
    return DL_OK;
}

/* Read exactly SECRET->len bytes of FD; the file must not change meanwhile. */
static dl_status read_all(dl_secret *secret, int fd, const char *path,
                          dl_error *err)
{
    size_t used = 0;

    while (used < secret->len) {
        ssize_t got = read(fd, secret->data + used, secret->len - used);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return dl_fail(err, DL_IO, got < 0 ? errno : 0,
                           "cannot read secret file %s", path);
        }
        used += (size_t)got;
    }
    return DL_OK;
}

static void cut_line_end(dl_secret *secret)
{
    if (secret->len > 0 && secret->data[secret->len - 1] == '\n') {
        secret->len--;
        if (secret->len > 0 && secret->data[secret->len - 1] == '\r') {
            secret->len--;
        }
    }
    secret->data[secret->len] = '\0';
}

dl_status dl_secret_load(dl_secret **secret, const char *path, dl_error *err,
                         apr_pool_t *result_pool)
{
    int *fd = apr_palloc(result_pool, sizeof *fd);
    struct stat info;
    dl_status status;

    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0) {
        return dl_fail(err, errno == ENOENT ? DL_NOT_FOUND : DL_IO, errno,
                       "cannot open secret file %s", path);
    }
    apr_pool_cleanup_register(result_pool, fd, close_file,
                              apr_pool_cleanup_null);
    if (fstat(*fd, &info) != 0) {
        return dl_fail(err, DL_IO, errno, "cannot stat secret file %s", path);
    }
    DL_TRY(check_file(&info, path, err));
    DL_TRY(reserve(secret, (size_t)info.st_size, err, result_pool));
    status = read_all(*secret, *fd, path, err);
    apr_pool_cleanup_run(result_pool, fd, close_file);
    DL_TRY(status);
    cut_line_end(*secret);
    if ((*secret)->len == 0) {
        return dl_fail(err, DL_INVALID, 0, "secret file %s is empty", path);
    }
    return DL_OK;
}

void dl_secret_wipe(void *data, size_t len)
{
    sodium_memzero(data, len);
}
