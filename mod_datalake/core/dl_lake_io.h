/* dl_lake_io.h - Every system call of the lake, through one table.
 *
 * Unit tests replace the table to inject errors and clocks.  The functions
 * below it know interrupted calls, short writes, and what an errno means:
 * ENOSPC, EDQUOT, EFBIG, EMFILE, ENFILE are DL_NO_SPACE; ENOENT, ENOTDIR and
 * ELOOP (a thing that is no folder or no file of ours) DL_NOT_FOUND; all others
 * DL_IO.  An error of a sync ends the process (FORMAT.md 10).
 *
 * Thread: any.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_IO_H
#define DL_LAKE_IO_H

#include <stddef.h>
#include <stdint.h>

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>

#include "dl_error.h"
#include "dl_time.h"

/* The calls, each as the system's own of the same name. */
typedef struct dl_lake_io {
    int (*openat)(int dir, const char *path, int flags, mode_t mode);
    /* as openat(2) */
    int (*close)(int fd); /* as close(2) */
    ssize_t (*pread)(int fd, void *data, size_t len, off_t at);
    /* as pread(2) */
    ssize_t (*pwrite)(int fd, const void *data, size_t len, off_t at);
    /* as pwrite(2) */
    int (*fdatasync)(int fd);              /* as fdatasync(2) */
    int (*fsync)(int fd);                  /* as fsync(2) */
    int (*syncfs)(int fd);                 /* as syncfs(2) */
    int (*ftruncate)(int fd, off_t len);   /* as ftruncate(2) */
    int (*fstat)(int fd, struct stat *st); /* as fstat(2) */
    int (*renameat2)(int from_dir, const char *from, int to_dir, const char *to,
                     unsigned flags); /* as renameat2(2) */
    int (*unlinkat)(int dir, const char *path, int flags);
    /* as unlinkat(2) */
    int (*mkdirat)(int dir, const char *path, mode_t mode);
    /* as mkdirat(2) */
    int (*linkat)(int from_dir, const char *from, int to_dir, const char *to,
                  int flags);            /* as linkat(2) */
    int (*flock)(int fd, int operation); /* as flock(2) */
    int (*sync_file_range)(int fd, off_t at, off_t len, unsigned flags);
    /* as sync_file_range(2) */
    int (*fstatvfs)(int fd, struct statvfs *st); /* as fstatvfs(3) */
    dl_time (*now)(void);                        /* wall clock */
} dl_lake_io;

/* The real calls. */
extern const dl_lake_io dl_lake_io_real;

/* Open PATH in the folder DIR with FLAGS, O_CLOEXEC and O_NOFOLLOW, mode
 * DL_LAKE_FILE_MODE, and set *FD.  The caller closes it. */
DL_MUSTCHECK dl_status dl_lake_file_open(int *fd, const dl_lake_io *io, int dir,
                                         const char *path, int flags,
                                         dl_error *err);

/* Open the folder PATH in the folder DIR and set *FD; where CREATE is set and
 * it is missing it is made first.  The caller closes *FD. */
DL_MUSTCHECK dl_status dl_lake_dir_open(int *fd, const dl_lake_io *io, int dir,
                                        const char *path, int create,
                                        dl_error *err);

/* Write the LEN bytes of DATA at AT.  After a failure any prefix of them may
 * be in the file.  NAME is for the sentence. */
DL_MUSTCHECK dl_status dl_lake_file_write(const dl_lake_io *io, int fd,
                                          const void *data, size_t len,
                                          uint64_t at, dl_error *err);

/* Whole blocks of a file; data, len and at are multiples of DL_LAKE_BLOCK. */
typedef struct dl_lake_aligned {
    int fd;        /* the file, through the page cache */
    int direct_fd; /* the same file past it (O_DIRECT), or -1 */
    char *data;    /* the bytes, malloc; who owns them says the function */
    size_t size;   /* bytes allocated */
    size_t len;    /* bytes to write */
    uint64_t at;   /* where */
} dl_lake_aligned;

/* Write BLOCK, whose data stays the caller's, past the page cache.  (Two
 * descriptors: one that is switched to O_DIRECT and back fails others' writes
 * of less than a block meanwhile.)  DL_UNSUPPORTED: the file system has no
 * such writes, nothing was written.  Else as dl_lake_file_write. */
DL_MUSTCHECK dl_status dl_lake_blocks_write(const dl_lake_io *io,
                                            const dl_lake_aligned *block,
                                            dl_error *err);

/* Read exactly LEN bytes at AT into DATA.  DL_CORRUPT: the file ends before
 * that. */
DL_MUSTCHECK dl_status dl_lake_file_read(const dl_lake_io *io, int fd,
                                         void *data, size_t len, uint64_t at,
                                         dl_error *err);

/* Set *SIZE to the size of FD. */
DL_MUSTCHECK dl_status dl_lake_file_size(uint64_t *size, const dl_lake_io *io,
                                         int fd, dl_error *err);

/* Cut FD to LEN bytes. */
DL_MUSTCHECK dl_status dl_lake_file_cut(const dl_lake_io *io, int fd,
                                        uint64_t len, dl_error *err);

/* fdatasync FD; an error is logged with NAME and ends the process. */
void dl_lake_file_sync(const dl_lake_io *io, int fd, const char *name);

/* fsync the folder FD; an error is logged with NAME and ends the process. */
void dl_lake_dir_sync(const dl_lake_io *io, int fd, const char *name);

/* syncfs the file system of FD; an error is logged and ends the process. */
void dl_lake_all_sync(const dl_lake_io *io, int fd, const char *name);

/* Rename FROM in FROM_DIR to TO in TO_DIR. */
DL_MUSTCHECK dl_status dl_lake_rename(const dl_lake_io *io, int from_dir,
                                      const char *from, int to_dir,
                                      const char *to, dl_error *err);

/* Exchange NAME in the folder A with NAME in the folder B, in one step. */
DL_MUSTCHECK dl_status dl_lake_exchange(const dl_lake_io *io, int a, int b,
                                        const char *name, dl_error *err);

/* Remove PATH in DIR; flags as unlinkat.  That it is not there is fine. */
DL_MUSTCHECK dl_status dl_lake_remove(const dl_lake_io *io, int dir,
                                      const char *path, int flags,
                                      dl_error *err);

/* flock FD with OPERATION; NAME is for the sentence.  DL_BUSY: another process
 * holds it and OPERATION has LOCK_NB. */
DL_MUSTCHECK dl_status dl_lake_lock(const dl_lake_io *io, int fd, int operation,
                                    const char *name, dl_error *err);

/* The dl_status that the errno OS_ERROR means. */
dl_status dl_lake_errno_status(int os_error);

/* Die here by SIGKILL when the environment said DL_CRASH_AT=LABEL:n at the
 * first use and this is the n-th time.  Costs one test of a flag. */
#define DL_LAKE_CRASH(label)                                                   \
    do {                                                                       \
        if (dl_lake_crash_armed) {                                             \
            dl_lake_crash_point(label);                                        \
        }                                                                      \
    } while (0)

/* Whether DL_CRASH_AT was set when the first writer was opened. */
extern int dl_lake_crash_armed;

/* Read DL_CRASH_AT.  Thread: before the first writer, once. */
void dl_lake_crash_arm(void);

/* What DL_LAKE_CRASH calls; not to be called directly. */
void dl_lake_crash_point(const char *label);

#endif
