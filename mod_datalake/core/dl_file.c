/* dl_file.c - Read a whole small file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static apr_status_t free_data(void *data)
{
    free(data);
    return APR_SUCCESS;
}

/* Read up to SIZE bytes of FD into DATA; return how many, or -1. */
static ssize_t read_all(int fd, char *data, size_t size)
{
    size_t used = 0;

    while (used < size) {
        ssize_t got = read(fd, data + used, size - used);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            break;
        }
        used += (size_t)got;
    }
    return (ssize_t)used;
}

/* Read the open file FD, called PATH. */
static dl_status load(char **text, size_t *len, int fd, const char *path,
                      size_t max, dl_error *err)
{
    struct stat info;
    ssize_t got;

    if (fstat(fd, &info) != 0) {
        return dl_fail(err, DL_IO, errno, "cannot read %s", path);
    }
    if (!S_ISREG(info.st_mode)) {
        return dl_fail(err, DL_IO, 0, "%s is not a regular file", path);
    }
    *text = malloc(max + 2);
    if (*text == NULL) {
        abort();
    }
    got = read_all(fd, *text, max + 1);
    if (got < 0) {
        return dl_fail(err, DL_IO, errno, "cannot read %s", path);
    }
    if ((size_t)got > max) {
        return dl_fail(err, DL_LIMIT, 0, "%s has more than %zu bytes", path,
                       max);
    }
    (*text)[got] = '\0';
    *len = (size_t)got;
    return DL_OK;
}

dl_status dl_file_load(const char **text, size_t *len, const char *path,
                       size_t max, dl_error *err, apr_pool_t *result_pool)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char *data = NULL;
    dl_status status;

    if (fd < 0) {
        return dl_fail(err, errno == ENOENT ? DL_NOT_FOUND : DL_IO, errno,
                       "cannot open %s", path);
    }
    status = load(&data, len, fd, path, max, err);
    close(fd);
    if (status != DL_OK) {
        free(data);
        return status;
    }
    apr_pool_cleanup_register(result_pool, data, free_data,
                              apr_pool_cleanup_null);
    *text = data;
    return DL_OK;
}
