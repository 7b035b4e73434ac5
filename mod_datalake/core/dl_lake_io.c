/* dl_lake_io.c - System calls with their retries, meanings and crash points.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_io.h"

#include "dl_lake_format.h"
#include "dl_log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static int real_openat(int dir, const char *path, int flags, mode_t mode)
{
    return openat(dir, path, flags, mode);
}

const dl_lake_io dl_lake_io_real = {
    .openat = real_openat,
    .close = close,
    .pread = pread,
    .pwrite = pwrite,
    .fdatasync = fdatasync,
    .fsync = fsync,
    .syncfs = syncfs,
    .ftruncate = ftruncate,
    .fstat = fstat,
    .renameat2 = renameat2,
    .unlinkat = unlinkat,
    .mkdirat = mkdirat,
    .linkat = linkat,
    .flock = flock,
    .sync_file_range = sync_file_range,
    .fstatvfs = fstatvfs,
    .now = dl_time_now,
};

dl_status dl_lake_errno_status(int os_error)
{
    if (os_error == ENOENT || os_error == ENOTDIR || os_error == ELOOP) {
        return DL_NOT_FOUND;
    }
    if (os_error == ENOSPC || os_error == EDQUOT || os_error == EFBIG ||
        os_error == EMFILE || os_error == ENFILE) {
        return DL_NO_SPACE;
    }
    return DL_IO;
}

/* Times an interrupted call is tried again: a signal cannot do this to a
 * regular file for ever, a broken file system can. */
#define INTERRUPTS 100

/* Whether the call that failed is to be tried again; *TRIES counts. */
static bool again(int *tries)
{
    return errno == EINTR && (*tries)++ < INTERRUPTS;
}

static dl_status fail(dl_error *err, const char *what, const char *name)
{
    int os_error = errno;

    return dl_fail(err, dl_lake_errno_status(os_error), os_error, "%s %s", what,
                   name);
}

dl_status dl_lake_file_open(int *fd, const dl_lake_io *io, int dir,
                            const char *path, int flags, dl_error *err)
{
    int tries = 0;

    do {
        *fd = io->openat(dir, path, flags | O_CLOEXEC | O_NOFOLLOW,
                         DL_LAKE_FILE_MODE);
    } while (*fd < 0 && again(&tries));
    return *fd < 0 ? fail(err, "cannot open", path) : DL_OK;
}

dl_status dl_lake_dir_open(int *fd, const dl_lake_io *io, int dir,
                           const char *path, int create, dl_error *err)
{
    const int flags = O_RDONLY | O_DIRECTORY;
    dl_status status = dl_lake_file_open(fd, io, dir, path, flags, err);

    if (status != DL_NOT_FOUND || !create) {
        return status;
    }
    if (io->mkdirat(dir, path, DL_LAKE_DIR_MODE) != 0 && errno != EEXIST) {
        return fail(err, "cannot make folder", path);
    }
    return dl_lake_file_open(fd, io, dir, path, flags, err);
}

dl_status dl_lake_file_write(const dl_lake_io *io, int fd, const void *data,
                             size_t len, uint64_t at, dl_error *err)
{
    const char *from = data;
    int tries = 0;

    while (len > 0) {
        ssize_t n = io->pwrite(fd, from, len, (off_t)at);

        if (n < 0 && again(&tries)) {
            continue;
        }
        if (n <= 0) {
            errno = n == 0 ? ENOSPC : errno;
            return fail(err, "cannot write", "lake file");
        }
        from += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    return DL_OK;
}

dl_status dl_lake_blocks_write(const dl_lake_io *io,
                               const dl_lake_aligned *block, dl_error *err)
{
    ssize_t n =
        io->pwrite(block->direct_fd, block->data, block->len, (off_t)block->at);

    if (n < 0 && (errno == EINVAL || errno == EOPNOTSUPP)) {
        return dl_fail(err, DL_UNSUPPORTED, errno, "no direct writes");
    }
    if (n < 0 && errno != EINTR) {
        return fail(err, "cannot write", "lake file");
    }
    n = n < 0 ? 0 : n;
    return dl_lake_file_write(io, block->fd, block->data + n,
                              block->len - (size_t)n, block->at + (uint64_t)n,
                              err);
}

dl_status dl_lake_file_read(const dl_lake_io *io, int fd, void *data,
                            size_t len, uint64_t at, dl_error *err)
{
    char *to = data;
    int tries = 0;

    while (len > 0) {
        ssize_t n = io->pread(fd, to, len, (off_t)at);

        if (n < 0 && again(&tries)) {
            continue;
        }
        if (n < 0) {
            return fail(err, "cannot read", "lake file");
        }
        if (n == 0) {
            return dl_fail(err, DL_CORRUPT, 0, "%zu bytes at %llu are missing",
                           len, (unsigned long long)at);
        }
        to += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    return DL_OK;
}

dl_status dl_lake_file_size(uint64_t *size, const dl_lake_io *io, int fd,
                            dl_error *err)
{
    struct stat st;

    if (io->fstat(fd, &st) != 0) {
        return fail(err, "cannot look at", "lake file");
    }
    *size = (uint64_t)st.st_size;
    return DL_OK;
}

dl_status dl_lake_file_cut(const dl_lake_io *io, int fd, uint64_t len,
                           dl_error *err)
{
    int tries = 0;
    int result;

    do {
        result = io->ftruncate(fd, (off_t)len);
    } while (result != 0 && again(&tries));
    return result != 0 ? fail(err, "cannot cut", "lake file") : DL_OK;
}

static void require_synced(int result, const char *name)
{
    char text[128];

    if (result != 0) {
        dl_log(DL_LOG_ERROR, "DL0300 %s: sync failed, nothing is certain: %s",
               name, strerror_r(errno, text, sizeof text));
        abort();
    }
}

void dl_lake_file_sync(const dl_lake_io *io, int fd, const char *name)
{
    require_synced(io->fdatasync(fd), name);
}

void dl_lake_dir_sync(const dl_lake_io *io, int fd, const char *name)
{
    require_synced(io->fsync(fd), name);
}

void dl_lake_all_sync(const dl_lake_io *io, int fd, const char *name)
{
    require_synced(io->syncfs(fd), name);
}

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE 2
#endif

static int rename_again(const dl_lake_io *io, int from_dir, const char *from,
                        int to_dir, const char *to, unsigned flags)
{
    int tries = 0;
    int result;

    do {
        result = io->renameat2(from_dir, from, to_dir, to, flags);
    } while (result != 0 && again(&tries));
    return result;
}

dl_status dl_lake_rename(const dl_lake_io *io, int from_dir, const char *from,
                         int to_dir, const char *to, dl_error *err)
{
    return rename_again(io, from_dir, from, to_dir, to, 0) != 0
               ? fail(err, "cannot rename", from)
               : DL_OK;
}

dl_status dl_lake_exchange(const dl_lake_io *io, int a, int b, const char *name,
                           dl_error *err)
{
    return rename_again(io, a, name, b, name, RENAME_EXCHANGE) != 0
               ? fail(err, "cannot exchange", name)
               : DL_OK;
}

dl_status dl_lake_remove(const dl_lake_io *io, int dir, const char *path,
                         int flags, dl_error *err)
{
    int tries = 0;
    int result;

    do {
        result = io->unlinkat(dir, path, flags);
    } while (result != 0 && again(&tries));
    if (result != 0 && errno != ENOENT) {
        return fail(err, "cannot remove", path);
    }
    return DL_OK;
}

dl_status dl_lake_lock(const dl_lake_io *io, int fd, int operation,
                       const char *name, dl_error *err)
{
    int tries = 0;
    int result;

    do {
        result = io->flock(fd, operation);
    } while (result != 0 && again(&tries));
    if (result != 0 && errno == EWOULDBLOCK) {
        return dl_fail(err, DL_BUSY, 0, "another process holds %s", name);
    }
    return result != 0 ? fail(err, "cannot lock", name) : DL_OK;
}

/* --- Crash points --------------------------------------------------------- */

int dl_lake_crash_armed;
static char crash_label[64];
static atomic_long crash_count;

void dl_lake_crash_arm(void)
{
    const char *text = getenv("DL_CRASH_AT"); /* NOLINT: before threads */
    const char *colon = text == NULL ? NULL : strrchr(text, ':');

    if (colon == NULL || (size_t)(colon - text) >= sizeof crash_label) {
        return;
    }
    memcpy(crash_label, text, (size_t)(colon - text));
    crash_label[colon - text] = '\0';
    atomic_store(&crash_count, strtol(colon + 1, NULL, 10));
    dl_lake_crash_armed = atomic_load(&crash_count) > 0;
}

void dl_lake_crash_point(const char *label)
{
    if (strcmp(label, crash_label) == 0 &&
        atomic_fetch_sub(&crash_count, 1) == 1) {
        raise(SIGKILL);
    }
}
